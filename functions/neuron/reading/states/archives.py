"""Reads that things are put away where others would be deleted: "moved to the archive", "never deleted but archived".

Promises: what is put away so is in a state of its own, from which a request may let it be restored; where the request
says that it is so instead of a deletion, nothing deletes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.states import machines

if TYPE_CHECKING:
    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading

_PLACES: Final = {"archive": "archive", "archives": "archive", "trash": "trash", "bin": "trash"}
_DELETING: Final = frozenset({"delete", "remove", "erase"})


def archived(r: Reading, draft: Draft) -> bool:
    """Read where a thing goes instead of being deleted."""
    if r.subject is None or not r.frame.group.passive or r.subjects[0].adjectives or r.frame.conditions:
        return False
    deed = _moved_there(r) or _rather(r)
    if deed is None:
        return False
    instead_of_deletion(r, draft, r.subject)
    state = morphology.participle(deed).replace("_", " ")
    machine = machines.machine_of(draft, r.subject, machines.with_initial(r.subject, state), ordered=False)
    sources = [known for known in machine.states if known != state and not machines.is_end(known)]
    machines.add_move(draft, r.subject, state, sources, name=machines.move_name(deed))
    return draft.mark(("transition", r.subject.name, machines.move_name(deed)))


def _moved_there(r: Reading) -> str | None:
    """Give what is done to a thing that is "moved to the archive"."""
    lows = [t.low for t in r.frame.rest[:3]]
    to = r.frame.verb in {"move", "put", "send"} and not r.frame.negated and lows[:1] in (["to"], ["into"], ["in"])
    place = next((low for low in lows[1:] if low not in lexicon.DETERMINERS), "")
    return _PLACES.get(place) if to else None


def _rather(r: Reading) -> str | None:
    """Give what is done to a thing that is "never deleted but archived"."""
    rest = r.frame.rest
    told = r.frame.negated and set(r.frame.group.verbs) <= _DELETING and len(rest) > 1 and rest[0].low == "but"
    deed = next((t for t in rest[1:] if t.low not in lexicon.ADVERBS), None) if told else None
    return deed.verb if deed is not None and morphology.is_participle(deed.low) else None


def instead_of_deletion(r: Reading, draft: Draft, entity: DraftEntity) -> None:
    """Let nothing be deleted that is archived "instead of being deleted", or is "never deleted but archived"."""
    lows = [t.low for t in r.frame.rest]
    at = next((i for i in range(len(lows)) if lows[i : i + 2] in (["instead", "of"], ["rather", "than"])), None)
    instead = at is not None and bool({t.verb for t in r.frame.rest[at + 2 :]} & _DELETING)
    if instead or (r.frame.negated and set(r.frame.group.verbs) <= _DELETING):
        draft.withheld.add((entity.name, "delete"))
