"""Reads how much of something a thing takes: "lasts 30, 45 or 60 minutes", "weighs 1 to 20 kg".

What is measured becomes a field, named by the verb, that must be one of the numbers or within the bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import quantities
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.fields import enumerating, sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

MEASURED: Final = {
    "last": "duration",
    "weigh": "weight",
    "cost": "price",
    "serve": "servings",
    "seat": "seats",
}
"""Verbs of measure, and the noun for what they measure."""


def behind_verb(tokens: Sequence[Token], i: int, verb: str) -> tuple[DraftField, int, bool] | None:
    """Read what stands behind a verb of measure.

    Args:
        tokens: Of the clause.
        i: Where the figure should begin.
        verb: The verb's base form.

    Returns:
        The field, where the figure ends, and whether it leaves a choice (one bare number does not); None when there
        is no figure.
    """
    name = MEASURED.get(verb)
    if name is None or i >= len(tokens):
        return None
    field = DraftField(name, words=(name,))
    end = enumerating.numbers(tokens, i, field)
    if end is not None:
        return field, end, True
    bound = quantities.bound(tokens, i)
    if bound is None:
        return None
    end = enumerating.unit(tokens, sizes.apply_bound(tokens, bound[1], bound[0], field) or bound[1], field)
    return (field, end, not bound[0].exact) if field.minimum is not None or field.maximum is not None else None
