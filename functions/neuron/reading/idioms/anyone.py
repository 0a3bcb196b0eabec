"""Reads limits on whoever it is: "nobody may buy more than 6 tickets", "no one can book the same class twice"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import (
    closing,
    conditions,
    lexicon,
    morphology,
    quantities,
    rules,
)
from functions.neuron.reading.idioms import guarding
from shared.software.specification import (
    QuotaRule,
)

if TYPE_CHECKING:
    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading

_ANYONE: Final = lexicon.words("nobody noone anyone everyone everybody person people")


def of_anyone(r: Reading, draft: Draft) -> bool:
    """Read "nobody may buy more than 6 tickets for one event": a limit for each person, whom a field tells apart."""
    subject = [t.low for t in r.frame.subject]
    anyone = bool(set(subject) & _ANYONE) or subject[:2] == ["no", "one"]
    role = _in_role(r) if not anyone and r.subject is None else None
    if not (anyone or role) or r.subject is not None or len(subject) > 2:
        return False
    limit = next((b for i in range(len(r.frame.rest)) if (b := quantities.bound(r.frame.rest, i)) is not None), None)
    if limit is None or not r.objects:
        return False
    high = limit[0].whole().high if limit[0].high is not None else None
    if limit[0].low is not None and limit[0].high is None and (anyone or r.frame.negated):
        high = limit[0].negated().whole().high
    entity = r.objects[0].entity
    if anyone and (made := _made_of(r, draft)) is not None:
        owner = next(f for f in made.fields.values() if f.target and f.target != entity.name)
        return _limit_each(r, draft, made, owner.name, high)
    who = role or next(
        (n for word in guarding.WHO for n in entity.fields if word in n.split("_") and not entity.fields[n].target),
        None,
    )
    if high is None or (who is None and not any(f.target for f in entity.fields.values())):
        return False
    parent = next((f for m in r.objects[1:] if (f := entity.reference_to(m.entity.name))), None)
    period = rules.period_of(r.words)
    owners = [f for f in entity.fields.values() if f.target and f is not parent]
    if len(owners) == 1 and role is None:
        parent, who = owners[0], (parent.name if parent is not None else None)
    rule = QuotaRule(
        name=morphology.name(entity.name, *([who] if who else []), *([parent.name] if parent else []), "quota"),
        entity=entity.name,
        message=rules.sentence(r.words, draft.request),
        reference=parent.name if parent else None,
        also=(who,) if who else (),
        limit=int(high),
        period=period,
        period_field=rules.period_field(entity) if period else None,
        when=rules.adjectives(r.objects[0], entity) or conditions.running(entity),
    )
    return draft.mark(draft.add_rule(rule), *([("field", entity.name, who)] if who else []))


def _made_of(r: Reading, draft: Draft) -> DraftEntity | None:
    """Give what the deed makes of two things: the loan of a tool, of which a member has so many."""
    target = r.objects[0].entity.name
    for entity in draft.entities.values():
        owners = [f for f in entity.fields.values() if f.target and f.target != target]
        made = any(closing.makes(verb, entity) for verb in r.frame.group.verbs)
        if made and entity.reference_to(target) is not None and len(owners) == 1 and len(r.objects) == 1:
            return entity
    return None


def _limit_each(r: Reading, draft: Draft, entity: DraftEntity, owner: str, high: float | None) -> bool:
    period = rules.period_of(r.words)
    if high is None:
        return False
    rule = QuotaRule(
        name=morphology.name(entity.name, owner, "quota"),
        entity=entity.name,
        message=rules.sentence(r.words, draft.request),
        reference=owner,
        limit=int(high),
        period=period,
        period_field=rules.period_field(entity) if period else None,
        when=() if period else conditions.running(entity),
    )
    return draft.mark(draft.add_rule(rule))


def nobody_twice(r: Reading, draft: Draft) -> bool:
    """Read "nobody can book the same class twice": whoever it is and the class are together only once."""
    lows = [t.low for t in r.frame.subject]
    anyone = bool(set(lows) & {"nobody", "noone"}) or lows[:2] == ["no", "one"]
    again = {"twice", "again"} & set(r.lows) or ("more" in r.lows and "once" in r.lows)
    if r.subject is not None or not anyone or not again or not r.objects or rules.period_of(r.words) is not None:
        return False
    for entity in draft.entities.values():
        theirs = entity.reference_to(r.objects[0].entity.name)
        if theirs is None or not any(closing.makes(verb, entity) for verb in r.frame.group.verbs):
            continue
        owners = [f.name for f in entity.fields.values() if f.target and f is not theirs]
        told = [
            n for word in guarding.WHO for n in entity.fields if word in n.split("_") and not entity.fields[n].target
        ]
        who = owners if len(owners) == 1 else told[:1]
        if who:
            return rules.add_unique(r, draft, entity, (who[0], theirs.name), conditions.running(entity))
    return False


def _in_role(r: Reading) -> str | None:
    """Give the field that tells apart who is spoken of: "a buyer" where a ticket has a buyer name."""
    if not r.objects or not r.frame.subject or r.frame.subject[0].low not in {"a", "an", "each", "every", "one", "no"}:
        return None
    noun = r.frame.subject[-1].singular
    fields = r.objects[0].entity.fields
    found = next((n for n in (f"{noun}_email", f"{noun}_name", f"{noun}_phone", noun) if n in fields), None)
    return found if found is not None and not fields[found].target else None


def nobody_for(r: Reading, draft: Draft) -> bool:
    """Read "nobody can sign up for a dive that is called off": nothing is made for what is in that state."""
    lows = [t.low for t in r.frame.subject]
    anyone = bool(set(lows) & {"nobody", "noone"}) or lows[:2] == ["no", "one"]
    if r.subject is not None or not (anyone or r.frame.negated) or len(lows) > guarding.PAIR or not r.objects:
        return False
    other = r.objects[-1]
    behind = r.frame.rest[other.end :]
    relative = bool(behind) and behind[0].low in {"that", "which", "who"}
    stated = conditions.predicate(behind[1:], other.entity, draft) if relative else None
    stated = stated or rules.adjectives(other, other.entity)
    required = conditions.negate(stated) if stated else None
    for entity in draft.entities.values() if required else ():
        reference = entity.reference_to(other.entity.name)
        if reference is not None and any(closing.makes(verb, entity) for verb in r.frame.group.verbs):
            requires = tuple(c.model_copy(update={"field": f"{reference.name}.{c.field}"}) for c in required or ())
            return guarding.guard(r, draft, entity, requires)
    return False
