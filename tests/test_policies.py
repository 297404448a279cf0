"""Policies as values: quantities, intervals, what a document says, matching, and the JSON Schema."""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from remediator.errors import Fault
from remediator.policies.globs import parse_glob
from remediator.policies.intervals import Span, TimeInterval, TimeRange
from remediator.policies.match import Considered, explain, find
from remediator.policies.matchers import parse_matcher
from remediator.policies.mistake import Mistake
from remediator.policies.model import (
    Action,
    Guards,
    LabelNames,
    MirrorScope,
    Mode,
    Policy,
    PolicySet,
    TargetSpec,
)
from remediator.policies.parse import parse_policy
from remediator.policies.schema import json_schema
from remediator.policies.strict_yaml import Document, read_documents

ROOT = Path(__file__).parents[1]
PRODUCTION = sorted((ROOT / "policies" / "production").glob("*.yaml"))
MANUAL = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "policies.md").read_text(), re.DOTALL | re.MULTILINE)
EXAMPLES = [
    *(pytest.param(path.read_text(), id=f"production/{path.name}") for path in PRODUCTION),
    *(pytest.param(text, id=f"example {number} of docs/policies.md") for number, text in enumerate(MANUAL, 1)),
]


def parsed(text: str) -> list[Policy | tuple[Fault, ...]]:
    return [parse_policy(document, "a.yaml") for document in read_documents(text, "a.yaml")]


def document(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "remediator.io/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": "canary"},
        "spec": {"matchers": ['alertname = "A"'], "actions": ["RevertToStable"], **spec},
    }


def policy(name: str = "canary", *matchers: str, **more: Any) -> Policy:
    found = tuple(map(parse_matcher, matchers))
    return Policy(name, "", found, TargetSpec(), (Action.REVERT_TO_STABLE,), Mode.ENFORCE, **more)


class TestModel:
    @pytest.mark.parametrize(
        ("expected", "mode", "ceiling"),
        [
            pytest.param(Mode.OBSERVE, Mode.ENFORCE, Mode.OBSERVE, id="the ceiling is lower"),
            pytest.param(Mode.APPROVE, Mode.APPROVE, Mode.ENFORCE, id="the policy is lower"),
            pytest.param(Mode.APPROVE, Mode.ENFORCE, Mode.APPROVE, id="not the order of the alphabet"),
            pytest.param(Mode.OBSERVE, Mode.OBSERVE, Mode.OBSERVE, id="the same"),
        ],
    )
    def test_the_more_careful_mode_counts(self, expected: Mode, mode: Mode, ceiling: Mode) -> None:
        assert expected is mode.capped(ceiling)

    @pytest.mark.parametrize(
        ("expected", "globs", "namespace"),
        [
            pytest.param(True, (), "anything", id="none means everywhere"),
            pytest.param(True, ("pay", "shop-*"), "shop-eu", id="the second glob"),
            pytest.param(False, ("shop-*",), "shop", id="a glob wants all of it"),
            pytest.param(False, ("shop",), "my-shop", id="a name is not searched for"),
            pytest.param(True, ("shop-[ab]",), "shop-a", id="a class"),
            pytest.param(True, ("*",), "shop", id="a star is everything"),
        ],
    )
    def test_globs_over_namespaces(self, expected: bool, globs: tuple[str, ...], namespace: str) -> None:
        assert expected is TargetSpec(namespaces=globs).allows(namespace)

    @pytest.mark.parametrize(
        ("namespace", "glob"),
        [
            pytest.param("shop", "shop", id="a name"),
            pytest.param("a", "*", id="everything"),
            pytest.param("a" * 63, "*" + "?" * 63, id="as long as a name may be"),
            pytest.param("shop-eu", "*-*", id="a dash between stars"),
            pytest.param("b1", "[a-c][!a-z]", id="a range, and all but one"),
            pytest.param("a", "[-a]", id="a dash, or a letter"),
        ],
    )
    def test_globs_that_can_match(self, namespace: str, glob: str) -> None:
        assert TargetSpec(namespaces=(parse_glob(glob),)).allows(namespace)

    @pytest.mark.parametrize(
        ("expected", "glob"),
        [
            pytest.param("close each bracket", "[", id="an open bracket"),
            pytest.param("close each bracket", "shop]", id="a bracket that closes nothing"),
            pytest.param("nothing fits these brackets", "shop-[z-a]", id="a range backwards"),
            pytest.param("nothing fits these brackets", "[!a-z0-9-]", id="all but everything"),
            pytest.param("lower case", "Shop", id="an upper case letter"),
            pytest.param("an item of its own", "shop pay", id="a space"),
            pytest.param("an item of its own", "shop\n", id="a line feed at the end"),
            pytest.param("no - at its ends", "shop-", id="a dash at the end"),
            pytest.param("no - at its ends", "[!a-z0-9]*", id="only a dash fits at the start"),
            pytest.param("at most 63 characters", "a" * 64, id="longer than a name may be"),
            pytest.param("is made of", "[]", id="nothing in the brackets"),
            pytest.param("is made of", "", id="nothing"),
            pytest.param("is made of", "shop.eu", id="a dot"),
            pytest.param("is made of", "[^a]", id="a caret, which fnmatch does not negate by"),
        ],
    )
    def test_globs_that_no_namespace_matches(self, expected: str, glob: str) -> None:
        with pytest.raises(Mistake, match=expected) as mistake:
            parse_glob(glob)
        assert mistake.value.message.startswith("no namespace can match the glob ")

    @given(st.text("a-z[]!*?9", max_size=6))
    @example("[9?]")
    @example("[[9]")
    @example("[9!]")
    def test_a_glob_is_refused_only_if_it_matches_none(self, glob: str) -> None:
        assume("[]" not in glob and "[!]" not in glob)  # fnmatch lets a bracket close behind these, and we do not
        names = ("a", "z", "9", "az", "z9", "a-z", "9-9", "a-za", "zz9z9", "a9-9a", "z-z-z-z", "a--z")
        try:
            parse_glob(glob)
        except Mistake:
            assert [] == [name for name in names if glob and TargetSpec(namespaces=(glob,)).allows(name)]

    def test_values_are_frozen(self) -> None:
        with pytest.raises(FrozenInstanceError):
            policy().name = "other"  # type: ignore[misc]


class TestDocument:
    def test_says_all_it_can_say(self) -> None:
        freeze = {
            "times": [{"start_time": "17:00", "end_time": "24:00"}],
            "weekdays": ["monday:friday"],
            "days_of_month": [1, "-2:-1"],
            "months": ["december"],
            "years": [2030],
            "location": "Europe/Berlin",
        }
        spec = {
            "description": "One sentence.",
            "matchers": ['a = "b"', '{c="d", e!="f"}'],
            "target": {
                "labels": {"service": "s", "name": "n", "namespace": "ns", "version": "v"},
                "namespaces": ["shop-*"],
                "stable": "v1",
                "mirrors": "All",
            },
            "actions": ["RemoveMirrors", "RevertToStable"],
            "mode": "Approve",
            "guards": {"cooldown": "1h", "hold": "2h", "maxTargets": 1, "stableReady": "50%", "freeze": [freeze]},
        }
        (actual,) = parsed(json.dumps(document(**spec)))
        interval = TimeInterval(
            times=(TimeRange(1020, 1440),),
            weekdays=(Span(1, 5),),
            days_of_month=(Span(1, 1), Span(-2, -1)),
            months=(Span(12, 12),),
            years=(Span(2030, 2030),),
            location="Europe/Berlin",
        )
        assert isinstance(actual, Policy)
        assert (
            Policy(
                name="canary",
                description="One sentence.",
                matchers=tuple(map(parse_matcher, ['a="b"', 'c="d"', 'e!="f"'])),
                target=TargetSpec(LabelNames("s", "n", "ns", "v"), ("shop-*",), "v1", MirrorScope.ALL),
                actions=(Action.REMOVE_MIRRORS, Action.REVERT_TO_STABLE),
                mode=Mode.APPROVE,
                guards=Guards(timedelta(hours=1), timedelta(hours=2), 1, 0.5, (interval,)),
                source="a.yaml, document 1",
                content_hash=actual.content_hash,
            )
            == actual
        )

    def test_defaults_are_those_of_the_values(self) -> None:
        (actual,) = parsed(json.dumps(document()))
        assert isinstance(actual, Policy)
        assert (TargetSpec(), Guards(), Mode.ENFORCE, "") == (
            actual.target,
            actual.guards,
            actual.mode,
            actual.description,
        )

    def test_the_hash_is_of_what_is_said_and_not_of_how(self) -> None:
        body = document(mode="Observe")
        texts = [json.dumps(body), yaml.safe_dump(body), "# a comment\n" + yaml.safe_dump(body, sort_keys=False)]
        hashes = {found.content_hash for text in texts for found in parsed(text) if isinstance(found, Policy)}
        (changed,) = parsed(json.dumps(document(mode="Approve")))
        assert isinstance(changed, Policy)
        assert 1 == len(hashes)
        assert changed.content_hash not in hashes

    def test_yaml_words_are_text(self) -> None:
        """PyYAML would read a boolean, a number of seconds and a date here."""
        text = "a: on\nb: 17:00\nc: 2030-01-02\nd: =\ne: 0x1F\nf: 1_000"
        (found,) = read_documents(text, "a.yaml")
        assert {"a": "on", "b": "17:00", "c": "2030-01-02", "d": "=", "e": "0x1F", "f": "1_000"} == found.value

    def test_every_fault_is_told(self) -> None:
        text = json.dumps(document(mode="no", actions=["no"], guards={"hold": 1, "no": 2}))
        (faults,) = parsed(text)
        assert isinstance(faults, tuple)
        assert {"spec.mode", "spec.actions[0]", "spec.guards.hold", "spec.guards.no"} == {fault.key for fault in faults}

    def test_a_fault_does_not_colour_the_terminal(self) -> None:
        escape = chr(27)
        text = json.dumps(document(**{f"{escape}[31m": f"{escape}[0m", "mode": f"{escape}[0m"}))
        (faults,) = parsed(text)
        assert isinstance(faults, tuple)
        assert 2 == len(faults)
        assert all(str(fault).isprintable() for fault in faults)

    def test_half_a_character_can_be_printed(self) -> None:
        """YAML can say half of a surrogate pair, and UTF-8 cannot."""
        text = json.dumps(document(matchers=['a =~ "\ud800"', "\ud800 is"], target={"namespaces": ["\udfff"]}))
        (faults,) = parsed(text)
        assert isinstance(faults, tuple)
        assert 3 == len(faults)
        assert all(str(fault).encode() for fault in faults)

    @pytest.mark.parametrize(
        ("key", "text"),
        [
            pytest.param("", "{{ .Values.policy }}", id="the document"),
            pytest.param("a", "a: {{ .Values.x }}", id="a value"),
            pytest.param("a", 'a: "x-{{ .Values.x }}"', id="a part of a quoted value"),
            pytest.param("a[1]", "a: [x, {{ .Values.x }}]", id="an item"),
            pytest.param("a", 'a:\n  {{ include "x" . }}: 1', id="a key"),
            pytest.param("", "a: {{ .Values.x }}-y", id="what YAML cannot read"),
            pytest.param("", "{{- if .Values.x }}\na: 1\n{{- end }}", id="lines around"),
        ],
    )
    def test_a_helm_template_wants_to_be_rendered(self, key: str, text: str) -> None:
        (found,) = read_documents(text, "a.yaml")
        (fault,) = found.faults
        assert (key, "this looks like a Helm template; render it first") == (fault.key, fault.hint)
        assert "{{ … }} is not a value" in fault.message

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("# {{ .Values.x }}\na: [", id="a template in a comment, and another mistake"),
            pytest.param("a: {b: {c: d}, e: }}", id="braces that close twice"),
            pytest.param("? {a: b}\n: c", id="a mapping as a key"),
        ],
    )
    def test_what_only_resembles_a_template_is_not_called_one(self, text: str) -> None:
        (found,) = read_documents(text, "a.yaml")
        assert found.faults
        assert not [fault for fault in found.faults if "Helm" in fault.hint]

    def test_an_empty_document_is_none(self) -> None:
        documents = list(read_documents("---\n# nothing\n---\na: 1\n---\n", "a.yaml"))
        assert [Document(2, {"a": 1}, ())] == documents

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["labels", "freeze", "times", "matchers", "x"]), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        st.sampled_from(["apiVersion", "kind", "metadata", "spec", "matchers", "target", "actions", "mode", "guards"]),
    )
    def test_any_value_anywhere_is_a_policy_or_faults(self, value: object, key: str) -> None:
        body = document()
        (body if key in body else body["spec"])[key] = value
        for found in parsed(json.dumps(body)):
            faults = () if isinstance(found, Policy) else found
            assert isinstance(found, Policy) or faults
            assert all(len(str(fault)) < 700 for fault in faults)


class TestMatch:
    policies = PolicySet((policy("first", "a=b", "c=d"), policy("second", "a=b"), policy("third", "a=~b.*")))

    @pytest.mark.parametrize(
        ("expected", "labels"),
        [
            pytest.param("first", {"a": "b", "c": "d"}, id="several match, the first counts"),
            pytest.param("second", {"a": "b"}, id="every matcher must hold"),
            pytest.param("third", {"a": "bb"}, id="the last one"),
            pytest.param(None, {"a": "c"}, id="none"),
        ],
    )
    def test_finds_the_first(self, expected: str | None, labels: dict[str, str]) -> None:
        found = find(self.policies, labels)
        assert expected == (found.name if found else None)

    def test_explains_every_policy(self) -> None:
        first, second, third = self.policies.policies
        assert (
            Considered(first, False, (parse_matcher("c=d"),)),
            Considered(second, True, ()),
            Considered(third, True, ()),
        ) == explain(self.policies, {"a": "b"})


@pytest.fixture(scope="module")
def validator() -> Any:
    return pytest.importorskip("jsonschema_rs").Draft202012Validator(json_schema())


class TestSchema:
    @pytest.mark.parametrize("text", EXAMPLES)
    def test_accepts_every_example_as_the_loader_does(self, validator: Any, text: str) -> None:
        found = parsed(text)
        assert found
        assert [] == [item for item in found if not isinstance(item, Policy)]
        for item in yaml.safe_load_all(text):
            validator.validate(item)

    @pytest.mark.parametrize(
        "spec",
        [
            pytest.param({"mode": "enforce"}, id="an unknown word"),
            pytest.param({"modes": "Enforce"}, id="an unknown key"),
            pytest.param({"actions": []}, id="no action"),
            pytest.param({"actions": ["RemoveMirrors"] * 2}, id="an action twice"),
            pytest.param({"matchers": []}, id="no matcher"),
            pytest.param({"guards": {"cooldown": "10 minutes"}}, id="a duration in words"),
            pytest.param({"guards": {"stableReady": "120%"}}, id="too many percent"),
            pytest.param({"guards": {"maxTargets": 0}}, id="no target"),
            pytest.param({"target": {"stable": 1.1}}, id="a number as version"),
            pytest.param({"target": {"namespaces": ["["]}}, id="an open bracket"),
            pytest.param({"target": {"namespaces": ["Shop"]}}, id="a namespace in upper case"),
        ],
    )
    def test_refuses_what_the_loader_refuses(self, validator: Any, spec: dict[str, Any]) -> None:
        (found,) = parsed(json.dumps(document(**spec)))
        assert isinstance(found, tuple)
        assert not validator.is_valid(document(**spec))

    def test_describes_every_key(self) -> None:
        schema = json_schema()
        assert "https://json-schema.org/draft/2020-12/schema" == schema["$schema"]
        assert schema["$id"].endswith("/v1alpha1/remediationpolicy.json")
        for part in (schema, *schema["$defs"].values()):
            for name, key in part["properties"].items():
                described = key if "$ref" not in key else {**schema["$defs"][key["$ref"].split("/")[-1]], **key}
                assert described.get("description"), name

    def test_the_manual_names_every_key_and_its_default(self) -> None:
        manual = (ROOT / "docs" / "policies.md").read_text()
        schema = json_schema()["$defs"]
        rows = {"spec.": "SpecDocument", "spec.target.": "TargetDocument", "spec.guards.": "GuardsDocument"}
        for prefix, name in {**rows, "spec.target.labels.": "LabelsDocument"}.items():
            for key, value in schema[name]["properties"].items():
                row = re.search(rf"^\| `{re.escape(prefix + key)}` \| (.*?) \|", manual, re.MULTILINE)
                assert row or "$ref" in value, f"docs/policies.md has no row for {prefix}{key}"
                if row and value.get("default"):
                    assert f"`{value['default']}`" == row[1]


class TestProduction:
    """The policies that `serve` takes when it is given none."""

    policies = PolicySet(
        tuple(item for path in PRODUCTION for item in parsed(path.read_text()) if isinstance(item, Policy))
    )

    @pytest.mark.parametrize(
        ("expected", "labels"),
        [
            pytest.param(("canary-errors", "Enforce"), {"alertname": "CanaryHardDown"}, id="a canary that is down"),
            pytest.param(
                ("canary-errors", "Enforce"), {"alertname": "CanaryErrorRatioAboveStable"}, id="a canary with errors"
            ),
            pytest.param(("canary-errors", "Enforce"), {"alertname": "CanaryUnreachable"}, id="nobody answers"),
            pytest.param(
                ("canary-latency", "Approve"),
                {"alertname": "CanaryLatencyShift", "remediation": "RevertToStable"},
                id="a slow canary waits for a person, whatever its label asks",
            ),
            pytest.param(
                ("canary-latency", "Approve"), {"alertname": "CanarySlowRatioAboveStable"}, id="slow requests"
            ),
            pytest.param(("mirror-errors", "Enforce"), {"alertname": "MirrorHardDown"}, id="a mirror that is down"),
            pytest.param(
                ("mirror-errors", "Enforce"), {"alertname": "MirrorErrorRatioAboveStable"}, id="a mirror with errors"
            ),
            pytest.param(
                ("canary-requested", "Enforce"), {"alertname": "Mine", "remediation": "RevertToStable"}, id="by label"
            ),
            pytest.param(
                ("mirror-requested", "Enforce"),
                {"alertname": "Mine", "remediation": "RemoveMirrors"},
                id="mirror by label",
            ),
            pytest.param(
                None, {"alertname": "MirrorLatencyShift", "remediation": "none"}, id="nobody waits for a mirror"
            ),
            pytest.param(None, {"alertname": "CanaryAndStableBothFailing"}, id="a fault that both share"),
            pytest.param(None, {"alertname": "Watchdog"}, id="somebody else's alert"),
        ],
    )
    def test_takes_up(self, expected: tuple[str, str] | None, labels: dict[str, str]) -> None:
        found = find(self.policies, labels)
        assert expected == ((found.name, found.mode) if found else None)
