"""Checks that a specification is closed: everything that a part of it names exists, and has the type that it needs.

Promises to find every such fault, each a sentence that begins with the JSON pointer of the part. Does not check that
rules can be satisfied together.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from typing import TYPE_CHECKING

from shared.software import fitness
from shared.software import specification as spec
from shared.software.structures import STRUCTURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,14}")
_IMPLICIT_FIELDS = frozenset({"id", "created_at", "updated_at"})
_STANDARD_ACTIONS = frozenset({"create", "update", "delete"})
_ALLOWED_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Load, ast.Constant,
    ast.IfExp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd, ast.Not,
    ast.And, ast.Or, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Attribute,
)  # fmt: skip


def faults(specification: spec.Specification) -> list[str]:
    """Name every fault of the specification; an empty list when it is closed."""
    entities = {entity.name: entity for entity in specification.entities}
    return [
        *_doubles("/entities", (entity.name for entity in specification.entities)),
        *_doubles("/entities (plural)", (entity.plural for entity in specification.entities)),
        *_doubles("/rules", (rule.name for rule in specification.rules)),
        *_doubles("/computations", (computation.name for computation in specification.computations)),
        *(
            f
            for i, entity in enumerate(specification.entities)
            for f in _entity_faults(f"/entities/{i}", entity, entities)
        ),
        *(f for i, rule in enumerate(specification.rules) for f in _rule_faults(f"/rules/{i}", rule, entities)),
        *(f for i, view in enumerate(specification.views) for f in _view_faults(f"/views/{i}", view, entities)),
        *_doubles("/reports", (report.name for report in specification.reports)),
        *(
            f
            for i, report in enumerate(specification.reports)
            for f in _report_faults(f"/reports/{i}", report, entities)
        ),
        *(
            f
            for i, part in enumerate(specification.listings)
            for f in _listing_faults(f"/listings/{i}", part, entities)
        ),
        *(f for i, c in enumerate(specification.computations) for f in _computation_faults(f"/computations/{i}", c)),
        *_face_faults(specification, entities),
    ]


def _doubles(pointer: str, names: Iterable[str]) -> list[str]:
    return [f"{pointer}: {name} is there {count} times" for name, count in Counter(names).items() if count > 1]


def _fields(entity: spec.Entity) -> dict[str, spec.FieldSpec]:
    return {field.name: field for field in entity.fields}


def _field_known(name: str, entity: spec.Entity, entities: dict[str, spec.Entity]) -> bool:
    head, _, tail = name.partition(".")
    if head in _IMPLICIT_FIELDS and not tail:
        return True
    field = _fields(entity).get(head)
    if field is None or not tail:
        return field is not None
    target = entities.get(field.target or "")
    return target is not None and _field_known(tail, target, entities)


def _entity_faults(pointer: str, entity: spec.Entity, entities: dict[str, spec.Entity]) -> Iterator[str]:
    yield from _doubles(f"{pointer}/fields", (field.name for field in entity.fields))
    for i, field in enumerate(entity.fields):
        yield from _field_faults(f"{pointer}/fields/{i}", field, entities)
    for derivation in entity.derivations:
        for name in {derivation.field, derivation.base} - {"now"}:
            if not _field_known(name, entity, entities):
                yield f"{pointer}/derivations: {name} is no field of {entity.name}"
    yield from fitness.derivation_faults(pointer, entity, entities)
    if entity.label is not None and not _field_known(entity.label, entity, entities):
        yield f"{pointer}/label: {entity.label} is no field of {entity.name}"
    if entity.machine is not None:
        yield from _machine_faults(f"{pointer}/machine", entity, entity.machine, entities)


def _field_faults(pointer: str, field: spec.FieldSpec, entities: dict[str, spec.Entity]) -> Iterator[str]:
    if field.name in _IMPLICIT_FIELDS:
        yield f"{pointer}: {field.name} is given by the software"
    if field.type is spec.FieldType.REFERENCE and field.target not in entities:
        yield f"{pointer}: refers to {field.target}, which is no entity"
    if field.type is spec.FieldType.ENUM and not field.values:
        yield f"{pointer}: an enumeration needs values"
    if field.values and field.type is not spec.FieldType.ENUM:
        yield from _number_faults(pointer, field)
    if field.minimum is not None and field.maximum is not None and field.minimum > field.maximum:
        yield f"{pointer}: minimum lies over maximum"


def _number_faults(pointer: str, field: spec.FieldSpec) -> Iterator[str]:
    """Name what is wrong with values of a field that is no enumeration of texts."""
    if field.type is not spec.FieldType.INTEGER:
        yield f"{pointer}: only enumerations and whole numbers have values"
    elif not all(_WHOLE.fullmatch(value) for value in field.values):
        yield f"{pointer}: the values of a whole number are whole numbers"
    elif list(field.numbers) != sorted(set(field.numbers)):
        yield f"{pointer}: the values of a whole number rise"
    elif (field.minimum, field.maximum) != (field.numbers[0], field.numbers[-1]):
        yield f"{pointer}: the bounds of a whole number with values are the least and the greatest of them"


def _machine_faults(
    pointer: str, entity: spec.Entity, machine: spec.StateMachine, entities: dict[str, spec.Entity]
) -> Iterator[str]:
    field = _fields(entity).get(machine.field)
    if field is None or field.type is not spec.FieldType.ENUM or tuple(field.values) != machine.states:
        yield f"{pointer}: {machine.field} must be an enumeration field with the machine's states"
    yield from _doubles(f"{pointer}/transitions", (transition.name for transition in machine.transitions))
    named = {machine.initial}.union(*({t.target, *t.sources} for t in machine.transitions))
    for state in sorted(named - set(machine.states)):
        yield f"{pointer}: {state} is no state"
    for transition in machine.transitions:
        if transition.stamps is not None and transition.stamps not in _fields(entity):
            yield f"{pointer}: {transition.name} stamps {transition.stamps}, which is no field"
        yield from _condition_faults(pointer, transition.when, entity, entities)


def _condition_faults(
    pointer: str, conditions: tuple[spec.Condition, ...], entity: spec.Entity, entities: dict[str, spec.Entity]
) -> Iterator[str]:
    for condition in conditions:
        named = {condition.field, condition.other or condition.field} - {"now", "today"}
        for name in sorted(named):
            if not _field_known(name, entity, entities):
                yield f"{pointer}: {name} is no field of {entity.name}"
    yield from fitness.condition_faults(pointer, conditions, entity, entities)


def _rule_faults(pointer: str, rule: spec.Rule, entities: dict[str, spec.Entity]) -> Iterator[str]:
    entity = entities.get(rule.entity)
    if entity is None:
        yield f"{pointer}: {rule.entity} is no entity"
        return
    for name in _own_fields(rule):
        if not _field_known(name, entity, entities):
            yield f"{pointer}: {name} is no field of {entity.name}"
    if isinstance(rule, spec.TransitionRule):
        moves = {t.name for t in entity.machine.transitions} if entity.machine else set()
        if rule.action not in moves | _STANDARD_ACTIONS:
            yield f"{pointer}: {rule.action} is no action of {entity.name}"
        yield from _condition_faults(pointer, rule.requires, entity, entities)
    elif isinstance(rule, spec.AggregateRule | spec.ReferencedRule):
        yield from _child_faults(pointer, rule, entities)
    else:
        yield from _condition_faults(pointer, getattr(rule, "when", ()), entity, entities)
    yield from _further_faults(pointer, rule, entity, entities)
    yield from fitness.rule_faults(pointer, rule, entity, entities)


def _further_faults(
    pointer: str, rule: spec.Rule, entity: spec.Entity, entities: dict[str, spec.Entity]
) -> Iterator[str]:
    match rule:
        case spec.CapacityRule():
            yield from _limit_faults(pointer, rule, entity, entities)
        case spec.ComputedRule():
            yield from expression_faults(pointer, rule.expression, _numbers_of(entity, entities))
        case spec.EffectRule():
            moves = {t.name for t in entity.machine.transitions} if entity.machine else set()
            if rule.action not in moves | {"create"}:
                yield f"{pointer}: {rule.action} is no action of {entity.name}"
        case _:
            pass


def _own_fields(rule: spec.Rule) -> list[str]:
    match rule:
        case spec.UniqueRule():
            return list(rule.fields)
        case spec.RangeRule():
            return [rule.field, *([rule.other] if rule.other else [])]
        case spec.OrderedRule():
            return [rule.before, rule.after]
        case spec.NoOverlapRule():
            return [rule.start, rule.end, *rule.per]
        case spec.CapacityRule():
            return [rule.reference, *([rule.weight_field] if rule.weight_field else [])]
        case spec.QuotaRule():
            return [name for name in (rule.reference, *rule.also, rule.weight_field, rule.period_field) if name]
        case spec.AggregateRule() | spec.ComputedRule():
            return [rule.field]
        case spec.EffectRule():
            return [rule.reference, f"{rule.reference}.{rule.field}", *([rule.amount] if rule.amount else [])]
        case _:
            return []


def _limit_faults(
    pointer: str, rule: spec.CapacityRule, entity: spec.Entity, entities: dict[str, spec.Entity]
) -> Iterator[str]:
    reference = _fields(entity).get(rule.reference)
    parent = entities.get(reference.target or "") if reference else None
    if parent is None or rule.limit_field not in _fields(parent):
        yield f"{pointer}: {rule.limit_field} is no field of what {rule.reference} refers to"


def _child_faults(
    pointer: str, rule: spec.AggregateRule | spec.ReferencedRule, entities: dict[str, spec.Entity]
) -> Iterator[str]:
    child = entities.get(rule.of)
    if child is None:
        yield f"{pointer}: {rule.of} is no entity"
        return
    reference = _fields(child).get(rule.reference)
    if reference is None or reference.target != rule.entity:
        yield f"{pointer}: {rule.reference} does not refer from {rule.of} to {rule.entity}"
    yield from _condition_faults(pointer, rule.when, child, entities)
    if isinstance(rule, spec.AggregateRule) and rule.expression is not None:
        yield from expression_faults(pointer, rule.expression, _numbers_of(child, entities))


def _numbers_of(entity: spec.Entity, entities: dict[str, spec.Entity]) -> set[str]:
    """Name what an expression over an entity may use: its fields, and those of what it refers to (`product.price`)."""
    own = _fields(entity)
    through = {
        f"{name}.{tail}"
        for name, field in own.items()
        if field.target in entities
        for tail in _fields(entities[field.target or ""])
    }
    return set(own) | through


def _view_faults(pointer: str, view: spec.View, entities: dict[str, spec.Entity]) -> Iterator[str]:
    entity = entities.get(view.entity)
    if entity is None:
        yield f"{pointer}: {view.entity} is no entity"
        return
    yield from _condition_faults(pointer, view.when, entity, entities)
    if view.sort is not None and not _field_known(view.sort, entity, entities):
        yield f"{pointer}: {view.sort} is no field of {view.entity}"


_TELLING = frozenset(
    {
        spec.FieldType.ENUM,
        spec.FieldType.BOOLEAN,
        spec.FieldType.STRING,
        spec.FieldType.INTEGER,
        spec.FieldType.DATE,
        spec.FieldType.DATETIME,
    }
)
_DAYS = frozenset({spec.FieldType.DATE, spec.FieldType.DATETIME})
_NUMBERS = frozenset({spec.FieldType.INTEGER, spec.FieldType.DECIMAL, spec.FieldType.NUMBER})


def _report_faults(pointer: str, report: spec.Report, entities: dict[str, spec.Entity]) -> Iterator[str]:
    entity = entities.get(report.entity)
    if entity is None:
        yield f"{pointer}: {report.entity} is no entity"
        return
    by, of = _fields(entity).get(report.by), _fields(entity).get(report.of or "")
    if by is None or by.type not in _TELLING:
        yield f"{pointer}: {report.by} is no field of {report.entity} whose values can be told apart"
    elif (report.period is None) is (by.type in _DAYS):
        yield f"{pointer}: dates and moments, and only they, are told apart by a period"
    if (report.of is None) is not (report.function == "count"):
        yield f"{pointer}: a count is of no field, every other figure of one"
    elif report.of is not None and (of is None or of.type not in _NUMBERS):
        yield f"{pointer}: {report.of} is no numeric field of {report.entity}"
    yield from _condition_faults(pointer, report.when, entity, entities)


def _listing_faults(pointer: str, listing: spec.Listing, entities: dict[str, spec.Entity]) -> Iterator[str]:
    entity = entities.get(listing.entity)
    if entity is None:
        yield f"{pointer}: {listing.entity} is no entity"
        return
    for name in (*listing.filters, *listing.search, *listing.sort):
        if not _field_known(name, entity, entities):
            yield f"{pointer}: {name} is no field of {listing.entity}"


def _computation_faults(pointer: str, computation: spec.Computation) -> Iterator[str]:
    names = {parameter.name for parameter in computation.parameters}
    if bool(computation.cases) == bool(computation.algorithm):
        yield f"{pointer}: needs either cases or an algorithm"
    for case in computation.cases:
        yield from expression_faults(pointer, case.expression, names)
    for case in (*computation.cases, *computation.refuses):
        if case.when is not None:
            yield from expression_faults(pointer, case.when, names)
    for example in computation.examples:
        for name in sorted(set(example.arguments) - names):
            yield f"{pointer}: the example gives {name}, which is no parameter"


def expression_faults(pointer: str, expression: str, names: set[str]) -> Iterator[str]:
    """Name every fault of an expression: its syntax, what it may not hold, and the names that it does not know."""
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield f"{pointer}: {expression!r} is no expression"
        return
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED_NODES):
            yield f"{pointer}: {type(node).__name__} may not stand in an expression"
        elif isinstance(node, ast.Attribute) and ast.unparse(node) not in names:
            yield f"{pointer}: {ast.unparse(node)} is unknown in {expression!r}"
        elif isinstance(node, ast.Name) and node.id not in names | called:
            yield f"{pointer}: {node.id} is unknown in {expression!r}"
    for name in sorted(called - spec.EXPRESSION_CALLS):
        yield f"{pointer}: {name}() may not be called"


def _face_faults(specification: spec.Specification, entities: dict[str, spec.Entity]) -> Iterator[str]:
    for i, structure in enumerate(specification.structures):
        if structure.name not in STRUCTURES:
            yield f"/structures/{i}: {structure.name} is no data structure of the catalogue"
    if specification.structures and specification.kind is not spec.Kind.LIBRARY:
        yield "/structures: only a library offers data structures"
    for i, relation in enumerate(specification.relations):
        for name in (relation.left, relation.right):
            if name not in entities:
                yield f"/relations/{i}: {name} is no entity"
    commands = specification.command_line.commands if specification.command_line else ()
    yield from _target_faults("/endpoints", specification.endpoints, specification, entities)
    yield from _target_faults("/command_line/commands", commands, specification, entities)
    yield from _doubles("/endpoints", (f"{endpoint.method} {endpoint.path}" for endpoint in specification.endpoints))
    yield from _doubles("/command_line/commands", (command.name for command in commands))
    if specification.library is not None:
        yield from _library_faults(specification.library, specification, entities)


def _target_faults(
    pointer: str,
    parts: Iterable[spec.Endpoint | spec.Command],
    specification: spec.Specification,
    entities: dict[str, spec.Entity],
) -> Iterator[str]:
    targets = {t.name for entity in specification.entities if entity.machine for t in entity.machine.transitions}
    for named in (specification.views, specification.reports, specification.computations, specification.relations):
        targets |= {part.name for part in named}
    for i, part in enumerate(parts):
        if part.entity is not None and part.entity not in entities:
            yield f"{pointer}/{i}: {part.entity} is no entity"
        if part.target is not None and part.target not in targets:
            yield f"{pointer}/{i}: {part.target} is no transition, view, report, relation or computation"


def _library_faults(
    face: spec.LibraryFace, specification: spec.Specification, entities: dict[str, spec.Entity]
) -> Iterator[str]:
    for name in face.stores:
        if name not in entities:
            yield f"/library: {name} is no entity"
    for name in face.functions:
        if name not in {computation.name for computation in specification.computations}:
            yield f"/library: {name} is no computation"
    for name in face.structures:
        if name not in {structure.name for structure in specification.structures}:
            yield f"/library: {name} is no structure"
