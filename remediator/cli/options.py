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

NOW = "now"

PLACE = ("manifests", "kubeconfig", "context")
"""The settings that say which cluster."""


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
        click.option(
            "--at",
            metavar="TIME",
            help=f"When the alerts are judged: {NOW}, or such as 2026-08-01T12:00:00Z. Without it: with files when the "
            "alert began, on a cluster now.",
        ),
        settings_options(
            ("policies", *PLACE, "namespaces", "root-namespace", "mode", "opt-in", "budget", "max-alert-age")
        ),
        output_option,
    ]
    return _all_of(options)(command)


def output_option(command: Decorated) -> Decorated:
    """For a person, or for a program."""
    option = click.option(
        "-o",
        "--output",
        type=click.Choice(OUTPUTS),
        default=OUTPUTS[0],
        show_default=True,
        help="For a person, or for a program.",
    )
    return option(command)


def records_options(command: Decorated) -> Decorated:
    """Where records are, in which form they are shown, and -n."""
    options: list[Decorator] = [
        click.option("-n", "--namespace", metavar="NAMESPACE", help="Only there. Without it: in all namespaces."),
        settings_options(PLACE),
        output_option,
    ]
    return _all_of(options)(command)


def request_options(command: Decorated) -> Decorated:
    """Who asks for something by hand, and why."""
    options: list[Decorator] = [
        click.option("--by", metavar="WHO", help="Who asks, for the record. Without it: your account here."),
        click.option("--reason", metavar="TEXT", help="Why, for the record."),
    ]
    return _all_of(options)(command)


def answer_options(command: Decorated) -> Decorated:
    """What `approve` and `reject` share."""
    options: list[Decorator] = [
        request_options,
        click.option(
            "--wait",
            metavar="DURATION",
            default="15s",
            show_default=True,
            help="How long to wait until a service has acted on it; 0 does not.",
        ),
        records_options,
    ]
    return _all_of(options)(command)


def by_hand_options(command: Decorated) -> Decorated:
    """What `rollback` and `stop-mirror` share."""
    options: list[Decorator] = [
        click.option(
            "--service",
            metavar="HOST",
            help="Whose version --suspect is. Needed only where several hosts of the object have such a version.",
        ),
        click.option("-n", "--namespace", metavar="NAMESPACE", help="Where the VirtualService is, if NAME is given."),
        request_options,
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
        click.option("--dry-run", is_flag=True, help="Let the server try it and keep nothing; nothing is recorded."),
        settings_options(PLACE),
        output_option,
    ]
    return _all_of(options)(command)


def _all_of(options: Iterable[Decorator]) -> Decorator:
    def decorate(command: Decorated) -> Decorated:
        for option in reversed(tuple(options)):
            command = option(command)
        return command

    return decorate
