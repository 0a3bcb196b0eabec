"""Reads what may be there only once, or not twice: "the same spot must not air twice at the same moment"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import (
    closing,
    conditions,
    frames,
    morphology,
    quantities,
    rules,
)
from functions.neuron.reading.idioms import guarding
from shared.software.specification import (
    FieldType,
    NoOverlapRule,
    QuotaRule,
    UniqueRule,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token


def neither(r: Reading, draft: Draft) -> bool:
    """Read "neither can a van" behind "a driver cannot be on two trips at once"."""
    if not r.words or r.words[0].low not in {"neither", "nor"} or len(r.words) > guarding.SHORT:
        return False
    mentions = draft.mentions(r.words)
    if len(mentions) != 1:
        return False
    for rule in reversed(list(draft.rules.values())):
        if isinstance(rule, UniqueRule) and len(rule.fields) == guarding.PAIR:
            reference = draft.entities[rule.entity].reference_to(mentions[0].entity.name)
            if reference is None or reference.name in rule.fields:
                return False
            return rules.add_unique(r, draft, draft.entities[rule.entity], (rule.fields[0], reference.name), rule.when)
        if isinstance(rule, NoOverlapRule | QuotaRule):
            reference = draft.entities[rule.entity].reference_to(mentions[0].entity.name)
            if reference is None:
                return False
            known = rule.per[-1] if isinstance(rule, NoOverlapRule) and rule.per else ""
            message = rule.message.replace(known, reference.name) if known else rules.sentence(r.words, draft.request)
            update = {"per": (reference.name,)} if isinstance(rule, NoOverlapRule) else {"reference": reference.name}
            name = morphology.name(rule.entity, reference.name, rule.kind)
            return draft.mark(draft.add_rule(rule.model_copy(update={"name": name, "message": message, **update})))
    return False


_MOMENTS: Final = ("time", "moment", "day", "date", "hour", "slot")


def same_twice(r: Reading, draft: Draft) -> bool:
    """Read "the same position can't be used twice in a concert": a position and a concert are together only once."""
    lows = [t.low for t in r.frame.subject]
    if not lows or "same" not in lows or not r.frame.negated or not {"twice", "again"} & set(r.lows):
        return False
    mentioned = [m.entity for m in (*r.subjects, *r.objects)]
    for entity in draft.entities.values():
        own = conditions.find_field(r.frame.subject, entity)
        within = [f for other in mentioned if (f := entity.reference_to(other.name))]
        first = (
            own[0]
            if own is not None
            else next((f for m in r.subjects if (f := entity.reference_to(m.entity.name))), None)
        )
        names = (
            tuple(dict.fromkeys(f.name for f in (*within, first) if f is not None and f is not first)) if first else ()
        )
        if first is not None and names:
            return rules.add_unique(r, draft, entity, (*names, first.name), conditions.running(entity))
    return False


def same_moment(r: Reading, draft: Draft) -> bool:
    """Read "the same spot must not air twice at the same moment" where a record has one moment."""
    lows = set(r.lows)
    told = any(quantities.phrase(r.words, i, f"same {noun}") for i in range(len(r.words)) for noun in _MOMENTS)
    if not told or not r.frame.negated or not lows & {"twice", "again", "two"}:
        return False
    mentioned = [m.entity for m in (*r.subjects, *r.objects)]
    for entity in draft.entities.values():
        reference = next((f for other in mentioned if (f := entity.reference_to(other.name))), None)
        dates = [f for f in entity.fields.values() if not f.managed and conditions.kind_of(f) in conditions.DATED]
        if reference is not None and len(dates) == 1:
            return rules.add_unique(r, draft, entity, (reference.name, dates[0].name), conditions.running(entity))
    return False


def once_each(r: Reading, draft: Draft) -> bool:
    """Read "only once each" behind what ties two things together: each pair only once."""
    topic = draft.entities.get(draft.topic or "")
    if (
        topic is None
        or r.frame.subject
        or "once" not in r.lows
        or "each" not in r.lows
        or len(r.words) > guarding.SHORT
    ):
        return False
    references = [f.name for f in topic.fields.values() if f.target]
    return len(references) >= guarding.PAIR and rules.add_unique(
        r, draft, topic, tuple(references), conditions.running(topic)
    )


def not_again(r: Reading, draft: Draft) -> bool:
    """Read "a car that is in an open trip cannot be taken again": one open trip for each car."""
    at = next((i for i, t in enumerate(r.frame.subject) if i and t.low in {"that", "which", "who"}), None)
    if at is None or r.subject is None or not r.frame.negated or "again" not in r.lows:
        return False
    holder, said = r.subjects[0].entity, r.frame.subject[at + 1 :]
    named = [m for m in draft.mentions(said) if m.entity.reference_to(holder.name)]
    made = [e for v in r.frame.group.verbs for e in draft.entities.values() if closing.makes(v, e)]
    link = named[0].entity if named else next((e for e in made if e.reference_to(holder.name)), None)
    reference = link.reference_to(holder.name) if link is not None else None
    if link is None or reference is None:
        return False
    when = (rules.adjectives(named[0], link) if named else None) or conditions.running(link)
    if not when:
        return False
    rule = QuotaRule(
        name=morphology.name(link.name, reference.name, "quota"),
        entity=link.name,
        message=rules.sentence(r.words, draft.request),
        reference=reference.name,
        limit=1,
        when=when,
    )
    return draft.mark(draft.add_rule(rule))


def once_together(r: Reading, draft: Draft) -> bool:
    """Read "the same artist and title can be entered only once": the two together are unique."""
    if not r.frame.subject or "same" not in {t.low for t in r.frame.subject}:
        return False
    often = "once" in r.lows and (r.frame.only or "only" in r.lows)
    if not often and not (r.frame.negated and {"twice", "again"} & set(r.lows)):
        return False
    topic = draft.entities.get(draft.topic or "")
    for entity in dict.fromkeys([*([topic] if topic else []), *draft.entities.values()]):
        names: list[str] = []
        at = 0
        while (named := conditions.find_field(r.frame.subject, entity, at)) is not None:
            names.append(named[0].name)
            at = named[2]
        if len(names) >= guarding.PAIR:
            return rules.add_unique(r, draft, entity, tuple(names), conditions.running(entity))
    return False


def same_day(r: Reading, draft: Draft) -> bool:
    """Read "a desk can only be reserved once for the same day", "one reservation per desk and day"."""
    lows = r.lows
    if "time" in lows and "date" in lows:
        return False
    if r.subject is None or not ({"once", "twice"} & set(lows)) or not {"day", "date"} & set(lows):
        return False
    if rules.period_of(r.words) is not None and "same" not in lows:
        return False
    at = next(i for i, low in enumerate(lows) if low in {"day", "date"})
    if not {"same", "given", "one", "a", "any", "per", "each", "every"} & set(lows[max(0, at - 2) : at]):
        return False
    for verb in r.frame.group.verbs:
        for entity in draft.entities.values():
            mine = entity.reference_to(r.subject.name)
            moment = conditions.dated(entity, "date", "day")
            alone = sum(e.reference_to(r.subject.name) is not None for e in draft.entities.values()) == 1
            if mine is not None and moment is not None and (closing.makes(verb, entity) or alone):
                return rules.add_unique(r, draft, entity, (mine.name, moment.name), conditions.running(entity))
    return False


def once_in(r: Reading, draft: Draft) -> bool:
    """Read "a bird can be captured at most once a day", "a member can visit a sauna once per week"."""
    period = rules.period_of(r.words)
    if r.subject is None or period is None or "once" not in r.lows or r.frame.negated or r.frame.conditions:
        return False
    for entity in draft.entities.values():
        mine = entity.reference_to(r.subject.name)
        if mine is None or not any(closing.makes(verb, entity) for verb in r.frame.group.verbs):
            continue
        theirs = [f.name for m in r.objects if m.entity is not r.subject and (f := entity.reference_to(m.entity.name))]
        dates = [f for f in entity.fields.values() if conditions.kind_of(f) in conditions.DATED and not f.managed]
        if period == "day" and len(dates) == 1 and conditions.kind_of(dates[0]) is FieldType.DATE:
            return rules.add_unique(r, draft, entity, (mine.name, *theirs, dates[0].name), conditions.running(entity))
        rule = QuotaRule(
            name=morphology.name(entity.name, mine.name, "quota"),
            entity=entity.name,
            message=rules.sentence(r.words, draft.request),
            reference=mine.name,
            also=tuple(theirs),
            limit=1,
            period=period,
            period_field=rules.period_field(entity),
            when=conditions.running(entity),
        )
        return draft.mark(draft.add_rule(rule))
    return False


def also_at_most(r: Reading, draft: Draft) -> bool:
    """Read the limit behind a uniqueness: "can enroll in a course only once and in no more than 6 courses"."""
    at = next((i for i, t in enumerate(r.frame.rest) if t.low == "and" and i), None)
    if at is None or "once" not in [t.low for t in r.frame.rest[:at]] or r.subject is None:
        return False
    behind = r.frame.rest[at + 1 :]
    if not any((b := quantities.bound(behind, i)) is not None and not b[0].exact for i in range(len(behind))):
        return False
    first = _part(r, draft, r.frame.rest[:at])
    second = _part(r, draft, behind)
    found = rules.unique(first, draft)
    return rules.quota(second, draft) and found


def _part(r: Reading, draft: Draft, rest: Sequence[Token]) -> Reading:
    frame = frames.Frame(r.frame.subject, r.frame.group, tuple(rest), ())
    subject = tuple(r.frame.subject)
    return rules.Reading(frame, (*subject, *rest), r.subjects, draft.mentions(rest))
