"""GET /api/v1/…: what is loaded, and what is exposed now."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from remediator.policies.model import NOT_ENFORCED, Guards, Mode, Policy, TargetSpec
from remediator.policies.quantities import format_duration, format_percentage
from remediator.records.wire import owner_json
from remediator.web.exposures import Exposure, exposures
from remediator.web.paging import Order, parse_page
from remediator.web.parts import Parts
from remediator.web.query import refuse_unknown

EXPOSURE_PARAMETERS = ("namespace", "limit", "continue")
_EXPOSURES: Order[Exposure] = Order(lambda exposure: exposure.key, (str, str, str, int))


def api_routes(parts: Parts) -> Blueprint:
    """The API, made of `parts`."""
    blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

    @blueprint.get("/policies", endpoint="policies")
    def policies() -> ResponseReturnValue:
        # Never paged: people write them by hand, and their order tells which comes first.
        refuse_unknown(request.args, ())
        loaded = parts.policies.current().policies.policies
        return jsonify(items=[policy_json(policy, parts.ceiling) for policy in loaded], next=None)

    @blueprint.get("/exposures", endpoint="exposures")
    def list_exposures() -> ResponseReturnValue:
        refuse_unknown(request.args, EXPOSURE_PARAMETERS)
        page = parse_page(request.args, _EXPOSURES)
        found = exposures(parts.cluster.routing(), request.args.get("namespace"))
        shown, following = page.of(found)
        return jsonify(items=[exposure_json(exposure) for exposure in shown], next=following)

    return blueprint


def policy_json(policy: Policy, ceiling: Mode) -> dict[str, Any]:
    """A policy, named as in its file, and what of it is in force under the service's `ceiling`."""
    return {
        "name": policy.name,
        "description": policy.description,
        "matchers": [str(matcher) for matcher in policy.matchers],
        "actions": [action.value for action in policy.actions],
        "mode": policy.mode.value,
        "effectiveMode": policy.mode.capped(ceiling).value,
        "target": _target_json(policy.target),
        "guards": _guards_json(policy.guards),
        "notEnforced": list(NOT_ENFORCED.values()),
        "source": policy.source,
        "contentHash": policy.content_hash,
    }


def exposure_json(exposure: Exposure) -> dict[str, Any]:
    """An exposure: who sends what part of its traffic to whom."""
    destination = exposure.destination
    return {
        "kind": exposure.target.kind,
        "namespace": exposure.target.namespace,
        "name": exposure.target.name,
        "route": exposure.route,
        "via": exposure.via.value,
        "destination": {"host": destination.host, "subset": destination.subset, "port": destination.port},
        "versions": exposure.versions,
        "weight": exposure.weight,
        "total": exposure.total,
        "share": exposure.share,
        "owner": owner_json(exposure.owner),
    }


def _target_json(target: TargetSpec) -> dict[str, Any]:
    labels = target.labels
    return {
        "labels": {
            "service": labels.service,
            "name": labels.name,
            "namespace": labels.namespace,
            "version": labels.version,
        },
        "namespaces": target.namespaces,
        "stable": target.stable,
        "mirrors": target.mirrors.value,
    }


def _guards_json(guards: Guards) -> dict[str, Any]:
    return {
        "cooldown": format_duration(guards.cooldown),
        "hold": format_duration(guards.hold),
        "maxTargets": guards.max_targets,
        "stableReady": format_percentage(guards.stable_ready),
        "freeze": len(guards.freeze),
    }
