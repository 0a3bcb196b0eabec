"""Reads when something is due, and in which order points in time stand: "a loan is due after 14 days"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import closing, conditions, lexicon, quantities
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.rules import readings
from functions.neuron.reading.tokens import Token
from shared.software import specification as spec
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMES: Final = frozenset({FieldType.DATE, FieldType.DATETIME, FieldType.TIME})
_DUE_WORDS: Final = lexicon.words(
    "due expire expires expired valid lasts last returned paid overdue ends runs deadline period"
)
_LOOKING: Final = lexicon.words("list show display print see view find tell warn remind report get")


def due(r: readings.Reading, draft: Draft) -> bool:
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
    next_one = bool({"next", "following"} & {t.low for t in r.frame.subject})  # due from another one's date
    looked_at = r.words[0].low in _LOOKING  # "list what expires in 7 days"
    if read is None or next_one or looked_at or "older" in lows:  # how old something is sets no date
        return False
    if not (
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


def _timed(r: readings.Reading, draft: Draft) -> DraftEntity | None:
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


def _due_name(r: readings.Reading, entity: DraftEntity) -> str:
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


def ordered(r: readings.Reading, draft: Draft) -> bool:
    """Read "the end date must be after the start date", "a booking starts before it ends"."""
    shown = r.frame.verb in lexicon.OPERATION_VERBS | {"report": "", "print": "", "display": ""}.keys()
    if shown and (not r.frame.subject or {"whose", "that", "which", "where"} & set(r.lows)):
        return False  # "the system shall list all parts whose stock is below the minimum"
    for entity in readings.candidate_entities(r, draft):
        pair = ordered_pair(r, entity)
        if pair is None:
            continue
        before, after, strict = pair
        rule = spec.OrderedRule(
            name=readings.rule_name(entity.name, before.name, "before", after.name),
            entity=entity.name,
            message=readings.sentence(r.words, draft.request),
            before=before.name,
            after=after.name,
            strict=strict,
        )
        return draft.mark(draft.add_rule(rule))
    return False


COMPARED: Final[dict[str, tuple[bool, bool]]] = {
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
    "shorter than": (True, True),
    "sooner than": (True, True),
    "under": (True, True),
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
    "bigger than": (False, True),
    "longer than": (False, True),
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


def ordered_pair(r: readings.Reading, entity: DraftEntity) -> tuple[DraftField, DraftField, bool] | None:
    """Find two fields of a thing that a sentence compares: first, second, and whether the first must be less."""
    words = r.words
    for i in range(len(words)):
        for text, (is_before, strict) in sorted(COMPARED.items(), key=lambda item: -len(item[0])):
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
                or any(t.value is not None or t.text in {",", ";"} for t in words[end : second[1]])
                or not (comparable(first, second[0]) or _as_numbers(first, second[0], text))
            ):
                return None
            loose = quantities.phrase(words, end, "or equal to") is not None or any(
                quantities.phrase(words, j, "or on") is not None for j in range(end, len(words))
            )
            told = r.frame.negated or (i > 0 and words[i - 1].low in lexicon.NEGATIONS)  # "which is never before …"
            denied = told and not text.startswith(("no ", "at ", "on "))
            strictly = (strict and not loose) != denied
            return (first, second[0], strictly) if is_before != denied else (second[0], first, strictly)
    return None


_OF_AMOUNTS: Final = lexicon.words(
    "less lower smaller greater more higher larger bigger exceed below above < > least most"
)


def _as_numbers(first: DraftField, second: DraftField, text: str) -> bool:
    """Let fields be numbers that are compared as amounts, where neither their names nor the request say another type.

    Two of them must be called alike, "a first stop number" and "a last stop number"; one goes with a number.
    """
    pair = (first, second)
    numbers = [item for item in pair if conditions.kind_of(item) in _NUMBERS]
    plain = [item for item in pair if item not in numbers]
    alike = first.name.rsplit("_", 1)[-1] == second.name.rsplit("_", 1)[-1]
    if not _OF_AMOUNTS & set(text.split()) or not (numbers or alike) or not all(map(_untyped, plain)):
        return False
    for item in plain:
        item.type = conditions.kind_of(numbers[0]) if numbers else FieldType.INTEGER
    return True


def _untyped(item: DraftField) -> bool:
    """Whether a field is a line of text only because nothing tells what else it is."""
    said = item.type or item.values or item.target or item.pattern or item.min_length or item.max_length
    return not said and conditions.kind_of(item) is FieldType.STRING


_NUMBERS: Final = frozenset({FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER})


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


def point_in(words: Sequence[Token], entity: DraftEntity) -> DraftField | None:
    """Give the date or moment of a thing that words speak of: "the event starts", "its deadline"."""
    named = conditions.find_field(words, entity) or _implied_point(words, entity)
    return named[0] if named is not None and conditions.kind_of(named[0]) in conditions.DATED else None


def comparable(first: DraftField, second: DraftField) -> bool:
    """Whether two fields can be compared: both numbers, or both the same kind of moment."""
    kinds = {conditions.kind_of(first), conditions.kind_of(second)}
    return kinds <= _NUMBERS or (kinds <= TIMES and len(kinds) == 1)
