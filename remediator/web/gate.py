"""GET and POST /api/v1/gate: may this version have more traffic? For pipelines, Argo Rollouts, and Flagger's webhooks.

A question is answered from the index of records, without a request to the API server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from remediator.alerts import decode
from remediator.alerts.values import mapping, required, text, texts
from remediator.errors import ClusterError, NotificationError
from remediator.pipeline.gating import Answer, ask
from remediator.records.gate import Candidate
from remediator.records.images import DIGEST, digest_of
from remediator.records.times import micro_time
from remediator.traffic.hosts import meanings
from remediator.web.asking import RequestError
from remediator.web.body import read_body
from remediator.web.parts import Parts
from remediator.web.query import QueryError, refuse_unknown

GATE_PARAMETERS = ("namespace", "service", "version", "image")

HELD = 403
"""Flagger takes any status up to 202 for a yes (fluxcd/flagger pkg/controller/webhook.go)."""

NAME = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
VERSION_LABEL = r"[!-~]{1,253}"
IMAGE = rf"^([!-?A-~]+@)?{DIGEST}$"
_CANARY = "-canary"
_MEMBERS = ("name", "namespace", "phase", "checksum")
_NAME, _VERSION_LABEL = re.compile(NAME), re.compile(VERSION_LABEL)


def gate_routes(parts: Parts) -> Blueprint:
    """The gate, made of `parts`."""
    blueprint = Blueprint("gate", __name__, url_prefix="/api/v1/gate")

    def answered(candidate: Candidate) -> Answer:
        try:
            answer = ask(parts.cluster.ledger, candidate, datetime.fromtimestamp(parts.clock(), UTC), parts.known_bad)
        except ClusterError:
            parts.metrics.gate(None)
            raise
        parts.metrics.gate(answer.go)
        return answer

    @blueprint.get("", endpoint="query")
    def query() -> ResponseReturnValue:
        refuse_unknown(request.args, GATE_PARAMETERS)
        return jsonify(gate_json(answered(_of_query(request.args))))

    def posted() -> ResponseReturnValue:
        refuse_unknown(request.args, ())
        answer = answered(_of_body(read_body(request, parts.max_body)))
        return jsonify(gate_json(answer)), 200 if answer.go else HELD

    @blueprint.post("", endpoint="post")
    def post() -> ResponseReturnValue:
        return posted()

    @blueprint.post("/<token>", endpoint="hook")
    def hook(token: str) -> ResponseReturnValue:  # noqa: ARG001 - looked at before (app.HOOKS)
        return posted()

    return blueprint


def gate_json(answer: Answer) -> dict[str, Any]:
    """Yes or no, and each record that holds the version back."""
    return {
        "go": answer.go,
        "held": not answer.go,
        "message": answer.message,
        "heldBy": [
            {
                "namespace": bar.record.namespace,
                "name": bar.record.name,
                "phase": bar.record.status.phase.value,
                "suspect": {"host": bar.suspect.host, "version": bar.suspect.version},
                "since": bar.since and micro_time(bar.since),
                "until": bar.until and micro_time(bar.until),
                "remedy": bar.remedy,
            }
            for bar in answer.bars
        ],
    }


def _of_query(query: Mapping[str, str]) -> Candidate:
    """Raises QueryError."""
    for name in ("namespace", "service"):
        if name not in query:
            raise QueryError(f"{name}: missing; say whose traffic is to be raised")
    try:
        return candidate(query["namespace"], (query["service"],), query.get("version"), query.get("image"))
    except ValueError as error:
        raise QueryError(str(error)) from error


def _of_body(body: bytes) -> Candidate:
    """Flagger's payload (fluxcd/flagger pkg/apis/flagger/v1beta1/canary.go, CanaryWebhookPayload); other members are
    ignored. Raises RequestError."""
    try:
        found = mapping(decode(body), "")
        given = {member: text(found[member], member) for member in _MEMBERS if member in found}
        metadata = texts(found.get("metadata", {}), "metadata")
        namespace = _named("namespace", required(given, "namespace", ""))
        services = [_named("name", given["name"])] if "name" in given else []
        if "service" in metadata:
            services = [metadata["service"]]
        else:
            # Of a Canary, Flagger sends the new revision's traffic to NAME-canary; alerts may name either.
            services = [required(given, "name", "") + _CANARY, *services]
        home = metadata.get("namespace", namespace)
        named = candidate(home, services, metadata.get("version"), metadata.get("image"))
        if "name" in given and "checksum" in given:
            # Of another revision than the one that was rolled back nothing is known to be bad.
            return replace(named, trial=(namespace, given["name"], given["checksum"]))
        return named
    except (NotificationError, ValueError) as error:
        raise RequestError(str(error)) from error


def _named(what: str, name: str) -> str:
    """Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what}: is no name of a {what if what != 'name' else 'Canary'}")
    return name


def candidate(
    namespace: str, services: Sequence[str], version: str | None = None, image: str | None = None
) -> Candidate:
    """What may have more traffic, named by a person or a program.

    Args:
        services: any of which may be meant.
        version: None: whatever version.
        image: a reference with a digest, or a digest; None: whatever image.

    Raises:
        ValueError: one of them is no such name; begins with which.
    """
    _named("namespace", namespace)
    for service in services:
        # Of a Canary's name it is added by us, and counts for nothing.
        if not _NAME.fullmatch(service.removesuffix(_CANARY)):
            raise ValueError("service: is no name of a service; give NAME, NAME.NAMESPACE or a whole host")
    if version is not None and not _VERSION_LABEL.fullmatch(version):
        raise ValueError("version: is no version; give the value of the pods' label, or leave it out for any version")
    hosts = (host for service in services for host in meanings(service, namespace))
    return Candidate(tuple(dict.fromkeys(hosts)), version, image=None if image is None else digest_of(image))
