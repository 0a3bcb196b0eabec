"""Reads the values of an enumeration: "low, medium or high", "pending/yes/no", "one of red and blue".

Promises: values as the request spells them, each reader with the position behind the last one, or None where there is
no enumeration. Does not decide which field they belong to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology, quantities
from functions.neuron.reading.frames import close_of
from functions.neuron.reading.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token


def until_or(tokens: Sequence[Token], at: int) -> tuple[list[str], int] | None:
    """Read "low, medium or high": bare words, the last one behind "or"."""
    values: list[str] = []
    i = at
    while i < len(tokens):
        value, end = one(tokens, i)
        if value is None:
            return None
        values.append(value)
        i = end
        joint = i
        is_last = False
        while joint < len(tokens) and tokens[joint].low in {",", "or"}:
            is_last = is_last or tokens[joint].low == "or"
            joint += 1
        if joint == i:
            return None
        if is_last:
            return _behind_or(tokens, joint, values)
        i = joint
    return None


def _behind_or(tokens: Sequence[Token], at: int, values: list[str]) -> tuple[list[str], int] | None:
    """Read the last value of a list, or those that are joined by further "or": "available or busy or off duty"."""
    last, end = one(tokens, at)
    if last is None or last in _NO_VALUES:
        return None
    values = [*values, last]
    if end + 1 < len(tokens) and tokens[end].low == "or":
        return _behind_or(tokens, end + 1, values) or (values, end)
    return values, end


def one(tokens: Sequence[Token], i: int) -> tuple[str | None, int]:
    """Read one value: up to four words, a number, a quoted text; with the position behind it."""
    words: list[str] = []
    start = i
    signed = i + 1 < len(tokens) and tokens[i + 1].text in _SIGNS and tokens[i + 1].start == tokens[i].end
    if signed and tokens[i].kind is Kind.NUMBER and _ends(tokens, i + 2):
        return tokens[i].text + tokens[i + 1].text, i + 2
    last = i + 1 == len(tokens)  # brackets are cut at their commas: "(A, B, AB, 0)"
    if tokens[i : i + 1] and tokens[i].text == "A" and (last or tokens[i + 1].start == tokens[i].end):
        signed = not last and tokens[i + 1].text in _SIGNS
        return "A" + (tokens[i + 1].text if signed else ""), i + 1 + signed
    while i < len(tokens) and len(words) < 4:
        token = tokens[i]
        if token.kind is Kind.QUOTED and not words:
            return token.text, i + 1
        if (
            not words
            and token.low in {"other", "none", "any", "all", "both"}
            and (
                i + 1 >= len(tokens)
                or not tokens[i + 1].is_word
                or tokens[i + 1].low in lexicon.CONJUNCTIONS | lexicon.PREPOSITIONS
            )
        ):
            return token.low, i + 1
        if token.kind is Kind.NUMBER and not words:
            return token.text, i + 1
        if (
            token.kind is not Kind.WORD
            or token.low
            in lexicon.DETERMINERS
            | lexicon.BE
            | lexicon.HAVE
            | lexicon.MODALS
            | lexicon.CONJUNCTIONS
            | lexicon.RELATIVES
            | _SUBORDINATE
            | {"with", "defaulting", "default", "defaults", "by"}
        ):
            break
        if not words and _adverbial(tokens, i):
            words.append(token.low)
            i += 1
            continue
        if token.low in lexicon.PREPOSITIONS and (
            not words
            or token.low not in {"in", "on", "of", "for", "to", "out"}
            or i + 1 >= len(tokens)
            or tokens[i + 1].kind is not Kind.WORD
            or tokens[i + 1].low in lexicon.DETERMINERS
        ):
            break
        words.append(token.text if token.text.isupper() and len(token.text) <= 4 else token.low)
        i = _tail(tokens, i + 1, words)
    return (" ".join(words) or None), i if words else start


def _tail(tokens: Sequence[Token], i: int, words: list[str]) -> int:
    """Read what belongs to a value's last word: "AB+", "checked in"."""
    token = tokens[i - 1]
    if i < len(tokens) and tokens[i].text in _SIGNS and tokens[i].start == token.end and _ends(tokens, i + 1):
        words[-1] += tokens[i].text
        i += 1
    particle = i < len(tokens) and tokens[i].low in {"in", "out", "up", "off", "on"}
    if particle and morphology.is_participle(token.low) and _ends(tokens, i + 1):
        words.append(tokens[i].low)
        i += 1
    return i


_NO_VALUES: Final = lexicon.words("not more less fewer higher lower above below over under older later earlier newer")
_SUBORDINATE: Final = frozenset({"unless", "if", "when", "while", "once", "until"})
_SIGNS: Final = frozenset({"+", "-", "#"})


def _ends(tokens: Sequence[Token], i: int) -> bool:
    """Whether a value is over at this position: what follows is a separator, or nothing."""
    return i >= len(tokens) or tokens[i].text in {",", ";", "/", "|", ")"} or tokens[i].low in {"or", "and"}


def _adverbial(tokens: Sequence[Token], i: int) -> bool:
    """Whether a value begins with a preposition: "in progress", "on hold", "out of stock"."""
    return (
        tokens[i].low in {"in", "on", "out", "under", "not", "to"}
        and i + 1 < len(tokens)
        and tokens[i + 1].kind is Kind.WORD
        and tokens[i + 1].low not in lexicon.DETERMINERS | lexicon.PREPOSITIONS - {"of"}
    )


def enumeration(tokens: Sequence[Token], at: int) -> tuple[list[str], int] | None:
    """Read the values of an enumeration: behind "one of" also joined by "and"; else by "or"."""
    i = at
    closed = False
    for opening in (
        "out of",
        "one of the following :",
        "one of the following",
        "one of the values",
        "one of :",
        "one of",
        "either",
        "any of",
        "exactly one of",
    ):
        if (end := quantities.phrase(tokens, i, opening)) is not None:
            i, closed = end, opening != "either"
            break
    while i < len(tokens) and tokens[i].text == ":":
        i += 1
    if i < len(tokens) and tokens[i].text in {"(", "["} and closed:
        end = close_of(tokens, i)
        return plain(tokens[i + 1 : end]), end + 1
    if closed:
        return _closed(tokens, i)
    return until_or(tokens, i)


def _closed(tokens: Sequence[Token], at: int) -> tuple[list[str], int] | None:
    values: list[str] = []
    i, last = at, False
    while i < len(tokens):
        value, end = one(tokens, i)
        if value is None:
            break
        values.append(value)
        i = end
        if last or i >= len(tokens) or tokens[i].low not in {",", "or", "and", "/", "|"}:
            break
        while i < len(tokens) and tokens[i].low in {",", "or", "and", "/", "|"}:
            last = last or tokens[i].low in {"or", "and"}
            i += 1
    return (values, i) if len(values) > 1 else None


def plain(tokens: Sequence[Token]) -> list[str]:
    """Read every value of a list that holds nothing else: "single, double / suite"."""
    values: list[str] = []
    i = 0
    while i < len(tokens):
        value, end = one(tokens, i)
        if value is not None:
            values.append(value)
        i = max(end, i + 1)
    return list(dict.fromkeys(values))


def slashed(tokens: Sequence[Token], at: int) -> tuple[list[str], int] | None:
    """Read "pending/yes/no" and "petrol | diesel"."""
    values: list[str] = []
    i = at
    while i < len(tokens):
        value, end = one(tokens, i)
        if value is None and tokens[i].low in {"no", "none", "any"}:
            value, end = tokens[i].low, i + 1
        if value is None:
            break
        values.append(value)
        i = end
        if i >= len(tokens) or tokens[i].text not in {"/", "|"}:
            break
        i += 1
    return (values, i) if len(values) > 1 else None


def listed(tokens: Sequence[Token], at: int) -> tuple[list[str], int] | None:
    """Read "new, in progress, finished" behind a colon, up to the end or to an item that has a determiner."""
    values: list[str] = []
    i = at
    while i < len(tokens):
        value, end = one(tokens, i)
        if value is None:
            break
        values.append(value)
        i = end
        if i >= len(tokens) or tokens[i].text != ",":
            break
        following = i + 1
        if following < len(tokens) and tokens[following].low in lexicon.DETERMINERS | {"and"}:
            break
        i = following
    complete = i >= len(tokens) or tokens[i].low in {",", "and", ";"}
    return (values, i) if len(values) > 1 and complete else None


def boolean(values: Sequence[str]) -> bool:
    """Whether the values are yes and no, or true and false."""
    return {value.lower() for value in values} in ({"true", "false"}, {"yes", "no"})
