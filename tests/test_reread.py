"""Files that may be replaced at any moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from remediator.errors import SettingsError
from remediator.reread import Reread

Made = Callable[[], Reread[str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("one")
    return path


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def made(file: Path, told: list[str]) -> Made:
    def read() -> str:
        told.append("read")
        text = file.read_text()
        if text.startswith("bad"):
            raise SettingsError(text)
        return text

    return lambda: Reread((file,), read, changed=told.append, failed=lambda error: told.append(f"no: {error}"))


def test_it_is_read_once_while_nothing_changes(made: Made, told: list[str]) -> None:
    found = made()
    assert ["one", "one"] == [found.current(), found.current()]
    assert ["read"] == told


def test_a_change_is_read_and_told(made: Made, file: Path, told: list[str]) -> None:
    found = made()
    file.write_text("another")
    assert ("one", "another", "another") == (found.last, found.current(), found.last)
    assert ["read", "read", "another"] == told


def test_the_swap_of_a_link_is_a_change(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(name)
    link, file = tmp_path / "..data", tmp_path / "..data" / "token"
    link.symlink_to("old")
    found = Reread((file,), file.read_text, changed=lambda _: None, failed=lambda _: None)
    fresh = tmp_path / "fresh"
    fresh.symlink_to("new")
    fresh.replace(link)
    assert ("old", "new") == (found.last, found.current())


def test_what_cannot_be_used_is_told_once_and_changes_nothing(made: Made, file: Path, told: list[str]) -> None:
    found = made()
    file.write_text("bad content")
    assert ["one", "one"] == [found.current(), found.current()]
    assert ["read", "read", "no: bad content"] == told


def test_a_file_that_is_gone_for_a_while_changes_nothing(made: Made, file: Path) -> None:
    found = made()
    file.unlink()
    assert "one" == found.current()
    file.write_text("back again")
    assert "back again" == found.current()


def test_what_cannot_be_used_from_the_start_is_an_error(made: Made, file: Path) -> None:
    file.write_text("bad from the start")
    with pytest.raises(SettingsError, match="bad from the start"):
        made()
