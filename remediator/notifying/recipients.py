"""Who is told: apprise's URLs from a file, one a line, each with the kinds of notices that it is told.

The only home of apprise, which takes its time to be imported and so is imported where a file is read. A URL is a secret
as a whole, for what looks like a host in it may be a token: of each, only its line and its scheme are ever shown.
"""

from __future__ import annotations

import logging
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
from remediator.reread import Reread

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
    """Recipients from a file, which is looked at again and again (reread.py). A content that cannot be used is logged,
    and the old recipients stay."""

    def __init__(self, path: Path, kinds: frozenset[NoticeKind]) -> None:
        """Read the file.

        Args:
            kinds: what a recipient is told whose line does not say.

        Raises:
            SettingsError: it cannot be read or understood; every line with a fault is named.
        """
        self._known: dict[tuple[int, str, frozenset[NoticeKind]], Addressee] = {}
        try:
            self._read = Reread((path,), lambda: self._merged(_read(path, kinds)), changed=self._tell, failed=_warn)
        except OSError as error:
            raise SettingsError(
                f"{_FLAG} {path}: cannot be read: {error.strerror}; give a file with one apprise URL a line"
            ) from error

    def current(self) -> tuple[Addressee, ...]:
        """The recipients in force. Never raises."""
        return self._read.current()

    def described(self) -> list[str]:
        """Each recipient, and what it is told; no secret."""
        return [
            f"{each.where}: {', '.join(kind for kind in NoticeKind if kind in each.kinds)}" for each in self._read.last
        ]

    def _merged(self, found: list[Addressee]) -> tuple[Addressee, ...]:
        """Those that were there before stay the same, so that what waits for them goes on."""
        self._known = {key: self._known.get(key, each) for each in found for key in [(each.line, each.raw, each.kinds)]}
        return tuple(self._known.values())

    def _tell(self, _: tuple[Addressee, ...]) -> None:
        logger.info("the file of recipients changed", extra={"recipients": self.described()})


def _warn(error: Exception) -> None:
    logger.warning("the file of recipients changed and cannot be used; the old ones stay: %s", error)


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
