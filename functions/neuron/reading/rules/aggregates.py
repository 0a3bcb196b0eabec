"""Reads what is summed and counted over what belongs to something: "an order shows the total of its lines"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import conditions, figures, lexicon, morphology
from functions.neuron.reading.draft import Draft, DraftEntity, DraftField
from functions.neuron.reading.rules import field_rules, readings
from functions.neuron.reading.tokens import Token
from shared.software import specification as spec
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence


def aggregate(r: readings.Reading, draft: Draft) -> bool:
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
    verb_at = field_rules.verb_start(r)
    if "than" in r.lows:
        return False
    at = next((i for i in range(verb_at, len(words) - 1) if words[i].low in functions and _counts(words, i)), None)
    if at is not None and r.subject is None and functions[words[at].low] == "sum":
        return _unowned(r, draft, words[at + 1 :])
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


def _unowned(r: readings.Reading, draft: Draft, rest: Sequence[Token]) -> bool:
    """Read "the total is the sum of quantity times price": the total of the one thing that such parts belong to."""
    said = [t for t in r.frame.subject if t.is_word and t.low not in lexicon.DETERMINERS]
    if r.frame.verb != "be" or r.frame.negated or r.frame.conditions or [t.low for t in said] not in _TOTALS:
        return False
    found: list[tuple[DraftEntity, DraftEntity, str]] = []
    for child in draft.entities.values():
        expression = figures.expression(rest, child, draft)
        used = {part.partition(".")[0] for part in (expression or "").split()}
        owners = [
            f.target for f in child.fields.values() if f.target and f.name not in used and f.required is not False
        ]
        if expression is not None and used & set(child.fields) and len(owners) == 1:
            found.append((draft.entities[owners[0]], child, expression))
    if len(found) != 1:
        return False
    entity, child, expression = found[0]
    return _add_aggregate(r, draft, entity, child, morphology.name(*[t.low for t in said]), "sum", expression)


_TOTALS: Final = (["total"], ["sum"], ["total", "price"], ["total", "amount"], ["total", "cost"], ["total", "sum"])


def _counts(words: Sequence[Token], at: int) -> bool:
    """Whether "number" counts something ("the number of votes") and is no part of a name ("a phone number which …")."""
    return words[at].low != "number" or words[at + 1].low == "of"


def _without(tokens: Sequence[Token], entity: DraftEntity) -> list[Token]:
    """Leave the name of what is computed out of what it is computed from: "of the order's items"."""
    return [token for token in tokens if not (token.is_word and token.singular == entity.name)]


_SHOWN_WORDS: Final = lexicon.words("show be compute calculate display return include derive track")


def _shown(r: readings.Reading, draft: Draft, functions: dict[str, str]) -> bool:
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
    r: readings.Reading,
    draft: Draft,
    entity: DraftEntity,
    child: DraftEntity,
    name: str,
    function: str,
    expression: str | None,
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
        name=readings.rule_name(entity.name, name),
        entity=entity.name,
        message=readings.sentence(r.words, draft.request),
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
            if c is not entity and c.reference_to(entity.name) and _names_figure(tokens, c)
        ),
        None,
    )


def _names_figure(tokens: Sequence[Token], child: DraftEntity) -> bool:
    """Whether a field of the child's own is named, and not only what it refers to: the weight, not the hive."""
    at = 0
    while (named := conditions.find_field(tokens, child, at)) is not None:
        if named[0].target is None:
            return True
        at = named[2]
    return False


def _aggregate_name(
    r: readings.Reading, entity: DraftEntity, function: str, child: DraftEntity, before: Sequence[Token]
) -> str:
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
