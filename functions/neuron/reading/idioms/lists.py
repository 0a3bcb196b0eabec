"""Reads several lists and figures that one sentence asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import (
    figures,
    frames,
    lexicon,
    reporting,
    rules,
    views,
)
from functions.neuron.reading.idioms import guarding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token


_LISTING: Final = lexicon.words("list show print display report see tell give")


def several_lists(r: Reading, draft: Draft) -> bool:
    """Read "it lists the open chores and the points of each member": every part is a list or a figure of its own."""
    wished = r.frame.verb in {"need", "want"} and bool(r.frame.subject) and r.frame.subject[0].low in {"i", "we"}
    if r.frame.negated or r.frame.conditions or r.frame.group.passive or not (wished or r.frame.verb in _LISTING):
        return False
    parts = [part for part in _listed_parts(r.frame.rest) if part]
    if len(parts) < guarding.PAIR or reporting.shares_grouping(r.frame.rest):
        return False
    found = [part for part in parts if _shown(r, draft, part)]
    for part in parts if found else ():
        if part not in found:
            draft.leave(part, "this part was not understood")
    return bool(found)


def _shown(r: Reading, draft: Draft, part: Sequence[Token]) -> bool:
    verb = r.words[len(r.frame.subject)] if len(r.words) > len(r.frame.subject) else r.words[0]
    frame = frames.Frame(r.frame.subject, r.frame.group, tuple(part))
    reading = rules.Reading(frame, (verb, *part), r.subjects, draft.mentions(part))
    return reporting.by_value(reading, draft) or figures.asked(reading, draft) or views.look(reading, draft)


def _listed_parts(tokens: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """Cut "the open chores, all members and the points of each member" in front of its articles."""
    start = 0
    for i in range(1, len(tokens)):
        opens = tokens[i].low in _OPENING and tokens[i - 1].low in {",", "and"}
        if opens:
            yield tuple(tokens[start : i - 1 - (tokens[i - 2].text == ",")])
            start = i
    yield tuple(tokens[start:])


_OPENING: Final = lexicon.words("the all every how any")
