"""Finds what a request only implies: things that its rules speak of, and how they hang together.

"A vet can't have two appointments at the same time" makes the vet of an appointment a thing of its own; "an event can't
sell more tickets than it has seats" lets a ticket refer to its event; "registration numbers are unique per race" gives
a registration a number; "Build me a todo API" keeps todos. Promises: adds only what a clause names, and only where
nothing else says how it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import (
    conditions,
    conventions,
    declarations,
    descriptions,
    frames,
    lexicon,
    morphology,
    subject,
    tokens,
)
from functions.neuron.reading.draft import DraftField
from shared.software.specification import FieldType, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.draft import Draft, DraftEntity, Mention
    from functions.neuron.reading.frames import Frame
    from functions.neuron.reading.tokens import Token


def things(draft: Draft) -> None:
    """Make things of what rules speak of and other things only hold as a word."""
    for frame in _frames(draft):
        name = _ruled(frame, draft)
        if name is not None:
            draft.entity(name, declared=True)


def named_thing(draft: Draft) -> None:
    """Keep what the software is named after when the request names nothing else."""
    if draft.kind is Kind.LIBRARY or not draft.clauses or draft.computations or draft.entities:
        return
    draft.at = 0
    first = draft.clauses[0]
    name = descriptions.named_after(first.tokens) if subject.names_kind(first) and 0 not in draft.reasons else None
    name = name or (_listed(first) if subject.names_kind(first) and 0 not in draft.reasons else None)
    if name is None or name.split("_")[-1] in _TOOLS:
        return
    entity = draft.entity(conventions.keeps(name), declared=True)
    conventions.presume(entity)
    draft.mark(("kind",), *([("entity", entity.name)] if entity.name == name else []))
    draft.settle()


def _listed(clause: Clause) -> str | None:
    """Give the compound in "a tool that keeps a reading list": reading_list."""
    words = clause.tokens
    at = next((i for i, t in enumerate(words) if t.verb in _KEEPING and i), None)
    if at is None:
        return None
    said = [t for t in words[at + 1 :] if t.low not in lexicon.DETERMINERS]
    if not 0 < len(said) <= _LONGEST or not all(t.is_word and t.low not in lexicon.PREPOSITIONS for t in said):
        return None
    return morphology.name(*[t.low for t in said])


_KEEPING: Final = lexicon.words("keep manage maintain track store hold")


_TOOLS: Final = lexicon.words(
    "generator converter calculator checker parser formatter viewer validator counter linter game player editor "
    "limiter cache trie queue server client bot crawler scraper simulator solver clock timer proxy shortener"
)


def relations(draft: Draft) -> None:
    """Relate what rules count with what they count it for, and add the attributes that rules name."""
    for frame in _frames(draft):
        _attribute(frame, draft)
        _holder(frame, draft)


def _frames(draft: Draft) -> Iterator[Frame]:
    for at, clause in enumerate(draft.clauses):
        frame = _frame(clause) if at not in draft.reasons else None
        if frame is not None:
            yield frame


def _frame(clause: Clause) -> Frame | None:
    frame = None if clause.intro else frames.parse(clause.words)
    return frame if frame is not None and frame.subject else None


def _ruled(frame: Frame, draft: Draft) -> str | None:
    if frame.modal is None and not frame.negated:
        return None
    if frame.verb == "be" and not (frame.rest and frame.rest[0].low in {"on", "in", "at"}):
        return None
    name = declarations.noun_name(frame.subject, draft)
    if name is None or declarations.is_generic(name) or name in draft.entities or len(frame.subject) > _LONGEST:
        return None
    if {t.low for t in frame.subject} & lexicon.PREPOSITIONS:
        return None
    mentioned = [mention.entity for mention in draft.mentions(frame.rest)]
    return name if any(_holds_word(entity, name) for entity in mentioned) else None


_LONGEST: Final = 4


def _holds_word(entity: DraftEntity, name: str) -> bool:
    item = entity.fields.get(name)
    return item is not None and item.type is None and conditions.kind_of(item) is FieldType.STRING and not item.unique


_ATTRIBUTES: Final = lexicon.words("number name title code label reference id position")


def _attribute(frame: Frame, draft: Draft) -> None:
    """Read "registration numbers are unique per race": a registration has a number. Or "a ward's name is unique"."""
    mentions = draft.mentions(frame.subject)
    if "unique" in [t.low for t in frame.rest] and mentions and _of_one(frame.subject, mentions[0]):
        names = [t.low for t in frame.subject[mentions[0].end + 1 :]]
        entity, name = mentions[0].entity, morphology.name(*names)
        if name not in entity.fields and names[-1] in _ATTRIBUTES and not frame.conditions:
            entity.add(DraftField(name))
        return
    if len(mentions) != 1 or mentions[0].end != len(frame.subject) - 1 or "unique" not in [t.low for t in frame.rest]:
        return
    entity, noun = mentions[0].entity, frame.subject[-1].singular
    held = {noun, f"{entity.name}_{noun}"} & set(entity.fields)
    if noun in _ATTRIBUTES and not held:
        entity.add(DraftField(noun))


def _of_one(subject: Sequence[Token], mention: Mention) -> bool:
    """Whether a subject is something of a thing's: "a ward's name"."""
    at = mention.end
    return (
        at + 1 < len(subject)
        and subject[at].kind is tokens.Kind.POSSESSIVE
        and all(t.is_word for t in subject[at + 1 :])
    )


_HOLDING: Final = lexicon.words(
    "have sell hold contain take accept receive get host own keep admit offer make include carry store issue"
)
_COUNTING: Final = lexicon.words("more most least up maximum max many fewer")


def _holder(frame: Frame, draft: Draft) -> None:
    """Read "an event can't sell more tickets than it has seats": a ticket is for an event.

    So it is in "a pet cannot have more than one visit per day" and "only published posts can receive comments".
    """
    owners, held = draft.mentions(frame.subject), draft.mentions(frame.rest)
    if not owners or not held or frame.verb not in _HOLDING or (frame.modal is None and not frame.negated):
        return
    before = [t.low for t in frame.rest[: held[0].start]]
    some = bool(owners[0].adjectives) and not before and (frame.only or frame.negated)
    many = held[0].plural and (some or _COUNTING & set(before))
    one = not held[0].plural and before[-1:] in (["one"], ["single"]) and (frame.only or _COUNTING & set(before))
    if not (many or one):
        return
    parent, child = owners[0].entity, held[0].entity
    if parent is child or _related(parent, child, draft):
        return
    child.fields = {
        parent.name: DraftField(parent.name, FieldType.REFERENCE, target=parent.name),
        **child.fields,
    }


def _related(one: DraftEntity, other: DraftEntity, draft: Draft) -> bool:
    direct = one.reference_to(other.name) or other.reference_to(one.name)
    linked = any(e.reference_to(one.name) and e.reference_to(other.name) for e in draft.entities.values())
    joined = any({r.left, r.right} == {one.name, other.name} for r in draft.relations.values())
    return bool(direct) or linked or joined or morphology.name(one.name) in other.fields
