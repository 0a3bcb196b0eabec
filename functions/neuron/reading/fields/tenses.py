"""Reads on which side of the present a date lies: "that cannot lie in the future", "which must be in the past"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, quantities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import DraftField
    from functions.neuron.reading.tokens import Token

_HELPERS: Final = (
    lexicon.MODALS | lexicon.BE | lexicon.NEGATIONS | lexicon.words("which that who lie lies fall falls set")
)
_LATER: Final = ("in the future", "after today", "later than today", "later than now")
_EARLIER: Final = ("in the past", "before today", "earlier than today", "earlier than now")
_OPPOSITE: Final = {"lt": "ge", "gt": "le"}


def tense(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read whether a moment must lie before or behind the present; gives where that ends."""
    j = i
    while j < len(tokens) and tokens[j].low in _HELPERS:
        j += 1
    for operator, phrases in (("gt", _LATER), ("lt", _EARLIER)):
        end = quantities.any_phrase(tokens, j, phrases)
        if end is not None:
            denied = bool({t.low for t in tokens[i:j]} & lexicon.NEGATIONS)
            target.present = _OPPOSITE[operator] if denied else operator
            return end
    return None


def later_by(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read "(when it is due), which is 21 days later": so long after the moment that is listed before it."""
    j = i
    while j < len(tokens) and tokens[j].low in {"which", "that", "is", "are", "always"}:
        j += 1
    read = quantities.duration(tokens, j) if j < len(tokens) else None
    if read is None or read[1] >= len(tokens) or tokens[read[1]].low not in {"later", "afterwards", "thereafter"}:
        return None
    target.later_by = (read[0].days, read[0].hours)
    return read[1] + 1
