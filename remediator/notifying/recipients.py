"""Who is told: apprise's URLs from a file, one a line, each with the kinds of notices that it is told.

The only home of apprise, which takes its time to be imported and so is imported where a file is read. A URL is a secret
as a whole, for what looks like a host in it may be a token: of each, only its line and its scheme are ever shown.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from remediator.errors import SettingsError
from remediator.notifying.message import LONGEST, Message
from remediator.outcome import NoticeKind

if TYPE_CHECKING:
    from apprise import Apprise, AppriseAsset

MOST: Final = 20
_LARGEST_FILE: Final = 64 * 1024
_LINE = re.compile(
    r"(?:(?P<kinds>[A-Za-z]+(?:[ \t]*,[ \t]*[A-Za-z]+)*)[ \t]*=[ \t]*)?(?P<url>[A-Za-z0-9]{1,32}://\S.*)"
)
_CODE = re.compile(r"\berror=(\d{3})\b")
_SEND_S: Final = 30.0
_FLAG: Final = "--notify-file"

_Signature = tuple[int, int, int, int]

logger = logging.getLogger(__name__)

_hushed: ContextVar[bool] = ContextVar("hushed", default=False)


class _Discreet(logging.Filter):
    """Drops what libraries log meanwhile: apprise names parts of a URL, and urllib3 all of it where an answer is
    malformed."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's
        return not _hushed.get()


_DISCREET: Final = _Discreet()


@contextmanager
def _discreetly() -> Iterator[None]:
    """Let nothing be logged of what happens meanwhile in this context, which apprise's threads take over."""
    for handler in (*logging.getLogger().handlers, logging.lastResort):
        if handler is not None:
            handler.addFilter(_DISCREET)  # once, however often it is added
    token = _hushed.set(True)
    try:
        yield
    finally:
        _hushed.reset(token)


@dataclass(frozen=True, slots=True, eq=False)
class Addressee:
    """One line of the file. Equal only to itself."""

    line: int
    service: str
    """The URL's scheme."""
    kinds: frozenset[NoticeKind]
    longest: int
    """Characters of a body that the service takes."""
    raw: str = field(repr=False)
    """The whole line, a secret: the same line after a change of the file is the same recipient."""
    apprise: Apprise = field(repr=False)

    @property
    def where(self) -> str:
        """What may be shown of it."""
        return f"line {self.line}, {self.service}://"

    def send(self, message: Message) -> str | None:
        """Send; None, or why it was not taken. Never raises."""
        try:
            with _discreetly():
                result: Any = self.apprise.notify(
                    title=message.title,
                    body=message.body,
                    notify_type=message.tone.value,
                    body_format="text",
                    timeout=_SEND_S,
                )
                return None if result else _why(result)
        except Exception as error:  # noqa: BLE001 - a plugin's bug, and its text may hold the URL
            return f"apprise failed with {type(error).__name__}"


def _why(result: Any) -> str:
    """Why a message was not taken, in our own words: apprise's may hold parts of the URL."""
    if getattr(result.status, "name", "") == "TIMEOUT":
        return f"no answer within {_SEND_S:g} s"
    said = " ".join(str(entry.message) for entry in result.logs())
    code = _CODE.search(said)
    if code:
        return f"it answered {code[1]}"
    return "no connection" if "onnection" in said else "it was not taken"


class RecipientsFile:
    """Recipients from a file, which is looked at again and again, and read where it changed, also by the swap of a
    symbolic link, which is how Kubernetes updates a mounted Secret. A content that cannot be used is logged, and the
    old recipients stay. For one thread."""

    def __init__(self, path: Path, kinds: frozenset[NoticeKind]) -> None:
        """Read the file.

        Args:
            kinds: what a recipient is told whose line does not say.

        Raises:
            SettingsError: it cannot be read or understood; every line with a fault is named.
        """
        self._path = path
        self._kinds = kinds
        try:
            self._signature: _Signature | None = _signature(path)
            self._current = tuple(_read(path, kinds))
        except OSError as error:
            raise SettingsError(
                f"{_FLAG} {path}: cannot be read: {error.strerror}; give a file with one apprise URL a line"
            ) from error

    def current(self) -> tuple[Addressee, ...]:
        """The recipients in force. Never raises."""
        signature = self._signature_now()
        if signature != self._signature:
            # Taken before the content: a change in between is seen by the next look.
            self._signature = signature
            self._reload()
        return self._current

    def described(self) -> list[str]:
        """Each recipient, and what it is told; no secret."""
        return [
            f"{each.where}: {', '.join(kind for kind in NoticeKind if kind in each.kinds)}" for each in self._current
        ]

    def _reload(self) -> None:
        try:
            found = tuple(_read(self._path, self._kinds))
        except (OSError, SettingsError) as error:
            logger.warning("the file of recipients changed and cannot be used; the old ones stay: %s", error)
            return
        known = {(each.line, each.raw, each.kinds): each for each in self._current}
        self._current = tuple(known.get((each.line, each.raw, each.kinds), each) for each in found)
        logger.info("the file of recipients changed", extra={"recipients": self.described()})

    def _signature_now(self) -> _Signature | None:
        try:
            return _signature(self._path)
        except OSError:
            return None


def _signature(path: Path) -> _Signature:
    status = os.stat(path)
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def _read(path: Path, kinds: frozenset[NoticeKind]) -> list[Addressee]:
    """Every recipient of the file. Raises OSError, SettingsError."""
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise SettingsError(f"{_FLAG} {path}: larger than {_LARGEST_FILE} bytes; one apprise URL a line is expected")
    asset, faults, found = _asset(), list[str](), list[Addressee]()
    for number, line in _lines(content):
        made = _addressee(number, line, kinds, asset)
        if isinstance(made, str):
            faults.append(f"{_FLAG} {path}, line {number}: {made}")
        else:
            found.append(made)
    if not found and not faults:
        faults.append(
            f"{_FLAG} {path}: names nobody; write one apprise URL on a line of its own, or leave the flag out"
        )
    if len(found) > MOST:
        faults.append(f"{_FLAG} {path}: holds {len(found)} URLs; at most {MOST} are told")
    if faults:
        raise SettingsError("\n".join(faults))
    return found


def _lines(content: bytes) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        text = line.strip()
        if text and text[0] not in "#;":
            yield number, text


def _addressee(number: int, line: str, kinds: frozenset[NoticeKind], asset: AppriseAsset) -> Addressee | str:
    """What a line says, or what is wrong with it, without a word of the line itself."""
    from apprise import Apprise

    match = _LINE.fullmatch(line)
    if not match:
        return (
            "is no URL of apprise, such as slack://…; kinds of notices may stand before it: HoldLost,Failed=slack://…"
        )
    if match["kinds"]:
        words = [word.strip() for word in match["kinds"].split(",")]
        if not set(words) <= set(NoticeKind):
            return f"before = stands what is no kind of notice; the kinds are {', '.join(NoticeKind)}"
        kinds = frozenset(map(NoticeKind, words))
    service = match["url"].partition(":")[0].lower()
    with _discreetly():
        plugin = Apprise.instantiate(match["url"], asset=asset)
    if plugin is None:
        return f"apprise knows no service {service}://, or a part that its URLs need is missing or malformed"
    sender = Apprise(asset=asset)
    sender.add(plugin)
    room = int(plugin.body_maxlen) - (0 if plugin.title_maxlen else 150)
    return Addressee(number, service, kinds, max(min(LONGEST, room), 100), line, sender)


def _asset() -> AppriseAsset:
    """How apprise presents us: no picture from elsewhere, nothing kept on disk."""
    from apprise import AppriseAsset

    return AppriseAsset(
        app_id="remediator",
        app_desc="Takes traffic away from failing Istio canaries",
        app_url="",
        image_url_mask=None,
        image_url_logo=None,
        storage_mode="memory",
    )
