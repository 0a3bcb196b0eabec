"""Reads what a thing has: "a book has a title", "inspections of a hive record a date"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import frames, lexicon, morphology, quantities
from functions.neuron.reading.declarations import contents, listings, naming, references
from functions.neuron.reading.draft import Draft
from functions.neuron.reading.tokens import Token
from shared.software.specification import Kind as SoftwareKind

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOLDING_WORDS_3: Final = lexicon.words(
    "have include contain comprise consist hold possess need require carry capture specify feature record "
    "store show track"
)
_HOLDING_WORDS_2: Final = lexicon.words("have store track record include hold contain show")
_HOLDING_WORDS: Final = lexicon.words("record store track show need require include hold specify capture")


def holding(frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    """Read what a thing has: its items, or, of what looks after things, those things."""
    verb = frame.verb
    passive_record = (
        frame.group.passive
        and verb in {"identify", "describe", "define", "characterise", "know", "recognise"}
        and frame.rest
        and frame.rest[0].low in {"by", "with"}
    )
    tells = (
        verb in {"say", "tell", "note", "state"} and frame.rest and frame.rest[0].low in {"who", "which", "when", "how"}
    )
    lists = tells or (verb == "list" and bool(frame.subject) and frame.subject[0].low in {"a", "an", "each", "every"})
    if not frame.subject or frame.negated or not (verb in _HOLDING_WORDS_3 or passive_record or lists):
        return False
    shown = verb == "show" and frame.subject[0].low == "it" and draft.kind is not SoftwareKind.API
    if shown or any(t.low in {"how", "whether", "what"} for t in frame.subject):
        return False  # the program shows, not the thing that was spoken of last
    if frame.group.passive and not passive_record and verb in _HOLDING_WORDS:
        return False
    subjects = naming.subject_names(frame.subject, draft)
    named = [
        name
        for name in subjects
        if (
            naming.may_hold(name)
            or naming.is_record(frame.subject, name)
            or morphology.is_plural(frame.subject[-1].low)
        )
        and (
            not naming.is_generic(name)
            or (verb in {"have", "consist", "contain", "include"} and (name not in naming.SYSTEM or verb == "have"))
            or (name in draft.entities and draft.entities[name].declared)
        )
    ]
    rest = frame.rest[1:] if frame.rest and frame.rest[0].low in {"of", "by", "with"} else frame.rest
    speaker = frame.subject[0].low in {"it", "we", "there"} or bool(subjects)
    if (
        not named
        and speaker
        and verb in {"have", "include", "contain", "store", "track"}
        and listings.listed_entities(rest, draft, later)
    ):
        return True
    if frame.subject[0].low in {"our", "my"} and verb in naming.MANAGING_WORDS | {"record", "store", "keep"}:
        return listings.declare_list(rest, draft, later)
    if not named:
        return speaker and verb in _HOLDING_WORDS_2 and listings.declare_list(rest, draft, later)
    if frame.conditions or any(quantities.is_number(t) or t.low in lexicon.RELATIVES for t in frame.subject):
        return False
    if (
        named[0] in naming.COLLECTIVE
        and verb == "have"
        and named[0] not in draft.entities
        and not _singular_items(rest)
    ):
        return listings.declare_list(rest, draft, later)
    if _is_rule(frame, draft):
        return False
    optional = frame.modal in {"may", "can", "might", "could"}
    _of_owner(frame.subject, named, draft)
    return (
        all([contents.hold(draft.entity(name, declared=True), rest, draft, later, optional=optional) for name in named])  # noqa: C419 - every one is to be held
        and draft.settle()
    )


def _of_owner(subject: Sequence[Token], named: Sequence[str], draft: Draft) -> None:
    """Let the inspections in "inspections of a hive record …" refer to their hive."""
    of = next((i for i, t in enumerate(subject[:-2]) if i and t.low in {"of", "for", "by"}), None)
    if of is None or subject[of + 1].low not in {"a", "an", "each", "every"}:
        return
    owner = next((m.entity for m in draft.mentions(subject[of + 1 :])), None)
    for name in named if owner is not None else ():
        entity = draft.entity(name, declared=True)
        if owner is not None and owner is not entity and entity.reference_to(owner.name) is None:
            references.refer(entity, owner.name, draft, optional=False)


def _singular_items(tokens: Sequence[Token]) -> bool:
    return any(token.low in {"a", "an"} for token in tokens[:1])


def _limits_some(frame: frames.Frame, draft: Draft) -> bool:
    """Whether "has at most one active card" limits how many cards of a kind there are, rather than names a field."""
    read = quantities.bound(frame.rest, 0)
    if read is None or read[0].exact or read[0].high is None:
        return False
    mentioned = draft.mentions(frame.rest[read[1] :])
    return bool(mentioned) and bool(mentioned[0].adjectives) and mentioned[0].end == len(frame.rest) - read[1]


def _is_rule(frame: frames.Frame, draft: Draft) -> bool:
    """Whether "have" bounds a number of things that exist elsewhere ("may have at most 3 open loans")."""
    one_per = [t.low for t in frame.rest[:1]] in (["one"], ["a"], ["1"]) and any(
        t.low == "per" for t in frame.rest[1:4]
    )
    if one_per and len(draft.mentions(frame.rest)) > 1:
        return True
    if not frame.rest:
        return False
    if frame.modal is None:
        return _limits_some(frame, draft)
    if frame.only and frame.rest[0].low in {"one", "a", "1"}:
        return True
    bound = quantities.bound(frame.rest, 0) or (
        quantities.bound(frame.rest, 1) if frame.rest[0].low in {"only", "a"} else None
    )
    if bound is None:
        return False
    counted = any(quantities.period(frame.rest, i) is not None for i in range(bound[1], len(frame.rest)))
    at_once = [t.low for t in frame.rest[-3:]] in (["at", "a", "time"], ["the", "same", "time"]) or (
        [t.low for t in frame.rest[-2:]] == ["at", "once"]
    )
    if bound[0].high is not None and (counted or at_once):
        return True
    mentioned = draft.mentions(frame.rest[bound[1] :])
    return (
        bool(mentioned)
        and mentioned[0].entity.name not in set(naming.subject_names(frame.subject, draft))
        and (bound[0].high is not None or bound[0].low is not None)
    )
