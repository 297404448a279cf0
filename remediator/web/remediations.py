"""GET /api/v1/remediations and one of them, from the index; POST …/undo: give the traffic back; …/release: let others
give it back; …/approve and …/reject: a person's answer to a plan that waits for one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from remediator.errors import NotFound, NotSynced
from remediator.logs import cut
from remediator.outcome import Outcome, Reason
from remediator.pipeline.approving import Answered
from remediator.pipeline.releasing import Released
from remediator.pipeline.undoing import Ending
from remediator.records.ledger import Ledger
from remediator.records.model import Approval, Remediation
from remediator.records.wire import render
from remediator.traffic.patch import ABSENT
from remediator.web.asking import read_request
from remediator.web.history import HISTORY, parse_wanted
from remediator.web.paging import parse_page
from remediator.web.parts import Parts
from remediator.web.query import refuse_unknown

REMEDIATION_PARAMETERS = ("namespace", "policy", "phase", "since", "limit", "continue")

_STATUS = {Outcome.DENIED: 409, Outcome.FAILED: 503}
"""HTTP's, of an undo or a release that did not end well."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""What can name a namespace or a record; nothing else is looked for, in an API server's paths or in a folder's."""


def remediation_routes(parts: Parts) -> Blueprint:
    """The records, made of `parts`."""
    blueprint = Blueprint("remediations", __name__, url_prefix="/api/v1/remediations")

    @blueprint.get("", endpoint="list")
    def list_remediations() -> ResponseReturnValue:
        refuse_unknown(request.args, REMEDIATION_PARAMETERS)
        ledger = parts.cluster.ledger
        wanted = parse_wanted(request.args, datetime.fromtimestamp(parts.clock(), UTC))
        shown, following = parse_page(request.args, HISTORY).of(wanted.of(ledger.heads()))
        found = (ledger.get(head.namespace, head.name) for head in shown)
        # One that was deleted since is left out.
        return jsonify(items=[render(record) for record in found if record], next=following)

    @blueprint.get("/<namespace>/<name>", endpoint="one")
    def one(namespace: str, name: str) -> ResponseReturnValue:
        refuse_unknown(request.args, ())
        return jsonify(render(_one(parts.cluster.ledger, *_possible(namespace, name))))

    _answer_people(blueprint, parts)

    @blueprint.errorhandler(NotFound)
    def missing(_error: NotFound) -> ResponseReturnValue:
        names = request.view_args or {}
        which = cut("{namespace}/{name}".format(**names), 300)
        there = "GET /api/v1/remediations lists those there are, and finished ones are deleted in time"
        return jsonify(error=f"there is no remediation {which}; {there}"), 404

    return blueprint


def _answer_people(blueprint: Blueprint, parts: Parts) -> None:
    """What people may do to a record."""

    @blueprint.post("/<namespace>/<name>/undo", endpoint="undo")
    def undo(namespace: str, name: str) -> ResponseReturnValue:
        refuse_unknown(request.args, ())
        asked = read_request(request, parts.max_body)
        ending = parts.pipeline.undo(*_possible(namespace, name), asked)
        return jsonify(ending_json(ending)), _STATUS.get(ending.outcome, 200)

    @blueprint.post("/<namespace>/<name>/release", endpoint="release")
    def release(namespace: str, name: str) -> ResponseReturnValue:
        refuse_unknown(request.args, ())
        asked = read_request(request, parts.max_body)
        released = parts.pipeline.release(*_possible(namespace, name), asked)
        return jsonify(released_json(released)), _STATUS.get(released.outcome, 200)

    def answered(namespace: str, name: str, *, approved: bool) -> ResponseReturnValue:
        refuse_unknown(request.args, ())
        asked = read_request(request, parts.max_body)
        now = datetime.fromtimestamp(parts.clock(), UTC)
        answer = parts.pipeline.answer(*_possible(namespace, name), Approval(approved, asked.by, asked.reason, now))
        # A person's no is what was asked for.
        status = 200 if answer.reason is Reason.APPROVAL_REJECTED else _STATUS.get(answer.outcome, 200)
        return jsonify(answer_json(answer)), status

    @blueprint.post("/<namespace>/<name>/approve", endpoint="approve")
    def approve(namespace: str, name: str) -> ResponseReturnValue:
        return answered(namespace, name, approved=True)

    @blueprint.post("/<namespace>/<name>/reject", endpoint="reject")
    def reject(namespace: str, name: str) -> ResponseReturnValue:
        return answered(namespace, name, approved=False)


def ending_json(ending: Ending) -> dict[str, Any]:
    """How an undo ended."""
    return {
        "remediation": render(ending.record),
        "outcome": ending.outcome.value,
        "reason": ending.reason.value,
        "message": ending.message,
        "changes": ending.changes,
        "differences": [
            {"path": each.path, "expected": _there(each.expected), "found": _there(each.found)}
            for each in ending.differences
        ],
    }


def released_json(released: Released) -> dict[str, Any]:
    """What became of a release."""
    return {
        "remediation": render(released.record),
        "outcome": released.outcome.value,
        "reason": released.reason.value,
        "message": released.message,
    }


def answer_json(answer: Answered) -> dict[str, Any]:
    """What became of a person's answer."""
    return {
        "remediation": render(answer.record),
        "outcome": answer.outcome.value,
        "reason": answer.reason.value,
        "message": answer.message,
        "changes": list(answer.changes),
    }


def _there(value: Any) -> Any:
    """What stands somewhere; null where nothing does."""
    return None if value is ABSENT else value


def _possible(namespace: str, name: str) -> tuple[str, str]:
    """Both, if there can be such a record. Raises NotFound."""
    if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
        raise NotFound("no record can have this name")
    return namespace, name


def _one(ledger: Ledger, namespace: str, name: str) -> Remediation:
    try:
        known = ledger.get(namespace, name)
    except NotSynced:
        known = None
    # Just created, or not in an index that cannot be believed now: the source knows.
    return known or ledger.read(namespace, name)
