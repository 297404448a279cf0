"""What `check` looks at, read from files, and what came of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remediator.checking.alertmanager import read_configuration
from remediator.checking.check import Given, Report, check
from remediator.checking.findings import Code, Finding, Where
from remediator.checking.routing import Configuration
from remediator.checking.timing import Clock, Delay
from remediator.errors import Fault, InputError, PolicyError
from remediator.policies.load import load
from remediator.policies.model import Policy, PolicySet
from remediator.policies.strict_yaml import read_documents
from remediator.rules.model import RuleFile
from remediator.rules.reading import ALLOWED, read_rules

_SUFFIXES = {".yaml", ".yml"}
_NOT_COMPARED = "Alerts and policies were not compared: first correct the files that could not be read whole."
_LINE = re.compile(r"(?:not YAML: )?line (\d+)(?:: |, column)")
_RULES = re.compile(r"^(?:kind: *[\"']?PrometheusRule\b|groups:)", re.MULTILINE)

Lines = Mapping[tuple[str, int], Mapping[str, int]]
"""By file and number of document: dotted key → line."""


@dataclass(frozen=True, slots=True)
class Result:
    """What `check` says."""

    findings: tuple[Finding, ...]
    delays: tuple[Delay, ...]
    files: int
    """How many were read."""
    notes: tuple[str, ...] = ()
    """What was not looked at, and why."""


def examine(values: Mapping[str, Any]) -> Result:
    """Read everything that the command line names, and check it.

    Args:
        values: the command's arguments and options, by click's names.

    Raises:
        InputError: a file cannot be read; all of them are named.
    """
    texts = _texts(values)
    policies, found = _policies(texts, by_folder=values["by_folder"])
    rules, rule_faults = _rules(texts.rules)
    configuration, configuration_faults = _configuration(texts.alertmanager)
    found += rule_faults + configuration_faults
    report = _checked(
        Given(
            rules=rules if values["rules"] else None,
            # Rules that were not read could hold the very alert that a policy is for.
            policies=None if rule_faults else policies,
            places=_places(policies, texts.policies) if policies else {},
            alertmanager=configuration,
            receiver=values["receiver"],
            external=values["external_label"],
            clock=Clock(values["scrape_interval"], values["evaluation_interval"], values["max_delay"]),
        )
    )
    incomparable = texts.paths and values["rules"] and (policies is None or rule_faults)
    return Result(
        findings=tuple(each for each in (*found, *report.findings) if each.code not in values["ignore"]),
        delays=report.delays,
        files=len(texts.policies) + len(texts.rules) + len(texts.alertmanager),
        notes=(_NOT_COMPARED,) if incomparable else (),
    )


def _checked(given: Given) -> Report:
    try:
        return check(given)
    except RecursionError:
        raise InputError("--rules: series are recorded from each other in too many steps to be followed") from None


@dataclass(frozen=True, slots=True)
class _Texts:
    """What stands in the files, by their names."""

    paths: tuple[Path, ...]
    """Of policies, as they are given."""
    policies: Mapping[str, str]
    rules: Mapping[str, str]
    alertmanager: Mapping[str, str]
    """One file, or none."""


def _texts(values: Mapping[str, Any]) -> _Texts:
    """Read every file. Raises InputError with all that cannot be read."""
    reading = _Files()
    paths = tuple(map(Path, (*values["paths"], *values["policies"])))
    found = _Texts(
        paths=paths,
        policies=reading.texts(paths),
        rules=reading.texts(tuple(map(Path, values["rules"]))),
        alertmanager=reading.texts((Path(values["alertmanager"]),) if values["alertmanager"] else ()),
    )
    reading.errors += _mistaken(values, found)
    if reading.errors:
        raise InputError("\n".join(reading.errors))
    return found


def _mistaken(values: Mapping[str, Any], texts: _Texts) -> Iterator[str]:
    """What was given in the wrong place."""
    if values["alertmanager"] and Path(values["alertmanager"]).is_dir():
        yield f"--alertmanager {values['alertmanager']}: a folder; give the file that Alertmanager is started with"
    for name in map(str, texts.paths):
        if _RULES.search(texts.policies.get(name, "")):
            # A shell makes several words of `--rules rules/*.yaml`, and only the first belongs to the option.
            yield f"{name}: holds rules, and is taken for policies; say --rules before each, or name the folder"


class _Files:
    """Reads texts; what cannot be read is noted, so that all of it is told at once."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def texts(self, paths: Sequence[Path]) -> dict[str, str]:
        """By path the text of each file, and of each *.yaml and *.yml in each folder, which is not searched deeper."""
        files = [file for path in paths for file in self._files(path)]
        texts = {str(file): self._text(file) for file in files}
        return {name: text for name, text in texts.items() if text is not None}

    def _files(self, path: Path) -> Iterable[Path]:
        if not path.is_dir():
            return (path,)
        try:
            entries = sorted(path.iterdir())
        except OSError as error:
            self.errors.append(f"{path}: cannot be listed: {error.strerror}")
            return ()
        found = [each for each in entries if each.suffix in _SUFFIXES and not each.name.startswith(".")]
        if not found:
            self.errors.append(f"{path}: no *.yaml or *.yml in it")
        return found

    def _text(self, file: Path) -> str | None:
        if file.exists() and not file.is_file():
            self.errors.append(f"{file}: cannot be read: it is no regular file")
            return None
        try:
            return file.read_text(encoding="utf-8-sig")
        except OSError as error:
            self.errors.append(f"{file}: cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            self.errors.append(f"{file}: cannot be read: not UTF-8")
        return None


def _policies(texts: _Texts, *, by_folder: bool) -> tuple[PolicySet | None, list[Finding]]:
    """The policies, or the faults in them; each folder's a set of its own if `by_folder`."""
    sets: dict[Path, list[Path]] = defaultdict(list)
    for path in texts.paths:
        sets[(path if path.is_dir() else path.parent) if by_folder else Path()].append(path)
    policies: list[Policy] = []
    found: list[Finding] = []
    for paths in sets.values():
        try:
            policies += load(paths).policies
        except PolicyError as error:
            found += _findings(Code.POLICY, error.faults, _lines(texts.policies))
    return (PolicySet(tuple(policies)) if sets and not found else None), found


def _rules(texts: Mapping[str, str]) -> tuple[tuple[RuleFile, ...], list[Finding]]:
    readings = [read_rules(text, name) for name, text in texts.items()]
    faults = [fault for reading in readings for fault in reading.faults]
    return tuple(file for reading in readings for file in reading.files), list(_findings(Code.RULES, faults, {}))


def _configuration(texts: Mapping[str, str]) -> tuple[Configuration | None, list[Finding]]:
    for name, text in texts.items():
        read = read_configuration(text, name)
        if isinstance(read, Configuration):
            return read, []
        return None, list(_findings(Code.ALERTMANAGER, read, {}))
    return None, []


def _lines(texts: Mapping[str, str]) -> Lines:
    return {
        (name, document.number): document.lines
        for name, text in texts.items()
        for document in read_documents(text, name, ALLOWED)
    }


def _findings(code: Code, faults: Iterable[Fault], lines: Lines) -> Iterator[Finding]:
    """Faults as findings: the line is a value of its own, and no longer part of the message."""
    for fault in faults:
        told = _LINE.match(fault.message)
        line = int(told[1]) if told else _line(lines.get((fault.file, fault.document), {}), fault.key)
        message = fault.message if fault.message.startswith("not YAML") else _LINE.sub("", fault.message, count=1)
        where = Where(fault.file, line, fault.key or f"document {fault.document}")
        yield Finding(code, where, message, fault.hint)


def _line(lines: Mapping[str, int], key: str) -> int:
    """The line of a key, or of the closest thing around it that is there."""
    while key and key not in lines:
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return lines.get(key, 0)


def _places(policies: PolicySet, texts: Mapping[str, str]) -> dict[str, Where]:
    """Where the matchers of each policy stand: what is found of a policy is about them."""
    lines = _lines(texts)
    places = {}
    for policy in policies.policies:
        file, _, number = policy.source.rpartition(", document ")
        line = _line(lines.get((file, int(number)), {}), "spec.matchers")
        places[policy.name] = Where(file, line, f"policy {policy.name}")
    return places
