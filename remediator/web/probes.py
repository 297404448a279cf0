"""GET /healthz, /readyz and /metrics: for the kubelet and for Prometheus, without a token."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from remediator.logs import rfc3339
from remediator.web.parts import Parts


def probe_routes(parts: Parts) -> Blueprint:
    """The probes, made of `parts`."""
    blueprint = Blueprint("probes", __name__)

    @blueprint.get("/healthz", endpoint="healthz")
    def healthz() -> ResponseReturnValue:
        # An API server that is away is not mended by a restart; a thread that a bug has ended is.
        if parts.cluster.health().broken:
            return jsonify(status="broken"), 503
        return jsonify(status="ok")

    @blueprint.get("/readyz", endpoint="readyz")
    def readyz() -> ResponseReturnValue:
        state = readiness(parts)
        return jsonify(state), 200 if state["ready"] else 503

    @blueprint.get("/metrics", endpoint="metrics")
    def metrics() -> ResponseReturnValue:
        loaded = parts.policies.current()
        parts.metrics.observe_health(parts.cluster.health())
        parts.metrics.observe_brakes(parts.pipeline.brakes())
        parts.metrics.observe_awaiting(parts.pipeline.awaiting())
        parts.metrics.observe_holds(parts.pipeline.holding())
        parts.metrics.observe_policies(len(loaded.policies.policies), loaded.failures)
        body, content_type = parts.metrics.render(request.headers.get("Accept", ""))
        return Response(body, content_type=content_type)

    return blueprint


def readiness(parts: Parts) -> dict[str, Any]:
    """What /readyz answers. A fault in the policy files does not matter to it while a good set is in force."""
    health = parts.cluster.health()
    loaded = parts.policies.current()
    count = len(loaded.policies.policies)
    draining = parts.draining.is_set()
    return {
        "ready": health.synced and count > 0 and not draining,
        "draining": draining,
        "ceiling": parts.ceiling.value,
        "index": {
            "synced": health.synced,
            "detail": health.detail,
            "objects": dict(health.objects),
            "last_event": None if health.last_event is None else rfc3339(health.last_event),
        },
        "policies": {"loaded": count, "fault": loaded.fault},
    }
