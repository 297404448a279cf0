"""The kubectl plugin: its name in every text, and what kubectl asks when somebody presses the tab key.

kubectl finds a plugin by its name on the PATH, `kubectl-remediate`. Since 1.26 it completes one by a second program,
`kubectl_complete-remediate`: called with the words so far, of which the last is unfinished, it prints candidates, one a
line, a description behind a tab, and at the end a line `:N` that says what the shell may do besides
(kubernetes/sample-cli-plugin, Shell completion; spf13/cobra, ShellCompDirective).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence

import click
from click.shell_completion import CompletionItem, ShellComplete

PLUGIN = "kubectl remediate"
"""How people call it."""

PROGRAM = "kubectl-remediate"
"""The file that kubectl looks for."""

COMPLETER = "kubectl_complete-remediate"
"""The file that kubectl asks for candidates."""

FILES = 0
"""Nothing special: where there is no candidate, the shell offers files."""

NO_FILES = 4
FOLDERS = 16

_TEXT = "plain"
_FOLDER = "dir"


def called_as_plugin(group: click.Group) -> None:
    """Put the plugin's name into the examples of every help text below `group`; usage lines are click's."""
    for command in group.commands.values():
        # Click takes the indentation of docstrings away only when it shows them.
        command.help = inspect.cleandoc(command.help or "").replace("\n  remediator ", f"\n  {PLUGIN} ")
        if isinstance(command, click.Group):
            called_as_plugin(command)


def candidates(group: click.Group, words: Sequence[str]) -> Iterator[str]:
    """The lines of an answer to kubectl.

    Args:
        group: the program.
        words: what stands behind `kubectl remediate`; the last is unfinished, or empty.
    """
    *before, unfinished = words or ("",)
    items = ShellComplete(group, {}, PLUGIN, "").get_completions(before, unfinished)
    for item in items:
        if item.type == _TEXT:
            yield f"{item.value}\t{item.help}" if item.help else str(item.value)
    yield f":{_directive(items, before)}"


def _directive(items: Sequence[CompletionItem], before: Sequence[str]) -> int:
    kinds = {item.type for item in items}
    if _FOLDER in kinds:
        return FOLDERS
    # Click has no candidates for the value of an option that is text for it: most of those are files.
    value_is_open = not items and bool(before) and before[-1].startswith("-")
    return FILES if value_is_open or kinds - {_TEXT} else NO_FILES
