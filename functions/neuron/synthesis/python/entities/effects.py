"""Writes effects: functions of a service that change a number of another record, and the calls that apply them.

A record's effect stands as long as the record: a change takes the old one back and applies the new one, a deletion
takes it back. Of the two halves of a change, the one that adds to the number comes first, so that a change is refused
only for where it ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.synthesis.database import nullable
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities.conditions import Conditions
from functions.neuron.synthesis.python.entities.parts import Check
from functions.neuron.synthesis.python.entities.statements import refusal, unless_absent
from shared.software import designs

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.entities.view import EntityView
    from shared.software.specification import EffectRule, Entity, FieldSpec


def on_create(view: EntityView) -> list[str]:
    """Write the calls that let a new record take effect."""
    return [call(rule, view.var) for rule in _of_creation(view)]


def on_update(view: EntityView) -> list[str]:
    """Write the calls that let a change of a record take effect."""
    lines: list[str] = []
    for rule in _of_creation(view):
        halves = [call(rule, "before", "-1"), call(rule, view.var)]
        lines += halves if rule.direction == "decrease" else halves[::-1]
    return lines


def on_delete(view: EntityView) -> list[str]:
    """Write the calls that take the effect of a record back."""
    return [call(rule, view.var, "-1") for rule in _of_creation(view)]


def _of_creation(view: EntityView) -> list[EffectRule]:
    return [rule for rule in view.effects if rule.action == "create"]


def call(rule: EffectRule, record: str, times: str = "1") -> str:
    """Write the call that applies an effect; `times` -1 takes it back."""
    return f"_apply_{rule.name}(connection, {record}, {times})"


def function(rule: EffectRule, view: EntityView) -> Check:
    """Write the function that applies an effect."""
    reference = designs.field_of(view.entity, rule.reference)
    assert reference is not None  # noqa: S101  (a closed specification)
    parent, holder = view.target(reference), view.parent_variable(reference)
    number = designs.field_of(parent, rule.field)
    assert number is not None  # noqa: S101  (a closed specification)
    table, attribute, left = names.module(parent), designs.attribute(number), names.safe(f"{rule.field}_left")
    body = (
        *_without_effect(rule, view),
        *unless_absent(view, rule.reference),
        f"{holder} = {table}.get(connection, {view.var}.{designs.attribute(reference)})",
        f"{left} = {_present(holder, number, parent)} {_change(rule, view)}",
        *_bounds(rule, number, left),
        f"{table}.update(connection, {holder}.id, {{{names.text(attribute)}: {left}}})",
    )
    return Check(
        name=f"_apply_{rule.name}",
        parameters=("connection: sqlite3.Connection", f"{view.var}: {view.cls}", "times: int"),
        arguments=(),
        doc=names.docstring(f"{rule.message.rstrip('.')}; `times` -1 takes it back"),
        body=body,
    )


def _present(holder: str, field: FieldSpec, entity: Entity) -> str:
    value = f"{holder}.{designs.attribute(field)}"
    return f"({value} or 0)" if nullable(field, entity) else value


def _change(rule: EffectRule, view: EntityView) -> str:
    sign = "-" if rule.direction == "decrease" else "+"
    amount = designs.field_of(view.entity, rule.amount or "")
    return f"{sign} times" if amount is None else f"{sign} times * {_present(view.var, amount, view.entity)}"


def _bounds(rule: EffectRule, number: FieldSpec, left: str) -> list[str]:
    """Write the refusals of a number that leaves its field's bounds."""
    limits = (
        (number.minimum, "<=" if number.exclusive_minimum else "<"),
        (number.maximum, ">=" if number.exclusive_maximum else ">"),
    )
    return [
        line
        for bound, beyond in limits
        if bound is not None
        for line in (
            f"if {left} {beyond} {names.literal(bound, number)}:",
            f"    {refusal(rule.name, rule.message)}",
        )
    ]


def _without_effect(rule: EffectRule, view: EntityView) -> list[str]:
    """Write when a record has no effect: its condition does not hold, or a move has given back what it took."""
    tests = []
    if rule.when:
        tests.append(Conditions(view.specification, view.entity, view.var).fails(rule.when))
    machine = view.entity.machine
    for other in view.effects:
        opposed = (other.reference, other.field) == (rule.reference, rule.field) and other.direction != rule.direction
        move = next((m for m in view.transitions if m.name == other.action), None)
        if rule.action == "create" and opposed and move is not None and machine is not None:
            tests.append(f"{view.var}.{machine.field} == {names.text(move.target)}")
    return [line for test in dict.fromkeys(tests) for line in (f"if {test}:", "    return")]
