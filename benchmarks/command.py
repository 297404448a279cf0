"""How a benchmark of the alert rules is run as a command: its tables, its figures as JSON, its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.processes import Missing

Result = TypeVar("Result")


def told(
    measure: Callable[[], Result], text: Callable[[Result], str], document: Callable[[Result], Any], file: Path | None
) -> int:
    """Measure, print the tables, and write every figure to `file`; 1 if what it takes is not there. A missed target is
    no error."""
    try:
        result = measure()
    except (Missing, OSError, ValueError, RuntimeError) as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(text(result))
    if file:
        file.write_text(json.dumps(document(result), indent=2, ensure_ascii=False) + "\n")
    return 0
