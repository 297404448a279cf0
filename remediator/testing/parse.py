"""From the documents of a file to tests, or to every fault in them. Reads no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from remediator.errors import Fault, SettingsError
from remediator.pipeline.bounds import bounds_of
from remediator.policies.faults import Form
from remediator.policies.model import Mode
from remediator.policies.strict_yaml import Allowed, Document, read_documents
from remediator.settings import read as read_settings
from remediator.testing.document import (
    AlertDocument,
    ExpectedDocument,
    PolicyTestDocument,
    SeriesDocument,
    SettingsDocument,
    SpecDocument,
    StepDocument,
)
from remediator.testing.model import (
    Answer,
    Delivery,
    Expected,
    GivenAlert,
    InputSeries,
    Origin,
    PolicyTest,
    Series,
    Service,
    Step,
)

_FORM = Form(
    PolicyTestDocument,
    {"apiVersion": "this release reads no other version", "kind": "a file of tests holds nothing else"},
)
_ALLOWED = Allowed(templates=True)
"""Braces: a histogram in promtool's notation has them."""

_FLAGS = {"mode": "mode", "budget": "budget", "max_alert_age": "max-alert-age", "approve_within": "approve-within"}


def parse_tests(text: str, file: Path) -> Iterator[PolicyTest | Fault]:
    """The tests of one file, and all that is wrong with it."""
    names: Counter[str] = Counter()
    for document in read_documents(text, str(file), _ALLOWED):
        for item in _parse(document, file):
            yield item
            if isinstance(item, PolicyTest):
                names[item.origin.name] += 1
                if names[item.origin.name] == 2:
                    message = f"{item.origin.name} is the name of another test of this file"
                    yield Fault(str(file), document.number, "metadata.name", message, "give each a name of its own")


def _parse(document: Document, file: Path) -> Iterator[PolicyTest | Fault]:
    if document.faults:
        yield from document.faults
        return
    try:
        parsed = PolicyTestDocument.model_validate(document.value)
        service = _service(parsed.spec.settings)
    except ValidationError as error:
        yield from _FORM.faults(error, str(file), document.number)
    except SettingsError as error:
        for line in str(error).splitlines():
            yield Fault(str(file), document.number, "spec.settings", line, "docs/settings.md says what is allowed")
    else:
        origin = Origin(file, document.number, parsed.metadata.name)
        yield from _faults(parsed.spec, origin)
        yield _test(parsed.spec, origin, service)


def _faults(spec: SpecDocument, origin: Origin) -> Iterator[Fault]:
    """What only the keys together tell."""
    before: StepDocument | SpecDocument = spec
    for number, step in enumerate(spec.then):
        if step.answer and getattr(before, "answer", None):
            key = f"spec.then[{number}].answer"
            hint = "let alerts come in between"
            yield Fault(str(origin.file), origin.document, key, "nothing waits for a second answer", hint)
        before = step


def _service(document: SettingsDocument) -> Service:
    """Raises SettingsError."""
    given = {_FLAGS[key]: value for key, value in document.model_dump(include=set(_FLAGS)).items() if value is not None}
    settings = read_settings(given | ({"opt-in": "true"} if document.opt_in else {}), {})
    return Service(Mode(settings.mode), bounds_of(settings))


def _test(spec: SpecDocument, origin: Origin, service: Service) -> PolicyTest:
    folder = origin.file.parent
    cause = _series(spec.series, folder) if spec.series else _alerts(spec.alert, spec.alerts)
    first = Step(cause, tuple(_expected(each, folder) for each in spec.expect))
    return PolicyTest(
        origin=origin,
        steps=(first, *(_step(each, folder) for each in spec.then)),
        service=service,
        description=spec.description,
        at=spec.at,
        policies=tuple(folder / path for path in spec.policies),
        given=tuple(folder / each if isinstance(each, str) else each for each in spec.given),
    )


def _step(document: StepDocument, folder: Path) -> Step:
    cause: tuple[GivenAlert, ...] | Delivery | Answer
    cause = document.deliver or document.answer or _alerts(document.alert, document.alerts)
    return Step(cause, tuple(_expected(each, folder) for each in document.expect), document.after)


def _alerts(alert: AlertDocument | None, alerts: tuple[AlertDocument, ...]) -> tuple[GivenAlert, ...]:
    given = (alert,) if alert else alerts
    return tuple(GivenAlert(each.labels, each.starts_at, each.status) for each in given)


def _series(document: SeriesDocument, folder: Path) -> Series:
    return Series(
        rule_files=tuple(folder / path for path in document.rule_files),
        input_series=tuple(InputSeries(each.series, each.values) for each in document.input_series),
        eval_time=document.eval_time,
        interval=document.interval,
        firing=document.firing,
    )


def _expected(document: ExpectedDocument, folder: Path) -> Expected:
    values = {name: getattr(document, name) for name in type(document).model_fields if name != "object_file"}
    expected = Expected(**values)
    return replace(expected, object_file=folder / document.object_file) if document.object_file else expected
