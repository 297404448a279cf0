"""What stays on a routing object that was changed for a remediation: the annotation that names it, and the name of this
program in managedFields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from remediator.traffic.patch import ABSENT, Edit, Patch

ANNOTATION: Final = "remediator.io/remediation"
"""Not of istio.io: a change of such an annotation would make Istio push to every proxy
(istio pilot/pkg/model/config_compare.go)."""

OWN_MANAGER: Final = "remediator"
"""What managedFields calls this program: how others see who changed the object, and how we tell ourselves from them."""

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
"""What can name an object. Anybody who may edit the routing object can write something else there."""


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
    """The remediation that `body` names; None where it names none, or what is no name."""
    annotations = body["metadata"].get("annotations")
    name = annotations.get(ANNOTATION) if isinstance(annotations, Mapping) else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else None
