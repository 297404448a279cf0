"""Tells Flux to leave one live object alone for a while, and takes that back: two annotations.

Flux's kustomize-controller skips an object that says `reconcile: disabled`, in Git or live (pkg/ssa/manager_apply.go).
Our own annotation beside it says that it was us, so that whoever finds it can take both away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from remediator.traffic.patch import ABSENT, Edit, Patch

RECONCILE: Final = "kustomize.toolkit.fluxcd.io/reconcile"
DISABLED: Final = "disabled"
LABEL: Final = "kustomize.toolkit.fluxcd.io/name"
"""What the kustomize-controller applies has this label (fluxcd/pkg/ssa, manager)."""
MARK: Final = "remediator.io/gitops-pause"
"""Names the record for whose hold it was done."""


def marked(body: Mapping[str, Any]) -> str | None:
    """The record for whose hold Flux was told to leave this object alone by us; None: we did not."""
    return _texts(body, "annotations").get(MARK)


def pause(body: Mapping[str, Any], record: str) -> Patch | None:
    """The patch that tells Flux to leave the object alone; None where Flux does not apply it, or somebody else, Flagger
    say, has written something there."""
    annotations = _texts(body, "annotations")
    if LABEL not in _texts(body, "labels") or not annotations or RECONCILE in annotations or MARK in annotations:
        return None
    return _patch(body, _edit(RECONCILE, ABSENT, DISABLED), _edit(MARK, ABSENT, record))


def resume(body: Mapping[str, Any]) -> Patch | None:
    """The patch that takes back what `pause` did; None: it did nothing here. What somebody else has written in its
    place since stays."""
    annotations = _texts(body, "annotations")
    if MARK not in annotations:
        return None
    edits = [_edit(MARK, annotations[MARK], ABSENT)]
    if annotations.get(RECONCILE) == DISABLED:
        edits.append(_edit(RECONCILE, DISABLED, ABSENT))
    return _patch(body, *edits)


def _edit(name: str, before: Any, after: Any) -> Edit:
    return Edit(("metadata", "annotations", name), before, after)


def _patch(body: Mapping[str, Any], *edits: Edit) -> Patch:
    metadata = body["metadata"]
    return Patch(str(metadata.get("uid")), str(metadata.get("resourceVersion")), (), edits)


def _texts(body: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    found = body["metadata"].get(member)
    return found if isinstance(found, Mapping) else {}
