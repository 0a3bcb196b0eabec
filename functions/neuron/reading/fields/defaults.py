"""Reads what a field is when nothing is given: "defaulting to draft", "today by default"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import enumerations, frames, lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.fields import vocabulary
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_NOW: Final = frozenset({"today", "now", "current"})
_WHEN_ABSENT: Final = (
    "if not given", "unless stated otherwise", "unless otherwise stated", "unless specified otherwise",
    "unless otherwise specified", "if it is left out", "if it is omitted", "if it is missing",
    "if none is given", "if nothing is given", "if left out", "if omitted", "if not specified",
    "when not given", "when omitted", "unless given", "by default", "if it is not given", "if empty", "as default",
    "if not provided", "unless agreed otherwise", "unless otherwise agreed",
)  # fmt: skip


def present(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "today if not given" and "defaults to now": the field is the present when it is left out."""
    at, opened = i, False
    for words in ("which defaults to", "that defaults to", "defaulting to", "defaults to", "default is", "default"):
        end = quantities.phrase(tokens, i, words)
        if end is not None:
            at, opened = end + (end < len(tokens) and tokens[end].low == ":"), True
            break
    while at < len(tokens) and tokens[at].low in {"the", "is", "that", "which"}:
        at += 1
    if at >= len(tokens) or tokens[at].low not in _NOW:
        return None
    at += 1 + (tokens[at].low == "current")
    if (end := absent(tokens, at)) is not None:
        at, opened = end, True
    if opened:
        target.presumed = True
        target.required = False
    return at if opened else None


_GIVEN: Final = lexicon.words("one it any anything otherwise something else a an another other date day time value")
_GIVING: Final = lexicon.words("give specify state provide set enter supply say choose pick agree fill mention tell")
_LONGEST_ABSENCE: Final = 7


def absent(tokens: Sequence[Token], at: int) -> int | None:
    """Read "if not given", "if I don't give one", "unless agreed otherwise"; gives where that ends."""
    known = quantities.any_phrase(tokens, at, _WHEN_ABSENT)
    if known is not None or at >= len(tokens) or tokens[at].low not in {"if", "when", "unless"}:
        return known
    lows = [t.low for t in tokens[at + 1 : at + 3]]
    if tokens[at].low == "unless" and "otherwise" in lows and any(map(morphology.is_participle, lows)):
        return at + 3  # "unless chosen otherwise"
    end = next((i for i in range(at + 1, min(at + _LONGEST_ABSENCE, len(tokens))) if tokens[i].verb in _GIVING), None)
    if end is None or not all(token.is_word for token in tokens[at:end]):
        return None
    denied = {token.low for token in tokens[at:end]} & (lexicon.NEGATIONS | {"none", "nothing"})
    if bool(denied) is (tokens[at].low == "unless"):
        return None
    end += 1
    while end < len(tokens) and tokens[end].low in _GIVEN:
        end += 1
    return end if end >= len(tokens) or not tokens[end].is_word or tokens[end].low in lexicon.CONJUNCTIONS else None


def default(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read the value that a field has when none is given; gives where that ends."""
    for words in (
        "with a default value of",
        "with a default of",
        "with default value",
        "with default",
        "with the default value",
        "with the default",
        "defaulting to",
        "that defaults to",
        "which defaults to",
        "defaults to",
        "default to",
        "default value of",
        "default is",
        "default value",
        "default :",
        "default =",
        "by default",
        "default",
        "initially",
        "starting as",
        "starts as",
        "starts at",
        "starting at",
        "starting with",
        "starting in",
        "starting from",
        "starts in",
        "starts out at",
        "starting off at",
        "beginning at",
        "begins at",
        "begins with",
        "begins as",
        "starts with",
        "which starts at",
        "that starts at",
        "that starts as",
        "which starts as",
    ):
        end = quantities.phrase(tokens, i, words)
        if end is None:
            continue
        while end < len(tokens) and tokens[end].low in {"is", "of", ":", "=", "the", *target.words}:
            end += 1
        if (read := quantities.number(tokens, end)) is not None:
            counted = words in {"starting at", "starting from"} and i > 0 and tokens[i - 1].low in {"number", "integer"}
            if counted:
                target.minimum = read[0]  # "a whole number starting at 1": no lower one, and none by itself
            else:
                target.default = read[0]
            return read[1]
        if target.type is FieldType.BOOLEAN and end < len(tokens) and tokens[end].low in lexicon.NEGATIONS:
            target.default = False
            return end + 1
        if end < len(tokens) and tokens[end].low in {"yes", "no", "true", "false"}:
            target.default = _scalar(tokens[end].low)
            return end + 1
        value, after = enumerations.one(tokens, end)
        if value is None:
            return end if words == "by default" else None
        target.default = _scalar(value)
        return after
    if (value_end := value_by_default(tokens, i, target) or _as_default(tokens, i, target)) is not None:
        return value_end
    return _value_whenabsent(tokens, i, target)


def _as_default(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "with EUR as the default"."""
    if tokens[i].low != "with":
        return None
    read = quantities.number(tokens, i + 1)
    value, after = read if read is not None else enumerations.one(tokens, i + 1)
    end = quantities.any_phrase(tokens, after, _AS_DEFAULT)
    if value is None or end is None:
        return None
    target.default = value if read is not None else _scalar(str(value))
    return end


_AS_DEFAULT: Final = ("as the default value", "as the default", "as default", "as its default", "being the default")


def _value_whenabsent(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "5 if not given" and "low unless given"."""
    i += tokens[i].low == "of"
    read = quantities.number(tokens, i)
    value, after = read if read is not None else enumerations.one(tokens, i)
    after += read is not None and after < len(tokens) and tokens[after].low in vocabulary.UNITS
    if value is None or after == i or (read is None and after - i > 1):
        return None
    end = absent(tokens, after)
    if end is not None:
        target.default = value if read is not None else _scalar(str(value))
    return end


def value_by_default(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "draft by default" and "true by default"."""
    for end in range(i + 1, min(i + 4, len(tokens))):
        behind = quantities.any_phrase(tokens, end, _AT_FIRST)
        behind = behind or frames.at_creation(tokens, end)
        if behind is not None and all(t.is_word or t.value is not None for t in tokens[i:end]):
            words = [t for t in tokens[i:end] if t.low not in vocabulary.FILLER]
            if [t.low for t in words] in _NOTHING:
                target.required = False
                return behind
            if len(words) == 1 or (words and not {"yes", "no", "true", "false"} & {t.low for t in words}):
                value = quantities.number(words, 0)
                target.default = value[0] if value else _scalar(" ".join(t.low for t in words))
                return behind
    return None


_NOTHING: Final = (["empty"], ["blank"], ["unset"], ["missing"], ["unknown"])
_AT_FIRST: Final = ("by default", "at first", "in the beginning", "to begin with")


def _scalar(value: str) -> str | bool:
    return {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}.get(value, value)
