"""Reads how old a thing must be where its fields are listed: "students (name, at least 16 years old)"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.reading import quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.fields import naming, vocabulary
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token


def aged(tokens: Sequence[Token], at: int) -> tuple[naming.Item, int] | None:
    """Read "at least 16 years old" and "18 or older" as an age; None where no age is spoken of."""
    start = at
    while start < len(tokens) and tokens[start].low in {"must", "be", "is", "are", "who", "aged"}:
        start += 1
    read = quantities.bound(tokens, start)
    if read is None:
        return None
    bound, end = read
    old = quantities.any_phrase(tokens, end, ("years old", "years of age"))
    if bound.exact or (old is None and tokens[end - 1].low not in {"older", "younger"}):
        return None
    end = old or end
    if end < len(tokens) and tokens[end].is_word and tokens[end].low not in vocabulary.SEPARATORS:
        return None
    limits = bound.whole()
    item = DraftField("age", FieldType.INTEGER, minimum=limits.low or 0, maximum=limits.high, words=("age",))
    return naming.Item(item, tuple(tokens[at:end]), determined=True), end
