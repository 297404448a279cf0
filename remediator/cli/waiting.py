"""Waits for an index to fill, and shows on a terminal that it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from rich.console import Console

LACKING: Final = "no permission to "
"""How errors.Forbidden begins. It has to be granted first, so there is nothing to wait for."""

_POLL_S = 0.1


def awaited(fault: Callable[[], str], deadline_s: float) -> str:
    """What is wrong still once it has been waited for; empty: nothing is.

    Args:
        fault: what is wrong now.
        deadline_s: seconds. Where a permission is missing it is not waited for.
    """
    deadline = time.monotonic() + deadline_s
    pause = threading.Event()
    found = fault()
    # On standard error, so that the output can be piped.
    with Console(stderr=True, markup=False).status("Reading the cluster …") as progress:
        while found and LACKING not in found and time.monotonic() < deadline:
            progress.update(f"Reading the cluster … {found}")
            pause.wait(_POLL_S)
            found = fault()
    return found
