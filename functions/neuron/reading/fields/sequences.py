"""Reads what characters a text is made of, in their order: "two letters followed by four digits"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import quantities
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import DraftField
    from functions.neuron.reading.tokens import Token

_CHARACTERS: Final = {"letter": "A-Za-z", "digit": "0-9", "number": "0-9"}
_CASES: Final = {
    "uppercase": "A-Z",
    "upper-case": "A-Z",
    "capital": "A-Z",
    "lowercase": "a-z",
    "lower-case": "a-z",
}
_SIGNS: Final = {"dash": "-", "hyphen": "-", "slash": "/", "dot": r"\.", "underscore": "_"}
_JOINTS: Final = ("followed by", "and then", "then", "and", "plus", ",")
_FEWEST: Final = 2


_LEADS: Final = (
    "made up of", "made of", "consisting of", "consists of", "consist of", "composed of", "in the form of",
    "of the form", "in the form", "in the format of", "in the format", "formed of", "formed by", "built from",
)  # fmt: skip


def leads(tokens: Sequence[Token], i: int) -> int | None:
    """Give the position behind words that say what a text is made of: "consisting of", "in the form of"."""
    at = i + (tokens[i].low in {"which", "that"})
    at += at < len(tokens) and tokens[at].low in {"is", "are", "must", "has"}
    at += at < len(tokens) and tokens[at].low == "be"
    return quantities.any_phrase(tokens, at, _LEADS)


def sequence(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read two or more runs of characters into a pattern; one is enough behind "made of". Gives where they end."""
    led = leads(tokens, i)
    at = led if led is not None else i + (tokens[i].low in {"of", "with"})
    parts: list[str] = []
    end = at
    while (run := _run(tokens, at)) is not None:
        parts.append(run[0])
        end = run[1]
        joint = quantities.any_phrase(tokens, end, _JOINTS)
        if joint is None:
            break
        at = joint
    if len(parts) < (_FEWEST if led is None else 1):
        return None
    target.type, target.pattern = FieldType.STRING, f"^{''.join(parts)}$"
    target.min_length = target.max_length = None
    return end


def case(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read that a text has no letters of the other case: "in upper case", "in capitals"; gives where that ends."""
    told = in_case(tokens, i)
    if told is None or "email" in target.name:
        return None  # an address keeps its own form
    target.type, target.pattern = FieldType.STRING, told[0]
    return told[1]


def in_case(tokens: Sequence[Token], i: int) -> tuple[str, int] | None:
    """Give the pattern for "written in upper case", and where that ends."""
    at = i + (tokens[i].low in {"written", "all", "always", "only", "stored", "kept", "entered", "spelled"})
    for pattern, told in _IN_CASE.items():
        end = quantities.any_phrase(tokens, at, told)
        if end is not None:
            return pattern, end
    return None


_IN_CASE: Final = {
    "^[^a-z]+$": (
        "in upper case",
        "in uppercase",
        "in upper-case",
        "in capitals",
        "in capital letters",
        "in upper-case letters",
    ),
    "^[^A-Z]+$": ("in lower case", "in lowercase", "in lower-case", "in small letters", "in lower-case letters"),
}


def _run(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    sign = at + 1 if at < len(tokens) and tokens[at].low in {"a", "one"} else at
    if sign < len(tokens) and tokens[sign].low in _SIGNS:
        return _SIGNS[tokens[sign].low], sign + 1
    read = quantities.number(tokens, at) if at < len(tokens) else None
    if at < len(tokens) and tokens[at].low in {"a", "an"}:
        read = (1, at + 1)
    if read is None or not float(read[0]).is_integer() or not 0 < read[0] <= _LONGEST or read[1] >= len(tokens):
        return None
    end = read[1]
    case = _CASES.get(tokens[end].low)
    end += case is not None
    characters = _CHARACTERS.get(tokens[end].singular) if end < len(tokens) else None
    return (f"[{case or characters}]{{{int(read[0])}}}", end + 1) if characters is not None else None


_LONGEST: Final = 64
