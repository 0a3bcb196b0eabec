"""Reads quantities: bounds ("at most 3", "between 1 and 5"), durations ("14 days", "a week"), periods ("a day".

"per month").

Each reader takes tokens and a position and gives what it read with the position behind it, or None. Bounds are
inclusive unless they say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from functions.neuron.reading.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.neuron.reading.tokens import Token

Period = Literal["day", "week", "month", "year"]


@dataclass(frozen=True)
class Bound:
    """A lower bound, an upper bound, or both. `exact`: a bare number."""

    low: int | float | None = None
    high: int | float | None = None
    low_open: bool = False
    high_open: bool = False
    exact: bool = False

    def negated(self) -> Bound:
        """Give what is left when this is forbidden: not more than 3 is at most 3."""
        return Bound(self.high, self.low, self.high_open is False, self.low_open is False)

    def whole(self) -> Bound:
        """The same bound for whole numbers, closed on both sides: more than 3 is at least 4."""
        low = self.low + 1 if self.low is not None and self.low_open else self.low
        high = self.high - 1 if self.high is not None and self.high_open else self.high
        return replace(self, low=low, high=high, low_open=False, high_open=False)


@dataclass(frozen=True)
class Duration:
    """A length of time."""

    days: int = 0
    hours: int = 0


# (words before the number) -> (side, open)
_COMPARATIVES: Final[dict[str, tuple[str, bool]]] = {
    "at most": ("high", False),
    "at the most": ("high", False),
    "no more than": ("high", False),
    "not more than": ("high", False),
    "never more than": ("high", False),
    "no greater than": ("high", False),
    "not greater than": ("high", False),
    "no longer than": ("high", False),
    "not longer than": ("high", False),
    "no larger than": ("high", False),
    "no higher than": ("high", False),
    "no later than": ("high", False),
    "up to": ("high", False),
    "upto": ("high", False),
    "a maximum of": ("high", False),
    "maximum of": ("high", False),
    "maximum": ("high", False),
    "a max of": ("high", False),
    "max of": ("high", False),
    "max": ("high", False),
    "maximally": ("high", False),
    "maximum length of": ("high", False),
    "maximum length": ("high", False),
    "max length": ("high", False),
    "not exceed": ("high", False),
    "not exceeding": ("high", False),
    "cannot exceed": ("high", False),
    "limited to": ("high", False),
    "capped at": ("high", False),
    "not over": ("high", False),
    "not above": ("high", False),
    "not be more than": ("high", False),
    "less than or equal to": ("high", False),
    "smaller than or equal to": ("high", False),
    "lower than or equal to": ("high", False),
    "< =": ("high", False),
    "≤": ("high", False),
    "less than": ("high", True),
    "fewer than": ("high", True),
    "smaller than": ("high", True),
    "lower than": ("high", True),
    "shorter than": ("high", True),
    "below": ("high", True),
    "under": ("high", True),
    "<": ("high", True),
    "at least": ("low", False),
    "at the least": ("low", False),
    "no less than": ("low", False),
    "not less than": ("low", False),
    "no fewer than": ("low", False),
    "not fewer than": ("low", False),
    "no lower than": ("low", False),
    "not below": ("low", False),
    "not before": ("low", False),
    "not earlier than": ("low", False),
    "no earlier than": ("low", False),
    "not after": ("high", False),
    "not later than": ("high", False),
    "not under": ("low", False),
    "never below": ("low", False),
    "not lower than": ("low", False),
    "never under": ("low", False),
    "not smaller than": ("low", False),
    "no smaller than": ("low", False),
    "no shorter than": ("low", False),
    "a minimum of": ("low", False),
    "minimum of": ("low", False),
    "minimum": ("low", False),
    "a min of": ("low", False),
    "min": ("low", False),
    "minimum length of": ("low", False),
    "minimum length": ("low", False),
    "min length": ("low", False),
    "greater than or equal to": ("low", False),
    "more than or equal to": ("low", False),
    "larger than or equal to": ("low", False),
    "> =": ("low", False),
    "≥": ("low", False),
    "starting at": ("low", False),
    "starting from": ("low", False),
    "upwards of": ("low", False),
    "more than": ("low", True),
    "greater than": ("low", True),
    "larger than": ("low", True),
    "bigger than": ("low", True),
    "higher than": ("low", True),
    "longer than": ("low", True),
    "over": ("low", True),
    "above": ("low", True),
    "exceed": ("low", True),
    "exceeds": ("low", True),
    "exceeding": ("low", True),
    ">": ("low", True),
    "older than": ("low", True),
    "exactly": ("both", False),
    "only": ("high", False),
    "just": ("high", False),
    "equal to": ("both", False),
    "as many as": ("high", False),
    "as much as": ("high", False),
}
_LONGEST: Final = max(len(words.split()) for words in _COMPARATIVES)
_TRAILERS: Final[dict[str, tuple[str, bool]]] = {
    "or more": ("low", False),
    "or later": ("low", False),
    "or newer": ("low", False),
    "or earlier": ("high", False),
    "and more": ("low", False),
    "and above": ("low", False),
    "or above": ("low", False),
    "and over": ("low", False),
    "or over": ("low", False),
    "or older": ("low", False),
    "and older": ("low", False),
    "or higher": ("low", False),
    "or greater": ("low", False),
    "upwards": ("low", False),
    "or longer": ("low", False),
    "or fewer": ("high", False),
    "or less": ("high", False),
    "or lower": ("high", False),
    "or below": ("high", False),
    "or under": ("high", False),
    "and under": ("high", False),
    "or younger": ("high", False),
    "or shorter": ("high", False),
    "at most": ("high", False),
    "maximum": ("high", False),
    "max": ("high", False),
    "at the most": ("high", False),
    "at least": ("low", False),
    "minimum": ("low", False),
    "at minimum": ("low", False),
}
_SIGNS: Final[dict[str, Bound]] = {
    "positive": Bound(low=0, low_open=True),
    "non-negative": Bound(low=0),
    "nonnegative": Bound(low=0),
    "not negative": Bound(low=0),
    "never negative": Bound(low=0),
    "not be negative": Bound(low=0),
    "cannot be negative": Bound(low=0),
    "non-zero and positive": Bound(low=0, low_open=True),
    "not go negative": Bound(low=0),
    "negative": Bound(high=0, high_open=True),
}
_SCALES: Final = {
    "hundred": 100,
    "thousand": 1000,
    "k": 1000,
    "million": 1_000_000,
    "billion": 1_000_000_000,
    "dozen": 12,
}
_UNITS: Final = {
    "day": (1, 0),
    "week": (7, 0),
    "fortnight": (14, 0),
    "month": (30, 0),
    "year": (365, 0),
    "hour": (0, 1),
}
_PERIODS: Final[dict[str, Period]] = {
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "yearly": "year",
    "annually": "year",
}


def phrase(tokens: Sequence[Token], at: int, words: str) -> int | None:
    """Give the position behind the given words (in lower case, separated by spaces) when they stand at `at`."""
    wanted = words.split()
    if at + len(wanted) > len(tokens):
        return None
    return at + len(wanted) if all(tokens[at + i].low == word for i, word in enumerate(wanted)) else None


def any_phrase(tokens: Sequence[Token], at: int, phrases: Iterable[str]) -> int | None:
    """Give the position behind the first of several phrases that stands at `at`; see `phrase`."""
    return next((end for words in phrases if (end := phrase(tokens, at, words)) is not None), None)


def number(tokens: Sequence[Token], at: int) -> tuple[int | float, int] | None:
    """Read a number: 3, 3.5, $20, minus 5, three, two hundred, 5 million."""
    sign = 1
    if at < len(tokens) and tokens[at].low in {"-", "\u2212", "minus"}:
        sign, at = -1, at + 1
    if at >= len(tokens) or (value := tokens[at].value) is None:
        return None
    at += 1
    while at < len(tokens) and (scale := _SCALES.get(tokens[at].low)) and value:
        value, at = value * scale, at + 1
        if value > 10**15:
            break
    return sign * value, at


def bound(tokens: Sequence[Token], at: int) -> tuple[Bound, int] | None:
    """Read a bound; a bare number is an exact one."""
    for words, sign in _SIGNS.items():
        if (end := phrase(tokens, at, words)) is not None:
            return sign, end
    return _span(tokens, at) or _compared(tokens, at) or _bare(tokens, at)


def _span(tokens: Sequence[Token], at: int) -> tuple[Bound, int] | None:
    start = at
    for opening in (
        "between",
        "from",
        "in the range of",
        "in the range",
        "in the range from",
        "ranging from",
        "anywhere from",
        "anywhere between",
        "range",
        "of",
        "within",
    ):
        if (end := phrase(tokens, at, opening)) is not None:
            start = end
    first = number(tokens, start)
    if first is None:
        return None
    if start > at and first[1] < len(tokens) and tokens[first[1]].low in {"on", "onwards", "onward", "upwards"}:
        return Bound(low=first[0]), first[1] + 1
    joint = _unit_end(tokens, first[1])
    dots = phrase(tokens, joint, ". .")
    if dots is not None:
        joint = dots - 1
    if joint >= len(tokens) or tokens[joint].low not in {"and", "to", "-", "\u2013", "—", "through", "."}:
        return None
    if tokens[joint].low == "and" and start == at:
        return None
    second = number(tokens, joint + 1)
    if second is None or second[0] < first[0]:
        return None
    end = next((e for w in ("inclusive", "included") if (e := phrase(tokens, second[1], w))), second[1])
    return Bound(first[0], second[0]), end


def _unit_end(tokens: Sequence[Token], at: int) -> int:
    """Give the position behind a unit and behind what explains a number in brackets: "1 (worst)"."""
    units = {"character", "char", "letter", "star", "point", "digit", "percent"}
    end = at + (at < len(tokens) and tokens[at].singular in units)
    explained = end + 2 < len(tokens) and tokens[end].text == "(" and tokens[end + 2].text == ")"
    return end + 3 if explained and tokens[end + 1].value is None else end


def _compared(tokens: Sequence[Token], at: int) -> tuple[Bound, int] | None:
    for length in range(_LONGEST, 0, -1):
        words = " ".join(token.low for token in tokens[at : at + length])
        if words in _COMPARATIVES and len(tokens) >= at + length:
            side, is_open = _COMPARATIVES[words]
            read = number(tokens, at + length)
            if read is None:
                continue
            return _double(_sided(side, is_open, read[0]), tokens, read[1])
    return None


def _double(first: Bound, tokens: Sequence[Token], at: int) -> tuple[Bound, int]:
    """Read the second half of "at least 1 and at most 5"."""
    end = _unit_end(tokens, at)
    if end < len(tokens) and tokens[end].low in {"and", "but"} and (second := _compared(tokens, end + 1)):
        other = second[0]
        if first.low is not None and other.low is None:
            return Bound(first.low, other.high, first.low_open, other.high_open), second[1]
        if first.high is not None and other.high is None:
            return Bound(other.low, first.high, other.low_open, first.high_open), second[1]
    return first, at


def _sided(side: str, is_open: bool, value: int | float) -> Bound:
    if side == "both":
        return Bound(value, value)
    return Bound(low=value, low_open=is_open) if side == "low" else Bound(high=value, high_open=is_open)


def _bare(tokens: Sequence[Token], at: int) -> tuple[Bound, int] | None:
    read = number(tokens, at)
    if read is None:
        return None
    value, end = read
    for words, (side, is_open) in _TRAILERS.items():
        if (after := phrase(tokens, end, words)) is not None:
            return _sided(side, is_open, value), after
    return Bound(value, value, exact=True), end


def trailing(tokens: Sequence[Token], at: int, value: Bound) -> tuple[Bound, int]:
    """Turn an exact bound into a side when a trailer ("or more", "maximum") stands at `at`; gives where that ends."""
    for words, (side, is_open) in _TRAILERS.items():
        if value.exact and value.low is not None and (end := phrase(tokens, at, words)) is not None:
            return _sided(side, is_open, value.low), end
    return value, at


def duration(tokens: Sequence[Token], at: int) -> tuple[Duration, int] | None:
    """Read a duration: 14 days, two weeks, a month, 24 hours, 14-day, half an hour is not one."""
    count: int | float = 1
    position = at
    if (read := number(tokens, at)) is not None:
        count, position = read
        if position < len(tokens) and tokens[position].text == "-":
            position += 1
    elif at < len(tokens) and tokens[at].low in {"a", "an", "one"}:
        position = at + 1
    else:
        return None
    while position < len(tokens) and tokens[position].low in {"calendar", "working", "business", "full", "more"}:
        position += 1
    unit = _UNITS.get(tokens[position].singular) if position < len(tokens) else None
    if unit is None or not 0 <= count < 100_000:
        return None
    return Duration(int(unit[0] * count), int(unit[1] * count)), position + 1


def period(tokens: Sequence[Token], at: int) -> tuple[Period, int] | None:
    """Read what a count is over: a day, per week, each month, in one year, daily."""
    if at >= len(tokens):
        return None
    if tokens[at].low in _PERIODS:
        return _PERIODS[tokens[at].low], at + 1
    position = at
    for words in (
        "per",
        "each",
        "every",
        "in a",
        "in one",
        "within a",
        "in the same",
        "on the same",
        "on any",
        "on one",
        "on a",
        "a",
        "an",
        "in any",
        "within one",
        "within the same",
        "in a single",
        "on a single",
        "per calendar",
        "in any given",
        "on any given",
        "for any",
        "during a",
    ):
        if (end := phrase(tokens, at, words)) is not None:
            position = max(position, end)
    if position == at or position >= len(tokens):
        return None
    unit = tokens[position].low
    if unit in {"day", "week", "month", "year"}:
        return unit, position + 1  # type: ignore[return-value]
    return None


def is_number(token: Token) -> bool:
    """Whether the token is a number in digits or words."""
    return token.kind in {Kind.NUMBER, Kind.MONEY, Kind.PERCENT} or token.value is not None
