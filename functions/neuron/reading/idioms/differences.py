"""Reads that two things must differ: "home team and away team cannot be the same"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import (
    conditions,
    morphology,
    rules,
)
from shared.software.specification import (
    FieldType,
    Operator,
    RangeRule,
)

if TYPE_CHECKING:
    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.rules import Reading


_NAMES: Final = frozenset({FieldType.STRING, FieldType.TEXT, FieldType.EMAIL, FieldType.REFERENCE})


def differing(r: Reading, draft: Draft) -> bool:
    """Read "source and target language must differ", "home team and away team cannot be the same"."""
    lows = set(r.lows)
    apart = r.frame.verb == "differ" or ("different" in lows and not r.frame.negated)
    if not (apart or (r.frame.negated and lows & {"same", "equal", "identical"})) or "and" not in lows or "two" in lows:
        return False
    cut = next((i for i, t in enumerate(r.frame.subject) if t.low == "and"), None)
    if cut is None:
        return False
    for entity in (*[m.entity for m in r.subjects], *draft.entities.values()):
        second = conditions.find_field(r.frame.subject[cut + 1 :], entity)
        first = conditions.find_field(r.frame.subject[:cut], entity) or conditions.find_field(
            (*r.frame.subject[:cut], r.frame.subject[-1]), entity
        )
        if first is None or second is None or first[0] is second[0]:
            continue
        if (
            conditions.kind_of(first[0]) is not conditions.kind_of(second[0])
            or conditions.kind_of(first[0]) not in _NAMES
        ):
            continue
        rule = RangeRule(
            name=morphology.name(entity.name, first[0].name, second[0].name, "differ"),
            entity=entity.name,
            message=rules.sentence(r.words, draft.request),
            field=first[0].name,
            operator=Operator.NE,
            other=second[0].name,
        )
        return draft.mark(draft.add_rule(rule))
    return False
