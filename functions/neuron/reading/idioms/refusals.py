"""Reads what is made only for what is in some state, or in time: "comments only on published posts"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import (
    closing,
    conditions,
    frames,
    lexicon,
    quantities,
    rules,
)
from functions.neuron.reading.idioms import guarding
from shared.software.specification import (
    Condition,
    Operator,
)

if TYPE_CHECKING:
    from functions.neuron.reading.draft import Draft, Mention
    from functions.neuron.reading.rules import Reading


def only_on(r: Reading, draft: Draft) -> bool:
    """Read "comments only on published posts", "tickets can be bought only for published events"."""
    at = next((i for i, t in enumerate(r.words) if t.low == "only"), None)
    if at is None or at + 1 >= len(r.words) or r.words[at + 1].low not in _AIMING:
        return False
    made, aims = draft.mentions(r.words[:at]), draft.mentions(r.words[at + 1 :])
    if len(made) != 1 or len(aims) != 1 or made[0].start > 1 or (r.frame.subject and not _comes_about(r, made[0])):
        return False
    reference = made[0].entity.reference_to(aims[0].entity.name)
    stated = rules.adjectives(aims[0], aims[0].entity)
    if reference is None or not stated or any("." in c.field for c in stated):
        return False
    requires = tuple(c.model_copy(update={"field": f"{reference.name}.{c.field}"}) for c in stated)
    return guarding.guard(r, draft, made[0].entity, requires)


def _comes_about(r: Reading, made: Mention) -> bool:
    """Whether a clause says by its verb that such a thing is made: "(tickets) can be bought"."""
    plain = r.frame.group.passive and not r.frame.negated and not made.adjectives
    return plain and all(verb in rules.ENTERING or closing.makes(verb, made.entity) for verb in r.frame.group.verbs)


_AIMING: Final = frozenset({"on", "for", "to", "in", "of", "at"})


def for_state(r: Reading, draft: Draft) -> bool:
    """Read "you can't make an offer for a sold bike": whoever it is, nothing is made for what is in that state."""
    if r.subject is not None or not r.frame.negated or len(r.objects) != guarding.PAIR:
        return False
    made, other = r.objects
    reference = made.entity.reference_to(other.entity.name)
    stated = rules.adjectives(other, other.entity)
    behind = r.frame.rest[other.end :]
    if stated is None and behind and behind[0].low in {"that", "which", "who"}:
        stated = conditions.predicate(behind[1:], other.entity, draft)  # "to a parcel that has been delivered"
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
    return guarding.guard(r, draft, made.entity, requires)


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
        found = draft.mark(rules.guarded(r, draft, target, action, required))
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
    return guarding.guard(
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
            if named is None or conditions.kind_of(named[0]) not in conditions.DATED:
                continue
            operator = Operator.GE if word == "after" else Operator.LE
            field = f"{reference.name}.{named[0].name}"
            requires = (Condition(field=field, operator=operator, other=conditions.moment(named[0])),)
            return guarding.guard(r, draft, r.subject, requires)
    return False


def too_late(r: Reading, draft: Draft) -> bool:
    """Read "a petition cannot be signed after its closing date": no signature is made later."""
    at = next((i for i, t in enumerate(r.frame.rest) if t.low in {"after", "before"}), None)
    if at is None or r.subject is None or not r.frame.negated or not r.frame.group.passive:
        return False
    named = conditions.find_field(r.frame.rest, r.subject, at + 1)
    if named is None or conditions.kind_of(named[0]) not in conditions.DATED or named[2] != len(r.frame.rest):
        return False
    operator = Operator.GE if r.frame.rest[at].low == "after" else Operator.LE
    for entity in draft.entities.values():
        reference = entity.reference_to(r.subject.name)
        if reference is not None and any(closing.makes(verb, entity) for verb in r.frame.group.verbs):
            field = f"{reference.name}.{named[0].name}"
            return guarding.guard(
                r, draft, entity, (Condition(field=field, operator=operator, other=conditions.moment(named[0])),)
            )
    return False
