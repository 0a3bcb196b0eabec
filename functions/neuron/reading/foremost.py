"""Reads which of the things comes next: "the next job is the one with the highest priority".

That is a view of one thing, sorted by a field; of things that have states it is among those that have not begun, or
those that are named ("the waiting one"). Promises: a view only where the field and every word that narrows the things
down were found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import conditions, lexicon, morphology
from shared.software.specification import Condition, FieldType, Operator, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading
    from functions.neuron.reading.tokens import Token

_DESCENDING: Final = {
    **dict.fromkeys(lexicon.words("highest greatest largest biggest latest newest longest most"), True),
    **dict.fromkeys(lexicon.words("lowest smallest least earliest soonest oldest nearest shortest"), False),
}
_SORTED: Final = frozenset(
    {FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER, FieldType.DATE, FieldType.DATETIME, FieldType.TIME}
)


def told(clause: Clause) -> bool:
    """Whether a clause says which thing comes next, and so declares nothing."""
    return _parts(clause.words) is not None


def next_one(r: Reading, draft: Draft) -> bool:
    """Read "the next job to print is the waiting one with the highest priority"."""
    parts = _parts(r.words)
    if parts is None or r.frame.negated or r.frame.conditions:
        return False
    subject, adjectives, behind = parts
    mentions = draft.mentions(subject)
    topic = draft.entities.get(draft.topic or "")
    entity = mentions[0].entity if mentions else topic
    if entity is None or not behind or behind[0].low not in _DESCENDING:
        return False
    named = conditions.field_at(behind, 1, entity)
    when = _among(adjectives, entity)
    if named is None or named[0].target is not None or conditions.kind_of(named[0]) not in _SORTED or when is None:
        return False
    rest = [t for t in behind[named[1] :] if t.is_word]
    if rest:
        draft.leave(rest, "this part of the order was not understood")
    view = View(
        name=morphology.name("next", entity.name),
        entity=entity.name,
        when=when,
        sort=named[0].name,
        descending=_DESCENDING[behind[0].low],
        limit=1,
        description=_description(entity, when, behind[0].low, named[0].name),
    )
    draft.views[view.name] = view
    return draft.mark(("view", view.name))


def _parts(words: Sequence[Token]) -> tuple[Sequence[Token], Sequence[Token], Sequence[Token]] | None:
    """Give what comes next, which of them are meant, and the superlative with what stands behind it."""
    lows = [t.low for t in words]
    verb = next((i for i, low in enumerate(lows) if low in {"is", "are"}), None)
    lead = lows[1:2] if lows[:1] == ["the"] else lows[:1]
    if verb is None or lead != ["next"] or lows[verb + 1 : verb + 2] != ["the"]:
        return None
    at = next((i for i in range(verb, len(lows) - 2) if lows[i] == "with" and lows[i + 1] == "the"), None)
    if at is None or at < verb + 3 or lows[at + 2] not in _DESCENDING:
        return None
    return words[lows.index("next") + 1 : verb], words[verb + 2 : at - 1], words[at + 2 :]


def _among(adjectives: Sequence[Token], entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Give which of the things may be next; None where a word for them is not understood."""
    if adjectives:
        return conditions.adjective(" ".join(t.low for t in adjectives), entity)
    if entity.machine is not None:
        first = entity.machine.initial or next(iter(entity.machine.states), None)
        return (Condition(field=entity.machine.field, operator=Operator.EQ, value=first),) if first else ()
    states = next((f for n, f in entity.fields.items() if n in {"status", "state"} and f.values), None)
    return (Condition(field=states.name, operator=Operator.EQ, value=states.values[0]),) if states is not None else ()


def _description(entity: DraftEntity, when: Sequence[Condition], superlative: str, field: str) -> str:
    which = f"{when[0].value} " if when else ""
    return f"Show the {which}{entity.name.replace('_', ' ')} with the {superlative} {field.replace('_', ' ')}"
