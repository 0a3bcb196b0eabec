"""Writes the tests of what the software keeps by itself: aggregates, computed values, dates that are left out."""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING

from functions.neuron.synthesis.database import presumed
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.functions import evaluated
from functions.neuron.synthesis.testing import Way
from shared.software import designs
from shared.software.fitness import expression_names
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.entities import EntityView
    from functions.neuron.synthesis.python.suite.records import RecordWriter
    from shared.software.specification import AggregateRule, ComputedRule, Entity, FieldSpec, Specification


class KeptTests:
    """The tests of values that the software keeps."""

    def __init__(self, writer: RecordWriter) -> None:
        self._writer = writer

    def of_aggregate(self, rule: AggregateRule) -> list[list[str]]:
        """Write that a parent tells of its children, and that a limit holds."""
        parent, child = self._writer.specification.entity(rule.entity), self._writer.specification.entity(rule.of)
        reference = designs.field_of(child, rule.reference)
        field = designs.field_of(parent, rule.field)
        views = self._writer.views
        way = self._writer.planner.way(child, rule.when)
        usable = views[child.name].can.create and views[parent.name].can.create and views[parent.name].can.get
        if reference is None or field is None or way is None or way.days or not usable:
            return []
        attribute = designs.attribute(reference)
        holder = names.variable(parent)
        lines = [f"{holder} = {self._writer.maker(parent.name)}(world)"]
        one = self._writer.reached(child, way, "made", [f'{attribute}={holder}["id"]'])
        lines += ["children = []", "for _ in range(2):", *(f"    {line}" for line in one), "    children.append(made)"]
        lines += [f'seen = world.get("{parent.name}", {holder}["id"])["{rule.field}"]']
        lines.append(f"assert {self._seen(field)} == {self._expected(rule, child)}")
        tests = [self._writer.test(rule.name, rule.message or f"{rule.field} is kept by the software", lines)]
        return tests + self._limit_test(rule, parent, child, way)

    def of_computed(self, rule: ComputedRule) -> list[list[str]]:
        """Write that a value follows from the others."""
        entity = self._writer.specification.entity(rule.entity)
        field = designs.field_of(entity, rule.field)
        if field is None:
            return []
        lines = [
            f"child = {self._writer.maker(entity.name)}(world)",
            f'seen = child["{rule.field}"]',
            f"assert {self._seen(field)} == {self._value_of(rule.expression, entity)}",
        ]
        return [self._writer.test(rule.name, rule.message or f"{rule.field} is kept by the software", lines)]

    def _limit_test(self, rule: AggregateRule, parent: Entity, child: Entity, way: Way) -> list[list[str]]:
        """Write that a child which takes an aggregate beyond its limit is refused."""
        excess = self._excess(rule, child) if rule.limit is not None and rule.function in {"sum", "maximum"} else None
        if excess is None:
            return []
        reference = designs.field_of(child, rule.reference)
        holder = names.variable(parent)
        given = [f'{designs.attribute(reference)}={holder}["id"]'] if reference else []
        made = self._writer.tried(child, way, [*given, excess])
        lines = [f"{holder} = {self._writer.maker(parent.name)}(world)", f'with refused_by_rule("{rule.name}"):']
        return [
            self._writer.test(f"{rule.name}_has_a_limit", rule.message, [*lines, *(f"    {line}" for line in made)])
        ]

    def _excess(self, rule: AggregateRule, child: Entity) -> str | None:
        """Write a value of one field with which a child's share alone lies beyond the limit."""
        values = {
            part.field: part.value.value
            for part in self._writer.recipes[child.name].fields
            if part.value.kind == "number"
        }
        environment = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
        own = [other for other in self._writer.specification.rules if other.entity == child.name]
        ruled = {getattr(other, key, None) for other in own for key in ("weight_field", "field", "before", "after")}
        for name in environment:
            field = designs.field_of(child, name)
            if field is None or name in ruled or name not in (rule.expression or ""):
                continue
            for candidate in (math.ceil(rule.limit or 0) + 1, 10 * math.ceil(rule.limit or 1) + 10):
                share = evaluated(rule.expression or "0", environment | {name: candidate})
                if share is not None and share > (rule.limit or 0) and candidate <= (field.maximum or candidate):
                    return f"{designs.attribute(field)}={self._writer.number(candidate, field)}"
        return None

    def _seen(self, field: FieldSpec) -> str:
        if field.type is FieldType.DECIMAL:
            return "Decimal(str(seen))"
        return "pytest.approx(seen)" if field.type is FieldType.NUMBER else "seen"

    def _expected(self, rule: AggregateRule, child: Entity) -> str:
        if rule.function == "count" or rule.expression is None:
            return "2"
        value = self._value_of(rule.expression, child)
        function = {"sum": "sum", "minimum": "min", "maximum": "max", "average": "sum"}[rule.function]
        total = f"{function}({value} for child in children)"
        return f"{total} / 2" if rule.function == "average" else total

    def _value_of(self, expression: str, child: Entity) -> str:
        """Write the value of an expression over the record `child`."""
        tree = ast.parse(expression, mode="eval").body
        exact = any(
            (f := self._operand(name, child)) is not None and f.type is FieldType.DECIMAL
            for name in expression_names(expression)
        )
        items = _Items(child, self._writer.specification, exact=exact)
        return ast.unparse(items.visit(tree)).replace("'", '"')

    def _operand(self, name: str, entity: Entity) -> FieldSpec | None:
        head, _, tail = name.partition(".")
        field = designs.field_of(entity, head)
        if field is None or not tail:
            return field
        return designs.field_of(self._writer.specification.entity(field.target or ""), tail)

    def of_presumed(self, view: EntityView) -> list[list[str]]:
        """Write that a date which is left out is given by the software."""
        found = []
        for derivation in view.entity.derivations:
            field = designs.field_of(view.entity, derivation.field)
            if field is None or not presumed(field, view.entity) or derivation.base != "now":
                continue
            attribute, days = designs.attribute(field), derivation.days + derivation.hours // 24
            date = field.type is FieldType.DATE
            wanted = f"world.day({days})" if date else f"world.moment({derivation.days * 24 + derivation.hours})"
            lines = [
                f"values = valid_{view.name}(world)",
                f'del values["{attribute}"]',
                f'made = world.create("{view.name}", values)',
                f'assert made["{attribute}"] == {wanted}',
            ]
            message = f"The {names.words(field.name)} that is left out is given by the software."
            found.append(self._writer.test(f"{view.name}_{field.name}_is_presumed", message, lines))
        return found


class _Items(ast.NodeTransformer):
    """Turns the names of an expression into look-ups in a child."""

    def __init__(self, child: Entity, specification: Specification, *, exact: bool) -> None:
        self._child = child
        self._specification = specification
        self._exact = exact

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Look a field of what the child refers to up."""
        head = node.value.id if isinstance(node.value, ast.Name) else ""
        field = designs.field_of(self._child, head)
        target = self._specification.entity((field.target if field else None) or "")
        last = designs.field_of(target, node.attr)
        own = designs.attribute(field) if field else head
        item = f'world.get("{target.name}", child["{own}"])["{designs.attribute(last) if last else node.attr}"]'
        return ast.parse(f"Decimal(str({item}))" if self._exact else item, mode="eval").body

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Look a field up; numbers become decimals where the sum is exact."""
        field = designs.field_of(self._child, node.id)
        name = designs.attribute(field) if field else node.id
        item = f'child["{name}"]'
        return ast.parse(f"Decimal(str({item}))" if self._exact else item, mode="eval").body

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Turn a fraction into a decimal where the sum is exact."""
        if not self._exact or not isinstance(node.value, float):
            return node
        return ast.parse(f'Decimal("{node.value!r}")', mode="eval").body
