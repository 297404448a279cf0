"""`for` and `keep_firing_for`: from the moments at which an expression holds to those at which the alert fires.

The rules are those of Prometheus (rules/alerting.go, AlertingRule.Eval).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """One alert with one set of labels; told of each evaluation, in their order."""

    wait: float
    """`for` (s)."""
    keep: float
    """`keep_firing_for` (s)."""
    active: float | None = None
    """Since when it holds."""
    firing: bool = False
    _kept: float | None = None

    def tell(self, moment: float, holds: bool) -> bool:
        """Whether it fires now."""
        if holds:
            self._kept = None
            self.active = moment if self.active is None else self.active
            self.firing = self.firing or moment - self.active >= self.wait
            return self.firing
        if self.firing and self.keep:
            self._kept = moment if self._kept is None else self._kept
            if moment - self._kept < self.keep:
                return True
        self.active, self.firing, self._kept = None, False, None
        return False

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost by forgetting it."""
        return self.active is None
