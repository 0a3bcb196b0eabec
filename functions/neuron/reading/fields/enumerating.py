"""Reads the values that a field is one of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import enumerations, lexicon
from functions.neuron.reading.draft import DraftField
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token


def said_values(tokens: Sequence[Token], i: int, target: DraftField) -> int | None:
    """Read the values of an enumeration behind "of", "which is", ":", "one of", "either"."""
    j = i
    while j < len(tokens) and tokens[j].low in {"of", ":", "=", "being", "is", "as", "from"}:
        j += 1
    opens = j > i or tokens[i].low in {"one", "either", "any"}
    behind_helper = i > 0 and tokens[i - 1].low in lexicon.BE | {":", "=", "being"}
    if j >= len(tokens) or not (opens or behind_helper):
        return None
    read = enumerations.enumeration(tokens, j) or enumerations.slashed(tokens, j)
    read = read or (enumerations.listed(tokens, j) if tokens[j - 1].text == ":" else None)
    if read is None or len(read[0]) < 2:
        return None
    if enumerations.boolean(read[0]):
        target.type = FieldType.BOOLEAN
    else:
        target.values = tuple(dict.fromkeys(read[0]))
    return read[1]


SEVERAL: Final = 2


def enumerate_values(target: DraftField, values: Sequence[str]) -> None:
    """Let a field be one of some values; yes and no make it a truth value."""
    if enumerations.boolean(values):
        target.type = FieldType.BOOLEAN
    else:
        target.values = tuple(dict.fromkeys(values))
