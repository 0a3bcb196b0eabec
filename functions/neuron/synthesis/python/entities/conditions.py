"""Writes conditions of a specification as Python expressions over records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.synthesis.database import nullable
from functions.neuron.synthesis.python import names
from shared.software import designs
from shared.software.specification import (
    OPPOSITES,
    Condition,
    Entity,
    FieldSpec,
    FieldType,
    Operator,
    Scalar,
    Specification,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIGNS: Final = {
    Operator.EQ: "==",
    Operator.NE: "!=",
    Operator.LT: "<",
    Operator.LE: "<=",
    Operator.GT: ">",
    Operator.GE: ">=",
}


OPPOSITE_SIGNS: Final = {operator: _SIGNS[opposite] for operator, opposite in OPPOSITES.items() if opposite in _SIGNS}
"""The sign that says that a comparison does not hold."""


class Conditions:
    """Writes the conditions on records of one entity; parents stand in variables named after their entity's reference.

    Attributes:
        subject: The variable that holds the record.
    """

    def __init__(self, specification: Specification, entity: Entity, subject: str) -> None:
        self._specification = specification
        self._entity = entity
        self.subject = subject

    def all_of(self, conditions: Iterable[Condition]) -> str:
        """Write that every condition holds."""
        return " and ".join(self.holds(condition) for condition in conditions)

    def fails(self, conditions: Iterable[Condition]) -> str:
        """Write that some condition does not hold."""
        parts = [self.negated(condition) for condition in conditions]
        return " or ".join(f"({part})" if " and " in part and len(parts) > 1 else part for part in parts)

    def holds(self, condition: Condition) -> str:
        """Write that a condition holds; what has no value fulfils no comparison."""
        test = self._test(condition, condition.operator)
        missing = self._absent(condition)
        return " and ".join([*(f"{name} is not None" for name in missing), test])

    def negated(self, condition: Condition) -> str:
        """Write that a condition does not hold; a condition on a parent that is not there is not broken."""
        absent = self._absent(condition)
        parent = self.parent(condition)
        own = [f"{name} is None" for name in absent if name != parent]
        test = " or ".join([*own, self._negated_test(condition)])
        if parent in absent:
            return f"{parent} is not None and ({test})" if own else f"{parent} is not None and {test}"
        return test

    def parent(self, condition: Condition) -> str | None:
        """Name the variable of the parent that a condition looks at, if any."""
        head, _, tail = condition.field.partition(".")
        return names_of_parent(head, self._entity, self._specification) if tail else None

    def reference(self, condition: Condition) -> FieldSpec | None:
        """Give the reference that a condition looks through, if any."""
        head, _, tail = condition.field.partition(".")
        return designs.field_of(self._entity, head) if tail else None

    def _absent(self, condition: Condition) -> list[str]:
        """Name what may be None and must be asked before the comparison."""
        found = []
        reference = self.reference(condition)
        if reference is not None and nullable(reference, self._entity):
            found.append(self.parent(condition) or "")
        looks_at_null = condition.operator in {Operator.IS_NULL, Operator.NOT_NULL, Operator.NE, Operator.EQ}
        expression, field, owner = self._operand(condition.field)
        if field is not None and nullable(field, owner) and not looks_at_null:
            found.append(expression)
        if condition.other and condition.other not in {"now", "today"} and not looks_at_null:
            other, last, other_owner = self._operand(condition.other)
            if last is not None and nullable(last, other_owner):
                found.append(other)
        return found

    def _operand(self, name: str) -> tuple[str, FieldSpec | None, Entity]:
        head, _, tail = name.partition(".")
        field = designs.field_of(self._entity, head)
        if not tail:
            return f"{self.subject}.{designs.attribute(field) if field else head}", field, self._entity
        target = self._specification.entity((field.target if field else None) or "")
        last = designs.field_of(target, tail)
        variable = names_of_parent(head, self._entity, self._specification)
        return f"{variable}.{designs.attribute(last) if last else tail}", last, target

    def _negated_test(self, condition: Condition) -> str:
        if condition.operator is Operator.IN:
            expression, field, _ = self._operand(condition.field)
            return f"{expression} not in {names.literal(_tuple(condition), field)}"
        return self._test(condition, OPPOSITES[condition.operator])

    def _test(self, condition: Condition, operator: Operator) -> str:
        expression, field, _ = self._operand(condition.field)
        if operator is Operator.IS_NULL:
            return f"{expression} is None"
        if operator is Operator.NOT_NULL:
            return f"{expression} is not None"
        if operator is Operator.IN:
            return f"{expression} in {names.literal(_tuple(condition), field)}"
        if condition.other is not None:
            return f"{expression} {_SIGNS[operator]} {self._right(condition.other, field)}"
        if condition.value is None:
            return f"{expression} is None" if operator is Operator.EQ else f"{expression} is not None"
        if isinstance(condition.value, bool):
            positive = condition.value is (operator is Operator.EQ)
            return expression if positive else f"not {expression}"
        return f"{expression} {_SIGNS[operator]} {names.literal(condition.value, field)}"

    def _right(self, other: str, field: FieldSpec | None) -> str:
        if other in {"now", "today"}:
            return "now.date()" if field is not None and field.type is FieldType.DATE else "now"
        return self._operand(other)[0]


def _tuple(condition: Condition) -> tuple[Scalar, ...]:
    return condition.value if isinstance(condition.value, tuple) else (condition.value,)


def names_of_parent(reference: str, entity: Entity, specification: Specification) -> str:
    """Name the variable that holds what a reference points at."""
    field = designs.field_of(entity, reference)
    target = specification.entity((field.target if field else None) or "")
    if reference.removesuffix("_id") == target.name:
        return names.variable(target)
    return f"{reference.removesuffix('_id')}_{names.variable(target)}"


def uses_clock(conditions: Iterable[Condition]) -> bool:
    """Say whether a condition looks at the clock."""
    return any(condition.other in {"now", "today"} for condition in conditions)
