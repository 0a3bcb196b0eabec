"""Reads rules that stand in other words than those of `rules`: nobody, two at once, neither, accept no more.

Tried before the readers of `rules`, which would take these for something simpler. Promises: a rule only where every
part that it needs was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import (
    closing,
    conditions,
    figures,
    frames,
    lexicon,
    morphology,
    quantities,
    reporting,
    rules,
    views,
)
from functions.neuron.reading.draft import DraftField
from shared.software.specification import (
    CapacityRule,
    Condition,
    Derivation,
    FieldType,
    NoOverlapRule,
    Operator,
    QuotaRule,
    RangeRule,
    TransitionRule,
    UniqueRule,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token

_ANYONE: Final = lexicon.words("nobody noone anyone everyone everybody person people")
_WHO: Final = ("email", "name", "phone")


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
        (n for word in _WHO for n in entity.fields if word in n.split("_") and not entity.fields[n].target), None
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
        told = [n for word in _WHO for n in entity.fields if word in n.split("_") and not entity.fields[n].target]
        who = owners if len(owners) == 1 else told[:1]
        if who:
            return rules.add_unique(r, draft, entity, (who[0], theirs.name), conditions.running(entity))
    return False


def only_on(r: Reading, draft: Draft) -> bool:
    """Read "comments only on published posts": made only for what is in that state."""
    at = next((i for i, t in enumerate(r.words) if t.low == "only"), None)
    if at is None or r.frame.subject or at + 1 >= len(r.words) or r.words[at + 1].low not in _AIMING:
        return False
    made, aims = draft.mentions(r.words[:at]), draft.mentions(r.words[at + 1 :])
    if len(made) != 1 or len(aims) != 1 or made[0].start > 1:
        return False
    reference = made[0].entity.reference_to(aims[0].entity.name)
    stated = rules.adjectives(aims[0], aims[0].entity)
    if reference is None or not stated or any("." in c.field for c in stated):
        return False
    requires = tuple(c.model_copy(update={"field": f"{reference.name}.{c.field}"}) for c in stated)
    return _guard(r, draft, made[0].entity, requires)


_AIMING: Final = frozenset({"on", "for", "to", "in", "of", "at"})


def _in_role(r: Reading) -> str | None:
    """Give the field that tells apart who is spoken of: "a buyer" where a ticket has a buyer name."""
    if not r.objects or not r.frame.subject or r.frame.subject[0].low not in {"a", "an", "each", "every", "one", "no"}:
        return None
    noun = r.frame.subject[-1].singular
    fields = r.objects[0].entity.fields
    found = next((n for n in (f"{noun}_email", f"{noun}_name", f"{noun}_phone", noun) if n in fields), None)
    return found if found is not None and not fields[found].target else None


def neither(r: Reading, draft: Draft) -> bool:
    """Read "neither can a van" behind "a driver cannot be on two trips at once"."""
    if not r.words or r.words[0].low not in {"neither", "nor"} or len(r.words) > _SHORT:
        return False
    mentions = draft.mentions(r.words)
    if len(mentions) != 1:
        return False
    for rule in reversed(list(draft.rules.values())):
        if isinstance(rule, UniqueRule) and len(rule.fields) == _PAIR:
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


_SHORT: Final = 6
_PAIR: Final = 2


_MOMENTS: Final = ("time", "moment", "day", "date", "hour", "slot")
_TIMES: Final = frozenset({FieldType.DATE, FieldType.DATETIME})


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


def for_state(r: Reading, draft: Draft) -> bool:
    """Read "you can't make an offer for a sold bike": whoever it is, nothing is made for what is in that state."""
    if r.subject is not None or not r.frame.negated or len(r.objects) != _PAIR:
        return False
    made, other = r.objects
    reference = made.entity.reference_to(other.entity.name)
    stated = rules.adjectives(other, other.entity)
    required = conditions.negate(stated) if stated else None
    creating = set(r.frame.group.verbs) & {
        "make",
        "create",
        "add",
        "place",
        "register",
        "submit",
        "take",
        "have",
        "give",
    }
    if reference is None or required is None or made.adjectives or not creating:
        return False
    requires = tuple(c.model_copy(update={"field": f"{reference.name}.{c.field}"}) for c in required)
    return _guard(r, draft, made.entity, requires)


def same_moment(r: Reading, draft: Draft) -> bool:
    """Read "the same spot must not air twice at the same moment" where a record has one moment."""
    lows = set(r.lows)
    told = any(quantities.phrase(r.words, i, f"same {noun}") for i in range(len(r.words)) for noun in _MOMENTS)
    if not told or not r.frame.negated or not lows & {"twice", "again", "two"}:
        return False
    mentioned = [m.entity for m in (*r.subjects, *r.objects)]
    for entity in draft.entities.values():
        reference = next((f for other in mentioned if (f := entity.reference_to(other.name))), None)
        dates = [f for f in entity.fields.values() if not f.managed and conditions.kind_of(f) in _TIMES]
        if reference is not None and len(dates) == 1:
            return rules.add_unique(r, draft, entity, (reference.name, dates[0].name), conditions.running(entity))
    return False


def once_each(r: Reading, draft: Draft) -> bool:
    """Read "only once each" behind what ties two things together: each pair only once."""
    topic = draft.entities.get(draft.topic or "")
    if topic is None or r.frame.subject or "once" not in r.lows or "each" not in r.lows or len(r.words) > _SHORT:
        return False
    references = [f.name for f in topic.fields.values() if f.target]
    return len(references) >= _PAIR and rules.add_unique(r, draft, topic, tuple(references), conditions.running(topic))


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


def either(r: Reading, draft: Draft) -> bool:
    """Read "no dentist may have overlapping treatments, and no patient either" as two rules."""
    if not r.words or r.words[-1].low != "either":
        return False
    cut = next((i for i in range(len(r.words) - 1, 0, -1) if r.words[i].low in {"and", "or", "nor"}), None)
    frame = frames.parse(r.words[: cut - (r.words[cut - 1].text == ",")]) if cut else None
    named = draft.mentions(r.words[cut:]) if cut else []
    if cut is None or frame is None or len(named) != 1:
        return False
    words = tuple(r.words[: cut - (r.words[cut - 1].text == ",")])
    first = rules.Reading(frame, words, draft.mentions(frame.subject), draft.mentions(frame.rest))
    if not any(reader(first, draft) for reader in (rules.overlap, rules.quota)):
        return False
    second = rules.Reading(
        frames.Frame((*r.words[cut + 1 : -1],), frame.group, frame.rest, frame.conditions),
        (*r.words[cut + 1 : -1], *words[len(frame.subject) :]),
        named,
        first.objects,
    )
    return any(reader(second, draft) for reader in (rules.overlap, rules.quota))


def of_states(r: Reading, draft: Draft) -> bool:
    """Read "won or lost deals can't be changed anymore": a guard against each of several states."""
    if not r.frame.negated or len(r.subjects) != 1 or not {"or", "and"} & {t.low for t in r.frame.subject}:
        return False
    entity, before = r.subjects[0].entity, r.frame.subject[: r.subjects[0].start]
    words = [t.low for t in before if t.is_word and t.low not in lexicon.DETERMINERS | {"or", "and"}]
    stated = [conditions.adjective(word, entity) for word in words]
    against = [conditions.negate(found) for found in stated if found]
    if len(words) < 2 or len(against) != len(words):
        return False
    required = tuple(c for found in against if found for c in found)
    found = False
    for target, action, prefix in rules.actions(r, draft, entity):
        if prefix or len(required) != len(words):
            continue
        rule = TransitionRule(
            name=morphology.name(target.name, action, "allowed"),
            entity=target.name,
            message=rules.sentence(r.words, draft.request),
            action=action,
            requires=required,
        )
        found = draft.mark(draft.add_rule(rule))
    return found


def accepting(r: Reading, draft: Draft) -> bool:
    """Read "closed jobs accept no applications", "after the closing date no votes are accepted"."""
    return _accepts_none(r, draft) or _late(r, draft)


_ACCEPTING: Final = lexicon.words("accept take allow receive get admit permit have")


def _accepts_none(r: Reading, draft: Draft) -> bool:
    if r.subject is None or r.frame.verb not in _ACCEPTING or r.frame.group.passive or not r.objects:
        return False
    behind = [t.low for t in r.frame.rest[: r.objects[0].start]]
    if not (r.frame.negated or "no" in behind) or any(quantities.is_number(t) for t in r.frame.rest):
        return False
    stated = rules.adjectives(r.subjects[0], r.subject)
    required = conditions.negate(stated) if stated else None
    entity = r.objects[0].entity
    reference = entity.reference_to(r.subject.name)
    if required is None or reference is None:
        return False
    return _guard(
        r, draft, entity, tuple(c.model_copy(update={"field": f"{reference.name}.{c.field}"}) for c in required)
    )


def _late(r: Reading, draft: Draft) -> bool:
    """Read "after the closing date no votes are accepted", "no votes are accepted after the closing date"."""
    refused = r.frame.negated and set(r.frame.group.verbs) & {"accept", "allow", "permit", "take", "make", "cast"}
    if not refused or r.subject is None or not r.frame.group.passive:
        return False
    said = [(word, tokens) for word, tokens in r.frame.conditions if word in {"after", "before"}]
    at = next((i for i, t in enumerate(r.frame.rest) if t.low in {"after", "before"}), None)
    if at is not None:
        said.append((r.frame.rest[at].low, tuple(r.frame.rest[at + 1 :])))
    for word, tokens in said:
        for reference in r.subject.fields.values():
            parent = draft.entities.get(reference.target or "")
            named = conditions.find_field(tokens, parent) if parent is not None else None
            if named is None or conditions.kind_of(named[0]) not in {FieldType.DATE, FieldType.DATETIME}:
                continue
            operator = Operator.GE if word == "after" else Operator.LE
            field = f"{reference.name}.{named[0].name}"
            requires = (Condition(field=field, operator=operator, other=conditions.moment(named[0])),)
            return _guard(r, draft, r.subject, requires)
    return False


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


def too_late(r: Reading, draft: Draft) -> bool:
    """Read "a petition cannot be signed after its closing date": no signature is made later."""
    at = next((i for i, t in enumerate(r.frame.rest) if t.low in {"after", "before"}), None)
    if at is None or r.subject is None or not r.frame.negated or not r.frame.group.passive:
        return False
    named = conditions.find_field(r.frame.rest, r.subject, at + 1)
    if named is None or conditions.kind_of(named[0]) not in _TIMES or named[2] != len(r.frame.rest):
        return False
    operator = Operator.GE if r.frame.rest[at].low == "after" else Operator.LE
    for entity in draft.entities.values():
        reference = entity.reference_to(r.subject.name)
        if reference is not None and any(closing.makes(verb, entity) for verb in r.frame.group.verbs):
            field = f"{reference.name}.{named[0].name}"
            return _guard(
                r, draft, entity, (Condition(field=field, operator=operator, other=conditions.moment(named[0])),)
            )
    return False


def apart(r: Reading, draft: Draft) -> bool:
    """Read "at most once every 56 days", "at least 56 days apart": no two lie within that time of one another.

    Each thing covers the time from its own date until that many days later, and these times do not overlap.
    """
    length = _interval_length(r)
    if length is None:
        return False
    found = _spaced(r, draft)
    if found is None:
        return False
    entity, reference = found
    dates = [f for f in entity.fields.values() if conditions.kind_of(f) in _TIMES and not f.managed]
    if len(dates) > 1:
        return False
    start = dates[0] if dates else entity.add(DraftField(f"{entity.name}_date", FieldType.DATE))
    start.type, start.immutable = conditions.kind_of(start), True
    end = entity.add(
        DraftField("next_possible_date" if start.type is FieldType.DATE else "next_possible_at", start.type)
    )
    end.managed, end.required, end.description = True, True, "From when on the next one may be there."
    entity.derivations[end.name] = Derivation(field=end.name, base=start.name, days=length.days, hours=length.hours)
    rule = NoOverlapRule(
        name=morphology.name(entity.name, reference, "apart"),
        entity=entity.name,
        message=rules.sentence(r.words, draft.request),
        start=start.name,
        end=end.name,
        per=(reference,),
        when=conditions.running(entity),
    )
    return draft.mark(draft.add_rule(rule), ("field", entity.name, end.name), ("derivation", entity.name, end.name))


def _interval_length(r: Reading) -> quantities.Duration | None:
    """Give the time that must lie between two: behind "once every", "once in", or in front of "apart"."""
    for i in range(len(r.words)):
        once = quantities.phrase(r.words, i, "once every") or quantities.phrase(r.words, i, "once in")
        read = quantities.duration(r.words, once) if once is not None else None
        if read is not None and quantities.is_number(r.words[once or 0]):
            return read[0]
        least = quantities.phrase(r.words, i, "at least")
        read = quantities.duration(r.words, least) if least is not None else None
        if read is not None and read[1] < len(r.words) and r.words[read[1]].low == "apart":
            return read[0]
    return None


def _spaced(r: Reading, draft: Draft) -> tuple[DraftEntity, str] | None:
    """Give what is spaced, and the field that says for whom: the donations of a donor."""
    mentioned = [m.entity for m in (*r.subjects, *r.objects)]
    for entity in draft.entities.values():
        owner = next((f for other in mentioned if (f := entity.reference_to(other.name))), None)
        made = any(closing.makes(verb, entity) for verb in r.frame.group.verbs)
        if owner is not None and (made or entity in mentioned):
            return entity, owner.name
    return None


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


_LISTING: Final = lexicon.words("list show print display report see tell give")


def several_lists(r: Reading, draft: Draft) -> bool:
    """Read "it lists the open chores and the points of each member": every part is a list or a figure of its own."""
    wished = r.frame.verb in {"need", "want"} and bool(r.frame.subject) and r.frame.subject[0].low in {"i", "we"}
    if r.frame.negated or r.frame.conditions or r.frame.group.passive or not (wished or r.frame.verb in _LISTING):
        return False
    parts = [part for part in _listed_parts(r.frame.rest) if part]
    if len(parts) < _PAIR:
        return False
    found = [part for part in parts if _shown(r, draft, part)]
    for part in parts if found else ():
        if part not in found:
            draft.leave(part, "this part was not understood")
    return bool(found)


def _shown(r: Reading, draft: Draft, part: Sequence[Token]) -> bool:
    verb = r.words[len(r.frame.subject)] if len(r.words) > len(r.frame.subject) else r.words[0]
    frame = frames.Frame(r.frame.subject, r.frame.group, tuple(part))
    reading = rules.Reading(frame, (verb, *part), r.subjects, draft.mentions(part))
    return reporting.by_value(reading, draft) or figures.asked(reading, draft) or views.look(reading, draft)


def _listed_parts(tokens: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """Cut "the open chores, all members and the points of each member" in front of its articles."""
    start = 0
    for i in range(1, len(tokens)):
        opens = tokens[i].low in _OPENING and tokens[i - 1].low in {",", "and"}
        if opens:
            yield tuple(tokens[start : i - 1 - (tokens[i - 2].text == ",")])
            start = i
    yield tuple(tokens[start:])


_OPENING: Final = lexicon.words("the all every how any")


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
        if len(names) >= _PAIR:
            return rules.add_unique(r, draft, entity, tuple(names), conditions.running(entity))
    return False


def nobody_for(r: Reading, draft: Draft) -> bool:
    """Read "nobody can sign up for a dive that is called off": nothing is made for what is in that state."""
    lows = [t.low for t in r.frame.subject]
    anyone = bool(set(lows) & {"nobody", "noone"}) or lows[:2] == ["no", "one"]
    if r.subject is not None or not (anyone or r.frame.negated) or len(lows) > _PAIR or not r.objects:
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
            return _guard(r, draft, entity, requires)
    return False


def _guard(r: Reading, draft: Draft, entity: DraftEntity, requires: tuple[Condition, ...]) -> bool:
    rule = TransitionRule(
        name=morphology.name(entity.name, "create", "allowed"),
        entity=entity.name,
        message=rules.sentence(r.words, draft.request),
        action="create",
        requires=requires,
    )
    return draft.mark(draft.add_rule(rule))


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
        dates = [f for f in entity.fields.values() if conditions.kind_of(f) in _TIMES and not f.managed]
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


READERS: Final[tuple[Callable[[Reading, Draft], bool], ...]] = (
    nobody_twice,
    only_on,
    of_anyone,
    apart,
    not_again,
    too_late,
    several_lists,
    unless_given,
    not_counted,
    nobody_for,
    for_state,
    same_twice,
    once_together,
    once_each,
    differing,
    neither,
    either,
    of_states,
    accepting,
    same_day,
    once_in,
    also_at_most,
)
