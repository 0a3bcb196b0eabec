"""Writes the tests of rules that bound the value of a field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.software import designs
from shared.software.specification import FieldType, Operator

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.suite.records import RecordWriter
    from shared.software.specification import Entity, FieldSpec, RangeRule


class BoundTests:
    """The tests of bounds."""

    def __init__(self, writer: RecordWriter) -> None:
        self._writer = writer

    def of(self, rule: RangeRule) -> list[list[str]]:
        """Write that a value beyond its bound is refused."""
        entity = self._writer.specification.entity(rule.entity)
        field = designs.field_of(entity, rule.field)
        way = self._writer.planner.way(entity, rule.when) if not any("." in c.field for c in rule.when) else None
        if field is None or field.managed or way is None or way.moves or way.days:
            return []
        given = self._writer.overrides(entity, way)
        if rule.operator is Operator.NE and rule.other and "." not in rule.other and not given:
            return [self._writer.test(rule.name, rule.message, self._same_values(rule, entity, field))]
        lines, value = self._violation(rule, entity, field)
        if value is None:
            return []
        own = not rule.when and "." not in (rule.other or "")
        expected = f'refused_input("/{designs.attribute(field)}")' if own else f'refused_by_rule("{rule.name}")'
        parent = (
            [f'{self._writer.attribute(entity, (rule.other or "").partition(".")[0])}=parent["id"]'] if lines else []
        )
        arguments = ", ".join(["world", *given, *parent, f"{designs.attribute(field)}={value}"])
        lines += [f"with {expected}:", f"    make_{entity.name}({arguments})"]
        return [self._writer.test(rule.name, rule.message, lines)]

    def _same_values(self, rule: RangeRule, entity: Entity, field: FieldSpec) -> list[str]:
        """Write that two values that must differ are the same."""
        other, own = self._writer.attribute(entity, rule.other or ""), designs.attribute(field)
        return [
            f"values = valid_{entity.name}(world)",
            f'with refused_input("/{own}"):',
            f'    world.create("{entity.name}", values | {{"{own}": values["{other}"]}})',
        ]

    def _violation(self, rule: RangeRule, entity: Entity, field: FieldSpec) -> tuple[list[str], str | None]:
        """Write a value that breaks a range rule, with the parent that bounds it."""
        down = rule.operator in {Operator.GT, Operator.GE}
        if rule.value in {"now", "today"} or rule.other in {"now", "today"}:
            days = -3 if down else 3
            written = f"world.day({days})" if field.type is FieldType.DATE else f"world.moment({days * 24})"
            return [], written
        if rule.other is None and isinstance(rule.value, int | float):
            return [], self._beyond(rule.value, rule.operator, field)
        head, _, tail = (rule.other or "").partition(".")
        reference = designs.field_of(entity, head)
        if not tail:
            design = next((p.value for p in self._writer.recipes[entity.name].fields if p.field == head), None)
            if design is None or design.kind != "number" or design.step or not isinstance(design.value, int | float):
                return [], None
            return [], self._beyond(design.value, rule.operator, field)
        parent = self._writer.specification.entity((reference.target if reference else None) or "")
        limit = designs.field_of(parent, tail)
        if limit is None or limit.managed or limit.type not in {FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER}:
            return [], None
        bound = 5 if limit.minimum is None or limit.minimum <= 5 else limit.minimum
        value = self._beyond(bound, rule.operator, field)
        limited = f"{designs.attribute(limit)}={self._writer.number(bound, limit)}"
        made = f"parent = {self._writer.maker(parent.name)}(world, {limited})"
        return ([made], value) if value is not None else ([], None)

    def _beyond(self, bound: int | float, operator: Operator, field: FieldSpec) -> str | None:
        """Write the first whole step beyond a bound, where the field's own limits allow it."""
        shift = {Operator.LE: 1, Operator.LT: 0, Operator.GE: -1, Operator.GT: 0, Operator.NE: 0, Operator.EQ: 1}
        value = bound + shift.get(operator, 1)
        low, high = field.minimum, field.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            return None
        return self._writer.number(value, field)
