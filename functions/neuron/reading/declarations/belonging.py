"""Reads what a thing belongs to: "a loan is for one member", "each task belongs to a project"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import fields, frames, lexicon, morphology, quantities
from functions.neuron.reading.declarations import contents, naming, phrases, references
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

_BELONGING: Final = lexicon.words("belong refer relate link point attach connect associate")
_BELONGING_WORDS_4: Final = lexicon.words(
    "hand-out give-out distribute assign connect link join relate pair match combine associate tie bind"
)
_BELONGING_WORDS_3: Final = lexicon.words("by to in for from on at with against under")
_BELONGING_WORDS_2: Final = lexicon.words("a an one exactly some the several many multiple")
_BELONGING_WORDS: Final = lexicon.words("for of in on at by about between from")


_COMING: Final = frozenset({("come", "from"), ("originate", "from"), ("stem", "from"), ("go", "to")})
_LYING: Final = lexicon.words("sit stand lie hang live happen grow occur sleep")
_PLACES: Final = lexicon.words("in on at under")


def _lies(frame: frames.Frame) -> bool:
    """Whether a clause says where a thing is: "each box sits on a shelf"."""
    return frame.verb in _LYING and not frame.group.passive and frame.modal is None and frame.rest[0].low in _PLACES


def _as_part(frame: frames.Frame) -> tuple[Token, ...]:
    """Give what stands behind "be", "of many events" in "can be part of many events"."""
    parts = frame.rest[1:] if len(frame.rest) > 1 and frame.rest[0].low == "part" else frame.rest
    return parts if parts and parts[0].low == "of" else frame.rest


def _taking_place(frame: frames.Frame) -> tuple[Token, ...]:
    """Give what stands behind the verb, "at a venue" in "takes place at a venue"."""
    takes = frame.verb == "take" and len(frame.rest) > 1 and frame.rest[0].low == "place"
    return frame.rest[1:] if takes and frame.rest[1].low in _PLACES else frame.rest


def _references_one(frame: frames.Frame) -> bool:
    """Whether a clause says that one thing references another: "an item references an order and a cake"."""
    verbal = frame.verb in {"reference", "concern", "involve"} and not frame.group.passive
    return verbal and bool(frame.rest) and frame.rest[0].low in {"a", "an", "one"}


def _as_belonging(frame: frames.Frame, rest: tuple[Token, ...], *, joins: bool) -> tuple[Token, ...]:
    """Write what references or joins others as what belongs to them."""
    if _references_one(frame):
        return (phrases.replace_token(rest[0]), *rest)
    return (rest[0], *[phrases.replace_token(t) if t.low in {"with", "to"} else t for t in rest[1:]]) if joins else rest


def belonging(frame: frames.Frame, draft: Draft, later: references.Open) -> bool:
    """Read "a task belongs to a project", "a reservation is for one room and one guest, with …"."""
    rest = _taking_place(frame) if frame.verb != "be" else _as_part(frame)
    if not frame.subject or not rest or frame.negated:
        return False
    placed = (frame.verb, rest[0].low) in _COMING or rest is not frame.rest or _lies(frame)
    comes = placed and len(rest) > 1 and rest[1].low in {"a", "an", "one", "exactly"}
    belongs = comes or (
        frame.verb in _BELONGING
        and rest[0].low in {"to", "with", "for"}
        and frame.modal in {None, "must", "can", "may", "should"}
    )
    is_for = (
        frame.verb == "be"
        and frame.group.form == "be"
        and rest[0].low in _BELONGING_WORDS
        and len(rest) > 1
        and rest[1].low in _BELONGING_WORDS_2
        and (frame.modal in {None, "must"} or rest[1].low in {"many", "several", "multiple"})
    )
    made = (
        frame.group.passive
        and rest[0].low in _BELONGING_WORDS_3
        and len(rest) > 1
        and rest[1].low in {"a", "an", "one", "exactly", "many", "several", "multiple"}
        and frame.modal in {None, "must"}
        and frame.verb not in {"identify", "describe"}
    )
    joins = (
        frame.verb in _BELONGING_WORDS_4
        and not frame.group.passive
        and rest[0].low in {"a", "an", "one", "exactly"}
        and any(t.low in {"with", "to", "and"} for t in rest)
    )
    belongs = belongs or _references_one(frame)
    if rest is frame.rest:
        rest = _as_belonging(frame, rest, joins=joins)
    if not (belongs or is_for or made or joins) or (
        (frame.group.passive and quantities.phrase(rest, 1, "at most"))
        or quantities.phrase(rest, 1, "up to")
        or quantities.phrase(rest, 1, "no more than")
    ):
        return False
    told = belongs and (
        morphology.is_plural(frame.subject[-1].low) or frame.subject[0].low in {"a", "an", "each", "every"}
    )
    names = naming.subject_names(frame.subject, draft)
    names = [
        name
        for name in names
        if not naming.is_generic(name) or draft.entities.get(name) or (told and name not in naming.ACTORS)
    ]
    if not names or quantities.duration(rest, 1) is not None:
        return False
    cut = next(
        (
            i
            for i, t in enumerate(rest)
            if (t.low in {"with", "has", "having"} or t.text == ":")
            and i > 0
            and not (i + 1 < len(rest) and rest[i + 1].low == "one")
        ),
        len(rest),
    )
    entity = draft.entity(names[0], declared=True)
    draft.topic = entity.name
    targets, found = _from_one_to_another(rest[1:cut], entity, draft)
    targets, spared = phrases.or_nobody(targets)
    for item in fields.items(phrases.without_prepositions(targets)):
        if not item.field.name or (not item.determined and not draft.known(item.field.name.split("_"))):
            continue
        if item.field.values or item.field.name.split("_")[-1] in {"time", "date", "day", "moment"}:
            item.field.at = draft.at
            added = entity.add(item.field)
            found = draft.mark(("field", entity.name, added.name))
            continue
        optional = spared or frame.modal in {"can", "may"} or _given_later(frame, draft)
        found = references.refer_to_item(entity, item, draft, later, optional=optional) or found
    if cut < len(rest):
        holder = _person(rest, cut, entity, draft) or entity
        found = contents.hold(holder, rest[cut + 1 :], draft, later) or found
        draft.topic = entity.name
    if joins and found:
        draft.settle()
    return found and draft.mark(("entity", entity.name))


def _given_later(frame: frames.Frame, draft: Draft) -> bool:
    """Whether a thing gets what it belongs to in the course of its life: "tickets are then assigned to an agent"."""
    words = {token.low for token in draft.clauses[draft.at].tokens}
    return frame.group.passive and bool(words & {"then", "later", "afterwards", "eventually"})


def _from_one_to_another(targets: Sequence[Token], entity: DraftEntity, draft: Draft) -> tuple[Sequence[Token], bool]:
    """Take "from one day to another" out of what a record is of: the two days between which it lasts."""
    lows = [token.low for token in targets]
    at = next((i for i in range(len(lows) - 4) if lows[i : i + 2] == ["from", "one"]), None)
    if at is None or lows[at + 2] not in {"day", "date", "time", "moment"}:
        return targets, False
    if lows[at + 3 : at + 5] != ["to", "another"]:
        return targets, False
    kind = "date" if lows[at + 2] in {"day", "date"} else "time"
    for name in (f"start_{kind}", f"end_{kind}"):
        draft.mark(("field", entity.name, entity.add(DraftField(name, at=draft.at)).name))
    return [*targets[:at], *targets[at + 5 :]], True


OF_PERSONS: Final = lexicon.words(
    "name first_name last_name full_name email email_address phone phone_number address age "
    "birth_date birthday date_of_birth"
)


def _person(rest: Sequence[Token], cut: int, entity: DraftEntity, draft: Draft) -> DraftEntity | None:
    """Give whom "by a customer with a name and an email" describes: the customer, who is new."""
    if rest[cut].low != "with" or rest[cut - 1].text == "," or cut < phrases.EACH_WITH:
        return None
    reference = entity.fields.get(rest[cut - 1].low)
    owner = draft.entities.get(reference.target or "") if reference is not None else None
    held = {item.field.name for item in fields.items(rest[cut + 1 :])}
    new = owner is not None and not owner.fields and rest[cut - 2].low in {"a", "an"}
    return owner if new and held and held <= OF_PERSONS else None
