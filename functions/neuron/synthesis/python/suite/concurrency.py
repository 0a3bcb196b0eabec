"""Finds what tests try many times at once: a quota or a capacity that must hold all the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from functions.neuron.synthesis.python.suite.interplay import refused_before
from shared.software import designs
from shared.software.specification import CapacityRule, OperationKind, QuotaRule

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.suite.records import RecordWriter
    from shared.software.designs import ApiDesign, OperationDesign
    from shared.software.specification import Entity


def creations_at_once(writer: RecordWriter, api: ApiDesign) -> SimpleNamespace | None:
    """Give a quota or capacity on which many creations are tried at once."""
    for rule in writer.specification.rules:
        if not isinstance(rule, QuotaRule | CapacityRule) or rule.weight_field or rule.reference is None:
            continue
        if isinstance(rule, QuotaRule) and rule.period_field:
            continue
        entity = writer.specification.entity(rule.entity)
        way = writer.planner.way(entity, rule.when)
        limit = rule.limit if isinstance(rule, QuotaRule) else 2
        path = next((o.path for o in api.operations if _creates(o, entity)), None)
        if (
            way is None
            or way.moves
            or way.days
            or not 0 < limit <= 10
            or path is None
            or refused_before(entity, rule, writer.specification)
        ):
            continue
        shared = [rule.reference, *(rule.also if isinstance(rule, QuotaRule) else ())]
        setup, given = writer.agreeing(entity, shared)
        if isinstance(rule, CapacityRule):
            parent = designs.field_of(entity, rule.reference)
            holder = writer.specification.entity((parent.target if parent else None) or "")
            field = designs.field_of(holder, rule.limit_field)
            if field is None or field.managed or not (field.minimum or 0) <= limit <= (field.maximum or limit):
                continue
            setup = [line.replace("(world)", f"(world, {designs.attribute(field)}={limit})") for line in setup]
        arguments = ", ".join(["world", *given, *writer.overrides(entity, way)])
        values = f"valid_{entity.name}({arguments})"
        return SimpleNamespace(rule=rule.name, setup=setup, values=values, limit=limit, path=path)
    return None


def _creates(operation: OperationDesign, entity: Entity) -> bool:
    return operation.operation is OperationKind.CREATE and operation.entity == entity.name
