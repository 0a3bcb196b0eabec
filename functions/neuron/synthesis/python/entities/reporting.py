"""What the templates need to know of reports: a figure for each value of a field, as a method of table and service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from functions.neuron.synthesis.database import nullable
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities.conditions import uses_clock
from functions.neuron.synthesis.sql import quoted
from shared.software import designs
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from functions.neuron.synthesis.sql import Dialect
    from shared.software.specification import Entity, FieldSpec, Report

_LENGTHS: Final = {"day": 10, "month": 7, "year": 4}  # of a date as ISO 8601 writes it
_SQL: Final = {"count": "count(*)", "sum": "sum", "minimum": "min", "maximum": "max", "average": "avg"}
NOTHING: Final = "(none)"
"""What stands for a value that is missing."""


@dataclass(frozen=True)
class ReportMethod:
    """A report, as a method of a service."""

    method: str
    returns: str
    doc: str
    call: str
    uses_now: bool


def figure_type(report: Report, entity: Entity) -> str:
    """Name the Python type of a report's figures."""
    field = designs.field_of(entity, report.of or "")
    if field is None:
        return "int"
    if field.type is FieldType.DECIMAL:
        return "Decimal"
    return "float" if field.type is FieldType.NUMBER or report.function == "average" else "int"


def method(report: Report, entity: Entity) -> ReportMethod:
    """Give a report as a method of the entity's service."""
    now = uses_clock(report.when)
    return ReportMethod(
        method=report.name,
        returns=f"dict[str, {figure_type(report, entity)}]",
        doc=names.docstring(f"Give {words(report)}", 8),
        call=f"tell_{report.name}(connection{', now' if now else ''})",
        uses_now=now,
    )


def words(report: Report) -> str:
    """Say what a report tells, as it stands behind "Give"."""
    said = report.description or f"the {names.words(report.name)}"
    return f"{said[0].lower()}{said[1:]}"


def body(report: Report, entity: Entity, dialect: Dialect, bindings: str) -> tuple[str, ...]:
    """Write the body of the table's method: the figures by the text of each value."""
    by, of = designs.field_of(entity, report.by), designs.field_of(entity, report.of or "")
    condition = dialect.conditions(report.when, entity, "own")
    arguments = ["connection", names.text(_value(report, by)), names.text(_figure(report, of))]
    if condition:
        arguments += [names.text(condition)]
    call = f"self.figures({', '.join(arguments)}{bindings})"
    lines = [f"found = {call}"]
    converted = _converted(report, entity, of)
    if by is not None and by.type is FieldType.ENUM and report.function in {"count", "sum"}:
        lines.append(f"found = dict.fromkeys({names.literal(by.values, None)}, 0) | found")
    told = " if figure is not None" if _may_be_missing(report, entity, of) else ""
    return (*lines, f"return {{value: {converted} for value, figure in found.items(){told}}}")


def _may_be_missing(report: Report, entity: Entity, of: FieldSpec | None) -> bool:
    """Tell whether a value can have records and no figure, as in none of them the field is given."""
    return report.function in {"minimum", "maximum", "average"} and of is not None and nullable(of, entity)


def _value(report: Report, by: FieldSpec | None) -> str:
    column = f"own.{quoted(designs.attribute(by) if by else report.by)}"
    if report.period is not None:
        column = f"substr({column}, 1, {_LENGTHS[report.period]})"
    elif by is not None and by.type is FieldType.BOOLEAN:
        column = f"CASE {column} WHEN 1 THEN 'yes' WHEN 0 THEN 'no' END"
    return f"coalesce(CAST({column} AS TEXT), '{NOTHING}')"


def _figure(report: Report, of: FieldSpec | None) -> str:
    if of is None:
        return _SQL["count"]
    total = f"{_SQL[report.function]}(own.{quoted(designs.attribute(of))})"
    if report.function == "sum":
        return f"coalesce({total}, 0)"
    if report.function != "average":
        return total
    return f"CAST(round({total}) AS INTEGER)" if of.type is FieldType.DECIMAL else f"round({total}, 2)"


def _converted(report: Report, entity: Entity, of: FieldSpec | None) -> str:
    kind = figure_type(report, entity)
    return f"Decimal(figure).scaleb(-{of.scale})" if kind == "Decimal" and of is not None else f"{kind}(figure)"
