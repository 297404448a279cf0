"""`remediator test`: the tests beside the shipped policies pass, and what is wrong is told so that it can be mended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from remediator.cli.main import program
from remediator.errors import Fault, InputError
from remediator.outcome import Outcome
from remediator.policies.load import PolicyStore, load
from remediator.policies.mistake import Mistake
from remediator.settings import read as read_settings
from remediator.testing.document import PolicyTestDocument
from remediator.testing.find import find
from remediator.testing.junit import junit
from remediator.testing.model import GivenAlert, InputSeries, PolicyTest, Series
from remediator.testing.parse import parse_tests
from remediator.testing.paths import parse_place
from remediator.testing.promtool import Promtool, find_promtool
from remediator.testing.results import Difference, Ran
from remediator.testing.run import Runner
from remediator.testing.samples import parse_samples, printed
from remediator.testing.world import World
from tests.processes import Missing, binary
from tests.test_docs import ROOT, blocks, text

POLICIES = ROOT / "policies"
SETS = ("production", "development")
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)

EXPECTED = """  expect:
    - policy: canary-errors
      outcome: Applied
      fields: {"spec.http[0].route[1].weight": 0}
"""
TEST = (
    """
apiVersion: remediator.io/v1alpha1
kind: PolicyTest
metadata: {name: a-canary-that-fails}
spec:
  given: [given/shop.yaml]
  alert:
    labels:
      alertname: CanaryHardDown
      destination_service_name: reviews
      destination_service_namespace: shop
      destination_version: v2
"""
    + EXPECTED
)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(program, ["test", *map(str, arguments)], prog_name="remediator")


@pytest.fixture
def promtool() -> str:
    try:
        return binary("PROMETHEUS_BIN_DIR", "promtool")
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The production policies in a folder of their own, and one test beside them."""
    shutil.copytree(POLICIES / "production", tmp_path / "shop", ignore=shutil.ignore_patterns("*.yaml.*", "golden"))
    for path in (tmp_path / "shop" / "tests").glob("*.yaml"):
        path.unlink()
    write(tmp_path / "shop", TEST)
    return tmp_path / "shop"


def write(shop: Path, test: str) -> Path:
    path = shop / "tests" / "canary.yaml"
    path.write_text(test, encoding="utf-8")
    return path


# -- the shipped policies


@pytest.mark.servers
def test_the_shipped_policies_pass_their_tests(promtool: str, tmp_path: Path) -> None:
    """For real: the command in a process of its own, with promtool and the shipped rules."""
    command = (sys.executable, "-m", "remediator", "test", *(str(POLICIES / name) for name in SETS))
    more = ("--promtool", promtool, "-o", "json", "--junit", str(tmp_path / "junit.xml"))
    done = subprocess.run((*command, *more), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    told = json.loads(done.stdout) if done.stdout else {}
    assert [] == [each for each in told.get("tests", ()) if each["status"] != "passed"], done.stderr
    assert (0, "", []) == (done.returncode, done.stderr, told["untested"])
    suites = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert str(len(told["tests"])) == suites.get("tests")


@pytest.mark.parametrize("name", SETS)
def test_every_shipped_policy_is_hit_by_a_test_that_needs_no_promtool(name: str) -> None:
    files = [path for path in sorted((POLICIES / name / "tests").glob("*.yaml")) if path.name != "series.yaml"]
    told = json.loads(run(*files, "-o", "json").stdout)
    assert [] == [each for each in told["tests"] if each["status"] != "passed"]
    hit = {policy for each in told["tests"] for policy in each["policies"]}
    assert {policy.name for policy in load((POLICIES / name,)).policies} == hit


@pytest.mark.parametrize("name", SETS)
def test_tests_beside_policies_are_no_policies(name: str) -> None:
    """What `serve` loads is the folder's own files, whatever lies in `tests`."""
    sources = {Path(policy.source.rpartition(", document ")[0]).parent for policy in load((POLICIES / name,)).policies}
    assert {POLICIES / name} == sources
    assert POLICIES / "production" == read_settings({}, {}).policies[0]


def outcomes(name: str) -> Iterator[tuple[str, str]]:
    """Policy and outcome of every expectation of a set."""
    for suite in find((POLICIES / name,)):
        for test in suite.tests:
            for step in test.steps:
                yield from ((each.policy or "", str(each.outcome)) for each in step.expect)


@pytest.mark.parametrize("name", SETS)
def test_every_shipped_set_is_tested_for_what_it_refuses_too(name: str) -> None:
    found = set(outcomes(name))
    for policy in ("canary-errors", "mirror-errors"):
        assert {(policy, outcome) for outcome in ("Applied", "Denied", "Unchanged", "Ignored")} <= found


# -- the documentation


def test_every_key_of_a_test_is_documented() -> None:
    page, schema = text("policy-tests.md"), str(list(keys(PolicyTestDocument)))
    assert [] == [key for key in keys(PolicyTestDocument) if f"`{key}`" not in page and f"{key}:" not in page], schema


def keys(model: Any) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if hasattr(kind, "model_fields"):
                yield from keys(kind)


def test_the_tests_in_the_documentation_are_tests(shop: Path) -> None:
    shown = [block for block in blocks(ROOT / "docs" / "policy-tests.md") if "kind: PolicyTest" in block]
    assert 2 == len(shown)
    for block in shown:
        assert [PolicyTest] == [type(each) for each in parse_tests(block, Path("page.yaml"))]
    write(shop, shown[0])
    assert 0 == run(shop).exit_code


# -- what is told


def test_a_test_that_passes(shop: Path) -> None:
    done = run(shop / "tests" / "canary.yaml")
    told = f"✓ {shop / 'tests' / 'canary.yaml'}: a-canary-that-fails\n1 test in 1 file: 1 passed.\n"
    assert (0, told, "") == (done.exit_code, done.stdout, done.stderr)


def test_a_bar_moves_on_a_terminal_and_nowhere_else(shop: Path) -> None:
    """On standard error, so that the output can be piped; `run` has none, and tells nothing there."""
    ours, theirs = os.openpty()
    command = (sys.executable, "-m", "remediator", "test", str(shop / "tests" / "canary.yaml"))
    environ = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, timeout=60, check=False, env=environ
    )
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    assert (0, True) == (done.returncode, "1/1" in seen)
    assert done.stdout.decode().endswith("1 test in 1 file: 1 passed.\n")


def test_a_folder_tells_which_policies_no_test_is_about(shop: Path) -> None:
    notes = [line for line in run(shop).stdout.splitlines() if line.startswith("Note")]
    assert f"Note: no test is about policy canary-latency ({shop / 'canary.yaml'}, document 2)." in notes
    assert len(load((shop,)).policies) - 1 == len(notes)


def test_a_policy_that_no_longer_does_what_its_test_expects(shop: Path) -> None:
    policy = shop / "canary.yaml"
    policy.write_text(policy.read_text().replace("mode: Enforce", "mode: Approve"))
    done = run(shop / "tests" / "canary.yaml")
    assert 2 == done.exit_code
    about, outcome, *_, field = done.stdout.splitlines()[1:-1]
    assert "    CanaryHardDown by canary-errors on VirtualService shop/reviews" == about
    assert "      outcome: expected Applied, and it is AwaitingApproval" == outcome
    assert "      spec.http[0].route[1].weight: expected 0, and it is 10" == field
    assert "1 test in 1 file: 1 failed." == done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        pytest.param(
            "[{outcome: Applied, reason: DryRun}]", "reason: expected DryRun, and it is Patched", id="another reason"
        ),
        pytest.param(
            "[{outcome: Applied, policy: canary-latency}]",
            "policy: expected canary-latency, and it is canary-errors",
            id="another policy",
        ),
        pytest.param(
            "[{outcome: Applied, target: shop/other}]",
            "target: expected VirtualService shop/other, and it is VirtualService shop/reviews",
            id="another object",
        ),
        pytest.param(
            "[{outcome: Applied}, {outcome: Denied, reason: CoolingDown}]",
            "outcome: expected Denied (CoolingDown), and it is not among those that came",
            id="an outcome that does not come",
        ),
        pytest.param(
            "[{outcome: Applied, guards: [cooldown]}]",
            "guards that say no: expected cooldown, and it is none",
            id="a guard that has nothing against it",
        ),
        pytest.param(
            '[{outcome: Applied, fields: {"spec.http[0].mirror": {host: reviews}}}]',
            'spec.http[0].mirror: expected {"host": "reviews"}, and it is nothing',
            id="something that is gone",
        ),
        pytest.param(
            '[{outcome: Applied, fields: {"spec.http[0].timeout": null}}]',
            'spec.http[0].timeout: expected nothing, and it is "5s"',
            id="something that should be gone",
        ),
        pytest.param(
            '[{outcome: Applied, fields: {"spec.http[0].route[1].weight": false}}]',
            "spec.http[0].route[1].weight: expected false, and it is 0",
            id="a boolean, which is no number",
        ),
        pytest.param(
            "[{outcome: Applied, changes: [nothing]}]",
            "+http[0] (everybody): reviews.shop subset v2 weight 10 → 0",
            id="other changes",
        ),
        pytest.param("[{outcome: Applied, object: {kind: Other}}]", "-kind: Other", id="another object as a whole"),
    ],
)
def test_says_what_differs(shop: Path, expect: str, told: str) -> None:
    write(shop, TEST.partition("  expect:")[0] + f"  expect: {expect}\n")
    done = run(shop / "tests")
    assert 2 == done.exit_code
    assert told in [line.strip() for line in done.stdout.splitlines()]


def test_an_outcome_that_nobody_expects_is_a_failure(shop: Path) -> None:
    """The object that a test forgets is the one that somebody else will miss."""
    other = yaml.safe_load_all((shop / "tests" / "given" / "shop.yaml").read_text())
    gateway = next(other) | {"metadata": {"name": "gateway", "namespace": "shop"}}
    write(shop, TEST.replace("[given/shop.yaml]", f"[given/shop.yaml, {json.dumps(gateway)}]"))
    done = run(shop / "tests")
    assert 2 == done.exit_code
    assert "outcome: expected nothing more, and it is Applied (Patched): CanaryHardDown by" in done.stdout


@pytest.mark.parametrize(
    "expect",
    [
        pytest.param("{outcome: Applied}, {outcome: Applied, target: shop/gateway}", id="the open one first"),
        pytest.param("{outcome: Applied, target: shop/reviews}, {outcome: Applied}", id="the open one last"),
    ],
)
def test_an_expectation_that_says_less_leaves_the_others_theirs(shop: Path, expect: str) -> None:
    other = yaml.safe_load_all((shop / "tests" / "given" / "shop.yaml").read_text())
    gateway = next(other) | {"metadata": {"name": "gateway", "namespace": "shop"}}
    test = TEST.replace("[given/shop.yaml]", f"[given/shop.yaml, {json.dumps(gateway)}]")
    write(shop, test.partition("  expect:")[0] + f"  expect: [{expect}]\n")
    assert 0 == run(shop / "tests").exit_code


def test_a_record_that_is_given_counts(shop: Path, tmp_path: Path) -> None:
    """The record of a remediation keeps the object in peace, although somebody has given the traffic back since."""
    (tmp_path / "world").mkdir()
    (test,) = find((write(shop, TEST),))[0].tests
    with ThreadPoolExecutor(1) as executor:
        world = World(tmp_path / "world", PolicyStore((shop,)), test.service, executor)
        world.furnish(test.given)
        (came,) = world.deliver((GivenAlert({**yaml.safe_load(TEST)["spec"]["alert"]["labels"]}),))
    assert Outcome.APPLIED is came.row.outcome
    shutil.copytree(tmp_path / "world" / "remediations", shop / "tests" / "given" / "remediations")
    later = yaml.safe_load(TEST.replace("CanaryHardDown", "CanaryUnreachable"))
    later["spec"]["given"] += ["given/remediations"]
    later["spec"] |= {"at": "2026-01-05T12:02:00Z", "expect": [{"outcome": "Denied", "reason": "CoolingDown"}]}
    assert 0 == run(write(shop, yaml.safe_dump(later))).exit_code


def test_settings_of_the_service_count(shop: Path) -> None:
    test = yaml.safe_load(TEST)
    test["spec"] |= {"settings": {"mode": "Observe"}, "expect": [{"outcome": "Observed", "reason": "DryRun"}]}
    assert 0 == run(write(shop, yaml.safe_dump(test))).exit_code
    test["spec"] |= {"settings": {"optIn": True}, "expect": [{"outcome": "Denied", "reason": "NotOptedIn"}]}
    assert 0 == run(write(shop, yaml.safe_dump(test))).exit_code


def test_one_set_of_tests_for_other_policies(shop: Path) -> None:
    """`--policies` wins over what lies above `tests`; two hours of silence in production are none in development."""
    latency = TEST.replace("CanaryHardDown", "CanarySlowRatioAboveStable").replace("canary-errors", "canary-latency")
    write(shop, latency)
    assert 2 == run(shop).exit_code
    assert 0 == run(shop, "--policies", POLICIES / "development").exit_code


# -- what cannot be run


@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        pytest.param("expect:", "expekt:", "spec.expekt: unknown key (did you mean expect?)", id="a typo"),
        pytest.param("outcome: Applied", "outcome: Aplied", "did you mean Applied?", id="no outcome"),
        pytest.param(
            "v2\n  expect",
            "2\n  expect",
            "expected text, found the number 2 (put it in quotes)",
            id="a number as a label",
        ),
        pytest.param("alert:", "series:", "spec.series.labels: unknown key", id="no series"),
        pytest.param(
            "  alert:",
            "  alerts: [{labels: {a: b}}]\n  alert:",
            "spec: what happens is to be said once, and is 2 times (write one of alert, alerts, series)",
            id="two causes",
        ),
        pytest.param(
            "route[1]", "route.[1]", '"spec.http[0].route.[1].weight" is no place in an object', id="no place"
        ),
        pytest.param("kind: PolicyTest", "kind: RemediationPolicy", "expected 'PolicyTest'", id="a policy"),
        pytest.param("given/shop.yaml", "given/shpo.yaml", "given/shpo.yaml: no such file or folder", id="no file"),
        pytest.param(
            "  alert:", "  settings: {mode: Enforced}\n  alert:", "spec.settings: --mode", id="a setting that is none"
        ),
        pytest.param("  alert:", "  at: 12:00\n  alert:", 'spec.at: "12:00" is no time with its zone', id="no moment"),
        pytest.param(
            "      outcome: Applied",
            "      outcome: Applied\n      guards: [coolDown]",
            "spec.expect[0].guards[0]: the text 'coolDown' is not one of",
            id="no guard",
        ),
        pytest.param(
            "      outcome: Applied",
            "      outcome: Applied\n      target: reviews",
            "write it as NAMESPACE/NAME",
            id="a name",
        ),
        pytest.param(
            TEST,
            f"{TEST}---{TEST}",
            "metadata.name: a-canary-that-fails is the name of another test",
            id="one name twice",
        ),
        pytest.param(TEST, "# soon\n", "no test in it", id="no test"),
        pytest.param(EXPECTED, "  expect: []", "nothing is expected (write each outcome", id="nothing expected"),
    ],
)
def test_a_fault_says_where_and_what_to_do(shop: Path, good: str, bad: str, fault: str) -> None:
    assert good in TEST
    file = write(shop, TEST.replace(good, bad, 1))
    done = run(shop)
    assert (1, "") == (done.exit_code, done.stdout)
    assert [] == [line for line in done.stderr.splitlines() if not line.startswith(f"error: {file}, document ")]
    assert fault in done.stderr


def test_every_fault_of_every_file_is_told_at_once(shop: Path) -> None:
    write(shop, TEST.replace("Applied", "Aplied"))
    (shop / "tests" / "other.yml").write_text("a: [")
    done = run(shop)
    assert [str(shop / "tests" / "canary.yaml"), str(shop / "tests" / "other.yml")] == [
        line.removeprefix("error: ").partition(",")[0] for line in done.stderr.splitlines()
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param(
            "{apiVersion: networking.istio.io/v1, kind: VirtualServce, metadata: {name: reviews}}",
            "spec.given[0]: networking.istio.io/v1 VirtualServce is no kind that the service reads",
            id="a kind that is none",
        ),
        pytest.param("given/shop.yaml, given", "VirtualService shop/reviews is given twice", id="an object twice"),
        pytest.param("given/half.yaml", "half.yaml:1: not YAML", id="half a file"),
    ],
)
def test_what_is_given_and_cannot_be_used_is_an_error(shop: Path, given: str, told: str) -> None:
    """Not a failure: nobody knows what the policy would have done."""
    if "half" in given:
        (shop / "tests" / "given" / "half.yaml").write_text("spec: [")
    else:
        (shop / "tests" / "given" / "copy.yaml").write_text((shop / "tests" / "given" / "shop.yaml").read_text())
    write(shop, TEST.replace("given/shop.yaml", given))
    done = run(shop / "tests")
    assert 1 == done.exit_code
    assert f"error: {told}" in done.stdout.replace(f"{shop / 'tests' / 'given'}/", "")
    assert "1 could not be run" in done.stdout


def test_nothing_to_run(tmp_path: Path) -> None:
    assert "no tests in it; they are the files *.yaml of a folder tests" in run(tmp_path).stderr
    assert "no such file or folder" in run(tmp_path / "missing").stderr
    assert 1 == run(tmp_path).exit_code


def test_a_file_that_lies_elsewhere_has_to_name_its_policies(shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "alone.yaml"
    test = TEST.replace("given/shop.yaml", "shop/tests/given/shop.yaml")
    file.write_text(test)
    assert "nobody knows which policies (name them, or give --policies)" in run(file).stderr
    assert 0 == run(file, "--policies", shop).exit_code
    file.write_text(test.replace("spec:\n", "spec:\n  policies: [shop]\n"))
    assert 0 == run(file).exit_code


def test_a_faulty_policy_is_told_before_anything_is_run(shop: Path) -> None:
    (shop / "canary.yaml").write_text("kind: [")
    done = run(shop)
    assert (1, "") == (done.exit_code, done.stdout)
    assert f"error: {shop / 'canary.yaml'}, document 1" in done.stderr


# -- golden files


GOLDEN = TEST.replace('fields: {"spec.http[0].route[1].weight": 0}', "objectFile: golden/reviews.yaml")


def test_update_writes_what_came_and_keeps_the_comments_at_the_top(shop: Path) -> None:
    test, golden = write(shop, GOLDEN), shop / "tests" / "golden" / "reviews.yaml"
    missing = run(test)
    assert 2 == missing.exit_code
    assert "expected a file, and it is not there; --update writes it" in missing.stdout
    updated = run(test, "--update")
    assert 0 == updated.exit_code
    assert f"    rewritten: {golden}" in updated.stdout.splitlines()
    weights = [share["weight"] for share in yaml.safe_load(golden.read_text())["spec"]["http"][0]["route"]]
    assert [100, 0] == weights
    golden.write_text("# Nobody gets v2.\n" + golden.read_text().replace("timeout: 5s", "timeout: 6s"))
    differs = run(test)
    assert (2, True) == (differs.exit_code, "-    timeout: 6s\n+    timeout: 5s\n" in differs.stdout)
    assert 0 == run(test, "--update").exit_code
    assert golden.read_text().startswith("# Nobody gets v2.\napiVersion: ")
    assert 0 == run(test).exit_code


def test_update_leaves_the_file_of_a_test_to_which_something_else_is_wrong(shop: Path) -> None:
    """What came there may not be what anybody wants."""
    done = run(write(shop, GOLDEN.replace("policy: canary-errors", "policy: canary-latency")), "--update")
    assert 2 == done.exit_code
    assert "not rewritten: of a-canary-that-fails something else differs as well" in done.stdout
    assert not (shop / "tests" / "golden").exists()


def test_update_writes_nothing_where_a_test_could_not_be_run(shop: Path) -> None:
    broken = TEST.replace("a-canary-that-fails", "broken").replace("[given/shop.yaml]", "[given/shop.yaml, given]")
    done = run(write(shop, f"{GOLDEN}---{broken}"), "--update")
    assert 1 == done.exit_code
    assert "nothing was rewritten, because a test could not be run" in done.stderr
    assert "1 could not be run." in done.stdout
    assert not (shop / "tests" / "golden").exists()


def test_update_replaces_no_file_that_is_something_else(shop: Path) -> None:
    """A policy file with one policy, named by mistake."""
    (shop / "one.yaml").write_text((shop / "canary.yaml").read_text().split("---")[0].replace("canary-errors", "other"))
    before = (shop / "one.yaml").read_text()
    test = TEST.partition("  expect:")[0] + "  expect: [{outcome: Applied, objectFile: ../one.yaml}]\n"
    done = run(write(shop, test), "--update")
    assert (1, before) == (done.exit_code, (shop / "one.yaml").read_text())
    assert "one.yaml holds a RemediationPolicy, and no VirtualService; is it the right file?" in done.stdout


def test_two_tests_cannot_want_one_file_to_say_different_things(shop: Path) -> None:
    other = GOLDEN.replace("a-canary-that-fails", "by-label")
    other = other.replace("CanaryHardDown", "Ours\n      remediation: RevertToStable")
    other = other.replace("canary-errors", "canary-requested")  # which leaves the mirror
    done = run(write(shop, f"{GOLDEN}---{other}"), "--update")
    assert 1 == done.exit_code
    assert "two tests want" in done.stderr
    assert not (shop / "tests" / "golden").exists()


# -- JUnit


def test_junit_tells_failures_from_errors(shop: Path, tmp_path: Path) -> None:
    fails = TEST.replace("a-canary-that-fails", "fails").replace("canary-errors", "other")
    broken = TEST.replace("a-canary-that-fails", "broken").replace("[given/shop.yaml]", "[given/shop.yaml, given]")
    write(shop, f"{TEST}---{fails}---{broken}")
    assert 1 == run(shop, "--junit", tmp_path / "junit.xml").exit_code
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    (suite,) = root
    assert "testsuites" == root.tag
    assert ("3", "1", "1") == tuple(suite.get(key) for key in ("tests", "failures", "errors"))
    assert [[], ["failure"], ["error"]] == [[child.tag for child in case] for case in suite]
    assert all(float(case.get("time", "-1")) >= 0 for case in suite)
    assert str(shop / "tests" / "canary.yaml") == suite.get("name")
    assert "policy: expected other, and it is canary-errors" in (suite[1][0].text or "")


@given(st.text())
def test_junit_is_xml_whatever_is_told(told: str) -> None:
    (test,) = (each for each in parse_tests(TEST, Path("tests.yaml")) if isinstance(each, PolicyTest))
    failed = Ran(test, 0.1, (Difference(told, told, told, told, (told,)),))
    root = ElementTree.fromstring(junit((failed, Ran(test, 0.1, error=told or "x"))))
    assert ("1", "1") == (root.get("failures"), root.get("errors"))


def test_junit_that_cannot_be_written(shop: Path, tmp_path: Path) -> None:
    done = run(shop, "--junit", tmp_path / "missing" / "junit.xml")
    assert 1 == done.exit_code
    assert "cannot be written: No such file or directory" in done.stderr


# -- places


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        pytest.param("spec.http[0].route[1].weight", 10, id="a number"),
        pytest.param('metadata.annotations["a.b/c"]', "d", id="an odd key"),
        pytest.param("spec.http[7].route", None, id="beyond the end"),
        pytest.param("spec.http.route", None, id="a key of a list"),
        pytest.param("spec[0]", None, id="an element of a mapping"),
    ],
)
def test_what_stands_at_a_place(place: str, expected: object) -> None:
    body = {"metadata": {"annotations": {"a.b/c": "d"}}, "spec": {"http": [{"route": [{}, {"weight": 10}]}]}}
    assert expected == parse_place(place).of(body)


@pytest.mark.parametrize("place", ["", ".spec", "spec.", "spec..http", "spec[x]", "[0]", "spec http", "spec.http[0"])
def test_what_is_no_place(place: str) -> None:
    with pytest.raises(Mistake, match="is no place in an object"):
        parse_place(place)


# -- promtool


def go_quoted(value: str) -> str:
    """As strconv.Quote writes it."""
    plain = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
    signs = plain | {'"': r"\"", "\\": r"\\"}

    def sign(char: str) -> str:
        if char in signs or char.isprintable():
            return signs.get(char, char)
        code = ord(char)
        return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return f'"{"".join(map(sign, value))}"'


names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@given(st.lists(st.tuples(st.dictionaries(names, texts, max_size=4), st.integers(0, 10**9)), max_size=4))
def test_what_promtool_prints_is_read(vector: list[tuple[dict[str, str], int]]) -> None:
    samples = (
        "{" + ", ".join(f"{name}={go_quoted(value)}" for name, value in labels.items()) + f"}} {second:E}"
        for labels, second in vector
    )
    found = parse_samples(", ".join(samples) or "nil")
    assert [labels for labels, _ in vector] == [dict(sample.labels) for sample in found]


@given(st.text(st.sampled_from('{}="\\, aE+0n')))
def test_what_promtool_does_not_print_is_refused_or_read_and_never_a_bug(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert all(sample.labels is not None for sample in parse_samples(text))


@pytest.mark.parametrize(
    "got", ['{a="b"}', '{a="b"} x', '{a="b"} 1E+00, ', "{a=b} 1E+00", '{a="b", } 1E+00', "nil nil", "{a='b'} 1"]
)
def test_a_vector_of_another_form_is_refused(got: str) -> None:
    with pytest.raises(ValueError, match="character"):
        parse_samples(got)


def test_the_right_expression_is_looked_at() -> None:
    told = {"a": "nil", "b": "{} 1E+00"}
    output = "".join(f'    expr: "{name}", time: 1m,\n  exp: x\n  got: {got}\n' for name, got in told.items())
    assert ("nil", "{} 1E+00", None) == tuple(printed(name, output) for name in "abc")


SERIES = Series((), (InputSeries('up{job="a"}', "0x40"),), timedelta(minutes=5), timedelta(seconds=15))


def rules(folder: Path, *groups: Any, wrapped: bool = False) -> Path:
    path = folder / "rules.yaml"
    spec = {"groups": list(groups)}
    kind = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {"name": "a"}, "spec": spec}
    path.write_text(yaml.safe_dump(kind if wrapped else spec))
    return path


def firing(promtool: str, path: Path, *series: InputSeries) -> tuple[GivenAlert, ...]:
    wanted = Series((path,), series or SERIES.input_series, SERIES.eval_time, SERIES.interval)
    return Promtool(promtool).firing(wanted, AT)


@pytest.mark.servers
@pytest.mark.parametrize("wrapped", [pytest.param(False, id="a rule file"), pytest.param(True, id="an object")])
def test_alerts_fire_since_when_promtool_says(promtool: str, tmp_path: Path, wrapped: bool) -> None:
    """Down from the first sample on, with `for: 1m`: it fires from the first minute on, and not from the start."""
    rule = {"alert": "Down", "expr": "up == 0", "for": "1m", "labels": {"team": 'a, "b" {c}\n'}}
    (alert,) = firing(promtool, rules(tmp_path, {"name": "g", "rules": [rule]}, wrapped=wrapped))
    assert {"alertname": "Down", "job": "a", "team": 'a, "b" {c}\n'} == dict(alert.labels)
    assert AT - timedelta(minutes=4) == alert.starts_at


@pytest.mark.servers
def test_rule_files_are_read_as_check_reads_them(promtool: str, tmp_path: Path) -> None:
    """A list as kubectl gives it; a label that older promtools do not know for groups; a date that is a text."""
    path = tmp_path / "rules.yaml"
    path.write_text(
        "kind: List\nitems:\n"
        "- kind: PrometheusRule\n  spec:\n    groups:\n    - name: g\n      labels: {team: shop}\n      rules:\n"
        "      - {alert: Down, expr: up == 0, labels: {on: yes}, annotations: {since: 2026-01-05}}\n"
    )
    (alert,) = firing(promtool, path)
    assert {"alertname": "Down", "job": "a", "team": "shop", "on": "yes"} == dict(alert.labels)


@pytest.mark.servers
def test_an_alert_that_came_back_fires_since_it_did(promtool: str, tmp_path: Path) -> None:
    rule = {"alert": "Down", "expr": "up == 0"}
    series = InputSeries('up{job="a"}', "0x4 1x4 0x30")
    (alert,) = firing(promtool, rules(tmp_path, {"name": "g", "rules": [rule]}), series)
    assert AT - timedelta(minutes=5) + timedelta(seconds=150) == alert.starts_at


@pytest.mark.servers
def test_groups_are_evaluated_in_the_order_in_which_they_stand(promtool: str, tmp_path: Path) -> None:
    """Promtool itself takes them in any order: five groups, each of which reads the one before, now and at once."""
    groups = [{"name": "g0", "rules": [{"record": "r0", "expr": "up"}]}]
    groups += [{"name": f"g{n}", "rules": [{"record": f"r{n}", "expr": f"r{n - 1}"}]} for n in range(1, 5)]
    groups += [{"name": "a", "rules": [{"alert": "Late", "expr": "(r4 == up) and up == 7"}]}]
    series = InputSeries('up{job="a"}', "1x19 7x1")
    assert ["Late"] == [alert.labels["alertname"] for alert in firing(promtool, rules(tmp_path, *groups), series)]


@pytest.mark.servers
def test_faulty_rules_and_series_are_told_in_promtools_words(promtool: str, tmp_path: Path) -> None:
    path = rules(tmp_path, {"name": "g", "rules": [{"alert": "A", "expr": "up =="}]})
    with pytest.raises(InputError, match=r"promtool has not evaluated the rules: .*could not parse expression"):
        firing(promtool, path)
    good = rules(tmp_path, {"name": "g", "rules": [{"alert": "A", "expr": "up == 0"}]})
    with pytest.raises(InputError, match=r"promtool has not evaluated the rules: .*\S"):
        firing(promtool, good, InputSeries("up{", "0x3"))


@pytest.mark.servers
def test_a_fault_in_the_rules_is_an_error_of_the_test(promtool: str, shop: Path) -> None:
    path = rules(shop / "tests" / "given", {"name": "g", "rules": [{"alert": "A", "expr": "up =="}]})
    spec = {
        "series": {
            "rule_files": [f"given/{path.name}"],
            "input_series": [{"series": "up", "values": "0x3"}],
            "eval_time": "1m",
            "firing": [],
        }
    }
    test = yaml.safe_load(TEST) | {"spec": spec}
    done = run(write(shop, yaml.safe_dump(test)), "--promtool", promtool)
    assert (1, True) == (done.exit_code, "error: promtool has not evaluated the rules: " in done.stdout)


def test_a_histogram_may_be_a_value() -> None:
    """Its notation looks like a template, which a policy must not have."""
    series = {"series": "x", "values": "{{schema:0 sum:1 count:1 buckets:[1]}}x4"}
    spec = {"series": {"rule_files": ["r.yaml"], "input_series": [series], "eval_time": "1m", "firing": []}}
    (test,) = parse_tests(yaml.safe_dump(yaml.safe_load(TEST) | {"spec": spec}), Path("t.yaml"))
    assert isinstance(test, PolicyTest)
    assert test.series is not None
    assert (InputSeries("x", series["values"]),) == test.series.input_series


def test_no_promtool(shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run(POLICIES / "production")
    assert (1, "") == (done.exit_code, done.stdout)
    assert "need promtool, and no promtool on the PATH; it comes with Prometheus" in done.stderr
    other = run(shop, "--promtool", tmp_path / "none")
    assert f"need promtool, and {tmp_path / 'none'} is no program that can be run" in other.stderr
    assert 0 == run(shop).exit_code  # it has no series


def fake(folder: Path, script: str) -> Promtool:
    path = folder / "promtool"
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(0o755)
    return find_promtool(str(path))


@pytest.mark.skipif(os.name != "posix", reason="the fake program is a script that names its interpreter")
def test_a_promtool_that_speaks_otherwise_is_refused(tmp_path: Path) -> None:
    path = rules(tmp_path, {"name": "g", "rules": []})
    series = Series((path,), SERIES.input_series, SERIES.eval_time)
    with pytest.raises(InputError, match="promtool has not evaluated the rules: SUCCEEDED"):
        fake(tmp_path, "print('SUCCEEDED')").firing(series, AT)
    answer = (
        "import json, sys\n"
        "(asked,) = json.load(open(sys.argv[3]))['tests'][0]['promql_expr_test']\n"
        "print('expr: ' + json.dumps(asked['expr']) + ', time: 5m,\\nexp: x\\ngot: [a=b]')"
    )
    with pytest.raises(InputError, match=r"cannot be read, at character 1: '\[a=b\]'; is it a"):
        fake(tmp_path, answer).firing(series, AT)


def test_a_rule_file_without_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    faulty = "groups: [{name: a, rules: [{alert: A, expr: up, labels: {since: 1}}]}]"
    for content, told in (
        ("kind: ConfigMap\n", '"ConfigMap" holds no rules'),
        ("a: [", "not YAML"),
        (faulty, r"labels\.since: line 1: expected text"),
    ):
        path.write_text(content)
        series = Series((path,), SERIES.input_series, SERIES.eval_time)
        with pytest.raises(InputError, match=told):
            fake(tmp_path, "").firing(series, AT)


def test_a_runner_without_promtool_says_so(shop: Path) -> None:
    """`test` finds one before it runs anything; who uses the runner by itself is told by the test."""
    (test, *_) = find((POLICIES / "production" / "tests" / "series.yaml",))[0].tests
    with ThreadPoolExecutor(1) as executor:
        assert "a test with series needs promtool, and was given none" == Runner(executor).run(test).error


@pytest.mark.parametrize("after", [pytest.param("1h", id="after its end"), pytest.param("290y", id="long after it")])
def test_no_test_takes_place_outside_the_calendar(shop: Path, after: str) -> None:
    test = yaml.safe_load(TEST)
    step = {"after": after, "deliver": "Again", "expect": [{"outcome": "Unchanged"}]}
    test["spec"] |= {"at": "9999-12-31T23:59:00Z", "then": [step]}
    done = run(write(shop, yaml.safe_dump(test)))
    assert (1, True) == (done.exit_code, "error: its times lead out of the calendar" in done.stdout)


def test_an_answer_needs_something_that_waits(shop: Path) -> None:
    test = yaml.safe_load(TEST)
    test["spec"]["then"] = [{"after": "1m", "answer": "Approve", "expect": [{"outcome": "Applied"}]}]
    done = run(write(shop, yaml.safe_dump(test)))
    assert 2 == done.exit_code
    assert "    then[0]" in done.stdout.splitlines()
    assert "plans that wait for an answer: expected one or more, and it is none" in done.stdout
    test["spec"]["then"] += [{"after": "1m", "answer": "Reject", "expect": [{"outcome": "Denied"}]}]
    (fault,) = (each for each in parse_tests(yaml.safe_dump(test), Path("t.yaml")) if isinstance(each, Fault))
    assert ("spec.then[1].answer", "nothing waits for a second answer") == (fault.key, fault.message)
