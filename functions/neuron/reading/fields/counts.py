"""Reads how many of something each has unless something else is said: "25 days of holiday unless agreed otherwise"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology, quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.fields import defaults, naming
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token


def usual(tokens: Sequence[Token], at: int) -> tuple[naming.Item, int] | None:
    """Read a number, what it counts, and "unless …" as a number that has a default; None without the last part."""
    read = quantities.number(tokens, at) if at < len(tokens) and tokens[at].value is not None else None
    if read is None or read[1] >= len(tokens) or not morphology.is_plural(tokens[read[1]].low):
        return None
    cut = next((i for i in range(read[1], len(tokens)) if tokens[i].low in _ENDS), len(tokens))
    end = defaults.absent(tokens, cut)
    if end is None:
        return None
    period = next((i for i in range(read[1], cut) if quantities.period(tokens, i) is not None), cut)
    core = [t.low for t in tokens[read[1] : period] if t.is_word and t.low not in lexicon.ARTICLES]
    whole = isinstance(read[0], int)
    item = DraftField(
        morphology.name(*core),
        FieldType.INTEGER if whole else FieldType.DECIMAL,
        default=read[0],
        minimum=0,
        words=tuple(core),
    )
    if period < cut:
        item.description = f"Per {tokens[cut - 1].low}."
    return naming.Item(item, tuple(tokens[at:end]), determined=True), end


_ENDS: Final = frozenset({"unless", "if", ",", ";", "("})
