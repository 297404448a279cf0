"""The alerts about the remediator itself under promtool: in each scenario all that fire."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.processes import Missing, binary
from tests.rule_scenarios.notation import SCRAPE, selector
from tests.rule_scenarios.promtool import Json, at, retimed, run, spec_of

RULES = Path(__file__).parents[1] / "rules" / "remediator.yaml"
OURS = 'ALERTS{alertstate="firing",alertname=~"Remediat.*"}'

Fires = Mapping[str, str]
Series = Mapping[str, str]

UP = 'up{job="remediator",pod="a"}'
OTHER = 'up{job="remediator",pod="b"}'
LIVE = 'mesh_live_version:requests:increase1m{destination_service_name="reviews"}'
INBOUND = 'mesh_inbound_version:requests:increase2m{destination_service_name="reviews"}'
BUDGET = 'remediator_budget_remaining{pod="a"}'
WAITING = 'remediator_awaiting_approval{pod="a"}'
SUCCEEDED = 'remediator_outcomes_total{policy="canary-errors",outcome="Remediated",reason="Patched"}'
FAILED = 'remediator_outcomes_total{policy="canary-errors",outcome="Failed",reason="ClusterUnavailable"}'
LOST = 'remediator_holds_lost_total{pod="a",writer="kustomize-controller"}'
VERDICT = 'remediator_verifications_total{pod="a",verdict="%s"}'
NOTICES = 'remediator_notices_total{pod="a",service="slack",result="%s"}'
AT_EASE: Series = {
    UP: "1x100",
    LIVE: "600x100",
    INBOUND: "600x100",
    BUDGET: "5x100",
    WAITING: "0x100",
    SUCCEEDED: "0+1x100",
    LOST: "0x100",
    VERDICT % "Recovered": "0+1x100",
    VERDICT % "StillReceiving": "0x100",
    VERDICT % "NoData": "0x100",
    NOTICES % "Sent": "0+1x100",
    NOTICES % "Failed": "0x100",
}
"""What a service that has nothing to complain of shows; each scenario changes some of it."""

WATCHDOG: Fires = {"alertname": "RemediationWatchdog", "remediation": "Heartbeat", "severity": "none", "window": "30s"}
VERSION = {
    "destination_service_name": "reviews",
    "destination_service_namespace": "shop",
    "destination_version": "v2",
    "namespace": "shop",
}


def own(alert: str, severity: str, window: str, **labels: str) -> Fires:
    return {"alertname": alert, "remediation": "None", "severity": severity, "window": window, **labels}


def fired(alert: str, severity: str, remediation: str) -> str:
    known = {
        "alertname": alert,
        "alertstate": "firing",
        "severity": severity,
        "remediation": remediation,
        "window": "2m",
    }
    return selector("ALERTS", {**known, **VERSION})


ERRORS = fired("CanaryErrorRatioAboveStable", "critical", "RevertToStable")
MIRROR = fired("MirrorHardDown", "critical", "RemoveMirrors")
SLOW = fired("CanarySlowRatioAboveStable", "warning", "RevertToStable")
SHARED = fired("CanaryAndStableBothFailing", "critical", "None")
NOT_EFFECTIVE = own("RemediationNotEffective", "critical", "6m", **VERSION)
DOWN = own("RemediatorDown", "critical", "2m")
SPENT = own("RemediationBudgetSpent", "critical", "5m")
WAITS = own("RemediationAwaitingApproval", "warning", "5m")
FAILS = own("RemediationFailed", "critical", "5m", policy="canary-errors", reason="ClusterUnavailable")
HOLD_LOST = own("RemediationHoldLost", "critical", "15m", writer="kustomize-controller")
NO_HELP = own("RemediationDidNotHelp", "critical", "15m", verdict="StillReceiving")
UNKNOWN = own("RemediationOutcomeUnknown", "warning", "15m")
UNSENT = own("RemediatorNoticesFailing", "warning", "15m", service="slack", result="Failed")
NO_SOURCE = own("RemediationTelemetryMissing", "warning", "3m", reporter="source")
NO_DESTINATION = own("RemediationTelemetryMissing", "warning", "3m", reporter="destination")

# Series take a value at each scrape: four a minute.
CASES = (
    pytest.param({}, {0: [], 10: []}, id="all is well"),
    pytest.param({ERRORS: "1x18 stale"}, {4: [], 8: []}, id="a canary's alert is gone after five minutes"),
    pytest.param({ERRORS: "1x100"}, {5.5: [], 6.5: [NOT_EFFECTIVE]}, id="a canary's alert still fires after six"),
    pytest.param({MIRROR: "1x100"}, {5.5: [], 6.5: [NOT_EFFECTIVE]}, id="a mirror's alert still fires after six"),
    pytest.param(
        {ERRORS: "1x18 stale", MIRROR: "_x16 1x60"}, {6.5: [NOT_EFFECTIVE]}, id="one alert takes over from another"
    ),
    pytest.param({SLOW: "1x100"}, {15: []}, id="a latency's alert waits for a person's yes"),
    pytest.param({SHARED: "1x100"}, {15: []}, id="an alert that asks for nothing fires on"),
    pytest.param({FAILED: "_x20 1x60"}, {4: [], 6: [FAILS], 12: []}, id="the first attempt of all fails"),
    pytest.param({FAILED: "3x40 4x60"}, {9: [], 11: [FAILS], 17: []}, id="an attempt fails as some did before"),
    pytest.param({FAILED: "3x100"}, {10: []}, id="attempts failed long ago"),
    pytest.param({BUDGET: "1x16 0x60"}, {3: [], 5: [SPENT]}, id="the budget is spent"),
    pytest.param({BUDGET: " ".join(["Inf"] * 40)}, {5: []}, id="there is no budget"),
    pytest.param({BUDGET: " ".join(["NaN"] * 40)}, {5: []}, id="the records are not known"),
    pytest.param({'remediator_budget_remaining{pod="b"}': "0x100"}, {5: [SPENT]}, id="one replica sees no budget"),
    pytest.param({WAITING: "0x16 1x16 0x60"}, {3: [], 6: [WAITS], 9: []}, id="a plan waits and is approved"),
    pytest.param({WAITING: " ".join(["NaN"] * 40)}, {5: []}, id="whether a plan waits is not known"),
    pytest.param({LOST: "0x16 1x100"}, {3: [], 6: [HOLD_LOST], 21: []}, id="a hold is lost"),
    pytest.param({VERDICT % "StillReceiving": "0x16 1x100"}, {3: [], 6: [NO_HELP], 21: []}, id="a patch does not help"),
    pytest.param({VERDICT % "NoData": "0x16 1x100"}, {3: [], 6: [UNKNOWN], 21: []}, id="nobody knows whether it helps"),
    pytest.param({NOTICES % "Failed": "0x16 1x100"}, {3: [], 6: [UNSENT], 21: []}, id="people cannot be told"),
    pytest.param({NOTICES % "Failed": "7x100"}, {6: []}, id="people could not be told long ago"),
    pytest.param({UP: "1x16 0x60"}, {3: [], 5.5: [], 6.5: [DOWN]}, id="the only replica is down"),
    pytest.param({UP: "0x100", OTHER: "1x100"}, {10: []}, id="one of two replicas is down"),
    pytest.param({UP: "_"}, {1.5: [], 2.5: [DOWN]}, id="Prometheus does not know of the remediator"),
    pytest.param({LIVE: "_"}, {2.5: [], 3.5: [NO_SOURCE]}, id="the clients' telemetry is missing"),
    pytest.param({INBOUND: "_"}, {2.5: [], 3.5: [NO_DESTINATION]}, id="the servers' telemetry is missing"),
    pytest.param(
        dict.fromkeys(AT_EASE, "_"), {4: [DOWN, NO_SOURCE, NO_DESTINATION]}, id="nothing is there but the rules"
    ),
)

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def promtool() -> str:
    try:
        return binary("PROMETHEUS_BIN_DIR", "promtool")
    except Missing as missing:
        pytest.skip(str(missing))


def looks(expected: Mapping[float, list[Fires]]) -> list[Json]:
    """That all of our alerts that fire at those minutes are the expected ones and the watchdog."""
    return [
        {
            "expr": OURS,
            "eval_time": at(minute),
            "exp_samples": [
                {"labels": selector("ALERTS", {"alertstate": "firing", **each}), "value": 1}
                for each in [*wanted, WATCHDOG]
            ],
        }
        for minute, wanted in expected.items()
    ]


@pytest.mark.parametrize(("changed", "expected"), CASES)
def test_what_fires_is_what_should(
    changed: Series, expected: Mapping[float, list[Fires]], promtool: str, tmp_path: Path
) -> None:
    series = [{"series": name, "values": values} for name, values in {**AT_EASE, **changed}.items()]
    test = {"interval": f"{SCRAPE}s", "input_series": series, "promql_expr_test": looks(expected)}

    assert () == run(promtool, retimed(spec_of(RULES)), test, tmp_path)


def test_what_is_not_expected_fails(promtool: str, tmp_path: Path) -> None:
    """The cases above can fail: here the budget is spent and nobody expects that."""
    series = [{"series": name, "values": values} for name, values in {**AT_EASE, BUDGET: "0x100"}.items()]
    test = {"interval": f"{SCRAPE}s", "input_series": series, "promql_expr_test": looks({5: []})}

    [wrong] = run(promtool, retimed(spec_of(RULES)), test, tmp_path)

    assert "RemediationBudgetSpent" in wrong.text
