"""GET /: readiness, policies, exposures and the latest remediations on one page, for a person's eyes.

No script, nothing from elsewhere.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from flask import Blueprint, Response, render_template

import remediator
from remediator.cluster.port import Cluster
from remediator.errors import ClusterError
from remediator.logs import rfc3339
from remediator.policies.model import NOT_ENFORCED
from remediator.records.model import Remediation
from remediator.web.exposures import Exposure, exposures
from remediator.web.parts import Parts
from remediator.web.probes import readiness

MOST_EXPOSURES = 200
"""The page shows no more; the API has them all."""
LATEST = 20
"""Remediations that the page shows."""


@dataclass(frozen=True, slots=True)
class History:
    """The latest remediations, or why they cannot be told."""

    latest: tuple[Remediation, ...] = ()
    count: int = 0
    """Of all there are."""
    fault: str | None = None


def page_routes(parts: Parts) -> Blueprint:
    """The page, made of `parts`."""
    blueprint = Blueprint("pages", __name__, template_folder="templates")

    @blueprint.get("/", endpoint="page")
    def page() -> Response:
        nonce = secrets.token_urlsafe(16)
        shown, fault = _exposures(parts.cluster)
        history = _history(parts.cluster)
        body = render_template(
            "page.html",
            nonce=nonce,
            version=remediator.__version__,
            now=rfc3339(parts.clock()),
            state=readiness(parts),
            policies=parts.policies.current().policies.policies,
            ceiling=parts.ceiling,
            not_enforced=list(NOT_ENFORCED.values()),
            exposures=shown[:MOST_EXPOSURES],
            hidden=max(0, len(shown) - MOST_EXPOSURES),
            fault=fault,
            history=history,
        )
        response = Response(body, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none';"
            " frame-ancestors 'none'"
        )
        return response

    return blueprint


def _exposures(cluster: Cluster) -> tuple[tuple[Exposure, ...], str | None]:
    """The exposures, or why they cannot be told: the rest of the page is wanted then more than ever."""
    try:
        return exposures(cluster.routing()), None
    except ClusterError as error:
        return (), str(error)


def _history(cluster: Cluster) -> History:
    try:
        heads = cluster.ledger.heads()
        found = (cluster.ledger.get(head.namespace, head.name) for head in heads[:LATEST])
        return History(tuple(record for record in found if record), len(heads))
    except ClusterError as error:
        return History(fault=str(error))
