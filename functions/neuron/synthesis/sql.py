"""Writes parts of a specification as SQL in the dialect of SQLite: types, literals, conditions, expressions.

How values are kept: booleans as 0 and 1; decimals as integers, scaled by ten to the power of their `scale`, so that
sums and comparisons are exact; dates, times and datetimes as ISO 8601 text whose order is that of time (datetimes in
UTC). Conditions may use the parameters `:now` and `:today`, which whoever runs them must bind.
"""

from __future__ import annotations

import ast
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from shared.software import designs
from shared.software.specification import AggregateRule, ComputedRule, Condition, Entity, FieldSpec, FieldType, Operator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.software.specification import Scalar, Specification

SqlType = Literal["INTEGER", "TEXT", "REAL"]

_TYPES: Final[dict[FieldType, SqlType]] = {
    FieldType.INTEGER: "INTEGER",
    FieldType.DECIMAL: "INTEGER",
    FieldType.BOOLEAN: "INTEGER",
    FieldType.REFERENCE: "INTEGER",
    FieldType.NUMBER: "REAL",
}
_COMPARISONS: Final = {
    Operator.EQ: "=",
    Operator.NE: "<>",
    Operator.LT: "<",
    Operator.LE: "<=",
    Operator.GT: ">",
    Operator.GE: ">=",
}
_KEYWORDS: Final = frozenset(
    """
    abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade
    case cast check collate column commit conflict constraint create cross current current_date current_time
    current_timestamp database default deferrable deferred delete desc detach distinct do drop each else end escape
    except exclude exclusive exists explain fail filter first following for foreign from full generated glob group
    groups having if ignore immediate in index indexed initially inner insert instead intersect into is isnull join key
    last left like limit match materialized natural no not nothing notnull null nulls of offset on or order others
    outer over partition plan pragma preceding primary query raise range recursive references regexp reindex release
    rename replace restrict returning right rollback row rows savepoint select set table temp temporary then ties to
    transaction trigger unbounded union unique update using vacuum values view virtual when where window with
    without
    """.split()  # noqa: SIM905 (a list of 150 words)
)


def quoted(name: str) -> str:
    """Quote a name when SQL would read it as a word of its own."""
    return f'"{name}"' if name in _KEYWORDS else name


def column_type(field: FieldSpec) -> SqlType:
    """Give the type of the column that keeps a field."""
    return _TYPES.get(field.type, "TEXT")


def scaled(value: object, scale: int) -> int:
    """Give a decimal as the integer that the database keeps; rounds half even."""
    return int((Decimal(str(value)) * 10**scale).to_integral_value())


def literal(value: Scalar, field: FieldSpec | None) -> str:
    """Write a value of a field as a SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if field is not None and field.type is FieldType.DECIMAL:
        return str(scaled(value, field.scale))
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


class Dialect:
    """Writes conditions and expressions over the entities of one specification."""

    def __init__(self, specification: Specification) -> None:
        self._entities = {entity.name: entity for entity in specification.entities}
        self._aggregates: dict[str, list[AggregateRule | ComputedRule]] = {}
        for rule in specification.rules:
            if isinstance(rule, AggregateRule | ComputedRule):
                self._aggregates.setdefault(rule.entity, []).append(rule)

    def aggregates(self, entity: Entity) -> list[AggregateRule | ComputedRule]:
        """Give the rules whose fields are computed when the entity is read."""
        return self._aggregates.get(entity.name, [])

    def source(self, entity: Entity) -> str:
        """Name what is selected from: the table, or the view that adds its aggregates."""
        return f"{entity.name}_details" if self.aggregates(entity) else designs.table(entity)

    def column(self, name: str, entity: Entity, alias: str) -> tuple[str, FieldSpec | None]:
        """Write a field, possibly through one reference (`member.active`), as a SQL expression."""
        head, _, tail = name.partition(".")
        field = designs.field_of(entity, head)
        computed = next((rule for rule in self.aggregates(entity) if rule.field == head), None)
        if computed is not None and not tail and alias == quoted(designs.table(entity)):
            return self.aggregate(computed), field  # the table itself has no such column
        own = f"{alias}." if alias else ""
        own += quoted(designs.attribute(field) if field else head)
        if not tail:
            return own, field
        target = self._entities[field.target or ""] if field else entity
        last = designs.field_of(target, tail)
        source = quoted(self.source(target))
        inner = quoted(designs.attribute(last) if last else tail)
        return f"(SELECT {inner} FROM {source} AS parent WHERE parent.id = {own})", last  # noqa: S608 (names)

    def condition(self, condition: Condition, entity: Entity, alias: str) -> str:
        """Write a condition on a row called `alias` (empty: the row that the statement is about)."""
        left, field = self.column(condition.field, entity, alias)
        if condition.operator is Operator.IS_NULL:
            return f"{left} IS NULL"
        if condition.operator is Operator.NOT_NULL:
            return f"{left} IS NOT NULL"
        if condition.operator is Operator.IN:
            values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
            return f"{left} IN ({', '.join(literal(value, field) for value in values)})"
        if condition.other is None:
            return self._compared(left, condition, field)
        return f"{left} {_COMPARISONS[condition.operator]} {self._other(condition.other, field, entity, alias)}"

    def _compared(self, left: str, condition: Condition, field: FieldSpec | None) -> str:
        value = None if isinstance(condition.value, tuple) else condition.value
        if value is None:
            return f"{left} IS NULL" if condition.operator is Operator.EQ else f"{left} IS NOT NULL"
        return f"{left} {_COMPARISONS[condition.operator]} {literal(value, field)}"

    def _other(self, other: str, field: FieldSpec | None, entity: Entity, alias: str) -> str:
        if other in {"now", "today"}:
            is_date = field is not None and field.type is FieldType.DATE
            return ":today" if is_date or other == "today" else ":now"
        right, last = self.column(other, entity, alias)
        if field is not None and last is not None and field.type is last.type is FieldType.DECIMAL:
            return _rescaled(right, last.scale, field.scale)
        return right

    def conditions(self, conditions: Iterable[Condition], entity: Entity, alias: str) -> str:
        """Write conditions that must all hold; empty when there are none."""
        return " AND ".join(self.condition(condition, entity, alias) for condition in conditions)

    def aggregate(self, rule: AggregateRule | ComputedRule) -> str:
        """Write the value of an aggregate, or of a computed field, for the row of the entity's own table."""
        if isinstance(rule, ComputedRule):
            return self._computed(rule)
        parent, child = self._entities[rule.entity], self._entities[rule.of]
        reference = designs.field_of(child, rule.reference)
        field = designs.field_of(parent, rule.field)
        link = quoted(designs.attribute(reference) if reference else rule.reference)
        where = f"child.{link} = {quoted(designs.table(parent))}.id"
        if rule.when:
            where += f" AND {self.conditions(rule.when, child, 'child')}"
        value = self._function(rule, child, field)
        return f"(SELECT {value} FROM {quoted(self.source(child))} AS child WHERE {where})"  # noqa: S608 (names)

    def _computed(self, rule: ComputedRule) -> str:
        entity = self._entities[rule.entity]
        field = designs.field_of(entity, rule.field)
        sql, scale = self.expression(rule.expression, entity, quoted(designs.table(entity)))
        if field is not None and field.type is FieldType.DECIMAL:
            return _rescaled(sql, scale, field.scale)
        return f"{sql} / {10.0**scale!r}" if scale else sql

    def _function(self, rule: AggregateRule, child: Entity, field: FieldSpec | None) -> str:
        if rule.function == "count" or rule.expression is None:
            return "count(*)"
        sql, scale = self.expression(rule.expression, child, "child")
        name = {"sum": "sum", "minimum": "min", "maximum": "max", "average": "avg"}[rule.function]
        total = f"{name}({sql})"
        if rule.function == "sum":
            total = f"coalesce({total}, 0)"
        if field is not None and field.type is FieldType.DECIMAL:
            return _rescaled(total, scale, field.scale, exact=rule.function != "average")
        if scale:
            return f"{total} / {10.0**scale!r}"
        if rule.function == "average" and field is not None and field.type is FieldType.INTEGER:
            return f"CAST(round({total}) AS INTEGER)"
        return total

    def expression(self, text: str, entity: Entity, alias: str) -> tuple[str, int | None]:
        """Write an arithmetic expression over an entity's fields.

        Returns:
            The SQL, and the power of ten by which its value is scaled (None: a floating-point number).
        """
        return self._arithmetic(ast.parse(text, mode="eval").body, entity, alias)

    def _arithmetic(self, node: ast.expr, entity: Entity, alias: str) -> tuple[str, int | None]:
        match node:
            case ast.Constant(value=int() as value):
                return str(int(value)), 0
            case ast.Constant(value=float() as value):
                digits = max(0, -int(Decimal(repr(value)).as_tuple().exponent))
                return str(scaled(repr(value), digits)), digits
            case ast.Name(id=name):
                column, field = self.column(name, entity, alias)
                return column, _scale(field)
            case ast.Attribute(value=ast.Name(id=head), attr=tail):
                column, field = self.column(f"{head}.{tail}", entity, alias)
                return column, _scale(field)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner, scale = self._arithmetic(operand, entity, alias)
                return f"-{inner}", scale
            case ast.BinOp(left=left, op=op, right=right):
                return _combined(self._arithmetic(left, entity, alias), op, self._arithmetic(right, entity, alias))
        raise ValueError(f"{ast.unparse(node)} cannot be computed in SQL")


def _scale(field: FieldSpec | None) -> int | None:
    if field is not None and field.type is FieldType.DECIMAL:
        return field.scale
    return None if field is not None and field.type is FieldType.NUMBER else 0


def _combined(left: tuple[str, int | None], op: ast.operator, right: tuple[str, int | None]) -> tuple[str, int | None]:
    sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}.get(type(op))
    if sign is None:
        raise ValueError(f"{type(op).__name__} cannot be computed in SQL")
    (first, one), (second, other) = left, right
    if one is None or other is None:
        return f"({_float(first, one)} {sign} {_float(second, other)})", None
    if sign == "*":
        return f"({first} * {second})", one + other
    scale = max(one, other)
    return f"({_rescaled(first, one, scale)} {sign} {_rescaled(second, other, scale)})", scale


def _float(sql: str, scale: int | None) -> str:
    return f"({sql} / {10.0**scale!r})" if scale else sql


def _rescaled(sql: str, scale: int | None, wanted: int, *, exact: bool = True) -> str:
    """Bring a scaled value to another scale, rounded half up where digits are lost."""
    if scale is None:
        return f"CAST(round({sql} * {10**wanted}) AS INTEGER)"
    if scale == wanted and exact:
        return sql
    if scale <= wanted and exact:
        return f"{sql} * {10 ** (wanted - scale)}"
    return f"CAST(round({sql} / {10.0 ** (scale - wanted)!r}) AS INTEGER)"
