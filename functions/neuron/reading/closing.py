"""Closes what the first reading left open, when all entities are known: links, makers, collections, references."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import conventions, inference, lexicon, morphology, relating
from functions.neuron.reading.declarations import AT_LEAST, GENERIC, SHARED_NOUNS, UNITS, Open, hold, relation
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField, DraftMachine
from functions.neuron.reading.fields import items
from functions.neuron.reading.quantities import Bound, bound
from shared.software import designs
from shared.software.specification import Derivation, FieldType, QuotaRule, Transition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.neuron.reading.tokens import Token

# Links that begin when they are made and end by an action, whether the request says so or not.
_RETURNING: Final = frozenset({"borrow", "lend", "loan", "check-out", "rent", "hire"})
_NOUNS: Final[dict[str, tuple[str, ...]]] = {
    "borrow": ("loan", "borrowing", "checkout", "lending"),
    "rent": ("rental", "lease", "booking", "hire"),
    "hire": ("hire", "rental", "booking"),
    "book": ("booking", "reservation", "appointment"),
    "reserve": ("reservation", "booking", "hold"),
    "enrol": ("enrolment", "enrollment", "registration"),
    "enroll": ("enrollment", "enrolment", "registration"),
    "register": ("registration", "enrolment", "enrollment", "signup"),
    "buy": ("purchase", "order", "sale"),
    "purchase": ("purchase", "order", "sale"),
    "order": ("order", "purchase"),
    "join": ("membership", "participation"),
    "attend": ("attendance", "registration"),
    "rate": ("rating", "review"),
    "review": ("review", "rating"),
    "sign-up": ("signup", "registration", "booking"),
    "submit": ("submission",),
    "vote": ("vote",),
    "subscribe": ("subscription",),
}


def close(draft: Draft, later: Open) -> None:
    """Resolve everything that is still open in the draft."""
    _drop_weak(draft)
    _drop_longer(draft, later)
    relating.close(draft, later)
    _make_linked(draft, later)
    for verb, subject, objects, at, behind in later.links:
        draft.at = at
        objects = _real_objects(draft, objects)  # noqa: PLW2901 - seats of a screening are no things of their own
        _link(draft, verb, subject, objects, behind, later)
    for verb, subject, target, at in later.deeds:
        draft.at = at
        _deed(draft, verb, subject, target, later)
    for maker, made, others, at in later.makers:
        draft.at = at
        _made(draft, maker, made, others)
    for subject, target, at in later.transitives:
        draft.at = at
        _made(draft, target, subject, ()) if {subject, target} <= set(draft.entities) else None
    _plural_fields(draft, later)
    _many(draft, later)
    for entity in draft.entities.values():
        if not entity.fields:
            conventions.presume(entity)
    for entity in list(draft.entities.values()):
        _owners(draft, entity)
        _references(draft, entity)
    _contents(draft)
    for entity in draft.entities.values():
        _between_points(entity)
        if {"date", "time"} <= set(entity.fields) and entity.fields["time"].type is None:
            entity.fields["time"].type = FieldType.TIME


def _between_points(entity: DraftEntity) -> None:
    """Let "from" and "to" be the moments between which a record lasts."""
    last = next((n for n in ("to", "until", "till") if n in entity.fields), None)
    if "from" not in entity.fields or last is None:
        return
    kinds = {entity.fields[name].type for name in ("from", last)} - {None}
    for name in ("from", last):
        entity.fields[name].type = entity.fields[name].type or (kinds.pop() if len(kinds) == 1 else FieldType.DATETIME)


def _make_linked(draft: Draft, later: Open) -> None:
    for verb, subject, objects, _, _ in later.links:
        named = any(f"{subject}_name" in e.fields for e in draft.entities.values() if makes(verb, e))
        if not named:
            draft.entity(subject)
        draft.entity(_real_objects(draft, objects)[0])


_COUNTED: Final = lexicon.words("seat place spot slot ticket unit copy space time_slot")


def _real_objects(draft: Draft, objects: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out an object that only counts ("reserve seats for screenings")."""
    if (
        len(objects) > 1
        and objects[0] in _COUNTED
        and not (objects[0] in draft.entities and draft.entities[objects[0]].declared)
    ):
        return objects[1:]
    return objects


def _drop_weak(draft: Draft) -> None:
    """Leave out what only the introduction names in other words ("museum exhibits") when the rest of the request."""
    for name in draft.weak:
        entity = draft.entities.get(name)
        if entity is None or entity.fields:
            continue
        words = name.split("_")
        others = [e for e in draft.entities.values() if e is not entity and e.name not in draft.weak]
        if (draft.computations and not others) or (name in draft.whole and any(e.fields for e in others)):
            del draft.entities[name]
            continue
        if any(
            "_".join(words[i:]) in draft.entities or "_".join(words[:i]) in draft.entities for i in range(1, len(words))
        ) or any(e.name.endswith(f"_{name}") for e in others):
            del draft.entities[name]
            if draft.topic == name:
                draft.topic = None


def _drop_longer(draft: Draft, later: Open) -> None:
    """Leave out "delivery vans" that hold nothing when the request goes on about vans that do."""
    pending = {holder for holder, *_ in later.many}
    pending |= {name for _, subject, objects, _, _ in later.links for name in (subject, *objects)}
    for name, entity in list(draft.entities.items()):
        words = name.split("_")
        shorter = [
            e
            for e in draft.entities.values()
            if e.fields and (name.endswith(f"_{e.name}") or (len(words) == 1 and _compound(name, e.name)))
        ]
        named = any(f.target == name for e in draft.entities.values() for f in e.fields.values())
        if not entity.fields and shorter and not named and name not in pending:
            del draft.entities[name]
            for known in draft.marks.values():
                if ("entity", name) in known:
                    known.append(("entity", shorter[0].name))


def _compound(name: str, head: str) -> bool:
    """Whether a name is a compound of another one, written as one word: houseplant and plant."""
    return len(head) > _SHORTEST_HEAD and name != head and name.endswith(head)


_SHORTEST_HEAD: Final = 3


def finish(draft: Draft) -> None:
    """Give every field its type and the plain bounds that its name implies."""
    for entity in draft.entities.values():
        for item in entity.fields.values():
            inference.complete(item)


def makes(verb: str, entity: DraftEntity) -> bool:
    """Whether doing what the verb says makes such an entity: booking makes bookings."""
    last = entity.name.split("_")[-1]
    if verb not in lexicon.LINKING_VERBS and last in {verb, lexicon.deed(verb)} and verb:
        return any(field.target for field in entity.fields.values())
    return entity.link_verb == verb or (
        verb in lexicon.LINKING_VERBS and entity.name.split("_")[-1] in _NOUNS.get(verb, (lexicon.deed(verb),))
    )


def is_link(entity: DraftEntity) -> bool:
    """Whether the entity stands for a deed that links others."""
    return entity.link_verb is not None or (
        any(makes(verb, entity) for verb in lexicon.LINKING_VERBS) and any(f.target for f in entity.fields.values())
    )


def link_entity(draft: Draft, verb: str, subject: str, target: str) -> DraftEntity | None:
    """Find the entity that a verb makes between two others."""
    for entity in draft.entities.values():
        if makes(verb, entity) and entity.reference_to(subject) and entity.reference_to(target):
            return entity
    return None


_GIVING: Final = frozenset({"submit", "register", "request", "nominate", "recommend", "claim", "order"})


def _link(draft: Draft, verb: str, subject: str, objects: tuple[str, ...], behind: list[Token], later: Open) -> None:
    noun, action, ended = lexicon.LINKING_VERBS.get(verb, (lexicon.deed(verb), None, None))
    owned = draft.entities.get(objects[0])
    if verb in _GIVING and owned is not None and (subject in owned.fields or owned.reference_to(subject)):
        draft.mark(("field", owned.name, subject))
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


def _deed(draft: Draft, verb: str, subject: str, target: str, later: Open) -> None:
    """Keep what is done by one thing to another when nothing that is kept ties them together."""
    one, other = draft.entities.get(subject), draft.entities.get(target)
    if one is None or other is None or not (one.fields and other.fields) or verb in lexicon.LINKING_VERBS:
        return
    named = {subject, target}
    tied = any(named <= {f.target or f.name for f in e.fields.values()} for e in draft.entities.values())
    if not tied and subject not in other.fields and target not in one.fields and not _collects(later, named):
        _link(draft, verb, subject, (target,), [], later)


def _collects(later: Open, named: set[str]) -> bool:
    return any({holder, morphology.singular(held)} == named for holder, held, *_ in later.many)


def _tied(draft: Draft, subject: str, target: str) -> DraftEntity | None:
    """Give the record that ties both together where a clause only limits how many: "may rent up to 2 plots"."""
    words = draft.clauses[draft.at].words
    limits = any((read := bound(words, i)) is not None and not read[0].exact for i in range(len(words)))
    found = [e for e in draft.entities.values() if e.reference_to(subject) and e.reference_to(target)]
    found = [e for e in found if e.name.split("_")[-1] not in _PAYING]
    return found[0] if limits and len(found) == 1 else None


_PAYING: Final = lexicon.words("payment invoice bill fee charge refund receipt")  # are made for a deed, and are none


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


_CONTENT: Final = {
    "comment": ("text", FieldType.TEXT),
    "review": ("text", FieldType.TEXT),
    "message": ("text", FieldType.TEXT),
    "rating": ("score", FieldType.INTEGER),
    "donation": ("amount", None),
    "pledge": ("amount", None),
    "bid": ("amount", None),
    "submission": ("content", FieldType.TEXT),
}


def _contents(draft: Draft) -> None:
    """Give what is made by a verb the content that its noun implies when the request says nothing of it."""
    for entity in draft.entities.values():
        content = _CONTENT.get(entity.name.split("_")[-1])
        if (
            content is None
            or any(f.target is None and not f.managed for f in entity.fields.values())
            or not any(f.target for f in entity.fields.values())
        ):
            continue
        field = entity.add(DraftField(content[0], content[1]))
        if entity.name == "rating":
            field.minimum, field.maximum = 1, 5


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
    for noun in _NOUNS.get(verb, (lexicon.deed(verb),)):
        entity = draft.entities.get(noun) or draft.entities.get(f"{target}_{noun}")
        if entity is not None and entity.link_verb in {None, verb} and entity.name not in {subject, target}:
            return entity
    return None


def _ending(draft: Draft, entity: DraftEntity, verb: str, action: str, ended: str) -> None:
    started = f"{lexicon_participle(verb)}_at"
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


def lexicon_participle(verb: str) -> str:
    """Give the participle of a verb as an identifier: check-out -> checked_out."""
    return morphology.name(morphology.participle(verb))


def _made(draft: Draft, maker: str, made: str, others: Iterable[str]) -> None:
    """Let what is made refer to who makes it and what it is for, as far as these are entities."""
    _actor(draft, maker)
    child = draft.entities.get(made)
    if made in UNITS:
        return
    if child is None:
        others = tuple(others)
        if maker not in draft.entities and not any(other in draft.entities for other in others):
            return
        child = draft.entity(made, declared=True)
    if maker not in draft.entities and maker.replace("_", "-") not in GENERIC and child.name in draft.entities:
        draft.entity(maker, declared=True)
    draft.mark(("entity", child.name))
    for target in (maker, *others):
        if target in draft.entities and target != child.name and _is_kept(draft, target):
            if child.reference_to(target) is None and not _linked_otherwise(draft, child, target):
                field = child.fields.get(target) or DraftField(target)
                field.type, field.target = FieldType.REFERENCE, target
                child.fields = {target: field, **{k: v for k, v in child.fields.items() if k != target}}
            draft.mark(("field", child.name, target))


def _actor(draft: Draft, name: str) -> None:
    """Keep those who act ("employees log hours") when something has a field for them ("an entry has an employee")."""
    if name not in draft.entities and any(
        name in e.fields and e.fields[name].type is None and not e.fields[name].values for e in draft.entities.values()
    ):
        draft.entity(name, declared=True)


def _is_kept(draft: Draft, name: str) -> bool:
    entity = draft.entities[name]
    return entity.declared or bool(entity.fields)


def _linked_otherwise(draft: Draft, child: DraftEntity, target: str) -> bool:
    return any(child.name in {r.left, r.right} and target in {r.left, r.right} for r in draft.relations.values())


def _plural_fields(draft: Draft, later: Open) -> None:
    """Take fields that turn out to be collections of entities for what they are ("a quiz has questions")."""
    for entity in draft.entities.values():
        for name, item in list(entity.fields.items()):
            plain = item.type is None and not item.values and not item.unique
            known = draft.known(name.split("_")) if plain and morphology.is_plural(name.split("_")[-1]) else None
            limits = _limits(item)
            if limits is not None and (known is None or not known.fields or "of" in item.words):
                continue  # a number of seats, where seats are not kept one by one
            if known is not None and known is not entity:
                del entity.fields[name]
                later.many.append((entity.name, name, item.at, limits, False))
                if limits is not None and limits.low:
                    draft.at = item.at
                    draft.leave(_words_of(draft, item), AT_LEAST)


def _limits(item: DraftField) -> Bound | None:
    """Give the bounds of a field as those of a number of things."""
    if item.minimum is None and item.maximum is None:
        return None
    return Bound(item.minimum, item.maximum, item.exclusive_minimum, item.exclusive_maximum)


def _words_of(draft: Draft, item: DraftField) -> list[Token]:
    """Give what stands behind a field's name in its clause, up to the next field: "at least one and at most twenty"."""
    words = draft.clauses[item.at].tokens
    start = next((i + 1 for i, t in enumerate(words) if t.low == item.words[-1]), len(words))
    start += start < len(words) and words[start].text == ","
    end = next((i for i in range(start, len(words)) if words[i].text in {",", ";"}), len(words))
    return list(words[start:end])


def _many(draft: Draft, later: Open) -> None:
    stated = {(holder, morphology.singular(held.split("_")[-1])) for holder, held, _, _, _ in later.many}
    for holder, held, at, limits, mutual in later.many:
        draft.at = at
        words = held.split("_")
        name = morphology.name(*words[:-1], morphology.singular(words[-1]))
        child = draft.known(words) or next((e for i in range(1, len(words)) if (e := draft.known(words[i:]))), None)
        both = child is not None and (child.name, morphology.singular(holder.split("_")[-1])) in stated
        if (
            child is None
            and not mutual
            and words[-1] in {"notes", "details", "instructions", "remarks", "directions", "comments"}
            and limits is None
        ):
            added = draft.entities[holder].add(DraftField(held, FieldType.TEXT))
            draft.mark(("field", holder, added.name))
            continue
        if child is None and _is_count(words[-1], limits):
            _count(draft, holder, held, limits)
            continue
        fresh = child is None
        child = child or draft.entity(name, declared=True)
        linked = any({subject, objects[0]} == {holder, child.name} for _, subject, objects, _, _ in later.links)
        _join(draft, holder, child, mutual=mutual, both=both, fresh=fresh, linked=linked)
        if limits is not None:
            _bounded(draft, draft.entities[holder], child, limits)
            if limits.low is not None and limits.low > 0 and not limits.exact:
                draft.parts.append((holder, child.name, int(limits.whole().low or 1), at))


def _is_count(word: str, limits: Bound | None) -> bool:
    """Whether "between 1 and 6 free seats" is how many there are, rather than seats that are kept one by one."""
    ranged = limits is not None and not limits.exact and limits.high is not None and limits.low is not None
    return ranged and inference.counts(word)


def _count(draft: Draft, holder: str, name: str, limits: Bound | None) -> None:
    whole = limits.whole() if limits is not None else None
    low, high = (whole.low, whole.high) if whole is not None else (None, None)
    item = DraftField(name, FieldType.INTEGER, minimum=low, maximum=high)
    draft.mark(("field", holder, draft.entities[holder].add(item).name))
    draft.left[draft.at] = [part for part in draft.left[draft.at] if part[2] != AT_LEAST]


def _bounded(draft: Draft, parent: DraftEntity, child: DraftEntity, bound: Bound) -> None:
    """Limit how many a parent has; that it must have some cannot be held, because it is made first."""
    reference = child.reference_to(parent.name)
    if bound.high is None or bound.high == bound.low:
        return
    if reference is None:
        tied = [e for e in draft.entities.values() if e.reference_to(parent.name) and e.reference_to(child.name)]
        tied = [e for e in tied if e.name.split("_")[-1] not in _PAYING]
        link = min(tied, key=lambda e: e.link_verb is None, default=None)
        if link is None:
            draft.reasons[draft.at] = "How many of these are put together is not checked."
            return
        child, reference = link, link.reference_to(parent.name)
    if reference is None:
        return
    limit = int(bound.whole().high or 0)
    owner = designs.with_article(parent.name)
    text = f"{owner[0].upper()}{owner[1:]} has at most {limit} {child.plural}.".replace("_", " ")
    draft.mark(
        draft.add_rule(
            QuotaRule(
                name=morphology.name(child.name, parent.name, "quota"),
                entity=child.name,
                message=text,
                reference=reference.name,
                limit=limit,
            )
        )
    )


_MANY: Final = 3  # references of what links more than two: a vote of a voter, for an option, in a poll


def _join(
    draft: Draft, holder: str, child: DraftEntity, *, mutual: bool, both: bool, fresh: bool, linked: bool
) -> None:
    """Relate an entity with the many that it holds: by a reference of theirs."""
    parent = draft.entities[holder]
    joined = [e for e in draft.entities.values() if e.reference_to(holder) and e.reference_to(child.name)]
    if child.name == holder or any(linked or len([f for f in e.fields.values() if f.target]) < _MANY for e in joined):
        draft.mark(("entity", child.name))
        return
    if child.reference_to(holder) is not None or (parent.reference_to(child.name) is not None and not both):
        draft.mark(("field", child.name, holder) if child.reference_to(holder) else ("field", holder, child.name))
        return
    shared = child.name.split("_")[-1] in SHARED_NOUNS and not {"amount", "quantity", "unit", "position"} & set(
        child.fields
    )
    if mutual or both or shared:
        if fresh:
            child.fields.setdefault("name", DraftField("name", unique=True))
        made = _known_relation(draft, holder, child.name) or relation(draft, holder, child.name).name
        draft.mark(("relation", made), ("entity", child.name))
        return
    if fresh and not child.fields:
        child.fields["name"] = DraftField("name")
    child.fields = {holder: DraftField(holder, FieldType.REFERENCE, target=holder), **child.fields}
    draft.mark(("field", child.name, holder), ("entity", child.name))


def _known_relation(draft: Draft, left: str, right: str) -> str | None:
    return next((r.name for r in draft.relations.values() if {r.left, r.right} == {left, right}), None)


def _owners(draft: Draft, entity: DraftEntity) -> None:
    """Let what is "unique on its floor" refer to the floor."""
    for item in list(entity.fields.values()):
        for word in item.unique_per:
            target = draft.entities.get(word)
            if target is not None and target is not entity and entity.reference_to(word) is None:
                known = entity.fields.get(word)
                if known is None:
                    entity.add(DraftField(word, FieldType.REFERENCE, target=word))


def _references(draft: Draft, entity: DraftEntity) -> None:
    """Turn fields that are named like an entity into references."""
    for item in entity.fields.values():
        if (
            item.type is not None
            or item.values
            or item.minimum is not None
            or item.max_length
            or item.default is not None
        ):
            continue
        words = item.name.split("_")
        if words[-1] == "id" and len(words) > 1:
            words = words[:-1]
        target = draft.entities.get(morphology.name(*item.role_of)) if item.role_of else None
        target = target or draft.entities.get("_".join(words)) or _suffix(draft, words) or _longer(draft, item, entity)
        if target is not None and (target is not entity or len(words) > 1 or item.role_of):
            item.type, item.target = FieldType.REFERENCE, target.name
            item.required = False if target is entity else item.required


def _longer(draft: Draft, item: DraftField, entity: DraftEntity) -> DraftEntity | None:
    """Give the one thing that is called so for short: the "part" of a withdrawal where spare parts are kept."""
    if item.unique or inference_would_type([item.name]) or item.name in GENERIC:
        return None
    found = [e for e in draft.entities.values() if e.name.endswith(f"_{item.name}") and e is not entity and e.fields]
    return found[0] if len(found) == 1 else None


def _suffix(draft: Draft, words: list[str]) -> DraftEntity | None:
    if inference_would_type(words):
        return None
    return next(
        (draft.entities["_".join(words[i:])] for i in range(1, len(words)) if "_".join(words[i:]) in draft.entities),
        None,
    )


def inference_would_type(words: list[str]) -> bool:
    """Whether the name alone tells a type other than a line of text."""
    probe = DraftField("_".join(words))
    inference.complete(probe)
    return probe.type is not FieldType.STRING
