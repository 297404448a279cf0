"""The options of `rules render`, made from the parameters of the shipped rules, so that neither can lack one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, get_args, get_type_hints

import click

from remediator.rules.shipped.parameters import Parameters, option

Decorated = Callable[..., Any]


def parameter_options(command: Decorated) -> Decorated:
    """An option for each parameter."""
    hints = get_type_hints(Parameters, include_extras=True)
    for parameter in reversed(fields(Parameters)):
        kind, text = get_args(hints[parameter.name])
        command = _option(parameter, kind, text)(command)
    return command


def parameters_of(values: dict[str, Any]) -> Parameters:
    """The parameters, of the command's own flags.

    Args:
        values: what click gives for `parameter_options`.

    Raises:
        InputError: a value that no rule can be rendered with.
    """
    return Parameters(**{name: value for name, value in values.items() if value not in (None, ())})


def _option(parameter: Field[Any], kind: Any, text: str) -> Callable[[Decorated], Decorated]:
    flag = option(parameter.name)
    if kind is bool:
        return click.option(flag, parameter.name, is_flag=True, default=None, help=text)
    if kind in {str, int, float}:
        metavar = {str: "TEXT", int: "N", float: "X"}[kind]
        return click.option(flag, parameter.name, type=kind, metavar=metavar, help=text + _default(parameter))
    if kind == tuple[int, ...]:
        return click.option(flag, parameter.name, metavar="N,N…", callback=_numbers, help=text + _default(parameter))
    if kind == frozenset[str]:
        return click.option(flag, parameter.name, metavar="ALERT", multiple=True, callback=_names, help=text)
    return click.option(flag, parameter.name, metavar="NAME=VALUE", multiple=True, callback=_pairs, help=text)


def _default(parameter: Field[Any]) -> str:
    if parameter.default in (MISSING, ""):
        return ""
    default = parameter.default
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
    return f"  [default: {shown}]"


def _numbers(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    try:
        return tuple(int(number) for number in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of whole numbers, such as 100,250,500") from None


def _names(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> frozenset[str] | None:
    return frozenset(value) or None


def _pairs(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> Mapping[str, str] | None:
    pairs = {}
    for text in value:
        name, equals, wanted = text.partition("=")
        if not (name and equals and wanted):
            raise click.BadParameter(f"{text!r} is not NAME=VALUE")
        pairs[name] = wanted
    return pairs or None
