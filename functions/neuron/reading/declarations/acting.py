"""Reads what is done to what: "a member borrows a book" is a loan, with a member and a book."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import frames, lexicon, morphology, quantities
from functions.neuron.reading.declarations import contents, naming, phrases, references
from functions.neuron.reading.draft import Draft
from functions.neuron.reading.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAKING_VERBS: Final = lexicon.words(
    "place make create write submit leave post open file give own issue raise add publish upload send record "
    "log register start organise organize host propose sell list offer run teach"
)


def linked(frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    """Read who does what with what: "members borrow books", "a room can be booked by a guest"."""
    found = False
    by_whom = frame.group.passive and len(frame.group.verbs) > 1 and bool(_agents(frame.rest, draft))
    for verb in frame.group.verbs[-1:] if by_whom else frame.group.verbs:  # "submitted, then approved by the lead"
        if verb in lexicon.LINKING_VERBS or verb in _MAKING_VERBS:
            found = _link(verb, frame, draft, later) or found
        elif verb not in _NO_DEEDS and verb not in lexicon.OPERATION_VERBS and _limited(frame):
            _deed(verb, frame, draft, later)
    return found


_NO_DEEDS: Final = lexicon.words("be have do go contain hold need include exceed belong mark use allow let share")


def _limited(frame: frames.Frame) -> bool:
    """Whether a clause says how often something may be done: "only once", "at most 3 a day"."""
    if frame.modal not in {"can", "may"} or frame.negated:
        return False
    lows = {t.low for t in frame.rest}
    counted = [b for i in range(len(frame.rest)) if (b := quantities.bound(frame.rest, i)) is not None]
    return "once" in lows or any(bound.high is not None and not bound.exact for bound, _ in counted)


def _deed(verb: str, frame: frames.Frame, draft: Draft, later: references.Open) -> None:
    """Note "a citizen can sign a petition only once": each signature is to be kept, or nothing could count them."""
    if frame.group.passive:
        names, others = _agents(frame.rest, draft), naming.subject_names(frame.subject, draft)
    else:
        names, found = (
            naming.subject_names(frame.subject, draft),
            naming.noun_name(phrases.object_of(frame.rest)[0], draft),
        )
        others = [found] if found else []
    if names and others and names[0] != others[0] and not naming.is_generic(others[0]):
        later.deeds.append((verb, names[0], others[0], draft.at))


def transitive(frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    """Read "each meeting discusses one book": a reference when both turn out to be kept."""
    if _owns_several(frame, draft, later):
        return True
    if frame.negated or frame.modal not in {None, "must"} or frame.verb in {"be", "have", "go"} or not frame.rest:
        return False
    if frame.group.passive and frame.rest[0].low in {"in", "on", "at", "by", "to"}:
        target, found = (
            naming.noun_name(phrases.object_of(frame.rest[1:])[0], draft),
            naming.subject_names(frame.subject, draft),
        )
        if target and len(found) == 1:
            later.transitives.append((found[0], target, draft.at, frame.verb in _HANDING))
        return False
    start = quantities.phrase(frame.rest, 0, "exactly one") or (1 if frame.rest[0].low in {"a", "an", "one"} else None)
    head, _ = phrases.object_of(frame.rest[start:]) if start else ([], [])
    name = naming.noun_name(head, draft)
    names = naming.subject_names(frame.subject, draft)
    if name is None or len(names) != 1:
        return False
    later.transitives.append((names[0], name, draft.at, False))
    return False


_HANDING: Final = lexicon.words("hand-out give-out distribute lend issue")  # what is handed out was kept before


_SEVERAL: Final = ("several", "many", "multiple", "any number of", "a number of", "as many", "lots of")
_OWNING: Final = lexicon.words("bring own have keep carry hold send run lead manage get raise use supply")


def _owns_several(frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    """Read "an owner may bring several dogs": each dog is one owner's."""
    behind = quantities.any_phrase(frame.rest, 0, _SEVERAL)
    if frame.negated or frame.group.passive or frame.verb not in _OWNING or behind is None or not frame.subject:
        return False
    held = [token.low for token in frame.rest[behind:]]
    names = naming.subject_names(frame.subject, draft)
    if len(names) != 1 or naming.is_generic(names[0]) or not held or not morphology.is_plural(held[-1]):
        return False
    if len(held) > _LONGEST_NAME or not all(token.is_word for token in frame.rest[behind:]):
        return False
    name = morphology.name(*held)
    later.many.append((names[0], name, draft.at, None, False))
    return draft.mark(("many", names[0], name))


_LONGEST_NAME: Final = 3


def _by_doing(rest: Sequence[Token]) -> str | None:
    """Give the deed in "passengers join rides by booking a seat": what is made is a booking."""
    at = next((i for i, t in enumerate(rest[:-1]) if t.low == "by" and rest[i + 1].low.endswith("ing")), None)
    verb = rest[at + 1].verb if at is not None else None
    return verb if verb in lexicon.LINKING_VERBS else None


_GIVING_WORDS: Final = lexicon.words("giving with providing leaving stating naming entering including")


def _by_anyone(verb: str, frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    """Read "visitors reserve seats for a screening, giving their name and email": who does it is not kept."""
    cut = next((i for i, t in enumerate(frame.rest) if t.low in _GIVING_WORDS), None)
    if cut is None or frame.group.passive or frame.negated or verb not in lexicon.LINKING_VERBS or not frame.subject:
        return False
    if not all(
        naming.is_generic(name) and not _declared(name, draft) for name in naming.subject_names(frame.subject, draft)
    ):
        return False
    aims = [m.entity.name for m in draft.mentions(frame.rest[:cut])]
    if not aims:
        return False
    entity = draft.entity(lexicon.LINKING_VERBS[verb][0], declared=True)
    entity.link_verb = entity.link_verb or verb
    for aim in aims:
        references.refer(entity, aim, draft, optional=False)
    start = (
        cut + 1 + (cut + 1 < len(frame.rest) and frame.rest[cut + 1].low in {"their", "his", "her", "your", "a", "the"})
    )
    return contents.hold(entity, frame.rest[start:], draft, later) and draft.settle()


def _link(verb: str, frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    if _by_anyone(verb, frame, draft, later):
        return True
    verb = _by_doing(frame.rest) or verb
    subjects = [
        name
        for name in naming.subject_names(phrases.plain(frame.subject), draft)
        if name == "user" or not naming.is_generic(name) or (draft.entities.get(name) and draft.entities[name].declared)
    ]
    head, behind = phrases.object_of(frame.rest)
    if frame.group.passive:
        agents = tuple(name for name in _agents(frame.rest, draft))
        if not subjects or not agents or verb not in lexicon.LINKING_VERBS:
            return False
        later.links.append((verb, agents[0], (subjects[0],), draft.at, []))
        return draft.mark(("link", verb))
    name = naming.noun_name(head, draft)
    if _bounded(frame.rest, head):
        return False
    if (
        verb in lexicon.LINKING_VERBS
        and name in naming.NOT_ENTITIES - naming.GENERIC
        and name not in draft.entities
        and (targets := phrases.prepositional(behind, draft))
    ):
        name, behind = targets[0], [*phrases.head_with(head), *behind]
    if name is None and behind and verb in lexicon.LINKING_VERBS:
        name = next(iter(phrases.prepositional(behind, draft)), None)
    if (
        not subjects
        or name is None
        or name in subjects
        or ((naming.is_generic(name) or name in naming.NOT_ENTITIES) and not _declared(name, draft))
    ):
        return False
    others = phrases.prepositional(behind, draft)
    if not others and _of_their_own(verb, frame, head):
        later.many.append((subjects[0], morphology.plural(name), draft.at, None, False))
        return draft.mark(("many", subjects[0], morphology.plural(name)))
    given = verb in {"submit", "file", "request"} and "with" in [t.low for t in behind]
    if verb in lexicon.LINKING_VERBS and not _is_link_noun(verb, name) and not given:
        later.links.append((verb, subjects[0], (name, *others), draft.at, list(behind)))
        draft.topic = name if verb in _ASKING and frame.rest[0].low in {"a", "an"} else draft.topic
        return draft.mark(("link", verb))
    return _make(frame, subjects[0], name, (head, others, behind), draft, later)


def _bounded(rest: Sequence[Token], head: Sequence[Token]) -> bool:
    """Whether an object says how often ("four times a year") or how much ("the hours worked (more than 0)")."""
    if head and head[-1].low == "times":
        return True
    opened = next((i for i, t in enumerate(rest[: len(head) + 2]) if t.text == "("), None)
    inner = rest[opened + 1 : frames.close_of(rest, opened)] if opened is not None else ()
    return any((b := quantities.bound(inner, i)) is not None and not b[0].exact for i in range(len(inner)))


def _of_their_own(verb: str, frame: frames.Frame, head: Sequence[Token]) -> bool:
    """Whether "owners register their dogs" says whose each dog is, and makes no registration."""
    return frame.rest[0].low == "their" and verb in _ENTERING and morphology.is_plural(head[-1].low)


_ENTERING: Final = lexicon.words("register submit list add enter record log post file")
_ASKING: Final = frozenset({"request", "submit", "order", "claim"})  # their object is what is made


def _make(
    frame: frames.Frame,
    maker: str,
    name: str,
    parts: tuple[Sequence[Token], tuple[str, ...], Sequence[Token]],
    draft: Draft,
    later: references.Open,
) -> bool:
    """Read who makes what: "a customer places an order for a cake, with a quantity"."""
    head, others, behind = parts
    bare = bool(head) and not morphology.is_plural(head[-1].low) and frame.rest[0].low not in lexicon.DETERMINERS
    if frame.negated or (bare and frame.verb == "start" and name not in draft.entities):
        return False  # "it starts open" makes nothing
    if frame.verb == "raise" and "by" in {token.low for token in frame.rest}:
        return False  # "raises the stock by its amount" changes a number
    if quantities.phrase(frame.rest, 1, "order in which") is not None:
        return False  # "it gives the order in which …": a sequence, which is no order of anybody
    if {"once", "twice"} & {token.low for token in frame.rest}:
        return False  # "log a cache only once": a limit, which makes no cache
    later.makers.append((maker, name, others, draft.at))
    if frame.rest[0].low in {"a", "an"} and not naming.is_generic(name):
        draft.topic = name
    lows = [token.low for token in behind]
    if "with" in lows and not naming.is_generic(name):
        contents.hold(draft.entity(name, declared=True), behind[lows.index("with") + 1 :], draft, later)
    return draft.mark(("made", maker, name))


def _declared(name: str, draft: Draft) -> bool:
    return name in draft.entities and draft.entities[name].declared


def _is_link_noun(verb: str, name: str) -> bool:
    return name.split("_")[-1] in {
        lexicon.LINKING_VERBS[verb][0],
        "ticket",
        "appointment",
        "session-booking",
    } and verb in {"buy", "book", "order", "purchase", "reserve", "submit"}


def _agents(rest: Sequence[Token], draft: Draft) -> list[str]:
    for i, token in enumerate(rest):
        if token.low in {"by", "to"}:
            if [t.low for t in rest[i + 1 : i + 3]] in (["begin", "with"], ["start", "with"]):
                continue
            bound = quantities.bound(rest, i + 1)
            start = bound[1] if bound else i + 1
            if rest[start : start + 1] and rest[start].low in {"other", "others"}:
                return []  # other museums are none of those that are kept
            end = next(
                (j for j in range(start, len(rest)) if rest[j].low in lexicon.PREPOSITIONS | {",", "and"}),
                len(rest),
            )
            name = naming.noun_name(rest[start:end], draft)
            return (
                [name]
                if name and not (naming.is_generic(name) and name != "user") and name not in naming.NOT_ENTITIES
                else []
            )
    return []
