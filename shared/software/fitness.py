"""Checks that rules, conditions and derivations fit the types of the fields that they are about.

A rule that compares a text with a number is closed, and yet no software can keep it. Promises to find such faults where
both types are known; does not check that a rule makes sense.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from shared.software import specification as spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NUMBERS: Final = frozenset({spec.FieldType.INTEGER, spec.FieldType.DECIMAL, spec.FieldType.NUMBER})
_DAYS: Final = frozenset({spec.FieldType.DATE, spec.FieldType.DATETIME})
_ORDERED: Final = _NUMBERS | _DAYS | {spec.FieldType.TIME}
_STAMPS: Final = frozenset({"created_at", "updated_at"})
_LOOSE: Final = frozenset({spec.Operator.IS_NULL, spec.Operator.NOT_NULL})
_EQUALITY: Final = frozenset({spec.Operator.EQ, spec.Operator.NE, spec.Operator.IN})

Entities = dict[str, spec.Entity]


def type_of(name: str, entity: spec.Entity, entities: Entities) -> spec.FieldType | None:
    """Give the type of a field, possibly of what one reference points at (`member.active`); None when it is unknown."""
    head, _, tail = name.partition(".")
    if head in _STAMPS:
        return spec.FieldType.DATETIME
    field = next((field for field in entity.fields if field.name == head), None)
    if field is None or not tail:
        return field.type if field else None
    target = entities.get(field.target or "")
    return type_of(tail, target, entities) if target is not None else None


def comparable(one: spec.FieldType | None, other: spec.FieldType | None) -> bool:
    """Say whether values of two types have an order among them; what is unknown is not held against them."""
    if one is None or other is None:
        return True
    groups = (_NUMBERS, _DAYS, {spec.FieldType.TIME})
    return any(one in group and other in group for group in groups)


def rule_faults(pointer: str, rule: spec.Rule, entity: spec.Entity, entities: Entities) -> Iterator[str]:
    """Name the places where a rule does not fit its fields' types."""
    match rule:
        case spec.CapacityRule():
            reference = next((field for field in entity.fields if field.name == rule.reference), None)
            parent = entities.get((reference.target if reference else None) or "")
            if parent is not None:
                yield from _numeric(pointer, rule.limit_field, parent, entities)
            yield from _numeric(pointer, rule.weight_field, entity, entities)
        case spec.QuotaRule():
            yield from _numeric(pointer, rule.weight_field, entity, entities)
            if rule.period_field and type_of(rule.period_field, entity, entities) not in {*_DAYS, None}:
                yield f"{pointer}: {rule.period_field} is no date or moment"
        case spec.NoOverlapRule():
            yield from _pair(pointer, rule.start, rule.end, entity, entities)
        case spec.OrderedRule():
            yield from _pair(pointer, rule.before, rule.after, entity, entities)
        case spec.RangeRule():
            yield from _range_faults(pointer, rule, entity, entities)
        case spec.AggregateRule():
            yield from _aggregate_faults(pointer, rule, entity)
        case spec.ComputedRule() | spec.EffectRule():
            yield from _change_faults(pointer, rule, entity, entities)
        case _:
            pass


def _change_faults(
    pointer: str, rule: spec.ComputedRule | spec.EffectRule, entity: spec.Entity, entities: Entities
) -> Iterator[str]:
    if isinstance(rule, spec.ComputedRule):
        for name in (rule.field, *expression_names(rule.expression)):
            yield from _numeric(pointer, name, entity, entities)
        return
    changed = f"{rule.reference}.{rule.field}"
    yield from _numeric(pointer, changed, entity, entities)
    yield from _numeric(pointer, rule.amount, entity, entities)
    kinds = (type_of(changed, entity, entities), type_of(rule.amount, entity, entities) if rule.amount else None)
    if kinds[1] is not None and kinds[0] is not kinds[1] and kinds not in _EXACT_CHANGES:
        yield f"{pointer}: {rule.field} cannot be changed exactly by {rule.amount}"


_EXACT_CHANGES = {(spec.FieldType.DECIMAL, spec.FieldType.INTEGER), (spec.FieldType.NUMBER, spec.FieldType.INTEGER)}


def expression_names(expression: str) -> list[str]:
    """Name the fields in an arithmetic expression, `product.price` as one; none when it is no expression."""
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError:
        return []
    dotted = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    heads = {id(node.value) for node in dotted}
    plain = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in heads]
    return [*plain, *(ast.unparse(node) for node in dotted)]


def _numeric(pointer: str, name: str | None, entity: spec.Entity, entities: Entities) -> Iterator[str]:
    if name is not None and type_of(name, entity, entities) not in {*_NUMBERS, None}:
        yield f"{pointer}: {name} is no number"


def _pair(pointer: str, one: str, other: str, entity: spec.Entity, entities: Entities) -> Iterator[str]:
    if not comparable(type_of(one, entity, entities), type_of(other, entity, entities)):
        yield f"{pointer}: {one} and {other} have no order among them"


def _range_faults(pointer: str, rule: spec.RangeRule, entity: spec.Entity, entities: Entities) -> Iterator[str]:
    own = type_of(rule.field, entity, entities)
    told_apart = rule.operator in _EQUALITY and rule.other is not None
    if told_apart and own not in _ORDERED and own is type_of(rule.other or "", entity, entities):
        return
    if own is not None and own not in _ORDERED:
        yield f"{pointer}: {rule.field} has no order"
    elif rule.other is not None and not comparable(own, type_of(rule.other, entity, entities)):
        yield f"{pointer}: {rule.field} and {rule.other} have no order among them"
    elif isinstance(rule.value, int | float) and own in {*_DAYS, spec.FieldType.TIME}:
        yield f"{pointer}: {rule.field} is compared with a number"
    elif isinstance(rule.value, str) and own in _NUMBERS and not _is_number(rule.value):
        yield f"{pointer}: {rule.field} is compared with a text"


def _is_number(value: object) -> bool:
    """Say whether a literal is a number; decimals may be written as texts."""
    if isinstance(value, str):
        return re.fullmatch(r"-?\d+(\.\d+)?", value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _aggregate_faults(pointer: str, rule: spec.AggregateRule, entity: spec.Entity) -> Iterator[str]:
    field = next((field for field in entity.fields if field.name == rule.field), None)
    if field is not None and field.type not in _NUMBERS:
        yield f"{pointer}: {rule.field} is no number"
    if rule.function != "count" and rule.expression is None:
        yield f"{pointer}: there is nothing to compute the {rule.function} of"


def condition_faults(
    pointer: str, conditions: Iterable[spec.Condition], entity: spec.Entity, entities: Entities
) -> Iterator[str]:
    """Name the conditions that no value of their field can fulfil, or that compare what has no order."""
    for condition in conditions:
        own = type_of(condition.field, entity, entities)
        if own is None or condition.operator in _LOOSE:
            continue
        if condition.other is not None:
            other = spec.FieldType.DATETIME if condition.other in {"now", "today"} else None
            other = other or type_of(condition.other, entity, entities)
            if condition.operator not in _EQUALITY and not comparable(own, other):
                yield f"{pointer}: {condition.field} and {condition.other} have no order among them"
            continue
        yield from _value_faults(pointer, condition, own, entity, entities)


def _value_faults(
    pointer: str, condition: spec.Condition, own: spec.FieldType, entity: spec.Entity, entities: Entities
) -> Iterator[str]:
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if own is spec.FieldType.ENUM:
        known = _values_of(condition.field, entity, entities)
        for value in values:
            if value is not None and value not in known:
                yield f"{pointer}: {condition.field} is never {value}"
    elif own is spec.FieldType.BOOLEAN and not all(isinstance(value, bool | None) for value in values):
        yield f"{pointer}: {condition.field} is yes or no"
    elif own in _NUMBERS and not all(value is None or _is_number(value) for value in values):
        yield f"{pointer}: {condition.field} is compared with what is no number"
    elif condition.operator not in _EQUALITY and own not in _ORDERED:
        yield f"{pointer}: {condition.field} has no order"


def _values_of(name: str, entity: spec.Entity, entities: Entities) -> tuple[str, ...]:
    head, _, tail = name.partition(".")
    field = next((field for field in entity.fields if field.name == head), None)
    if field is None:
        return ()
    target = entities.get(field.target or "")
    return _values_of(tail, target, entities) if tail and target is not None else field.values


def derivation_faults(pointer: str, entity: spec.Entity, entities: Entities) -> Iterator[str]:
    """Name the derived fields that are no dates or moments, or that are derived from none."""
    for derivation in entity.derivations:
        for name in (derivation.field, derivation.base):
            if name != "now" and type_of(name, entity, entities) not in {*_DAYS, None}:
                yield f"{pointer}/derivations: {name} is no date or moment"
