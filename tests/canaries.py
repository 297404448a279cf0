"""Canaries on a real API server, each in a namespace of its own: made, edited behind the service's back, and judged."""

from __future__ import annotations

import copy
import json
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from remediator.traffic.stamp import ANNOTATION
from tests.builders import alert, destination, labels, notification, split
from tests.contract import REF, canary
from tests.real_world import EVENTS, GROUP, RECORDS, collection_of
from tests.servers import ApiServer

Json = dict[str, Any]

FIRING_SINCE = "2024-05-01T12:00:00Z"
"""Before any test runs, whatever the clock says."""
_COUNTED = ("resourceVersion", "generation", "managedFields")
_PAGE = "?limit=5000"


def delivery(*namespaces: str, fingerprint: str = "") -> Json:
    """A notification of an alert on the canary of each namespace, always the same for the same names."""
    alerts = (alert(labels(namespace=each), fingerprint=fingerprint or f"f-{each}") for each in namespaces)
    return notification([each | {"startsAt": FIRING_SINCE} for each in alerts])


def content(body: Json) -> Json:
    """The object without what every write changes, and whatever version it was asked for in."""
    metadata = {key: value for key, value in body["metadata"].items() if key not in _COUNTED}
    return body | {"metadata": metadata, "apiVersion": ""}


def without_v2(body: Json, record: str) -> Json:
    """What shall become of a canary (contract.canary), whatever stands around it: nothing for v2, no mirror of it, and
    the record's name. Written out, not computed by what is tested."""
    after = copy.deepcopy(body)
    after["metadata"]["annotations"][ANNOTATION] = record
    for entry in after["spec"]["http"]:
        if entry.get("name") == "main":
            entry["route"] = split(v1=100, v2=0)
            if destination("v2") == entry.get("mirror"):
                del entry["mirror"], entry["mirrorPercentage"]
        elif split(v2=100) == entry["route"]:
            entry["route"] = split(v1=100)
    return after


def main_route(body: Json) -> Json:
    """The entry in which v1 and v2 share, wherever it stands."""
    (entry,) = [entry for entry in body["spec"]["http"] if entry.get("name") == "main"]
    return cast(Json, entry)


@dataclass(frozen=True)
class Canaries:
    """What an administrator sees and does."""

    server: ApiServer

    def create(self, namespace: str) -> Json:
        """A canary as in contract.canary, whose routes may stand in any order; what the API server made of it."""
        self.server.namespace(namespace)
        body = canary()
        body["metadata"]["namespace"] = namespace
        main_route(body)["match"] = [{"uri": {"prefix": "/reviews"}}]
        return self.server.request("POST", self._collection(namespace), body)

    def live(self, namespace: str) -> Json:
        """It, as it is now."""
        return self.server.request("GET", f"{self._collection(namespace)}/{REF.name}")

    def all_live(self) -> list[Json]:
        """Every routing object there is."""
        return self._items(f"{GROUP}/virtualservices")

    def edit(self, namespace: str, change: Callable[[Json], object]) -> Json:
        """Let `change` alter it in place, as `kubectl edit` does; what it then is."""
        path = f"{self._collection(namespace)}/{REF.name}"
        while True:
            body = self.live(namespace)
            change(body)
            try:
                return self.server.request("PUT", path, body)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != 409:
                        raise

    def delete(self, namespace: str) -> None:
        """Delete it."""
        self.server.request("DELETE", f"{self._collection(namespace)}/{REF.name}")

    def records(self, namespace: str | None = None) -> list[Json]:
        """The Remediations of one namespace, or of all."""
        return self._items(f"{RECORDS}{_within(namespace)}/remediations")

    def record(self, namespace: str) -> Json:
        """The one Remediation of a namespace."""
        (found,) = self.records(namespace)
        return found

    def events(self, namespace: str | None = None) -> list[Json]:
        """The Events of one namespace, or of all."""
        return self._items(f"{EVENTS}{_within(namespace)}/events")

    def story(self, namespace: str) -> list[tuple[str, str]]:
        """What `kubectl describe` tells: reason and action of each Event, in the order of their times."""
        events = sorted(self.events(namespace), key=lambda event: event["eventTime"])
        return [(event["reason"], event["action"]) for event in events]

    def _items(self, path: str) -> list[Json]:
        return list(self.server.request("GET", path + _PAGE)["items"])

    def _collection(self, namespace: str) -> str:
        return collection_of("VirtualService", namespace)


def _within(namespace: str | None) -> str:
    return f"/namespaces/{namespace}" if namespace else ""


def phase(record: Json) -> str:
    """Where a Remediation stands."""
    return str(record["status"]["phase"])


def same_patch(record: Json, sent: Any) -> bool:
    """Whether the record's patch is what was sent, to the last value."""
    return json.dumps(record["spec"]["patch"], sort_keys=True) == json.dumps(sent, sort_keys=True)
