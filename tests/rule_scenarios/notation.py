"""Counters in promtool's notation of series.

The notation has one step for all series, and real scrapes are not taken when rules are evaluated. So the step is a
third of the scrape interval, and a series stands on the first or the second step of each interval, with gaps between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STEP = 5
"""Seconds between two items of the notation."""
SCRAPE = 15
"""Seconds between two scrapes of a target."""
GAPS = SCRAPE // STEP - 1

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Counter:
    """What a counter gained from scrape to scrape. It does not exist before its first gain, as Envoy's do not."""

    metric: str
    labels: Labels
    phase: int
    """1 or 2: on which step of each scrape interval it is scraped."""
    gains: Sequence[int]
    resets: frozenset[int] = frozenset()
    """Scrapes before which its process began anew."""
    gone: int | None = None
    """The scrape from which on its process is not there any more."""
    born: int | None = None
    """The scrape of its histogram's first observation: a histogram's buckets are all there at once, and zero."""

    def as_input(self) -> dict[str, str]:
        """An item of `input_series`."""
        return {"series": selector(self.metric, dict(self.labels)), "values": " ".join(self._items())}

    def _items(self) -> list[str]:
        items = ["_"] * self.phase
        value = 0
        for scrape, gain in enumerate(self.gains):
            if self.gone is not None and scrape >= self.gone:
                return [*items, "stale"]
            value = gain if scrape in self.resets else value + gain
            there = value or (self.born is not None and scrape >= self.born)
            items += [str(value) if there else "_", *["_"] * GAPS]
        return items


def selector(metric: str, labels: Mapping[str, str]) -> str:
    """A metric with its labels in PromQL's notation. A label that is empty is one that is absent."""
    inside = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items() if value)
    return f"{metric}{{{inside}}}"
