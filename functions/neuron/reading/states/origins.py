"""Reads which states a sentence names as those that a move is made from: adjectives, "if …", "from …", "until …"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.states import machines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token

_SOURCES_WORDS: Final = lexicon.words("if when while unless until till once before after")


def sources(r: Reading, entity: DraftEntity, draft: Draft) -> list[str]:
    """Give the states that the clause names as those to move from."""
    words = [t.low for t in r.subjects[0].adjectives] if r.subjects else []
    before = [t.low for t in r.frame.subject[: r.subjects[0].start]] if r.subjects else []
    words = before if {"and", "or"} & set(before) else words
    named = named_states(words, entity, loose=True) if words else []
    relative = next((i for i, t in enumerate(r.frame.subject) if i and t.low in _RELATING), None)
    if not named and relative is not None:
        named = named_states([t.low for t in r.frame.subject[relative:]], entity, loose=False)
    return named or _conditional(r, entity, draft) or _adverbial(r, entity)


_RELATING: Final = frozenset({"that", "which", "who", "in", "with", "under"})


EXCEPTING: Final = lexicon.words("unless until till before")
"""Behind "can" these name the states that a move is not made from, behind "cannot" those that it is made from."""


def _conditional(r: Reading, entity: DraftEntity, draft: Draft) -> list[str]:
    """Read the states in "if it is still open", "before it is shipped", "until it is done", "unless closed"."""
    for word, tokens in r.frame.conditions:
        mentioned = draft.mentions(tokens)
        if word not in _SOURCES_WORDS or (mentioned and mentioned[0].entity is not entity):
            continue
        lows = [t.low for t in tokens]
        if word == "if" and (named := _first_named(tokens, entity)):
            return named
        if word in EXCEPTING:
            named = named_states(lows, entity, loose=r.frame.negated)
            if not named:
                return []  # "can be cancelled before they start": a moment, and no state
            return named if r.frame.negated else _states_before(named, entity, timely=word != "unless")
        if word in {"if", "while", "when"} and {"not", "is-not"} & set(lows):
            return _states_before(named_states(lows, entity, loose=False), entity)
        named = named_states(lows, entity, loose=True)
        return _from_then_on(named, entity) if word in {"once", "after"} and r.frame.negated else named
    return []


def _from_then_on(begun: Sequence[str], entity: DraftEntity) -> list[str]:
    """Give the states from the first of those that are named: what is not done "once it is baked", nor is it later."""
    states = machines.states_of(entity)
    places = [states.index(s) for s in begun if s in states]
    return (
        [*begun, *(s for s in states[min(places) :] if s not in begun and not machines.is_end(s))]
        if places
        else [*begun]
    )


def joined(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """Cut "it is active and not expired" into what must hold together."""
    cuts = [i for i, t in enumerate(tokens) if t.low == "and" and 0 < i < len(tokens) - 1]
    return [tokens[a:b] for a, b in zip([0, *(i + 1 for i in cuts)], [*cuts, len(tokens)], strict=True)]


def denied(tokens: Sequence[Token]) -> bool:
    """Whether a part of a condition is a denial: "not expired", "it has not been used"."""
    return any(t.low in lexicon.NEGATIONS for t in tokens)


def _first_named(tokens: Sequence[Token], entity: DraftEntity) -> list[str]:
    """Give the state in the first part of "it is active and not expired" where the other parts are denials."""
    parts = joined(tokens)
    if len(parts) == 1 or denied(parts[0]) or not all(map(denied, parts[1:])):
        return []
    named = named_states([t.low for t in parts[0]], entity, loose=True)
    return named if len(named) == 1 else []


def _states_before(ended: Sequence[str], entity: DraftEntity, *, timely: bool = False) -> list[str]:
    """Give the states that lie before the first of those that are named; all others when they have no order.

    `timely`: the word itself speaks of an order ("until", "before"), so that they lie as they are listed.
    """
    states = machines.states_of(entity)
    places = [states.index(s) for s in ended if s in states]
    left = [s for s in states if s not in ended and not machines.is_end(s)]
    ordered = timely or (entity.machine is not None and not entity.machine.open_ended)
    if not places or not ordered:
        return left
    return [s for s in left if states.index(s) < min(places)] or left


def _adverbial(r: Reading, entity: DraftEntity) -> list[str]:
    """Read the states in "from draft" and "in state open"."""
    at = next((i for i, t in enumerate(r.frame.rest) if t.low in {"from", "in", "before"}), None)
    return named_states([t.low for t in r.frame.rest[at + 1 :]], entity, loose=False) if at is not None else []


def named_states(words: Sequence[str], entity: DraftEntity, *, loose: bool) -> list[str]:
    """Give the states of a thing that words name; `loose`: also words that can only be states, known or not."""
    text = f" {' '.join(words)} "
    found = [
        state
        for state in machines.states_of(entity)
        if f" {state.lower()} " in text or f" {morphology.name(state).replace('_', '-')} " in text
    ]
    if found or not loose:
        return found
    content = [
        w
        for w in words
        if (morphology.is_participle(w) or w in machines.INITIAL or w in {"active", "unpaid", "unread", "inactive"})
        and w not in lexicon.BE | lexicon.HAVE
    ]
    return content[:3]
