"""Flags that several commands have."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import click

from remediator.settings import CONFIG, TABLE, Setting, Settings, read

Decorated = Callable[..., Any]
Decorator = Callable[[Decorated], Decorated]

OUTPUTS = ("text", "json", "yaml")


def settings_options(names: Iterable[str] | None = None) -> Decorator:
    """Flags for these settings (None: all of them), and `--config`.

    The values are taken as text: settings.read parses them, and reports every fault at once.
    """
    wanted = None if names is None else set(names)
    options = [_option(setting) for setting in TABLE if wanted is None or setting.name in wanted]
    options.append(
        click.option(
            f"--{CONFIG}", metavar="FILE", help="YAML whose keys are the names of settings; flags win over it."
        )
    )
    return _all_of(options)


def _option(setting: Setting) -> Decorator:
    if not setting.metavar:
        return click.option(setting.flag, is_flag=True, default=None, help=setting.help)
    text = setting.help + (f"  [default: {setting.default}]" if setting.default else "")
    return click.option(setting.flag, metavar=setting.metavar, multiple=setting.many, help=text)


def chosen(values: dict[str, Any], *, serving: bool = False) -> Settings:
    """The settings, of the command's own flags and the surroundings.

    Args:
        values: what click gives for `settings_options`; taken out of the mapping.
        serving: as for settings.read.

    Raises:
        SettingsError.
    """
    names = {setting.field: setting.name for setting in TABLE} | {CONFIG: CONFIG}
    given = {names[field]: values.pop(field) for field in tuple(values) if field in names}
    flags = {name: "true" if value is True else value for name, value in given.items() if value not in (None, ())}
    return read(flags, os.environ, serving=serving)


def situation_options(command: Decorated) -> Decorated:
    """What `plan` and `explain` look at."""
    options: list[Decorator] = [
        click.option(
            "--alert",
            required=True,
            metavar="FILE",
            help="A notification, a list of alerts or one alert, as JSON or YAML; - reads standard input.",
        ),
        click.option(
            "-f",
            "--filename",
            "files",
            multiple=True,
            metavar="PATH",
            help="Manifests to look at instead of a cluster: a file, a folder, or - for standard input. "
            "May be repeated; none is ever written.",
        ),
        settings_options(("policies", "manifests", "kubeconfig", "context", "namespaces", "mode")),
        click.option(
            "-o",
            "--output",
            type=click.Choice(OUTPUTS),
            default=OUTPUTS[0],
            show_default=True,
            help="For a person, or for a program.",
        ),
    ]
    return _all_of(options)(command)


def _all_of(options: Iterable[Decorator]) -> Decorator:
    def decorate(command: Decorated) -> Decorated:
        for option in reversed(tuple(options)):
            command = option(command)
        return command

    return decorate
