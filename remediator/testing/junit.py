"""How tests ended, as JUnit's XML: what CI systems show. A suite for each file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from remediator.testing.results import Ran, Status


def junit(results: Iterable[Ran]) -> str:
    """The XML document. A failure is what came otherwise than expected, an error what could not be run."""
    by_file: dict[str, list[Ran]] = {}
    for each in results:
        by_file.setdefault(str(each.test.origin.file), []).append(each)
    every = [each for found in by_file.values() for each in found]
    root = Element("testsuites", {"name": "remediator test"} | _counts(every))
    for file, found in by_file.items():
        suite = SubElement(root, "testsuite", {"name": _printable(file)} | _counts(found) | {"skipped": "0"})
        for each in found:
            _case(suite, each)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _counts(results: Sequence[Ran]) -> dict[str, str]:
    by_status = {status: sum(each.status is status for each in results) for status in Status}
    return {
        "tests": str(len(results)),
        "failures": str(by_status[Status.FAILED]),
        "errors": str(by_status[Status.ERROR]),
        "time": f"{sum(each.seconds for each in results):.3f}",
    }


def _case(suite: Element, ran: Ran) -> None:
    origin = ran.test.origin
    case = SubElement(
        suite,
        "testcase",
        {"classname": _printable(str(origin.file)), "name": origin.name, "time": f"{ran.seconds:.3f}"},
    )
    if ran.status is Status.ERROR:
        SubElement(case, "error", {"type": "error", "message": _printable(ran.error)})
    elif ran.status is Status.FAILED:
        first = _printable(str(ran.differences[0]))
        lines = [line for each in ran.differences for line in (str(each), *(f"  {more}" for more in each.detail))]
        SubElement(case, "failure", {"type": "difference", "message": first}).text = "\n".join(map(_printable, lines))


def _printable(text: str) -> str:
    """Text that XML can hold: control characters are written out."""
    return "".join(char if char.isprintable() or char == " " else ascii(char)[1:-1] for char in text)
