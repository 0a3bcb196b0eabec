"""Which rules look at the same fields, and which would refuse a record before another does."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from shared.software.specification import CapacityRule, NoOverlapRule, QuotaRule, UniqueRule

if TYPE_CHECKING:
    from shared.software.specification import Entity, FieldSpec, Specification


def ruled_fields(entity: Entity, specification: Specification) -> set[str]:
    """Name the fields on which a rule other than uniqueness looks."""
    found: set[str] = set()
    for rule in specification.rules:
        if isinstance(rule, UniqueRule):
            continue
        own = rule.entity == entity.name or getattr(rule, "of", None) == entity.name
        parts = rule.model_dump()
        conditions = [*parts.get("when", ()), *parts.get("requires", ())]
        named = [parts.get(key) for key in ("field", "before", "after", "start", "end", "weight_field", "period_field")]
        named += [parts.get("other"), *(parts.get("per") or ()), *(parts.get("also") or ())]
        named += [name for c in conditions for name in (c["field"], c["other"])]
        named += [parts.get("limit_field"), parts.get("expression"), parts.get("amount")]
        texts = [str(name) for name in named if name]
        if own:
            found |= {text.partition(".")[0] for text in texts}
        found |= {text.rpartition(".")[2] for text in texts}
        for text in texts:
            if not text.replace(".", "").replace("_", "").isalnum():
                found |= {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    found |= {derivation.base for derivation in entity.derivations}
    return found


def crowded(entity: Entity, fields: list[FieldSpec], specification: Specification) -> bool:
    """Say whether a change of the fields may meet another rule first."""
    named = {field.name for field in fields}
    return bool(named & ruled_fields(entity, specification)) or any(
        isinstance(rule, QuotaRule | CapacityRule) and rule.entity == entity.name and rule.reference in named
        for rule in specification.rules
    )


def refused_before(entity: Entity, rule: object, specification: Specification) -> bool:
    """Say whether another rule of the same entity would refuse a second one before this rule does."""
    fields = set(getattr(rule, "fields", ()))
    for other in specification.rules:
        if other is rule or other.entity != entity.name:
            continue
        if isinstance(other, NoOverlapRule) and set(other.per) <= fields and other.start in fields:
            return True
        if isinstance(other, QuotaRule) and other.limit < 2 and (other.reference is None or other.reference in fields):
            return True
    return False
