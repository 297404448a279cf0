"""The demo's course: a folder, the service as a child process, the notification twice, and the end."""

from __future__ import annotations

import json
import secrets
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from types import FrameType
from typing import Any

from remediator.alerts import fingerprint_of
from remediator.cli import demo_view
from remediator.cli.address import tried
from remediator.cli.demo_service import Answer, Service
from remediator.cli.render import console
from remediator.errors import InputError, RemediatorError
from remediator.settings import read

_FIRING_FOR = timedelta(seconds=45)
"""How long the alert has been firing when it is posted."""


class DemoFailed(RemediatorError):
    """The service did not do what the demo promises."""


class Stage:
    """The demo's folder.

    manifests/         what the service reads and changes
    original/          the same, as it was
    notification.json  what is posted
    token, serve.log   the service's
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifests = folder / "manifests"
        self.original = folder / "original"
        self.notification = folder / "notification.json"
        self.token = folder / "token"
        self.log = folder / "serve.log"

    def set_up(self) -> None:
        """Put everything there.

        Raises:
            InputError: the folder cannot be written.
        """
        try:
            self._set_up()
        except OSError as error:
            raise InputError(f"{error.filename or self.folder}: cannot be written: {error.strerror}") from error

    def _set_up(self) -> None:
        sample = files("remediator.cli") / "sample"
        for place in (self.manifests, self.original):
            place.mkdir()
            (place / "shop.yaml").write_bytes((sample / "shop.yaml").read_bytes())
        notification = _fresh(json.loads((sample / "notification.json").read_bytes()), datetime.now(UTC))
        self.notification.write_text(json.dumps(notification, indent=2) + "\n", encoding="utf-8")
        self.token.touch(mode=0o600)
        self.token.write_text(secrets.token_urlsafe(24) + "\n", encoding="ascii")


def _fresh(notification: dict[str, Any], now: datetime) -> dict[str, Any]:
    for alert in notification["alerts"]:
        alert["startsAt"] = (now - _FIRING_FOR).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        alert["fingerprint"] = fingerprint_of(alert["labels"])
    return notification


def show(listen: str, folder: str | None, *, once: bool) -> None:
    """Run the demo. Returns when it is over: at once with `once`, else at Ctrl-C.

    Raises:
        InputError: `folder` or `listen` cannot be used.
        RemediatorError: something went wrong; the message holds the end of the log.
    """
    address = tried(read({"listen": listen}, {}).listen)
    with _terminated_as_interrupted(), _folder(folder) as place:
        stage = Stage(place)
        stage.set_up()
        service = Service(address, stage.manifests, stage.token, stage.log)
        with service.running():
            record = _perform(stage, service)
            if once:
                return
            out = console()
            demo_view.say_next(out, stage.folder, service.url, record)
            # Ctrl-C is how it ends, so nothing went wrong.
            with suppress(KeyboardInterrupt):
                service.wait()
            demo_view.say_goodbye(out, None if folder is None else stage.folder)


def _perform(stage: Stage, service: Service) -> str:
    """Show it all. Returns the record's name."""
    out = console()
    demo_view.say_welcome(out, service.url, stage.manifests)
    payload = stage.notification.read_bytes()
    demo_view.say_alert(out, json.loads(payload)["alerts"][0])
    answer = _delivered(service, payload, "Applied")
    demo_view.say_policy(out, service.policy(answer.rows[0]["policy"]))
    name = "shop.yaml"
    demo_view.say_diff_of(out, (stage.original / name).read_text(), (stage.manifests / name).read_text(), name)
    demo_view.say_answer(out, answer)
    demo_view.say_second(out, _delivered(service, payload, "Unchanged"))
    record = service.record(answer.rows[0])
    demo_view.say_record(out, record)
    return "{namespace}/{name}".format(**record["metadata"])


def _delivered(service: Service, payload: bytes, expected: str) -> Answer:
    answer = service.deliver(payload)
    if answer.code != 200 or [row["outcome"] for row in answer.rows] != [expected]:
        found = json.dumps(answer.rows)
        raise DemoFailed(f"expected one outcome {expected}, got HTTP {answer.code} with {found}\n{service.log_tail()}")
    return answer


@contextmanager
def _folder(given: str | None) -> Iterator[Path]:
    if given is None:
        with tempfile.TemporaryDirectory(prefix="remediator-demo-") as name:
            yield Path(name)
        return
    folder = Path(given)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"--folder {folder}: must be a new or an empty folder; nothing there is overwritten")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--folder {folder}: cannot be created: {error.strerror}; name another") from error
    yield folder.absolute()


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does, so that the service and the folder do not stay behind."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
