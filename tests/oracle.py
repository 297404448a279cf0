"""What traffic a VirtualService gives whom, computed a second time and naively, to hold the planner against."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

Json = dict[str, Any]


def reachable(body: Json) -> list[tuple[str, int, Json]]:
    """(protocol, index, entry) of the routes that Istio keeps: none behind an http or tcp route without a match."""
    kept = []
    for protocol in ("http", "tls", "tcp"):
        for index, entry in enumerate(body["spec"].get(protocol, [])):
            kept.append((protocol, index, entry))
            # What a delegate takes, its own routes say.
            if protocol != "tls" and not entry.get("match") and not entry.get("delegate"):
                break
    return kept


def live_weight(entry: Json, subsets: Collection[str]) -> float:
    """The share, 0 to 1, of the entry's requests that these subsets answer."""
    route = entry.get("route", [])
    if not route:
        return 0.0
    if len(route) == 1:
        return float(route[0]["destination"].get("subset") in subsets)
    total = sum(item.get("weight", 0) for item in route)
    return sum(item.get("weight", 0) for item in route if item["destination"].get("subset") in subsets) / total


def mirrored(entry: Json, subsets: Collection[str]) -> float:
    """The sum of the percentages that are mirrored to these subsets."""
    amount = 0.0
    if entry.get("mirror", {}).get("subset") in subsets:
        if "mirrorPercentage" in entry:
            amount += entry["mirrorPercentage"].get("value", 0)
        else:
            amount += entry.get("mirrorPercent", entry.get("mirror_percent", 100))
    for item in entry.get("mirrors", []):
        if item["destination"].get("subset") in subsets:
            amount += item.get("percentage", {"value": 100}).get("value", 0)
    return amount


def exposure(body: Json, subsets: Collection[str]) -> float:
    """Everything that reaches these subsets through any route, live or mirrored; 0 is nothing."""
    return sum(live_weight(entry, subsets) + mirrored(entry, subsets) for _, _, entry in reachable(body))
