"""What each setting is, said once: name, form, default and help."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from remediator.outcome import NoticeKind

PREFIX = "REMEDIATOR_"
CONFIG = "config"
"""The flag and variable that name the file; no key of the file itself."""

MODES = ("Observe", "Approve", "Enforce")

_SIZE = re.compile(r"([0-9]{1,12})(KiB|MiB|GiB|)")
_SIZE_UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DURATION = re.compile(
    r"0|(?=.)(?:([0-9]{1,6})w)?(?:([0-9]{1,6})d)?"
    r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?(?:([0-9]{1,6})ms)?"
)
_HOUR_S = 3600.0
_DURATION_S = (168 * _HOUR_S, 24 * _HOUR_S, _HOUR_S, 60.0, 1.0, 0.001)
_DAY_S = 24 * _HOUR_S
_LISTEN = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many in any span of time of this length."""

    most: int
    window_s: float

    def __str__(self) -> str:
        """As it is written, in seconds: `10/600s`."""
        return f"{self.most}/{self.window_s:g}s"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: everything that a flag, a variable, a key and their documentation need."""

    name: str
    parse: Callable[[str], object]
    """Raises ValueError saying what is allowed."""
    default: str
    """As a person would write it; empty for none."""
    help: str
    metavar: str = ""
    """What stands for the value in help texts; empty for a switch."""
    many: bool = False
    """The flag may be repeated, the key may hold a list; commas separate within one text."""

    @property
    def flag(self) -> str:
        """As on the command line."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """As in the environment."""
        return PREFIX + self.name.upper().replace("-", "_")

    @property
    def field(self) -> str:
        """As in Settings."""
        return self.name.replace("-", "_")


def _text(text: str) -> str:
    return text


def _listen(text: str) -> str:
    match = _LISTEN.fullmatch(text)
    if not match or int(match[1]) > 65535:
        raise ValueError("is not HOST:PORT, such as 0.0.0.0:8080 or [::]:8080, with a port up to 65535")
    return text


def _mode(text: str) -> str:
    if text not in MODES:
        raise ValueError(f"is not a mode; write {', '.join(MODES[:-1])} or {MODES[-1]}")
    return text


def _glob(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9*?\[\]!-]+", text):
        raise ValueError("is not the name of a namespace or a glob over names, such as shop-*")
    return text


def _namespace(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise ValueError("is not the name of a namespace, such as istio-system")
    return text


def _threads(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= 1000:
        raise ValueError("is not a whole number from 1 to 1000")
    return int(text)


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    size = int(match[1]) * _SIZE_UNITS[match[2]] if match else 0
    if not 2**10 <= size <= 2**30:
        raise ValueError("is not a size from 1KiB to 1GiB, such as 4MiB, 512KiB or 1000000 (bytes)")
    return size


def _grace(text: str) -> float:
    seconds = _seconds(text)
    if seconds is None or seconds > _HOUR_S:
        raise ValueError("is not a duration up to 1h, such as 20s or 1m30s")
    return seconds


def _retention(text: str) -> float:
    seconds = _seconds(text)
    if seconds is None or 0 < seconds < _HOUR_S:
        raise ValueError("is neither a duration from 1h up, such as 30d, 2w or 1d12h, nor 0")
    return seconds


def _seconds(text: str) -> float | None:
    """A duration as Prometheus writes it, without years; None if it is none."""
    match = _DURATION.fullmatch(text)
    if not match:
        return None
    return sum(int(part or 0) * unit for part, unit in zip(match.groups(), _DURATION_S, strict=True))


def _budget(text: str) -> Rate | None:
    if text == "off":
        return None
    count, slash, span = text.partition("/")
    seconds = _seconds(span) if slash else None
    if not re.fullmatch(r"[0-9]{1,6}", count) or not int(count) or seconds is None or not 0 < seconds <= _DAY_S:
        raise ValueError("is not N/DURATION, such as 10/10m, with N from 1 and a duration up to 1d; nor off")
    return Rate(int(count), seconds)


def _age(text: str) -> float:
    seconds = _seconds(text)
    if seconds is None or 0 < seconds < 1:
        raise ValueError("is neither a duration from 1s up, such as 1h, nor 0, which is any age")
    return seconds


def _wait(text: str) -> float:
    seconds = _seconds(text)
    if seconds is None or not 60 <= seconds <= 7 * _DAY_S:
        raise ValueError("is not a duration from 1m to 7d, such as 1h")
    return seconds


def _known_bad(text: str) -> float:
    seconds = _seconds(text)
    if seconds is None or 0 < seconds < 60:
        raise ValueError("is neither a duration from 1m up, such as 7d, nor 0")
    return seconds


def _url(text: str) -> str:
    try:
        found = urlsplit(text)
        is_whole = found.scheme in ("http", "https") and bool(found.hostname) and found.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or found.query or found.fragment or not text.isprintable() or " " in text:
        raise ValueError("is not the URL of a server, such as http://prometheus.monitoring:9090")
    if found.username is not None:
        raise ValueError("holds a user's name: settings are logged, and are no place for credentials")
    return text


def _verify_within(text: str) -> float:
    seconds = _seconds(text)
    if seconds is None or not 30 <= seconds <= _HOUR_S / 2:
        raise ValueError("is not a duration from 30s to 30m, such as 2m")
    return seconds


def _notice(text: str) -> NoticeKind:
    if text not in tuple(NoticeKind):
        raise ValueError(f"is no kind of notice; the kinds are {', '.join(NoticeKind)}")
    return NoticeKind(text)


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("is neither true nor false")
    return text == "true"


TABLE = (
    Setting("listen", _listen, "0.0.0.0:8080", "Where to serve HTTP.", "HOST:PORT"),
    Setting(
        "policies",
        Path,
        "the packaged policies/production",
        "A policy file or a folder of them; may be repeated.",
        "PATH",
        many=True,
    ),
    Setting("manifests", Path, "", "A folder of YAML that stands in for a cluster.", "DIR"),
    Setting("kubeconfig", _text, "", "Without it: the pod's service account, else the usual kubeconfig.", "FILE"),
    Setting("context", _text, "", "A context of the kubeconfig. Without it: the current one.", "NAME"),
    Setting(
        "namespaces",
        _glob,
        "",
        "Namespaces whose VirtualServices may be touched; with names alone nothing else is read. Without it: all.",
        "GLOB,...",
        many=True,
    ),
    Setting(
        "root-namespace",
        _namespace,
        "istio-system",
        "Istio's rootNamespace, whose DestinationRules hold for the whole mesh.",
        "NAME",
    ),
    Setting("token-file", Path, "", "The bearer tokens that are accepted, one a line; two while rotating.", "FILE"),
    Setting("allow-anonymous", _switch, "false", "Ask for no token: whoever reaches the port may change traffic."),
    Setting("tls-cert-file", Path, "", "Serve HTTPS with this certificate chain, in PEM form.", "FILE"),
    Setting("tls-key-file", Path, "", "The certificate's key, in PEM form, without a passphrase.", "FILE"),
    Setting("mode", _mode, "Enforce", "The most that any policy may do: Observe, Approve or Enforce.", "MODE"),
    Setting("opt-in", _switch, "false", "Act only where the annotation remediator.io/mode says so."),
    Setting(
        "budget",
        _budget,
        "10/10m",
        "Most remediations of the whole fleet in a span of time; beyond it people have to look. off: no limit.",
        "N/DURATION",
    ),
    Setting(
        "max-alert-age",
        _age,
        "1h",
        "An alert that began longer ago, or before the routes were last changed, is not acted upon. 0: it is.",
        "DURATION",
    ),
    Setting(
        "approve-within",
        _wait,
        "1h",
        "How long a plan of mode Approve waits for a person before it expires.",
        "DURATION",
    ),
    Setting(
        "known-bad",
        _known_bad,
        "7d",
        "How long a version whose traffic was taken away is held back by the gate. 0: as long as its record is kept.",
        "DURATION",
    ),
    Setting(
        "prometheus-url",
        _url,
        "",
        "The Prometheus that is asked whether a patch worked. Without it, nothing is verified.",
        "URL",
    ),
    Setting(
        "verify-within",
        _verify_within,
        "2m",
        "How long a suspect's traffic may take to end; then a person is told. Half of it must hold two scrapes.",
        "DURATION",
    ),
    Setting("gitops-pause", _switch, "false", "Tell Flux to leave alone what is held, on the live object."),
    Setting(
        "notify-file",
        Path,
        "",
        "Who is told what happened: apprise's URLs, one a line. They are secrets. Without it: nobody.",
        "FILE",
    ),
    Setting(
        "notify-on",
        _notice,
        ",".join(kind for kind in NoticeKind if kind.usual),
        "What they are told, where a line of that file does not say it itself.",
        "KIND,...",
        many=True,
    ),
    Setting("threads", _threads, "16", "How many requests are served at the same time.", "N"),
    Setting("max-body", _size, "4MiB", "The largest request that is read.", "SIZE"),
    Setting("shutdown-grace", _grace, "20s", "How long requests may take to finish after SIGTERM.", "DURATION"),
    Setting(
        "retention",
        _retention,
        "30d",
        "How long finished records are kept; those with an undo at least 30d. 0 keeps all for ever.",
        "DURATION",
    ),
)
"""Every setting, in the order of the documentation."""
