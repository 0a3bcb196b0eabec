"""How things point at one another, and what is left open until all of them are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from functions.neuron.reading import fields, lexicon, morphology, quantities
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.tokens import Token
from shared.software.specification import FieldType, Relation

_ATTRIBUTE_NOUNS: Final = lexicon.words(
    "number name title code date time day amount price email address phone quantity count year age"
)


@dataclass
class Open:
    """What the first reading leaves open until all entities are known."""

    many: list[tuple[str, str, int, quantities.Bound | None, bool]] = field(
        default_factory=list
    )  # holder, name of what it holds many of, clause, bound, said "can be in many"
    links: list[tuple[str, str, tuple[str, ...], int, list[Token]]] = field(
        default_factory=list
    )  # verb, subject, objects, clause, what stands behind
    transitives: list[tuple[str, str, int, bool]] = field(
        default_factory=list
    )  # subject, object, clause, is without the object at first
    makers: list[tuple[str, str, tuple[str, ...], int]] = field(
        default_factory=list
    )  # maker, what it makes, what that is for, clause
    deeds: list[tuple[str, str, str, int]] = field(
        default_factory=list
    )  # verb, who, what, clause: what may be done only so often, and so is kept
    ties: list[tuple[str, tuple[tuple[Token, ...], ...], int]] = field(
        default_factory=list
    )  # record, the parts of the sentence that says what it ties together, clause


def refer_to_item(entity: DraftEntity, item: fields.Item, draft: Draft, later: Open, *, optional: bool) -> bool:
    """Let a thing point at what an item names, or keep it open; items of many are kept open as many."""
    singular = morphology.singular(item.field.name.split("_")[-1])
    if singular in _ATTRIBUTE_NOUNS and draft.known(item.field.name.split("_")) is None:
        added = entity.add(item.field)
        return draft.mark(("field", entity.name, added.name))
    name = morphology.name(*item.field.name.split("_")[:-1], singular)
    if item.many or (singular != item.field.name.split("_")[-1] and not (item.bound and item.bound.high == 1)):
        later.many.append((entity.name, item.field.name, draft.at, item.bound, True))
        return draft.mark(("many", entity.name, item.field.name))
    return refer(entity, name, draft, optional=optional or item.field.required is False)


def refer(entity: DraftEntity, name: str, draft: Draft, *, optional: bool) -> bool:
    """Let an entity refer to another one, which is made if it is new."""
    target = draft.known(name.split("_")) or _by_suffix(name, draft) or draft.entity(name)
    new = DraftField(
        name,
        FieldType.REFERENCE,
        target=target.name,
        required=False if optional else None,
    )
    added = entity.add(new)
    return draft.mark(("field", entity.name, added.name))


def _by_suffix(name: str, draft: Draft) -> DraftEntity | None:
    words = name.split("_")
    return next(
        (draft.entities["_".join(words[i:])] for i in range(1, len(words)) if "_".join(words[i:]) in draft.entities),
        None,
    )


def relation(draft: Draft, left: str, right: str) -> Relation:
    """Add a many-to-many relation between two entities."""
    name = morphology.name(left, right)
    made = draft.relations.get(name) or Relation(
        name=name,
        left=left,
        right=right,
        description=f"{draft.entities[left].plural} and {draft.entities[right].plural}".replace("_", " "),
    )
    draft.relations[name] = made
    return made
