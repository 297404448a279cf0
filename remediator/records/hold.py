"""What is told of a hold: how often the withdrawal was brought back, against whom, and whether that was given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Enforcement:
    """Once somebody gave the suspect traffic again, and it was taken away. Written before the patch is sent."""

    at: datetime
    """When it was seen."""
    writer: str
    """Who had changed the routes, as managedFields call them; empty: nobody knows."""
    resource_version: str
    """The state of the routing object that the patch is made for: of two replicas, both count it once."""
    done_at: datetime | None = None
    """None: it is not known to be done."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What has become of a hold. One that nobody has tested has none of this."""

    enforcements: tuple[Enforcement, ...] = ()
    lost_at: datetime | None = None
    """When it was given up; None: it was not."""
    lost_to: str = ""
    """The writer who went on; empty: nobody knows who."""

    @property
    def last(self) -> Enforcement | None:
        """The last enforcement; None: there was none."""
        return self.enforcements[-1] if self.enforcements else None

    @property
    def pending(self) -> Enforcement | None:
        """The enforcement that is begun, and not known to be done."""
        return self.last if self.last is not None and self.last.done_at is None else None
