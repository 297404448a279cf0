"""What an API server adds to an object's metadata, made for an object that only a file knows: namespace, uid and
resourceVersion."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from remediator.cluster.inventory import reference

_UID_NAMESPACE = uuid.UUID("2f1f7e0e-6f0f-5f0e-9d55-0c1f4f1b7a11")
"""Any constant will do: a uid only has to be the same each time it is made for the same name."""

_GIVEN = ("namespace", "uid", "resourceVersion")


def presented(written: Mapping[str, Any]) -> dict[str, Any]:
    """The object as a cluster would show it.

    The resourceVersion is a digest of the content, so whoever changes anything changes it; a change and its
    reversal give the old one again, which is right: what was planned on it holds again. The one in a file, a relic of
    `kubectl get -o yaml`, means nothing and is not shown.
    """
    ref = reference(written)
    metadata = dict(written["metadata"])
    metadata["namespace"] = ref.namespace
    metadata["uid"] = metadata.get("uid") or str(uuid.uuid5(_UID_NAMESPACE, str(ref)))
    metadata["resourceVersion"] = _revision(written)
    return {**written, "metadata": metadata}


def stored(shown: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """`shown` as it goes into the file: without what was added to `written`, the file's present content."""
    metadata = dict(shown["metadata"])
    for key in _GIVEN:
        if key in written["metadata"]:
            metadata[key] = written["metadata"][key]
        else:
            del metadata[key]
    if metadata.get("annotations") == {} != written["metadata"].get("annotations"):
        del metadata["annotations"]  # as an API server does
    result = {**shown, "metadata": metadata}
    if metadata.get("resourceVersion"):
        metadata["resourceVersion"] = _revision(result)
    return result


def _revision(written: Mapping[str, Any]) -> str:
    metadata = {key: value for key, value in written["metadata"].items() if key != "resourceVersion"}
    content = json.dumps({**written, "metadata": metadata}, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
