"""Rule files: PrometheusRule objects, lists of them and plain files become rules, or every fault at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from remediator.rules.model import AlertingRule, RecordingRule, RuleFile
from remediator.rules.reading import read_rules

GOOD = Path(__file__).parent / "check" / "rules.yaml"

PLAIN = """groups:
  - name: shop
    interval: 15s
    labels: {team: shop}
    rules:
      - record: errors:rate5m
        expr: sum(rate(errors[5m]))
      - alert: Errors
        expr: errors:rate5m > 1
        for: 1h30m
        keep_firing_for: 1m
        labels:
          severity: critical
        annotations:
          summary: '{{ $value }} errors a second'
"""


def read(text: str) -> tuple[RuleFile, ...]:
    found = read_rules(text, "rules.yaml")
    assert () == found.faults
    return found.files


def faults(text: str) -> list[str]:
    found = read_rules(text, "rules.yaml")
    return [str(fault) for fault in found.faults]


class TestForms:
    def test_a_plain_file(self) -> None:
        (file,) = read(PLAIN)
        (group,) = file.groups
        recording, alerting = group.rules

        assert ("rules.yaml", "rules.yaml", "shop", timedelta(seconds=15)) == (
            file.name,
            file.file,
            group.name,
            group.interval,
        )
        assert RecordingRule("errors:rate5m", "sum(rate(errors[5m]))", {"team": "shop"}) == recording
        assert (
            AlertingRule(
                alert="Errors",
                expr="errors:rate5m > 1",
                wait=timedelta(minutes=90),
                keep_firing=timedelta(minutes=1),
                labels={"team": "shop", "severity": "critical"},
                annotations={"summary": "{{ $value }} errors a second"},
            )
            == alerting
        )
        assert (6, 8) == (recording.line, alerting.line)

    def test_an_object(self) -> None:
        (file,) = read(GOOD.read_text(encoding="utf-8"))

        assert ("shop", {"release": "prometheus"}) == (file.name, file.labels)
        assert ["canary", "mirror", "people"] == [group.name for group in file.groups]
        assert [timedelta(seconds=15), timedelta(seconds=30), None] == [group.interval for group in file.groups]

    def test_a_list_as_kubectl_gives_it_and_several_documents(self) -> None:
        item = "- {kind: PrometheusRule, metadata: {name: NAME}, spec: {groups: []}}\n"
        text = f"kind: List\nitems:\n{item.replace('NAME', 'one')}{item.replace('NAME', 'two')}---\n{PLAIN}"

        assert ["one", "two", "rules.yaml"] == [file.name for file in read(text)]

    def test_none_is_a_word(self) -> None:
        """As in YAML 1.2, and as in Go's: null is `null`, `Null`, `NULL` or `~`."""
        (file,) = read(PLAIN.replace("severity: critical", "remediation: None"))
        (alert,) = file.groups[0].alerts

        assert "None" == alert.labels["remediation"]

    def test_a_number_is_an_expression(self) -> None:
        (file,) = read(PLAIN.replace("errors:rate5m > 1", "1"))
        (alert,) = file.groups[0].alerts

        assert "1" == alert.expr

    def test_a_large_file(self) -> None:
        """More values than a policy file may have."""
        rules = "".join(f"      - {{record: 'r:{n}', expr: up, labels: {{a: b, c: d, e: f}}}}\n" for n in range(2_500))
        (file,) = read(f"groups:\n  - name: many\n    rules:\n{rules}")

        assert 2_500 == len(file.groups[0].rules)

    def test_what_is_common_may_be_merged(self) -> None:
        """As Prometheus reads it: what stands there wins, then the first of those that are merged."""
        text = PLAIN.replace("labels: {team: shop}", "labels: &common {team: shop, severity: info, tier: a}").replace(
            "severity: critical", "severity: critical\n          <<: [{team: mesh}, *common]"
        )
        (file,) = read(text)
        (alerting,) = file.groups[0].alerts

        assert {"severity": "critical", "team": "mesh", "tier": "a"} == dict(alerting.labels)

    def test_only_mappings_can_be_merged(self) -> None:
        (fault,) = faults(PLAIN.replace("severity: critical", "<<: [critical]"))

        assert "line 13: only mappings can be merged (write <<: *name, of a mapping &name)" in fault

    def test_what_merges_itself_ends(self) -> None:
        (fault,) = faults(PLAIN.replace("labels:\n          severity: critical", "labels: &own {<<: *own}"))

        assert "nests deeper" in fault or "too large" in fault


class TestFaults:
    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            pytest.param(
                "        for: 1h30m",
                "        fro: 1h30m",
                "groups[0].rules[1].fro: line 10: unknown key (did you mean for?)",
                id="a typo",
            ),
            pytest.param(
                "for: 1h30m",
                "for: 90 minutes",
                'groups[0].rules[1].for: line 10: "90 minutes" is not a duration (write it as 30s, 10m or 1h30m, '
                "largest unit first)",
                id="no duration",
            ),
            pytest.param(
                "severity: critical",
                "severity: 1",
                "groups[0].rules[1].labels.severity: line 13: expected text, found the number 1 (put it in quotes)",
                id="a label that is a number",
            ),
            pytest.param(
                "        expr: errors:rate5m > 1\n",
                "",
                "groups[0].rules[1].expr: a rule needs an expression (write PromQL below `expr:`)",
                id="no expression",
            ),
            pytest.param(
                "- alert: Errors",
                "- alert: Errors\n        record: errors",
                "groups[0].rules[1]: line 8: a rule has either `alert` or `record` (write one of the two)",
                id="both kinds at once",
            ),
            pytest.param(
                "- name: shop",
                "- nmae: shop",
                "groups[0].nmae: line 2: unknown key (did you mean name?)",
                id="a group without a name",
            ),
            pytest.param(
                "'{{ $value }} errors a second'",
                "{{ $value }}",
                "groups[0].rules[1].annotations.summary: line 15: {{ … }} is not a value (put the whole text in "
                "quotes)",
                id="a template without quotes",
            ),
            pytest.param(
                "interval: 15s",
                "interval: 15s\n    interval: 30s",
                "groups[0].interval: line 4: stands twice, in line 3 too (keep one of the two)",
                id="a key twice",
            ),
        ],
    )
    def test_what_is_wrong_where_and_what_to_do(self, old: str, new: str, expected: str) -> None:
        assert 1 == PLAIN.count(old)
        assert f"rules.yaml, document 1, {expected}" in faults(PLAIN.replace(old, new))

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("", "no rules in it", id="nothing"),
            pytest.param("kind: ConfigMap\n", '"ConfigMap" holds no rules', id="another kind"),
            pytest.param("alerts: []\n", "neither a PrometheusRule nor a rule file", id="another file"),
            pytest.param("- groups\n", "expected a mapping, found a list", id="a list"),
            pytest.param("groups: {}\n", "expected a list, found a mapping", id="groups that are none"),
            pytest.param("groups: [1]\n", "expected a mapping, found the number 1", id="a group that is none"),
            pytest.param("groups: [\n", "not YAML", id="no YAML"),
            pytest.param(PLAIN + PLAIN.removeprefix("groups:\n"), '"shop" is there already', id="a group twice"),
        ],
    )  # fmt: skip
    def test_files_that_are_none(self, text: str, expected: str) -> None:
        assert any(expected in fault for fault in faults(text)), faults(text)

    def test_all_faults_of_a_file_are_told_at_once(self) -> None:
        text = PLAIN.replace("for: 1h30m", "for: long").replace("severity: critical", "severity: 1")
        assert 2 == len(faults(text + "---\nkind: Pod\n")) - 1

    def test_what_has_no_fault_is_read_all_the_same(self) -> None:
        found = read_rules(PLAIN.replace("for: 1h30m", "for: long"), "rules.yaml")

        assert [RecordingRule] == [type(rule) for file in found.files for group in file.groups for rule in group.rules]

    def test_aliases_that_multiply_end(self) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

        (fault,) = faults("\n".join(lines))
        assert "too large: over 500000 values" in fault
