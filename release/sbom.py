"""Writes what the Python packages of an environment are: a software bill of materials (CycloneDX 1.6, JSON).

    python -m release.sbom ENVIRONMENT FILE

remediator itself is what the bill is of. The same environment gives the same bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

NAME = "remediator"


def bill(environment: Path) -> dict[str, Any]:
    """What is installed in a virtual environment that has remediator.

    Raises:
        ValueError: it has not.
        subprocess.CalledProcessError: that is no environment.
    """
    command = [sys.executable, "-m", "cyclonedx_py", "environment", str(environment)]
    form = ["--output-reproducible", "--output-format", "JSON", "--spec-version", "1.6", "--no-validate"]
    said = subprocess.run([*command, *form], capture_output=True, check=True).stdout  # noqa: S603
    return _of_ourselves(json.loads(said))


def _of_ourselves(told: dict[str, Any]) -> dict[str, Any]:
    """The program is no library of itself. Where its wheel lay on the machine is nobody's business."""
    ours = [part for part in told["components"] if part["name"] == NAME]
    if not ours:
        raise ValueError(f"{NAME} is not installed there")
    root = {key: value for key, value in ours[0].items() if key != "externalReferences"} | {"type": "application"}
    others = [part for part in told["components"] if part["name"] != NAME]
    return told | {"metadata": told["metadata"] | {"component": root}, "components": others}


def main(environment: Path, file: Path) -> None:
    """Write it, if it is one: held against the schema of CycloneDX, which takes some seconds.

    Raises:
        ValueError: it is none; that is a mistake here.
    """
    text = json.dumps(bill(environment), indent=2, sort_keys=True, ensure_ascii=False)
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(str(fault))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
