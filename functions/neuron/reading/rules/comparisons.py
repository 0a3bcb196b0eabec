"""Reads how fields compare, within one thing and with what it points at: "the bid is above the lot's reserve"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import conditions, frames, lexicon, quantities
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField, Mention
from functions.neuron.reading.rules import moments, readings
from functions.neuron.reading.tokens import Kind, Token
from shared.software import specification as spec
from shared.software.specification import Operator

if TYPE_CHECKING:
    from collections.abc import Sequence


def compared(r: readings.Reading, draft: Draft) -> bool:
    """Read "the weight of a delivery cannot exceed the weight limit of its drone"."""
    if _between(r, draft):
        return True
    for i in range(len(r.words)):
        for text, (is_before, strict) in sorted(moments.COMPARED.items(), key=lambda item: -len(item[0])):
            end = quantities.phrase(r.words, i, text)
            if end is None:
                continue
            for entity in readings.candidate_entities(r, draft):
                first = conditions.find_field(r.words[:i], entity)
                other = _parent_field(r.words[end:], entity, draft)
                if first is None or other is None or not moments.comparable(first[0], other[1]):
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
                    name=readings.rule_name(entity.name, first[0].name, "bound"),
                    entity=entity.name,
                    message=readings.sentence(r.words, draft.request),
                    field=first[0].name,
                    operator=operator,
                    other=f"{other[0]}.{other[1].name}",
                )
                return draft.mark(draft.add_rule(rule))
            return False
    return False


def _between(r: readings.Reading, draft: Draft) -> bool:
    """Read "the visit date must lie between the opening date and the closing date of the exhibition" as two bounds."""
    at = next((i for i, t in enumerate(r.words) if t.low in {"between", "within"}), None)
    joint = next((i for i in range(at or 0, len(r.words)) if r.words[i].low == "and"), None)
    if at is None or joint is None or r.frame.negated or r.frame.conditions:
        return False
    for entity in readings.candidate_entities(r, draft):
        first = conditions.find_field(r.words[:at], entity)
        parts = (r.words[at + 1 : joint], r.words[joint + 1 :])
        for reference in entity.fields.values() if first is not None and first[0].target is None else ():
            parent = draft.entities.get(reference.target or "")
            if parent is None or not any(m.entity is parent for m in draft.mentions(r.words[at:])):
                continue
            ends = [conditions.find_field(part, parent) for part in parts]
            if first is None or not all(e is not None and moments.comparable(first[0], e[0]) for e in ends):
                continue
            for end, operator in zip(ends, (Operator.GE, Operator.LE), strict=True):
                held = end[0].name if end is not None else ""
                rule = spec.RangeRule(
                    name=readings.rule_name(entity.name, first[0].name, held, "bound"),
                    entity=entity.name,
                    message=readings.sentence(r.words, draft.request),
                    field=first[0].name,
                    operator=operator,
                    other=f"{reference.name}.{held}",
                )
                draft.mark(draft.add_rule(rule))
            return True
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
            reading = readings.Reading(frame, words, [Mention(entity, 0, 0)], []) if frame is not None else None
            if reading is None or not (_compare(reading, draft, entity) or compared(reading, draft)):
                draft.leave(item.compared, "how this compares with another field was not understood")


def stated_presents(draft: Draft) -> None:
    """Turn "that cannot lie in the future" and "non-zero" of fields into rules."""
    for entity in list(draft.entities.values()):
        for item in entity.fields.values():
            if item.present or item.nonzero:
                draft.at = item.at
                held_to_present(draft, entity, item)


def dated(r: readings.Reading, draft: Draft) -> bool:
    """Read "an expense can't be in the future" of a thing that has one date."""
    lows = [t.low for t in r.frame.rest]
    whole = len(r.subjects) == 1 and not r.subjects[0].adjectives and not r.frame.conditions
    told = r.frame.verb in {"be", "lie"} and lows in (["in", "the", "future"], ["in", "the", "past"])
    if not (whole and told and r.frame.negated and r.subject is not None):
        return False
    if r.frame.subject[-1].singular not in r.subject.words:
        return False
    moments = [f for f in r.subject.fields.values() if conditions.kind_of(f) in conditions.DATED and not f.managed]
    if len(moments) != 1:
        return False
    moments[0].present = (Operator.LE if "future" in lows else Operator.GE).value
    held_to_present(draft, r.subject, moments[0])
    return True


def held_to_present(draft: Draft, entity: DraftEntity, item: DraftField) -> None:
    """Add the rules for what was read of a field and the present, or zero."""
    if item.present and conditions.kind_of(item) in conditions.DATED:
        _against_present(draft, entity, item)
    if item.nonzero:
        _bounded(draft, entity, item, Operator.NE, 0, f"The {item.name} must not be zero.".replace("_", " "))


def _against_present(draft: Draft, entity: DraftEntity, item: DraftField) -> None:
    """Hold a moment to one side of the present; what must lie ahead must do so only when it is made."""
    operator = Operator(item.present)
    said = f"The {item.name.replace('_', ' ')} must {_SIDES[operator]}."
    if operator in {Operator.LT, Operator.LE}:
        _bounded(draft, entity, item, operator, "today" if conditions.moment(item) == "today" else "now", said)
        return
    rule = spec.TransitionRule(
        name=readings.rule_name(entity.name, item.name, "ahead"),
        entity=entity.name,
        message=said,
        action="create",
        requires=(spec.Condition(field=item.name, operator=operator, other=conditions.moment(item)),),
    )
    draft.mark(draft.add_rule(rule))


_SIDES: Final = {
    Operator.LT: "lie in the past",
    Operator.LE: "not lie in the future",
    Operator.GT: "lie in the future",
    Operator.GE: "not lie in the past",
}


def _bounded(
    draft: Draft, entity: DraftEntity, item: DraftField, operator: Operator, value: float | str, said: str
) -> None:
    rule = spec.RangeRule(
        name=readings.rule_name(entity.name, item.name, "bound"),
        entity=entity.name,
        message=said,
        field=item.name,
        operator=operator,
        value=value,
    )
    draft.mark(draft.add_rule(rule))


def stated_differences(draft: Draft) -> None:
    """Read "a white player and a black player who must be different" into a rule, wherever it stands."""
    for at, clause in enumerate(draft.clauses):
        cut = _told_apart(clause.words)
        topic = draft.entities.get(draft.topics.get(at) or "")
        joint = next((i for i in range(cut or 0, 0, -1) if clause.words[i].low == "and"), None)
        if cut is None or joint is None:
            continue
        for entity in (*([topic] if topic else []), *draft.entities.values()):
            second = conditions.find_field(clause.words[joint + 1 : cut], entity)
            first = _last(clause.words[:joint], entity)
            if first is None or second is None or first is second[0] or first.target != second[0].target:
                continue
            draft.at = at
            said = f"The {first.name} and the {second[0].name} must differ.".replace("_", " ")
            rule = spec.RangeRule(
                name=readings.rule_name(entity.name, first.name, second[0].name, "differ"),
                entity=entity.name,
                message=said,
                field=first.name,
                operator=Operator.NE,
                other=second[0].name,
            )
            draft.mark(draft.add_rule(rule))
            break


def _told_apart(words: Sequence[Token]) -> int | None:
    """Give where "who must be different", "which differ", "that must not be the same" begins; None without one."""
    for i, token in enumerate(words):
        if token.low not in {"who", "which", "that"}:
            continue
        behind = [t.low for t in words[i + 1 : i + _APART]]
        helped = [low for low in behind if low not in lexicon.MODALS | lexicon.BE | {"the", "not"}]
        denied = bool({"not", "must-not", "cannot"} & set(behind))
        if helped[:1] in (["different"], ["differ"]) and not denied:
            return i
        if helped[:1] == ["same"] and denied:
            return i
    return None


_APART: Final = 6


def _last(words: Sequence[Token], entity: DraftEntity) -> DraftField | None:
    found, at = None, 0
    while (named := conditions.find_field(words, entity, at)) is not None:
        found, at = named[0], named[2]
    return found


def _compare(r: readings.Reading, draft: Draft, entity: DraftEntity) -> bool:
    pair = moments.ordered_pair(r, entity)
    if pair is None:
        return False
    before, after, strict = pair
    said = f"The {after.name} must lie after the {before.name}.".replace("_", " ")
    rule = spec.OrderedRule(
        name=readings.rule_name(entity.name, before.name, "before", after.name),
        entity=entity.name,
        message=said if strict else said.replace("after", "at or after"),
        before=before.name,
        after=after.name,
        strict=strict,
    )
    return draft.mark(draft.add_rule(rule))
