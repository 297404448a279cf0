"""Writes rules down: as PrometheusRule objects, which Prometheus' operator takes, or as plain rule files."""

from __future__ import annotations

from typing import Any

import yaml

from remediator.policies.quantities import format_duration
from remediator.rules.model import AlertingRule, RecordingRule, RuleFile, RuleGroup

Json = dict[str, Any]

_HEAD = "# Rendered by `remediator rules render`. Do not edit: render again with other parameters (docs/rules.md).\n"


class _Text(str):
    """An expression: written as a block, line by line, so that a review shows what changed in it."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Knows blocks; lists within mappings are not indented further, as Kubernetes writes them."""


def _block(dumper: yaml.SafeDumper, text: _Text) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(_Text, _block)


def to_yaml(file: RuleFile) -> str:
    """One PrometheusRule object (monitoring.coreos.com/v1) as YAML."""
    return _dumped(to_object(file))


def plain_yaml(file: RuleFile) -> str:
    """The groups alone, as Prometheus' `rule_files` wants them."""
    return _dumped(to_object(file)["spec"])


def _dumped(value: Json) -> str:
    return _HEAD + yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1_000_000, allow_unicode=True)


def to_object(file: RuleFile) -> Json:
    """The same as plain values."""
    labels = {"labels": dict(file.labels)} if file.labels else {}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": f"remediator-{file.name}" if file.name != "remediator" else file.name, **labels},
        "spec": {"groups": [_group(group) for group in file.groups]},
    }


def _group(group: RuleGroup) -> Json:
    interval = {"interval": format_duration(group.interval)} if group.interval else {}
    return {"name": group.name, **interval, "rules": [_rule(rule) for rule in group.rules]}


def _rule(rule: RecordingRule | AlertingRule) -> Json:
    if isinstance(rule, RecordingRule):
        labels = {"labels": dict(rule.labels)} if rule.labels else {}
        return {"record": rule.record, "expr": _Text(rule.expr), **labels}
    written: Json = {"alert": rule.alert, "expr": _Text(rule.expr)}
    if rule.wait:
        written["for"] = format_duration(rule.wait)
    if rule.keep_firing:
        written["keep_firing_for"] = format_duration(rule.keep_firing)
    return written | {"labels": dict(rule.labels), "annotations": dict(rule.annotations)}
