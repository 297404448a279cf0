"""Text → Settings, or one error with every fault of every source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import remediator
from remediator.errors import SettingsError
from remediator.outcome import NoticeKind
from remediator.settings.forms import Rate
from remediator.settings.sources import Given, Givens, gather
from remediator.settings.table import TABLE, Setting


@dataclass(frozen=True, slots=True)
class Settings:
    """What the service was told; table.TABLE says what each field means."""

    listen: str
    policies: tuple[Path, ...]
    manifests: Path | None
    kubeconfig: str | None
    context: str | None
    namespaces: tuple[str, ...]
    """Empty: all."""
    root_namespace: str
    token_file: Path | None
    allow_anonymous: bool
    tls_cert_file: Path | None
    tls_key_file: Path | None
    """Both, or neither."""
    mode: str
    """One of MODES."""
    opt_in: bool
    budget: Rate | None
    """None: there is none."""
    max_alert_age: float
    """Seconds; 0: any age will do."""
    approve_within: float
    """Seconds."""
    gitops_pause: bool
    known_bad: float
    """Seconds; 0: as long as there is the record."""
    prometheus_url: str | None
    verify_within: float
    """Seconds."""
    notify_file: Path | None
    notify_on: tuple[NoticeKind, ...]
    threads: int
    max_body: int
    """Bytes."""
    shutdown_grace: float
    """Seconds."""
    retention: float
    """Seconds; 0: finished records are kept for ever."""
    origins: Mapping[str, str]
    """Where each was found, by name: `--threads`, `REMEDIATOR_THREADS`, `r.yaml, key threads`, `default`."""


def read(flags: Mapping[str, str | Sequence[str]], environ: Mapping[str, str], *, serving: bool = False) -> Settings:
    """Read all settings.

    Args:
        flags: what stands on the command line, by names of settings; a switch is `true`. `config` names the file.
        environ: the environment.
        serving: whether what only `serve` needs must be there.

    Raises:
        SettingsError: one line for every fault: where it stands, what it is, what is allowed.
    """
    faults: list[str] = []
    given, is_complete = gather(flags, environ, faults)
    values = {setting.field: _value(setting, given.get(setting.name), faults) for setting in TABLE}
    # What is missing may stand in a file that could not be read.
    faults += _contradictions(given, serving=serving and is_complete)
    if serving:
        faults += _forgotten(given, values)
    if faults:
        raise SettingsError("\n".join(faults))
    origins = {setting.name: given[setting.name].origin if setting.name in given else "default" for setting in TABLE}
    return Settings(**values, origins=origins)  # type: ignore[arg-type] # each by the parser of its own field


def shown(settings: Settings) -> dict[str, object]:
    """Every setting by its name, as plain values. None is secret: of tokens and recipients, only the file is named."""
    return {setting.name: _plain(getattr(settings, setting.field)) for setting in TABLE}


def packaged_policies() -> Path:
    """The policies that come with the package; in an editable checkout, those beside it."""
    package = Path(remediator.__file__).parent
    shipped = package / "_shipped" / "policies" / "production"
    return shipped if shipped.is_dir() else package.parent / "policies" / "production"


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [str(part) for part in value]
    return str(value) if isinstance(value, Path | Rate) else value


def _value(setting: Setting, given: Given | None, faults: list[str]) -> object:
    if given is None:
        return _default(setting)
    values = [value for text in given.texts if (value := _parsed(setting, given.origin, text, faults)) is not None]
    if not given.texts:
        faults.append(f"{given.origin}: names nothing; leave it out for the default")
    return tuple(values) if setting.many else values[0] if values else None


def _parsed(setting: Setting, origin: str, text: str, faults: list[str]) -> object:
    if not text:
        faults.append(f"{origin}: is empty; leave it out for the default")
        return None
    try:
        return setting.parse(text)
    except ValueError as error:
        faults.append(f"{origin}: {_quoted(text)} {error}")
        return None


def _default(setting: Setting) -> object:
    if setting.name == "policies":
        return (packaged_policies(),)
    if setting.many:
        return tuple(setting.parse(text) for text in setting.default.split(",") if text)
    return setting.parse(setting.default) if setting.default else None


def _contradictions(given: Givens, *, serving: bool) -> Iterator[str]:
    for other in ("kubeconfig", "context", "namespaces"):
        if "manifests" in given and other in given:
            yield (
                f"{given['manifests'].origin} and {given[other].origin} exclude each other: the first names a folder"
                " that stands in for a cluster, the second belongs to a real one; give one of them"
            )
    if not serving:
        return
    yield from _half_a_pair(given)
    anonymous = given.get("allow-anonymous", Given("", ("false",)))
    is_anonymous = anonymous.texts != ("false",)
    if "token-file" in given and is_anonymous:
        yield f"{given['token-file'].origin} and {anonymous.origin} exclude each other; give one of them"
    if "token-file" not in given and not is_anonymous:
        yield "--token-file FILE is missing; or, where nobody but Alertmanager reaches the port, --allow-anonymous"


def _half_a_pair(given: Givens) -> Iterator[str]:
    pair = ("tls-cert-file", "tls-key-file")
    for name, other in (pair, pair[::-1]):
        if name in given and other not in given:
            yield f"{given[name].origin} is nothing without --{other} FILE; give both, or neither for HTTP"


def _forgotten(given: Givens, values: Mapping[str, object]) -> Iterator[str]:
    """What is known from records cannot be known for longer than they are kept."""
    known, kept = values["known_bad"], values["retention"]
    if isinstance(known, float) and isinstance(kept, float) and known > kept > 0:
        origin = given["known-bad"].origin if "known-bad" in given else "--known-bad, by default,"
        other = given["retention"].origin if "retention" in given else "--retention, by default,"
        yield f"{origin} is longer than {other} keeps the records that it is known from; lower it, or raise that"


def _quoted(text: str) -> str:
    """Without what stands for a user in a URL: it may be a password, and this is logged."""
    text = re.sub(r"//[^/]*@", "//…@", text)
    return repr(text if len(text) <= 80 else text[:80] + "…")
