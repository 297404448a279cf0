"""Tokens: which are accepted, what is said of those that are not, and how the file is read again."""

from __future__ import annotations

import base64
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.errors import SettingsError
from remediator.web.auth import Anonymous, AuthVerdict, TokenFile
from tests.web_fakes import token_file

ACCEPTED, MISSING, NOT_ACCEPTED = AuthVerdict


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "verdict"),
    [
        pytest.param("Bearer s3cret", ACCEPTED, id="the token"),
        pytest.param("bearer  s3cret ", ACCEPTED, id="the scheme in any case, and spaces around"),
        pytest.param(basic("anyone", "s3cret"), ACCEPTED, id="the token as the password of Basic"),
        pytest.param(basic("", "s3cret"), ACCEPTED, id="Basic without a user"),
        pytest.param(None, MISSING, id="no header"),
        pytest.param("", MISSING, id="an empty header"),
        pytest.param("Bearer", MISSING, id="a scheme without a token"),
        pytest.param("Digest s3cret", MISSING, id="another scheme"),
        pytest.param("s3cret", MISSING, id="a token without a scheme"),
        pytest.param("Basic s3cret", MISSING, id="Basic that is not base64"),
        pytest.param(basic("s3cret", ""), MISSING, id="Basic with the token as the user"),
        pytest.param("Bearer wrong", NOT_ACCEPTED, id="another token"),
        pytest.param("Bearer s3cre", NOT_ACCEPTED, id="the beginning of the token"),
        pytest.param("Bearer s3cret2", NOT_ACCEPTED, id="the token and more"),
        pytest.param("Bearer s3\u00e9ret", NOT_ACCEPTED, id="a token that is not ASCII"),
        pytest.param(basic("anyone", "wrong"), NOT_ACCEPTED, id="another password"),
    ],
)
def test_check(tmp_path: Path, header: str | None, verdict: AuthVerdict) -> None:
    assert verdict is token_file(tmp_path, "s3cret").check(header)


@given(header=st.text())
def test_no_header_raises_and_none_gets_in(tmp_path_factory: pytest.TempPathFactory, header: str) -> None:
    assert token_file(tmp_path_factory.mktemp("tokens"), "a-token-nobody-guesses").check(header) is not ACCEPTED


def test_anonymous_accepts_everybody() -> None:
    assert ACCEPTED is Anonymous().check(None)


@pytest.mark.parametrize("token", ["old", "new"])
def test_two_tokens_are_accepted_while_rotating(tmp_path: Path, token: str) -> None:
    assert ACCEPTED is token_file(tmp_path, "", "  old ", "", "\tnew\r", "").check(f"Bearer {token}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "holds no token", id="an empty file"),
        pytest.param(b" \n\n\t\n", "holds no token", id="blank lines only"),
        pytest.param(b"a\nb\nc\n", "holds 3 tokens; at most 2", id="three tokens"),
        pytest.param(b"a\nb c\n", "line 2: a token is made of visible ASCII", id="a space within"),
        pytest.param("t\u00f6ken".encode(), "line 1: a token is made of visible ASCII", id="not ASCII"),
        pytest.param(b"x" * 20_000, "larger than 16384 bytes", id="something else than tokens"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_at_start(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as refusal:
        TokenFile(path)
    assert said in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_a_missing_file_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        TokenFile(tmp_path / "token")


def test_no_token_is_ever_shown(tmp_path: Path) -> None:
    tokens = token_file(tmp_path, "s3cret")
    assert "s3cret" not in repr(vars(tokens))


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    tokens = token_file(tmp_path, "old")
    token_file(tmp_path, "another")
    assert NOT_ACCEPTED is tokens.check("Bearer old")
    assert ACCEPTED is tokens.check("Bearer another")


def test_a_mounted_secret_changes_by_the_swap_of_a_symbolic_link(tmp_path: Path) -> None:
    """The kubelet writes a new folder, and renames a link over `..data`; the path that we know never changes."""
    for version, token in (("1", "first"), ("2", "other")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "token").write_text(token)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "token").symlink_to("..data/token")
    tokens = TokenFile(tmp_path / "token")
    assert ACCEPTED is tokens.check("Bearer first")

    (tmp_path / "..data_tmp").symlink_to("2")
    os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
    assert NOT_ACCEPTED is tokens.check("Bearer first")
    assert ACCEPTED is tokens.check("Bearer other")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda path: path.write_text(""), "holds no token", id="emptied"),
        pytest.param(lambda path: path.write_text("a\nb\nc"), "holds 3 tokens", id="three tokens"),
        pytest.param(Path.unlink, "No such file", id="deleted"),
    ],
)
def test_the_old_tokens_stay_while_the_file_cannot_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: object, said: str
) -> None:
    tokens = token_file(tmp_path, "old")
    assert callable(spoil)
    spoil(tmp_path / "token")
    with caplog.at_level(logging.INFO):
        assert ACCEPTED is tokens.check("Bearer old")
        assert ACCEPTED is tokens.check("Bearer old")
        assert 1 == len(caplog.records), "told once, not at each request"
        assert said in caplog.text

        token_file(tmp_path, "better")
        assert ACCEPTED is tokens.check("Bearer better")
        assert NOT_ACCEPTED is tokens.check("Bearer old")
    assert "1 token(s) are accepted now" in caplog.text
