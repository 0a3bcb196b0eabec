"""Reads what is said of several fields behind them: "a front and a back, neither of which may be empty"."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, quantities
from functions.neuron.reading.fields import qualifiers
from functions.neuron.reading.tokens import Kind, Token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.fields.naming import Item

_LAST: Final = {"neither": 2, "both": 2, "none": None, "all": None}  # of how many of the fields before it is said
_FEWEST: Final = 2


def of_several(tokens: Sequence[Token], at: int, found: Sequence[Item]) -> int | None:
    """Read "neither of which may be empty" into the fields before; gives where it ends, None where there is none."""
    if (end := _together(tokens, at, found)) is not None:
        return end
    told = [token.low for token in tokens[at : at + 3]]
    if len(found) < _FEWEST or not told or told[0] not in _LAST or told[1:] not in _OF_WHICH:
        return None
    end = next((j for j in range(at, len(tokens)) if tokens[j].text in {",", ";"}), len(tokens))
    last = _LAST[told[0]]
    meant = found[-last:] if last is not None else found
    said = tokens[at + 3 : end]
    if told[0] in {"neither", "none"}:
        said = _denied(said)
    read = [_attributes(said, item) for item in meant]
    if not all(read):
        found[-1].left.append(tuple(tokens[at:end]))
    return end


def _together(tokens: Sequence[Token], at: int, found: Sequence[Item]) -> int | None:
    """Read "title and composer, together unique" into the two fields before; gives where it ends."""
    end = quantities.any_phrase(tokens, at, _PAIRS)
    if end is None or len(found) < _FEWEST:
        return None
    first, second = found[-_FEWEST].field, found[-1].field
    second.unique_per = (*second.unique_per, first.name)
    return end


_PAIRS: Final = (
    "together unique", "unique together", "which together are unique", "which are together unique",
    "which are unique together", "which are unique in combination", "pair of which is unique",
    "combination of which is unique", "combination of which must be unique", "whose combination is unique",
    "pair of which must be unique", "which together must be unique", "which must be unique together",
)  # fmt: skip
_OF_WHICH: Final = (["of", "which"], ["of", "them"], ["of", "whom"])


def _denied(said: Sequence[Token]) -> list[Token]:
    """Write "may be empty" as "must not be empty"."""
    rest = [token for token in said if token.low not in lexicon.MODALS]
    return [Token(Kind.WORD, "must-not", rest[0].start, rest[0].start), *rest] if rest else []


def _attributes(said: Sequence[Token], item: Item) -> bool:
    probe = replace(item.field)
    if not said or qualifiers.attributes(said, 0, probe) < len(said):
        return False
    item.field.merge(probe)
    return True
