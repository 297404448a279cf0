"""The guards' bounds, of Settings."""

from __future__ import annotations

from datetime import timedelta

from remediator.guards.budget import Budget
from remediator.guards.situation import Bounds
from remediator.settings import Settings


def bounds_of(settings: Settings) -> Bounds:
    """What the guards are told."""
    rate, age = settings.budget, settings.max_alert_age
    return Bounds(
        opt_in=settings.opt_in,
        budget=Budget(rate.most, timedelta(seconds=rate.window_s)) if rate else None,
        approve_within=timedelta(seconds=settings.approve_within),
        max_alert_age=timedelta(seconds=age) if age else None,
        known_bad=timedelta(seconds=settings.known_bad) if settings.known_bad else None,
    )
