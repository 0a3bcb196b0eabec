"""Reads that there is no more than fits: "a class has 20 seats", "no more tickets than seats may be sold"."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import closing, conditions, lexicon, morphology, quantities
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.rules import moments, readings
from shared.software import specification as spec
from shared.software.specification import Condition, FieldType

if TYPE_CHECKING:
    from collections.abc import Iterator

CAPACITY_NAMES: Final = (
    "copies",
    "seats",
    "capacity",
    "seat_count",
    "quantity_in_stock",
    "quantity_on_hand",
    "stock_count",
    "stock_quantity",
    "spots",
    "places",
    "slots",
    "units",
    "stock",
    "tickets",
    "max_participants",
    "max_attendees",
    "maximum_participants",
    "maximum_attendees",
    "max_students",
    "max_players",
    "max_guests",
    "total_seats",
    "total_copies",
    "number_of_copies",
    "number_of_seats",
    "available_copies",
    "available_seats",
    "copies_available",
    "max_members",
    "total_tickets",
    "quantity",
    "beds",
    "participants",
    "attendees",
    "limit",
    "size",
)


def capacity(r: readings.Reading, draft: Draft) -> bool:
    """Read limits that are a field of what is pointed at: "cannot have more bookings than its capacity"."""
    if ("only", "once") in itertools.pairwise(r.lows) or not _speaks_of_capacity(r) or _of_something_else(r):
        return False  # "a seat can be sold only once" counts no seats
    counted = _counted_more(r, draft)
    daily = any(quantities.phrase(r.words, i, words) for i in range(len(r.words)) for words in _DAILY)
    for entity, reference, limit in (*_spoken_capacities(r, draft), *_capacities(draft)):
        parent = draft.entities[reference.target or ""]
        if (
            counted is not None
            and counted is not entity
            and not (entity.reference_to(counted.name) or counted is parent)
        ):
            continue  # more tickets than seats say nothing of how many crossings there are
        if daily and any(conditions.kind_of(f) in moments.TIMES and not f.managed for f in entity.fields.values()):
            continue  # a capacity for each day is none for all days together
        named = {
            m.entity.name
            for m in (*r.subjects, *r.objects, *[m for _, c in r.frame.conditions for m in draft.mentions(c)])
        }
        spoken = conditions.find_field(r.words, parent)
        mentions_limit = spoken is not None and spoken[0] is limit
        if (
            mentions_limit
            or {"full", "available", "left", "sold", "overbooked", "oversold", "overfilled"} & set(r.lows)
        ) and (named & {entity.name, parent.name} or closing.makes(r.frame.verb, entity)):
            return draft.mark(
                add_capacity(
                    draft,
                    entity,
                    reference.name,
                    limit.name,
                    readings.sentence(r.words, draft.request),
                    each=_number_of(r, entity, draft),
                    when=_stated(r, entity, draft),
                )
            )
    return False


def _stated(r: readings.Reading, entity: DraftEntity, draft: Draft) -> tuple[Condition, ...]:
    """Read which of them count: "no more open sessions than the capacity"; nothing where none are told apart."""
    mention = next((m for m in draft.mentions(r.words) if m.entity is entity), None)
    told = [t.low for t in mention.adjectives] if mention is not None else []
    told += [low for low in r.lows if low in lexicon.GOING_ON and r.frame.verb == "be"]  # "no more may be open than"
    found = [conditions.adjective(low, entity) for low in told]
    return next((tuple(part) for part in found if part), ())


def _number_of(r: readings.Reading, entity: DraftEntity, draft: Draft) -> bool:
    """Whether a clause speaks of "the number of boxes", or of things that stand somewhere: each counts once."""
    if not closing.is_link(entity) and any(
        r.lows[m.start - 1 : m.start] == ["more"] for m in draft.mentions(r.words) if m.entity is entity
    ):
        return True  # "no more cars at a station than parking spaces", however many seats a car has
    return any(r.lows[m.start - 2 : m.start] == ["number", "of"] for m in draft.mentions(r.words) if m.entity is entity)


_DAILY: Final = ("on a date", "on a day", "on one day", "on any day", "per day", "per date", "on the same day", "a day")
_RESTRICTING: Final = lexicon.words(
    "no not never only than exceed exceeds exceeding cannot most limited up full refused"
)


def _of_something_else(r: readings.Reading) -> bool:
    """Whether "the seats booked for a screening must not exceed …" counts what is no thing of its own."""
    if "exceed" not in r.frame.group.verbs or not r.subjects:
        return False
    before = [t.low for t in r.frame.subject[: r.subjects[0].start]]
    return any(morphology.is_participle(low) for low in before) and "for" in before


def _counted_more(r: readings.Reading, draft: Draft) -> DraftEntity | None:
    """Give what stands right behind "more", or begins: "the tickets of a show must not exceed …"."""
    compared = r.frame.verb == "be" and [t.low for t in r.frame.rest[:2]] == ["more", "than"]
    if ("exceed" in r.frame.group.verbs or compared) and r.subjects:
        return r.subjects[0].entity
    at = next((i for i, t in enumerate(r.words[:-1]) if t.low in {"more", "fewer", "many"}), None)
    first = next(iter(draft.mentions(r.words[at + 1 :])), None) if at is not None else None
    return first.entity if first is not None and first.start <= 1 else None


def _spoken_capacities(r: readings.Reading, draft: Draft) -> Iterator[tuple[DraftEntity, DraftField, DraftField]]:
    """Give the ways in which what is counted points at what has the limit that stands behind "than"."""
    than = next((i for i, t in enumerate(r.words) if t.low == "than"), None)
    counted = [m.entity for m in draft.mentions(r.words[:than])] if than is not None else []
    for entity in counted:
        for reference in entity.fields.values():
            parent = draft.entities.get(reference.target or "")
            limit = conditions.find_field(r.words, parent, than or 0) if parent is not None else None
            summed = bool(_SUMMED & set(r.lows)) and limit is not None and limit[0].name in entity.fields
            counted_in = {FieldType.INTEGER, FieldType.DECIMAL} if summed else {FieldType.INTEGER}
            if limit is not None and parent is not entity and conditions.kind_of(limit[0]) in counted_in:
                yield entity, reference, limit[0]


_SUMMED: Final = lexicon.words("add sum total together summed adds sums altogether")
_SPEAKS_OF_CAPACITY_WORDS: Final = lexicon.words(
    "exceed exceeds exceeding exceeded full capacity fully available left overbooked oversold sold limited "
    "many remaining reached"
)


def _speaks_of_capacity(r: readings.Reading) -> bool:
    lows = set(r.lows)
    if not (r.frame.negated or r.frame.conditions or lows & _RESTRICTING):
        return False  # "a ticket is sold for a crossing" limits nothing
    return bool(
        ("than" in lows and {"more", "greater", "most", "fewer", "less"} & lows) or _SPEAKS_OF_CAPACITY_WORDS & lows
    )


def _capacities(draft: Draft) -> list[tuple[DraftEntity, DraftField, DraftField]]:
    """Every way in which something points at something that has a capacity."""
    found = []
    for entity in draft.entities.values():
        for reference in entity.fields.values():
            parent = draft.entities.get(reference.target or "")
            limit = capacity_field(parent) if parent is not None and parent is not entity else None
            if limit is not None:
                found.append((entity, reference, limit))
    return sorted(found, key=lambda way: (not closing.is_link(way[0]), way[2].name not in CAPACITY_NAMES))


_MEASURED: Final = lexicon.words(
    "hours minutes days weeks months years points euros dollars kilometres kilometers metres meters grams kilograms"
)


def capacity_field(entity: DraftEntity) -> DraftField | None:
    """Give the field that says how many can point at an entity."""
    for name in CAPACITY_NAMES[:30]:
        if (
            name in entity.fields
            and entity.fields[name].type in {None, FieldType.INTEGER}
            and not entity.fields[name].managed
        ):
            return entity.fields[name]
    return next(
        (
            f
            for n, f in entity.fields.items()
            if (
                n.startswith(("max_", "maximum_", "total_", "number_of_", "limit_of_"))
                or n.endswith(("_capacity", "_copies", "_seats", "_limit"))
            )
            and (morphology.is_plural(n.split("_")[-1]) or n.endswith(("_capacity", "_limit")))
            and n.split("_")[-1] not in _MEASURED
            and conditions.kind_of(f) is FieldType.INTEGER
            and f.type in {None, FieldType.INTEGER}
        ),
        None,
    )


def add_capacity(
    draft: Draft,
    entity: DraftEntity,
    reference: str,
    limit: str,
    message: str,
    *,
    each: bool = False,
    when: tuple[Condition, ...] = (),
) -> tuple[str, ...]:
    """Add the rule that no more entities count at a time than the parent's field says.

    `each`: they are counted, however much of something each of them is. `when`: which count; else all that go on.
    """
    weight = (
        None
        if each
        else next(
            (
                name
                for name in (
                    limit,
                    "seats",
                    "quantity",
                    "places",
                    "tickets",
                    "number_of_tickets",
                    "party_size",
                    "guests",
                )
                if name in entity.fields
                and entity.fields[name].type
                in {None, FieldType.INTEGER, *([FieldType.DECIMAL] if name == limit else [])}
                and name != "capacity"
            ),
            None,
        )
    )
    rule = spec.CapacityRule(
        name=readings.rule_name(entity.name, reference, "capacity"),
        entity=entity.name,
        message=message,
        reference=reference,
        limit_field=limit,
        weight_field=weight,
        when=when or conditions.running(entity),
    )
    known = next(
        (
            k
            for k in draft.rules.values()
            if isinstance(k, spec.CapacityRule) and k.entity == entity.name and k.reference == reference
        ),
        None,
    )
    if known is not None:
        draft.rules[known.name] = rule.model_copy(update={"name": known.name})
        return ("rule", known.name)
    return draft.add_rule(rule)


def _least(name: str) -> str:
    """Give the name of the lower limit that belongs to an upper one: minimum players for maximum players."""
    return name.replace("maximum", "minimum").replace("max_", "min_") if name.startswith("max") else ""


def implied_capacities(draft: Draft) -> None:
    """Let every link count against the capacity of what it takes: copies of a book, seats of a course."""
    for entity, reference, limit in _capacities(draft):
        if not closing.is_link(entity) or any(
            isinstance(rule, spec.CapacityRule) and rule.entity == entity.name for rule in draft.rules.values()
        ):
            continue
        if {"stock", "quantity", "units", "count", "hand"} & set(limit.name.split("_")):
            continue  # whether what is sold comes off the stock is for the request to say
        if any(not f.managed and conditions.kind_of(f) in moments.TIMES for f in entity.fields.values()):
            continue  # two bookings at different times do not take from one another
        parent = draft.entities[reference.target or ""]
        if _least(limit.name) in parent.fields:
            continue  # from the minimum to the maximum number of players: how many take part in one booking
        noun = limit.name.replace("_", " ")
        add_capacity(
            draft,
            entity,
            reference.name,
            limit.name,
            f"The {parent.name.replace('_', ' ')} has no free {noun} for another {entity.name.replace('_', ' ')}.",
        )
