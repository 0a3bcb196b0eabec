"""Lets go of things that are only named, in other words, elsewhere in the request."""

from __future__ import annotations

from typing import Final

from functions.neuron.reading.declarations import Open
from functions.neuron.reading.draft import Draft


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
