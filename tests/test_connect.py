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
        pytest.param(None, "No configuration found", id="no such file"),
        pytest.param("", "empty", id="empty"),
        pytest.param("- a\n- b\n", "cannot be used", id="a list"),
        pytest.param("a: [", "cannot be used", id="no YAML"),
        pytest.param("apiVersion: v1\nclusters: []\ncontexts: []\nusers: []\n", "cannot be used", id="no context"),
    ],
)
def test_broken_credentials_say_which_file_and_what_to_do(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        connect(str(path))
    assert f"kubeconfig {path}" in str(caught.value)
    assert words in str(caught.value)
    assert "--kubeconfig" in str(caught.value)


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
