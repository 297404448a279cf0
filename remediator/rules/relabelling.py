"""What label_replace and label_join make of a vector's labels."""

from __future__ import annotations

from remediator.policies.expressions import Expression
from remediator.rules.expression import Call, Expr, Text
from remediator.rules.labels import MAYBE, PRESENT, Label, Labels, exactly

_WHOLE = {"(.*)", "(.+)"}
"""Expressions whose `$1` is the whole text."""
_ANYTHING = {".*", "(.*)"}
_SOMETHING = {".+", "(.+)"}


def applied(call: Call, labels: Labels) -> Labels:
    """The labels after a function; all but these two leave them alone."""
    texts = [_text(each) for each in call.arguments[1:]]
    if call.function == "label_replace" and len(texts) == 4:
        return labels.having(texts[0], _replaced(labels, texts))
    if call.function == "label_join" and len(texts) >= 2:
        destination, separator, *sources = texts
        return labels.having(destination, _joined([labels.of(each) for each in sources], separator))
    return labels


def _text(expr: Expr) -> str:
    return expr.value if isinstance(expr, Text) else ""


def _replaced(labels: Labels, texts: list[str]) -> Label:
    """What becomes of the destination: it stays where the expression does not match the source's whole value."""
    destination, replacement, source, pattern = texts
    before, given = labels.of(destination), labels.of(source)
    if given.values is None:
        new = _written(replacement, pattern, None)
        certain = pattern in _ANYTHING or (pattern in _SOMETHING and given.is_there)
        return new if certain else new.joined(before)
    try:
        expression = Expression(f"(?s:{pattern})")
    except ValueError:
        return MAYBE
    each = [
        _written(replacement, pattern, value) if expression.matches(value) else before for value in sorted(given.values)
    ]
    found = each[0]
    for label in each[1:]:
        found = found.joined(label)
    return found


def _written(replacement: str, pattern: str, value: str | None) -> Label:
    """What is written where the expression matches `value` (None: unknown)."""
    if "$" not in replacement:
        return exactly(replacement)
    if replacement in ("$1", "${1}") and pattern in _WHOLE:
        if value is not None:
            return exactly(value)
        return PRESENT if pattern in _SOMETHING else MAYBE
    return MAYBE


def _joined(sources: list[Label], separator: str) -> Label:
    values = [label.value for label in sources]
    if None not in values:
        return exactly(separator.join(value or "" for value in values))
    sure = any(label.is_there for label in sources) or (len(sources) > 1 and bool(separator))
    return PRESENT if sure else MAYBE
