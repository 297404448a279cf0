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
    load: float
    """The machine's load average, mean."""
    missed: int
    failed: int
    failing_scrapes: int
    groups: list[Cost]
    rules: list[Cost]

    @property
    def share(self) -> float:
        """Of one core, by all groups."""
        return sum(group.share for group in self.groups)


def text(result: Result) -> str:
    """Markdown."""
    return "\n\n".join([_summary(result), _table("group", result.groups), _table("rule", result.rules[:_MOST_RULES])])


def _summary(result: Result) -> str:
    verdict = "met" if result.share < LIMIT and not result.missed else "MISSED"
    rows = [
        ("series scraped", f"{result.raw:,}"),
        ("rule evaluation, share of one core", f"{result.share:.1%} (target < {LIMIT:.0%}: {verdict})"),
        ("evaluations missed, failed", f"{result.missed}, {result.failed}"),
        ("series recorded", f"{result.recorded:,} of {result.names} names"),
        ("series of alerts", f"{result.alerts:,}"),
        ("processor of Prometheus, everything", f"{result.cpu:.2f} cores"),
        ("load average of the machine", f"{result.load:.1f}"),
        ("targets that could not be scraped", f"{result.failing_scrapes}"),
        ("measured for", f"{result.seconds:.0f} s"),
    ]
    return "\n".join(["| what | measured |", "|---|---|", *(f"| {what} | {found} |" for what, found in rows)])


def _table(what: str, costs: list[Cost]) -> str:
    rows = [
        f"| {cost.name} | {cost.seconds * 1000:.1f} ms | {cost.interval:.0f} s | {cost.share:.2%} | {cost.evaluations} |"
        for cost in costs
    ]
    head = f"| {what} | one evaluation | every | of one core | seen |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])
