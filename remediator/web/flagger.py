"""POST /flagger/rollback: Flagger asks whether to roll a Canary back (fluxcd/flagger pkg/controller/webhook.go).

It takes a status up to 202 for a yes, and everything else, also that nobody answers, for a no; what is 500 or more it
asks again `retries` times. So 200 is said only where a record has it that this very revision is to be rolled back, and
a wrong question is 400, never 200. Flagger sends no credentials: the answer is its status, and has no body.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from remediator.alerts import decode
from remediator.alerts.values import mapping, required, text
from remediator.errors import ClusterError, NotificationError
from remediator.logs import cut
from remediator.owners.rollback import ON_TRIAL
from remediator.records.rollback import Trial
from remediator.web.asking import RequestError
from remediator.web.body import BodyTooLarge, IncompleteBody, read_body
from remediator.web.gate import NAME
from remediator.web.parts import Parts
from remediator.web.query import QueryError, refuse_unknown

YES, NO, WRONG, TOO_LARGE, NOBODY_KNOWS = 200, 404, 400, 413, 503
"""404: no record has it that this revision is to be rolled back."""

CHECKSUM: Final = r"[!-~]{1,253}"
_ASKS_IN: Final = frozenset({*ON_TRIAL, "Waiting"})
"""The phases of which Flagger's documentation says that it asks in them."""
_NAME, _CHECKSUM = re.compile(NAME), re.compile(CHECKSUM)

logger = logging.getLogger(__name__)


def flagger_routes(parts: Parts) -> Blueprint:
    """Flagger's hook, made of `parts`."""
    blueprint = Blueprint("flagger", __name__, url_prefix="/flagger/rollback")

    def answered() -> ResponseReturnValue:
        refuse_unknown(request.args, ())
        trial = _trial(read_body(request, parts.max_body))
        return "", YES if trial is not None and parts.rollbacks.asked(trial) else NO

    @blueprint.post("", endpoint="post")
    def post() -> ResponseReturnValue:
        return answered()

    @blueprint.post("/<token>", endpoint="hook")
    def hook(token: str) -> ResponseReturnValue:  # noqa: ARG001 - looked at before (app.HOOKS)
        return answered()

    _tell_errors(blueprint)

    @blueprint.after_request
    def close_mouthed(response: Response) -> Response:
        parts.metrics.polled(response.status_code)
        response.set_data(b"")
        del response.headers["Content-Type"]
        return response

    return blueprint


def _tell_errors(blueprint: Blueprint) -> None:
    """To our own log; whoever asks learns the status."""

    @blueprint.errorhandler(QueryError)
    @blueprint.errorhandler(RequestError)
    @blueprint.errorhandler(NotificationError)
    def wrong(error: Exception) -> ResponseReturnValue:
        logger.warning("a question of Flagger's cannot be understood: %s", cut(str(error), 500))
        return "", WRONG

    @blueprint.errorhandler(BodyTooLarge)
    def too_large(error: BodyTooLarge) -> ResponseReturnValue:
        logger.warning("a question of Flagger's is refused: %s", error)
        return "", TOO_LARGE

    @blueprint.errorhandler(IncompleteBody)
    @blueprint.errorhandler(ClusterError)
    def nobody_knows(error: Exception) -> ResponseReturnValue:
        logger.warning("Flagger cannot be told whether to roll back; it asks again: %s", cut(str(error), 500))
        return "", NOBODY_KNOWS


def _trial(body: bytes) -> Trial | None:
    """The revision that Flagger asks about; None: in this phase nothing can be rolled back.

    Raises:
        RequestError, NotificationError: it is not Flagger's payload. Before v1.34 that had no checksum, and without one
            a yes would also be for the next revision.
    """
    found = mapping(decode(body), "")
    given = {member: text(found[member], member) for member in _MEMBERS if member in found}
    namespace, name, checksum, phase = (required(given, member, "") for member in _MEMBERS)
    for member, value, pattern in (
        ("namespace", namespace, _NAME), ("name", name, _NAME), ("checksum", checksum, _CHECKSUM),
    ):  # fmt: skip
        if not pattern.fullmatch(value):
            raise RequestError(f"{member}: is none")
    return (namespace, name, checksum) if phase in _ASKS_IN else None


_MEMBERS: Final = ("namespace", "name", "checksum", "phase")
