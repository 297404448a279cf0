"""The kinds of values in a test document: how each is checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import PlainValidator

from remediator.alerts import Status
from remediator.alerts.values import moment
from remediator.cluster.inventory import VIRTUAL_SERVICE
from remediator.errors import NotificationError
from remediator.guards.judging import GUARDS
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.policies.fields import found, nearest
from remediator.policies.mistake import Mistake, shown
from remediator.policies.quantities import parse_duration
from remediator.testing.model import Answer, Delivery, Json
from remediator.testing.paths import Place, parse_place

_TARGET = re.compile(r"(?:(?P<kind>[A-Z][A-Za-z]*) )?(?P<namespace>[a-z0-9-]+)/(?P<name>[a-z0-9.-]+)")


def _text(parse: Callable[[str], Any]) -> PlainValidator:
    def validate(value: object) -> Any:
        if not isinstance(value, str):
            raise Mistake(f"expected text, found {found(value)}", "put it in quotes")
        return parse(value)

    return PlainValidator(validate)


def _one_of(options: type[StrEnum]) -> PlainValidator:
    return _text(lambda text: options(_known(text, [str(option) for option in options])))


def _known(text: str, names: list[str]) -> str:
    if text not in names:
        raise Mistake(f"{found(text)} is not one of {', '.join(names)}", nearest(text, names))
    return text


def _moment(text: str) -> datetime:
    try:
        return moment(text, "")
    except NotificationError as error:
        raise Mistake(
            f"{shown(text)} is no time with its zone", "write it as 2026-01-05T12:00:00Z, in UTC or with an offset"
        ) from error


def _span(text: str) -> timedelta:
    duration = parse_duration(text)
    if not duration:
        raise Mistake("this takes no time at all", "write it as 15s or 10m")
    return duration


def _target(text: str) -> TargetRef:
    match = _TARGET.fullmatch(text)
    if match is None:
        raise Mistake(f"{shown(text)} names no routing object", "write it as NAMESPACE/NAME")
    return TargetRef(_known(match["kind"] or VIRTUAL_SERVICE, [VIRTUAL_SERVICE]), match["namespace"], match["name"])


def plain(value: object) -> Any:
    """A value of a document as JSON has it: lists, where the reader of YAML gives tuples."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise Mistake(f"expected an object, found {found(value)}", "write `key: value` lines below it")
    body: Json = plain(value)
    return body


def _given(value: object) -> str | Json:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, dict):
        return _object(value)
    raise Mistake(
        f"expected a path or an object, found {found(value)}",
        "name a file with manifests, by its path from this file, or write an object out",
    )


def _places(value: object) -> tuple[tuple[Place, Any], ...]:
    return tuple((parse_place(key), each) for key, each in _object(value).items())


OutcomeWord = Annotated[Outcome, _one_of(Outcome)]
ReasonWord = Annotated[Reason, _one_of(Reason)]
StatusWord = Annotated[Status, _one_of(Status)]
DeliveryWord = Annotated[Delivery, _one_of(Delivery)]
AnswerWord = Annotated[Answer, _one_of(Answer)]
GuardName = Annotated[str, _text(lambda text: _known(text, list(GUARDS)))]
Moment = Annotated[datetime, _text(_moment)]
Span = Annotated[timedelta, _text(_span)]
Since = Annotated[timedelta, _text(parse_duration)]
Target = Annotated[TargetRef, _text(_target)]
Object = Annotated[Json, PlainValidator(_object)]
GivenItem = Annotated[str | Json, PlainValidator(_given)]
Places = Annotated[tuple[tuple[Place, Any], ...], PlainValidator(_places)]
