"""The annotation that names, on a routing object, the remediation that changed it last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from remediator.traffic.patch import ABSENT, Edit, Patch

ANNOTATION: Final = "remediator.io/remediation"
"""Not of istio.io: a change of such an annotation would make Istio push to every proxy
(istio pilot/pkg/model/config_compare.go)."""


def stamp(patch: Patch, body: Mapping[str, Any], name: str) -> Patch:
    """`patch`, made for `body`, with one edit more: whoever wonders who did this finds the record `name`."""
    annotations = body["metadata"].get("annotations")
    if isinstance(annotations, Mapping):
        edit = Edit(("metadata", "annotations", ANNOTATION), annotations.get(ANNOTATION, ABSENT), name)
    else:
        before = ABSENT if annotations is None and "annotations" not in body["metadata"] else annotations
        edit = Edit(("metadata", "annotations"), before, {ANNOTATION: name})
    return replace(patch, edits=(*patch.edits, edit))


def stamp_of(body: Mapping[str, Any]) -> str | None:
    """The remediation that `body` names; None where it names none."""
    annotations = body["metadata"].get("annotations")
    name = annotations.get(ANNOTATION) if isinstance(annotations, Mapping) else None
    return name if isinstance(name, str) else None
