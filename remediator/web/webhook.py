"""POST /webhook: Alertmanager's receiver. Nothing is acknowledged before it is done."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from remediator.alerts import decode, parse_notification
from remediator.errors import NotificationError
from remediator.logs import cut
from remediator.outcome import AlertOutcome
from remediator.web.body import BodyTooLarge, IncompleteBody, read_body
from remediator.web.parts import Parts

logger = logging.getLogger(__name__)

EXPECTED = 'an Alertmanager webhook notification, version "4", as JSON'
RETRY = "Not all is done; deliver the notification again, as Alertmanager does after a 503."
_LONGEST_ERROR = 500
"""Characters. Alertmanager writes the answer into its own log."""


def webhook_routes(parts: Parts) -> Blueprint:
    """The webhook, made of `parts`."""
    blueprint = Blueprint("webhook", __name__)

    @blueprint.post("/webhook", endpoint="receive")
    def receive() -> ResponseReturnValue:
        # Whatever the Content-Type says: Alertmanager sends JSON, and so does a person's `curl -d`.
        notification = parse_notification(decode(read_body(request, parts.max_body)))
        outcomes = parts.pipeline.handle(notification)
        answer: dict[str, Any] = {"outcomes": [outcome_json(row) for row in outcomes]}
        if any(row.retriable for row in outcomes):
            return jsonify(answer | {"retry": RETRY}), 503
        return jsonify(answer)

    @blueprint.errorhandler(NotificationError)
    def refuse(error: NotificationError) -> ResponseReturnValue:
        message = cut(str(error), _LONGEST_ERROR)
        logger.warning("notification refused: %s", message, extra={"remote": request.remote_addr})
        return jsonify(error=message, expected=EXPECTED), 400

    @blueprint.errorhandler(BodyTooLarge)
    def refuse_large(error: BodyTooLarge) -> ResponseReturnValue:
        # Alertmanager does not deliver it again now: somebody has to raise the setting, or split the group.
        logger.warning("notification refused: %s", error, extra={"remote": request.remote_addr, "bytes": error.size})
        return jsonify(error=str(error)), 413

    @blueprint.errorhandler(IncompleteBody)
    def ask_again(error: IncompleteBody) -> ResponseReturnValue:
        logger.warning("notification did not arrive: %s", error, extra={"remote": request.remote_addr})
        return jsonify(error=str(error)), 503

    @blueprint.after_request
    def count(response: Response) -> Response:
        parts.metrics.notification(response.status_code)
        return response

    return blueprint


def outcome_json(row: AlertOutcome) -> dict[str, Any]:
    """One row of the answer."""
    target = row.target and {"kind": row.target.kind, "namespace": row.target.namespace, "name": row.target.name}
    return {
        "fingerprint": row.fingerprint,
        "alertname": row.alertname,
        "policy": row.policy,
        "target": target,
        "outcome": row.outcome.value,
        "reason": row.reason.value,
        "message": row.message,
        "changes": row.changes,
        "remediation": row.remediation,
    }
