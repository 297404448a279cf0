"""What can be told from the expressions alone, be it of alerts or of recorded series."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from remediator.checking.findings import Code, Finding
from remediator.checking.rulebook import Entry, RuleBook
from remediator.policies.quantities import format_duration
from remediator.rules import istio
from remediator.rules.expression import Aggregation, Call, Expr, Selector, children, selectors, walk
from remediator.rules.labelling import Found

LEAST_SCRAPES = 4
"""In a window: with fewer, one late or lost scrape leaves `rate` nothing to go by."""
_RATES = frozenset({"rate", "increase"})
_SUMMING = frozenset({"sum", "avg", "min", "max"})


def expression_findings(book: RuleBook, scrape: timedelta) -> Iterator[Finding]:
    """Everything that is wrong with expressions; `scrape` is how often Prometheus asks the proxies."""
    for entry in book.entries:
        if entry.expr is None:
            first = entry.rule.expr.strip().partition("\n")[0]
            shown = first if len(first) <= 60 else first[:60] + "…"
            yield Finding(Code.PROMQL, entry.where, f"not PromQL: {entry.fault}, in: {shown}", "correct the expression")
    for entry, found in book.found:
        if not book.is_ours(entry):
            continue
        yield from _metrics(entry)
        yield from _reporters(entry)
        yield from _impossible(entry, found)
        yield from _buckets(book, entry)
        yield from _windows(book, entry, scrape)


def _expr(entry: Entry) -> Expr:
    if entry.expr is None:
        raise ValueError("a rule that is no PromQL")
    return entry.expr


def _metrics(entry: Entry) -> Iterator[Finding]:
    for name in sorted({each.name for each in selectors(_expr(entry)) if istio.is_unknown(each.name)}):
        known = ", ".join((*istio.COUNTERS, *istio.HISTOGRAMS))
        message = f"{name} is no metric of Istio, so this never gives anything"
        yield Finding(Code.UNKNOWN_METRIC, entry.where, message, f"Istio has {known}")


def _reporters(entry: Entry) -> Iterator[Finding]:
    double = {str(each): each for each in selectors(_expr(entry)) if istio.is_traffic(each) and istio.both_sides(each)}
    for text in double:
        yield Finding(
            Code.REPORTER,
            entry.where,
            f"{text} counts a request twice: the proxies on both ends report it",
            'add reporter="source" for what users see of a canary, reporter="destination" for mirrors',
        )


def _impossible(entry: Entry, found: Found) -> Iterator[Finding]:
    for miss in dict.fromkeys(found.mismatches):
        yield Finding(
            Code.NEVER_MATCHES,
            entry.where,
            f"the sides of `{miss.operator}` never match: {miss.label} is {miss.left} on the left and {miss.right} on "
            "the right",
            f"aggregate {miss.label} away on both sides, or write ignoring ({miss.label})",
        )
    for text in dict.fromkeys(map(str, found.dead)):
        message = f"{text} selects nothing: the rules that record it set other labels"
        yield Finding(Code.NEVER_MATCHES, entry.where, message, "compare its matchers with those rules")


def _buckets(book: RuleBook, entry: Entry) -> Iterator[Finding]:
    """`le` lost on the way: buckets are cumulative, and their sum over `le` says nothing."""
    hint = "keep le: sum by (le, …) (…)"
    for each in walk(_expr(entry)):
        if isinstance(each, Aggregation) and _drops_le(each):
            yield Finding(Code.LE_LOST, entry.where, f"{each.operator} drops le from the buckets of a histogram", hint)
            return
        if isinstance(each, Call) and each.function == "histogram_quantile" and _without_le(book, each):
            message = "histogram_quantile gives nothing: its buckets have lost le"
            yield Finding(Code.LE_LOST, entry.where, message, hint)
            return


def _drops_le(expr: Aggregation) -> bool:
    kept = ("le" in expr.grouping.labels) is not expr.grouping.without
    if kept or expr.operator not in _SUMMING:
        return False
    return any(each.name.endswith("_bucket") and each.matcher("le") is None for each in _within(expr.of))


def _within(expr: Expr) -> Iterator[Selector]:
    """The selectors that no other aggregation stands before."""
    if isinstance(expr, Selector):
        yield expr
    elif not isinstance(expr, Aggregation):
        for child in children(expr):
            yield from _within(child)


def _without_le(book: RuleBook, call: Call) -> bool:
    buckets = call.arguments[1]
    classic = any(name.endswith("_bucket") for name in book.scraped(buckets))
    return classic and not book.labels_of(buckets).of("le").may_be_there


def _windows(book: RuleBook, entry: Entry, scrape: timedelta) -> Iterator[Finding]:
    calls = (each for each in walk(_expr(entry)) if isinstance(each, Call) and each.function in _RATES)
    short = {
        (call.function, window.range)
        for call in calls
        for window in call.arguments
        if isinstance(window, Selector) and window.range and window.name not in book.recorded
        if window.range < LEAST_SCRAPES * scrape
    }
    for function, range_ in sorted(short):
        yield Finding(
            Code.WINDOW_TOO_SHORT,
            entry.where,
            f"{function} over {format_duration(range_)} sees fewer than {LEAST_SCRAPES} scrapes, which come every "
            f"{format_duration(scrape)}",
            f"make it {format_duration(LEAST_SCRAPES * scrape)} or more, or say --scrape-interval",
        )
