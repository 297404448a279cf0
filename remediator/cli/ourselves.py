"""How to start this program once more."""

from __future__ import annotations

import sys


def ourselves() -> tuple[str, ...]:
    """The beginning of a command line that runs us: from a Python that has us, or from a program with all in it."""
    if getattr(sys, "frozen", False):
        return (sys.executable,)
    return (sys.executable, "-m", "remediator")
