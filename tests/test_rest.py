"""Rest against a loopback server: what is sent, and what each answer becomes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kubernetes.client import Configuration

from remediator import errors
from remediator.cluster import failures
from remediator.cluster.call import EVENTS, Resource
from remediator.cluster.rest import Rest, encode
from tests.scripted import (
    Answer,
    Json,
    Request,
    ScriptedServer,
    events,
    failure,
    half,
    hang_up,
    reply,
    scripted,
    silent,
)

COLLECTION = "/apis/networking.istio.io/v1/virtualservices"
REVIEWS = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices/reviews"
RECORD = "/apis/remediator.io/v1alpha1/namespaces/shop/remediations/canary-1"
OPERATIONS = [{"op": "test", "path": "/metadata/uid", "value": "u"}]

Serve = Callable[[Answer], ScriptedServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that answers everything in one way."""
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(scripted(lambda _request: answer))


def rest_of(server: ScriptedServer, **options: object) -> Rest:
    return Rest(Configuration(host=server.url), **options)  # type: ignore[arg-type]


def only(server: ScriptedServer) -> Request:
    (request,) = server.requests
    return request


def test_a_patch_is_sent_as_a_json_patch(serve: Serve) -> None:
    server = serve(reply(200, {"kind": "VirtualService"}))
    body = rest_of(server).patch(REVIEWS, OPERATIONS, {"fieldManager": "remediator", "dryRun": "All"})
    request = only(server)
    assert {"kind": "VirtualService"} == body
    assert ("PATCH", REVIEWS) == (request.method, request.path)
    assert request.headers["content-type"] == "application/json-patch+json"
    assert {"fieldManager": "remediator", "dryRun": "All"} == request.query
    assert OPERATIONS == json.loads(request.body)
    assert request.headers["user-agent"].startswith("remediator/")


def test_an_object_is_created(serve: Serve) -> None:
    """201, and 202 where a server takes its time, are success too."""
    server = serve(reply(201, {"kind": "Event"}))
    body = rest_of(server).post(EVENTS.path("shop"), {"note": "ä<"}, {"fieldManager": "remediator"})
    request = only(server)
    assert {"kind": "Event"} == body
    assert ("POST", "/apis/events.k8s.io/v1/namespaces/shop/events") == (request.method, request.path)
    assert "application/json" == request.headers["content-type"]
    assert {"fieldManager": "remediator"} == request.query
    assert {"note": "ä<"} == json.loads(request.body)


@pytest.mark.parametrize("code", [200, 202])
def test_an_object_is_deleted_under_preconditions(serve: Serve, code: int) -> None:
    server = serve(reply(code, {"kind": "Status"}))
    rest_of(server).delete(RECORD, {"uid": "u", "resourceVersion": "7"})
    request = only(server)
    assert ("DELETE", RECORD, "application/json") == (request.method, request.path, request.headers["content-type"])
    expected = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "u", "resourceVersion": "7"}}
    assert expected == json.loads(request.body)


def test_half_a_letter_of_a_command_line_is_sent_as_a_question_mark() -> None:
    """Python gives bytes that are no UTF-8 as halves of surrogate pairs."""
    assert encode({"reason": "a\udcff"}) == b'{"reason":"a?"}'


def test_values_are_written_as_go_writes_them() -> None:
    """A `test` of a string compares text: evanphx/json-patch v4, and Go's escapes."""
    assert encode([{"value": "ä<&>\u2028"}]) == '[{"value":"ä\\u003c\\u0026\\u003e\\u2028"}]'.encode()


def test_connections_are_kept(serve: Serve) -> None:
    server = serve(reply(200, {}))
    rest = rest_of(server)
    for _ in range(3):
        rest.get(COLLECTION)
    assert (3, 1) == (len(server.requests), server.connections)


POLICY_DENIAL = "ValidatingAdmissionPolicy 'freeze' with binding 'shop' denied request: no changes on Friday"
SCHEMA_CAUSES = [{"field": "spec.http[0].route", "message": "Required value"}]


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        pytest.param(failure(401, "Unauthorized"), errors.Unauthenticated, "Unauthorized", id="401: token in rotation"),
        pytest.param(
            failure(403, 'User "x" cannot patch'),
            errors.Forbidden,
            'no permission to patch virtualservices.networking.istio.io: User "x" cannot patch',
            id="403: the verb and the resource are named",
        ),
        pytest.param(
            failure(403, 'admission webhook "check.example.org" denied the request: no'),
            errors.Rejected,
            "check.example.org",
            id="403 of a webhook: no permission would mend it",
        ),
        pytest.param(
            failure(403, f'virtualservices.networking.istio.io "reviews" is forbidden: {POLICY_DENIAL}'),
            errors.Rejected,
            POLICY_DENIAL,
            id="403 of an admission policy: no permission would mend it",
        ),
        pytest.param(
            failure(401, POLICY_DENIAL), errors.Rejected, POLICY_DENIAL, id="401 of an admission policy: no token would"
        ),
        pytest.param(
            reply(422, {"kind": "Status", "message": "no", "details": "none"}),
            failures.Unapplied,
            "no",
            id="details that are a text",
        ),
        pytest.param(
            reply(422, {"kind": "Status", "message": "no", "details": {"causes": [None, "b"]}}),
            errors.Rejected,
            "no",
            id="causes that are no causes",
        ),
        pytest.param(failure(404, "gone", name="reviews"), errors.NotFound, "gone", id="404 for an object: it is gone"),
        pytest.param(
            reply(404, b"404 page not found\n"),
            failures.Unserved,
            "does not serve virtualservices.networking.istio.io: 404 page not found",
            id="404 for the path: a server that has just started, so retry",
        ),
        pytest.param(failure(409, "modified"), errors.Conflict, "modified", id="409: moved"),
        pytest.param(
            reply(409, {"kind": "Status", "code": 409, "reason": "AlreadyExists", "message": "is there"}),
            errors.AlreadyExists,
            "is there",
            id="409 to a create: somebody was quicker",
        ),
        pytest.param(
            failure(403, "is forbidden: being terminated", causes=[{"reason": "NamespaceTerminating"}]),
            errors.NotFound,
            "being terminated",
            id="403 of a namespace that is about to go: no permission would mend it",
        ),
        pytest.param(failure(410, "too old"), failures.Gone, "too old", id="410: history forgotten"),
        pytest.param(failure(400, "denied"), errors.Rejected, "denied", id="400: Istio's webhook"),
        pytest.param(failure(413, "too many"), errors.Rejected, "too many", id="413: too many operations"),
        pytest.param(failure(415, "type"), errors.Rejected, "type", id="415: wrong type of patch"),
        pytest.param(failure(422, "rejected"), failures.Unapplied, "rejected", id="422 without causes: a test failed"),
        pytest.param(
            failure(422, "is invalid", causes=SCHEMA_CAUSES),
            errors.Rejected,
            "is invalid; spec.http[0].route: Required value",
            id="422 with causes: the schema",
        ),
        pytest.param(failure(429, "slow down"), errors.Throttled, "slow down", id="429: throttled"),
        pytest.param(failure(500, "etcdserver"), errors.Unavailable, "HTTP 500: etcdserver", id="500: retry"),
        pytest.param(reply(503, b"<html>"), errors.Unavailable, "HTTP 503: <html>", id="503 without a Status: retry"),
        pytest.param(reply(302, b""), errors.Unavailable, "HTTP 302", id="a redirect is not followed"),
        pytest.param(reply(200, b'{"kind": '), errors.Unavailable, "no JSON", id="200 that cannot be decoded"),
        pytest.param(reply(200, b"[" * 100_000), errors.Unavailable, "no JSON", id="200 nested deeper than anything"),
        pytest.param(reply(200, b"[]"), errors.Unavailable, "no JSON object", id="200 that is no object"),
        pytest.param(hang_up, errors.Unavailable, "no answer from http://127.0.0.1", id="no answer at all"),
        pytest.param(half({"kind": "VirtualService"}), errors.Unavailable, "no answer", id="half an answer"),
        pytest.param(silent, errors.Unavailable, "timed out", id="too slow an answer"),
    ],
)
def test_each_answer_becomes_what_the_caller_does_next(
    serve: Serve, answer: Answer, kind: type[Exception], text: str
) -> None:
    rest = rest_of(serve(answer), read_timeout=0.2)
    with pytest.raises(errors.ClusterError) as caught:
        rest.patch(REVIEWS, OPERATIONS)
    assert kind is type(caught.value)
    assert text in str(caught.value)


def test_nobody_listens() -> None:
    with scripted(lambda _request: silent) as server:
        url = server.url
    with pytest.raises(errors.Unavailable, match="Connection refused") as caught:
        Rest(Configuration(host=url)).get(COLLECTION)
    assert caught.value.__cause__ is not None


def test_a_patch_that_may_have_been_done_is_not_sent_again(serve: Serve) -> None:
    server = serve(hang_up)
    with pytest.raises(errors.Unavailable):
        rest_of(server).patch(REVIEWS, OPERATIONS)
    assert len(server.requests) == 1


def test_a_long_message_is_cut(serve: Serve) -> None:
    rest = rest_of(serve(failure(400, "x" * 100_000)))
    with pytest.raises(errors.Rejected) as caught:
        rest.get(COLLECTION)
    assert len(str(caught.value)) == failures.LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        pytest.param("get", COLLECTION, {}, ("list", "virtualservices.networking.istio.io"), id="a collection"),
        pytest.param("get", REVIEWS, {}, ("get", "virtualservices.networking.istio.io"), id="an object"),
        pytest.param(
            "stream", COLLECTION, {"watch": "true"}, ("watch", "virtualservices.networking.istio.io"), id="a watch"
        ),
        pytest.param("post", COLLECTION, {}, ("create", "virtualservices.networking.istio.io"), id="a creation"),
        pytest.param("patch", RECORD, {}, ("patch", "remediations.remediator.io"), id="a patch"),
        pytest.param(
            "patch", f"{RECORD}/status", {}, ("patch", "remediations.remediator.io/status"), id="a patch of the status"
        ),
        pytest.param("delete", RECORD, {}, ("delete", "remediations.remediator.io"), id="a deletion"),
        pytest.param("get", "/api/v1/namespaces/shop/endpoints", {}, ("list", "endpoints"), id="the core group"),
        pytest.param("get", "/api/v1/namespaces/shop", {}, ("get", "namespaces"), id="a namespace"),
        pytest.param("get", "/api/v1", {}, ("get", "/api/v1"), id="the core group itself"),
        pytest.param("get", "/apis/networking.istio.io", {}, ("get", "/apis/networking.istio.io"), id="no resource"),
        pytest.param("get", "/version", {}, ("get", "/version"), id="a short path"),
    ],
)
def test_each_request_is_observed_as_rbac_names_it(
    serve: Serve, method: str, path: str, query: dict[str, str], expected: tuple[str, str]
) -> None:
    seen: list[tuple[str, str, str, float]] = []
    rest = rest_of(serve(reply(200, {})), observe=lambda *request: seen.append(request))
    if method == "stream":
        with rest.stream(path, query, read_timeout=1):
            pass
    elif method == "get":
        rest.get(path, query)
    else:
        getattr(rest, method)(path, {})
    ((verb, resource, code, seconds),) = seen
    assert (*expected, "200") == (verb, resource, code)
    assert 0 < seconds < 10


def test_a_request_without_an_answer_is_observed_as_an_error(serve: Serve) -> None:
    seen: list[str] = []
    rest = rest_of(serve(hang_up), observe=lambda _verb, _resource, code, _seconds: seen.append(code))
    with pytest.raises(errors.Unavailable):
        rest.get(COLLECTION)
    assert ["error"] == seen


def test_a_token_in_rotation_is_read_again(serve: Serve, tmp_path: Path) -> None:
    token = tmp_path / "token"

    def read_again(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = f"Bearer {token.read_text()}"

    server = serve(reply(200, {}))
    configuration = Configuration(host=server.url, api_key={"BearerToken": "Bearer none yet"})
    configuration.refresh_api_key_hook = read_again  # type: ignore[assignment]
    rest = Rest(configuration)
    for text in ("first", "second\n"):
        token.write_text(text)
        rest.get(COLLECTION)
    assert ["Bearer first", "Bearer second"] == [request.headers["authorization"] for request in server.requests]
    token.unlink()
    with pytest.raises(errors.Unauthenticated, match="the credentials for http"):
        rest.get(COLLECTION)


def test_a_stream_yields_lines_however_they_are_cut(serve: Serve) -> None:
    rest = rest_of(serve(events(b'{"a": ', b'1}\n{"b"', b": 2}\n\n")))
    with rest.stream(COLLECTION, {"watch": "true"}, read_timeout=2) as lines:
        assert [b'{"a": 1}', b'{"b": 2}'] == list(lines)


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        pytest.param(events({}, then=silent), failures.Stalled, "silent", id="half-open: no bytes"),
        pytest.param(events({}, b'{"ty', then=hang_up), errors.Unavailable, "broke off", id="cut in a line"),
        pytest.param(events({}, then=hang_up), errors.Unavailable, "broke off", id="cut between two lines"),
        pytest.param(events({}, b'{"ty'), errors.Unavailable, "middle of a line", id="an end in a line"),
    ],
)
def test_a_stream_that_breaks_is_an_error(serve: Serve, answer: Answer, kind: type[Exception], text: str) -> None:
    rest = rest_of(serve(answer))
    got: list[bytes] = []
    with (
        pytest.raises(errors.Unavailable, match=text) as caught,
        rest.stream(COLLECTION, {"watch": "true"}, read_timeout=0.2) as lines,
    ):
        got.extend(lines)
    assert kind is type(caught.value)
    assert [b"{}"] == got


def test_a_stream_can_be_cancelled_from_another_thread(serve: Serve) -> None:
    rest = rest_of(serve(events({}, then=silent)))
    with rest.stream(COLLECTION, {"watch": "true"}, read_timeout=30) as lines:
        timer = threading.Timer(0.05, lines.cancel)
        timer.start()
        with pytest.raises(errors.Unavailable):
            list(lines)
        timer.join()


def test_a_stream_that_is_refused_is_an_error_at_once(serve: Serve) -> None:
    rest = rest_of(serve(failure(403, "no")))
    with pytest.raises(errors.Forbidden, match="no permission to watch virtualservices"):
        rest.stream(COLLECTION, {"watch": "true"}, read_timeout=2)


def test_paths() -> None:
    resource = Resource("networking.istio.io", "v1", "virtualservices")
    assert COLLECTION == resource.path()
    assert REVIEWS == resource.path("shop", "reviews")
    assert f"{RECORD}/status" == Resource("remediator.io", "v1alpha1", "remediations").path(
        "shop", "canary-1", "status"
    )
    assert "/api/v1/namespaces/shop/endpoints" == Resource("", "v1", "endpoints").path("shop")


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        pytest.param("spec: bad", {"field": "spec", "message": "bad"}, id="of the schema"),
        pytest.param(f"is forbidden: {POLICY_DENIAL}", {"message": POLICY_DENIAL}, id="of a policy: it has no field"),
    ],
)
def test_a_message_names_each_cause_once(serve: Serve, message: str, cause: Json) -> None:
    rest = rest_of(serve(failure(422, message, causes=[cause])))
    with pytest.raises(errors.Rejected) as caught:
        rest.get(COLLECTION)
    assert message == str(caught.value)
