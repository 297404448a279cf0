"""The image: the Dockerfile says only what can be said again, and its lock files are in step with pyproject.toml."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import remediator
from release.sbom import bill
from tests.packaged import ROOT, locked, normal, pip

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements", "build", "tools")

each_lock = pytest.mark.parametrize("name", LOCKS)


def instructions(word: str) -> list[str]:
    """What stands behind each instruction of this name, with continued lines as one."""
    whole = re.sub(r"\s*\\\n\s*", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    return re.findall(rf"^{word} (.*)$", whole, flags=re.MULTILINE)


class TestDockerfile:
    def test_the_base_is_pinned_to_a_patch_version_and_its_digest(self) -> None:
        (base,) = [line for line in instructions("ARG") if line.startswith("BASE=")]
        found = re.fullmatch(r"BASE=docker\.io/library/python:(\d+\.\d+\.\d+)-slim-[a-z]+@sha256:[0-9a-f]{64}", base)

        assert found
        assert Requirement(f"python{PROJECT['project']['requires-python']}").specifier.contains(found[1])

    def test_nothing_else_comes_from_outside(self) -> None:
        assert ["${BASE} AS build", "scratch"] == instructions("FROM")
        assert [] == instructions("ADD")
        # Not a frontend from a registry either.
        assert "syntax=" not in DOCKERFILE

    def test_pip_installs_what_has_a_hash_or_was_built_here(self) -> None:
        calls = [part for run in instructions("RUN") for part in run.split(" && ") if " pip " in part]
        kinds = ["--require-hashes" if "--require-hashes" in call else "--no-deps" for call in calls]

        assert ["--require-hashes", "--require-hashes", "--no-deps", "--no-deps"] == kinds
        assert all("--no-deps" in call for call, kind in zip(calls, kinds, strict=True) if kind == "--no-deps")
        assert ["--no-build-isolation" in calls[2], "--no-index" in calls[3]] == [True, True]

    def test_the_user_is_a_number_and_not_root(self) -> None:
        (user,) = instructions("USER")
        assert all(int(part) > 0 for part in user.split(":"))

    @pytest.mark.parametrize("word", ["ENTRYPOINT", "CMD"])
    def test_no_shell_is_needed_to_start(self, word: str) -> None:
        (line,) = instructions(word)
        assert isinstance(json.loads(line), list)

    def test_no_shell_is_needed_to_ask_for_health(self) -> None:
        (check,) = instructions("HEALTHCHECK")
        command = json.loads(check[check.index("CMD ") + len("CMD ") :])

        assert "/opt/remediator/bin/python" == command[0]

    def test_the_labels_say_what_it_is_and_where_it_comes_from(self) -> None:
        said = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', " ".join(instructions("LABEL"))))

        assert {
            "title": PROJECT["project"]["name"],
            "description": PROJECT["project"]["description"],
            "licenses": PROJECT["project"]["license"],
            "version": "${VERSION}",
            "revision": "${REVISION}",
            "created": "${CREATED}",
            "source": "${SOURCE}",
        } == said

    def test_the_build_sees_what_it_copies_and_no_more(self) -> None:
        copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
        seen = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), flags=re.MULTILINE)

        assert copied == set(seen)
        assert set() == {path for path in copied if not (ROOT / path).exists()}


def test_make_tells_the_image_its_version_its_commit_and_one_time() -> None:
    """What would be run, without running it."""
    told = subprocess.run(
        ["make", "--dry-run", "image", "SOURCE=https://example.org/remediator", "SOURCE_DATE_EPOCH=1700000000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    arguments = dict(re.findall(r"--build-arg (\w+)=(\S*)", told))

    assert remediator.__version__ == arguments["VERSION"]
    assert ("1700000000", "2023-11-14T22:13:20Z") == (arguments["SOURCE_DATE_EPOCH"], arguments["CREATED"])
    assert "https://example.org/remediator" == arguments["SOURCE"]
    assert set(arguments) == set(re.findall(r"\b([A-Z_]+)=", " ".join(instructions("ARG")))) - {"BASE"}


# -- lock files


class TestLocks:
    @each_lock
    def test_every_line_is_one_version_with_its_hashes(self, name: str) -> None:
        rows = locked(name)

        assert [] == [str(row.requirement) for row in rows if not row.hashes]
        assert set() == {each for row in rows for each in row.hashes if not re.fullmatch(r"sha256:[0-9a-f]{64}", each)}
        assert all(Version(row.version) for row in rows)
        assert len(rows) == len({(row.name, str(row.requirement.marker)) for row in rows})

    @pytest.mark.parametrize(
        ("name", "asked"),
        [
            pytest.param("requirements", PROJECT["project"]["dependencies"], id="what the package needs"),
            pytest.param("build", PROJECT["build-system"]["requires"], id="what builds it"),
        ],
    )
    def test_it_has_what_the_project_asks_for(self, name: str, asked: list[str]) -> None:
        versions = {row.name: row.version for row in locked(name)}
        wanted = [Requirement(line) for line in asked]

        assert set() == {each.name for each in wanted} - set(versions)
        assert [] == [str(each) for each in wanted if not each.specifier.contains(versions[normal(each.name)])]

    @pytest.mark.parametrize("name", ["build", "tools"])
    def test_it_has_what_its_list_asks_for(self, name: str) -> None:
        lines = (ROOT / "release" / f"{name}.in").read_text(encoding="utf-8").splitlines()
        wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
        versions = {row.name: row.version for row in locked(name)}

        assert [] == [str(each) for each in wanted if not each.specifier.contains(versions.get(each.name, "0"))]

    def test_the_backend_is_the_one_that_pyproject_names(self) -> None:
        lines = (ROOT / "release" / "build.in").read_text(encoding="utf-8").splitlines()
        assert PROJECT["build-system"]["requires"] == [line for line in lines if not line.startswith("#")]

    def test_the_lists_agree_where_they_meet(self) -> None:
        """They are installed together to build the plugin for krew."""
        versions: dict[str, set[str]] = {}
        for row in (row for name in LOCKS for row in locked(name)):
            versions.setdefault(row.name, set()).add(row.version)

        assert {} == {name: each for name, each in versions.items() if len(each) > 1}

    def test_an_environment_of_it_has_nothing_else(self, empty_environment: Path) -> None:
        """So nothing that only tests need is in it, and nothing is missing: `pip check` is asked in test_wheel.py."""
        rows = json.loads(pip(empty_environment, "list", "--format", "json"))
        found = {(normal(row["name"]), row["version"]) for row in rows if row["name"] != "remediator"}
        here = {
            (row.name, row.version)
            for row in locked("requirements")
            if row.requirement.marker is None or row.requirement.marker.evaluate()
        }
        assert here == found

    @pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
    def test_both_kinds_of_machine_find_wheels_for_the_image_s_python(
        self, machine: str, empty_environment: Path, tmp_path: Path
    ) -> None:
        """Nothing is compiled: what is not plain Python has a wheel, and the wheel's hash is in the list."""
        (version,) = set(re.findall(r"python:(\d+\.\d+)\.", DOCKERFILE))
        rows = [row for row in locked("requirements") if row.name in built(empty_environment)]
        asked = tmp_path / "requirements.txt"
        asked.write_text("\n".join(" --hash=".join((str(row.requirement), *row.hashes)) for row in rows))
        tags = [part for glibc in ("2_17", "2_28") for part in ("--platform", f"manylinux_{glibc}_{machine}")]
        place = (
            "--target",
            str(tmp_path),
            "--python-version",
            version,
            *tags,
            "--platform",
            f"manylinux2014_{machine}",
        )

        assert {"google-re2", "promql-parser", "pydantic-core", "pyyaml"} <= {row.name for row in rows}
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--require-hashes", "--no-deps"),
                *("--only-binary", ":all:", *place, "-r", str(asked)),
            ],
            timeout=300,
            check=True,
        )


def built(environment: Path) -> set[str]:
    """The packages there that are not plain Python, as their wheels say."""
    wheels = (environment / "lib").glob("python*/site-packages/*.dist-info/WHEEL")
    return {
        normal(path.parent.name.partition("-")[0]) for path in wheels if "Root-Is-Purelib: false" in path.read_text()
    }


# -- what is in it


@pytest.fixture(scope="module")
def told(empty_environment: Path) -> dict[str, Any]:
    return bill(empty_environment)


class TestBill:
    def test_lists_every_package_of_the_lock_file(self, told: dict[str, Any]) -> None:
        expected = {
            f"pkg:pypi/{canonicalize_name(row.name)}@{row.version}"
            for row in locked("requirements")
            if row.requirement.marker is None or row.requirement.marker.evaluate()
        }
        assert expected == {part["purl"] for part in told["components"]}

    def test_is_of_the_program_and_says_what_that_needs(self, told: dict[str, Any]) -> None:
        root = told["metadata"]["component"]
        needs = {row["ref"]: row.get("dependsOn", []) for row in told["dependencies"]}[root["bom-ref"]]
        asked = {normal(Requirement(line).name) for line in PROJECT["project"]["dependencies"]}

        assert ("application", "remediator", remediator.__version__) == (root["type"], root["name"], root["version"])
        assert asked == {normal(each.partition("==")[0]) for each in needs}

    def test_names_a_licence_for_every_package(self, told: dict[str, Any]) -> None:
        nameless = {part["name"] for part in told["components"] if not part.get("licenses")}

        # Its licence is a file of its wheel (MIT), which its metadata does not name.
        assert set() == nameless - {"promql-parser"}

    def test_is_the_same_again_and_knows_nothing_of_this_machine(
        self, told: dict[str, Any], empty_environment: Path
    ) -> None:
        text = json.dumps(told)

        assert text == json.dumps(bill(empty_environment))
        assert "file:" not in text
