"""Lets go of things that are only named, in other words, elsewhere in the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading.declarations import Open
from functions.neuron.reading.declarations.naming import COLLECTIVE
from functions.neuron.reading.draft import Draft

if TYPE_CHECKING:
    from functions.neuron.reading.draft import DraftEntity, DraftField, Mark


def drop_weak(draft: Draft) -> None:
    """Leave out what only the introduction names in other words ("museum exhibits") when the rest of the request."""
    for name in draft.weak:
        entity = draft.entities.get(name)
        if entity is None or entity.fields:
            continue
        words = name.split("_")
        others = [e for e in draft.entities.values() if e is not entity and e.name not in draft.weak]
        if (draft.computations and not others) or (name in draft.whole and any(e.fields for e in others)):
            del draft.entities[name]
            continue
        if any(
            "_".join(words[i:]) in draft.entities or "_".join(words[:i]) in draft.entities for i in range(1, len(words))
        ) or any(e.name.endswith(f"_{name}") for e in others):
            del draft.entities[name]
            if draft.topic == name:
                draft.topic = None


def drop_longer(draft: Draft, later: Open) -> None:
    """Leave out "delivery vans" that hold nothing when the request goes on about vans that do."""
    pending = {holder for holder, *_ in later.many}
    pending |= {name for _, subject, objects, _, _ in later.links for name in (subject, *objects)}
    for name, entity in list(draft.entities.items()):
        words = name.split("_")
        shorter = [
            e
            for e in draft.entities.values()
            if e.fields and (name.endswith(f"_{e.name}") or (len(words) == 1 and _compound(name, e.name)))
        ]
        named = any(f.target == name for e in draft.entities.values() for f in e.fields.values())
        if not entity.fields and shorter and not named and name not in pending:
            del draft.entities[name]
            for known in draft.marks.values():
                if ("entity", name) in known:
                    known.append(("entity", shorter[0].name))


def _compound(name: str, head: str) -> bool:
    """Whether a name is a compound of another one, written as one word: houseplant and plant."""
    return len(head) > _SHORTEST_HEAD and name != head and name.endswith(head)


_SHORTEST_HEAD: Final = 3


def join_placed(draft: Draft, later: Open) -> None:
    """Take "hospital wards" for the wards that the request goes on about: the place is no other kind of ward.

    Where the place is kept itself, or both hold something of the same name, they are two things.
    """
    for name, entity in list(draft.entities.items()):
        place, _, head = name.rpartition("_")
        known = draft.entities.get(head)
        if place not in COLLECTIVE or place in draft.entities or known is None:
            continue
        held, own = ({n for n, f in e.fields.items() if f.target is None} for e in (entity, known))
        if not held & own and not entity.reference_to(head) and not known.reference_to(name):
            _join(draft, later, entity, known)


def join_short(draft: Draft, later: Open) -> None:
    """Take a bare "session" of which nothing is said but rules for the parking session that the request speaks of."""
    for name, entity in list(draft.entities.items()):
        longer = [e for e in draft.entities.values() if e.name.endswith(f"_{name}") and e.fields and e.declared]
        named = any(name in {f.target, f.name} for e in draft.entities.values() for f in e.fields.values())
        if entity.fields or named or len(longer) != 1 or name in draft.weak:
            continue
        if any(holder == name for holder, *_ in later.many):
            continue
        _join(draft, later, entity, longer[0])


def _join(draft: Draft, later: Open, entity: DraftEntity, known: DraftEntity) -> None:
    """Let all that is said of one thing be said of the other one."""
    old, new = entity.name, known.name
    del draft.entities[old]
    known.fields = {**entity.fields, **known.fields}
    known.derivations = {**entity.derivations, **known.derivations}
    for other in draft.entities.values():
        fields: dict[str, DraftField] = {}
        for name, item in other.fields.items():
            item.target = new if item.target == old else item.target
            item.name = new if name == old else item.name
            fields.setdefault(item.name, item)
        other.fields = fields
    for marks in draft.marks.values():
        marks[:] = [_renamed(mark, old, new) for mark in marks]
    draft.topics = {at: new if topic == old else topic for at, topic in draft.topics.items()}
    draft.topic = new if draft.topic == old else draft.topic
    draft.operations[new] |= draft.operations.pop(old, set())
    for told in (later.many, later.links, later.transitives, later.makers, later.deeds, later.ties):
        told[:] = [tuple(_named(part, old, new) for part in line) for line in told]  # type: ignore[misc]


def _renamed(mark: Mark, old: str, new: str) -> Mark:
    return tuple(new if part == old else part for part in mark)


def _named(part: object, old: str, new: str) -> object:
    if isinstance(part, tuple):
        return tuple(_named(one, old, new) for one in part)
    return new if part == old else part
