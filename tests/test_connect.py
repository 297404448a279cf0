"""Credentials, and the index beside the watches."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediator.cluster.inventory import Inventory
from remediator.cluster.kubernetes import Index, connect
from remediator.errors import NotFound, SettingsError
from remediator.outcome import TargetRef
from tests.contract import REF, canary
from tests.real_world import Json
from tests.servers import ApiServer


@pytest.mark.servers
def test_connects_with_a_kubeconfig(api_server: ApiServer) -> None:
    cluster = connect(str(api_server.kubeconfig()), "test")
    with pytest.raises(NotFound):
        cluster.read(TargetRef("VirtualService", "nowhere", "nothing"))
    cluster.stop()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(None, "no such file", id="no such file"),
        pytest.param("", "{path} file is empty", id="empty"),
        pytest.param("- a\n- b\n", "it is YAML, but no kubeconfig", id="a list"),
        pytest.param("text", "it is YAML, but no kubeconfig", id="text"),
        pytest.param(
            "a: [",
            "while parsing a flow node expected the node content, but found '<stream end>' "
            'in "{path}", line 1, column 5',
            id="no YAML",
        ),
        pytest.param(
            "apiVersion: v1\nclusters: []\ncontexts: []\nusers: []\n",
            "Expected key current-context in {path}",
            id="no context",
        ),
    ],
)
def test_broken_credentials_say_which_file_and_what_to_do(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        connect(str(path))
    assert (
        f"no credentials for a cluster: kubeconfig {path}: {words.format(path=path)}."
        " Name another with --kubeconfig and --context, or run in a pod with a service account"
    ) == str(caught.value)


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r": cannot be read: Is a directory\. Name"):
        connect(str(tmp_path))


@pytest.mark.servers
def test_an_unknown_context_is_named(api_server: ApiServer) -> None:
    with pytest.raises(SettingsError, match="context staging"):
        connect(str(api_server.kubeconfig()), "staging")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param("7", "8", id="what the patch was made for: its answer"),
        pytest.param("8", "8", id="the patch's own event has come"),
        pytest.param("9", "9", id="somebody has changed it since"),
        pytest.param(None, None, id="somebody has deleted it since"),
    ],
)
def test_the_answer_to_a_patch_never_hides_what_came_after_it(known: str | None, expected: str | None) -> None:
    """A controller that puts the traffic back at once must be seen by the next alert."""
    inventory = Inventory()
    index = Index(inventory)
    if known:
        index.put(at(known))
    index.advance(REF, "7", at("8"))
    found = inventory.get(REF)
    assert expected == (found and found.routing.resource_version)


def at(version: str) -> Json:
    return canary(uid="u", resourceVersion=version)
