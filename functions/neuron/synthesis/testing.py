"""Designs the tests of a specification: how valid things are made, and which cases are tried.

A recipe gives every field a value that fulfils the entity's own constraints and the conditions that others put on it.
Does not promise that every case can be tried: an implementer leaves out those to which `Planner` finds no way.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from functions.neuron.synthesis.database import unique_rules
from functions.neuron.synthesis.patterns import sample
from shared.software import designs
from shared.software.designs import CaseDesign, FieldRecipe, Recipe, TestDesign, ValueDesign
from shared.software.specification import (
    OPPOSITES,
    AggregateRule,
    CapacityRule,
    ComputedRule,
    Condition,
    EffectRule,
    Entity,
    FieldSpec,
    FieldType,
    NoOverlapRule,
    Operator,
    OrderedRule,
    RangeRule,
    Specification,
    Transition,
    TransitionRule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NUMBERS: Final = frozenset({FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER})
_TIMES: Final = frozenset({FieldType.DATE, FieldType.DATETIME})
_USUAL: Final = {
    FieldType.EMAIL: ValueDesign(kind="sequence", text="person{n}@example.com"),
    FieldType.URL: ValueDesign(kind="sequence", text="https://example.com/{n}"),
    FieldType.UUID: ValueDesign(kind="sequence", text="00000000-0000-4000-8000-{n:012d}"),
    FieldType.BOOLEAN: ValueDesign(kind="constant", value=True),
    FieldType.DATE: ValueDesign(kind="day", offset=1),
    FieldType.DATETIME: ValueDesign(kind="moment", offset=24),
    FieldType.TIME: ValueDesign(kind="constant", value="09:30:00"),
}


@dataclass(frozen=True)
class Way:
    """A way to a record for which conditions hold: fields to set at creation, moves to make, days to let pass."""

    values: dict[str, ValueDesign]
    moves: tuple[str, ...] = ()
    days: int = 0


def design_tests(specification: Specification) -> TestDesign:
    """Design the recipes and the cases."""
    planner = Planner(specification)
    recipes = tuple(planner.recipe(entity) for entity in specification.entities)
    return TestDesign(recipes=recipes, cases=tuple(_cases(specification)))


def _cases(specification: Specification) -> Iterator[CaseDesign]:
    for entity in specification.entities:
        yield CaseDesign(kind="crud", entity=entity.name)
        yield CaseDesign(kind="persistence", entity=entity.name)
        yield CaseDesign(kind="property", entity=entity.name)
        for derivation in entity.derivations:
            yield CaseDesign(kind="field", entity=entity.name, target=derivation.field)
        for unique in unique_rules(entity, specification):
            yield CaseDesign(kind="rule", entity=entity.name, rule=unique.name)
        for move in entity.machine.transitions if entity.machine else ():
            yield CaseDesign(kind="transition", entity=entity.name, target=move.name)
    for rule in specification.rules:
        if rule.kind != "unique":
            yield CaseDesign(kind="rule", entity=rule.entity, rule=rule.name)
    yield from (CaseDesign(kind="view", entity=view.entity, target=view.name) for view in specification.views)
    yield from (CaseDesign(kind="report", entity=told.entity, target=told.name) for told in specification.reports)
    for relation in specification.relations:
        yield CaseDesign(kind="relation", entity=relation.left, target=relation.name)
    for computation in specification.computations:
        yield CaseDesign(kind="computation", target=computation.name)


class Planner:
    """Finds values and moves that fulfil a specification's constraints."""

    def __init__(self, specification: Specification) -> None:
        self._specification = specification
        self._rules = specification.rules
        self._needs = {entity.name: tuple(self._conditions_of_others(entity)) for entity in specification.entities}

    def _conditions_of_others(self, entity: Entity) -> Iterator[Condition]:
        """Give what children's guards of creation want of this entity."""
        for rule in self._rules:
            if not isinstance(rule, TransitionRule) or rule.action != "create":
                continue
            child = self._specification.entity(rule.entity)
            for condition in rule.requires:
                head, _, tail = condition.field.partition(".")
                field = designs.field_of(child, head)
                if tail and field is not None and field.target == entity.name:
                    yield condition.model_copy(update={"field": tail})

    def recipe(self, entity: Entity) -> Recipe:
        """Give the recipe of an entity: a valid creation, then the moves that make it ready for others."""
        values = self._values(entity)
        way = self.way(entity, self._needs[entity.name])
        if way is not None:
            values |= way.values
        fields = tuple(FieldRecipe(field=name, value=value) for name, value in values.items())
        return Recipe(entity=entity.name, fields=fields, moves=way.moves if way else ())

    def _values(self, entity: Entity) -> dict[str, ValueDesign]:
        computed = AggregateRule | ComputedRule
        aggregated = {r.field for r in self._rules if isinstance(r, computed) and r.entity == entity.name}
        given = [field for field in entity.fields if not field.managed and field.name not in aggregated]
        values = {
            field.name: self._value(field, entity)
            for field in given
            if field.type is not FieldType.REFERENCE or (field.required and field.target != entity.name)
        }
        self._place_in_time(entity, values)
        self._fulfil_own_guards(entity, values)
        self._fulfil_ranges(entity, values)
        return values

    def _value(self, field: FieldSpec, entity: Entity) -> ValueDesign:
        unique = field.unique or any(field.name in rule.fields for rule in unique_rules(entity, self._specification))
        if field.type in {FieldType.STRING, FieldType.TEXT}:
            return ValueDesign(kind="sequence", text=_text(field))
        if field.numbers:
            return ValueDesign(kind="constant", value=field.default if field.default is not None else field.numbers[0])
        if field.type in _NUMBERS:
            return self._number(field, entity, unique=unique)
        if field.type is FieldType.ENUM:
            return ValueDesign(kind="constant", value=field.default or field.values[0])
        if field.type is FieldType.REFERENCE:
            return ValueDesign(kind="reference", entity=field.target or "")
        if field.type is FieldType.BOOLEAN and field.default is not None:
            return ValueDesign(kind="constant", value=field.default)
        usual = _USUAL.get(field.type, ValueDesign(kind="constant", value=None))
        return usual.model_copy(update={"step": 1}) if unique and field.type in _TIMES else usual

    def _number(self, field: FieldSpec, entity: Entity, *, unique: bool) -> ValueDesign:
        wanted: float = 1 if self._is_weight(field, entity) else 1000 if self._is_limit(field, entity) else 10
        if field.minimum is not None:
            wanted = max(wanted, field.minimum + (1 if field.exclusive_minimum else 0))
        if field.maximum is not None:
            wanted = min(wanted, field.maximum - (1 if field.exclusive_maximum else 0))
        if field.minimum is not None and wanted < field.minimum:
            wanted = (field.minimum + (field.maximum or field.minimum)) / 2
        whole = float(wanted).is_integer() or field.type is FieldType.INTEGER
        value = math.ceil(wanted) if whole else wanted
        return ValueDesign(kind="number", value=value, step=1 if unique else 0)

    def _is_weight(self, field: FieldSpec, entity: Entity) -> bool:
        return any(
            field.name in {getattr(r, "weight_field", None), r.amount if isinstance(r, EffectRule) else None}
            and r.entity == entity.name
            for r in self._rules
        )

    def _is_limit(self, field: FieldSpec, entity: Entity) -> bool:
        for rule in self._rules:
            limiting = (isinstance(rule, CapacityRule) and rule.limit_field == field.name) or (
                isinstance(rule, EffectRule) and rule.field == field.name
            )
            if isinstance(rule, CapacityRule | EffectRule) and limiting:
                reference = designs.field_of(self._specification.entity(rule.entity), rule.reference)
                if reference is not None and reference.target == entity.name:
                    return True
            if isinstance(rule, RangeRule) and (rule.other or "").partition(".")[2] == field.name:
                return True
        return False

    def _place_in_time(self, entity: Entity, values: dict[str, ValueDesign]) -> None:
        """Give dates their order, and intervals that must not overlap their distance."""
        pairs = [
            *((r.before, r.after) for r in self._rules if isinstance(r, OrderedRule) and r.entity == entity.name),
            *((r.start, r.end) for r in self._rules if isinstance(r, NoOverlapRule) and r.entity == entity.name),
        ]
        apart = {
            n for r in self._rules if isinstance(r, NoOverlapRule) and r.entity == entity.name for n in (r.start, r.end)
        }
        for _ in pairs:
            for before, after in pairs:
                if before in values and after in values:
                    values[after] = _later(values[after], values[before])
        for name in apart & set(values):
            days = values[name].kind == "day"
            values[name] = values[name].model_copy(update={"step": len(pairs) + 2 if days else 24})

    def _fulfil_own_guards(self, entity: Entity, values: dict[str, ValueDesign]) -> None:
        for rule in self._rules:
            if isinstance(rule, TransitionRule) and rule.entity == entity.name and rule.action == "create":
                for condition in rule.requires:
                    field = designs.field_of(entity, condition.field)
                    fitting = self.fitting(condition, entity) if field is not None else None
                    if field is not None and not field.managed and fitting is not None:
                        values[field.name] = _stepping(fitting, values.get(field.name))

    def _fulfil_ranges(self, entity: Entity, values: dict[str, ValueDesign]) -> None:
        for rule in self._rules:
            if not isinstance(rule, RangeRule) or rule.entity != entity.name or rule.field not in values:
                continue
            bound = self._bound(rule, entity, values)
            if bound is not None:
                values[rule.field] = _fitted(values[rule.field], rule.operator, bound)

    def _bound(self, rule: RangeRule, entity: Entity, values: dict[str, ValueDesign]) -> ValueDesign | None:
        """Give the value that a range rule compares with."""
        if rule.value in {"now", "today"} or rule.other in {"now", "today"}:
            return ValueDesign(kind="day", offset=0)
        if rule.other is None:
            return ValueDesign(kind="number", value=rule.value)
        head, _, tail = rule.other.partition(".")
        if not tail:
            return values.get(head)
        reference = designs.field_of(entity, head)
        parent = self._specification.entity((reference.target if reference else None) or "")
        limit = designs.field_of(parent, tail)
        return self._value(limit, parent) if limit is not None and not limit.managed else None

    # Ways to records that fulfil conditions.

    def way(self, entity: Entity, conditions: Iterable[Condition]) -> Way | None:
        """Find a way to a record for which the conditions hold; None when none is found."""
        found = Way({})
        conditions = tuple(conditions)
        for condition in conditions:
            step = self._step(entity, condition, conditions)
            if step is None:
                return None
            found = Way(found.values | step.values, step.moves or found.moves, max(found.days, step.days))
        return found

    def _step(self, entity: Entity, condition: Condition, among: tuple[Condition, ...]) -> Way | None:
        """Find what makes one condition hold."""
        field = designs.field_of(entity, condition.field)
        if field is None:
            return None
        if entity.machine is not None and field.name == entity.machine.field:
            moves = self._moves_to(entity, condition)
            return None if moves is None else Way({}, moves)
        if field.managed:
            days = self._days_until(entity, condition)
            return None if days is None else Way({}, days=days)
        if _looks_back(condition) and not any(_looks_ahead(other) for other in among):
            return self._wait(entity, field)
        fitting = self.fitting(condition, entity)
        return None if fitting is None else Way({field.name: fitting})

    def _wait(self, entity: Entity, field: FieldSpec) -> Way | None:
        """Let time pass until a given date lies behind: its order with others stays as recipes have it."""
        value = self._values(entity).get(field.name)
        if value is None or field.type not in _TIMES:
            return None
        hours = 24 if value.kind == "day" else 1
        return Way({}, days=max(0, (value.offset + 5 * value.step) * hours // 24) + 2)

    def against(self, entity: Entity, conditions: Iterable[Condition]) -> Way | None:
        """Find a way to a record for which some condition does not hold."""
        for condition in conditions:
            if condition.operator is Operator.IN:
                field = designs.field_of(entity, condition.field)
                values = condition.value if isinstance(condition.value, tuple) else ()
                rest = tuple(v for v in field.values if v not in values) if field else ()
                opposite = condition.model_copy(update={"value": rest})
            else:
                opposite = condition.model_copy(update={"operator": OPPOSITES[condition.operator]})
            way = self.way(entity, (opposite,))
            if way is not None:
                return way
        return None

    def moves_to_state(self, entity: Entity, states: Iterable[str]) -> tuple[str, ...] | None:
        """Find the shortest series of moves from the initial state to one of the states."""
        machine = entity.machine
        if machine is None:
            return None
        wanted = set(states)
        queue: deque[tuple[str, tuple[str, ...]]] = deque([(machine.initial, ())])
        seen = {machine.initial}
        while queue:
            state, path = queue.popleft()
            if state in wanted:
                return path
            for move in machine.transitions:
                if state in move.sources and move.target not in seen and self._is_free(entity, move):
                    seen.add(move.target)
                    queue.append((move.target, (*path, move.name)))
        return None

    def _is_free(self, entity: Entity, move: Transition) -> bool:
        """Say whether a record as recipes make it may make a move."""
        return self.allowed(entity, move.name, move.when)

    def allowed(self, entity: Entity, action: str, further: tuple[Condition, ...] = ()) -> bool:
        """Say whether every guard of an action surely lets a record pass that is as recipes make it."""
        conditions = list(further)
        for rule in self._rules:
            if isinstance(rule, TransitionRule) and rule.entity == entity.name and rule.action == action:
                conditions += rule.requires
        values = self._values(entity) if conditions else {}
        if entity.machine is not None:
            values[entity.machine.field] = ValueDesign(kind="constant", value=entity.machine.initial)
        return all(_holds(condition, values.get(condition.field)) for condition in conditions)

    def _moves_to(self, entity: Entity, condition: Condition) -> tuple[str, ...] | None:
        machine = entity.machine
        if machine is None or condition.other is not None:
            return None
        values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
        if condition.operator in {Operator.EQ, Operator.IN}:
            return self.moves_to_state(entity, [str(value) for value in values])
        if condition.operator is Operator.NE:
            return self.moves_to_state(entity, [state for state in machine.states if state not in values])
        return None

    def _days_until(self, entity: Entity, condition: Condition) -> int | None:
        """Say how many days must pass until a derived field lies before the present."""
        derivation = next((d for d in entity.derivations if d.field == condition.field), None)
        machine = entity.machine
        stamps = {move.stamps for move in machine.transitions} if machine else set()
        if condition.operator is Operator.IS_NULL and condition.field in stamps:
            return 0
        if derivation is None or derivation.base != "now" or condition.other not in {"now", "today"}:
            return None
        if condition.operator in {Operator.LT, Operator.LE}:
            return derivation.days + derivation.hours // 24 + 2
        return 0 if derivation.days or derivation.hours else None

    def fitting(self, condition: Condition, entity: Entity) -> ValueDesign | None:
        """Give a value of a given field for which a condition holds; None when none is found."""
        field = designs.field_of(entity, condition.field)
        if field is None or field.type is FieldType.REFERENCE:
            return None
        if condition.operator is Operator.NOT_NULL:
            return self._value(field, entity)
        if condition.operator is Operator.IS_NULL:
            return None if field.required else ValueDesign(kind="constant", value=None)
        if condition.other in {"now", "today"} and field.type in _TIMES:
            return _beside_now(condition.operator, field)
        if condition.other is not None:
            return None
        return _fitting_value(condition, field)


def _looks_back(condition: Condition) -> bool:
    return condition.other in {"now", "today"} and condition.operator in {Operator.LT, Operator.LE}


def _looks_ahead(condition: Condition) -> bool:
    return condition.other in {"now", "today"} and condition.operator in {Operator.GT, Operator.GE}


def _holds(condition: Condition, value: ValueDesign | None) -> bool:
    """Say whether a condition surely holds for a value."""
    if value is None or value.kind not in {"constant", "number"} or condition.other is not None:
        return False
    own, wanted = value.value, condition.value
    if condition.operator is Operator.IN:
        return isinstance(wanted, tuple) and own in wanted
    if condition.operator is Operator.EQ:
        return own == wanted
    if condition.operator is Operator.NE:
        return own != wanted
    if not isinstance(own, int | float) or not isinstance(wanted, int | float):
        return False
    compared = {Operator.LT: own < wanted, Operator.LE: own <= wanted, Operator.GT: own > wanted}
    return compared.get(condition.operator, own >= wanted if condition.operator is Operator.GE else False)


def _fitting_value(condition: Condition, field: FieldSpec) -> ValueDesign | None:
    value = condition.value[0] if isinstance(condition.value, tuple) and condition.value else condition.value
    if isinstance(value, tuple):
        return None
    if condition.operator in {Operator.EQ, Operator.LE, Operator.GE, Operator.IN}:
        return ValueDesign(kind="constant", value=value)
    if field.type is FieldType.BOOLEAN:
        return ValueDesign(kind="constant", value=not value)
    if field.type is FieldType.ENUM:
        other = next((v for v in field.values if v != value), None)
        return ValueDesign(kind="constant", value=other) if other else None
    if field.numbers and isinstance(value, int | float):
        others = [n for n in field.numbers if (n < value if condition.operator is Operator.LT else n > value)]
        return ValueDesign(kind="constant", value=others[0]) if others else None
    if field.type in _NUMBERS and isinstance(value, int | float):
        number = value - 1 if condition.operator is Operator.LT else value + 1
        if (field.minimum is not None and number < field.minimum) or (
            field.maximum is not None and number > field.maximum
        ):
            return None
        return ValueDesign(kind="number", value=number)
    return None


def _beside_now(operator: Operator, field: FieldSpec) -> ValueDesign:
    days = -2 if operator in {Operator.LT, Operator.LE} else 2
    if field.type is FieldType.DATE:
        return ValueDesign(kind="day", offset=days)
    return ValueDesign(kind="moment", offset=24 * days)


def _later(value: ValueDesign, than: ValueDesign) -> ValueDesign:
    """Move a value behind another one."""
    if value.kind == "day" and than.kind in {"day", "moment"}:
        base = than.offset if than.kind == "day" else than.offset // 24
        return value.model_copy(update={"offset": max(value.offset, base + 1), "step": than.step})
    if value.kind == "moment" and than.kind in {"day", "moment"}:
        base = than.offset if than.kind == "moment" else than.offset * 24
        return value.model_copy(update={"offset": max(value.offset, base + 2), "step": than.step})
    if value.kind == "number" and than.kind == "number":
        return value.model_copy(update={"value": max(_number(value), _number(than) + 1), "step": than.step})
    if value.kind == "constant" and str(value.value or "").count(":") == 2:
        hour = int(str(than.value or "09:30:00")[:2]) + 1
        return value.model_copy(update={"value": f"{hour:02d}:30:00"})
    return value


def _number(value: ValueDesign) -> int | float:
    return value.value if isinstance(value.value, int | float) else 0


def _stepping(fitting: ValueDesign, usual: ValueDesign | None) -> ValueDesign:
    """Let days that differ from record to record, as those must that are unique, still do so, away from today."""
    if usual is None or not usual.step or fitting.step or not {fitting.kind, usual.kind} <= {"day", "moment"}:
        return fitting
    return fitting.model_copy(update={"step": abs(usual.step) * (1 if fitting.offset > 0 else -1)})


def _fitted(value: ValueDesign, operator: Operator, bound: ValueDesign) -> ValueDesign:
    """Move a value so that its comparison with a bound holds."""
    if value.kind == "number" and bound.kind == "number":
        number, limit = _number(value), _number(bound)
        holds = {
            Operator.LT: number < limit,
            Operator.LE: number <= limit,
            Operator.GT: number > limit,
            Operator.GE: number >= limit,
            Operator.EQ: number == limit,
            Operator.NE: number != limit,
        }
        shift = {Operator.LT: -1, Operator.GT: 1, Operator.NE: 1}.get(operator, 0)
        return value if holds.get(operator, True) else value.model_copy(update={"value": limit + shift})
    if value.kind == bound.kind and value.kind in {"day", "moment"} and bound.offset and not bound.step:
        return _beyond(value, operator, bound.offset)
    if value.kind in {"day", "moment"} and bound.kind == "day" and not bound.step:
        sign = -1 if operator in {Operator.LT, Operator.LE} else 1
        offset = abs(value.offset) * sign
        return value.model_copy(update={"offset": offset, "step": abs(value.step) * sign})
    return value


def _beyond(value: ValueDesign, operator: Operator, edge: int) -> ValueDesign:
    """Move a date or moment behind, or before, that of what it refers to."""
    length = 1 if value.kind == "day" else 24
    later = operator in {Operator.GT, Operator.GE}
    edge += {Operator.GT: length, Operator.LT: -length}.get(operator, 0)
    offset = max(value.offset, edge) if later else min(value.offset, edge)
    return value.model_copy(update={"offset": offset, "step": abs(value.step) * (1 if later else -1)})


def _text(field: FieldSpec) -> str:
    """Write a template of distinct texts that fit a field."""
    if field.pattern is not None:
        return sample(field.pattern, field.min_length or 0, field.max_length)
    words = field.name.replace("_", " ")
    template = f"{words[:1].upper()}{words[1:]} {{n}}"
    if field.max_length is not None and len(words) + 5 > field.max_length:
        return "{n:0" + str(max(field.min_length or 0, min(field.max_length, 4))) + "d}"
    missing = (field.min_length or 0) - len(words) - 2
    return template.replace("{n}", "{n:0" + str(missing + 1) + "d}") if missing > 0 else template
