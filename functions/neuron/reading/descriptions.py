"""Reads further ways to say what a thing is like, where no verb of having stands.

"Voters, identified by a unique email, vote", "each item is a product and a quantity", "a trip starts at a time and
covers a distance in km", "transactions are deposits or withdrawals with an amount", "a ticket can be assigned to an
agent", "a finished book gets a rating", "contacts: a member books a class".

Tried when `declarations` finds nothing, but for what it would misread (`early`). Promises: adds only fields and
entities that the clause names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import declarations, fields, frames, inference, lexicon, morphology, quantities, relating
from functions.neuron.reading.declarations import phrases
from functions.neuron.reading.draft import DraftField
from functions.neuron.reading.tokens import Kind, Token
from shared.software.specification import FieldType
from shared.software.specification import Kind as SoftwareKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.declarations import Open
    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.frames import Frame


def early(clause: Clause, draft: Draft, later: Open) -> bool:
    """Read what `declarations` would take for something else."""
    if clause.intro:
        return False
    if _unnamed(clause, draft, later) or _explained(clause.words, draft, later) or relating.early(clause, draft):
        return True
    if clause.words[0].low in {"we", "i", "i'd", "let"} and _sold(clause.words, draft, later):
        return True
    if _for_every(clause.words, draft, later) or _rated(clause.words, draft, later):
        return True
    frame = frames.parse(clause.words)
    if frame is None or not frame.subject:
        return False
    return any(reader(frame, draft, later) for reader in (_assigned, _lasting, _due, _kinds, _being, _how_many_of))


def _rated(words: Sequence[Token], draft: Draft, later: Open) -> bool:
    """Read "(I can) give it a rating from 1 to 10": a field that what was spoken of may have."""
    topic = draft.entities.get(draft.topic or "")
    at = next((i for i, t in enumerate(words[:6]) if t.verb == "give"), None)
    if topic is None or not topic.fields or at is None or at + 2 >= len(words) or words[at].low != "give":
        return False
    led = lexicon.MODALS | lexicon.words("i we you users people also then to want would like be able and")
    pointed = words[at + 1].low in {"it", "them"} and words[at + 2].low in {"a", "an"}
    if not pointed or any(t.low not in led for t in words[:at]) or draft.mentions(words[at + 2 :]):
        return False
    items = fields.items(words[at + 2 :])
    if not items or not all(item.determined for item in items) or frames.finite_verb(words[at + 2 :], 0) is not None:
        return False
    return declarations.hold(topic, words[at + 2 :], draft, later, optional=True) and draft.settle()


def _for_every(words: Sequence[Token], draft: Draft, later: Open) -> bool:
    """Read "for every employee time sheets are entered": each time sheet is one employee's."""
    if words[0].low != "for" or len(words) < _LEAST_TOLD or words[1].low not in {"each", "every"}:
        return False
    owner = next((m for m in draft.mentions(words) if m.start == _FEWEST), None)
    verb = next((i for i, t in enumerate(words) if t.low in lexicon.BE), None)
    if owner is None or verb is None or verb + 2 != len(words) or words[-1].verb not in _ENTERED:
        return False
    held = [t for t in words[owner.end : verb] if t.text != ","]
    if not 0 < len(held) <= _LONGEST_NAME or not all(t.is_word for t in held) or not morphology.is_plural(held[-1].low):
        return False
    name = morphology.name(*[t.low for t in held])
    later.many.append((owner.entity.name, name, draft.at, None, False))
    entity = draft.entity(morphology.name(*[t.low for t in held[:-1]], held[-1].singular), declared=True)
    draft.topic = entity.name
    return draft.mark(("many", owner.entity.name, name)) and draft.settle()


_LEAST_TOLD: Final = 5
_LONGEST_NAME: Final = 3
_ENTERED: Final = lexicon.words("enter record keep store log create track register save file")


def _how_many_of(frame: Frame, draft: Draft, _later: Open) -> bool:
    """Read "stock entries say how many of an item are in a bin (quantity, zero or more)": an item, a bin, a number."""
    behind = quantities.phrase(frame.rest, 0, "how many of")
    name = declarations.noun_name(frame.subject, draft)
    if behind is None or name is None or declarations.is_generic(name) or frame.group.passive or frame.negated:
        return False
    opened = next((i for i, t in enumerate(frame.rest) if t.text == "("), len(frame.rest))
    places = [i for i in range(behind, opened) if frame.rest[i].low in {"in", "on", "at"}]
    verb = next((i for i in range(behind + 1, opened) if frame.rest[i].verb is not None and i not in places), None)
    if len(places) != 1 or verb is None or verb > places[0]:
        return False
    named = [declarations.noun_name(frame.rest[a:b], draft) for a, b in ((behind, verb), (places[0] + 1, opened))]
    if any(part is None or declarations.is_generic(part) for part in named):
        return False
    entity = draft.entity(name, declared=True)
    for part in named:
        declarations.refer(entity, str(part), draft, optional=False)
    inner = frame.rest[opened + 1 : frames.close_of(frame.rest, opened)] if opened < len(frame.rest) else ()
    items = fields.items(inner) if inner else []
    item = items[0].field if len(items) == 1 else DraftField("quantity")
    item.type, item.at = FieldType.INTEGER, draft.at
    item.minimum = 0 if item.minimum is None else item.minimum
    draft.topic = entity.name
    return draft.mark(("field", entity.name, entity.add(item).name)) and draft.settle()


def read(clause: Clause, draft: Draft, later: Open) -> bool:
    """Read what `declarations` found nothing in."""
    words = clause.words
    if _titled(words, draft, later):
        return True
    frame = frames.parse(words)
    if frame is None or not frame.subject:
        return False
    if _detailed(words, frame, draft, later) or _added(frame, draft, later):
        return True
    if _owned(words, frame, draft, later):
        return True
    if _getting(clause, draft, later) or any(reader(frame, draft, later) for reader in (_composed, _measured)):
        return True
    _tell(frame, draft)
    return relating.note(clause, draft, later)


_LYING: Final = frozenset({"lie", "be", "range", "vary"})


def _owned(words: Sequence[Token], frame: Frame, draft: Draft, later: Open) -> bool:
    """Read "its ticket price lies between 5 and 500": what was spoken of last has a ticket price."""
    topic = draft.entities.get(draft.topic or "")
    if topic is None or frame.subject[0].low not in {"its", "their"} or frame.verb not in _LYING or frame.negated:
        return False
    name = morphology.name(*[t.low for t in frame.subject[1:]])
    told = (
        not frame.group.passive
        and not frame.conditions
        and any(
            (bound := quantities.bound(frame.rest, i)) is not None and not bound[0].exact
            for i in range(len(frame.rest))
        )
    )
    if len(frame.subject) == 1 or not all(t.is_word for t in frame.subject) or name in topic.fields or not told:
        return False
    at = frame.subject[-1].end
    behind = words[len(words) - len(frame.rest) - (frame.group.end - frame.group.start) :]
    said = (*frame.subject[1:], Token(Kind.WORD, "that", at, at), *behind)
    return declarations.hold(topic, said, draft, later) and draft.settle()


def _detailed(words: Sequence[Token], frame: Frame, draft: Draft, later: Open) -> bool:
    """Read "bouts are between two fencers: a left fencer, a right fencer": what stands behind the colon is held."""
    colon = next((i for i, t in enumerate(words) if t.text == ":"), None)
    name = declarations.noun_name(frame.subject, draft)
    if colon is None or colon + 1 >= len(words) or name is None or declarations.is_generic(name) or frame.negated:
        return False
    body = words[colon + 1 :]
    items = fields.items(body)
    determined = [item for item in items if item.determined]
    if frames.finite_verb(body, 0) is not None or len(determined) < _FEWEST or body[0].low not in lexicon.ARTICLES:
        return False
    return declarations.hold(draft.entity(name, declared=True), body, draft, later) and draft.settle()


def _added(frame: Frame, draft: Draft, later: Open) -> bool:
    """Read "the end date is optional but never before the start date" of a field that no list has named."""
    topic = draft.entities.get(draft.topic or "")
    told = frame.verb == "be" and not frame.group.passive and not frame.conditions and not frame.negated
    name = morphology.name(*[t.low for t in frame.subject[1:]])
    if topic is None or not told or [t.low for t in frame.rest[:1]] != ["optional"] or frame.subject[0].low != "the":
        return False
    if len(frame.subject) == 1 or any(name in entity.fields for entity in draft.entities.values()):
        return False
    if not all(t.is_word and t.low not in lexicon.PREPOSITIONS for t in frame.subject):
        return False
    return declarations.hold(topic, (*frame.subject, *frame.rest), draft, later) and draft.settle()


def _tell(frame: Frame, draft: Draft) -> None:
    """Let "it" in the next clause be what this one speaks of, even when nothing else was understood of it."""
    name = declarations.noun_name(frame.subject, draft)
    if frame.subject[0].low in {"a", "an", "each", "every"} and name and not declarations.is_generic(name):
        draft.topic = name


def beside(clause: Clause, draft: Draft, later: Open) -> Sequence[Token]:
    """Read what stands between commas behind a subject, and give the clause's words without it.

    "Voters, identified by a unique email, vote for one option" holds an email and leaves "Voters vote for one option".
    """
    words = _without_apposition(clause.words, draft, later)
    comma = next((i for i, t in enumerate(words[:5]) if t.text == "," and i), None)
    if comma is None or comma + 2 >= len(words) or words[comma + 1].low not in _IDENTIFIED | {"who", "which"}:
        return words
    by = next((i for i in range(comma + 1, min(comma + 5, len(words))) if words[i].low in {"by", "with", "have"}), None)
    end = next((i for i in range(comma + 2, len(words)) if words[i].text == ","), None)
    name = declarations.noun_name(words[:comma], draft)
    if by is None or end is None or by > end or name is None or declarations.is_generic(name):
        return words
    entity = draft.entity(name, declared=True)
    declarations.hold(entity, _without_owner(words[by + 1 : end]), draft, later)
    return (*words[:comma], *words[end + 1 :])


def _without_apposition(words: Sequence[Token], draft: Draft, later: Open) -> Sequence[Token]:
    """Read "a slot, which is a date and a time, can be booked": what the slot holds; gives the words without it."""
    led = (i for i, t in enumerate(words[:-3]) if t.text == "," and words[i + 1].low in {"which", "that"})
    comma = next((i for i in led if words[i + 2].low in {"is", "are"} and words[i + 3].low in {"a", "an"}), None)
    if comma is None:
        return words
    joint = next((i for i in range(comma, len(words)) if words[i].low == "and"), len(words))
    end = next((i for i in range(joint, len(words)) if words[i].text == ","), len(words))
    start = next((i for i in range(comma - 1, -1, -1) if words[i].low in lexicon.DETERMINERS), None)
    name = declarations.noun_name(words[start:comma], draft) if start is not None else None
    body = words[comma + 3 : end]
    items = fields.items(body)
    listed = len(items) >= _FEWEST and all(item.determined and not item.many for item in items)
    told = listed and "or" not in {t.low for t in body} and not any(t.low in lexicon.RELATIVES for t in body)
    if name is None or declarations.is_generic(name) or not told:
        return words
    declarations.hold(draft.entity(name, declared=True), body, draft, later)
    return (*words[:comma], *words[end + (end < len(words)) :])


_IDENTIFIED: Final = lexicon.words("identified known described recognised recognized defined")


def _without_owner(tokens: Sequence[Token]) -> Sequence[Token]:
    return tokens[1:] if tokens and tokens[0].low in {"their", "its", "his", "her"} else tokens


# a list of fields without an owner


_SOFTWARE: Final = lexicon.words(
    "api cli app application tool program service backend server system book list tracker manager database web rest "
    "http simple small command line command-line terminal management register log my a an the for of me please build "
    "create make write develop implement i need want we us python crud json basic little tiny quick"
)


def _unnamed(clause: Clause, draft: Draft, later: Open) -> bool:
    """Read "contact book cli: name, phone, email": the fields of what the software is named after."""
    before = draft.clauses[draft.at - 1] if draft.at else None
    if before is None or not before.intro or any(entity.fields for entity in draft.entities.values()):
        return False
    if draft.kind is SoftwareKind.LIBRARY and any(t.singular in lexicon.CODE for t in before.tokens):
        return False  # "a library with helpers for dates: …": what it computes
    body = clause.words
    if ":" not in draft.request[before.end : clause.start] or any(t.text == ":" for t in body[:4]):
        return False
    verbal = frames.finite_verb(body, 0) is not None or frames.imperative_at(body, 0)
    if len(body) > 1 and body[1].low in lexicon.ARTICLES and body[0].low not in lexicon.DETERMINERS:
        return False  # "scale the ingredients …": an order, whose verb is not known
    several = any(
        i and t.low in {"(", "with", "having"} and morphology.is_plural(body[i - 1].low) for i, t in enumerate(body)
    )
    if several or clause.header:
        return False
    alone = [entity.name for entity in draft.entities.values()]
    name = alone[0] if len(alone) == 1 else named_after(before.tokens) or _object_of(before.tokens)
    if any(t.low in {"with", "having"} for t in body[1:4]):
        return False
    if name is None or verbal or body[0].text == "(" or len(fields.items(body)) < 2:
        return False
    for other in (draft.weak & set(draft.entities)) - {name}:
        del draft.entities[other]
    return declarations.hold(draft.entity(name, declared=True), body, draft, later) and draft.settle()


def _object_of(tokens: Sequence[Token]) -> str | None:
    """Give what an introduction wants to keep: "I'd like to log my workouts from the shell" keeps workouts."""
    mine = next((i for i, t in enumerate(tokens[:-1]) if t.low in {"my", "our"}), None)
    if mine is None or not morphology.is_plural(tokens[mine + 1].low):
        return None
    return morphology.name(tokens[mine + 1].singular)


def _sold(words: Sequence[Token], draft: Draft, later: Open) -> bool:
    """Read "we sell bouquets: name, price": what is named in front of the colon holds what stands behind it."""
    colon = next((i for i, t in enumerate(words[:12]) if t.text == ":"), None)
    if colon is None or colon < 2:
        return False
    body = words[colon + 1 :]
    behind = words[colon - 1]
    name = morphology.name(behind.singular) if morphology.is_plural(behind.low) else _object_of(words[:colon])
    if name is None:
        return False
    verbal = frames.finite_verb(body, 0) is not None or frames.imperative_at(body, 0)
    if verbal or declarations.is_generic(name) or len(fields.items(body)) < 2:
        return False
    return declarations.hold(draft.entity(name, declared=True), body, draft, later) and draft.settle()


def named_after(tokens: Sequence[Token]) -> str | None:
    """Give the thing that software is named after: "contact book cli" keeps contacts; None when there is none."""
    if _does(tokens):
        return None
    words = [
        t
        for t in tokens
        if t.kind is Kind.WORD and t.low not in _SOFTWARE | lexicon.DETERMINERS | lexicon.PREPOSITIONS | {"that", "to"}
    ]
    verbal = [t for t in words if t.verb is not None and t.verb not in lexicon.NOUN_VERBS]
    if not 0 < len(words) <= 2 or words[-1].low.endswith("ing") or verbal:
        return None
    return morphology.name(*[t.low for t in words[:-1]], words[-1].singular)


def _does(tokens: Sequence[Token]) -> bool:
    """Whether the software is to do something with what is named, rather than keep it: "to pretty print JSON"."""
    at = next((i for i, t in enumerate(tokens[:-1]) if t.low == "to"), None)
    deed = next((t for t in tokens[at + 1 : at + 3] if t.verb is not None), None) if at is not None else None
    return deed is not None and deed.low not in _SOFTWARE and deed.verb not in lexicon.MANAGING_VERBS


# a label in front of a sentence


def _explained(words: Sequence[Token], draft: Draft, later: Open) -> bool:
    """Read "awards, that is which scout got which badge on which date": what a record is, behind its name."""
    comma = next((i for i, t in enumerate(words[:4]) if t.text in {",", ":", "-"} and i), None)
    at = next((i for i, t in enumerate(words[:8]) if t.low == "which"), None)
    if (
        comma is None
        or at is None
        or at < comma
        or {t.low for t in words[comma + 1 : at]} - {"that", "is", "i.e.", ",", "meaning"}
    ):
        return False
    name = declarations.noun_name(words[:comma], draft)
    if name is None or declarations.is_generic(name) or not morphology.is_plural(words[comma - 1].low):
        return False
    if len(fields.items(words[at:])) < _FEWEST:
        return False
    return declarations.hold(draft.entity(name, declared=True), words[at:], draft, later) and draft.settle()


_FEWEST: Final = 2


def _titled(words: Sequence[Token], draft: Draft, later: Open) -> bool:
    """Read "bookings: a member books a class": the label names what the sentence is about."""
    colon = next((i for i, t in enumerate(words[:4]) if t.text == ":"), None)
    if not colon or not all(t.is_word for t in words[:colon]) or frames.finite_verb(words, colon + 1) is None:
        return False
    name = declarations.noun_name(words[:colon], draft)
    frame = frames.parse(words[colon + 1 :])
    if name is None or frame is None or declarations.is_generic(name) or not morphology.is_plural(words[colon - 1].low):
        return False
    entity = draft.entity(name, declared=True)
    draft.topic = entity.name
    relating.labelled(entity.name, words[colon + 1 :], draft, later)
    if declarations.noun_name(phrases.object_of(frame.rest)[0], draft) != entity.name:
        declarations.of_frame(frame, draft, later)
    return draft.mark(("entity", entity.name))


# verbs that describe


def _owner(frame: Frame, draft: Draft) -> DraftEntity | None:
    """Give the one known thing that the subject names."""
    found = draft.mentions(frame.subject)
    if not found and frame.subject[-1].low in {"it", "they"} and draft.topic in draft.entities:
        return draft.entities[draft.topic]
    return found[0].entity if len(found) == 1 and found[0].start <= 2 else None


_PLACING: Final = lexicon.words(
    "assign attach allocate seat place locate store put link connect group file keep station"
)


def _assigned(frame: Frame, draft: Draft, _later: Open) -> bool:
    """Read "each ticket can be assigned to an agent" as a reference, not as a thing of its own."""
    entity = _owner(frame, draft)
    if (
        entity is None
        or frame.verb not in _PLACING
        or not frame.group.passive
        or frame.negated
        or len(frame.rest) < 2
        or frame.rest[0].low not in {"to", "at", "in", "on", "with", "under"}
        or frame.rest[1].low not in {"a", "an", "one", "exactly"}
        or morphology.is_plural(frame.subject[-1].low)
    ):
        return False
    comma = next((i for i, t in enumerate(frame.rest) if t.text == ","), len(frame.rest))
    target, spared = phrases.or_nobody(frame.rest[1:comma])
    name = declarations.noun_name(target, draft)
    if name is None or (declarations.is_generic(name) and name not in draft.entities and not spared):
        return False
    optional = spared or frame.modal in {"can", "may", "might", "could"}
    return declarations.refer(entity, name, draft, optional=optional)


_MOMENTS: Final = {
    "start": "start",
    "begin": "start",
    "end": "end",
    "finish": "end",
    "depart": "departure",
    "arrive": "arrival",
    "expire": "expiry",
    "close": "closing",
    "open": "opening",
}


def _lasting(frame: Frame, draft: Draft, _later: Open) -> bool:
    """Read "a trip starts at a time and ends at a time", "a course begins on a date": its moments."""
    entity = _owner(frame, draft)
    if entity is None or frame.negated or frame.group.passive:
        return False
    if frame.verb in {"last", "run", "go"} and frame.rest and frame.rest[0].low == "from":
        return _spanning(frame, entity, draft)
    if frame.verb in {"last", "run", "go"} and frame.rest and frame.rest[0].low in {"until", "till"}:
        end = fields.items(frame.rest[1:])
        return len(end) == 1 and end[0].determined and declarations.hold(entity, frame.rest[1:], draft, _later)
    if frame.verb in _MOMENTS and not frame.rest:
        return _begun_or_ended(frame, entity, draft)
    if frame.verb not in _MOMENTS or len(frame.rest) < 2:
        return False
    noun = frame.rest[-1].low
    given = {"a", "an", "some", "given", "certain", "specific", "particular", "later"}
    if frame.rest[0].low not in {"at", "on"} or noun not in {"time", "date", "day"} or len(frame.rest) > 4:
        return False
    if not all(t.low in given for t in frame.rest[1:-1]):
        return False
    kind = "time" if noun == "time" else "date"
    before = entity.fields.get(f"start_{kind}")
    later = "later" in [t.low for t in frame.rest]
    if later and (before is None or _MOMENTS[frame.verb] != "end"):
        return False
    added = entity.add(DraftField(f"{_MOMENTS[frame.verb]}_{kind}"))
    added.at = draft.at
    if later and before is not None:
        told = (*frame.rest[-2:-1], *(Token(Kind.WORD, word, 0, 0) for word in ("than", *before.name.split("_"))))
        added.compared = told
    return draft.mark(("field", entity.name, added.name)) and draft.settle()


def _begun_or_ended(frame: Frame, entity: DraftEntity, draft: Draft) -> bool:
    """Read "a stay starts when the guest arrives and ends when they leave": two moments, the end one unknown at first.

    The beginning is the present where it is left out.
    """
    told = [word for word, _ in frame.conditions]
    point = _MOMENTS[frame.verb]
    if told != ["when"] or point not in {"start", "end"} or frame.modal is not None:
        return False
    begins = point == "start"
    field = DraftField(f"{point}_time", FieldType.DATETIME, required=begins, presumed=begins)
    added = entity.add(field)
    added.at = draft.at
    return draft.mark(("field", entity.name, added.name), ("entity", entity.name)) and draft.settle()


def _due(frame: Frame, draft: Draft, _later: Open) -> bool:
    """Read "chores are due on a date": the date by which they are to be done."""
    entity = _owner(frame, draft)
    lows = [t.low for t in frame.rest]
    if entity is None or frame.negated or frame.verb != "be" or lows[:1] != ["due"] or len(lows) != _DUE:
        return False
    if lows[1] not in {"on", "by", "at"} or lows[2] not in {"a", "some"} or lows[3] not in {"date", "day", "time"}:
        return False
    added = entity.add(DraftField("due_at" if lows[3] == "time" else "due_date"))
    added.at = draft.at
    return draft.mark(("field", entity.name, added.name)) and draft.settle()


_DUE: Final = 4


def _spanning(frame: Frame, entity: DraftEntity, draft: Draft) -> bool:
    """Read "last from a start to an end"."""
    cut = next((i for i, t in enumerate(frame.rest) if t.low in {"to", "until", "till"}), None)
    if cut is None:
        return False
    parts = [fields.items(frame.rest[1:cut]), fields.items(frame.rest[cut + 1 :])]
    if not all(len(part) == 1 and part[0].determined for part in parts):
        return False
    for part in parts:
        draft.mark(("field", entity.name, entity.add(part[0].field).name))
    return draft.settle()


def _kinds(frame: Frame, draft: Draft, later: Open) -> bool:
    """Read "transactions are deposits or withdrawals with an amount": kinds of one thing, and what all of them hold."""
    if frame.verb != "be" or frame.negated or frame.group.passive or not morphology.is_plural(frame.subject[-1].low):
        return False
    cut = next((i for i, t in enumerate(frame.rest) if t.low in {"with", "having", ","} and i > 1), len(frame.rest))
    head = [t for t in frame.rest[:cut] if t.low not in {"either", ","}]
    plain = [t for t in head if t.low != "or"]
    if len(plain) < 2 or "or" not in [t.low for t in head] or not all(morphology.is_plural(t.low) for t in plain):
        return False
    name = declarations.noun_name(frame.subject, draft)
    if name is None or declarations.is_generic(name):
        return False
    entity = draft.entity(name, declared=True)
    added = entity.add(DraftField("type", FieldType.ENUM, values=tuple(t.singular for t in plain)))
    draft.mark(("field", entity.name, added.name))
    if cut < len(frame.rest):
        declarations.hold(entity, frame.rest[cut + 1 :], draft, later)
    draft.topic = entity.name
    return draft.settle()


def _being(frame: Frame, draft: Draft, later: Open) -> bool:
    """Read "a treatment is an appointment of a patient with a dentist": what it is of, and with whom."""
    if frame.verb != "be" or frame.negated or frame.group.passive or frame.modal is not None or len(frame.rest) < 5:
        return False
    if frame.rest[0].low not in {"a", "an"}:
        return False
    if draft.known([frame.rest[1].low]) is not None and frame.subject[0].low in lexicon.ARTICLES:
        return relating.being(frame.subject, frame.rest, draft)
    if frame.rest[2].low not in {"of", "by", "for", "between"}:
        return False
    name = declarations.noun_name(frame.subject, draft)
    if name is None or declarations.is_generic(name) or frame.subject[0].low not in lexicon.DETERMINERS:
        return False
    cut = next((i for i, t in enumerate(frame.rest) if t.text in {",", ";"}), len(frame.rest))
    named = [m for m in draft.mentions(frame.rest[3:cut]) if not m.plural]
    if not named or draft.known([frame.rest[1].low]) is not None:
        return False
    entity = draft.entity(name, declared=True)
    for mention in named:
        declarations.refer(entity, mention.entity.name, draft, optional=False)
    draft.topic = entity.name
    if cut < len(frame.rest):
        declarations.hold(entity, frame.rest[cut + 1 :], draft, later)
    return draft.mark(("entity", entity.name))


def _composed(frame: Frame, draft: Draft, later: Open) -> bool:
    """Read "each item is a product and a quantity", "a line is for a product and has a quantity"."""
    if frame.verb != "be" or frame.negated or frame.group.passive or frame.modal is not None or frame.conditions:
        return False
    name = declarations.noun_name(frame.subject, draft)
    determined = [t for t in frame.rest if t.low in {"a", "an", "one"}]
    items = fields.items(frame.rest)
    asked = sum(t.low == "whether" for t in frame.rest)
    if name is None or declarations.is_generic(name) or len(items) < 2 or len(determined) < len(items) - asked:
        return False
    if frame.subject[0].low not in lexicon.DETERMINERS:
        return False
    return declarations.hold(draft.entity(name, declared=True), frame.rest, draft, later) and draft.settle()


_GETTING: Final = lexicon.words("get receive carry bear earn")


def _getting(clause: Clause, draft: Draft, later: Open) -> bool:
    """Read "a finished book gets a rating from 1 to 5": a field that not every book has."""
    words = clause.words
    at = next((i for i, t in enumerate(words[:8]) if t.verb in _GETTING), None)
    if at is None or at == 0 or at + 1 >= len(words):
        return False
    subject, rest = words[:at], words[at + 1 :]
    mentions = draft.mentions(subject)
    if _gets_all(subject, rest, draft):
        name = declarations.noun_name(subject, draft)
        return name is not None and declarations.hold(draft.entity(name, declared=True), rest, draft, later)
    if len(mentions) != 1 or rest[0].low not in {"a", "an", "its", "their"} or draft.mentions(rest):
        return False
    modals = {t.low for t in subject} & lexicon.MODALS
    if modals - {"can", "may"} or {t.low for t in subject} & lexicon.NEGATIONS:
        return False
    optional = bool(mentions[0].adjectives) or bool(modals)
    return declarations.hold(mentions[0].entity, rest, draft, later, optional=optional)


def _gets_all(subject: Sequence[Token], rest: Sequence[Token], draft: Draft) -> bool:
    """Whether "every parcel gets a tracking code, a sender name and a weight" says what every one of them holds."""
    name = declarations.noun_name(subject, draft)
    if name is None or declarations.is_generic(name) or subject[0].low not in {"a", "an", "each", "every"}:
        return False
    if any(t.low in lexicon.MODALS | lexicon.NEGATIONS or morphology.is_participle(t.low) for t in subject):
        return False
    listed = [item for item in fields.items(rest) if item.determined and not item.many]
    return rest[0].low in {"a", "an", "its"} and len(listed) >= _FEWEST and frames.finite_verb(rest, 0) is None


_COVERING: Final = lexicon.words("cover give state bear carry show concern")


def _new_owner(frame: Frame, draft: Draft) -> str | None:
    """Name a thing that a sentence is the first to speak of: "a time sheet covers one date"."""
    name = declarations.noun_name(frame.subject, draft) if frame.verb in _COVERING else None
    if name is None or frame.subject[0].low not in {"a", "an", "each", "every"} or declarations.is_generic(name):
        return None
    return name


_NOT_DESCRIBING: Final = lexicon.words(
    "be go do belong decrease increase reduce raise lower change set update exceed delete remove show reset"
)


_QUANTITIES: Final = {"cost": "cost", "weigh": "weight", "last": "duration", "measure": "length", "earn": "earnings"}
_SOME: Final = (
    ["something"],
    ["money"],
    ["an", "amount"],
    ["some", "money"],
    ["a", "certain", "amount"],
    ["some", "time"],
)


def _measured(frame: Frame, draft: Draft, later: Open) -> bool:
    """Read "covers a distance in km", "lasts a number of minutes": an attribute as the object of some verb."""
    owner = _owner(frame, draft)
    name = owner.name if owner is not None else _new_owner(frame, draft)
    if name is None or frame.negated or frame.group.passive or frame.modal not in {None, "must"} or frame.conditions:
        return False
    if frame.verb in _QUANTITIES and [t.low for t in frame.rest] in _SOME:
        added = draft.entity(name, declared=True).add(DraftField(_QUANTITIES[frame.verb]))
        return draft.mark(("field", name, added.name)) and draft.settle()
    determined = {"a", "an", "its", "one", "the"} if frame.verb in _COVERING else {"a", "an", "its"}
    if frame.verb in _NOT_DESCRIBING or not frame.rest or frame.rest[0].low not in determined:
        return False
    items = fields.items(frame.rest)
    bounded = quantities.bound(frame.rest, 0) is not None and frame.rest[0].low != "one"
    if len(items) != 1 or draft.mentions(frame.rest) or bounded:
        return False
    probe = DraftField(items[0].field.name, items[0].field.type, values=items[0].field.values)
    inference.complete(probe)
    if probe.type in {FieldType.STRING, FieldType.TEXT, FieldType.BOOLEAN}:
        return False
    return declarations.hold(draft.entity(name, declared=True), frame.rest, draft, later) and draft.settle()
