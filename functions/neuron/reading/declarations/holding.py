"""Reads what a thing has: "a book has a title", "inspections of a hive record a date"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import fields, frames, lexicon, morphology, quantities
from functions.neuron.reading.declarations import belonging, contents, listings, naming, references
from functions.neuron.reading.draft import Draft
from functions.neuron.reading.tokens import Kind, Token
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
    if not frame.subject or frame.negated or _looked_at(frame) or not _holds(frame, draft):
        return False
    subjects = naming.subject_names(frame.subject, draft)
    named = [name for name in subjects if _may_hold(name, frame, draft)]
    rest = frame.rest[1:] if frame.rest and frame.rest[0].low in {"of", "by", "with"} else frame.rest
    ours = frame.subject[0].low in {"our", "my"} and frame.verb in naming.MANAGING_WORDS | {"record", "store", "keep"}
    if not named or ours:
        return _of_software(frame, rest, draft, later, speaker=bool(subjects), ours=ours)
    return _of_things(frame, named, rest, draft, later)


def _looked_at(frame: frames.Frame) -> bool:
    """Whether "show the records I have lent" asks to see what somebody has done something with."""
    first, last = frame.subject[0], frame.subject[-1]
    return first.low in {"show", "list", "display", "print", "see", "find", "count"} and last.low in _SPEAKERS


_SPEAKERS: Final = frozenset({"i", "we", "you", "they"})


def giving(frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    """Read "speakers register with a name and an email": what is kept of those who register."""
    subjects = naming.subject_names(frame.subject, draft) if frame.subject else []
    told = len(subjects) == 1 and not frame.negated and not frame.conditions
    told = told and frame.group.passive == (frame.verb in _MAKING) and frame.modal in {None, "must"}
    rest = frame.rest[bool(frame.rest) and frame.rest[0].low == "in" :]  # "animals come in with a name"
    opens = [t.low for t in rest[:2]]
    given = opens[:1] == ["with"] and opens[1:] in (["a"], ["an"], ["their"], ["its"])
    if frame.verb not in _JOINING | _MAKING or not told or not given or not naming.may_hold(subjects[0]):
        return False
    entity = draft.entity(subjects[0], declared=True)
    return contents.hold(entity, rest[1:], draft, later) and draft.settle()


_MAKING: Final = lexicon.words("request create enter submit file report open")  # "is requested with an address"
_JOINING: Final = lexicon.words("register sign-up signup join come arrive")


def _holds(frame: frames.Frame, draft: Draft) -> bool:
    """Whether the verb says what something has, and not what the program shows."""
    shown = frame.verb == "show" and frame.subject[0].low == "it" and draft.kind is not SoftwareKind.API
    if shown or any(t.low in {"how", "whether", "what"} for t in frame.subject):
        return False
    if _by_what(frame):
        return True
    if frame.group.passive and frame.verb in _HOLDING_WORDS:
        return False
    asked = bool(frame.rest) and frame.rest[0].low in {"who", "which", "when", "how"}
    tells = frame.verb in {"say", "tell", "note", "state"} and asked
    return frame.verb in _HOLDING_WORDS_3 or tells or _lists(frame)


def _by_what(frame: frames.Frame) -> bool:
    """Whether a thing is said to be identified or described by what it has."""
    led = bool(frame.rest) and frame.rest[0].low in {"by", "with"}
    return frame.group.passive and led and frame.verb in _RECORDING


_RECORDING: Final = lexicon.words("identify describe define characterise know recognise")


def _may_hold(name: str, frame: frames.Frame, draft: Draft) -> bool:
    several = morphology.is_plural(frame.subject[-1].low)
    if not (naming.may_hold(name) or naming.is_record(frame.subject, name) or several):
        return False
    has = frame.verb in {"have", "consist", "contain", "include"}
    return (
        not naming.is_generic(name)
        or (has and (name not in naming.SYSTEM or frame.verb == "have"))
        or (name in draft.entities and draft.entities[name].declared)
    )


def _of_software(
    frame: frames.Frame, rest: Sequence[Token], draft: Draft, later: references.Open, *, speaker: bool, ours: bool
) -> bool:
    """Read what the software, or we, look after: "it has books (title, author)"."""
    speaker = speaker or frame.subject[0].low in {"it", "we", "i", "there"}
    listing = speaker and not ours and frame.verb in {"have", "include", "contain", "store", "track"}
    if listing and listings.listed_entities(rest, draft, later):
        return True
    return (ours or (speaker and frame.verb in _HOLDING_WORDS_2)) and listings.declare_list(rest, draft, later)


def _of_things(
    frame: frames.Frame, named: Sequence[str], rest: tuple[Token, ...], draft: Draft, later: references.Open
) -> bool:
    if any(quantities.is_number(t) or t.low in lexicon.RELATIVES for t in frame.subject):
        return False
    cut = _conditional_attribute(frame) if frame.conditions else len(frame.rest)
    if cut is None:
        return False
    shared = named[0] in naming.COLLECTIVE and frame.verb == "have" and named[0] not in draft.entities
    if shared and not _singular_items(rest):
        return listings.declare_list(rest, draft, later)
    if _is_rule(frame, draft):
        return False
    if frame.conditions:
        draft.leave([*frame.rest[cut:], *frame.conditions[-1][1]], "that it holds under a condition is not checked")
    rest = rest[: len(rest) - (len(frame.rest) - cut)]
    if _by_what(frame) and frame.verb in {"identify", "recognise", "know"}:
        rest = _telling_apart(rest)
    some = frame.modal == "must" and _some(frame.subject, named, draft)
    if some:
        draft.leave(draft.clauses[draft.at].tokens, "that only some of them must have it is not checked")
    optional = some or frame.modal in {"may", "can", "might", "could"}
    _of_owner(frame.subject, named, draft)
    _of_counted(rest, named, draft)
    return (
        all([contents.hold(draft.entity(name, declared=True), rest, draft, later, optional=optional) for name in named])  # noqa: C419 - every one is to be held
        and draft.settle()
    )


def _some(subject: Sequence[Token], named: Sequence[str], draft: Draft) -> bool:
    """Whether only some of a thing are spoken of: "failed inspections must have a remark"."""
    mention = next((m for m in draft.mentions(subject) if m.entity.name in named), None)
    return mention is not None and any(morphology.is_participle(t.low) for t in mention.adjectives)


def _conditional_attribute(frame: frames.Frame) -> int | None:
    """Give where "which are mandatory if the result is failed" begins behind a list of what a thing has."""
    comma = next((i for i in range(len(frame.rest) - 1, -1, -1) if frame.rest[i].text == ","), None)
    told = comma is not None and comma > 1 and len(frame.conditions) == 1 and frame.conditions[0][0] == "if"
    relative = comma is not None and comma + 1 < len(frame.rest) and frame.rest[comma + 1].low in {"which", "that"}
    return comma + 1 if comma is not None and told and relative else None


def _lists(frame: frames.Frame) -> bool:
    """Whether "each line names a cake and a quantity", "a customer gives a name and a phone" says what they hold."""
    if not frame.subject:
        return False
    if _gives_all(frame):
        return True
    if frame.subject[0].low not in {"a", "an", "each", "every"}:
        return False
    if frame.verb == "list":
        return True
    if frame.group.passive or not frame.rest or frame.rest[0].low not in lexicon.ARTICLES:
        return False
    if frame.verb in {"name", "state", "bear"}:
        return True
    held = {item.field.name for item in fields.items(frame.rest)}
    return frame.verb in {"give", "leave"} and len(held) > 1 and held <= belonging.OF_PERSONS


def _gives_all(frame: frames.Frame) -> bool:
    """Whether "applicants give their name, address and the date on which they applied" says what is kept of them."""
    if (
        frame.group.passive
        or frame.modal not in {None, "must"}
        or frame.verb not in {"give", "leave", "provide", "state"}
    ):
        return False
    plural = morphology.is_plural(frame.subject[-1].low) or frame.subject[0].low in {"a", "an", "each", "every"}
    theirs = bool(frame.rest) and frame.rest[0].low in {"their", "its", "his", "her"}
    return plural and theirs and len(fields.items(frame.rest)) > 1


def _telling_apart(rest: tuple[Token, ...]) -> tuple[Token, ...]:
    """Write "(identified by) a patient number" as a unique one, when one thing alone tells them apart."""
    at = next((i for i, t in enumerate(rest[:2]) if t.low in lexicon.ARTICLES), None)
    alone = at is not None and not any(t.low == "and" or t.text == "," for t in rest)
    if at is None or not alone or any(t.low == "unique" for t in rest):
        return rest
    return (*rest[: at + 1], Token(Kind.WORD, "unique", rest[at].end, rest[at].end), *rest[at + 1 :])


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


def _of_counted(rest: Sequence[Token], named: Sequence[str], draft: Draft) -> None:
    """Let what "says how many units of an item are in a warehouse" refer to the item and to the warehouse."""
    if [t.low for t in rest[:2]] not in (["how", "many"], ["how", "much"]):
        return
    for mention in draft.mentions(rest):
        told = rest[mention.start - 1].low in {"a", "an", "one", "each", "every"} and mention.start > 1
        for name in named if told and mention.entity.declared else ():
            entity = draft.entity(name, declared=True)
            if mention.entity is not entity and entity.reference_to(mention.entity.name) is None:
                references.refer(entity, mention.entity.name, draft, optional=False)


def _singular_items(tokens: Sequence[Token]) -> bool:
    return any(token.low in {"a", "an"} for token in tokens[:1])


def _limits_some(frame: frames.Frame, draft: Draft) -> bool:
    """Whether "has at most one active card" limits how many cards of a kind there are, rather than names a field."""
    read = quantities.bound(frame.rest, 0)
    if read is None or read[0].exact or read[0].high is None:
        return False
    mentioned = draft.mentions(frame.rest[read[1] :])
    return bool(mentioned) and bool(mentioned[0].adjectives) and mentioned[0].end == len(frame.rest) - read[1]


def _going_on(tokens: Sequence[Token]) -> bool:
    """Whether what is counted is told by going on: "at most 5 active bookings"; then there are others, too."""
    return len(tokens) > 1 and tokens[0].low in lexicon.GOING_ON and morphology.is_plural(tokens[1].low)


def _is_rule(frame: frames.Frame, draft: Draft) -> bool:
    """Whether "have" bounds a number of things that exist elsewhere ("may have at most 3 open loans")."""
    one_per = [t.low for t in frame.rest[:1]] in (["one"], ["a"], ["1"]) and any(
        t.low == "per" for t in frame.rest[1:4]
    )
    if one_per and len(draft.mentions(frame.rest)) > 1:
        return True
    if not frame.rest:
        return False
    if frame.rest[-1].low == "only" and frame.rest[0].low in {"one", "a", "1"}:
        return True
    if frame.modal is None:
        return _limits_some(frame, draft)
    if frame.only and frame.rest[0].low in {"one", "a", "1"}:
        return True
    bound = quantities.bound(frame.rest, 0) or (
        quantities.bound(frame.rest, 1) if frame.rest[0].low in {"only", "a"} else None
    )
    if bound is None:
        return False
    if _going_on(frame.rest[bound[1] :]):
        return True
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
