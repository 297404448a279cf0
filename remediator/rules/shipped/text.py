"""How expressions are written down: labels, durations, several lines."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import Final

SERVICE: Final = "destination_service_name, destination_service_namespace"
"""What tells one service from another."""
VERSION: Final = f"{SERVICE}, destination_version"
"""What tells one version from another; `destination_version` is set from the canonical revision, see RAW."""
RAW: Final = f"{SERVICE}, destination_canonical_revision"
"""Of Istio's own series. On the client's side `destination_version` is "unknown" where the connection failed, and the
canonical revision is right (istio/proxy, convertEndpointMetadata in metadata_object.cc)."""


def block(expression: str) -> str:
    """An expression as a rule holds it: without what the source indents it by, and with one newline at its end."""
    return dedent(expression).strip() + "\n"


def matching(regex: str) -> str:
    r"""A regular expression as it stands between the quotation marks of a matcher, where a backslash takes two.

    >>> print(matching(r"5\d\d"))
    5\\d\\d
    """
    return regex.replace("\\", r"\\")


def within(expression: str, columns: int = 2) -> str:
    """An expression of several lines to stand within another: its lines after the first moved to the right."""
    first, *others = block(expression).rstrip().split("\n")
    return "\n".join([first, *(indent(line, " " * columns) for line in others)])


def duration(seconds: int) -> str:
    """Seconds as Prometheus writes them, in one unit.

    >>> duration(90), duration(600), duration(3600)
    ('90s', '10m', '1h')
    """
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
