"""Reads the values that a field is one of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import enumerations, lexicon
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.frames import close_of
from functions.neuron.reading.tokens import Kind
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token


def said_values(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read the values of an enumeration behind "of", "which is", ":", "one of", "either"."""
    j = i
    while j < len(tokens) and tokens[j].low in {"of", ":", "=", "being", "is", "as", "from"}:
        j += 1
    if (set_end := _set(tokens, j, target)) is not None:
        return set_end
    opens = j > i or tokens[i].low in {"one", "either", "any", "out"}
    behind_helper = i > 0 and tokens[i - 1].low in lexicon.BE | {":", "=", "being"}
    if j >= len(tokens) or not (opens or behind_helper):
        return None
    read = enumerations.enumeration(tokens, j) or enumerations.slashed(tokens, j)
    read = read or (enumerations.listed(tokens, j) if tokens[j - 1].text == ":" else None)
    if read is None or len(read[0]) < 2:
        return None
    enumerate_values(target, read[0])
    return unit(tokens, read[1], target)


def _set(tokens: Sequence[Token], at: int, target: DraftField) -> int | None:
    """Read "in (purchase, sale)"; gives where that ends."""
    if at + 1 >= len(tokens) or tokens[at].low != "in" or tokens[at + 1].text not in {"(", "["}:
        return None
    end = close_of(tokens, at + 1)
    values = enumerations.plain(tokens[at + 2 : end])
    if len(values) < SEVERAL:
        return None
    enumerate_values(target, values)
    return end + 1


def numbers(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read the numbers that a field is one of, "30, 45 or 60 minutes"; gives where that ends."""
    read = enumerations.until_or(tokens, i)
    if read is None or not all(map(is_whole, read[0])):
        return None
    enumerate_values(target, read[0])
    return unit(tokens, read[1], target)


def of_numbers(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "of 30, 45 or 60 minutes" behind a name; gives where that ends."""
    if tokens[i].low not in {"of", "either"} or i + 1 >= len(tokens):
        return None
    return numbers(tokens, i + 1 + (tokens[i + 1].low == "either"), target)


def letters(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "from A to F" as the letters from the one to the other; gives where that ends."""
    at = i + (tokens[i].low in {"from", "between", "of", ":"})
    if at + SEVERAL >= len(tokens) or tokens[at + 1].low not in {"to", "and", "through", "-", "\u2013"}:
        return None
    first, last = tokens[at].text, tokens[at + SEVERAL].text
    led = at > i or tokens[at + 1].low != "and"
    if not led or not (_is_letter(first) and _is_letter(last) and first < last):
        return None
    target.type = None
    enumerate_values(target, [chr(code) for code in range(ord(first), ord(last) + 1)])
    return at + SEVERAL + 1


def _is_letter(text: str) -> bool:
    return len(text) == 1 and text.isascii() and text.isupper()


def unit(tokens: Sequence[Token], i: int, target: DraftField) -> int:
    """Read the unit behind numbers: one noun, and nothing more that belongs to it; gives where that ends."""
    if not (i < len(tokens) and tokens[i - 1].value is not None and tokens[i].kind is Kind.WORD):
        return i
    ends = i + 1 >= len(tokens) or not tokens[i + 1].is_word or tokens[i + 1].low in {"and", "or", "but", "each"}
    if tokens[i].low in lexicon.CONJUNCTIONS | lexicon.PREPOSITIONS | lexicon.DETERMINERS or not ends:
        return i
    target.description = f"In {tokens[i].low}."
    return i + 1


def is_whole(value: str) -> bool:
    """Whether a value is a whole number as it is usually written."""
    return value.isascii() and value.isdigit() and len(value) < _DIGITS and str(int(value)) == value


SEVERAL: Final = 2
_DIGITS: Final = 16


def enumerate_values(target: DraftField, values: Sequence[str]) -> None:
    """Let a field be one of some values; yes and no make it a truth value."""
    if enumerations.boolean(values):
        target.type = FieldType.BOOLEAN
    else:
        target.values = tuple(dict.fromkeys(values))
        if target.type is FieldType.INTEGER and all(map(is_whole, values)):
            target.type = FieldType.ENUM  # which becomes a number again, with these values
