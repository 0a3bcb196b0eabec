"""Reads what becomes of what points at something that is deleted: it forbids that, or goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.reading import closing, conditions, morphology
from functions.neuron.reading.draft import Draft, DraftEntity, Mention
from functions.neuron.reading.rules import guards, readings
from functions.neuron.reading.tokens import Token
from shared.software import specification as spec
from shared.software.specification import Condition

if TYPE_CHECKING:
    from collections.abc import Sequence


def referenced(r: readings.Reading, draft: Draft) -> bool:
    """Read "a member with open loans cannot be deleted", "deleting a project deletes its tasks"."""
    kept = _kept_parent(r, draft)
    if kept is not None:
        return _add_referenced(r, draft, kept[0], kept[1], cascade=False, adjectives=())
    cascade = _cascade(r, draft)
    if cascade is not None:
        return _add_referenced(r, draft, cascade[0], cascade[1], cascade=True, adjectives=())
    if not (r.frame.negated and set(r.frame.group.verbs) & guards.DELETING) and not (
        r.frame.only and set(r.frame.group.verbs) & guards.DELETING
    ):
        return False
    parent = r.subject or next((m.entity for m in r.objects), None)
    led = next((m.entity for _, tokens in r.frame.conditions for m in draft.mentions(tokens)), None)
    if led is not None and [t.low for t in r.frame.subject] == ["it"]:
        parent = led  # "once an invoice has payments it can no longer be deleted"
    if parent is None:
        return False
    others = [m for m in r.subjects[1:] + r.objects if m.entity is not parent]
    for _, tokens in r.frame.conditions:
        others += [m for m in draft.mentions(tokens) if m.entity is not parent]
    for mention in others:
        if mention.entity.reference_to(parent.name):
            return _add_referenced(r, draft, parent, mention.entity, cascade=False, adjectives=mention.adjectives)
    link = _tied(r, draft, parent, others) or _deed(r, draft, parent)
    return link is not None and _add_referenced(r, draft, parent, link, cascade=False, adjectives=())


def _tied(r: readings.Reading, draft: Draft, parent: DraftEntity, others: Sequence[Mention]) -> DraftEntity | None:
    """Give what ties "products that appear in an order" to the order."""
    for mention in others if r.frame.negated else ():
        found = [
            e for e in draft.entities.values() if e.reference_to(parent.name) and e.reference_to(mention.entity.name)
        ]
        if len(found) == 1 and not mention.adjectives:
            return found[0]
    return None


def _deed(r: readings.Reading, draft: Draft, parent: DraftEntity) -> DraftEntity | None:
    """Give what was made of a thing by a deed that is spoken of: "while it is borrowed"."""
    tail = [t.low for _, tokens in r.frame.conditions for t in tokens] + [t.low for t in r.frame.subject]
    participles = {morphology.verb_base(low) for low in tail if morphology.is_participle(low)} | (
        {"borrow"} if "loan" in tail else set()
    )
    return next(
        (
            e
            for e in draft.entities.values()
            if any(verb and closing.makes(verb, e) for verb in participles) and e.reference_to(parent.name)
        ),
        None,
    )


def _kept_parent(r: readings.Reading, draft: Draft) -> tuple[DraftEntity, DraftEntity] | None:
    """Read "deleting a client who has cases is not allowed", "a client can be deleted only if it has no cases"."""
    lows = r.lows
    gerund = bool(lows) and lows[0] in {"deleting", "removing"}
    refused = r.frame.negated or {"forbidden", "prohibited", "refused", "impossible"} & set(lows)
    free = (
        r.frame.only
        and set(r.frame.group.verbs) & guards.DELETING
        and any(word == "if" and {"no", "without"} & {t.low for t in tokens} for word, tokens in r.frame.conditions)
    )
    if not (gerund and refused) and not free:
        return None
    mentions = draft.mentions(r.words)
    pairs = [m.entity for m in mentions if m.entity is not mentions[0].entity]
    child = next((entity for entity in pairs if entity.reference_to(mentions[0].entity.name)), None)
    return (mentions[0].entity, child) if child is not None else None


def _cascade(r: readings.Reading, draft: Draft) -> tuple[DraftEntity, DraftEntity] | None:
    lows = r.lows
    gerund = lows and lows[0] in {"deleting", "removing"}
    if gerund:
        mentions = draft.mentions(r.words)
        if len(mentions) >= 2 and not r.frame.negated:
            return mentions[0].entity, mentions[1].entity
    for _, tokens in r.frame.conditions:
        if (
            any(t.verb in guards.DELETING for t in tokens)
            and (set(r.frame.group.verbs) & guards.DELETING or _goes_too(r))
            and not r.frame.negated
        ):
            mentions = draft.mentions(tokens)
            if mentions and r.subject is not None:
                return mentions[0].entity, r.subject
    return None


def _goes_too(r: readings.Reading) -> bool:
    """Whether something goes "with it", "too" or "as well"."""
    lows = [t.low for t in r.frame.rest]
    return r.frame.verb in {"go", "disappear", "vanish"} and lows in (["with", "it"], ["too"], ["as", "well"], [])


def _add_referenced(
    r: readings.Reading,
    draft: Draft,
    parent: DraftEntity,
    child: DraftEntity,
    *,
    cascade: bool,
    adjectives: Sequence[Token],
) -> bool:
    reference = child.reference_to(parent.name)
    if reference is None:
        return False
    when: tuple[Condition, ...] = ()
    for word in adjectives:
        when = conditions.adjective(word.low, child) or when
    rule = spec.ReferencedRule(
        name=readings.rule_name(parent.name, child.plural, "cascade" if cascade else "referenced"),
        entity=parent.name,
        message=readings.sentence(r.words, draft.request),
        of=child.name,
        reference=reference.name,
        cascade=cascade,
        when=when,
    )
    return draft.mark(draft.add_rule(rule))
