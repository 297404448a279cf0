"""Nothing that anybody sends makes the webhook fail in a way that is not meant; and the API is as it says it is."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import negative_data_rejection, not_a_server_error, positive_data_acceptance

from remediator.errors import NotSynced
from remediator.records.model import Remediation
from remediator.records.wire import render
from remediator.web.auth import hook_token
from remediator.web.openapi import openapi
from tests.builders import alert, labels, notification, split, virtual_service
from tests.strategies import remediations
from tests.web_fakes import FakeCluster, FakeLedger, FakePipeline, House, a_record, not_undone, token_file, unavailable

MEANT = {200, 400, 413}
EXAMPLES = 60
DOCS = Path(__file__).parents[1] / "docs" / "http.md"
TOKEN = {"Authorization": "Bearer s3cret"}
LISTS = {"/api/v1/exposures": ("namespace",), "/api/v1/remediations": ("namespace", "policy", "phase", "since")}
RECORD = a_record()

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
)


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return House(max_body=16 * 1024).client()


@pytest.fixture(scope="module")
def undoing() -> tuple[FakePipeline, FlaskClient]:
    """A service that has a record, and what hears of an undo."""
    pipeline = FakePipeline(ledger=FakeLedger(RECORD))
    return pipeline, House(pipeline).client()


@pytest.fixture(scope="module")
def of_a_record() -> Draft202012Validator:
    """Knows what a record must be like."""
    schema = {"$ref": "#/components/schemas/Remediation", "components": openapi()["components"]}
    return Draft202012Validator(schema, validate_formats=True)


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """A real notification with one thing in it gone, or in its place another."""
    body: Any = copy.deepcopy(notification([alert(labels(), fingerprint="f00d"), alert(labels("v3"))]))
    place = draw(st.sampled_from(list(_places(body))))
    parent = body
    for key in place[:-1]:
        parent = parent[key]
    if draw(st.booleans()):
        del parent[place[-1]]
    else:
        parent[place[-1]] = draw(json_values)
    return body


def _places(value: object, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(inner, (*at, key))


@given(body=st.binary(max_size=40_000))
def test_arbitrary_bytes(client: FlaskClient, body: bytes) -> None:
    assert client.post("/webhook", data=body).status_code in MEANT - {200}


@given(value=json_values)
def test_arbitrary_json(client: FlaskClient, value: object) -> None:
    assert client.post("/webhook", data=json.dumps(value)).status_code in MEANT


@given(value=mutated(), cut=st.none() | st.integers(0, 2_000))
def test_mutated_notifications(client: FlaskClient, value: object, cut: int | None) -> None:
    answer = client.post("/webhook", data=json.dumps(value)[:cut])
    assert answer.status_code in MEANT
    assert answer.json is not None


@given(query=st.text(max_size=40))
def test_arbitrary_tokens_of_a_page(client: FlaskClient, query: str) -> None:
    for path, filters in LISTS.items():
        for parameter in ("continue", "limit", *filters):
            assert client.get(path, query_string={parameter: query}).status_code in MEANT


@given(body=st.binary(max_size=100) | json_values.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bodies_of_an_undo(undoing: tuple[FakePipeline, FlaskClient], body: bytes) -> None:
    pipeline, client = undoing
    pipeline.asked.clear()
    answer = client.post("/api/v1/remediations/shop/canary-1/undo", data=body)
    assert answer.status_code in MEANT
    assert (answer.status_code == 200) == bool(pipeline.asked)


@given(namespace=st.text(max_size=20), name=st.text(max_size=20))
def test_arbitrary_names_of_a_record(client: FlaskClient, namespace: str, name: str) -> None:
    path = quote(f"/api/v1/remediations/{namespace}/{name}", errors="replace")
    assert client.get(path).status_code in {404, 405}


@given(record=remediations())
def test_every_record_is_as_described(of_a_record: Draft202012Validator, record: Remediation) -> None:
    """And the description is closed: what the records have more than it is a fault of it."""
    faults = of_a_record.iter_errors(render(record))
    assert [] == [f"{fault.instance_path}: {fault.message}" for fault in faults]


def operations() -> Iterator[Any]:
    """Every operation with what it describes, and those that take anything with what they do not, too."""
    for path, methods in openapi()["paths"].items():
        for method, operation in methods.items():
            yield pytest.param(path, method, GenerationMode.POSITIVE, id=f"{method.upper()} {path} as described")
            if "requestBody" in operation or "parameters" in operation:
                yield pytest.param(path, method, GenerationMode.NEGATIVE, id=f"{method.upper()} {path} otherwise")


def described(house: House) -> Any:
    """The API of `house`, as its own document describes it."""
    return schemathesis.openapi.from_wsgi("/openapi.json", house.app(), headers=TOKEN)


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Any:
    ledger = FakeLedger(RECORD)
    return described(
        House(
            FakePipeline(ledger=ledger),
            cluster=FakeCluster([virtual_service({"route": split(v1=90, v2=10)})], ledger=ledger),
            authenticator=token_file(tmp_path_factory.mktemp("token"), "s3cret"),
        )
    )


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same while the API server is away."""
    authenticator = token_file(tmp_path_factory.mktemp("token"), "s3cret")
    fault = NotSynced("virtualservices: no contact for 130 s")
    ledger = FakeLedger(RECORD, fault=fault)
    pipeline = FakePipeline(unavailable, not_undone, ledger)
    return described(House(pipeline, cluster=FakeCluster(fault=fault, ledger=ledger), authenticator=authenticator))


def asks_for_what_there_is(case: Any, data: st.DataObject) -> None:
    """Mostly; nobody guesses a record's name, or a hook's token."""
    if case.path_parameters and data.draw(st.integers(0, 3)):
        known = {"namespace": RECORD.namespace, "name": RECORD.name, "token": hook_token(b"s3cret")}
        case.path_parameters = {name: known[name] for name in case.path_parameters}


bounded = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize(("path", "method", "mode"), list(operations()))
@bounded
@given(data=st.data())
def test_the_api_answers_as_described(
    well: Any, path: str, method: str, mode: GenerationMode, data: st.DataObject
) -> None:
    case = data.draw(well[path][method].as_strategy(generation_mode=mode))
    # To JSON Schema 1.0 is an integer, to us it is not; no Go program writes an integer so.
    assume(not isinstance(case.body, dict) or not isinstance(case.body.get("truncatedAlerts"), float))
    asks_for_what_there_is(case, data)
    # No schema can tell a token of ours for the next page from another text.
    unpredictable = [positive_data_acceptance] if path in LISTS else []
    case.call_and_validate(headers=TOKEN, excluded_checks=unpredictable)


@pytest.mark.parametrize(("path", "method", "mode"), list(operations()))
@bounded
@given(data=st.data())
def test_the_api_answers_as_described_while_the_cluster_is_away(
    away: Any, path: str, method: str, mode: GenerationMode, data: st.DataObject
) -> None:
    """The 503s are meant then; all else about them is checked."""
    case = data.draw(away[path][method].as_strategy(generation_mode=mode))
    asks_for_what_there_is(case, data)
    meant = [not_a_server_error, positive_data_acceptance, negative_data_rejection]
    case.call_and_validate(headers=TOKEN, excluded_checks=meant)


def test_every_path_is_described_and_every_described_one_is_there() -> None:
    rules = House().app().url_map.iter_rules()
    served = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, methods in openapi()["paths"].items() for method in methods}
    assert served == described


def test_every_path_is_documented() -> None:
    headings = re.findall(r"^## `(\w+) (\S+)`$", DOCS.read_text(), flags=re.MULTILINE)
    described = {(method.upper(), path) for path, methods in openapi()["paths"].items() for method in methods}
    assert described == set(headings)
