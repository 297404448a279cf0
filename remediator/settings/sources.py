"""What flags, variables and the file say, as text, each with where it stands; what is not a setting is a fault."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from remediator.settings.table import CONFIG, PREFIX, TABLE

# Kubernetes gives every container variables for each Service of its namespace, and ours may be named remediator
# (kubernetes pkg/kubelet/envvars/envvars.go). One that ends in _PORT is such a variable only if it is an address.
_SERVICE_LINK = re.compile(
    rf"{PREFIX}(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_\w+)?)"
)
_SERVICE_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://.+")

_BY_NAME = {setting.name: setting for setting in TABLE}
_BY_VARIABLE = {setting.variable: setting for setting in TABLE}
_CONFIG_VARIABLE = PREFIX + CONFIG.upper()


@dataclass(frozen=True, slots=True)
class Given:
    """One setting as somebody wrote it."""

    origin: str
    """Where, as an error calls it: `--threads`, `REMEDIATOR_THREADS`, `r.yaml, key threads`."""
    texts: tuple[str, ...]


Givens = dict[str, Given]
"""By names of settings."""


def gather(
    flags: Mapping[str, str | Sequence[str]], environ: Mapping[str, str], faults: list[str]
) -> tuple[Givens, bool]:
    """All that is said, the stronger source winning, and whether that is all: False if the file cannot be read.

    Appends what is wrong to `faults`.
    """
    variables = _from_environment(environ, faults)
    config = flags.get(CONFIG) or environ.get(_CONFIG_VARIABLE)
    entries = _entries(Path(str(config)), faults) if config else ()
    keys = _from_file(Path(str(config)), entries, faults) if entries else {}
    return keys | variables | _from_flags(flags), entries is not None


def _from_flags(flags: Mapping[str, str | Sequence[str]]) -> Givens:
    named = {name: (value,) if isinstance(value, str) else tuple(value) for name, value in flags.items()}
    return {name: Given(f"--{name}", _split(name, texts)) for name, texts in named.items() if name != CONFIG}


def _from_environment(environ: Mapping[str, str], faults: list[str]) -> Givens:
    """An empty variable counts as none: many a template writes one."""
    known = (*_BY_VARIABLE, _CONFIG_VARIABLE)
    found = {}
    for variable, text in sorted(environ.items()):
        if variable in _BY_VARIABLE and text:
            name = _BY_VARIABLE[variable].name
            found[name] = Given(variable, _split(name, (text,)))
        elif variable.startswith(PREFIX) and variable not in known and not _is_service_link(variable, text):
            faults.append(f"{variable}: no such setting{_nearest(variable, known)}")
    return found


def _is_service_link(variable: str, text: str) -> bool:
    if _SERVICE_LINK.fullmatch(variable):
        return True
    return variable.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(text) is not None


def _from_file(path: Path, entries: Iterable[tuple[str, object]], faults: list[str]) -> Givens:
    found = {}
    for key, value in entries:
        origin = f"{path}, key {key}"
        if key not in _BY_NAME:
            faults.append(f"{origin}: no such setting{_nearest(key, tuple(_BY_NAME))}")
            continue
        many = _BY_NAME[key].many
        parts = value if many and isinstance(value, list) else [value]
        texts = tuple(text for part in parts if (text := _as_text(part)) is not None)
        if len(texts) < len(parts) or not texts:
            expected = "text, or a list of texts" if many else "one text or number, or true or false"
            faults.append(f"{origin}: expected {expected}; leave the key out for the default")
        else:
            found[key] = Given(origin, _split(key, texts))
    return found


def _entries(path: Path, faults: list[str]) -> tuple[tuple[str, object], ...] | None:
    """The keys and values of the file; None if they cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        faults.append(f"--config {path}: cannot be read: {why}")
        return None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        faults.append(f"--config {path}: not YAML: {' '.join(str(error).split())}")
        return None
    if data is None:
        return ()
    if not isinstance(data, dict) or not isinstance(root, yaml.MappingNode):
        faults.append(f"--config {path}: expected keys and values, such as `threads: 16`")
        return None
    keys = [str(key.value) for key, _ in root.value]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        # YAML lets the last one win, and a reader of the file sees the first.
        faults.append(f"{path}, key {key}: stands {keys.count(key)} times; keep one")
    return tuple((str(key), value) for key, value in data.items())


def _as_text(value: object) -> str | None:
    """A scalar as it would stand in a variable; None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | str) and value != "" else None


def _split(name: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    if name not in _BY_NAME or not _BY_NAME[name].many:
        return texts
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())


def _nearest(word: str, known: Sequence[str]) -> str:
    # Without the prefix, which all have in common and which would make any two look alike.
    bare = {name.removeprefix(PREFIX): name for name in known}
    near = difflib.get_close_matches(word.removeprefix(PREFIX), bare, n=1)
    return f"; did you mean {bare[near[0]]}?" if near else f"; there are {', '.join(sorted(known))}"
