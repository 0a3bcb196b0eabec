"""Presumes the states that a limit speaks of: "at most 2 open rentals" where nothing else says when one is over.

A record that is counted while it is open must be able to end. Promises: adds states only where a limit counts a thing
by a word for going on, and nothing that the thing holds (states, an end that may be missing, a truth) answers to it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import closing, conditions, lexicon, morphology, quantities
from functions.neuron.reading.states import machines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.tokens import Token


def counted(draft: Draft) -> None:
    """Give what is counted while it is open a state in which it no longer counts, and the move into it."""
    for at, clause in enumerate(draft.clauses):
        if at in draft.reasons or clause.intro or not limits(clause.words):
            continue
        _at_once(draft, at, clause.words)
        for mention in draft.mentions(clause.words):
            word = next((t.low for t in mention.adjectives if t.low in lexicon.GOING_ON), None)
            pointed = any(field.target for field in mention.entity.fields.values())
            if word is None or not pointed or mention.entity.machine is not None:
                continue
            if conditions.adjective(word, mention.entity):
                continue
            _begin(draft, at, mention.entity, word)


def _at_once(draft: Draft, at: int, words: Sequence[Token]) -> None:
    """Let a deed that ties two things end where "only one at a time" counts it, and nothing says how long it lasts."""
    if not any(quantities.any_phrase(words, i, _AT_ONCE) for i in range(len(words))):
        return
    named = {mention.entity.name for mention in draft.mentions(words)}
    for entity in list(draft.entities.values()):
        tied = {field.target for field in entity.fields.values() if field.target} & named
        deed = closing.is_link(entity) and len(tied | ({entity.name} & named)) >= _BOTH and bool(tied)
        lasts = any(conditions.kind_of(field) in conditions.DATED for field in entity.fields.values())
        if deed and not lasts and entity.machine is None and not conditions.going_on(entity):
            _begin(draft, at, entity, "open")


_AT_ONCE: Final = ("at a time", "at the same time", "at once", "simultaneously", "concurrently")
_BOTH: Final = 2


def limits(words: Sequence[Token]) -> bool:
    """Whether a clause says how many there may be: "at most 2", "only one", "no more than its capacity"."""
    lows = [t.low for t in words]
    one = any(a == "only" and b in {"one", "a", "1"} for a, b in itertools.pairwise(lows))
    if one or ("more" in lows and "than" in lows[lows.index("more") :]):
        return True
    read = (quantities.bound(words, i) for i in range(len(words)))
    return any(found is not None and not found[0].exact and found[0].high is not None for found in read)


_OPEN: Final = lexicon.words("open active")


def _begin(draft: Draft, at: int, entity: DraftEntity, word: str) -> None:
    """Make the states and the move; that there are states does not yet count anything, and so marks nothing."""
    draft.at, before = at, list(draft.marks[at])
    first = word if word in _OPEN else "open"
    move, ended = _ending(entity) or (("close", "closed") if first == "open" else ("end", "ended"))
    machine = machines.machine_of(draft, entity, [first, ended], ordered=True)
    if morphology.name(machine.initial or "") == first:
        machines.add_move(draft, entity, ended, [first], name=move)
        machine.open_ended = False
    draft.marks[at] = before


def _ending(entity: DraftEntity) -> tuple[str, str] | None:
    """Give the move that ends a deed and the state after it: rentals are returned, bookings are cancelled."""
    for verb, (_, move, ended) in lexicon.LINKING_VERBS.items():
        if move is not None and ended is not None and closing.makes(verb, entity):
            return move, ended
    return None
