"""What a campaign shows: times to detect, false accusations, and which targets are met."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.detection.campaign import CONTESTANTS, OURS, Judged
from benchmarks.detection.flagger import NAME as FLAGGER
from benchmarks.detection.traffic import Load, Scenario

FOUND_WITHIN_S: Final = 1800.0
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Found:
    """How one contestant did with one fault at one load."""

    contestant: str
    fault: str
    """The scenario."""
    load: Load
    runs: int
    gone: int
    """Runs that had accused somebody before there was a fault."""
    wrong: int
    """Runs that accused the stable version after it."""
    seconds: tuple[float, ...]
    """From the fault to the first accusation of the canary, of those within FOUND_WITHIN_S; ascending."""
    by: Mapping[str, int]
    """Which alert was the first, by name."""

    @property
    def share(self) -> float:
        """Of the runs not gone, those found in time."""
        return len(self.seconds) / (self.runs - self.gone) if self.runs > self.gone else 0.0

    @property
    def median(self) -> float:
        """Of all runs not gone (s); infinite if less than half were found."""
        missing = self.runs - self.gone - len(self.seconds)
        times = [*self.seconds, *[float("inf")] * missing]
        return median(times) if times else float("nan")


@dataclass(frozen=True, slots=True)
class Calm:
    """How often one contestant accused somebody where nobody was worse."""

    contestant: str
    scenario: str
    load: Load
    runs: int
    accused: int
    """Runs with an accusation."""
    accusations: int
    days: float
    """Simulated."""
    by: Mapping[str, int]


def times_to_detect(found: Iterable[Judged]) -> list[Found]:
    """By fault, load and contestant."""
    groups: dict[tuple[str, Load], list[Judged]] = defaultdict(list)
    for run in found:
        groups[run.scenario.name, run.load].append(run)
    return [
        _found(contestant, name, load, runs)
        for (name, load), runs in groups.items()
        for contestant in _contestants(runs[0].scenario)
    ]


def false_accusations(found: Iterable[Judged]) -> list[Calm]:
    """By scenario, load and contestant."""
    groups: dict[tuple[str, Load], list[Judged]] = defaultdict(list)
    for run in found:
        groups[run.scenario.name, run.load].append(run)
    return [
        _false(contestant, name, load, runs)
        for (name, load), runs in groups.items()
        for contestant in _contestants(runs[0].scenario)
    ]


def _contestants(scenario: Scenario) -> Sequence[str]:
    """Flagger's query does not see a canary that only gets copies."""
    return [name for name in CONTESTANTS if not (scenario.mirrored and name == FLAGGER)]


def _found(contestant: str, fault: str, load: Load, runs: list[Judged]) -> Found:
    seconds, by, gone, wrong = [], Counter[str](), 0, 0
    for run in runs:
        own = [each for each in run.accusations if each.contestant == contestant]
        if any(each.begin < run.onset for each in own):
            gone += 1
            continue
        wrong += any(each.version != "v2" for each in own)
        hits = [each for each in own if each.version == "v2" and each.begin - run.onset <= FOUND_WITHIN_S]
        if hits:
            seconds.append(hits[0].begin - run.onset)
            by[hits[0].alert] += 1
    return Found(contestant, fault, load, len(runs), gone, wrong, tuple(sorted(seconds)), dict(by))


def _false(contestant: str, name: str, load: Load, runs: list[Judged]) -> Calm:
    own = [[each for each in run.accusations if each.contestant == contestant] for run in runs]
    days = sum(run.scenario.seconds for run in runs) / DAY_S
    by = Counter(f"{each.alert} of {each.version}" for accusations in own for each in accusations)
    accused, accusations = sum(map(bool, own)), sum(map(len, own))
    return Calm(contestant, name, load, len(runs), accused, accusations, days, dict(by))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, and what was measured."""

    target: str
    measured: str
    met: bool


def verdicts(found: Iterable[Found], false: Iterable[Calm]) -> list[Verdict]:
    """The targets of these rules."""
    ours = [each for each in found if each.contestant == OURS]
    accused = [each for each in false if each.contestant == OURS]
    quick = [_quick(ours, 0.05, 60.0), _quick(ours, 0.20, 30.0)]
    calm = [_at_most(accused, QUIET, 0, 30), _at_most(accused, NOISY, 1, 30), _at_most(accused, OUTAGE, 0, 0)]
    return [each for each in (*quick, *calm) if each]


QUIET: Final = "both at 0.1 %"
NOISY: Final = "both at 1 %"
OUTAGE: Final = "shared outage, 5 % for 15 min"
CLUMPS: Final = "0.1 % in clumps of 5"


def _quick(found: list[Found], errors: float, limit: float) -> Verdict | None:
    asked = [
        each for each in found if each.fault == f"{errors:.0%}" and each.load.rps == 100 and each.load.weight >= 0.05
    ]
    if not asked:
        return None
    told = "; ".join(f"{each.load.weight:.0%}: {each.median:.0f} s" for each in asked)
    target = f"{errors:.0%} errors found within {limit:.0f} s (median), 100 rps, 5 to 10 % weight"
    return Verdict(target, told, all(each.median <= limit for each in asked))


def _at_most(false: list[Calm], scenario: str, most: int, per_days: float) -> Verdict | None:
    asked = [each for each in false if each.scenario == scenario]
    if not asked:
        return None
    days, accused = sum(each.days for each in asked), sum(each.accused for each in asked)
    allowed = most * days / per_days if most else 0
    target = f"{scenario}: at most {most} false accusations" + (f" in {per_days:.0f} days" if per_days else "")
    return Verdict(
        target,
        f"{accused} in {days:.1f} days, {sum(each.runs for each in asked)} runs",
        accused <= allowed and days >= per_days,
    )
