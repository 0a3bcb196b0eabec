"""Reads what holds unless something else is said, and what a limit leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import (
    conditions,
    lexicon,
    morphology,
    quantities,
    rules,
)
from functions.neuron.reading.draft import DraftField
from shared.software.specification import (
    CapacityRule,
    QuotaRule,
)

if TYPE_CHECKING:
    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.rules import Reading


_COSTING: Final = {"cost": "price", "take": "duration", "last": "duration"}


def unless_given(r: Reading, draft: Draft) -> bool:
    """Read "lessons cost 40 euros unless another price is given": what a field is when it is left out."""
    if r.subject is None or r.frame.verb not in _COSTING or r.frame.negated or not r.frame.conditions:
        return False
    word, said = r.frame.conditions[0]
    number = quantities.number(r.frame.rest, 0)
    if word != "unless" or number is None or "given" not in {t.low for t in said} | {"given"}:
        return False
    noun = next((t.low for t in said if t.is_word and t.low not in _NO_NOUN), _COSTING[r.frame.verb])
    field = r.subject.add(DraftField(morphology.name(noun)))
    field.default = number[0]
    return draft.mark(("field", r.subject.name, field.name))


_NO_NOUN: Final = lexicon.DETERMINERS | lexicon.BE | lexicon.words("given specified stated set it something else")


def not_counted(r: Reading, draft: Draft) -> bool:
    """Read "a cancelled booking does not count": the limits on bookings leave it out."""
    if r.subject is None or not r.frame.negated or r.frame.verb != "count":
        return False
    stated = rules.adjectives(r.subjects[0], r.subject)
    left = conditions.negate(stated) if stated else None
    limits = [
        rule
        for rule in draft.rules.values()
        if isinstance(rule, QuotaRule | CapacityRule) and rule.entity == r.subject.name
    ]
    if left is None or not limits:
        return False
    for rule in limits:
        draft.rules[rule.name] = rule if rule.when else rule.model_copy(update={"when": left})
        draft.mark(("rule", rule.name))
    return True
