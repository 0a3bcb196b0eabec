"""Reads when something may not be done: "only drafts can be edited", "a closed account cannot be charged"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import closing, conditions, lexicon, morphology
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField, Mention
from functions.neuron.reading.rules import quotas, readings
from shared.software.specification import Condition, Operator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.tokens import Token

DELETING: Final = frozenset({"delete", "remove", "erase"})
_UPDATING: Final = frozenset({"update", "edit", "change", "modify", "alter", "rename"})
_CREATING: Final = lexicon.words("create add place make submit post write register open issue leave cast")


def guard(r: readings.Reading, draft: Draft) -> bool:
    """Read who may do what and when: "only active members can borrow", "a closed account cannot be updated"."""
    frozen_words = {"immutable", "read-only", "final", "unchangeable"} & set(r.lows)
    if r.subject is None or not (
        r.frame.only or r.frame.negated or r.frame.conditions or r.frame.modal or frozen_words
    ):
        return False
    if _withheld(r, draft):
        return True
    entity = r.subject
    mention = r.subjects[0]
    told = _relative(r, draft) or adjectives(mention, entity)
    stated = told if told is not None else _conditions(r, draft, entity)
    if not stated:
        return _guard_by_parent(r, draft) or _guard_by_object(r, draft)
    adjectival = told is not None
    if adjectival and r.frame.verb == "be" and {"immutable", "read-only", "final", "unchangeable"} & set(r.lows):
        frozen = conditions.negate(stated)
        if frozen is None:
            return False
        return draft.mark(readings.guarded(r, draft, entity, "update", frozen))
    required = _required(r, stated, adjectival=adjectival)
    if not required:
        return False
    found = False
    for target, action, prefix in actions(r, draft, entity):
        requires = _prefixed(required, prefix)
        if requires is None:
            continue
        found = draft.mark(readings.guarded(r, draft, target, action, requires))
        if prefix:
            draft.mark(*[("field", entity.name, c.field) for c in required])
    return found


_WITHHELD_WORDS: Final = lexicon.words("created creation submitted posted made placed recorded once saved")


def _withheld(r: readings.Reading, draft: Draft) -> bool:
    """Read "reviews cannot be changed (after they are created)" and "invoices can never be deleted"."""
    verbs = set(r.frame.group.verbs)
    told = {t.low for _, tokens in r.frame.conditions for t in tokens} | {t.low for t in r.frame.rest}
    bare = not told or told & _WITHHELD_WORDS
    if (
        r.subject is None
        or not r.frame.negated
        or not r.frame.group.passive
        or not verbs <= DELETING | _UPDATING
        or not bare
        or r.subjects[0].adjectives
        or len(r.subjects) > 1
        or _relative(r, draft) is not None
    ):
        return False
    if conditions.find_field(r.frame.subject[r.subjects[0].end :], r.subject) is not None or any(
        t.low in {"with", "that", "who", "which", "whose"} for t in r.frame.subject
    ):
        return False
    behind = r.frame.subject[r.subjects[0].end :]
    if behind and behind[0].low in {"in", "from", "before", "after", "since", "until", "older", "whose"}:
        return False  # "reservations in the past cannot be deleted"
    entity = r.subject
    if verbs & _UPDATING:
        draft.withheld.add((entity.name, "update"))
        for item in entity.fields.values():
            item.immutable = item.immutable or not item.managed
        draft.mark(*[("field", entity.name, name) for name, item in entity.fields.items() if item.immutable])
    if verbs & DELETING:
        draft.withheld.add((entity.name, "delete"))
    return draft.mark(("entity", entity.name))


def adjectives(mention: Mention, entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read the adjectives in front of a name as conditions; None when one of them means nothing known."""
    words = [token.low for token in mention.adjectives if token.low not in lexicon.ADVERBS]
    if not words:
        return None
    joined = conditions.adjective(" ".join(words), entity)
    if joined is not None:
        return joined
    found: list[Condition] = []
    for word in words:
        one = conditions.adjective(word, entity) or conditions.implied(word, entity)
        if one is None:
            return None
        found += one
    return tuple(found)


def _relative(r: readings.Reading, draft: Draft) -> tuple[Condition, ...] | None:
    """Read the relative clause of the subject: "members who are suspended"."""
    for i, token in enumerate(r.frame.subject):
        if i and token.low in {"who", "which", "that", "whose"} and r.subject is not None:
            if any(mention.start < i for mention in r.subjects[1:]):
                return None  # "a customer with orders that are not finished": the orders are not
            return conditions.predicate(r.frame.subject[i + 1 :], r.subject, draft)
        past = i + 2 == len(r.frame.subject) - 1 and token.low == "in" and r.frame.subject[i + 1].low == "the"
        if i and past and r.subject is not None:
            return conditions.adjective(r.frame.subject[i + 2].low, r.subject)
        if i and token.low in {"with", "without"} and r.subject is not None:
            held = conditions.holding(r.frame.subject[i + 1 :], r.subject, without=token.low == "without")
            held = held or (conditions.measured(r.frame.subject[i + 1 :], r.subject) if token.low == "with" else None)
            if held is not None:
                return held
        if i and token.low == "in" and r.subject is not None:
            valued = conditions.valued(r.frame.subject[i + 1 :], r.subject)
            if valued is not None:
                return valued
        if (
            i
            and token.low in {"in", "with"}
            and r.subject is not None
            and any(t.low in {"state", "status"} for t in r.frame.subject[i:])
        ):
            return conditions.predicate(r.frame.subject[i + 1 :], r.subject, draft)
    return None


def _conditions(r: readings.Reading, draft: Draft, entity: DraftEntity) -> tuple[Condition, ...] | None:
    for _, tokens in r.frame.conditions:
        owner = entity
        mentioned = draft.mentions(tokens)
        if mentioned and mentioned[0].start <= 1 and mentioned[0].entity is not entity and not mentioned[0].adjectives:
            return None
        found = conditions.predicate(tokens, owner, draft)
        if found is not None:
            return found
    return None


def _required(r: readings.Reading, stated: tuple[Condition, ...], *, adjectival: bool) -> tuple[Condition, ...] | None:
    """Give what must hold: the condition itself behind "only", its opposite behind "cannot" or "unless"."""
    if adjectival:
        return (
            stated if r.frame.only and not r.frame.negated else (conditions.negate(stated) if r.frame.negated else None)
        )
    word = r.frame.conditions[0][0]
    forbidding = r.frame.negated != (word in {"unless", "until", "till"})
    if word == "before":
        forbidding = not r.frame.negated
    if word == "after" and r.frame.negated:
        forbidding = True
    return conditions.negate(stated) if forbidding else stated


def actions(r: readings.Reading, draft: Draft, entity: DraftEntity) -> list[tuple[DraftEntity, str, str]]:
    """Find what the verbs do: (entity, action, reference through which the guarded one is reached)."""
    found: list[tuple[DraftEntity, str, str]] = []
    for verb in r.frame.group.verbs:
        found += _action(verb, r, draft, entity)
    return found


_ACTION_WORDS: Final = lexicon.words("have get receive add accept take contain use")


def _action(verb: str, r: readings.Reading, draft: Draft, entity: DraftEntity) -> list[tuple[DraftEntity, str, str]]:
    if r.frame.group.passive or not r.objects:
        standard = "delete" if verb in DELETING else "update" if verb in _UPDATING else _move(verb, entity)
        if standard is not None:
            return [(entity, standard, "")]
    for other in draft.entities.values():
        reference = other.reference_to(entity.name)
        action = _deed(verb, r, other) if reference is not None else None
        if reference is not None and action is not None:
            return [(other, action, reference.name)]
    return []


def _deed(verb: str, r: readings.Reading, other: DraftEntity) -> str | None:
    """Give what the verb does to something that refers to the guarded one: make it, or move it."""
    aimed = not r.objects or any(other is m.entity or other.reference_to(m.entity.name) for m in r.objects)
    if closing.makes(verb, other) and aimed:
        return "create"
    link = closing.is_link(other)
    move = _move(verb, other)
    if move is not None and aimed and link:
        return move
    given = verb in _CREATING | _ACTION_WORDS | {"start", "begin"} and any(m.entity is other for m in r.objects)
    named = any(m.entity is other for m in r.objects)
    taken = r.frame.group.passive and verb in _CREATING | {"use", "assign", "sell", "order"} and (link or named)
    tied = verb in _TAKING and any(m.entity is not other and other.reference_to(m.entity.name) for m in r.objects)
    return "create" if given or taken or tied else None


_TAKING: Final = lexicon.words("take get use start play ride drive fly wear visit pick have")


def _move(verb: str, entity: DraftEntity) -> str | None:
    if entity.machine is None:
        return None
    participle = morphology.name(morphology.participle(verb))
    for move in entity.machine.transitions.values():
        if move.name == verb or morphology.name(move.target) == participle:
            return move.name
    return None


def _prefixed(required: tuple[Condition, ...], prefix: str) -> tuple[Condition, ...] | None:
    if not prefix:
        return required
    if any("." in c.field for c in required):
        return None
    return tuple(c.model_copy(update={"field": f"{prefix}.{c.field}"}) for c in required)


def refusal(r: readings.Reading, draft: Draft) -> bool:
    """Read "votes on closed polls are refused", "loans to suspended members are not allowed"."""
    if not r.frame.group.passive or r.subject is None:
        return False
    if not (
        set(r.frame.group.verbs) & {"refuse", "reject", "forbid", "prohibit", "deny", "block", "decline"}
        and not r.frame.negated
    ) and not (set(r.frame.group.verbs) & {"allow", "permit", "accept"} and r.frame.negated):
        return False
    if len(r.subjects) < 2:
        return _too_late(r, draft, r.subject)
    entity, other = r.subject, r.subjects[1]
    stated = adjectives(other, other.entity)
    behind = r.frame.subject[other.end :]
    if stated is None and behind and behind[0].low in {"that", "which", "who"}:
        stated = conditions.predicate(behind[1:], other.entity, draft)
    reference = entity.reference_to(other.entity.name)
    required = conditions.negate(stated) if stated else None
    requires = _prefixed(required, reference.name) if required and reference else None
    if not stated and reference is not None:
        requires = _in_time(r.frame.rest, reference, other.entity)
    if not requires:
        return False
    return draft.mark(readings.guarded(r, draft, entity, "create", requires))


def _in_time(tokens: Sequence[Token], reference: DraftField, parent: DraftEntity) -> tuple[Condition, ...] | None:
    """Read "(are refused) after its deadline" as what must hold of the parent's moment."""
    if not tokens or tokens[0].low not in {"after", "before"}:
        return None
    named = conditions.find_field(tokens, parent, 1)
    if named is None or conditions.kind_of(named[0]) not in conditions.DATED:
        return None
    operator = Operator.GE if tokens[0].low == "after" else Operator.LE
    return (Condition(field=f"{reference.name}.{named[0].name}", operator=operator, other=conditions.moment(named[0])),)


def _too_late(r: readings.Reading, draft: Draft, entity: DraftEntity) -> bool:
    """Read "pledges after the deadline are refused": a point in time of what is referred to."""
    at = next((i for i, t in enumerate(r.frame.subject) if t.low in {"after", "before"}), None)
    led = next(
        (c for c in r.frame.conditions if c[0] in {"after", "before"}), None
    )  # "after its end, bids are refused"
    if at is None and led is None:
        return False
    word, said = led if led is not None and at is None else (r.frame.subject[at or 0].low, r.frame.subject[(at or 0) :])
    for reference in entity.fields.values():
        parent = draft.entities.get(reference.target or "")
        named = conditions.find_field(said, parent) if parent is not None else None
        if named is None or conditions.kind_of(named[0]) not in conditions.DATED:
            continue
        operator = Operator.GE if word == "after" else Operator.LE
        requires = (
            Condition(field=f"{reference.name}.{named[0].name}", operator=operator, other=conditions.moment(named[0])),
        )
        return draft.mark(readings.guarded(r, draft, entity, "create", requires))
    return False


def _guard_by_parent(r: readings.Reading, draft: Draft) -> bool:
    """Read "receipts can only be added while the claim is a draft": what is made depends on what it refers to."""
    verbs = set(r.frame.group.verbs)
    action = "create" if verbs & ENTERING else "delete" if verbs & DELETING else "update" if verbs & _UPDATING else None
    if r.subject is None or action is None or not r.frame.group.passive or len(verbs) != 1 or not r.frame.conditions:
        return False
    word, tokens = r.frame.conditions[0]
    mention = next(iter(draft.mentions(tokens)), None)
    reference = r.subject.reference_to(mention.entity.name) if mention is not None else None
    if mention is None or reference is None or mention.start > 1 or mention.adjectives or r.subjects[0].adjectives:
        return False
    stated = conditions.predicate(tokens[mention.end :], mention.entity, draft)
    required = _required(r, stated, adjectival=False) if stated and word in _WHILE else None
    requires = _prefixed(required, reference.name) if required else None
    return bool(requires) and draft.mark(readings.guarded(r, draft, r.subject, action, requires or ()))


ENTERING: Final = _CREATING | {"enter", "record", "log", "book", "file", "upload", "sell", "buy", "give"}
_WHILE: Final = lexicon.words("while if when unless until till")


def not_for_past(r: readings.Reading, draft: Draft) -> bool:
    """Read "reservations cannot be made for dates in the past": none is made for a day or moment that is over."""
    lows = [t.low for t in r.frame.rest]
    made = r.frame.group.passive and r.frame.negated and set(r.frame.group.verbs) <= ENTERING
    of_days = bool(_TIMES & set(lows[:3])) and lows[-3:] == ["in", "the", "past"] and lows[:1] != ["in"]
    if r.subject is None or r.subjects[0].adjectives or not made or not (of_days or lows == ["in", "the", "past"]):
        return False
    name = quotas.period_field(r.subject)
    if name is None:
        return False
    condition = Condition(field=name, operator=Operator.GE, other=conditions.moment(r.subject.fields[name]))
    return draft.mark(readings.guarded(r, draft, r.subject, "create", (condition,)))


_TIMES: Final = lexicon.words("date dates day days time times moment moments")


def _guard_by_object(r: readings.Reading, draft: Draft) -> bool:
    """Read "members can only borrow available books", "users cannot book closed rooms"."""
    for mention in r.objects:
        stated = adjectives(mention, mention.entity)
        if not stated:
            continue
        required = (
            stated
            if r.frame.only or (r.frame.modal == "must" and not r.frame.negated)
            else (conditions.negate(stated) if r.frame.negated else None)
        )
        if required is None:
            continue
        for verb in r.frame.group.verbs:
            for other in draft.entities.values():
                reference = other.reference_to(mention.entity.name)
                if reference is not None and (
                    closing.makes(verb, other)
                    or (other is r.subject and verb in {"refer", "contain", "include", "use"})
                    or (other is r.subject and r.frame.group.passive and verb in _CREATING)
                ):
                    requires = _prefixed(required, reference.name)
                    if requires:
                        return draft.mark(
                            readings.guarded(r, draft, other, "create", requires),
                            *[("field", mention.entity.name, c.field) for c in required],
                        )
            if verb in DELETING | _UPDATING:
                return draft.mark(
                    readings.guarded(r, draft, mention.entity, "delete" if verb in DELETING else "update", required)
                )
    return False
