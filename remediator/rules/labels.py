"""What is known of the labels of a vector's series: which are surely there, which may be, and with what values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from remediator.policies.matchers import Matcher

MOST_VALUES = 32
"""Values of one label that are told apart; beyond that it may be anything."""


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of one label. A label that is absent is the empty text, as everywhere in Prometheus."""

    values: frozenset[str] | None = None
    """All that it can be; None: anything."""
    surely: bool = False
    """Of one that can be anything: it is never empty."""

    @property
    def may_be_there(self) -> bool:
        """Whether a series can have it."""
        return self.values is None or any(self.values)

    @property
    def is_there(self) -> bool:
        """Whether every series has it."""
        return self.surely if self.values is None else "" not in self.values

    @property
    def value(self) -> str | None:
        """The one value that it can have; None: there are several, or nobody knows."""
        return next(iter(self.values)) if self.values is not None and len(self.values) == 1 else None

    def joined(self, other: Label) -> Label:
        """What is known of a label that is this one or that."""
        if self.values is None or other.values is None or len(self.values | other.values) > MOST_VALUES:
            return PRESENT if self.is_there and other.is_there else MAYBE
        return Label(self.values | other.values)

    def met(self, other: Label) -> Label | None:
        """What is known of a label that is both; None: there is no such value."""
        if self.values is None and other.values is None:
            return PRESENT if self.surely or other.surely else MAYBE
        if self.values is None:
            return other.met(self)
        values = self.values - {""} if other.surely else self.values
        values = values if other.values is None else values & other.values
        return Label(values) if values else None

    def where(self, matcher: Matcher) -> Label | None:
        """What is known of it on the series that a matcher lets through; None: there are none."""
        if self.values is not None:
            kept = frozenset(value for value in self.values if matcher.matches({matcher.name: value}))
            return Label(kept) if kept else None
        if matcher.op == "=":
            return exactly(matcher.value).met(self)
        return self if matcher.matches({}) else PRESENT

    def __str__(self) -> str:
        if self.values is None:
            return "present" if self.surely else "unknown"
        return " or ".join(f'"{value}"' if value else "absent" for value in sorted(self.values))


def exactly(value: str) -> Label:
    """A label of one known value."""
    return Label(frozenset({value}))


ABSENT = exactly("")
MAYBE = Label()
PRESENT = Label(surely=True)


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known of all labels of a vector's series."""

    named: Mapping[str, Label] = field(default_factory=dict)
    others: Label = MAYBE
    """Of every label that is not named."""

    def of(self, name: str) -> Label:
        """What is known of one label. There is none without a name, though label_replace may be given that."""
        return ABSENT if not name else self.named.get(name, self.others)

    @property
    def names(self) -> tuple[str, ...]:
        """The labels known by name that a series can have, in order."""
        return tuple(sorted(name for name, label in self.named.items() if label.may_be_there))

    def having(self, name: str, label: Label) -> Labels:
        """The same with another idea of one label."""
        return replace(self, named={**self.named, name: label})

    def only(self, names: Iterable[str]) -> Labels:
        """What an aggregation `by` these labels keeps."""
        return Labels({name: self.of(name) for name in names}, ABSENT)

    def without(self, names: Iterable[str]) -> Labels:
        """What an aggregation `without` these labels keeps."""
        return replace(self, named={**self.named, **dict.fromkeys(names, ABSENT)})

    def overridden(self, texts: Mapping[str, str]) -> Labels:
        """What a rule makes of them that sets these labels itself."""
        return replace(self, named={**self.named, **{name: exactly(value) for name, value in texts.items()}})

    def joined(self, other: Labels) -> Labels:
        """What is known of series that are of this vector or of that."""
        names = {*self.named, *other.named}
        return Labels({name: self.of(name).joined(other.of(name)) for name in names}, self.others.joined(other.others))

    def where(self, matchers: Iterable[Matcher]) -> Labels | None:
        """What is known of the series that matchers let through; None: there are none."""
        found = self
        for matcher in matchers:
            label = found.of(matcher.name).where(matcher)
            if label is None:
                return None
            found = found.having(matcher.name, label)
        return found


NO_LABELS = Labels(others=ABSENT)
ANY_LABELS = Labels()
