"""How the cost is told: what was measured, then groups and rules, most expensive first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks.evaluation.watching import Cost

LIMIT: Final = 0.25
"""Of one core: the most that all groups together may take."""
_MOST_RULES: Final = 25


@dataclass(frozen=True, slots=True)
class Result:
    """One run."""

    raw: int
    """Series scraped."""
    recorded: int
    """Series that recording rules have added, at the end."""
    names: int
    """Names of recorded series that had a sample at the end."""
    alerts: int
    seconds: float
    cpu: float
    """Of Prometheus' process, in cores: scraping, storing and evaluating."""
    cpu_without: float
    """The same before there were rules."""
    nice: int
    """Of the processes: above 0 the clock on the wall says little on a busy machine."""
    load: float
    """The machine's load average, mean."""
    missed: int
    failed: int
    failing_scrapes: int
    groups: list[Cost]
    rules: list[Cost]

    @property
    def share(self) -> float:
        """Of one core, by all groups, by the clock on the wall: what others take of the machine counts, too."""
        return sum(group.share for group in self.groups)

    @property
    def own(self) -> float:
        """Cores that the rules add to the process: evaluating, storing what is recorded, and its garbage."""
        return self.cpu - self.cpu_without


def text(result: Result) -> str:
    """Markdown."""
    return "\n\n".join([_summary(result), _table("group", result.groups), _table("rule", result.rules[:_MOST_RULES])])


def _summary(result: Result) -> str:
    shares = (result.share, result.own)
    by_clock, by_cpu = (f"{share:.1%} (target < {LIMIT:.0%}: {_verdict(share < LIMIT)})" for share in shares)
    rows = [
        ("series scraped", f"{result.raw:,}"),
        ("rule evaluation by the clock, share of one core", by_clock),
        ("processor that the rules add, share of one core", by_cpu),
        ("evaluations missed", f"{result.missed} (target 0: {_verdict(not result.missed)})"),
        ("evaluations failed", f"{result.failed}"),
        ("series recorded", f"{result.recorded:,} of {result.names} names"),
        ("series of alerts", f"{result.alerts:,}"),
        (
            "processor of Prometheus, everything",
            f"{result.cpu:.2f} cores, {result.cpu_without:.2f} without rules",
        ),
        ("load average of the machine, niceness", f"{result.load:.1f}, {result.nice}"),
        ("targets that could not be scraped", f"{result.failing_scrapes}"),
        ("measured for", f"{result.seconds:.0f} s"),
    ]
    return "\n".join(["| what | measured |", "|---|---|", *(f"| {what} | {found} |" for what, found in rows)])


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def _table(what: str, costs: list[Cost]) -> str:
    rows = map(_row, costs)
    head = f"| {what} | one evaluation | every | of one core | seen |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def _row(cost: Cost) -> str:
    times = f"{cost.seconds * 1000:.1f} ms | {cost.interval:.0f} s | {cost.share:.2%}"
    return f"| {cost.name} | {times} | {cost.evaluations} |"
