"""Reads how many parts a thing must have before something may be done with it.

"A survey can only be opened if it has at least one question", "an invoice has at least one line". A thing is made
before its parts, so the number is held where the thing moves on. Promises: a guard only where the thing has a move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology, quantities
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.rules import guards, readings
from shared.software import designs
from shared.software import specification as spec
from shared.software.specification import Condition, FieldType, Operator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

_HOLDING: Final = frozenset({"have", "contain", "hold", "include", "need"})


def guard_by_parts(r: readings.Reading, draft: Draft) -> bool:
    """Read "a survey can only be opened if it has at least one question", "cannot be sent while it has no lines"."""
    entity = r.subject
    if entity is None or entity.machine is None or len(r.frame.conditions) != 1 or not r.frame.group.passive:
        return False
    word, said = r.frame.conditions[0]
    needed = _needed(said, entity, draft)
    if needed is None:
        return False
    child, least = needed
    wanted = (word in {"if", "when", "once"} and r.frame.only) or (word == "unless" and r.frame.negated)
    lacking = least == 0 and word in {"if", "while", "when"} and r.frame.negated
    if not (wanted and least > 0) and not lacking:
        return False
    moves = [action for target, action, _ in guards.actions(r, draft, entity) if target is entity]
    rules = [_guard(draft, entity, action, child, max(least, 1)) for action in moves]
    return bool(rules) and draft.mark(*rules)


def _needed(said: Sequence[Token], entity: DraftEntity, draft: Draft) -> tuple[DraftEntity, int] | None:
    """Give the parts that a condition speaks of, and how many at least; none for "it has no lines"."""
    at = next((i for i, t in enumerate(said[:4]) if t.verb in _HOLDING or t.low in lexicon.HAVE), None)
    if at is None:
        return None
    mention = next((m for m in draft.mentions(said[at + 1 :])), None)
    if mention is None or mention.adjectives or mention.entity.reference_to(entity.name) is None:
        return None
    before = said[at + 1 : at + 1 + mention.start]
    if mention.end != len(said) - at - 1:
        return None
    if [t.low for t in before] in (["no"], ["not", "any"]):
        return mention.entity, 0
    if not before or [t.low for t in before] in (["some"], ["any"]):
        return mention.entity, 1
    read = quantities.bound(before, 0)
    if read is None or read[1] != len(before) or read[0].low is None or read[0].high is not None:
        return None
    return mention.entity, int(read[0].whole().low or 1)


def _guard(draft: Draft, entity: DraftEntity, action: str, child: DraftEntity, least: int) -> tuple[str, ...]:
    """Refuse a move while there are fewer parts; their number becomes a field of the whole."""
    field = _count(draft, entity, child)
    many = child.plural.replace("_", " ") if least > 1 else child.name.replace("_", " ")
    owner = designs.with_article(entity.name)
    rule = spec.TransitionRule(
        name=morphology.name(entity.name, action, child.plural, "needed"),
        entity=entity.name,
        message=f"{owner[0].upper()}{owner[1:]} needs at least {least} {many} before this: {action}.".replace("_", " "),
        action=action,
        requires=(Condition(field=field, operator=Operator.GE, value=least),),
    )
    return draft.add_rule(rule)


def _count(draft: Draft, entity: DraftEntity, child: DraftEntity) -> str:
    for rule in draft.rules.values():
        counts = isinstance(rule, spec.AggregateRule) and rule.function == "count" and not rule.when
        if isinstance(rule, spec.AggregateRule) and counts and (rule.entity, rule.of) == (entity.name, child.name):
            return rule.field
    reference = child.reference_to(entity.name)
    field = entity.add(
        DraftField(morphology.name(child.name, "count"), FieldType.INTEGER, managed=True, required=False)
    )
    rule = spec.AggregateRule(
        name=morphology.name(entity.name, field.name),
        entity=entity.name,
        message=f"The number of {child.plural} of {designs.with_article(entity.name)}.".replace("_", " "),
        field=field.name,
        of=child.name,
        reference=reference.name if reference is not None else "",
        function="count",
    )
    draft.mark(draft.add_rule(rule), ("field", entity.name, field.name))
    return field.name


def implied_parts(draft: Draft) -> None:
    """Hold "has at least one line item" where the thing first moves on, and say of the clause what is not held."""
    for holder, held, least, at in draft.parts:
        entity, child = draft.entities.get(holder), draft.entities.get(held)
        machine = entity.machine if entity is not None else None
        if entity is None or child is None or machine is None or child.reference_to(holder) is None:
            continue
        draft.at = at
        first = [move.name for move in machine.transitions.values() if machine.initial in move.sources]
        onward = [name for name in first if morphology.name(machine.transitions[name].target) not in _ENDING]
        kept = [_guard(draft, entity, name, child, least) for name in onward]
        if not kept:
            continue
        draft.mark(*kept)
        reason = _reason(entity, child, onward)
        draft.left[at] = [(s, e, reason if _at_least(why) else why) for s, e, why in draft.left[at]]


def _reason(entity: DraftEntity, child: DraftEntity, moves: Sequence[str]) -> str:
    """Say when the number of parts is checked, and that it is not held afterwards."""
    moved = f"{designs.with_article(entity.name)} moves on ({' and '.join(moves)})"
    return f"This is checked when {moved}. Afterwards {child.plural} can be deleted.".replace("_", " ")


def _at_least(why: str) -> bool:
    return why.startswith("that there must be so many at least")


_ENDING: Final = lexicon.words("cancelled canceled withdrawn rejected deleted archived abandoned")
