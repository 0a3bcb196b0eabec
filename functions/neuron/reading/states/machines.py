"""The machine of a thing while it is read: its states, the one that it begins in, the moves between them.

Promises: a machine has every state that one of its moves names, once, in the request's own spelling.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.draft import DraftField, DraftMachine
from shared.software.specification import FieldType, Transition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token
# States whose action is not their participle's verb.
_ACTIONS: Final = {
    "in_progress": "start",
    "active": "activate",
    "inactive": "deactivate",
    "open": "open",
    "done": "complete",
    "ready": "mark_ready",
    "available": "release",
    "finished": "finish",
    "live": "go_live",
    "online": "go_online",
    "offline": "go_offline",
    "running": "start",
    "ongoing": "start",
    "under_review": "review",
    "in_review": "review",
    "on_hold": "hold",
    "out_for_delivery": "dispatch",
    "in_transit": "ship",
    "draft": "draft",
    "todo": "reset",
    "won": "win",
    "lost": "lose",
    "empty": "empty",
    "full": "fill",
    "waiting": "wait",
    "overdue": "mark_overdue",
    "enabled": "enable",
    "disabled": "disable",
    "checked_in": "check_in",
    "checked_out": "check_out",
    "no_show": "mark_no_show",
    "sick": "mark_sick",
    "retired": "retire",
    "pending": "reset",
    "new": "reset",
}
INITIAL: Final = (
    "open",
    "new",
    "draft",
    "pending",
    "todo",
    "created",
    "planned",
    "scheduled",
    "active",
    "available",
    "requested",
    "submitted",
    "placed",
    "registered",
    "received",
    "backlog",
    "to_do",
    "unpaid",
    "idle",
)
STATE_FIELDS: Final[tuple[str, ...]] = ("status", "state", "stage", "phase")


def action_of(state: str) -> str:
    """Name the action that brings something into a state: shipped -> ship, in progress -> start."""
    name = morphology.name(state)
    if name in _ACTIONS:
        return _ACTIONS[name]
    first, _, rest = name.partition("_")
    base = morphology.verb_base(first) or (morphology.guessed_base(first) if first.endswith("ed") else None)
    if base is not None and (morphology.is_participle(first) or first.endswith("ed")):
        return morphology.name(base, rest) if rest else move_name(base)
    return morphology.name("mark", name)


def machine_of(draft: Draft, entity: DraftEntity, states: Sequence[str], *, ordered: bool) -> DraftMachine:
    """Give the entity's machine with (at least) these states; in order of progress when `ordered`."""
    machine = entity.machine
    if machine is None:
        name = next((n for n in STATE_FIELDS if n in entity.fields), None) or next(
            (
                n
                for n, f in entity.fields.items()
                if f.values and set(map(morphology.name, states)) & set(map(morphology.name, f.values))
            ),
            "status",
        )
        known = entity.fields.get(name)
        listed = list(known.values) if known is not None else []
        item = entity.fields.setdefault(name, DraftField(name))
        item.type, item.managed, item.required = FieldType.ENUM, True, None
        machine = entity.machine = DraftMachine(name, listed)
        if known is not None and known.default is not None:
            machine.initial = str(known.default)
    by_name = {morphology.name(state): state for state in machine.states}
    for state in states:
        if morphology.name(state) not in by_name:
            machine.add_state(state)
    if not ordered and machine.initial is None and machine.states:
        machine.initial = next((s for s in machine.states if morphology.name(s) in INITIAL), machine.states[0])
    elif machine.initial is None:
        machine.initial = machine.states[0]
    draft.mark(("machine", entity.name), ("field", entity.name, machine.field))
    return machine


def spelled(machine: DraftMachine, state: str) -> str | None:
    """Give the machine's own spelling of a state."""
    return next((s for s in machine.states if morphology.name(s) == morphology.name(state)), None)


def add_move(
    draft: Draft, entity: DraftEntity, target: str, sources: Sequence[str], *, name: str | None = None
) -> None:
    """Add a move into a state, or further sources of one."""
    machine = entity.machine
    if machine is None:
        return
    name = name or action_of(target)
    known = machine.transitions.get(name)
    combined = tuple(dict.fromkeys((*(known.sources if known else ()), *(s for s in sources if s != target))))
    if not combined:
        return
    machine.transitions[name] = Transition(
        name=name,
        sources=combined,
        target=target,
        stamps=known.stamps if known else None,
        when=known.when if known else (),
    )
    draft.mark(("transition", entity.name, name))


LONGEST_STATE: Final = 3


def thing_of(r: Reading, draft: Draft) -> DraftEntity | None:
    """Give the thing whose states a clause speaks of; None when it is none that is known."""
    if r.subject is not None:
        return r.subject
    if (
        r.frame.subject
        and r.frame.subject[-1].low in {*STATE_FIELDS, "lifecycle", "it"}
        and draft.topic in draft.entities
    ):
        return draft.entities[draft.topic]
    return None


def move_name(verb: str) -> str:
    """Name the move that a verb makes; not as what the software offers of everything is called: to read a record."""
    name = morphology.name(verb)
    return morphology.name("mark", morphology.participle(verb)) if name in _OFFERED else name


_OFFERED: Final = frozenset({"create", "read", "list", "update", "delete", "get", "link", "unlink", "report", "view"})


_ENDS_WORDS: Final = lexicon.words(
    "cancelled canceled closed completed done rejected archived returned refunded delivered expired finished "
    "resolved withdrawn declined"
)


def done(verb: str, token: Token) -> Token:
    """Give the state that a deed leads to, as a word that stands where another one does."""
    return replace(token, text=morphology.participle(verb))


def is_usual(state: str) -> bool:
    """Whether a state is one that things usually begin in, get into or end in."""
    name = morphology.name(state)
    return name in INITIAL or name in _ACTIONS or name in _ENDS_WORDS


def is_end(state: str) -> bool:
    """Whether a state is one that things usually end in."""
    return morphology.name(state) in _ENDS_WORDS


def with_initial(entity: DraftEntity, target: str) -> list[str]:
    """Give the states that a move into a state presupposes: the usual one before it, and the state."""
    if entity.machine is None and not any(n in entity.fields and entity.fields[n].values for n in STATE_FIELDS):
        first = {
            "published": "draft",
            "paid": "unpaid",
            "approved": "pending",
            "rejected": "pending",
            "accepted": "pending",
            "cancelled": "active",
            "archived": "active",
            "deactivated": "active",
            "activated": "inactive",
            "suspended": "active",
            "shipped": "pending",
            "verified": "unverified",
            "confirmed": "pending",
            "blocked": "active",
            "retired": "active",
            "started": "planned",
            "read": "unread",
        }.get(target, "open")
        return [first, target]
    return [target]


def states_of(entity: DraftEntity) -> list[str]:
    """Give the states of a thing, as far as they are known."""
    if entity.machine is not None:
        return list(entity.machine.states)
    return [v for n in STATE_FIELDS if n in entity.fields for v in entity.fields[n].values]


def complete(draft: Draft) -> None:
    """Give machines whose moves were not stated the moves forward, but for those that the request forbids."""
    for entity in draft.entities.values():
        machine = entity.machine
        if machine is None or not machine.open_ended:
            continue
        for i, state in enumerate(machine.states):
            if action_of(state) in machine.transitions or any(t.target == state for t in machine.transitions.values()):
                continue
            if state == machine.initial:
                continue
            sources = [
                s
                for s in machine.states
                if s != state
                and (machine.states.index(s) < i)
                and (s, state) not in machine.forbidden
                and (not is_end(s))
            ]
            if sources:
                draft_move(machine, state, sources)


def draft_move(machine: DraftMachine, target: str, sources: Sequence[str]) -> None:
    """Add a move that follows from the order of the states."""
    name = action_of(target)
    if name not in machine.transitions and name not in {"create", "update", "delete"}:
        machine.transitions[name] = Transition(name=name, sources=tuple(sources), target=target)
