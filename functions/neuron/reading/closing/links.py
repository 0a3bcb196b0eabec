"""Closes who does what with what: a loan, with a member, a book, the moment at which it begins, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import lexicon, morphology
from functions.neuron.reading.closing import deeds, makers
from functions.neuron.reading.declarations import Open, hold
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField, DraftMachine
from functions.neuron.reading.fields import items
from functions.neuron.reading.quantities import bound
from shared.software.specification import Derivation, FieldType, Transition

if TYPE_CHECKING:
    from functions.neuron.reading.tokens import Token

# Links that begin when they are made and end by an action, whether the request says so or not.
_RETURNING: Final = frozenset({"borrow", "lend", "loan", "check-out", "rent", "hire"})


def make_linked(draft: Draft, later: Open) -> None:
    """Make the things that deeds are done by and to, where the request names them nowhere else."""
    for verb, subject, objects, _, _ in later.links:
        named = any(f"{subject}_name" in e.fields for e in draft.entities.values() if deeds.makes(verb, e))
        if not named:
            draft.entity(subject)
        name = real_objects(draft, objects)[0]
        if name not in draft.entities and full_name(draft, name) == name:
            draft.entity(name)


def full_name(draft: Draft, name: str) -> str:
    """Give the name under which a thing is declared: "expense claims" are submitted, and "a claim has a purpose"."""
    head = name.rpartition("_")[2]
    known = draft.entities.get(head)
    return head if name not in draft.entities and known is not None and known.declared and known.fields else name


_COUNTED: Final = lexicon.words("seat place spot slot ticket unit copy space time_slot")


def real_objects(draft: Draft, objects: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out an object that only counts ("reserve seats for screenings")."""
    if (
        len(objects) > 1
        and objects[0] in _COUNTED
        and not (objects[0] in draft.entities and draft.entities[objects[0]].declared)
    ):
        return objects[1:]
    return objects


def link_entity(draft: Draft, verb: str, subject: str, target: str) -> DraftEntity | None:
    """Find the entity that a verb makes between two others."""
    for entity in draft.entities.values():
        if deeds.makes(verb, entity) and entity.reference_to(subject) and entity.reference_to(target):
            return entity
    return None


_GIVING: Final = frozenset({"submit", "register", "request", "nominate", "recommend", "claim", "order"})


def link(draft: Draft, verb: str, subject: str, objects: tuple[str, ...], behind: list[Token], later: Open) -> None:
    """Close a deed: what it makes refers to who does it and to what it is done to."""
    objects = tuple(full_name(draft, name) for name in objects)
    noun, action, ended = lexicon.LINKING_VERBS.get(verb, (lexicon.deed(verb), None, None))
    owned = draft.entities.get(objects[0])
    if verb in _GIVING and owned is not None and (subject in owned.fields or owned.reference_to(subject)):
        draft.mark(("field", owned.name, subject))
        return
    if owned is not None and len(objects) == 1 and _hands_in(draft, verb, owned):
        draft.entity(subject, declared=True)
        makers.made(draft, subject, owned.name, ())
        draft.settle()
        return
    known = link_entity(draft, verb, subject, objects[0])
    tied = _tied(draft, subject, objects[0]) if known is None else None
    known = known or tied
    if known is None:
        known = _existing_link(draft, verb, subject, objects[0]) or draft.entity(
            _link_name(draft, verb, noun, objects[0]), declared=True
        )
    known.link_verb = known.link_verb or verb
    fresh: dict[str, DraftField] = {}
    for target in dict.fromkeys((subject, *objects)):
        if target == known.name:
            continue
        if target not in draft.entities:
            continue
        reference = known.reference_to(target) or next((f for f in known.fields.values() if f.name == target), None)
        if reference is None:
            reference = DraftField(target)
            fresh[target] = reference
        reference.type, reference.target = FieldType.REFERENCE, target
        draft.mark(("field", known.name, reference.name))
    known.fields = {**fresh, **known.fields}
    draft.mark(("entity", known.name))
    _accompanying(draft, known, behind, later)
    _graded(draft, known, verb, behind)
    if verb in _RETURNING and action and ended and not tied:
        _ending(draft, known, verb, action, ended)


def _hands_in(draft: Draft, verb: str, owned: DraftEntity) -> bool:
    """Whether "employees submit expense claims" says whose a claim is, and makes nothing else that is kept.

    What is set for many, as an assignment is, each hands in on his own, and a request may speak of submissions.
    """
    spoken = any(t.singular == "submission" for clause in draft.clauses for t in clause.tokens)
    held = any(field.target is None for field in owned.fields.values())
    return verb == "submit" and held and not spoken and owned.name.rsplit("_", 1)[-1] not in _SET_FOR_MANY


_SET_FOR_MANY: Final = lexicon.words("assignment homework exercise task quiz test exam form survey challenge problem")


def deed(draft: Draft, verb: str, subject: str, target: str, later: Open) -> None:
    """Keep what is done by one thing to another when nothing that is kept ties them together."""
    one, other = draft.entities.get(subject), draft.entities.get(target)
    if one is None or other is None or not (one.fields and other.fields) or verb in lexicon.LINKING_VERBS:
        return
    named = {subject, target}
    tied = any(named <= {f.target or f.name for f in e.fields.values()} for e in draft.entities.values())
    if not tied and subject not in other.fields and target not in one.fields and not _collects(later, named):
        link(draft, verb, subject, (target,), [], later)


def _collects(later: Open, named: set[str]) -> bool:
    return any({holder, morphology.singular(held)} == named for holder, held, *_ in later.many)


def _tied(draft: Draft, subject: str, target: str) -> DraftEntity | None:
    """Give the record that ties both together where a clause only limits how many: "may rent up to 2 plots"."""
    words = draft.clauses[draft.at].words
    limits = any((read := bound(words, i)) is not None and not read[0].exact for i in range(len(words)))
    found = [e for e in draft.entities.values() if e.reference_to(subject) and e.reference_to(target)]
    found = [e for e in found if e.name.split("_")[-1] not in PAYING]
    return found[0] if limits and len(found) == 1 else None


PAYING: Final = lexicon.words("payment invoice bill fee charge refund receipt")  # are made for a deed, and are none


def _graded(draft: Draft, entity: DraftEntity, verb: str, behind: list[Token]) -> None:
    """Read "rate books from 1 to 5" and "review hotels with 1 to 5 stars": the grade that is given."""
    if verb not in {"rate", "review", "grade", "score"} or any(
        "rating" in n or "score" in n or "stars" in n for n in entity.fields
    ):
        return
    read = next((b for i in range(len(behind)) if (b := bound(behind, i)) is not None and not b[0].exact), None)
    if read is not None and read[0].low is not None and read[0].high is not None:
        added = entity.add(
            DraftField(
                "score" if verb == "rate" else "rating", FieldType.INTEGER, minimum=read[0].low, maximum=read[0].high
            )
        )
        draft.mark(("field", entity.name, added.name))


def _accompanying(draft: Draft, entity: DraftEntity, behind: list[Token], later: Open) -> None:
    """Read what is said of a link behind its verb: "from a start date to an end date", "with a quantity"."""
    lows = [token.low for token in behind]
    if "with" in lows:
        hold(entity, behind[lows.index("with") + 1 :], draft, later)
    for i, low in enumerate(lows[:-1]):
        when = [
            t
            for t in behind[i + 1 : i + 4]
            if t.low not in lexicon.ARTICLES | {"given", "specific", "certain", "particular", "chosen"}
        ]
        slot = len(when) > 1 and when[1].low in {"slot", "slots", "period", "range"}
        if (
            low in {"for", "on", "at"}
            and when
            and not slot
            and when[0].low in {"date", "day", "time", "datetime"}
            and behind[i + 1].low in lexicon.ARTICLES | {"given", "specific"}
            and (low, behind[i + 1].low, when[0].low) != ("at", "a", "time")  # "3 books at a time" names no moment
        ):
            added = entity.add(DraftField("date" if when[0].low == "day" else when[0].low))
            draft.mark(("field", entity.name, added.name))
    if _from_one_to_another(draft, entity, lows):
        return
    behind = _for_a_number(draft, entity, behind)
    lows = [token.low for token in behind]
    if "from" in lows and {"to", "until", "till"} & set(lows):
        start = lows.index("from")
        end = next(i for i, low in enumerate(lows) if low in {"to", "until", "till"})
        for part in (behind[start + 1 : end], behind[end + 1 :]):
            read = items(part)
            if start < end and read and read[0].determined and draft.known(read[0].field.name.split("_")) is None:
                added = entity.add(read[0].field)
                draft.mark(("field", entity.name, added.name))


def _from_one_to_another(draft: Draft, entity: DraftEntity, lows: list[str]) -> bool:
    """Read "books a machine from one time to another" as the moments between which it is booked."""
    at = next((i for i in range(len(lows)) if lows[i : i + 2] == ["from", "one"]), None)
    if at is None or lows[at + 2 : at + 3] not in (["time"], ["moment"], ["date"], ["day"]):
        return False
    kind = "time" if lows[at + 2] in {"time", "moment"} else "date"
    for name in (f"start_{kind}", f"end_{kind}"):
        draft.mark(("field", entity.name, entity.add(DraftField(name)).name))
    return True


def _for_a_number(draft: Draft, entity: DraftEntity, behind: list[Token]) -> list[Token]:
    """Read "for a number of attendees" as a field of the link; gives what stands before it."""
    lows = [token.low for token in behind]
    at = next((i for i in range(len(lows)) if lows[i : i + 4] == ["for", "a", "number", "of"]), None)
    if at is None:
        return behind
    for item in items(behind[at + 1 :])[:1]:
        draft.mark(("field", entity.name, entity.add(item.field).name))
    return behind[:at]


def _link_name(draft: Draft, verb: str, noun: str, target: str) -> str:
    if noun in draft.entities and draft.entities[noun].link_verb not in {None, verb}:
        return f"{target}_{noun}"
    if (
        noun in draft.entities
        and draft.entities[noun].link_verb == verb
        and draft.entities[noun].reference_to(target) is None
        and len(draft.entities[noun].fields) > 1
    ):
        return f"{target}_{noun}"
    return noun


def _existing_link(draft: Draft, verb: str, subject: str, target: str) -> DraftEntity | None:
    """An entity that the request names and that can only be this link."""
    for noun in deeds.NOUNS.get(verb, (lexicon.deed(verb),)):
        entity = draft.entities.get(noun) or draft.entities.get(f"{target}_{noun}")
        if entity is not None and entity.link_verb in {None, verb} and entity.name not in {subject, target}:
            return entity
    return None


def _ending(draft: Draft, entity: DraftEntity, verb: str, action: str, ended: str) -> None:
    started = f"{deeds.lexicon_participle(verb)}_at"
    if not any(map(_begins, entity.fields)):
        entity.fields[started] = DraftField(
            started, FieldType.DATETIME, managed=True, required=True, description="When it began."
        )
        entity.derivations[started] = Derivation(field=started, base="now")
        draft.mark(("field", entity.name, started))
    if entity.machine is None and "status" not in entity.fields and "state" not in entity.fields:
        states = ["open", ended]
        stamp = f"{ended}_at"
        entity.fields["status"] = DraftField("status", FieldType.ENUM, values=tuple(states), managed=True)
        if "return_date" in entity.fields and ended == "returned":
            stamp = "return_date"
            entity.fields[stamp].type = FieldType.DATETIME
        entity.fields[stamp] = DraftField(
            stamp, FieldType.DATETIME, managed=True, required=False, description=f"When it was {ended}."
        )
        entity.machine = DraftMachine(
            "status",
            states,
            "open",
            {action: Transition(name=action, sources=("open",), target=ended, stamps=stamp)},
            open_ended=False,
        )
        draft.mark(("machine", entity.name), ("field", entity.name, "status"))


_BEGINNING: Final = lexicon.words(
    "start starts starting begin begins beginning first pickup loan borrow checkout rental"
)
_MOMENTS: Final = lexicon.words("date day time moment at on")


def _begins(name: str) -> bool:
    """Whether a field is named as the moment at which a record begins: from, a start date, a first day, borrowed on."""
    if name in {"from", "start", "begin", "date", "borrowed_on", "borrowed_date", "borrowed_at", "loaned_at"}:
        return True
    words = name.split("_")
    return len(words) > 1 and words[0] in _BEGINNING and words[-1] in _MOMENTS
