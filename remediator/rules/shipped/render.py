"""From parameters to rule files: the mesh's, and the remediator's own."""

from __future__ import annotations

from typing import Final

from remediator.errors import InputError
from remediator.rules.model import RuleFile
from remediator.rules.shipped.canary import canary_groups
from remediator.rules.shipped.latency import latency_groups
from remediator.rules.shipped.mirror import mirror_groups
from remediator.rules.shipped.ourselves import our_group
from remediator.rules.shipped.parameters import Parameters, option

MESH_WIDE: Final = "mesh-wide"
REMEDIATOR: Final = "remediator"
FILES: Final = (MESH_WIDE, REMEDIATOR)
"""What is rendered, in this order."""


def render(parameters: Parameters) -> tuple[RuleFile, ...]:
    """The shipped rules.

    Raises:
        InputError: an alert is named that there is none of.
    """
    _check_names(parameters)
    return _files(parameters)


def _files(parameters: Parameters) -> tuple[RuleFile, ...]:
    mesh = (*canary_groups(parameters), *mirror_groups(parameters), *latency_groups(parameters))
    return (
        RuleFile(MESH_WIDE, mesh, parameters.labels),
        RuleFile(REMEDIATOR, (our_group(parameters),), parameters.labels),
    )


def alert_names() -> tuple[str, ...]:
    """Every alert there is, in the order of the files."""
    alerts = (alert for file in _files(Parameters()) for group in file.groups for alert in group.alerts)
    return tuple(dict.fromkeys(alert.alert for alert in alerts))


def _check_names(parameters: Parameters) -> None:
    known = alert_names()
    for name in ("severities", "remediations", "without"):
        unknown = sorted(set(getattr(parameters, name)) - set(known))
        if unknown:
            raise InputError(f"{option(name)}: there is no alert {unknown[0]}; there are {', '.join(known)}")
    ours = sorted({alert.alert for alert in our_group(Parameters()).alerts} & set(parameters.remediations))
    if ours:
        raise InputError(f"{option('remediations')}: {ours[0]} accuses no version, so that nothing could be taken away")
