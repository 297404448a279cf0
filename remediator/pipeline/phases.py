"""How the end of an alert and that of its record belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from remediator.outcome import Outcome
from remediator.records.model import Phase

PHASES: Final[Mapping[Outcome, Phase]] = {
    Outcome.APPLIED: Phase.APPLIED,
    Outcome.OBSERVED: Phase.OBSERVED,
    Outcome.AWAITING_APPROVAL: Phase.AWAITING_APPROVAL,
    Outcome.UNCHANGED: Phase.EXPIRED,
    Outcome.DENIED: Phase.FAILED,
}
"""What an alert's outcome makes of the record that was begun for it. `Failed` leaves it as it is: it is tried again."""
