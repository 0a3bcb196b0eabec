"""Reads that periods of the same thing do not overlap: "a room cannot be booked twice at the same time"."""

from __future__ import annotations

import itertools

from functions.neuron.reading import closing, conditions
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.rules import moments, quotas, readings, uniqueness
from shared.software import designs
from shared.software import specification as spec
from shared.software.specification import Condition, FieldType


def overlap(r: readings.Reading, draft: Draft) -> bool:
    """Read "bookings of one room must not overlap", "a room cannot be booked twice at the same time"."""
    lows = set(r.lows)
    text = f" {' '.join(r.lows)} "
    overlapping = any(low.startswith("overlap") for low in lows) or "double-book" in text or "double book" in text
    bounded = {"than", "most", "to", "least"} & {a for a, b in itertools.pairwise(r.lows) if b == "two"}
    two_at_once = (
        "two" in lows and not bounded and ("at once" in text or "at the same time" in text or "simultaneously" in lows)
    )
    same_time = two_at_once or any(
        f" {phrase} " in text
        for phrase in (
            "same time",
            "same period",
            "same dates",
            "same day",
            "on one day",
            "on one date",
            "same date",
            "same slot",
            "same night",
            "same hours",
            "same moment",
        )
    )
    if two_at_once and r.subject is None and r.frame.subject and r.frame.subject[0].low in {"a", "an"}:
        return False  # "a car cannot be in two spaces at once", and no car is kept
    denied = r.frame.negated or bool(lows & {"no", "never", "without", "not"})
    if not denied or not (overlapping or same_time):
        return False
    found = _overlapping(r, draft)
    if found is None:
        return False
    entity, per = found
    if any(quotas.twofold(entity, draft.entities[f.target]) for f in per if f.target in draft.entities):
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
            return uniqueness.add_unique(r, draft, entity, (*references, "date", "time"), conditions.running(entity))
        rule: spec.Rule = spec.UniqueRule(
            name=readings.rule_name(entity.name, *references, point.name, "unique"),
            entity=entity.name,
            message=readings.sentence(r.words, draft.request),
            fields=(*references, point.name),
            when=conditions.running(entity),
        )
        if overlapping and not same_time and conditions.kind_of(point) is FieldType.DATETIME:
            _only_equal(r, draft, entity, point)
        return draft.mark(draft.add_rule(rule))
    start, end = interval
    rule = spec.NoOverlapRule(
        name=readings.rule_name(entity.name, *references, "overlap"),
        entity=entity.name,
        message=readings.sentence(r.words, draft.request),
        start=start.name,
        end=end.name,
        per=references,
        when=_stated(r, entity) or conditions.running(entity),
    )
    draft.mark(("field", entity.name, start.name), ("field", entity.name, end.name))
    return draft.mark(draft.add_rule(rule))


def one_at_once(r: readings.Reading, draft: Draft) -> bool:
    """Read "a kennel can take only one dog at a time" where stays of dogs in kennels last from one day to another."""
    text = f" {' '.join(r.lows)} "
    once = any(f" {words} " in text for words in ("at a time", "at the same time", "at once"))
    one = " only one " in text or " at most one " in text or " more than one " in text
    if not once or not one or r.subject is None or len(r.objects) != 1 or r.objects[0].adjectives:
        return False
    if [t.low for t in r.frame.rest[r.objects[0].end :]][:1] != ["at"]:
        return False  # "one application under review at a time": told by its state
    holder, held = r.subject, r.objects[0].entity
    for entity in draft.entities.values():
        reference, interval = entity.reference_to(holder.name), _interval(entity)
        tied = entity is held or entity.reference_to(held.name) is not None
        if reference is None or interval is None or not tied or quotas.twofold(entity, holder):
            continue
        if any(field.required is False for field in interval):
            continue  # one that has no end yet goes on
        rule = spec.NoOverlapRule(
            name=readings.rule_name(entity.name, reference.name, "overlap"),
            entity=entity.name,
            message=readings.sentence(r.words, draft.request),
            start=interval[0].name,
            end=interval[1].name,
            per=(reference.name,),
            when=conditions.running(entity),
        )
        return draft.mark(("field", entity.name, interval[0].name), draft.add_rule(rule))
    return False


def one_current(draft: Draft) -> None:
    """Let "only one current lease" be kept by what keeps leases of one apartment from overlapping, and not twice."""
    apart = [rule for rule in draft.rules.values() if isinstance(rule, spec.NoOverlapRule)]
    for name, rule in list(draft.rules.items()):
        if not isinstance(rule, spec.QuotaRule) or rule.limit != 1 or rule.period or rule.also or rule.weight_field:
            continue
        said = set(rule.message.lower().split())
        same = [r for r in apart if (r.entity, r.per) == (rule.entity, (rule.reference,)) and r.when in {(), rule.when}]
        kept = next(iter(same), None)
        if kept is None or not said & {"current", "ongoing", "running"}:
            continue
        del draft.rules[name]
        for marks in draft.marks.values():
            marks[:] = [("rule", kept.name) if mark == ("rule", name) else mark for mark in marks]


def _only_equal(r: readings.Reading, draft: Draft, entity: DraftEntity, point: DraftField) -> None:
    """Say that what begins at a moment and ends at none that is known is only kept from beginning at the same one."""
    name, begun = designs.with_article(entity.name), point.name.replace("_", " ")
    said = [t for t in r.words if t.low.startswith("overlap") or t.low in {"double", "double-booked"}]
    draft.leave(said[:1], f"only an equal {begun} is refused: when {name} ends is not kept".replace("_", " "))


def _stated(r: readings.Reading, entity: DraftEntity) -> tuple[Condition, ...]:
    """Read which of them must not overlap: "two approved requests"."""
    mention = next((m for m in (*r.subjects, *r.objects) if m.entity is entity), None)
    found = [conditions.adjective(t.low, entity) for t in mention.adjectives] if mention is not None else []
    return next((tuple(part) for part in found if part), ())


def _overlapping(r: readings.Reading, draft: Draft) -> tuple[DraftEntity, list[DraftField]] | None:
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
        entity, "start", "starts", "from", "begin", "check_in", "check", "arrival", "departure", "pickup", "first"
    )
    end = conditions.dated(
        entity, "end", "ends", "to", "until", "finish", "check_out", "return", "checkout", "departure", "out", "last"
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
        and not all(f.managed for f in entity.fields.values() if conditions.kind_of(f) in conditions.DATED)
    ):
        return None
    if sum(conditions.kind_of(f) in moments.TIMES and not f.managed for f in entity.fields.values()) == 1:
        return None  # it has a moment, and so no two
    kind = FieldType.DATE if make == "date" else FieldType.DATETIME
    first = entity.add(DraftField(f"start_{make}", kind))
    last = entity.add(DraftField(f"end_{make}", kind))
    return first, last
