"""The verdict of a verification and its figures, as a record keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect


class VerificationVerdict(StrEnum):
    """Whether it worked. docs/verification.md says how each is found."""

    WITHDRAWN = "Withdrawn"
    """The suspect's traffic fell to the floor. Final where nobody can tell how the errors went on."""
    RECOVERED = "Recovered"
    """And the service fails no more requests than its other versions did."""
    NOT_RECOVERED = "NotRecovered"
    """The traffic is gone, and the service fails as before."""
    STILL_RECEIVING = "StillReceiving"
    """The suspect gets traffic all the same."""
    NO_DATA = "NoData"
    """Prometheus does not know, or could not be asked. No success."""
    NOT_VERIFIED = "NotVerified"
    """Nobody was there to ask: no --prometheus-url."""
    UNROUTED = "Unrouted"
    """What drives the object did as it was asked: its routes send the suspect nothing. Final where nobody can tell how
    the traffic went on."""
    STILL_ROUTED = "StillRouted"
    """It has not: they send it something after the time that it had. Not final: it is looked on."""

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody has to look."""
        return self in (
            VerificationVerdict.NOT_RECOVERED,
            VerificationVerdict.STILL_RECEIVING,
            VerificationVerdict.NO_DATA,
            VerificationVerdict.STILL_ROUTED,
        )


class Side(StrEnum):
    """Which of a suspect's traffic."""

    LIVE = "Live"
    """Requests that somebody waits for the answer of; the callers' proxies count them."""
    MIRRORED = "Mirrored"
    """Copies; only the called proxy counts them, beside the live ones."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One suspect's traffic on one side: requests in a window."""

    suspect: Suspect
    side: Side
    before: float
    """In the window that ended with the patch."""
    after: float
    """In the window that was asked about last."""
    floor: float
    """The most that counts as none."""


@dataclass(frozen=True, slots=True)
class Errors:
    """The share of a service's requests that failed, from 0 to 1; None: it had none in that window."""

    host: Host
    before: float | None
    """Of all its versions, in the window that ended with the patch."""
    others: float | None
    """Of its versions that are no suspects, in the same window."""
    after: float | None
    """Of all its versions, in the window that was asked about last."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What is known of whether a patch worked."""

    verdict: VerificationVerdict
    at: datetime
    """The end of the window that it was found in."""
    message: str = ""
    window_s: float | None = None
    """Length of the windows that the figures are of (s); None: there are none."""
    figures: tuple[Figure, ...] = ()
    errors: tuple[Errors, ...] = ()
    unrouted_at: datetime | None = None
    """When it was seen that the routes send the suspect nothing, which their driver had to see to; None: not yet, or
    they were patched."""
    withdrawn_at: datetime | None = None
    """The end of the first window in which the suspect had no traffic."""
    concluded_at: datetime | None = None
    """Since when it is final; None: it is asked on."""
