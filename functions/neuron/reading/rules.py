"""Reads what must hold: limits, uniqueness, order, overlap, guards, sums. Second of the two readings.

The entities are known.

Each reader takes a clause's frame and says whether it understood it. They stand in `READERS`, the more specific ones
first.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from functions.neuron.reading import closing, conditions, fields, figures, frames, lexicon, morphology, quantities
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField, Mention
from functions.neuron.reading.tokens import Kind, Token
from shared.software import designs
from shared.software import specification as spec
from shared.software.specification import Condition, FieldType, Operator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.frames import Frame

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
_DELETING: Final = frozenset({"delete", "remove", "erase"})
_UPDATING: Final = frozenset({"update", "edit", "change", "modify", "alter", "rename"})
_CREATING: Final = lexicon.words("create add place make submit post write register open issue leave")
_SAME: Final = frozenset({"twice", "once", "again", "same"})


@dataclass(frozen=True)
class Reading:
    """A clause as the readers see it: its frame, its words, and the entities that it names."""

    frame: Frame
    words: tuple[Token, ...]
    subjects: list[Mention]
    objects: list[Mention]

    @property
    def subject(self) -> DraftEntity | None:
        """The entity that the subject speaks of."""
        return self.subjects[0].entity if self.subjects else None

    @property
    def lows(self) -> list[str]:
        """All words in lower case."""
        return [token.low for token in self.words]


_STANDING_FOR: Final = frozenset({"them", "it", "one", "these", "everyone", "everything", "all"})


def reading_of(clause: Clause, draft: Draft) -> Reading:
    """Take a clause apart against the known entities."""
    frame = frames.parse(clause.words) or _fragment(clause)
    subjects = draft.mentions(frame.subject)
    if not subjects and frame.subject and frame.subject[-1].low in {"it", "they"} and draft.topic in draft.entities:
        subjects = [Mention(draft.entities[draft.topic], 0, 1)]
    if not subjects and frame.subject:
        subjects = _by_state(frame.subject, draft)
    objects = draft.mentions(frame.rest) or _ones(frame.rest, draft)
    if not objects and frame.rest and frame.rest[0].low in _STANDING_FOR and draft.topic in draft.entities:
        objects = [Mention(draft.entities[draft.topic], 0, 1)]
    return Reading(frame, tuple(clause.words), subjects, objects)


def _by_state(tokens: Sequence[Token], draft: Draft) -> list[Mention]:
    """Read "a draft" as a post that is a draft."""
    words = [t for t in tokens if t.is_word and t.low not in lexicon.DETERMINERS | lexicon.ADVERBS | {"only"}]
    if len(words) != 1:
        return []
    for entity in draft.entities.values():
        states = entity.machine.states if entity.machine is not None else ()
        listed = [v for f in entity.fields.values() if f.name in {"status", "state", "stage"} for v in f.values]
        if words[0].singular in {*states, *listed}:
            adjective = Token(words[0].kind, words[0].singular, words[0].start, words[0].end)
            return [Mention(entity, 0, len(tokens), adjectives=(adjective,))]
    return []


def _ones(tokens: Sequence[Token], draft: Draft) -> list[Mention]:
    """Read "only open ones" as what was last spoken of."""
    at = next((i for i, t in enumerate(tokens) if t.low == "ones"), None)
    topic = draft.entities.get(draft.topic or "")
    if at is None or topic is None:
        return []
    before = tuple(t for t in tokens[:at] if t.low not in lexicon.DETERMINERS | {"only", "the"})
    return [Mention(topic, at, at + 1, adjectives=before, plural=True)]


def _fragment(clause: Clause) -> Frame:
    """Read a clause without a verb ("No more than two open tickets per customer") as one about what it names."""
    negated = clause.words[0].low in lexicon.NEGATIONS
    group = frames.VerbGroup(0, 0, ("be",), "", None, negated, clause.words[0].low == "only")
    return frames.Frame((), group, tuple(clause.words))


def sentence(tokens: Sequence[Token], request: str) -> str:
    """Give the clause as one sentence for a message."""
    tokens = [token for token in tokens if token.end]
    text = " ".join(request[tokens[0].start : tokens[-1].end].split())[:300] if tokens else "This is refused"
    return f"{text[0].upper()}{text[1:]}." if text else "This is refused."


# limits on how many


def quota(r: Reading, draft: Draft) -> bool:
    """Read "a member can borrow at most 3 books at a time", "no more than two open tickets per customer"."""
    bound_at = _limit(r, draft)
    if bound_at is None or (not r.frame.subject and r.frame.verb in lexicon.OPERATION_VERBS):
        return False
    limit, after, where = bound_at
    if limit < 0:
        return False
    counted = _counted(r, draft, where, after)
    if counted is None:
        return False
    entity, per, adjectives = counted
    per = per or _parent_named(r, entity)
    if per is not None and _twofold(entity, per):
        return False
    weight = _weight(r, where, after, entity)
    reference = _reference(entity, per)
    if reference is None and (per is not None or r.subject not in {None, entity} or not _in_all(r)):
        return False
    period = _period(r.words)
    others = tuple(name for name in _per_others(r, entity, per))
    when = _when(adjectives, entity, r)
    rule = spec.QuotaRule(
        name=_rule_name(entity.name, *((per and [per.name]) or []), "quota"),
        entity=entity.name,
        message=sentence(r.words, draft.request),
        reference=reference,
        limit=limit,
        weight_field=weight,
        period=period[0] if period else None,
        period_field=period_field(entity) if period else None,
        when=when,
        **({"also": others} if others else {}),
    )
    return draft.mark(draft.add_rule(rule))


def _weight(r: Reading, where: str, after: int, entity: DraftEntity) -> str | None:
    """Give the figure that is added up when a quota is on it rather than on the number of things ("24 hours per d."""
    tokens = r.frame.rest if where == "rest" else r.frame.subject
    read = conditions.field_at(tokens, after, entity) if after < len(tokens) else None
    if read is None or conditions.kind_of(read[0]) not in {FieldType.INTEGER, FieldType.DECIMAL}:
        return None
    return read[0].name


_IN_ALL_WORDS: Final = lexicon.words("total overall altogether system all store stored exist")


def _in_all(r: Reading) -> bool:
    """Whether a limit without an owner is one on all there are: "at most 100 products in total"."""
    return bool(_IN_ALL_WORDS & set(r.lows)) or _period(r.words) is not None


def _rule_name(*parts: str) -> str:
    return morphology.name(*parts)


def _limit(r: Reading, draft: Draft) -> tuple[int, int, str] | None:
    """Give the upper limit that the clause states, the position behind it, and the part that it stands in."""
    if (parted := _parted(r)) is not None:
        return parted
    for part, tokens in (("rest", r.frame.rest), ("subject", r.frame.subject)):
        for i in range(len(tokens)):
            read = quantities.bound(tokens, i)
            if read is None:
                continue
            bound = read[0]
            if part == "rest" and r.frame.negated and not bound.exact and bound.high is None:
                bound = bound.negated()
            if part == "subject" and tokens[0].low == "no" and i > 0 and bound.high is None:
                bound = bound.negated()
            if bound.exact:
                bound = quantities.trailing(tokens, read[1] + 1, bound)
            if bound.exact and (
                r.frame.only
                or (
                    r.frame.modal in {"can", "may"}
                    and not r.frame.negated
                    and part == "rest"
                    and _counts_noun(tokens, read[1])
                )
            ):
                bound = quantities.Bound(high=bound.low)
            whole = bound.whole()
            if (
                whole.high is not None
                and whole.low in {None, 0}
                and float(whole.high).is_integer()
                and (quantities.duration(tokens, _number_at(tokens, i)) is None or _is_figure(tokens, read[1], draft))
            ):
                return int(whole.high), read[1], part
    return _only_one(r)


def _parent_named(r: Reading, entity: DraftEntity) -> DraftEntity | None:
    """Give what is named behind "for": bookings for a performance."""
    after = [
        m for m in r.objects if m.start > 0 and r.frame.rest[m.start - 1].low in lexicon.ARTICLES | {"for", "of", "in"}
    ]
    return next((m.entity for m in after if m.entity is not entity and entity.reference_to(m.entity.name)), None)


def _parted(r: Reading) -> tuple[int, int, str] | None:
    """Read "not more bookings for a performance than 300": the number stands far behind its "more"."""
    rest = r.frame.rest
    more = next((i for i, t in enumerate(rest[:3]) if t.low == "more"), None)
    than = next((i for i, t in enumerate(rest) if t.low == "than"), None)
    if more is None or than is None or than == more + 1 or not (r.frame.negated or "no" in r.lows):
        return None
    read = quantities.number(rest, than + 1)
    return (int(read[0]), more + 1, "rest") if read is not None and float(read[0]).is_integer() else None


def _is_figure(tokens: Sequence[Token], at: int, draft: Draft) -> bool:
    """Whether what is counted is a field ("hours" of an entry) rather than a length of time."""
    return at < len(tokens) and any(tokens[at].low in entity.fields for entity in draft.entities.values())


def _number_at(tokens: Sequence[Token], i: int) -> int:
    return next((j for j in range(i, min(i + 6, len(tokens))) if quantities.is_number(tokens[j])), i)


def _counts_noun(tokens: Sequence[Token], at: int) -> bool:
    return (
        at < len(tokens)
        and tokens[at].is_word
        and (
            morphology.is_plural(tokens[at].low) or (at + 1 < len(tokens) and morphology.is_plural(tokens[at + 1].low))
        )
    )


def _only_one(r: Reading) -> tuple[int, int, str] | None:
    """Read "only have one open loan" and "cannot have two active leases" as limits."""
    for i, token in enumerate(r.frame.rest):
        if token.low in {"one", "a", "single"} and (r.frame.only or (i > 0 and r.frame.rest[i - 1].low == "only")):
            return 1, i + 1, "rest"
        if r.frame.negated and token.low == "two" and r.frame.verb == "have":
            return 1, i + 1, "rest"
    return None


def _counted(
    r: Reading, draft: Draft, where: str, after: int
) -> tuple[DraftEntity, DraftEntity | None, tuple[Token, ...]] | None:
    """Find what is counted, and whose: loans of a member, tickets per customer."""
    tokens = r.frame.rest if where == "rest" else r.frame.subject
    named = next((m for m in draft.mentions(tokens) if m.start >= after and m.start - after <= 3), None)
    holder = next((m.entity for m in r.subjects), None) if where == "rest" else None
    per = _per(r, draft)
    for verb in r.frame.group.verbs:
        linked = _linked(verb, draft, named.entity if named else None, holder or per)
        if linked is not None:
            whose = (
                per
                if per and linked.reference_to(per.name)
                else (holder if holder is not None and linked.reference_to(holder.name) else None)
            )
            if r.frame.group.passive and where == "subject":
                whose = next((m.entity for m in r.objects if linked.reference_to(m.entity.name)), whose)
            elif r.frame.group.passive and holder is not None:
                whose = holder
            return (linked, whose, named.adjectives if named else ()) if whose or not holder else None
    if named is None:
        return _by_figure(tokens, after, holder or per, draft)
    entity = named.entity
    whose = (
        per
        or holder
        or next((m.entity for m in r.objects if m.entity is not entity and entity.reference_to(m.entity.name)), None)
    )
    if whose is not None and entity.reference_to(whose.name) is None:
        link = next(
            (
                e
                for e in draft.entities.values()
                if closing.is_link(e) and e.reference_to(entity.name) and e.reference_to(whose.name)
            ),
            None,
        )
        return (link, whose, named.adjectives) if link else None
    return entity, whose, named.adjectives


def _by_figure(
    tokens: Sequence[Token], after: int, whose: DraftEntity | None, draft: Draft
) -> tuple[DraftEntity, DraftEntity | None, tuple[Token, ...]] | None:
    for entity in draft.entities.values():
        if whose is not None and entity.reference_to(whose.name) and after < len(tokens):
            read = conditions.field_at(tokens, after, entity)
            if read is not None and conditions.kind_of(read[0]) in {FieldType.INTEGER, FieldType.DECIMAL}:
                return entity, whose, ()
    return None


def _twofold(entity: DraftEntity, parent: DraftEntity) -> bool:
    """Whether an entity refers to another in several roles (home team, away team): a rule on "its team" is open."""
    return sum(f.target == parent.name for f in entity.fields.values()) > 1


def _linked(verb: str, draft: Draft, target: DraftEntity | None, holder: DraftEntity | None) -> DraftEntity | None:
    """Find the entity that the verb makes between the two."""
    for entity in draft.entities.values():
        if not closing.is_link(entity) or (not closing.makes(verb, entity) and verb not in {"have", "hold", "make"}):
            continue
        if (
            not closing.makes(verb, entity)
            and target is not None
            and target is not entity
            and (target.reference_to(holder.name) if holder else True)
        ):
            continue
        aimed = target is entity or target is None or entity.reference_to(target.name)
        if aimed and (holder is None or entity.reference_to(holder.name)):
            return entity
    return None


_PER_WORDS: Final = lexicon.words("per each every for by from to in on")


def _per(r: Reading, draft: Draft) -> DraftEntity | None:
    tokens = (*r.frame.subject, *r.frame.rest)
    for i, token in enumerate(tokens):
        if token.low in _PER_WORDS and i + 1 < len(tokens):
            start = i + 1 + (tokens[i + 1].low in lexicon.DETERMINERS | {"single", "one"})
            mention = next((m for m in draft.mentions(tokens[start : start + 4]) if m.start <= 1), None)
            if mention is not None and (
                token.low == "per" or token.low not in {"in", "on", "to", "by", "from", "for"} or start > i + 1
            ):
                return mention.entity
    return None


def _per_others(r: Reading, entity: DraftEntity, per: DraftEntity | None) -> list[str]:
    """Find further references that the count is over: "at most 4 tickets per event" of a customer."""
    holder = r.subject
    if holder is None or per is None or holder is per or holder is entity:
        return []
    reference = entity.reference_to(holder.name)
    return [reference.name] if reference else []


def _reference(entity: DraftEntity, per: DraftEntity | None) -> str | None:
    if per is None:
        return None
    field = entity.reference_to(per.name)
    return field.name if field else None


def _period(words: Sequence[Token]) -> tuple[quantities.Period, int] | None:
    for i in range(len(words)):
        if words[i].low == "at" or (
            i > 0 and words[i - 1].low in {"at", "for"} and words[i].low == "a" and words[i - 1].low == "at"
        ):
            continue
        read = quantities.period(words, i)
        if read is not None:
            return read
    return None


def period_of(words: Sequence[Token]) -> quantities.Period | None:
    """Give the period that a clause counts over; None when it names none."""
    read = _period(words)
    return read[0] if read is not None else None


def period_field(entity: DraftEntity) -> str | None:
    """Give the date or moment that places something in a period; None: its creation."""
    field = conditions.dated(entity, "start", "starts", "from", "date", "time", "day", "scheduled", "begin", "arrival")
    if field is None:
        dates = [f for f in entity.fields.values() if conditions.kind_of(f) in _MOMENTS and not f.managed]
        field = dates[0] if len(dates) == 1 and not _ENDS & set(dates[0].name.split("_")) else None
    return field.name if field is not None and not field.managed else None


_MOMENTS: Final = frozenset({FieldType.DATE, FieldType.DATETIME})
_ENDS: Final = lexicon.words(
    "due deadline until till expiry expires expiration birth end ends return returned valid to"
)


def _when(adjectives: Sequence[Token], entity: DraftEntity, r: Reading) -> tuple[Condition, ...]:
    for word in adjectives:
        found = conditions.adjective(word.low, entity)
        if found is not None:
            return found
    held = _held(r, entity)
    if held is not None:
        return held
    behind = next((list(r.frame.rest[m.end : m.end + 3]) for m in r.objects if m.entity is entity), [])
    for length in range(len(behind), 0, -1):
        found = conditions.adjective(" ".join(token.low for token in behind[:length]), entity)
        if found is not None:
            return found
    at_once = ("time" in r.lows and "at" in r.lows) or {"simultaneously", "concurrently", "once", "concurrent"} & set(
        r.lows
    )
    if at_once or not _period(r.words):
        return conditions.running(entity)
    return ()


def _held(r: Reading, entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read the condition in "only one tenancy without an end date"."""
    end = next((m.end for m in r.objects if m.entity is entity), len(r.frame.rest))
    behind = r.frame.rest[end:]
    if not behind or behind[0].low not in {"with", "without"}:
        return None
    return conditions.holding(behind[1:], entity, without=behind[0].low == "without")


# capacity


def capacity(r: Reading, draft: Draft) -> bool:
    """Read limits that are a field of what is pointed at: "cannot have more bookings than its capacity"."""
    if not _speaks_of_capacity(r):
        return False
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
        if daily and any(conditions.kind_of(f) in _TIMES and not f.managed for f in entity.fields.values()):
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
            return draft.mark(add_capacity(draft, entity, reference.name, limit.name, sentence(r.words, draft.request)))
    return False


_DAILY: Final = ("on a date", "on a day", "on one day", "on any day", "per day", "per date", "on the same day", "a day")
_RESTRICTING: Final = lexicon.words(
    "no not never only than exceed exceeds exceeding cannot most limited up full refused"
)


def _counted_more(r: Reading, draft: Draft) -> DraftEntity | None:
    """Give what stands right behind "more", or begins: "the tickets of a show must not exceed …"."""
    if "exceed" in r.frame.group.verbs and r.subjects:
        return r.subjects[0].entity
    at = next((i for i, t in enumerate(r.words[:-1]) if t.low in {"more", "fewer", "many"}), None)
    first = next(iter(draft.mentions(r.words[at + 1 :])), None) if at is not None else None
    return first.entity if first is not None and first.start <= 1 else None


def _spoken_capacities(r: Reading, draft: Draft) -> Iterator[tuple[DraftEntity, DraftField, DraftField]]:
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


def _speaks_of_capacity(r: Reading) -> bool:
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


def add_capacity(draft: Draft, entity: DraftEntity, reference: str, limit: str, message: str) -> tuple[str, ...]:
    """Add the rule that no more entities count at a time than the parent's field says."""
    weight = next(
        (
            name
            for name in (limit, "seats", "quantity", "places", "tickets", "number_of_tickets", "party_size", "guests")
            if name in entity.fields
            and entity.fields[name].type in {None, FieldType.INTEGER, *([FieldType.DECIMAL] if name == limit else [])}
            and name != "capacity"
        ),
        None,
    )
    rule = spec.CapacityRule(
        name=_rule_name(entity.name, reference, "capacity"),
        entity=entity.name,
        message=message,
        reference=reference,
        limit_field=limit,
        weight_field=weight,
        when=conditions.running(entity),
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


_TIMES: Final = frozenset({FieldType.DATE, FieldType.DATETIME, FieldType.TIME})


def implied_capacities(draft: Draft) -> None:
    """Let every link count against the capacity of what it takes: copies of a book, seats of a course."""
    for entity, reference, limit in _capacities(draft):
        if not closing.is_link(entity) or any(
            isinstance(rule, spec.CapacityRule) and rule.entity == entity.name for rule in draft.rules.values()
        ):
            continue
        if {"stock", "quantity", "units", "count", "hand"} & set(limit.name.split("_")):
            continue  # whether what is sold comes off the stock is for the request to say
        if any(not f.managed and conditions.kind_of(f) in _TIMES for f in entity.fields.values()):
            continue  # two bookings at different times do not take from one another
        parent = draft.entities[reference.target or ""]
        noun = limit.name.replace("_", " ")
        add_capacity(
            draft,
            entity,
            reference.name,
            limit.name,
            f"The {parent.name.replace('_', ' ')} has no free {noun} for another {entity.name.replace('_', ' ')}.",
        )


# time


_DUE_WORDS: Final = lexicon.words(
    "due expire expires expired valid lasts last returned paid overdue ends runs deadline period"
)


def due(r: Reading, draft: Draft) -> bool:
    """Read "a loan is due after 14 days", "must be returned within 14 days", "expires 30 days after creation"."""
    lows = set(r.lows)
    lending = closing.makes(r.frame.verb, _timed(r, draft) or DraftEntity("", "")) and r.frame.verb in {
        "borrow",
        "lend",
        "loan",
        "rent",
        "hire",
    }
    verbs = _DUE_WORDS
    read = _duration(r.words)
    if read is None or not (
        verbs & lows
        or (lending and "for" in lows)
        or (r.frame.verb in {"close", "end", "finish", "lapse"} and "after" in lows)
    ):
        return False
    length, at = read
    if {"overdue", "late"} & lows and not {"due"} & lows and "after" not in lows:
        return False
    entity = _timed(r, draft)
    if entity is None:
        return False
    name = _due_name(r, entity)
    existing = entity.fields.get(name)
    base = _base(r.words[at:], entity) or "now"
    kind = (
        existing.type
        if existing and existing.type
        else (FieldType.DATE if name.endswith(("_date", "_on")) and not length.hours else FieldType.DATETIME)
    )
    field = existing or DraftField(name)
    field.type, field.managed, field.required = kind, True, True
    field.description = field.description or "Computed when it is made."
    entity.fields[name] = field
    entity.derivations[name] = spec.Derivation(field=name, base=base, days=length.days, hours=length.hours)
    return draft.mark(("field", entity.name, name), ("derivation", entity.name, name))


def _duration(words: Sequence[Token]) -> tuple[quantities.Duration, int] | None:
    for i in range(len(words)):
        read = quantities.duration(words, i)
        if read is not None and not (
            words[i].low in {"a", "an", "one"}
            and i > 0
            and words[i - 1].low not in {"after", "within", "for", "in", "lasts", "is"}
        ):
            return read
    return None


def _timed(r: Reading, draft: Draft) -> DraftEntity | None:
    subject = r.subject
    made = next(
        (
            e
            for e in draft.entities.values()
            if subject and e.reference_to(subject.name) and closing.makes(r.frame.verb, e)
        ),
        None,
    )
    if made is not None:
        return made
    for mention in (*r.subjects, *r.objects):
        if closing.is_link(mention.entity) or mention.entity is r.subject:
            by_verb = next(
                (
                    e
                    for e in draft.entities.values()
                    if e.machine
                    and closing.is_link(e)
                    and e.reference_to(mention.entity.name)
                    and any(t.name in r.frame.group.verbs for t in e.machine.transitions.values())
                ),
                None,
            )
            return by_verb or mention.entity
    by_action = next(
        (
            e
            for e in draft.entities.values()
            if e.machine and closing.is_link(e) and any(t in r.frame.group.verbs for t in e.machine.transitions)
        ),
        None,
    )
    return by_action or (draft.entities.get(draft.topic) if draft.topic else None)


def _due_name(r: Reading, entity: DraftEntity) -> str:
    lows = set(r.lows)
    for verb, name in (("close", "closes_at"), ("end", "ends_at"), ("finish", "ends_at"), ("lapse", "expires_at")):
        if r.frame.verb == verb:
            return next(
                (
                    n
                    for n in (
                        name,
                        name.replace("s_at", "_date"),
                        name.replace("s_at", "_time"),
                        name.replace("s_at", "ing_date"),
                    )
                    if n in entity.fields
                ),
                name,
            )
    expiring = bool({"expire", "expires", "expired", "valid", "expiry", "expiration"} & lows)
    candidates = (
        ("expires_at", "expires_on", "expiry_date", "expiration_date", "expiry", "valid_until")
        if expiring
        else ("due_date", "due_at", "due_on", "due", "return_by", "deadline")
    )
    return next(
        (name for name in candidates if name in entity.fields),
        "expires_at" if expiring else ("due_date" if "date" in lows and "due" in lows else "due_at"),
    )


def _base(rest: Sequence[Token], entity: DraftEntity) -> str | None:
    if not rest or rest[0].low not in {"after", "from", "of", "following", "since"}:
        return None
    for i in range(1, len(rest)):
        read = conditions.field_at(rest, i, entity)
        if read is not None and read[0].type in {None, FieldType.DATE, FieldType.DATETIME}:
            return (
                read[0].name
                if not read[0].managed
                else (
                    "now"
                    if read[0].name in entity.derivations and entity.derivations[read[0].name].base == "now"
                    else read[0].name
                )
            )
    return None


def ordered(r: Reading, draft: Draft) -> bool:
    """Read "the end date must be after the start date", "a booking starts before it ends"."""
    if not r.frame.subject and r.frame.verb in lexicon.OPERATION_VERBS:
        return False
    for entity in _candidates(r, draft):
        pair = _ordered_pair(r, entity)
        if pair is None:
            continue
        before, after, strict = pair
        rule = spec.OrderedRule(
            name=_rule_name(entity.name, before.name, "before", after.name),
            entity=entity.name,
            message=sentence(r.words, draft.request),
            before=before.name,
            after=after.name,
            strict=strict,
        )
        return draft.mark(draft.add_rule(rule))
    return False


def _candidates(r: Reading, draft: Draft) -> list[DraftEntity]:
    named = [m.entity for m in (*r.subjects, *r.objects)]
    topic = [draft.entities[draft.topic]] if draft.topic in draft.entities else []
    return list({e.name: e for e in (*named, *topic, *draft.entities.values())}.values())


_COMPARED: Final[dict[str, tuple[bool, bool]]] = {
    # words -> (the first one lies before the second one, strictly)
    "before": (True, True),
    "earlier than": (True, True),
    "less than": (True, True),
    "< =": (True, False),
    "> =": (False, False),
    "<": (True, True),
    ">": (False, True),
    "lower than": (True, True),
    "below": (True, True),
    "smaller than": (True, True),
    "prior to": (True, True),
    "precede": (True, True),
    "exceed": (False, True),
    "after": (False, True),
    "later than": (False, True),
    "greater than": (False, True),
    "more than": (False, True),
    "higher than": (False, True),
    "above": (False, True),
    "larger than": (False, True),
    "follow": (False, True),
    "over": (False, True),
    "at most": (True, False),
    "no more than": (True, False),
    "no later than": (True, False),
    "at least": (False, False),
    "no earlier than": (False, False),
    "no less than": (False, False),
    "on or after": (False, False),
    "on or before": (True, False),
}


def _ordered_pair(r: Reading, entity: DraftEntity) -> tuple[DraftField, DraftField, bool] | None:
    words = r.words
    for i in range(len(words)):
        for text, (is_before, strict) in sorted(_COMPARED.items(), key=lambda item: -len(item[0])):
            end = quantities.phrase(words, i, text)
            if end is None:
                continue
            first = _last_field(words[:i], entity)
            second = conditions.find_field(words, entity, end) or _implied_point(words[end:], entity)
            if (
                first is None
                or second is None
                or second[0] is first
                or second[1] - end > 4
                or not _comparable(first, second[0])
            ):
                return None
            loose = quantities.phrase(words, end, "or equal to") is not None or any(
                quantities.phrase(words, j, "or on") is not None for j in range(end, len(words))
            )
            denied = r.frame.negated and not text.startswith(("no ", "at ", "on "))
            strictly = (strict and not loose) != denied
            return (first, second[0], strictly) if is_before != denied else (second[0], first, strictly)
    return None


def _last_field(words: Sequence[Token], entity: DraftEntity) -> DraftField | None:
    found, at = None, 0
    while (named := conditions.find_field(words, entity, at)) is not None:
        found, at = named[0], named[2]
    return found or (_implied_point(words, entity) or (None,))[0]


def _implied_point(words: Sequence[Token], entity: DraftEntity) -> tuple[DraftField, int, int] | None:
    """Read "it starts" and "it ends" as the fields for these points in time."""
    for i, token in enumerate(words):
        stems = {
            "start": ("start", "starts", "begin", "from"),
            "begin": ("start", "begin"),
            "end": ("end", "ends", "until", "finish"),
            "finish": ("end", "finish"),
            "arrive": ("arrival",),
            "depart": ("departure",),
        }.get(token.verb or "", ())
        if stems and (item := conditions.dated(entity, *stems)) is not None:
            return item, i, i + 1
        low = token.low.replace("-", "_")
        item = next(
            (
                f
                for n, f in entity.fields.items()
                if n.startswith(f"{low}_") and low not in lexicon.DETERMINERS and len(low) > 3
            ),
            None,
        )
        if item is not None and conditions.moment(item) and item.target is None:
            return item, i, i + 1
    return None


def _comparable(first: DraftField, second: DraftField) -> bool:
    numbers = {FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER}
    dates = {FieldType.DATE, FieldType.DATETIME, FieldType.TIME}
    kinds = {conditions.kind_of(first), conditions.kind_of(second)}
    return kinds <= numbers or (kinds <= dates and len(kinds) == 1)


def overlap(r: Reading, draft: Draft) -> bool:
    """Read "bookings of one room must not overlap", "a room cannot be booked twice at the same time"."""
    lows = set(r.lows)
    text = " ".join(r.lows)
    overlapping = any(low.startswith("overlap") for low in lows) or "double-book" in text or "double book" in text
    bounded = {"than", "most", "to", "least"} & {a for a, b in itertools.pairwise(r.lows) if b == "two"}
    two_at_once = (
        "two" in lows and not bounded and ("at once" in text or "at the same time" in text or "simultaneously" in lows)
    )
    same_time = two_at_once or any(
        phrase in text
        for phrase in (
            "same time",
            "same period",
            "same dates",
            "same day",
            "same date",
            "same slot",
            "same night",
            "same hours",
            "same moment",
        )
    )
    denied = r.frame.negated or bool(lows & {"no", "never", "without", "not"})
    if not denied or not (overlapping or same_time):
        return False
    found = _overlapping(r, draft)
    if found is None:
        return False
    entity, per = found
    if any(_twofold(entity, draft.entities[f.target]) for f in per if f.target in draft.entities):
        return False
    anyone = {"nobody", "anyone", "somebody", "everybody"} & lows or r.lows[:2] == ["no", "one"]
    if anyone and not per:
        return False
    interval = _interval(entity, make="date" if {"dates", "nights", "night"} & lows else "time")
    references = tuple(f.name for f in per)
    if interval is None:
        point = conditions.dated(entity, "time", "date", "start", "day")
        if point is None:
            return False
        if {"date", "time"} <= set(entity.fields):
            return add_unique(r, draft, entity, (*references, "date", "time"), conditions.running(entity))
        rule: spec.Rule = spec.UniqueRule(
            name=_rule_name(entity.name, *references, point.name, "unique"),
            entity=entity.name,
            message=sentence(r.words, draft.request),
            fields=(*references, point.name),
            when=conditions.running(entity),
        )
        return draft.mark(draft.add_rule(rule))
    start, end = interval
    rule = spec.NoOverlapRule(
        name=_rule_name(entity.name, *references, "overlap"),
        entity=entity.name,
        message=sentence(r.words, draft.request),
        start=start.name,
        end=end.name,
        per=references,
        when=conditions.running(entity),
    )
    draft.mark(("field", entity.name, start.name), ("field", entity.name, end.name))
    return draft.mark(draft.add_rule(rule))


def _overlapping(r: Reading, draft: Draft) -> tuple[DraftEntity, list[DraftField]] | None:
    named = [m.entity for m in (*r.subjects, *r.objects)]
    for verb in r.frame.group.verbs:
        link = next(
            (
                e
                for e in draft.entities.values()
                if closing.makes(verb, e) and r.subject and e.reference_to(r.subject.name)
            ),
            None,
        )
        if link is not None and r.subject is not None and r.subject is not link:
            reference = link.reference_to(r.subject.name)
            if reference is not None:
                return link, [reference]
    for entity in sorted(named, key=lambda e: _interval(e) is None):
        references = [f for other in named if other is not entity and (f := entity.reference_to(other.name))]
        roles = [
            f
            for f in entity.fields.values()
            if f.name in r.lows
            and f not in references
            and conditions.kind_of(f) in {FieldType.STRING, FieldType.REFERENCE}
        ]
        if references or roles or _interval(entity):
            return entity, references or roles
    candidates = [e for e in draft.entities.values() if closing.is_link(e) or _interval(e)]
    for entity in candidates:
        references = [f for other in named if (f := entity.reference_to(other.name))]
        if references:
            return entity, references[-1:]
    return None


def _interval(entity: DraftEntity, make: str | None = None) -> tuple[DraftField, DraftField] | None:
    """Give the two fields between which an entity lasts."""
    start = conditions.dated(
        entity, "start", "starts", "from", "begin", "check_in", "check", "arrival", "departure", "pickup"
    )
    end = conditions.dated(
        entity, "end", "ends", "to", "until", "finish", "check_out", "return", "checkout", "departure", "out"
    )
    if start is not None and end is start:
        dates = [
            f
            for f in entity.fields.values()
            if conditions.kind_of(f) is conditions.kind_of(start) and f is not start and not f.managed
        ]
        end = dates[0] if dates else None
    if start is not None and end is not None and not end.managed:
        return start, end
    if make is None or (
        conditions.dated(entity, "time", "date", "start", "day", "when") is not None
        and not all(
            f.managed for f in entity.fields.values() if conditions.kind_of(f) in {FieldType.DATE, FieldType.DATETIME}
        )
    ):
        return None
    if sum(conditions.kind_of(f) in _TIMES and not f.managed for f in entity.fields.values()) == 1:
        return None  # it has a moment, and so no two
    kind = FieldType.DATE if make == "date" else FieldType.DATETIME
    first = entity.add(DraftField(f"start_{make}", kind))
    last = entity.add(DraftField(f"end_{make}", kind))
    return first, last


def compared(r: Reading, draft: Draft) -> bool:
    """Read "the weight of a delivery cannot exceed the weight limit of its drone"."""
    for i in range(len(r.words)):
        for text, (is_before, strict) in sorted(_COMPARED.items(), key=lambda item: -len(item[0])):
            end = quantities.phrase(r.words, i, text)
            if end is None:
                continue
            for entity in _candidates(r, draft):
                first = conditions.find_field(r.words[:i], entity)
                other = _parent_field(r.words[end:], entity, draft)
                if first is None or other is None or not _comparable(first[0], other[1]):
                    continue
                if r.frame.negated and not text.startswith(("no ", "at ", "on ")):
                    is_before, strict = not is_before, not strict  # noqa: PLW2901 - a denied comparison is the opposite one
                operator = {
                    (True, True): Operator.LT,
                    (True, False): Operator.LE,
                    (False, True): Operator.GT,
                    (False, False): Operator.GE,
                }[is_before, strict]
                rule = spec.RangeRule(
                    name=_rule_name(entity.name, first[0].name, "bound"),
                    entity=entity.name,
                    message=sentence(r.words, draft.request),
                    field=first[0].name,
                    operator=operator,
                    other=f"{other[0]}.{other[1].name}",
                )
                return draft.mark(draft.add_rule(rule))
            return False
    return False


def _parent_field(tokens: Sequence[Token], entity: DraftEntity, draft: Draft) -> tuple[str, DraftField] | None:
    """Find the field of something that the entity refers to: (reference, field)."""
    for reference in entity.fields.values():
        parent = draft.entities.get(reference.target or "")
        if parent is None or (
            not any(m.entity is parent for m in draft.mentions(tokens))
            and reference.name not in [t.low for t in tokens]
        ):
            continue
        named = conditions.find_field(tokens, parent)
        if named is not None and named[0].target is None:
            return reference.name, named[0]
    return None


# uniqueness


def unique(r: Reading, draft: Draft) -> bool:
    """Read "no two rooms share a name", "a customer can review a product only once", "an email can be used once"."""
    return _combined(r, draft) or _shared(r, draft) or _repeated(r, draft) or _once_per(r, draft)


def _combined(r: Reading, draft: Draft) -> bool:
    """Read "the combination of name and batch number is unique"."""
    if "unique" not in r.lows or not {"combination", "together", "pair", "combined"} & set(r.lows):
        return False
    for entity in _candidates(r, draft):
        names: list[str] = []
        at = 0
        while (named := conditions.find_field(r.words, entity, at)) is not None:
            names.append(named[0].name)
            at = named[2]
        names += [
            f.name
            for m in draft.mentions(r.words)
            if m.entity is not entity and (f := entity.reference_to(m.entity.name)) and f.name not in names
        ]
        if len(names) > 1:
            return add_unique(r, draft, entity, tuple(dict.fromkeys(names)))
    return False


def _shared(r: Reading, draft: Draft) -> bool:
    subject = r.frame.subject
    lows = [t.low for t in subject]
    two = "two" in lows or "both" in lows or "other" in lows or "another" in [t.low for t in r.frame.rest]
    if not (
        two
        and r.subject is not None
        and (r.frame.negated or "no" in lows)
        and r.frame.verb in {"share", "have", "use", "be"}
    ):
        return False
    names: list[str] = []
    at = 0
    while (named := conditions.find_field(r.frame.rest, r.subject, at)) is not None:
        names.append(named[0].name)
        at = named[2]
    inside = [
        f.name
        for m in draft.mentions(subject)
        if m.entity is not r.subject and (f := r.subject.reference_to(m.entity.name))
    ]
    if not names:
        return False
    return add_unique(r, draft, r.subject, (*inside, *[n for n in names if n not in inside]))


def add_unique(
    r: Reading, draft: Draft, entity: DraftEntity, names: tuple[str, ...], when: tuple[Condition, ...] = ()
) -> bool:
    """Add a uniqueness: of one field, or of several together."""
    if len(names) == 1 and not when:
        entity.fields[names[0]].unique = True
        return draft.mark(("field", entity.name, names[0]))
    rule = spec.UniqueRule(
        name=_rule_name(entity.name, *names, "unique"),
        entity=entity.name,
        message=sentence(r.words, draft.request),
        fields=names,
        when=when,
    )
    return draft.mark(draft.add_rule(rule))


_REPEATED_WORDS: Final = lexicon.words("have hold make write create submit post leave be place get give take")


def _repeated(r: Reading, draft: Draft) -> bool:
    """Read "cannot book the same class twice", "can review a product only once", "may vote once per poll"."""
    lows = r.lows
    once = (
        "once" in lows
        and (r.frame.only or "only" in lows or "more" in lows or r.frame.modal in {"can", "may", "must"})
        and not _period(r.words)
    )
    again = (
        ("same" in lows and ("twice" in lows or "again" in lows or "more" in lows or r.frame.negated))
        or "twice" in lows
        or ("two" in lows and "same" in lows)
    )
    if "once" in lows and lows.index("once") and lows[lows.index("once") - 1] == "at":
        once = False
    if not (once or (again and (r.frame.negated or "no" in lows))) or r.subject is None:
        return False
    others = [m.entity for m in (*r.objects, *r.subjects[1:]) if m.entity is not r.subject]
    paired = next(
        (
            x.name
            for x in draft.relations.values()
            for other in others
            if {x.left, x.right} == {r.subject.name, other.name}
        ),
        None,
    )
    if paired is not None:
        return draft.mark(("relation", paired))
    for verb in r.frame.group.verbs:
        for entity in draft.entities.values():
            mine = entity.reference_to(r.subject.name)
            theirs = [f for other in others if (f := entity.reference_to(other.name))]
            tied = [
                e for e in draft.entities.values() if e.reference_to(r.subject.name) and theirs and _points(e, others)
            ]
            made = closing.makes(verb, entity) or verb in _REPEATED_WORDS or tied == [entity]
            if mine is not None and theirs and made:
                return add_unique(
                    r,
                    draft,
                    entity,
                    tuple(dict.fromkeys((mine.name, *[f.name for f in theirs]))),
                    conditions.running(entity),
                )
    return False


def _points(entity: DraftEntity, others: Sequence[DraftEntity]) -> bool:
    return any(entity.reference_to(other.name) is not None for other in others)


def _once_per(r: Reading, draft: Draft) -> bool:
    """Read "only one review per product per user" and "one review per customer and product"."""
    if "per" not in r.lows or not {"one", "single", "1"} & set(r.lows):
        return False
    mentions = [m.entity for m in draft.mentions(r.words)]
    for entity in mentions:
        references = list(
            dict.fromkeys(
                f.name for other in mentions if other is not entity and (f := entity.reference_to(other.name))
            )
        )
        per = r.lows.index("per")
        while (named := conditions.find_field(r.words, entity, per + 1)) is not None:
            references += [named[0].name] if named[0].name not in references else []
            per = named[2] - 1
        if len(references) >= 2:
            return add_unique(r, draft, entity, tuple(references), conditions.running(entity))
        alone = references and entity.fields[references[0]].target is None and len(mentions) == 1
        if alone and not next(m for m in draft.mentions(r.words) if m.entity is entity).adjectives:
            return add_unique(r, draft, entity, tuple(references))
    return False


# fields


_FIELD_SAYS_WORDS: Final = lexicon.words(
    "be have exceed contain default start fall go drop become range use consist follow allow accept repeat "
    "lie change update edit modify reach set require leave limit omit restrict get"
)


def field_says(r: Reading, draft: Draft) -> bool:
    """Read what is said of a field: "the price must be greater than zero", "an email must be unique"."""
    if not r.frame.subject or r.frame.verb not in _FIELD_SAYS_WORDS:
        return False
    found = False
    for entity, item in _subject_fields(r, draft):
        probe = DraftField(item.name)
        words = r.words[_verb_start(r) :]
        end = fields.attributes(words, 0, probe)
        if end == 0 or not _says_something(probe):
            continue
        if end < len(words) and {t.low for t in words[end:]} & {"than", "its", "their"}:
            continue
        if probe.unique_per:
            return _unique_per(r, draft, entity, item, probe)
        item.merge(probe)
        found = draft.mark(("field", entity.name, item.name))
        if end < len(words) and not r.frame.conditions:
            rest = words[end:]
            if any(t.is_word and t.low not in lexicon.PREPOSITIONS | lexicon.DETERMINERS for t in rest):
                draft.leave(rest, "this part was not understood")
    return found


def _verb_start(r: Reading) -> int:
    return (
        len(r.frame.subject)
        if r.words[: len(r.frame.subject)] == r.frame.subject
        else next((i for i, t in enumerate(r.words) if r.frame.subject and t is r.frame.subject[-1]), 0) + 1
    )


def _says_something(probe: DraftField) -> bool:
    return any(
        value not in (None, False, (), "") or (value == 0 and value is not False)
        for key, value in vars(probe).items()
        if key not in {"name", "words", "description", "many", "optional_many"}
    )


def of_age(r: Reading, draft: Draft) -> bool:
    """Read "a customer must be at least 18 years old": an age that the entity must have."""
    entity = r.subject
    lows = r.lows
    if (
        entity is None
        or r.frame.verb != "be"
        or not ("old" in lows or "age" in lows or "older" in lows or "over" in lows)
    ):
        return False
    for i in range(len(r.frame.rest)):
        read = quantities.bound(r.frame.rest, i)
        if read is not None and (not read[0].exact or "older" in lows):
            bound = read[0] if not r.frame.negated or read[0].exact else read[0].negated()
            item = entity.add(DraftField("age", FieldType.INTEGER))
            limits = bound.whole()
            item.minimum = limits.low if limits.low is not None else item.minimum
            item.maximum = limits.high if limits.high is not None and not bound.exact else item.maximum
            return draft.mark(("field", entity.name, "age"))
    return False


def _subject_fields(r: Reading, draft: Draft) -> list[tuple[DraftEntity, DraftField]]:
    """Find the fields that the subject names: "a book's ISBN", "the price of a product", "prices"."""
    owners = [m.entity for m in r.subjects]
    topic = draft.entities.get(draft.topic or "")
    everyone = owners or ([topic] if topic else []) + [e for e in draft.entities.values() if e is not topic]
    for entity in everyone:
        found: list[tuple[DraftEntity, DraftField]] = []
        at = 0
        described = {token for mention in r.subjects for token in mention.adjectives}
        while (named := conditions.find_field(r.frame.subject, entity, at)) is not None:
            if not described.intersection(r.frame.subject[named[1] : named[2]]):
                found.append((entity, named[0]))
            at = named[2]
        if not found:
            nouns = [t.low for t in r.frame.subject if t.is_word and t.low not in lexicon.DETERMINERS]
            found = [
                (entity, f)
                for n, f in entity.fields.items()
                if nouns and n.startswith(f"{nouns[-1]}_") and not f.target
            ][:1]
        if found:
            return found
    if not owners or (
        owners and not any(t.text == "'s" for t in r.frame.subject) and not any(t.low == "of" for t in r.frame.subject)
    ):
        return []
    return []


def _unique_per(r: Reading, draft: Draft, entity: DraftEntity, item: DraftField, probe: DraftField) -> bool:
    names = resolve_per(entity, probe.unique_per, draft)
    return bool(names) and add_unique(r, draft, entity, (*names, item.name))


def resolve_per(entity: DraftEntity, words: Sequence[str], draft: Draft) -> tuple[str, ...]:
    """Find the fields that "unique per project" names."""
    found: list[str] = []
    for word in words:
        name = morphology.name(word)
        if name in entity.fields:
            found.append(name)
        elif name in draft.entities and (f := entity.reference_to(name)):
            found.append(f.name)
    return tuple(found)


def stated_uniqueness(draft: Draft) -> None:
    """Turn "unique per …" of fields into rules."""
    for entity in draft.entities.values():
        for item in list(entity.fields.values()):
            if not item.unique_per:
                continue
            names = resolve_per(entity, item.unique_per, draft)
            if names:
                owner = designs.with_article(entity.name)
                text = f"The {item.name} of {owner} must be unique per {' and '.join(names)}.".replace("_", " ")
                draft.add_rule(
                    spec.UniqueRule(
                        name=_rule_name(entity.name, *names, item.name, "unique"),
                        entity=entity.name,
                        message=text,
                        fields=(*names, item.name),
                    )
                )
            else:
                item.unique = True


def stated_comparisons(draft: Draft) -> None:
    """Turn what lists of fields say of two fields ("an end date after the start date") into rules."""
    for entity in list(draft.entities.values()):
        for item in list(entity.fields.values()):
            if not item.compared:
                continue
            draft.at = item.at
            draft.topic = entity.name
            name = [Token(Kind.WORD, word, 0, 0) for word in item.name.split("_")]
            said = [t for t in item.compared if t.low not in lexicon.RELATIVES | lexicon.BE | lexicon.MODALS]
            denied = any(t.low in lexicon.NEGATIONS for t in item.compared)
            verb = ("must", "not", "be") if denied else ("must", "be")
            said = [t for t in said if t.low not in lexicon.NEGATIONS]
            words = (*name, *(Token(Kind.WORD, word, 0, 0) for word in verb), *said)
            frame = frames.parse(words)
            reading = Reading(frame, words, [Mention(entity, 0, 0)], []) if frame is not None else None
            if reading is None or not (_compare(reading, draft, entity) or compared(reading, draft)):
                draft.leave(item.compared, "how this compares with another field was not understood")


def _compare(r: Reading, draft: Draft, entity: DraftEntity) -> bool:
    pair = _ordered_pair(r, entity)
    if pair is None:
        return False
    before, after, strict = pair
    said = f"The {after.name} must lie after the {before.name}.".replace("_", " ")
    rule = spec.OrderedRule(
        name=_rule_name(entity.name, before.name, "before", after.name),
        entity=entity.name,
        message=said if strict else said.replace("after", "at or after"),
        before=before.name,
        after=after.name,
        strict=strict,
    )
    return draft.mark(draft.add_rule(rule))


# guards


def guard(r: Reading, draft: Draft) -> bool:
    """Read who may do what and when: "only active members can borrow", "a closed account cannot be updated"."""
    frozen_words = {"immutable", "read-only", "final", "unchangeable"} & set(r.lows)
    if r.subject is None or not (
        r.frame.only or r.frame.negated or r.frame.conditions or r.frame.modal or frozen_words
    ):
        return False
    if _withheld(r, draft):
        return True
    entity = r.subject
    mention = r.subjects[0]
    told = _relative(r, draft) or adjectives(mention, entity)
    stated = told if told is not None else _conditions(r, draft, entity)
    if not stated:
        return _guard_by_object(r, draft)
    adjectival = told is not None
    if adjectival and r.frame.verb == "be" and {"immutable", "read-only", "final", "unchangeable"} & set(r.lows):
        frozen = conditions.negate(stated)
        if frozen is None:
            return False
        rule = spec.TransitionRule(
            name=_rule_name(entity.name, "update", "allowed"),
            entity=entity.name,
            message=sentence(r.words, draft.request),
            action="update",
            requires=frozen,
        )
        return draft.mark(draft.add_rule(rule))
    required = _required(r, stated, adjectival=adjectival)
    if not required:
        return False
    found = False
    for target, action, prefix in actions(r, draft, entity):
        requires = _prefixed(required, prefix)
        if requires is None:
            continue
        rule = spec.TransitionRule(
            name=_rule_name(target.name, action, "allowed"),
            entity=target.name,
            message=sentence(r.words, draft.request),
            action=action,
            requires=requires,
        )
        found = draft.mark(draft.add_rule(rule))
        if prefix:
            draft.mark(*[("field", entity.name, c.field) for c in required])
    return found


_WITHHELD_WORDS: Final = lexicon.words("created creation submitted posted made placed recorded once saved")


def _withheld(r: Reading, draft: Draft) -> bool:
    """Read "reviews cannot be changed (after they are created)" and "invoices can never be deleted"."""
    verbs = set(r.frame.group.verbs)
    told = {t.low for _, tokens in r.frame.conditions for t in tokens} | {t.low for t in r.frame.rest}
    bare = not told or told & _WITHHELD_WORDS
    if (
        r.subject is None
        or not r.frame.negated
        or not r.frame.group.passive
        or not verbs <= _DELETING | _UPDATING
        or not bare
        or r.subjects[0].adjectives
        or len(r.subjects) > 1
        or _relative(r, draft) is not None
    ):
        return False
    if conditions.find_field(r.frame.subject[r.subjects[0].end :], r.subject) is not None or any(
        t.low in {"with", "that", "who", "which", "whose"} for t in r.frame.subject
    ):
        return False
    entity = r.subject
    if verbs & _UPDATING:
        draft.withheld.add((entity.name, "update"))
        for item in entity.fields.values():
            item.immutable = item.immutable or not item.managed
    if verbs & _DELETING:
        draft.withheld.add((entity.name, "delete"))
    return draft.mark(("entity", entity.name))


def adjectives(mention: Mention, entity: DraftEntity) -> tuple[Condition, ...] | None:
    """Read the adjectives in front of a name as conditions; None when one of them means nothing known."""
    words = [token.low for token in mention.adjectives if token.low not in lexicon.ADVERBS]
    if not words:
        return None
    joined = conditions.adjective(" ".join(words), entity)
    if joined is not None:
        return joined
    found: list[Condition] = []
    for word in words:
        one = conditions.adjective(word, entity) or conditions.implied(word, entity)
        if one is None:
            return None
        found += one
    return tuple(found)


def _relative(r: Reading, draft: Draft) -> tuple[Condition, ...] | None:
    """Read the relative clause of the subject: "members who are suspended"."""
    for i, token in enumerate(r.frame.subject):
        if i and token.low in {"who", "which", "that", "whose"} and r.subject is not None:
            return conditions.predicate(r.frame.subject[i + 1 :], r.subject, draft)
        if i and token.low in {"with", "without"} and r.subject is not None:
            held = conditions.holding(r.frame.subject[i + 1 :], r.subject, without=token.low == "without")
            if held is not None:
                return held
        if (
            i
            and token.low in {"in", "with"}
            and r.subject is not None
            and any(t.low in {"state", "status"} for t in r.frame.subject[i:])
        ):
            return conditions.predicate(r.frame.subject[i + 1 :], r.subject, draft)
    return None


def _conditions(r: Reading, draft: Draft, entity: DraftEntity) -> tuple[Condition, ...] | None:
    for _, tokens in r.frame.conditions:
        owner = entity
        mentioned = draft.mentions(tokens)
        if mentioned and mentioned[0].start <= 1 and mentioned[0].entity is not entity and not mentioned[0].adjectives:
            return None
        found = conditions.predicate(tokens, owner, draft)
        if found is not None:
            return found
    return None


def _required(r: Reading, stated: tuple[Condition, ...], *, adjectival: bool) -> tuple[Condition, ...] | None:
    """Give what must hold: the condition itself behind "only", its opposite behind "cannot" or "unless"."""
    if adjectival:
        return (
            stated if r.frame.only and not r.frame.negated else (conditions.negate(stated) if r.frame.negated else None)
        )
    word = r.frame.conditions[0][0]
    forbidding = r.frame.negated != (word in {"unless", "until", "till"})
    if word == "before":
        forbidding = not r.frame.negated
    if word == "after" and r.frame.negated:
        forbidding = True
    return conditions.negate(stated) if forbidding else stated


def actions(r: Reading, draft: Draft, entity: DraftEntity) -> list[tuple[DraftEntity, str, str]]:
    """Find what the verbs do: (entity, action, reference through which the guarded one is reached)."""
    found: list[tuple[DraftEntity, str, str]] = []
    for verb in r.frame.group.verbs:
        found += _action(verb, r, draft, entity)
    return found


_ACTION_WORDS: Final = lexicon.words("have get receive add accept take contain use")


def _action(verb: str, r: Reading, draft: Draft, entity: DraftEntity) -> list[tuple[DraftEntity, str, str]]:
    if r.frame.group.passive or not r.objects:
        standard = "delete" if verb in _DELETING else "update" if verb in _UPDATING else _move(verb, entity)
        if standard is not None:
            return [(entity, standard, "")]
    for other in draft.entities.values():
        reference = other.reference_to(entity.name)
        action = _deed(verb, r, other) if reference is not None else None
        if reference is not None and action is not None:
            return [(other, action, reference.name)]
    return []


def _deed(verb: str, r: Reading, other: DraftEntity) -> str | None:
    """Give what the verb does to something that refers to the guarded one: make it, or move it."""
    aimed = not r.objects or any(other is m.entity or other.reference_to(m.entity.name) for m in r.objects)
    if closing.makes(verb, other) and aimed:
        return "create"
    link = closing.is_link(other)
    move = _move(verb, other)
    if move is not None and aimed and link:
        return move
    given = verb in _CREATING | _ACTION_WORDS and any(m.entity is other for m in r.objects)
    taken = r.frame.group.passive and verb in _CREATING | {"use", "assign", "sell", "order"} and link
    tied = verb in _TAKING and any(m.entity is not other and other.reference_to(m.entity.name) for m in r.objects)
    return "create" if given or taken or tied else None


_TAKING: Final = lexicon.words("take get use start play ride drive fly wear visit pick have")


def _move(verb: str, entity: DraftEntity) -> str | None:
    if entity.machine is None:
        return None
    participle = morphology.name(morphology.participle(verb))
    for move in entity.machine.transitions.values():
        if move.name == verb or morphology.name(move.target) == participle:
            return move.name
    return None


def _prefixed(required: tuple[Condition, ...], prefix: str) -> tuple[Condition, ...] | None:
    if not prefix:
        return required
    if any("." in c.field for c in required):
        return None
    return tuple(c.model_copy(update={"field": f"{prefix}.{c.field}"}) for c in required)


def refusal(r: Reading, draft: Draft) -> bool:
    """Read "votes on closed polls are refused", "loans to suspended members are not allowed"."""
    if not r.frame.group.passive or r.subject is None:
        return False
    if not (
        set(r.frame.group.verbs) & {"refuse", "reject", "forbid", "prohibit", "deny", "block", "decline"}
        and not r.frame.negated
    ) and not (set(r.frame.group.verbs) & {"allow", "permit", "accept"} and r.frame.negated):
        return False
    if len(r.subjects) < 2:
        return _too_late(r, draft, r.subject)
    entity, other = r.subject, r.subjects[1]
    stated = adjectives(other, other.entity)
    behind = r.frame.subject[other.end :]
    if stated is None and behind and behind[0].low in {"that", "which", "who"}:
        stated = conditions.predicate(behind[1:], other.entity, draft)
    reference = entity.reference_to(other.entity.name)
    required = conditions.negate(stated) if stated else None
    requires = _prefixed(required, reference.name) if required and reference else None
    if not requires:
        return False
    rule = spec.TransitionRule(
        name=_rule_name(entity.name, "create", "allowed"),
        entity=entity.name,
        message=sentence(r.words, draft.request),
        action="create",
        requires=requires,
    )
    return draft.mark(draft.add_rule(rule))


def _too_late(r: Reading, draft: Draft, entity: DraftEntity) -> bool:
    """Read "pledges after the deadline are refused": a point in time of what is referred to."""
    at = next((i for i, t in enumerate(r.frame.subject) if t.low in {"after", "before"}), None)
    if at is None:
        return False
    for reference in entity.fields.values():
        parent = draft.entities.get(reference.target or "")
        named = conditions.find_field(r.frame.subject, parent, at) if parent is not None else None
        if named is None or conditions.kind_of(named[0]) not in {FieldType.DATE, FieldType.DATETIME}:
            continue
        operator = Operator.GE if r.frame.subject[at].low == "after" else Operator.LE
        requires = (
            Condition(field=f"{reference.name}.{named[0].name}", operator=operator, other=conditions.moment(named[0])),
        )
        rule = spec.TransitionRule(
            name=_rule_name(entity.name, "create", "allowed"),
            entity=entity.name,
            message=sentence(r.words, draft.request),
            action="create",
            requires=requires,
        )
        return draft.mark(draft.add_rule(rule))
    return False


def _guard_by_object(r: Reading, draft: Draft) -> bool:
    """Read "members can only borrow available books", "users cannot book closed rooms"."""
    for mention in r.objects:
        stated = adjectives(mention, mention.entity)
        if not stated:
            continue
        required = (
            stated
            if r.frame.only or (r.frame.modal == "must" and not r.frame.negated)
            else (conditions.negate(stated) if r.frame.negated else None)
        )
        if required is None:
            continue
        for verb in r.frame.group.verbs:
            for other in draft.entities.values():
                reference = other.reference_to(mention.entity.name)
                if reference is not None and (
                    closing.makes(verb, other)
                    or (other is r.subject and verb in {"refer", "contain", "include", "use"})
                ):
                    requires = _prefixed(required, reference.name)
                    if requires:
                        rule = spec.TransitionRule(
                            name=_rule_name(other.name, "create", "allowed"),
                            entity=other.name,
                            message=sentence(r.words, draft.request),
                            action="create",
                            requires=requires,
                        )
                        return draft.mark(
                            draft.add_rule(rule), *[("field", mention.entity.name, c.field) for c in required]
                        )
            if verb in _DELETING | _UPDATING:
                rule = spec.TransitionRule(
                    name=_rule_name(mention.entity.name, "delete" if verb in _DELETING else "update", "allowed"),
                    entity=mention.entity.name,
                    message=sentence(r.words, draft.request),
                    action="delete" if verb in _DELETING else "update",
                    requires=required,
                )
                return draft.mark(draft.add_rule(rule))
    return False


# deleting what others point at


def referenced(r: Reading, draft: Draft) -> bool:
    """Read "a member with open loans cannot be deleted", "deleting a project deletes its tasks"."""
    kept = _kept_parent(r, draft)
    if kept is not None:
        return _add_referenced(r, draft, kept[0], kept[1], cascade=False, adjectives=())
    cascade = _cascade(r, draft)
    if cascade is not None:
        return _add_referenced(r, draft, cascade[0], cascade[1], cascade=True, adjectives=())
    if not (r.frame.negated and set(r.frame.group.verbs) & _DELETING) and not (
        r.frame.only and set(r.frame.group.verbs) & _DELETING
    ):
        return False
    parent = r.subject or next((m.entity for m in r.objects), None)
    if parent is None:
        return False
    others = [m for m in r.subjects[1:] + r.objects if m.entity is not parent]
    for _, tokens in r.frame.conditions:
        others += [m for m in draft.mentions(tokens) if m.entity is not parent]
    for mention in others:
        if mention.entity.reference_to(parent.name):
            return _add_referenced(r, draft, parent, mention.entity, cascade=False, adjectives=mention.adjectives)
    tail = [t.low for _, tokens in r.frame.conditions for t in tokens] + [t.low for t in r.frame.subject]
    participles = {morphology.verb_base(low) for low in tail if morphology.is_participle(low)} | (
        {"borrow"} if "loan" in tail else set()
    )
    link = next(
        (
            e
            for e in draft.entities.values()
            if any(verb and closing.makes(verb, e) for verb in participles) and e.reference_to(parent.name)
        ),
        None,
    )
    if link is not None:
        return _add_referenced(r, draft, parent, link, cascade=False, adjectives=())
    return False


def _kept_parent(r: Reading, draft: Draft) -> tuple[DraftEntity, DraftEntity] | None:
    """Read "deleting a client who has cases is not allowed", "a client can be deleted only if it has no cases"."""
    lows = r.lows
    gerund = bool(lows) and lows[0] in {"deleting", "removing"}
    refused = r.frame.negated or {"forbidden", "prohibited", "refused", "impossible"} & set(lows)
    free = (
        r.frame.only
        and set(r.frame.group.verbs) & _DELETING
        and any(word == "if" and {"no", "without"} & {t.low for t in tokens} for word, tokens in r.frame.conditions)
    )
    if not (gerund and refused) and not free:
        return None
    mentions = draft.mentions(r.words)
    pairs = [m.entity for m in mentions if m.entity is not mentions[0].entity]
    child = next((entity for entity in pairs if entity.reference_to(mentions[0].entity.name)), None)
    return (mentions[0].entity, child) if child is not None else None


def _cascade(r: Reading, draft: Draft) -> tuple[DraftEntity, DraftEntity] | None:
    lows = r.lows
    gerund = lows and lows[0] in {"deleting", "removing"}
    if gerund:
        mentions = draft.mentions(r.words)
        if len(mentions) >= 2 and not r.frame.negated:
            return mentions[0].entity, mentions[1].entity
    for _, tokens in r.frame.conditions:
        if any(t.verb in _DELETING for t in tokens) and set(r.frame.group.verbs) & _DELETING and not r.frame.negated:
            mentions = draft.mentions(tokens)
            if mentions and r.subject is not None:
                return mentions[0].entity, r.subject
    return None


def _add_referenced(
    r: Reading, draft: Draft, parent: DraftEntity, child: DraftEntity, *, cascade: bool, adjectives: Sequence[Token]
) -> bool:
    reference = child.reference_to(parent.name)
    if reference is None:
        return False
    when: tuple[Condition, ...] = ()
    for word in adjectives:
        when = conditions.adjective(word.low, child) or when
    rule = spec.ReferencedRule(
        name=_rule_name(parent.name, child.plural, "cascade" if cascade else "referenced"),
        entity=parent.name,
        message=sentence(r.words, draft.request),
        of=child.name,
        reference=reference.name,
        cascade=cascade,
        when=when,
    )
    return draft.mark(draft.add_rule(rule))


# sums and counts


def aggregate(r: Reading, draft: Draft) -> bool:
    """Read "an order's total is the sum of quantity times unit price of its items"."""
    words = r.words
    functions = {
        "sum": "sum",
        "total": "sum",
        "average": "average",
        "mean": "average",
        "maximum": "maximum",
        "highest": "maximum",
        "minimum": "minimum",
        "lowest": "minimum",
        "number": "count",
        "count": "count",
    }
    verb_at = _verb_start(r)
    if "than" in r.lows:
        return False
    at = next((i for i in range(verb_at, len(words)) if words[i].low in functions and i + 1 < len(words)), None)
    if at is None and r.subject is not None:
        return _shown(r, draft, functions)
    if (
        at is None
        or r.frame.verb not in {"be", "equal", "calculate", "compute", "have", "show", "sum"}
        or r.subject is None
    ):
        return False
    entity = r.subject
    function = functions[words[at].low]
    rest = words[at + 1 :]
    child = next(
        (m.entity for m in draft.mentions(rest) if m.entity.reference_to(entity.name)), None
    ) or _child_by_fields(rest, entity, draft)
    if child is None or child.reference_to(entity.name) is None:
        return False
    name = _aggregate_name(r, entity, function, child, words[verb_at:at])
    expression = (
        None
        if function == "count"
        else figures.expression(_without(rest, entity), child, draft)
        or _expression(rest, child)
        or _only_figure(rest, child)
    )
    if function != "count" and expression is None:
        return False
    return _add_aggregate(r, draft, entity, child, name, function, expression)


def _without(tokens: Sequence[Token], entity: DraftEntity) -> list[Token]:
    """Leave the name of what is computed out of what it is computed from: "of the order's items"."""
    return [token for token in tokens if not (token.is_word and token.singular == entity.name)]


_SHOWN_WORDS: Final = lexicon.words("show be compute calculate display return include derive track")


def _shown(r: Reading, draft: Draft, functions: dict[str, str]) -> bool:
    """Read "the average rating of a product is shown": the figure stands in the subject."""
    words = r.frame.subject
    at = next((i for i, t in enumerate(words) if t.low in functions), None)
    if (
        at is None
        or r.frame.modal not in {None, "must", "should"}
        or r.frame.negated
        or r.frame.verb not in _SHOWN_WORDS
        or (r.frame.verb == "be" and r.frame.rest)
    ):
        return False
    function = functions[words[at].low]
    for mention in draft.mentions(words):
        parent = mention.entity
        for child in draft.entities.values():
            reference = child.reference_to(parent.name)
            named = conditions.find_field(words, child, at + 1) if reference else None
            counted = function == "count" and reference and any(m.entity is child for m in draft.mentions(words))
            if reference is None or not (
                counted or (named is not None and function != "count" and named[0].target is None)
            ):
                continue
            name = (
                morphology.name(child.name, "count")
                if counted or named is None
                else morphology.name(words[at].low, named[0].name)
            )
            expression = None if counted or named is None else named[0].name
            return _add_aggregate(r, draft, parent, child, name, function, expression)
    return False


def _add_aggregate(
    r: Reading, draft: Draft, entity: DraftEntity, child: DraftEntity, name: str, function: str, expression: str | None
) -> bool:
    field = entity.add(DraftField(name))
    field.type, field.managed, field.required, field.values = (
        (FieldType.INTEGER if function == "count" else FieldType.DECIMAL),
        True,
        False,
        (),
    )
    field.minimum = field.maximum = None
    reference = child.reference_to(entity.name)
    if reference is None:
        return False
    rule = spec.AggregateRule(
        name=_rule_name(entity.name, name),
        entity=entity.name,
        message=sentence(r.words, draft.request),
        field=name,
        of=child.name,
        reference=reference.name,
        function=function,
        expression=expression,
    )
    return draft.mark(draft.add_rule(rule), ("field", entity.name, name))


def _child_by_fields(tokens: Sequence[Token], entity: DraftEntity, draft: Draft) -> DraftEntity | None:
    return next(
        (
            c
            for c in draft.entities.values()
            if c is not entity and c.reference_to(entity.name) and conditions.find_field(tokens, c) is not None
        ),
        None,
    )


def _aggregate_name(r: Reading, entity: DraftEntity, function: str, child: DraftEntity, before: Sequence[Token]) -> str:
    named = conditions.find_field(r.frame.subject, entity)
    if named is not None:
        return named[0].name
    tail = [
        t.low
        for t in r.frame.subject[r.subjects[0].end :]
        if t.is_word and t.low not in lexicon.PREPOSITIONS | lexicon.DETERMINERS
    ]
    head = [
        t.low
        for t in r.frame.subject[: r.subjects[0].start]
        if t.is_word and t.low not in lexicon.PREPOSITIONS | lexicon.DETERMINERS
    ]
    held = [
        t.low
        for t in before
        if t.is_word
        and t.low not in lexicon.DETERMINERS | lexicon.BE | lexicon.HAVE | lexicon.RELATIVES | lexicon.PREPOSITIONS
    ]
    words = tail or head or held
    return (
        morphology.name(*words)
        if words
        else (f"{child.name}_count" if function == "count" else f"{function}_{child.plural}")
    )


def _only_figure(tokens: Sequence[Token], child: DraftEntity) -> str | None:
    """Give what is summed when only the things are named ("the sum of its donations"): their one figure."""
    if any(t.low in _OPERATORS for t in tokens):
        return None
    figures = [
        f.name
        for f in child.fields.values()
        if conditions.kind_of(f) in {FieldType.DECIMAL, FieldType.INTEGER} and not f.target and not f.managed
    ]
    usual = [name for name in figures if name in {"amount", "total", "price", "rating", "score", "hours", "quantity"}]
    return figures[0] if len(figures) == 1 else usual[0] if len(usual) == 1 else None


def _expression(tokens: Sequence[Token], child: DraftEntity) -> str | None:
    parts: list[str] = []
    at = 0
    operands = 1 + sum(t.low in _OPERATORS for t in tokens)
    known = 0
    while (named := conditions.find_field(tokens, child, known)) is not None:
        known = named[2]
        operands -= 1
    if operands > 0:
        return None
    while (named := conditions.find_field(tokens, child, at)) is not None:
        if parts:
            operator = next((sign for t in tokens[at : named[1]] if (sign := _OPERATORS.get(t.low))), None)
            if operator is None:
                break
            parts.append(operator)
        parts.append(named[0].name)
        at = named[2]
    return " ".join(parts) or None


_OPERATORS: Final = {**figures.OPERATORS, "divided": "/", "/": "/"}

READERS: Final[tuple[Callable[[Reading, Draft], bool], ...]] = (
    aggregate,
    figures.computed,
    figures.asked,
    overlap,
    referenced,
    unique,
    due,
    compared,
    ordered,
    capacity,
    of_age,
    quota,
    field_says,
    refusal,
    guard,
)
