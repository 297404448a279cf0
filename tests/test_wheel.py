"""What people install: the wheel and the sdist are whole, built alike everywhere, and work where nothing else is."""

from __future__ import annotations

import json
import subprocess
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import builders
from tests.packaged import EPOCH, ROOT, build, clean_surroundings, copied, digest, pip
from tests.processes import Process, free_port, wait_until

SHIPPED = {"policies": "policies", "rules": "rules", "chart/crds": "crds"}


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def files(folder: Path) -> set[str]:
    """What a folder holds, without what Python and tools leave there."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


class TestWheel:
    def test_holds_every_file_of_the_package_and_what_is_shipped_with_it_and_no_other(self, wheel: Path) -> None:
        ours = {f"remediator/{name}" for name in files(ROOT / "remediator")}
        shipped = {
            f"remediator/_shipped/{place}/{name}" for source, place in SHIPPED.items() for name in files(ROOT / source)
        }
        # Of chart/files, the list of permissions alone.
        assert ours | shipped | {"remediator/_shipped/permissions.yaml"} == names(wheel)

    def test_another_checkout_gives_the_same_bits(self, wheel: Path, tmp_path: Path) -> None:
        assert digest(wheel) == digest(build("wheel", copied(tmp_path), tmp_path / "again", TZ="Asia/Tokyo"))

    def test_everything_in_it_has_the_time_that_was_asked_for(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            assert {(2023, 11, 14, 22, 13, 20)} == {entry.date_time for entry in archive.infolist()}
        assert "1700000000" == EPOCH


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


class TestSdist:
    def test_gives_the_same_wheel(self, sdist: Path, wheel: Path, tmp_path: Path) -> None:
        with tarfile.open(sdist) as archive:
            archive.extractall(tmp_path, filter="data")
        (tree,) = tmp_path.iterdir()

        assert digest(wheel) == digest(build("wheel", tree, tmp_path / "dist"))

    def test_holds_what_the_tests_and_the_image_need_and_nothing_that_tools_left_behind(self, sdist: Path) -> None:
        with tarfile.open(sdist) as archive:
            held = {name.partition("/")[2] for name in archive.getnames()}
        folders = {name.partition("/")[0] for name in held if "/" in name}

        assert {"remediator", "policies", "rules", "chart", "tests", "docs", "benchmarks", "release"} == folders
        assert {"pyproject.toml", "README.md", "CHANGELOG.md", "Makefile", "Dockerfile", ".dockerignore"} <= held
        assert set() == {name for name in held if {"__pycache__", ".venv", "dist"} & set(name.split("/"))}


# -- from an empty environment


def said(environment: Path, folder: Path, *command: str) -> str:
    """What a command prints on standard output; it has to end well, and to complain of nothing."""
    done = subprocess.run(
        [str(environment / "bin" / command[0]), *command[1:]],
        cwd=folder,
        env=clean_surroundings(environment, TMPDIR=str(folder)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    return done.stdout


def kinds(text: str) -> list[str]:
    return [document["kind"] for document in yaml.safe_load_all(text) if document]


class TestEmptyEnvironment:
    def test_has_all_that_the_package_asks_for_in_versions_that_it_allows(self, empty_environment: Path) -> None:
        assert "No broken requirements found.\n" == pip(empty_environment, "check")

    @pytest.mark.parametrize(
        ("command", "begins"),
        [
            pytest.param(("remediator", "--help"), "Usage: remediator [OPTIONS] COMMAND", id="help"),
            pytest.param(("kubectl-remediate", "list", "--help"), "Usage: kubectl remediate list", id="the plugin"),
            pytest.param(("kubectl_complete-remediate", "und"), "undo\t", id="completion of the plugin"),
            pytest.param(("remediator", "--version"), "remediator, version 0.", id="version"),
        ],
    )
    def test_its_programs_answer(
        self, empty_environment: Path, tmp_path: Path, command: tuple[str, ...], begins: str
    ) -> None:
        assert said(empty_environment, tmp_path, *command).startswith(begins)

    def test_the_schema_and_the_definitions_are_there(self, empty_environment: Path, tmp_path: Path) -> None:
        schema = json.loads(said(empty_environment, tmp_path, "remediator", "schema"))
        definitions = said(empty_environment, tmp_path, "remediator", "schema", "--crd")

        assert "properties" in schema
        assert ["CustomResourceDefinition"] * len(files(ROOT / "chart" / "crds")) == kinds(definitions)

    def test_the_alert_rules_are_there(self, empty_environment: Path, tmp_path: Path) -> None:
        rendered = said(empty_environment, tmp_path, "remediator", "rules", "render")

        assert ["PrometheusRule"] * len(files(ROOT / "rules")) == kinds(rendered)

    def test_the_shipped_policies_are_there(self, empty_environment: Path, tmp_path: Path) -> None:
        alert = tmp_path / "alert.json"
        alert.write_text(json.dumps(builders.alert(builders.labels(alertname="CanaryHardDown"))))
        manifests = tmp_path / "shop.yaml"
        manifests.write_text(yaml.safe_dump_all(shop()))
        look = ("remediator", "plan", "--alert", str(alert), "-f", str(manifests), "--mode", "Observe")

        assert "canary-errors" in said(empty_environment, tmp_path, *look)

    def test_the_demo_runs_to_its_end(self, empty_environment: Path, tmp_path: Path) -> None:
        assert "Applied" in said(empty_environment, tmp_path, "remediator", "demo", "--once")


def shop() -> list[dict[str, Any]]:
    return [
        builders.virtual_service({"route": builders.split(v1=90, v2=10)}),
        builders.destination_rule(v1="v1", v2="v2"),
    ]


@pytest.fixture(scope="module")
def url(empty_environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service from the empty environment, on a folder."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "shop").mkdir()
    (folder / "shop" / "shop.yaml").write_text(yaml.safe_dump_all(shop()))
    address = f"127.0.0.1:{free_port()}"
    program = (str(empty_environment / "bin" / "remediator"), "serve", "--listen", address)
    process = Process((*program, "--manifests", "shop", "--allow-anonymous"), folder / "log", folder)
    process.start()
    try:
        wait_until(lambda: process.running() and answers(f"http://{address}/readyz"), "the service is ready")
        yield f"http://{address}"
    finally:
        process.terminate()


class TestServe:
    @pytest.mark.parametrize(
        ("path", "holds"),
        [
            pytest.param("/healthz", "ok", id="health"),
            pytest.param("/", "<title>", id="the page"),
            pytest.param("/openapi.json", '"/webhook"', id="the description"),
            pytest.param("/metrics", "remediator_build_info", id="the metrics"),
        ],
    )
    def test_answers(self, url: str, path: str, holds: str) -> None:
        assert holds in fetched(url + path)

    def test_acts_on_an_alert_by_the_shipped_policies(self, url: str) -> None:
        began = {"startsAt": datetime.now(UTC).isoformat()}
        alert = builders.alert(builders.labels(alertname="CanaryHardDown")) | began
        answer = json.loads(fetched(f"{url}/webhook", json.dumps(builders.notification([alert])).encode()))

        assert [("canary-errors", "Applied")] == [(row["policy"], row["outcome"]) for row in answer["outcomes"]]


def fetched(url: str, body: bytes | None = None) -> str:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        text: bytes = answer.read()
    return text.decode()


def answers(url: str) -> bool:
    try:
        return bool(fetched(url))
    except OSError:
        return False
