"""Reads who may have nothing new for what they have already: "members with overdue loans cannot borrow"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import closing
from functions.neuron.reading.rules import guards, readings
from shared.software import specification as spec
from shared.software.specification import Operator

if TYPE_CHECKING:
    from functions.neuron.reading.draft import Draft, DraftEntity, Mention
    from shared.software.specification import Condition


def blocked(r: readings.Reading, draft: Draft) -> bool:
    """Read "members with overdue loans cannot borrow", "a customer who has an open order may not place another one"."""
    if not r.frame.negated or len(r.subjects) != _PAIR or r.frame.group.passive or r.frame.conditions:
        return False
    holder, held = r.subjects
    between = [t.low for t in r.frame.subject[holder.end : held.start - len(held.adjectives)]]
    reference = held.entity.reference_to(holder.entity.name)
    stated = guards.adjectives(held, held.entity) if between[:1] == ["with"] or set(between) & _HAVING else None
    limit = _limit(stated, held.entity) if stated else None
    if reference is None or limit is None or holder.adjectives or held.end != len(r.frame.subject):
        return False
    if not all(closing.makes(verb, held.entity) or _of_it(r, held) for verb in r.frame.group.verbs):
        return False
    rule = spec.QuotaRule(
        name=readings.rule_name(held.entity.name, holder.entity.name, "refused"),
        entity=held.entity.name,
        message=readings.sentence(r.words, draft.request),
        reference=reference.name,
        limit=limit,
        when=stated or (),
    )
    return draft.mark(draft.add_rule(rule))


def _of_it(r: readings.Reading, held: Mention) -> bool:
    """Whether a clause speaks of making another one: "may not place another order"."""
    return set(r.frame.group.verbs) <= guards.ENTERING and any(m.entity is held.entity for m in r.objects)


def _limit(stated: tuple[Condition, ...], entity: DraftEntity) -> int | None:
    """Give how many there may be: none that is late, one that is in the state in which all begin; else it is open."""
    if any(c.other in {"now", "today"} for c in stated):
        return 0
    machine = entity.machine
    begins = machine is not None and len(stated) == 1 and stated[0].field == machine.field
    if not begins or machine is None:
        return None
    told = (stated[0].value,) if stated[0].operator is Operator.EQ else stated[0].value
    within = stated[0].operator in {Operator.EQ, Operator.IN} and isinstance(told, tuple) and machine.initial in told
    return 1 if within else None


_PAIR: Final = 2
_HAVING: Final = frozenset({"has", "have"})
