"""Every constant of the shipped rules: what it is, why it is so, and within which bounds it can be set."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from remediator.errors import InputError
from remediator.rules.shipped.text import VERSION, duration

SEVERITIES: Final = ("critical", "warning", "info")
REMEDIATIONS: Final = ("RevertToStable", "RemoveMirrors", "None")
OURS: Final = frozenset({"alertname", "namespace", "severity", "remediation", "window", *VERSION.split(", ")})
"""The labels that route an alert and name its target."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The spans that evidence is looked for in, in seconds; at least four scrapes each, or `increase` sees little."""

    base: int
    """What live counts are recorded over, and the shortest that accuses."""
    short: int
    long: int
    hour: int
    latency: int


@dataclass(frozen=True, slots=True)
class Parameters:
    """What `remediator rules render` can be told. The first part of each annotation is the option's help."""

    # Where the traffic is seen
    live_reporter: Annotated[
        str, "Who reports live traffic: source, or waypoint in an ambient mesh (one of them, or a hop counts twice)."
    ] = "source"
    mirror_reporter: Annotated[
        str, "Who reports mirrored requests too: destination, the only one that sees them. Empty: no mirror rules."
    ] = "destination"
    namespaces: Annotated[str, "Regular expression of the services' namespaces. Empty: all."] = ""
    scrape_interval: Annotated[
        int, "Seconds between scrapes of the proxies; windows and intervals of evaluation follow it."
    ] = 15
    native_histograms: Annotated[
        bool, "Latency from native histograms: for meshes whose Prometheus keeps no classic buckets."
    ] = False

    # What an error is
    failing_codes: Annotated[str, "Regular expression of the HTTP codes that are failures of the server."] = "5.."
    failing_grpc: Annotated[
        str,
        "Regular expression of the gRPC codes that are failures of the server: UNKNOWN, DEADLINE_EXCEEDED, "
        "UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.",
    ] = "2|4|12|13|14|15"

    # When a version is accused
    score: Annotated[
        float,
        "Least score: how many standard deviations worse than chance. 4 accused good versions in 10 % of simulated "
        "days at 1 % errors; 5 costs a third more time at low traffic.",
    ] = 4.5
    min_errors: Annotated[
        int, "Least errors of the accused version in the window: fewer are an anecdote, whatever the score."
    ] = 5
    min_sibling_requests: Annotated[
        int, "Least requests that the siblings served in ten minutes: else there is nothing to go back to."
    ] = 20
    max_dispersion: Annotated[
        float,
        "Greatest allowance for errors that come in clumps (variance over mean of the siblings' errors). The cap keeps "
        "a canary visible after an outage.",
    ] = 10.0
    effect_short: Annotated[float, "Least difference of the error ratios over 1m and 2m: 0.02 is 2 points."] = 0.02
    effect_long: Annotated[float, "Least difference of the error ratios over 10m and 1h."] = 0.01
    effect_relative: Annotated[
        float, "Least difference as a share of the siblings' own error ratio: on a noisy service, a point is nothing."
    ] = 0.5
    hard_down_effect: Annotated[float, "Least difference over 1m at which a version counts as down."] = 0.5
    hard_down_requests: Annotated[int, "Least requests of a version in 1m that counts as down."] = 20
    failing_ratio: Annotated[float, "Error ratio at which a version fails, whatever the others do."] = 0.05

    # Mirrors
    live_share: Annotated[
        float,
        "A version is mirrored if clients report less than this share of what it receives. Not higher: with Istio's "
        "two retries, a live version that fails everything shows three requests for each that clients report.",
    ] = 0.25
    harm_factor: Annotated[float, "Growth of live traffic's error ratio at which a new mirror is blamed."] = 3.0
    harm_effect: Annotated[float, "And by at least this much: 0.01 is a point."] = 0.01
    harm_errors: Annotated[int, "And with at least so many errors in two minutes."] = 20
    harm_shift: Annotated[float, "Share of live requests that must have become slower to blame a new mirror."] = 0.2

    # Latency
    slow_ms: Annotated[int, "Milliseconds from which an answer is slow. A bucket of Envoy's: 500, 1000, 2500…"] = 500
    slow_effect: Annotated[float, "Least difference of the shares of slow answers."] = 0.02
    shift_buckets_ms: Annotated[
        tuple[int, ...],
        "Bounds in milliseconds at which the distributions are compared; each costs a raw series for each of traffic.",
    ] = (50, 100, 250, 500, 1000)
    shift_effect: Annotated[
        float, "Least share of requests past a bound that the siblings' stay under. What is rarer is the slow share's."
    ] = 0.10
    shift_score: Annotated[
        float, "Least scaled shift (Kolmogorov-Smirnov); 2.5 comes by chance in 4 of a million looks."
    ] = 2.5
    shift_requests: Annotated[
        int, "Least timed requests of the accused; how many its siblings need follows from the score."
    ] = 50

    # Ourselves
    job: Annotated[str, "The label `job` under which Prometheus scrapes the remediator."] = "remediator"

    # What the alerts say
    severities: Annotated[Mapping[str, str], "Severity of an alert: ALERT=critical|warning|info. Repeatable."] = field(
        default_factory=dict
    )
    remediations: Annotated[
        Mapping[str, str],
        "What an alert asks for: ALERT=RevertToStable|RemoveMirrors|None, where it names a version. Repeatable.",
    ] = field(default_factory=dict)
    without: Annotated[frozenset[str], "An alert to leave out. Repeatable."] = frozenset()
    alert_labels: Annotated[Mapping[str, str], "A label for every alert: NAME=VALUE. Repeatable."] = field(
        default_factory=dict
    )
    labels: Annotated[
        Mapping[str, str],
        "A label for the objects: NAME=VALUE, such as release=kube-prometheus-stack for the operator's ruleSelector. "
        "Repeatable.",
    ] = field(default_factory=dict)
    runbooks: Annotated[str, "What the name of an alert, in lower case, is appended to: its runbook."] = (
        "https://remediator.io/runbooks/"
    )

    def __post_init__(self) -> None:
        """Raises:
        InputError: a value that no rule can be rendered with.
        """
        for name, wrong in _MISTAKES.items():
            complaint = wrong(getattr(self, name))
            if complaint:
                raise InputError(f"{option(name)} {complaint}")

    @property
    def windows(self) -> Windows:
        """The windows for this interval of scrapes."""
        scrape = self.scrape_interval
        base = max(60, 4 * scrape)
        long = 600 if scrape <= 15 else 900 if scrape <= 30 else 1800
        return Windows(base=base, short=2 * base, long=long, hour=3600, latency=max(300, 4 * scrape))


def option(name: str) -> str:
    """A parameter as it is given on the command line; what may be repeated is in the singular there.

    >>> option("scrape_interval"), option("severities")
    ('--scrape-interval', '--severity')
    """
    singular = {
        "severities": "severity",
        "remediations": "remediation",
        "labels": "label",
        "alert_labels": "alert-label",
    }
    return "--" + singular.get(name, name).replace("_", "-")


_NOT_RE2: Final = re.compile(r"\(\?(<?[=!]|P=|#|\()|(?<!\\)(\\\\)*\\[1-9]")
"""What Python's regular expressions can do beyond those of Prometheus."""


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        return f"is no regular expression: {error}"
    if _NOT_RE2.search(value):
        return "is a regular expression that Prometheus does not know: RE2 can neither look around nor back"
    return "may not hold a quotation mark or a newline" if set(value) & set('"\n') else ""


def _code(value: str) -> str:
    return _regex(value) if value else "may not be empty: nothing would be a failure"


def _share(value: float) -> str:
    return "" if 0 < value < 1 else f"is a share between 0 and 1, not {value:g}"


def _positive(value: float) -> str:
    return "" if 0 < value < float("inf") else f"is a number above 0, not {value:g}"


def _word(value: str) -> str:
    return "" if re.fullmatch(r"[A-Za-z0-9_./-]+", value) else "is a word of letters, digits and _ . / -"


def _scrape(value: int) -> str:
    if 5 <= value <= 60 and 60 % value == 0:
        return ""
    return f"is 5, 6, 10, 12, 15, 20, 30 or 60 seconds, not {duration(value) if value > 0 else value}"


def _bounds(value: tuple[int, ...]) -> str:
    return "" if value and all(bound > 0 for bound in value) else "is at least one number of milliseconds above 0"


def _severities(value: Mapping[str, str]) -> str:
    wrong = sorted(set(value.values()) - set(SEVERITIES))
    return f"is one of {', '.join(SEVERITIES)}, not {wrong[0]}" if wrong else ""


def _remediations(value: Mapping[str, str]) -> str:
    wrong = sorted(set(value.values()) - set(REMEDIATIONS))
    return f"is one of {', '.join(REMEDIATIONS)}, not {wrong[0]}" if wrong else ""


def _alert_labels(value: Mapping[str, str]) -> str:
    taken = sorted(set(value) & OURS)
    return f"may not be {taken[0]}: every alert has that of its own" if taken else _label_names(value)


def _label_names(value: Mapping[str, str]) -> str:
    wrong = sorted(name for name in value if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name))
    return f"names a label, which {wrong[0]!r} cannot be" if wrong else ""


_SHARES = (
    "effect_short",
    "effect_long",
    "hard_down_effect",
    "failing_ratio",
    "live_share",
    "harm_effect",
    "harm_shift",
    "slow_effect",
    "shift_effect",
)
_POSITIVE = (
    "score",
    "min_errors",
    "min_sibling_requests",
    "max_dispersion",
    "effect_relative",
    "hard_down_requests",
    "harm_factor",
    "harm_errors",
    "slow_ms",
    "shift_score",
    "shift_requests",
)
_MISTAKES: Final[Mapping[str, Callable[[Any], str]]] = {
    "live_reporter": _word,
    "mirror_reporter": lambda value: _word(value) if value else "",
    "namespaces": _regex,
    "scrape_interval": _scrape,
    "failing_codes": _code,
    "failing_grpc": _code,
    "job": _word,
    "alert_labels": _alert_labels,
    "severities": _severities,
    "remediations": _remediations,
    "shift_buckets_ms": _bounds,
    **dict.fromkeys(_SHARES, _share),
    **dict.fromkeys(_POSITIVE, _positive),
}
"""What is wrong with a value of each parameter, in words; empty where nothing is."""
