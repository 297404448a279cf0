"""The plugin as kubectl runs it: the real kubectl, with the wheel's programs on the PATH."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import click
import pytest

from remediator.cli.main import program
from remediator.cli.plugin import FILES, NO_FILES, called_as_plugin, candidates
from tests import builders
from tests.contract import manifest
from tests.packaged import clean_surroundings
from tests.processes import Missing, binary
from tests.real_world import Start
from tests.servers import ApiServer

# -- candidates


def offered(*words: str) -> tuple[list[str], int]:
    """The words that are offered, and what the shell may do besides."""
    *lines, directive = candidates(program, words)
    return [line.partition("\t")[0] for line in lines], int(directive.removeprefix(":"))


@pytest.mark.parametrize(
    ("words", "expected", "directive"),
    [
        pytest.param(("und",), ["undo"], NO_FILES, id="a command that is begun"),
        pytest.param(("list", "--ph"), ["--phase"], NO_FILES, id="an option that is begun"),
        pytest.param(("list", "--all"), ["--all-namespaces"], NO_FILES, id="as kubectl calls it"),
        pytest.param(("list", "--output", ""), ["text", "json", "yaml"], NO_FILES, id="the value of a choice"),
        pytest.param(("rules", ""), ["render"], NO_FILES, id="a command of a group"),
        pytest.param(("show", "--kubeconfig", ""), [], FILES, id="the value of an option, which may be a file"),
        pytest.param(("check", ""), [], FILES, id="paths"),
        pytest.param(("show", ""), [], NO_FILES, id="a name, which only the cluster knows"),
    ],
)
def test_what_is_offered(words: tuple[str, ...], expected: list[str], directive: int) -> None:
    assert (expected, directive) == offered(*words)


@pytest.mark.parametrize("words", [(), ("",)], ids=["no word at all", "an empty word"])
def test_at_the_beginning_every_command_is_offered(words: tuple[str, ...]) -> None:
    assert (sorted(program.commands), NO_FILES) == offered(*words)


def test_a_candidate_has_what_its_help_says() -> None:
    first, *_ = candidates(program, ["undo"])
    assert first.startswith("undo\tPut back what a remediation changed")


def test_examples_are_called_as_the_plugin() -> None:
    @click.group()
    def group() -> None: ...

    @group.group()
    def inner() -> None: ...

    @inner.command()
    def leaf() -> None:
        """Do it.

        \b
        Example:
          remediator inner leaf | remediator-like
        """

    called_as_plugin(group)

    assert "  kubectl remediate inner leaf | remediator-like" in (leaf.help or "")


# -- kubectl


@pytest.mark.servers
class TestKubectl:
    @pytest.fixture
    def kubectl(self, empty_environment: Path, tmp_path: Path) -> Kubectl:
        try:
            return Kubectl(binary("KUBEBUILDER_ASSETS", "kubectl"), empty_environment, tmp_path)
        except Missing as missing:
            pytest.skip(str(missing))

    def test_finds_the_plugin_and_warns_of_nothing(self, kubectl: Kubectl, empty_environment: Path) -> None:
        listed = kubectl("plugin", "list")
        (found,) = [line for line in listed.splitlines() if "remediate" in line]

        assert str(empty_environment / "bin" / "kubectl-remediate") == found.strip()

    def test_shows_its_help_under_its_own_name(self, kubectl: Kubectl) -> None:
        text = kubectl("remediate", "undo", "--help")

        assert text.startswith("Usage: kubectl remediate undo [OPTIONS] NAME|NAMESPACE/NAME")
        assert "    kubectl remediate undo shop/canary-errors-1b8a1b9b1d55" in text

    def test_completes_its_command_line(self, kubectl: Kubectl) -> None:
        """`__complete` is what the scripts of `kubectl completion` call."""
        lines = kubectl("__complete", "remediate", "list", "--ph").splitlines()

        assert ["--phase", ":4"] == [line.partition("\t")[0] for line in lines]

    def test_talks_to_the_cluster_that_kubectl_would(
        self, kubectl: Kubectl, api_server: ApiServer, start: Start
    ) -> None:
        world = start()
        world.create(manifest(builders.virtual_service({"route": builders.split(v1=90, v2=10)})))
        world.create(manifest(builders.destination_rule(v1="v1", v2="v2")))
        cluster = {"KUBECONFIG": str(api_server.kubeconfig())}
        kubectl("remediate", "rollback", "reviews", "-n", "shop", "--suspect", "v2", "--yes", **cluster)

        listed = {
            flags: json.loads(kubectl("remediate", "list", *flags, "-o", "json", **cluster))["items"]
            for flags in ((), ("-n", "default"), ("-n", "default", "-A", "--context", "test"))
        }
        found = {flags: [item["metadata"]["namespace"] for item in items] for flags, items in listed.items()}

        assert {
            (): ["shop"],
            ("-n", "default"): [],
            ("-n", "default", "-A", "--context", "test"): ["shop"],
        } == found


class Kubectl:
    """Runs kubectl where the plugin is on the PATH. AssertionError with what it says if it fails."""

    def __init__(self, program: str, environment: Path, home: Path) -> None:
        self._program = program
        self._environ = clean_surroundings(environment, HOME=str(home))

    def __call__(self, *arguments: str, **environ: str) -> str:
        done = subprocess.run(
            [self._program, *arguments],
            env=self._environ | environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout
