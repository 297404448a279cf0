"""What docs/rules.md says of four popular rules is so: promtool runs them as they were printed."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.definitions import DATA
from tests.processes import Missing, binary
from tests.test_docs import section

Json = dict[str, Any]

RULES = sorted((DATA / "samples" / "article").glob("prometheusrule-*.yaml"))
MINUTES = 30


def steady(per_second: float) -> str:
    """A counter that grows evenly, in promtool's notation; it is scraped every 15 s."""
    return f"0+{per_second * 15:g}x{MINUTES * 4}"


def from_minute(minute: int, per_second: float) -> str:
    """A counter that stands still until a minute, and grows evenly from then on."""
    return f"0x{minute * 4} 0+{per_second * 15:g}x{(MINUTES - minute) * 4}"


def requests(code: str = "200", version: str = "v2", **labels: str) -> str:
    """A series of Istio's request counter, as a caller's proxy reports it."""
    named = {"reporter": "source", "source_workload": "web", "response_code": code, "destination_version": version}
    return series("istio_requests_total", named | labels)


def series(metric: str, labels: dict[str, str]) -> str:
    return metric + "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def latency(version: str, slow: bool) -> dict[str, str]:
    """100 requests a second, all answered within 10 ms, or all between 1 and 2.5 s."""
    bounds = {"10": not slow, "1000": not slow, "2500": True, "+Inf": True}
    labels = {"reporter": "source", "destination_version": version}
    return {
        series("istio_request_duration_milliseconds_bucket", labels | {"le": bound}): steady(100 if within else 0)
        for bound, within in bounds.items()
    }


@dataclass(frozen=True, slots=True)
class Claim:
    """What goes on, and how many alerts of which name fire at which minute."""

    series: dict[str, str]
    expected: dict[str, int]
    minute: float = MINUTES


GOOD_AND_BUSY = {requests(): steady(10_000), requests("503"): steady(0.02)}
IDLE_AND_DOWN = {requests("503", source_workload=caller): steady(1 / 120) for caller in ("web", "app", "batch")}
STABLE = {requests(version="v1"): steady(90), requests("503", version="v1"): steady(0.09)}
DOWN = {requests("503"): steady(10)}
DOWN_FROM_5 = {requests("503"): from_minute(5, 10)}
TAKEN_AWAY_AT_20 = {requests("503"): "0+150x80 12000x40"}


@pytest.mark.servers
@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(
            Claim(GOOD_AND_BUSY, {"HighErrorRateInCanary": 1}), id="0.0002 % of errors fire at 10,000 requests a second"
        ),
        pytest.param(Claim(IDLE_AND_DOWN, {}), id="three idle callers may fail altogether without a sound"),
        pytest.param(Claim(DOWN_FROM_5, {}, 15), id="a canary that is down from minute 5 is not told at minute 15"),
        pytest.param(Claim(DOWN_FROM_5, {"HighErrorRateInCanary": 1}, 16), id="it is at minute 16"),
        pytest.param(
            Claim(TAKEN_AWAY_AT_20, {"HighErrorRateInCanary": 1}, 24),
            id="four minutes after its traffic was taken away it is still told",
        ),
        pytest.param(
            Claim(DOWN | {requests("503", reporter="destination"): steady(10)}, {"HighErrorRateInCanary": 2}),
            id="both ends report a request, and one fault is two alerts",
        ),
        pytest.param(
            Claim({requests(grpc_response_status="14", request_protocol="grpc"): steady(10)}, {}),
            id="a version on which every gRPC call fails is healthy",
        ),
        pytest.param(
            Claim({requests("503", reporter="destination"): steady(10)}, {"HighErrorRateInCanary": 1}),
            id="mirrored requests count as the canary's own, and HighMirrorErrorRate never fires",
        ),
        pytest.param(
            Claim(DOWN | STABLE, {"HighErrorRateInCanary": 1}),
            id="HighCanaryErrorRate never fires, though the canary is down and stable is not",
        ),
        pytest.param(
            Claim(latency("v1", slow=False) | latency("v2", slow=True), {}),
            id="PerformanceDegradationInCanary never fires, though the canary takes a hundred times as long",
        ),
    ],
)
def test_a_claim(claim: Claim, tmp_path: Path) -> None:
    """The whole set of alerts that fire is what is claimed: where three of the four would be due, they never are."""
    firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
    samples = [{"labels": f'{{alertname="{name}"}}', "value": count} for name, count in claim.expected.items()]
    promtool(
        tmp_path,
        {
            "interval": "15s",
            "input_series": [{"series": name, "values": values} for name, values in claim.series.items()],
            "promql_expr_test": [{"expr": firing, "eval_time": f"{claim.minute:g}m", "exp_samples": samples}],
        },
    )


def promtool(folder: Path, test: Json) -> None:
    """Run one test on the rules; it has to pass."""
    if not RULES:
        pytest.skip("the article's rules are not there; they belong in shared/data/samples/article")
    try:
        program = binary("PROMETHEUS_BIN_DIR", "promtool")
    except Missing as missing:
        pytest.skip(str(missing))
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["spec"]["groups"]]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    (folder / "test.yml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]})
    )
    command = [program, "test", "rules", str(folder / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_the_page_has_a_row_for_each_of_the_rules() -> None:
    names = {
        rule["alert"]
        for file in RULES
        for group in yaml.safe_load(file.read_text())["spec"]["groups"]
        for rule in group["rules"]
    }
    page = section("rules.md", "Four popular rules")
    assert names or pytest.skip("the article's rules are not there")
    assert set() == {name for name in names if f"| `{name}` |" not in page}
