"""Closes what the first reading left open, when all entities are known: links, makers, collections, references."""

from __future__ import annotations

from functions.neuron.reading import conditions, conventions, inference, relating
from functions.neuron.reading.closing import links, makers, names, plurals, references
from functions.neuron.reading.closing.deeds import is_link, makes
from functions.neuron.reading.declarations import Open
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from shared.software.specification import Derivation, FieldType


def close(draft: Draft, later: Open) -> None:
    """Resolve everything that is still open in the draft."""
    names.drop_weak(draft)
    names.drop_longer(draft, later)
    names.join_placed(draft, later)
    names.join_short(draft, later)
    relating.close(draft, later)
    links.make_linked(draft, later)
    for verb, subject, objects, at, behind in later.links:
        draft.at = at
        objects = links.real_objects(draft, objects)  # noqa: PLW2901 - seats of a screening are no things of their own
        links.link(draft, verb, subject, objects, behind, later)
    for verb, subject, target, at in later.deeds:
        draft.at = at
        links.deed(draft, verb, subject, target, later)
    for maker, made, others, at in later.makers:
        draft.at = at
        makers.made(draft, maker, made, others)
    for subject, target, at, later_on in later.transitives:
        draft.at = at
        makers.belong(draft, target, subject, optional=later_on)
    plurals.plural_fields(draft, later)
    plurals.close_many(draft, later)
    for entity in draft.entities.values():
        if not entity.fields:
            conventions.presume(entity)
    for entity in list(draft.entities.values()):
        references.owners(draft, entity)
        references.refer(draft, entity)
    plurals.contents(draft)
    for entity in draft.entities.values():
        _between_points(entity)
        _later_by(entity, draft)
        if {"date", "time"} <= set(entity.fields) and entity.fields["time"].type is None:
            entity.fields["time"].type = FieldType.TIME


def _between_points(entity: DraftEntity) -> None:
    """Let "from" and "to" be the moments between which a record lasts."""
    last = next((n for n in ("to", "until", "till") if n in entity.fields), None)
    if "from" not in entity.fields or last is None:
        return
    kinds = {entity.fields[name].type for name in ("from", last)} - {None}
    for name in ("from", last):
        entity.fields[name].type = entity.fields[name].type or (kinds.pop() if len(kinds) == 1 else FieldType.DATETIME)


def _later_by(entity: DraftEntity, draft: Draft) -> None:
    """Work out the moments that lie so long after the one that is listed before them."""
    base: DraftField | None = None
    for name, item in entity.fields.items():
        kind = conditions.kind_of(item)
        if item.later_by is not None:
            days, hours = item.later_by
            if base is not None:
                item.type = base.type = conditions.kind_of(base)
            item.managed = item.required = True
            since = base.name if base is not None else "now"
            entity.derivations[name] = Derivation(field=name, base=since, days=days, hours=hours)
            draft.marks[item.at].append(("derivation", entity.name, name))
        if kind in conditions.DATED and item.required is not False:
            base = item


def finish(draft: Draft) -> None:
    """Give every field its type and the plain bounds that its name implies."""
    for entity in draft.entities.values():
        for item in entity.fields.values():
            inference.complete(item)


__all__ = ["close", "finish", "is_link", "makes"]
