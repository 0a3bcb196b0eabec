"""Statements and expressions that several parts of an entity are written with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from functions.neuron.synthesis.database import nullable
from functions.neuron.synthesis.python import names
from shared.software import designs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.neuron.synthesis.python.entities.view import EntityView
    from shared.software.specification import FieldSpec


def refusal(code: str, message: str) -> str:
    """Write the refusal by a rule."""
    return f"raise RuleError({names.text(code)}, {names.text(message)})"


def invalid(place: str, code: str, message: str) -> str:
    """Write the refusal of an input because of one field."""
    fault = f"Fault({names.text('/' + place)}, {names.text(message)})"
    return f"raise InvalidError([{fault}], code={names.text(code)})"


def unless_absent(view: EntityView, reference: str | None) -> tuple[str, ...]:
    """Write that a function has nothing to do where the reference is empty."""
    spec = designs.field_of(view.entity, reference or "")
    if spec is None or not nullable(spec, view.entity):
        return ()
    return (f"if {view.var}.{designs.attribute(spec)} is None:", "    return")


def fetched(view: EntityView, references: Iterable[FieldSpec], record: str) -> list[str]:
    """Write the look-ups of what a record refers to, each into the variable of its parent."""
    lines = []
    for spec in references:
        attribute = designs.attribute(spec)
        call = f"{names.module(view.target(spec))}.get(connection, {record}.{attribute})"
        if nullable(spec, view.entity):
            call = f"None if {record}.{attribute} is None else {call}"
        lines.append(f"{view.parent_variable(spec)} = {call}")
    return lines


def sql_literal(condition: str) -> str:
    """Write a SQL condition with as few escapes as Python's quotes allow."""
    if '"' not in condition or condition.endswith('"'):
        return names.text(condition)
    return f'"""{condition}"""' if "'" in condition else f"'{condition}'"


def clock_bindings(condition: str) -> list[str]:
    """Write the arguments that give a SQL condition the times that it names."""
    bindings = []
    if re.search(r":now\b", condition):
        bindings.append("now=MOMENT.encode(now)")
    if re.search(r":today\b", condition):
        bindings.append("today=now.date().isoformat()")
    return bindings
