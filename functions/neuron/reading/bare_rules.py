"""Reads rules that are typed without a verb: "team name required", "table number unique per wedding", "max >= min".

The missing "must be" is put back behind the field that stands first, and the clause is read again. Promises: only
clauses without a verb, whose first words name a field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import conditions, frames, lexicon, rules
from functions.neuron.reading.tokens import Kind, Token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading

_ATTRIBUTES: Final = lexicon.words(
    "unique required optional mandatory positive non-negative > < ≥ ≤ = between from at before after above below "
    "within under over max min maximum minimum up one either not never no earlier later greater less"
)
_SHORT: Final = 14


def stated(r: Reading, draft: Draft) -> bool:
    """Read such a clause by the readers of whole ones."""
    if r.frame.subject or len(r.words) > _SHORT or r.frame.conditions:
        return False
    for entity in _candidates(r, draft):
        named = _first_field(r.words, entity, draft)
        if named is None or named >= len(r.words) or r.words[named].low not in _ATTRIBUTES:
            continue
        behind = list(r.words[named:])
        denied = behind[0].low in {"not", "never"}
        must = [_word("must"), *([_word("not")] if denied else []), _word("be")]
        words = (*r.words[:named], *must, *behind[denied:])
        frame = frames.parse(words)
        if frame is None or not frame.subject:
            continue
        whole = rules.Reading(frame, words, draft.mentions(frame.subject), draft.mentions(frame.rest))
        draft.topic = entity.name
        if any(reader(whole, draft) for reader in (rules.compared, rules.ordered, rules.field_says)):
            return True
    return False


def _candidates(r: Reading, draft: Draft) -> list[DraftEntity]:
    named = [m.entity for m in draft.mentions(r.words)]
    topic = [draft.entities[draft.topic]] if draft.topic in draft.entities else []
    return list({e.name: e for e in (*named, *topic, *draft.entities.values())}.values())


def _first_field(words: Sequence[Token], entity: DraftEntity, draft: Draft) -> int | None:
    """Give the position behind the field that the clause begins with, past an article and the owner's name."""
    start = next((i for i, t in enumerate(words) if t.low not in lexicon.ARTICLES | {"each", "every"}), 0)
    owner = next((m for m in draft.mentions(words) if m.entity is entity and m.start == start), None)
    for at in (start, *([owner.end] if owner is not None else [])):
        at += at < len(words) and words[at].kind is Kind.POSSESSIVE  # noqa: PLW2901 - past the 's of the owner
        read = conditions.field_at(words, at, entity) if at < len(words) else None
        if read is not None:
            return read[1]
    return None


def _word(text: str) -> Token:
    return Token(Kind.WORD, text, 0, 0)
