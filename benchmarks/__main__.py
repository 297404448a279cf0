"""`python -m benchmarks [--quick] [--json FILE]`; needs KUBEBUILDER_ASSETS (etcd, kube-apiserver, kubectl)."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType

from benchmarks.progress import Progress
from benchmarks.report import document, text
from benchmarks.run import FULL, QUICK, run
from tests.processes import Missing


def main() -> int:
    """Measure, and print the table; 1 if the real servers are not there. A missed target is no error."""
    options = _options()
    # So that the processes are ended by a SIGTERM, too, and not only by Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        results = run(QUICK if options.quick else FULL, Progress())
    except Missing as missing:
        print(f"error: {missing}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(text(results))
    if options.json:
        options.json.write_text(json.dumps(document(results), indent=2, ensure_ascii=False) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast the service is, as ratios.")
    parser.add_argument("--quick", action="store_true", help="few objects and few rounds: shows that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there, too")
    return parser.parse_args()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
