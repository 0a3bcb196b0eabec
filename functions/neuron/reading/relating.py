"""Reads sentences that say what a record ties together: "a tenancy gives a plot to a gardener from a start date".

The subject is the record; the objects, with or without prepositions, are what it refers to and the figures and
moments that it holds. Promises: all of a sentence or nothing: a part that is neither a known thing nor a figure or
moment leaves the sentence unread. What the parts name may be declared later: sentences wait until all is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import declarations, fields, frames, inference, lexicon, morphology
from functions.neuron.reading.draft import DraftField
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.declarations import Open
    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.tokens import Token

_CUTS: Final = lexicon.words("to into in at from with for on until till by onto between and , through out up")
_LEAST: Final = 2  # what ties fewer things together is a sentence of another kind


def early(clause: Clause, draft: Draft) -> bool:
    """Read a sentence whose objects are all things that hold something already, and whose subject is new."""
    found = _sentence(clause.words, draft)
    if found is None or found[0] in draft.entities:
        return False
    name, parts = found
    known = [part for part in parts if _thing(part, draft) is not None]
    return len(known) >= _LEAST and _tie(name, parts, draft)


_LASTING: Final = frozenset({"last", "run", "go", "end"})


def being(subject: Sequence[Token], rest: Sequence[Token], draft: Draft) -> bool:
    """Read "a show is a play in a theatre at a start time": a record that ties together what it is and where."""
    name = declarations.noun_name(subject, draft)
    parts = [part for part in _parts(rest) if not (len(part) == 1 and part[0].verb in _LASTING)]
    if name is None or declarations.is_generic(name) or len(parts) < _LEAST:
        return False
    return len([part for part in parts if _thing(part, draft) is not None]) >= _LEAST and _tie(name, parts, draft)


def note(clause: Clause, draft: Draft, later: Open) -> bool:
    """Keep a sentence that nothing else was found in until all things are known; never says that it is read."""
    found = _sentence(clause.words, draft)
    if found is not None:
        later.ties.append((found[0], found[1], draft.at))
    return False


def labelled(name: str, words: Sequence[Token], draft: Draft, later: Open) -> None:
    """Keep the sentence behind a label ("Outings: a member takes out a boat …"), whose subject is one of its parts."""
    verb = frames.finite_verb(words, 0)
    if verb is None:
        return
    parts = [tuple(words[:verb]), *_parts(words[frames.verb_group(words, verb).end :])]
    later.ties.append((name, tuple(parts), draft.at))


def close(draft: Draft, later: Open) -> None:
    """Tie together what the sentences that were kept name."""
    for name, parts, at in later.ties:
        draft.at = at
        if len([part for part in parts if _thing(part, draft) is not None]) >= _LEAST:
            _tie(name, parts, draft)


def _sentence(words: Sequence[Token], draft: Draft) -> tuple[str, tuple[tuple[Token, ...], ...]] | None:
    frame = frames.parse(words)
    if frame is None or not frame.subject or frame.negated or frame.conditions or frame.group.passive:
        return None
    if frame.modal not in {None, "must"} or frame.verb in {"be", "have"} or frame.subject[0].low not in _DETERMINED:
        return None
    name = declarations.noun_name(frame.subject, draft)
    if name is None or declarations.is_generic(name) or len(frame.subject) > _LONGEST:
        return None
    return name, _parts(frame.rest)


_DETERMINED: Final = lexicon.words("a an each every one")
_LONGEST: Final = 4


def _parts(rest: Sequence[Token]) -> tuple[tuple[Token, ...], ...]:
    """Cut what stands behind a verb at its prepositions and conjunctions, but not within brackets."""
    parts: list[list[Token]] = [[]]
    closed = -1
    for i, token in enumerate(rest):
        if token.text == "(":
            closed = frames.close_of(rest, i)
        if token.text == "," and [t.low for t in rest[i + 1 : i + 2]] in (["which"], ["that"]) and parts[-1]:
            parts[-1] += rest[i:]  # "a departure date, which must be after the arrival date"
            break
        if (
            i > closed
            and token.low in _CUTS
            and not (parts[-1] and token.low == "to" and rest[i - 1].value is not None)
        ):
            parts.append([])
        else:
            parts[-1].append(token)
    return tuple(tuple(part) for part in parts if part)


def _thing(part: Sequence[Token], draft: Draft) -> str | None:
    """Give the known thing that a part names."""
    name = declarations.noun_name(part, draft)
    return name if name is not None and name in draft.entities else None


def _tie(name: str, parts: Sequence[Sequence[Token]], draft: Draft) -> bool:
    held: list[DraftField] = []
    for part in parts:
        thing = _thing(part, draft)
        if thing == name:
            continue  # "fees: each singer owes one fee per year"
        if thing is not None:
            held.append(DraftField(thing, FieldType.REFERENCE, target=thing))
            continue
        read = fields.items(part)
        if len(read) != 1 or not read[0].determined or not _measured(read[0].field):
            return False
        held.append(read[0].field)
    entity = draft.entity(name, declared=True)
    for item in held:
        item.at = draft.at
        draft.mark(("field", entity.name, entity.add(item).name))
    draft.topic = entity.name
    draft.mark(("entity", entity.name))
    return draft.settle()


def _measured(item: DraftField) -> bool:
    """Whether a field's name or bounds tell that it is a figure or a moment, which no thing of its own is."""
    probe = DraftField(
        morphology.name(item.name), item.type, values=item.values, minimum=item.minimum, maximum=item.maximum
    )
    inference.complete(probe)
    return probe.type not in {FieldType.STRING, FieldType.TEXT, FieldType.BOOLEAN}
