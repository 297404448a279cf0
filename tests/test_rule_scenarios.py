"""The shipped rules under promtool: in each scenario the whole set of alerts that fire, and nothing beside it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.processes import Missing, binary
from tests.rule_scenarios.matrix import FAULTS, matrix
from tests.rule_scenarios.notation import selector
from tests.rule_scenarios.promtool import ELSEWHERE, Batch, Json, Wrong, at, batches, retimed, run, spec_of
from tests.rule_scenarios.scenario import NOTHING, Scenario, fires
from tests.rule_scenarios.stories import STORIES

RULES = Path(__file__).parents[1] / "rules" / "mesh-wide.yaml"
MOST_AT_ONCE = 18
"""Scenarios in one run of promtool: enough to share the cost of starting, few enough that two runs share the work."""

ALL = (*STORIES, *matrix())
NAMED = {each.title: each for each in ALL}

CONTRACT = {
    "every request fails at 10 % of 100 a second": (
        "CanaryHardDown",
        "v2",
        "version v2 is failing most requests",
        "Error ratio is 99.95% above that of the other versions over 1m.",
    ),
    "the only version fails three requests of ten": (
        "CanaryErrorRatioHighNoBaseline",
        "v2",
        "version v2 fails and no other version serves enough to compare with",
        "Error ratio is 31.76% over 2m; whether another version would do better is unknown.",
    ),
    "no version has an endpoint": (
        "CanaryUnreachable",
        "unknown",
        "requests find no reachable endpoint; the telemetry does not say of which version",
        "6.095k requests in 1m found no healthy upstream (UH) or no cluster (NC).",
    ),
    "a version fails every mirrored request": (
        "MirrorHardDown",
        "v2",
        "version v2 is failing most requests",
        "Error ratio is 99.8% above that of the other versions over 2m.",
    ),
    "a canary gets slow under Prometheus 3": (
        "CanarySlowRatioAboveStable",
        "v2",
        "version v2 answers more requests slower than 500 ms than the other versions",
        "Share of requests over 500 ms is 7.972% above that of the other versions over 5m.",
    ),
}
"""Of one alert in each of these scenarios, after 11 minutes: name, accused, the rest of the summary, description."""

NOWHERE = {
    "reporter": "source",
    "destination_workload": "unknown",
    "destination_canonical_revision": "latest",
    "destination_service_namespace": "unknown",
    "response_code": "503",
    "response_flags": "UH",
}

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def promtool() -> str:
    try:
        return binary("PROMETHEUS_BIN_DIR", "promtool")
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def rules() -> Json:
    return retimed(spec_of(RULES))


@pytest.fixture(scope="module")
def verdicts(
    request: pytest.FixtureRequest, promtool: str, rules: Json, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Sequence[str]]:
    """What promtool finds wrong, by service; only those scenarios run whose tests were asked for."""
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    asked = [each["scenario"] for each in parameters if isinstance(each.get("scenario"), Scenario)]

    def verdict(batch: Batch) -> tuple[Wrong, ...]:
        return run(promtool, rules, batch.test(), tmp_path_factory.mktemp("promtool"))

    found = defaultdict(list)
    # The longest first: the last to end has little left to do.
    with ThreadPoolExecutor(2) as both:
        for wrong in both.map(verdict, reversed(batches(asked, MOST_AT_ONCE))):
            for each in wrong:
                found[each.service].append(each.text)
    return found


def as_parameter(scenario: Scenario) -> object:
    """A fault of the rules that is known is told, and fails the test once it is mended."""
    marks = [pytest.mark.xfail(reason=scenario.fault, strict=True)] if scenario.fault else []
    return pytest.param(scenario, id=scenario.title, marks=marks)


@pytest.mark.parametrize("scenario", [as_parameter(each) for each in ALL])
def test_what_fires_is_what_should(scenario: Scenario, verdicts: Mapping[str, Sequence[str]]) -> None:
    tell(verdicts.get(scenario.service.name, []))


def test_nothing_fires_about_anything_else(verdicts: Mapping[str, Sequence[str]]) -> None:
    """No alert without a service, none about a service that is not there, none with a label beyond the promised."""
    tell(verdicts.get(ELSEWHERE, []))


def tell(wrong: Sequence[str]) -> None:
    """Fail with promtool's own words, whole: pytest would cut them."""
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_nothing_fires_without_any_traffic(promtool: str, rules: Json, tmp_path: Path) -> None:
    nobody = Scenario("a service that is not there", (), {1: NOTHING, 6: NOTHING, 12: NOTHING})

    assert () == run(promtool, rules, Batch((nobody,)).test(), tmp_path)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("api.example.com", id="a host outside of the cluster"),
        pytest.param("unknown", id="a gateway that has no cluster for the request"),
    ],
)
def test_nobody_is_told_of_requests_that_no_service_of_ours_missed(
    host: str, promtool: str, rules: Json, tmp_path: Path
) -> None:
    """Such an alert would have neither the service's name nor its namespace."""
    nobody = Scenario("a service that is not there", (), {6: NOTHING})
    series = selector(
        "istio_requests_total", {**NOWHERE, "destination_service": host, "destination_service_name": host}
    )
    test = {**Batch((nobody,)).test(), "input_series": [{"series": series, "values": "0+100x100"}]}

    assert () == run(promtool, rules, test, tmp_path)


def test_promtool_evaluates_every_group_at_each_step(promtool: str, tmp_path: Path) -> None:
    """Which is why sums are `retimed`. Where this fails, promtool has learned better, and they need not be any more."""
    group = {"name": "slow", "interval": "1m", "rules": [{"record": "slow", "expr": "vector(1)"}]}
    counted = {"expr": "count_over_time(slow[10m]) >= bool 40", "eval_time": at(10)}
    asked = {**counted, "exp_samples": [{"labels": "{}", "value": 1}]}
    test = {"interval": "15s", "input_series": [], "promql_expr_test": [asked]}

    assert () == run(promtool, {"groups": [group]}, test, tmp_path)


def test_sums_over_the_records_of_slower_groups_are_retimed_and_nothing_else() -> None:
    fast = {"name": "fast", "interval": "15s", "rules": [{"record": "fast", "expr": "x"}]}
    slow = {"name": "slow", "interval": "30s", "rules": [{"record": "slow", "expr": "sum_over_time(fast[2m]) + slow"}]}
    reader = {
        "name": "reader",
        "interval": "1m",
        "rules": [{"alert": "A", "expr": "sum_over_time(slow[10m]) * 0.25 > 5"}],
    }

    [*before, after] = retimed({"groups": [fast, slow, reader]})["groups"]

    assert [fast, slow] == before
    assert "(0.5 * sum_over_time(slow[10m])) * 0.25 > 5" == after["rules"][0]["expr"]


def test_every_service_has_a_name_of_its_own() -> None:
    assert len(ALL) == len({each.service.name for each in ALL})


def test_the_matrix_has_every_rate_and_weight_of_every_fault() -> None:
    assert [9] * len(FAULTS) == [len(each.table()) for each in FAULTS]


def test_labels_and_annotations_are_these(promtool: str, rules: Json, tmp_path: Path) -> None:
    """The contract, whole and rendered: labels for machines, annotations for people."""
    batch = Batch(tuple(NAMED[title] for title in CONTRACT))
    test = {**batch.test(), "promql_expr_test": [], "alert_rule_test": list(contract(batch))}

    assert () == run(promtool, rules, test, tmp_path)


def contract(batch: Batch) -> Iterator[Json]:
    """For each scenario, the one alert that `CONTRACT` tells of."""
    for scenario in batch.scenarios:
        alert, version, summary, description = CONTRACT[scenario.title]
        service = scenario.service
        [firing] = [each for each in scenario.expected[11] if (each.alert, each.version) == (alert, version)]
        labels = {
            name: value for name, value in firing.labels(service.name, service.namespace).items() if name != "alertname"
        }
        annotations = {
            "summary": f"{service.name}.{service.namespace}: {summary}",
            "description": description,
            "runbook_url": f"https://remediator.io/runbooks/{alert.lower()}",
        }
        expected = [{"exp_labels": labels, "exp_annotations": annotations}]
        yield {"alertname": alert, "eval_time": at(11), "exp_alerts": expected}


DOWN = "every request fails at 10 % of 100 a second"
GRPC = "three gRPC calls of ten are unavailable at 10 % of 100 a second"
UNREACHED = "no connection succeeds at 10 % of 100 a second"
MUTATIONS = (
    pytest.param("score1m > 4.5", "score1m > 1e9", DOWN, id="a score that nothing reaches"),
    pytest.param("score1m > 4.5", "score1m > 0 or mesh_live_version:requests:increase1m > 0", DOWN, id="accuses all"),
    pytest.param('"severity": "critical"', '"severity": "warning"', DOWN, id="another severity"),
    pytest.param('"window": "1m"', '"window": "1m", "value": "{{ $value }}"', DOWN, id="a label too many"),
    pytest.param("2|4|12|13|14|15", "2|4", GRPC, id="gRPC's UNAVAILABLE is taken for a success"),
    pytest.param("2|4|12|13|14|15", "5|14", "half of the gRPC calls find nothing", id="NOT_FOUND is taken for a fault"),
    pytest.param(
        "destination_canonical_revision", "destination_version", UNREACHED, id="the source's version is believed"
    ),
    pytest.param(
        "(\\\\\\\\.0)?", "", "a canary's latencies shift under Prometheus 3", id="boundaries only as in Prometheus 2"
    ),
    pytest.param(
        '"keep_firing_for": "1m"',
        '"keep_firing_for": "1h"',
        "a failing canary is taken out of traffic",
        id="alerts outlive what they tell",
    ),
)


@pytest.mark.parametrize(("text", "instead", "title"), MUTATIONS)
def test_rules_with_a_fault_do_not_pass(text: str, instead: str, title: str, promtool: str, tmp_path: Path) -> None:
    """Each of them is one word away from the shipped rules."""
    sound = json.dumps(retimed(spec_of(RULES)))
    assert text in sound
    scenario = NAMED[title]
    soon = {minute: wanted for minute, wanted in scenario.expected.items() if minute < 15}

    found = run(
        promtool, json.loads(sound.replace(text, instead)), Batch((replace(scenario, expected=soon),)).test(), tmp_path
    )

    assert scenario.service.name in {each.service for each in found}


def test_an_alert_about_nobody_does_not_pass(promtool: str, rules: Json, tmp_path: Path) -> None:
    unasked = {"name": "unasked", "rules": [{"alert": "Unasked", "expr": "vector(1)"}]}
    nobody = Scenario("a service that is not there", (), {1: NOTHING})

    found = run(promtool, {"groups": [*rules["groups"], unasked]}, Batch((nobody,)).test(), tmp_path)

    assert [ELSEWHERE] == [each.service for each in found]


def test_an_alert_that_does_not_fire_does_not_pass(promtool: str, rules: Json, tmp_path: Path) -> None:
    healthy = NAMED["two versions share the traffic"]
    feared = replace(healthy, expected={7: fires("CanaryHardDown 1m")})

    found = run(promtool, rules, Batch((feared,)).test(), tmp_path)

    assert [healthy.service.name] == [each.service for each in found]
