"""Query parameters: only those that are there, and each once. A mistyped filter must not answer with everything."""

from __future__ import annotations

from werkzeug.datastructures import MultiDict

from remediator.errors import InputError
from remediator.logs import cut

_LONGEST_NAME = 80


class QueryError(InputError):
    """A query parameter is wrong: HTTP 400."""


def refuse_unknown(query: MultiDict[str, str], known: tuple[str, ...]) -> None:
    """Check the names of the parameters.

    Raises:
        QueryError: one is not `known`, or stands twice.
    """
    for name, values in query.lists():
        shown = cut(name, _LONGEST_NAME)
        if name not in known:
            there = f"the parameters are {', '.join(known)}" if known else "there are no parameters here"
            raise QueryError(f"{shown}: unknown; {there}")
        if len(values) > 1:
            raise QueryError(f"{shown}: stands {len(values)} times; give it once")
