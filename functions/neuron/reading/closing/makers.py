"""Closes who makes what: it refers to its maker and to what it is for, as far as these are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.reading.declarations import GENERIC, UNITS
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable


def made(draft: Draft, maker: str, made: str, others: Iterable[str], *, optional: bool = False) -> None:
    """Let what is made refer to who makes it and what it is for, as far as these are entities.

    `optional`: it is there without them.
    """
    _actor(draft, maker)
    child = draft.entities.get(made)
    if made in UNITS:
        return
    if child is None:
        others = tuple(others)
        if maker not in draft.entities and not any(other in draft.entities for other in others):
            return
        child = draft.entity(made, declared=True)
    if maker not in draft.entities and maker.replace("_", "-") not in GENERIC and child.name in draft.entities:
        draft.entity(maker, declared=True)
    draft.mark(("entity", child.name))
    for target in (maker, *others):
        if target in draft.entities and target != child.name and _is_kept(draft, target):
            if child.reference_to(target) is None and not _linked_otherwise(draft, child, target):
                field = child.fields.get(target) or DraftField(target)
                field.type, field.target = FieldType.REFERENCE, target
                field.required = False if optional else field.required
                child.fields = {target: field, **{k: v for k, v in child.fields.items() if k != target}}
            draft.mark(("field", child.name, target))


def belong(draft: Draft, owner: str, owned: str, *, optional: bool) -> None:
    """Let one thing refer to another, when both turned out to be kept."""
    if {owner, owned} <= set(draft.entities):
        made(draft, owner, owned, (), optional=optional)


def _actor(draft: Draft, name: str) -> None:
    """Keep those who act ("employees log hours") when something has a field for them ("an entry has an employee")."""
    if name not in draft.entities and any(
        name in e.fields and e.fields[name].type is None and not e.fields[name].values for e in draft.entities.values()
    ):
        draft.entity(name, declared=True)


def _is_kept(draft: Draft, name: str) -> bool:
    entity = draft.entities[name]
    return entity.declared or bool(entity.fields)


def _linked_otherwise(draft: Draft, child: DraftEntity, target: str) -> bool:
    return any(child.name in {r.left, r.right} and target in {r.left, r.right} for r in draft.relations.values())
