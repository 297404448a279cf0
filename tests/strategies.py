"""Generated VirtualServices (http, tls and tcp routes, odd weights, mirrors in every form, several subsets), and
generated records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from remediator.guards.verdict import Verdict
from remediator.outcome import Reason, TargetRef
from remediator.owners import Driver, Lever, Owner
from remediator.policies.model import Action, MirrorScope, Mode
from remediator.records.hold import Enforcement, Hold
from remediator.records.images import Image, Images
from remediator.records.model import (
    Accusation,
    Approval,
    Companion,
    Intent,
    Phase,
    PolicyRef,
    Remediation,
    Request,
    Resolution,
    Status,
    Target,
    Undoing,
)
from remediator.records.rollback import Rollback
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect
from remediator.verification.model import Errors, Figure, Side, Verification, VerificationVerdict
from tests.builders import destination, destination_rule, virtual_service, when

Json = dict[str, Any]

# Subset names are not versions: what a subset is, the DestinationRule says.
SUBSETS = {"blue": "v1", "green": "v2", "red": "v3", "amber": "v2"}
RULE = destination_rule(**SUBSETS)
GREEN = frozenset(name for name, version in SUBSETS.items() if version == "v2")

subset = st.sampled_from(sorted(SUBSETS))
percentage = st.one_of(
    st.just({}),
    st.builds(lambda value: {"mirrorPercentage": {"value": value}}, st.floats(0, 100)),
    st.builds(lambda value: {"mirrorPercent": value}, st.integers(0, 100)),
    st.builds(lambda value: {"mirror_percent": value}, st.integers(0, 100)),
)


@st.composite
def routes(draw: st.DrawFn) -> list[Json]:
    """A valid list of weighted destinations, one to four."""
    chosen = draw(st.lists(subset, min_size=1, max_size=4))
    weights = draw(st.lists(st.one_of(st.none(), st.integers(0, 500)), min_size=len(chosen), max_size=len(chosen)))
    if len(chosen) > 1 and not any(weights):
        weights[draw(st.integers(0, len(chosen) - 1))] = draw(st.integers(1, 500))
    extra = draw(st.sampled_from([{}, {"headers": {"request": {"set": {"x-route": "1"}}}}]))
    return [
        {"destination": destination(name, port=draw(st.sampled_from([None, 8080])))}
        | ({} if weight is None else {"weight": weight})
        | extra
        for name, weight in zip(chosen, weights, strict=True)
    ]


@st.composite
def mirrors(draw: st.DrawFn) -> Json:
    """Mirror fields of an http entry: none, the single one, or the list."""
    form = draw(st.sampled_from(["none", "mirror", "mirrors"]))
    if form == "none":
        return draw(percentage)
    if form == "mirror":
        return {"mirror": destination(draw(subset))} | draw(percentage)
    items = draw(st.lists(st.tuples(subset, st.one_of(st.none(), st.floats(0, 100))), max_size=4))
    return {
        "mirrors": [
            {"destination": destination(name)} | ({} if value is None else {"percentage": {"value": value}})
            for name, value in items
        ]
    }


@st.composite
def http_entries(draw: st.DrawFn) -> list[Json]:
    """Entries with matches, and perhaps one without, which takes the rest."""
    entries = []
    for number in range(draw(st.integers(1, 4))):
        extra = draw(st.sampled_from([{}, {"timeout": "5s"}, {"retries": {"attempts": 3, "perTryTimeout": "1s"}}]))
        action = {"delegate": {"name": "other"}} if draw(st.integers(0, 5)) == 0 else {"route": draw(routes())}
        entry = action | draw(mirrors()) | extra
        entries.append(when(f"kind-{number}", **entry) if draw(st.booleans()) else entry)
    return entries


@st.composite
def virtual_services(draw: st.DrawFn) -> Json:
    """A valid VirtualService."""
    tls = [
        {"match": [{"port": 443, "sniHosts": ["reviews"]}], "route": draw(routes())}
        for _ in range(draw(st.integers(0, 2)))
    ]
    tcp = [{"match": [{"port": 9000 + number}], "route": draw(routes())} for number in range(draw(st.integers(0, 2)))]
    body = virtual_service(*draw(http_entries()))
    body["spec"] |= ({"tls": tls} if tls else {}) | ({"tcp": tcp} if tcp else {})
    return body


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def spoil(body: Json, data: st.DataObject) -> None:
    """Put any JSON value in any place of the object's spec."""
    path = data.draw(st.sampled_from(list(_places(body["spec"], ("spec",)))))
    parent: Any = body
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = data.draw(json_values)


def _places(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _places(inner, (*path, key))


# Records. Empty text is what Kubernetes leaves out, so it is only where it means the same as nothing.

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
said = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
moments = st.integers(0, 10**15).map(lambda late: datetime(2001, 1, 1, tzinfo=UTC) + timedelta(microseconds=late))
suspects = st.builds(
    Suspect, st.sampled_from(["reviews.shop.svc.cluster.local", "api.example.org"]).map(Host), st.none() | said
)
requests = st.builds(Request, by=said, reason=words)
finite_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e15, 1e15)  # beyond 2⁵³ Go writes whole numbers as the nearest that is short
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
operations = st.one_of(
    st.builds(
        lambda op, value: {"op": op, "path": "/spec/x", "value": value},
        st.sampled_from(["add", "replace"]),
        finite_values,
    ),
    st.builds(lambda path, value: {"op": "test", "path": path, "value": value}, said, finite_values),
    st.just({"op": "remove", "path": "/spec/http/0/mirror"}),
)
intents = st.builds(
    Intent,
    alert=st.builds(
        Accusation,
        fingerprint=said,
        alertname=words,
        starts_at=moments,
        labels=st.dictionaries(said, words, max_size=3),
        annotations=st.dictionaries(said, words, max_size=3),
        generator_url=words,
    ),
    policy=st.builds(
        PolicyRef, name=st.sampled_from(["canary", "a", "manual"]), content_hash=st.sampled_from(["", "c0"])
    ),
    target=st.builds(
        Target,
        api_version=st.sampled_from(["networking.istio.io/v1", "networking.istio.io/v1beta1"]),
        ref=st.just(TargetRef("VirtualService", "shop", "reviews")),
        uid=st.uuids().map(str),
    ),
    suspect=suspects,
    actions=st.sampled_from([tuple(Action), *((action,) for action in Action)]),
    mode=st.sampled_from(Mode),
    changes=st.lists(said, max_size=3).map(tuple),
    patch=st.lists(operations, max_size=3).map(tuple),
    undo=st.lists(operations, max_size=3).map(tuple),
    stable=st.none() | said,
    also=st.lists(
        st.builds(Companion, fingerprint=said, alertname=words, starts_at=moments, policy=said, suspect=suspects),
        max_size=3,
    ).map(tuple),
    mirrors=st.sampled_from(MirrorScope),
    hold_until=st.none() | moments,
    request=st.none() | requests,
    owner=st.none() | st.builds(Owner, driver=st.sampled_from(Driver), name=words, evidence=words),
    lever=st.sampled_from(Lever),
    rollback=st.none()
    | st.builds(
        Rollback,
        canary=st.sampled_from(["reviews", "ratings"]),
        checksum=st.sampled_from(["6657cd9495", "57b5dd6774"]),
        within=st.integers(1, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
    ),
)
counts = st.floats(0, 1e9)
shares = st.none() | st.floats(0, 1)
verifications = st.builds(
    Verification,
    verdict=st.sampled_from(VerificationVerdict),
    at=moments,
    message=words,
    window_s=st.none() | counts,
    figures=st.lists(
        st.builds(Figure, suspect=suspects, side=st.sampled_from(Side), before=counts, after=counts, floor=counts),
        max_size=3,
    ).map(tuple),
    errors=st.lists(
        st.builds(Errors, host=suspects.map(lambda suspect: suspect.host), before=shares, others=shares, after=shares),
        max_size=2,
    ).map(tuple),
    unrouted_at=st.none() | moments,
    withdrawn_at=st.none() | moments,
    concluded_at=st.none() | moments,
)
statuses = st.builds(
    Status,
    phase=st.sampled_from(Phase),
    reason=st.none() | st.sampled_from(Reason),
    message=words,
    applied_at=st.none() | moments,
    finished_at=st.none() | moments,
    resolved=st.lists(
        st.builds(Resolution, fingerprint=said, at=moments, after_s=st.none() | st.floats(0, 1e9)), max_size=3
    ).map(tuple),
    undo=st.none() | st.builds(Undoing, request=requests, requested_at=moments, done_at=st.none() | moments),
    hold=st.none()
    | st.builds(
        Hold,
        enforcements=st.lists(
            st.builds(Enforcement, at=moments, writer=words, resource_version=words, done_at=st.none() | moments),
            max_size=3,
        ).map(tuple),
        lost_at=moments,
        lost_to=words,
    ),
    verdicts=st.lists(
        st.builds(Verdict, guard=said, reason=st.none() | st.sampled_from(Reason), message=words), max_size=3
    ).map(tuple),
    judged_at=st.none() | moments,
    verification=st.none() | verifications,
    images=st.none()
    | st.builds(
        Images,
        at=moments,
        found=st.lists(st.builds(Image, suspect=suspects, container=said, digest=said), max_size=3).map(tuple),
        complete=st.booleans(),
    ),
)
approvals = st.builds(Approval, approved=st.booleans(), by=words, reason=words, at=st.none() | moments)


def remediations() -> st.SearchStrategy[Remediation]:
    """A record of shop that is not stored yet: any intent, any status."""
    return st.builds(
        Remediation,
        namespace=st.just("shop"),
        name=st.sampled_from(["canary-1", "a.b-2"]),
        intent=intents,
        status=statuses,
        approval=st.none() | approvals,
    )


@st.composite
def live_virtual_services(draw: st.DrawFn) -> Json:
    """A valid VirtualService with names of routes and annotations, perhaps an older remediation's."""
    body = draw(virtual_services())
    for entry in body["spec"]["http"]:
        if draw(st.booleans()):
            entry["name"] = draw(st.sampled_from(["main", "beta"]))
    older = {"remediator.io/remediation": "canary-0"}
    annotations = draw(st.sampled_from([None, {"team": "shop"}, older, {"team": "shop"} | older]))
    if annotations is not None:
        body["metadata"]["annotations"] = annotations
    return body


def places(value: Any) -> list[tuple[str | int, ...]]:
    """The path of everything in a JSON value, itself too."""
    return list(_places(value, ()))
