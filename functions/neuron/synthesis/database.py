"""Designs the database of a specification: tables, constraints, indexes, and views for aggregates.

Constraints stand twice: here, where they hold whatever writes to the file, and as checks in the services, which give
the refusal its words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.synthesis.sql import Dialect, column_type, literal, quoted
from shared.software import designs
from shared.software.designs import (
    AggregateDesign,
    ColumnDesign,
    DatabaseDesign,
    IndexDesign,
    TableDesign,
    ViewDesign,
)
from shared.software.specification import (
    CapacityRule,
    Condition,
    Entity,
    FieldSpec,
    FieldType,
    NoOverlapRule,
    QuotaRule,
    ReferencedRule,
    Relation,
    Specification,
    UniqueRule,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def design_database(specification: Specification) -> DatabaseDesign:
    """Design the tables (referenced ones first) and views of a specification."""
    dialect = Dialect(specification)
    tables = [_table(entity, specification, dialect) for entity in _in_order(specification.entities)]
    tables += [_link_table(relation, specification) for relation in specification.relations]
    views = [
        ViewDesign(
            name=dialect.source(entity),
            table=designs.table(entity),
            aggregates=tuple(
                AggregateDesign(name=rule.field, sql=dialect.aggregate(rule)) for rule in dialect.aggregates(entity)
            ),
        )
        for entity in specification.entities
        if dialect.aggregates(entity)
    ]
    return DatabaseDesign(tables=tuple(tables), views=tuple(views))


def _in_order(entities: tuple[Entity, ...]) -> list[Entity]:
    """Put what is referred to before what refers to it, as far as there is no circle."""
    by_name = {entity.name: entity for entity in entities}
    ordered: dict[str, Entity] = {}

    def visit(entity: Entity, above: frozenset[str]) -> None:
        if entity.name in ordered or entity.name in above:
            return
        for field in entity.fields:
            if field.target is not None:
                visit(by_name[field.target], above | {entity.name})
        ordered[entity.name] = entity

    for entity in entities:
        visit(entity, frozenset())
    return list(ordered.values())


def _table(entity: Entity, specification: Specification, dialect: Dialect) -> TableDesign:
    aggregated = {rule.field for rule in dialect.aggregates(entity)}
    kept = [field for field in entity.fields if field.name not in aggregated]
    stamps = (ColumnDesign(name="created_at", type="TEXT"), ColumnDesign(name="updated_at", type="TEXT"))
    columns = (
        ColumnDesign(name="id", type="INTEGER"),
        *(_column(field, entity, specification) for field in kept),
        *stamps,
    )
    indexes = (*_unique_indexes(entity, specification, dialect), *_look_up_indexes(entity, specification))
    return TableDesign(
        name=designs.table(entity),
        entity=entity.name,
        columns=columns,
        indexes=_without_doubles(indexes),
    )


def _column(field: FieldSpec, entity: Entity, specification: Specification) -> ColumnDesign:
    target = next((e for e in specification.entities if e.name == field.target), None)
    return ColumnDesign(
        name=designs.attribute(field),
        type=column_type(field),
        field=field.name,
        nullable=nullable(field, entity),
        checks=tuple(_column_checks(field)),
        references=designs.table(target) if target else None,
        on_delete=_on_delete(field, entity, specification) if target else None,
        no_case=field.type is FieldType.EMAIL,
    )


def nullable(field: FieldSpec, entity: Entity) -> bool:
    """Say whether a field may be without a value.

    Stamps are until their move is made, and the first of those that refer to their own kind has none to refer to.
    """
    if field.target == entity.name:
        return True
    machine = entity.machine
    if machine is not None and field.name == machine.field:
        return False
    if machine is not None and field.name in {transition.stamps for transition in machine.transitions}:
        return True
    derived = {derivation.field: derivation for derivation in entity.derivations}
    if field.name in derived:
        base = designs.field_of(entity, derived[field.name].base)
        return base is not None and base.name != field.name and nullable(base, entity)
    if field.managed and field.default is None:
        return True
    return not field.required and field.default is None


def presumed(field: FieldSpec, entity: Entity) -> bool:
    """Say whether the software gives a field a value when the input leaves it out."""
    return not field.managed and any(derivation.field == field.name for derivation in entity.derivations)


def _column_checks(field: FieldSpec) -> Iterator[str]:
    name = quoted(designs.attribute(field))
    if field.type is FieldType.BOOLEAN:
        yield f"{name} IN (0, 1)"
    if field.type is FieldType.ENUM:
        yield f"{name} IN ({', '.join(literal(value, field) for value in field.values)})"
    if field.numbers:
        yield f"{name} IN ({', '.join(map(str, field.numbers))})"
    elif field.type in {FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER}:
        if field.minimum is not None:
            yield f"{name} {'>' if field.exclusive_minimum else '>='} {literal(field.minimum, field)}"
        if field.maximum is not None:
            yield f"{name} {'<' if field.exclusive_maximum else '<='} {literal(field.maximum, field)}"


def _on_delete(field: FieldSpec, entity: Entity, specification: Specification) -> str:
    for rule in specification.rules:
        if isinstance(rule, ReferencedRule) and (rule.of, rule.reference) == (entity.name, field.name):
            if rule.cascade or (rule.when and field.required):
                return "CASCADE"
            if rule.when:
                return "SET NULL"
    return "RESTRICT"


def _unique_indexes(entity: Entity, specification: Specification, dialect: Dialect) -> Iterator[IndexDesign]:
    for rule in unique_rules(entity, specification):
        if not indexable(rule.when):
            continue
        columns = tuple(_column_of(name, entity) for name in rule.fields)
        yield IndexDesign(
            name=f"{designs.table(entity)}_{'_'.join(columns)}_key",
            columns=columns,
            unique=True,
            where=dialect.conditions(rule.when, entity, "") or None,
            rule=rule.name,
            message=rule.message,
        )


def unique_rules(entity: Entity, specification: Specification) -> list[UniqueRule]:
    """Give the entity's rules of uniqueness, with one for every unique field that no rule stands for."""
    rules = [rule for rule in specification.rules if isinstance(rule, UniqueRule) and rule.entity == entity.name]
    ruled = {rule.fields[0] for rule in rules if len(rule.fields) == 1 and not rule.when}
    added = [
        UniqueRule(
            name=f"{entity.name}_{field.name}"[:56].rstrip("_") + "_unique",
            entity=entity.name,
            message=f"Another {entity.name.replace('_', ' ')} has this {field.name.replace('_', ' ')}.",
            fields=(field.name,),
        )
        for field in entity.fields
        if field.unique and field.name not in ruled
    ]
    return [*rules, *added]


def indexable(conditions: tuple[Condition, ...]) -> bool:
    """Say whether a partial index can stand for the conditions: no look at other tables or at the clock."""
    return not any("." in condition.field or condition.other in {"now", "today"} for condition in conditions)


def _look_up_indexes(entity: Entity, specification: Specification) -> Iterator[IndexDesign]:
    name = designs.table(entity)
    for field in entity.fields:
        if field.type is FieldType.REFERENCE:
            column = designs.attribute(field)
            yield IndexDesign(name=f"{name}_{column}_index", columns=(column,))
    for rule in specification.rules:
        if isinstance(rule, NoOverlapRule) and rule.entity == entity.name:
            columns = tuple(_column_of(part, entity) for part in (*rule.per, rule.start))
            yield IndexDesign(name=f"{name}_{'_'.join(columns)}_index", columns=columns)
        elif isinstance(rule, QuotaRule | CapacityRule) and rule.entity == entity.name and rule.reference is None:
            column = _column_of(rule.period_field or "created_at", entity)
            yield IndexDesign(name=f"{name}_{column}_index", columns=(column,))


def _column_of(name: str, entity: Entity) -> str:
    field = designs.field_of(entity, name)
    return designs.attribute(field) if field is not None else name


def _without_doubles(indexes: tuple[IndexDesign, ...]) -> tuple[IndexDesign, ...]:
    """Leave out an index whose columns another one begins with."""
    kept: list[IndexDesign] = []
    for index in sorted(indexes, key=lambda i: (not i.unique, -len(i.columns))):
        width = len(index.columns)
        covered = any(other.columns[:width] == index.columns and other.where is None for other in kept)
        if index.unique or not covered:
            kept.append(index)
    return tuple(kept)


def _link_table(relation: Relation, specification: Specification) -> TableDesign:
    sides = [specification.entity(relation.left), specification.entity(relation.right)]
    columns = tuple(
        ColumnDesign(name=name, type="INTEGER", references=designs.table(side), on_delete="CASCADE")
        for name, side in zip(designs.link_columns(relation), sides, strict=True)
    )
    reverse = IndexDesign(name=f"{relation.name}_{columns[1].name}_index", columns=(columns[1].name,))
    return TableDesign(name=relation.name, relation=relation.name, columns=columns, indexes=(reverse,))
