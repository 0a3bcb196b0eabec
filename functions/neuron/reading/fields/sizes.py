"""Reads how long or large a field may be: "of at most 100 characters", "between 1 and 5 km"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.fields import vocabulary
from functions.neuron.reading.tokens import Kind
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_SIZES_WORDS: Final = lexicon.words(
    "of with from within a an the must be has have is and in cannot consists consist contain use not should "
    "length range may can ranging never go must-not measured value whole number integer contains exceed on "
    "scale minimum maximum max min : fall drop sink rise get become falls drops sinks rises goes becomes somewhere lie "
    "lies lying"
)


def sizes(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read bounds of a value or of a length."""
    if tokens[i].low == "and" or (tokens[i].low in {"on", "in"} and quantities.period(tokens, i) is not None):
        return None
    j = i
    while j < len(tokens) and tokens[j].low in _SIZES_WORDS:
        read = quantities.bound(tokens, j)
        if read is not None:
            break
        j += 1
    read = quantities.bound(tokens, j)
    if read is None or (
        j == i and read[0].exact and i > 0 and tokens[i - 1].is_word and tokens[i - 1].low == "default"
    ):
        return None
    bound, end = read
    helpers = {t.low for t in tokens[i:j]}
    if tokens[end - 1].low == "negative" and helpers & {"may", "can"} and not helpers & lexicon.NEGATIONS:
        target.signed, target.minimum = True, None
        return end
    if (
        any(t.low in {"cannot", "not", "never", "must-not"} for t in tokens[i:j])
        and not bound.exact
        and tokens[j].low not in {"at", "up", "no"}
    ):
        bound = bound.negated()
    if any(t.low in {"integer", "whole"} for t in tokens[i:j]):
        target.type = FieldType.INTEGER
    return apply_bound(tokens, end, bound, target, has_length=any(t.low == "length" for t in tokens[i:j]))


def _repeated(characters: str, limits: quantities.Bound) -> str:
    """Write a pattern for so many of some characters."""
    low = int(limits.low or 1)
    high = "" if limits.high is None else str(int(limits.high))
    return f"^[{characters}]{{{low}}}$" if high == str(low) else f"^[{characters}]{{{low},{high}}}$"


def apply_bound(
    tokens: Sequence[Token], end: int, bound: quantities.Bound, target: DraftField, *, has_length: bool = False
) -> int | None:
    """Put a bound on the field's value, or on its length when characters are spoken of."""
    start = end
    if end < len(tokens) and tokens[end].text == "-":
        end += 1
    square = end + 1 < len(tokens) and tokens[end].low in {"square", "cubic"}
    end += square and tokens[end + 1].low in vocabulary.UNITS
    measured = end < len(tokens) and (tokens[end].singular in CHARACTERS or tokens[end].low in vocabulary.UNITS)
    bound, trailer = quantities.trailing(tokens, end + 1, bound) if measured else (bound, end)
    letters = {
        "uppercase": "A-Z",
        "upper-case": "A-Z",
        "capital": "A-Z",
        "lowercase": "a-z",
        "lower-case": "a-z",
        "alphanumeric": "A-Za-z0-9",
    }.get(tokens[end].low if end < len(tokens) else "")
    if letters and end + 1 < len(tokens) and tokens[end + 1].singular in {"letter", "character"}:
        target.type = FieldType.STRING
        target.pattern = _repeated(letters, bound.whole())
        end += 1
    unit = tokens[end].singular if end < len(tokens) else ""
    if unit in CHARACTERS or has_length:
        limits = bound.whole()
        target.min_length = int(limits.low) if limits.low is not None else target.min_length
        target.max_length = max(1, int(limits.high)) if limits.high is not None else target.max_length
        both = limits.low is not None and limits.high is not None  # "up to 50 letters" means characters of any kind
        if unit == "letter" and not letters and both and target.type in {None, FieldType.STRING}:
            target.type = FieldType.STRING
            target.pattern = _repeated("A-Za-z", limits)
        if unit == "digit" and target.type in {None, FieldType.STRING}:
            target.type = FieldType.STRING
            target.pattern = _repeated("0-9", bound.whole())
        end = max(end + (unit in CHARACTERS), trailer)
        return end + (end < len(tokens) and tokens[end].low in {"long", "each", "maximum", "max"})
    if bound.exact and start == end and unit not in vocabulary.UNITS:
        return None
    target.minimum, target.exclusive_minimum = (
        (bound.low, bound.low_open) if bound.low is not None else (target.minimum, target.exclusive_minimum)
    )
    target.maximum, target.exclusive_maximum = (
        (bound.high, bound.high_open) if bound.high is not None else (target.maximum, target.exclusive_maximum)
    )
    if target.type is FieldType.INTEGER and any(_fraction(limit) for limit in (target.minimum, target.maximum)):
        target.type = FieldType.DECIMAL  # a number of hours between 0.25 and 12
    if unit in vocabulary.UNITS | {"star", "point"} or (end < len(tokens) and tokens[end].low in vocabulary.UNITS):
        end += 1
    return max(end, trailer)


CHARACTERS: Final = frozenset({"character", "char", "letter", "digit", "symbol"})


def decimal_places(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "with three decimal places" and "to two decimals": a decimal number with so many digits behind its point."""
    at = i + (tokens[i].low in {"with", "to", "of", "has", "having"})
    at = quantities.any_phrase(tokens, at, _LIMITING) or at
    read = quantities.number(tokens, at) if at < len(tokens) else None
    if read is None or read[1] >= len(tokens) or not 0 <= read[0] <= _MOST_PLACES or read[0] != int(read[0]):
        return None
    end = quantities.any_phrase(tokens, read[1], _PLACES)
    if end is not None:
        target.type, target.scale = FieldType.DECIMAL, int(read[0])
    return end


_LIMITING: Final = ("up to", "at most", "exactly", "a maximum of", "no more than")
_PLACES: Final = (
    "decimal places", "decimal place", "decimal digits", "decimals", "decimal", "places after the decimal point",
)  # fmt: skip
_MOST_PLACES: Final = 9


def _fraction(limit: float | None) -> bool:
    return limit is not None and not float(limit).is_integer()


def unit_of(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "in minutes", "in euros", "as a percentage", "in the currency of the shop" (the unit only describes)."""
    if tokens[i].low in {"in", "measured", "expressed", "given"} and i + 1 < len(tokens):
        j = i + 1 + (tokens[i + 1].low in {"in", "as"})
        j += j + 1 < len(tokens) and tokens[j].low in {"square", "cubic", "whole", "full", "us"}
        if j < len(tokens) and tokens[j].low in vocabulary.UNITS:
            target.description = f"In {tokens[j].low}."
            if target.type is None and tokens[j].low in {
                "minutes",
                "hours",
                "days",
                "seconds",
                "weeks",
                "months",
                "years",
            }:
                target.type, target.minimum = FieldType.INTEGER, 0 if target.minimum is None else target.minimum
            elif target.type is None and tokens[j].low != "cents":
                target.type = FieldType.DECIMAL
            scaled = j + 1 < len(tokens) and tokens[j].singular == "degree" and tokens[j + 1].low in vocabulary.UNITS
            return j + 1 + scaled
        if j < len(tokens) and _measure(tokens, j):
            target.description = f"In {tokens[j].text}."
            target.type = target.type or FieldType.DECIMAL
            return j + 1
    return None


def _measure(tokens: Sequence[Token], at: int) -> bool:
    """Whether an unknown word behind "in" is a unit: "in millilitres", "in IBU", "in kWh"."""
    token = tokens[at]
    if token.kind is not Kind.WORD or not (
        at + 1 >= len(tokens) or not tokens[at + 1].is_word or _ends_unit(tokens, at + 1)
    ):
        return False
    return any(c.isupper() for c in token.text[1:]) or token.low.startswith(_PREFIXES) or token.low.endswith(_MEASURES)


def _ends_unit(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].low in vocabulary.STOPS | vocabulary.SEPARATORS or quantities.bound(tokens, at) is not None


_PREFIXES: Final = ("milli", "centi", "kilo", "mega", "micro", "nano", "hecto")
_MEASURES: Final = (
    "metres", "meters", "litres", "liters", "grams", "watts", "volts", "hertz", "bytes", "tonnes", "tons", "ounces",
    "gallons", "yards", "calories", "joules", "decibels", "degrees", "hectares", "inches", "francs", "crowns", "kronor",
    "yen", "rupees", "knots", "amps", "lumens", "bar", "pixels", "pages", "lines", "rows", "centuries", "decades",
)  # fmt: skip
