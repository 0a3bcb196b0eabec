"""Writes what rules, views and reports ask of an entity's table: SQL, as methods; and the table itself."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.neuron.synthesis.database import design_database, indexable, nullable
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities import reporting
from functions.neuron.synthesis.python.entities.conditions import uses_clock
from functions.neuron.synthesis.python.entities.fieldtypes import PYTHON_TYPES, converter, python_type
from functions.neuron.synthesis.python.entities.parts import Question
from functions.neuron.synthesis.python.entities.statements import clock_bindings, sql_literal
from functions.neuron.synthesis.python.entities.view import view_words
from functions.neuron.synthesis.sql import quoted
from shared.software import designs
from shared.software.specification import CapacityRule, FieldType, NoOverlapRule, QuotaRule, ReferencedRule, UniqueRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.neuron.synthesis.python.entities.view import EntityView
    from shared.software.specification import Condition, Report, View


class TableWriter:
    """Writes the table of one entity."""

    def __init__(self, view: EntityView) -> None:
        self._view = view

    @cached_property
    def arguments(self) -> list[str]:
        """Write the arguments that make the entity's table."""
        table = designs.table(self._view.entity)
        arguments = [names.text(table), self._view.cls, f"thing={names.text(self._view.words)}"]
        if self._view.dialect.source(self._view.entity) != table:
            arguments.append(f"source={names.text(self._view.dialect.source(self._view.entity))}")
        converters = [(designs.attribute(spec), converter(spec)) for spec in self._view.entity.fields]
        written = ", ".join(f"{names.text(name)}: {kept}" for name, kept in converters if kept)
        if written:
            arguments.append(f"converters={{{written}}}")
        if self._view.listing.search and self._view.can.find:
            searched = tuple(self._view.attribute(name) for name in self._view.listing.search)
            arguments.append(f"searched={names.literal(searched, None)}")
        conflicts = ", ".join(self._conflicts())
        if conflicts:
            arguments.append(f"conflicts={{{conflicts}}}")
        return arguments

    def _conflicts(self) -> Iterator[str]:
        design = next(t for t in design_database(self._view.specification).tables if t.entity == self._view.name)
        for index in design.indexes:
            if index.rule:
                columns = ", ".join(f"{design.name}.{column}" for column in index.columns)
                yield f"{names.text(columns)}: ({names.text(index.rule)}, {names.text(index.message)})"

    @cached_property
    def questions(self) -> list[Question]:
        """Give the methods of the table that rules and views of this and other entities call."""
        found = [question for rule in self._view.specification.rules for question in self._rule_questions(rule)]
        found += [self._view_question(view) for view in self._view.offered_views if view.when]
        return [*found, *(self._report_question(report) for report in self._view.offered_reports)]

    def _rule_questions(self, rule: object) -> Iterator[Question]:
        match rule:
            case QuotaRule() | CapacityRule() if rule.entity == self._view.name:
                yield self._counting_question(rule)
            case NoOverlapRule() if rule.entity == self._view.name:
                yield self._overlap_question(rule)
            case UniqueRule() if rule.entity == self._view.name and not indexable(rule.when):
                yield self._double_question(rule)
            case ReferencedRule() if rule.of == self._view.name and not rule.cascade:
                reference = self._view.attribute(rule.reference)
                condition = self._condition(f"own.{quoted(reference)} = :{reference}", rule.when)
                yield self._count(rule.name, (f"{reference}: int",), condition, rule.message, rule.when)
            case _:
                pass

    def _condition(self, first: str, when: tuple[Condition, ...]) -> str:
        return " AND ".join(
            part for part in (first, self._view.dialect.conditions(when, self._view.entity, "own")) if part
        )

    def _count(
        self,
        name: str,
        parameters: tuple[str, ...],
        condition: str,
        message: str,
        when: tuple[Condition, ...] = (),
        extra: tuple[str, ...] = (),
    ) -> Question:
        bound = [f"{p.partition(':')[0]}={p.partition(':')[0]}" for p in parameters]
        clock = ("now: datetime",) if uses_clock(when) else ()
        arguments = ", ".join(
            ["connection", sql_literal(condition or "TRUE"), *bound, *extra, *clock_bindings(condition)]
        )
        return Question(
            name=f"count_{name}",
            parameters=(*parameters, *clock),
            returns="int",
            doc=names.docstring(f"Count what the rule looks at: {_uncapitalised(message)}", 8),
            body=(f"return self.count({arguments})",),
        )

    def _counting_question(self, rule: QuotaRule | CapacityRule) -> Question:
        reference = self._view.attribute(rule.reference) if rule.reference else ""
        agreeing = [reference] if reference else []
        types = ["int"] if reference else []
        for name in rule.also if isinstance(rule, QuotaRule) else ():
            agreeing.append(self._view.attribute(name))
            spec = designs.field_of(self._view.entity, name)
            types.append(python_type(spec, self._view.entity) if spec else "int")
        parts = [f"own.{quoted(name)} = :{name}" for name in agreeing]
        parameters = [f"{name}: {kind}" for name, kind in zip(agreeing, types, strict=True)]
        extra: tuple[str, ...] = ()
        if isinstance(rule, QuotaRule) and rule.period:
            column = self._view.attribute(rule.period_field) if rule.period_field else "created_at"
            spec = designs.field_of(self._view.entity, rule.period_field or "")
            parts.append(f"own.{quoted(column)} >= :start AND own.{quoted(column)} < :end")
            parameters.append("period: tuple[datetime, datetime]")
            is_date = spec is not None and spec.type is FieldType.DATE
            encode = "DAY.encode(period[{}].date())" if is_date else "MOMENT.encode(period[{}])"
            extra = (f"start={encode.format(0)}", f"end={encode.format(1)}")
        condition = self._condition(" AND ".join(parts), rule.when)
        simple = tuple(p for p in parameters if not p.startswith("period"))
        question = self._count(rule.name, simple, condition, rule.message, rule.when, extra)
        clock = tuple(p for p in question.parameters if p == "now: datetime")
        question = Question(question.name, (*parameters, *clock), question.returns, question.doc, question.body)
        return self._weighted(question, rule) if rule.weight_field else question

    def _weighted(self, question: Question, rule: QuotaRule | CapacityRule) -> Question:
        spec = designs.field_of(self._view.entity, rule.weight_field or "")
        total = f"sum(own.{quoted(self._view.attribute(rule.weight_field or ''))})"
        arguments = question.body[0].removeprefix("return self.count(connection, ").removesuffix(")")
        call = f"self.total(connection, {names.text(total)}, {arguments})"
        returns = PYTHON_TYPES[spec.type] if spec else "int"
        body = {
            "Decimal": f"return Decimal({call}).scaleb(-{spec.scale if spec else 0})",
            "float": f"return float({call})",
        }
        return Question(
            name=f"sum_{rule.name}",
            parameters=question.parameters,
            returns=returns,
            doc=names.docstring(f"Add up what the rule looks at: {_uncapitalised(rule.message)}", 8),
            body=(body.get(returns, f"return int({call})"),),
        )

    def _overlap_question(self, rule: NoOverlapRule) -> Question:
        start, end = self._view.attribute(rule.start), self._view.attribute(rule.end)
        per = [self._view.attribute(name) for name in rule.per]
        parts = ["own.id <> :id", *(f"own.{quoted(name)} IS :{name}" for name in per)]
        end_spec = designs.field_of(self._view.entity, rule.end)
        if end_spec is not None and nullable(end_spec, self._view.entity):
            parts.append(f"(own.{quoted(end)} IS NULL OR own.{quoted(end)} > :{start})")
            parts.append(f"(:{end} IS NULL OR own.{quoted(start)} < :{end})")
        else:
            parts.append(f"own.{quoted(start)} < :{end} AND own.{quoted(end)} > :{start}")
        return self._others_question(rule, parts, [*per, start, end], "Count those that stand in its way")

    def _double_question(self, rule: UniqueRule) -> Question:
        columns = [self._view.attribute(name) for name in rule.fields]
        parts = ["own.id <> :id", *(f"own.{quoted(name)} = :{name}" for name in columns)]
        return self._others_question(rule, parts, columns, "Count those that it would double")

    def _others_question(
        self, rule: NoOverlapRule | UniqueRule, parts: list[str], columns: list[str], does: str
    ) -> Question:
        """Write a question for the records but one that stand in a relation to this one, by its columns."""
        condition = self._condition(" AND ".join(parts), rule.when)
        values = ", ".join(f"{names.text(name)}: {self._view.var}.{name}" for name in ("id", *columns))
        clock = ("now: datetime",) if uses_clock(rule.when) else ()
        bindings = "".join(f", {binding}" for binding in clock_bindings(condition))
        return Question(
            name=f"count_{rule.name}",
            parameters=(f"{self._view.var}: {self._view.cls}", *clock),
            returns="int",
            doc=names.docstring(f"{does}: {_uncapitalised(rule.message)}", 8),
            body=(
                f"values = self._encoded({{{values}}})",
                f"return self.count(connection, {sql_literal(condition)}, **values{bindings})",
            ),
        )

    def _view_question(self, view: View) -> Question:
        condition = self._view.dialect.conditions(view.when, self._view.entity, "own")
        arguments = ", ".join(["connection", "query", sql_literal(condition), *clock_bindings(condition)])
        clock = ("now: datetime",) if uses_clock(view.when) else ()
        return Question(
            name=f"select_{view.name}",
            parameters=("query: Query", *clock),
            returns=f"Found[{self._view.cls}]",
            doc=names.docstring(f"Give the page that a query wants of: {view_words(view, self._view.entity)}", 8),
            body=(f"return self.select({arguments})",),
        )

    def _report_question(self, report: Report) -> Question:
        condition = self._view.dialect.conditions(report.when, self._view.entity, "own")
        bindings = "".join(f", {binding}" for binding in clock_bindings(condition))
        return Question(
            name=f"tell_{report.name}",
            parameters=("now: datetime",) if uses_clock(report.when) else (),
            returns=f"dict[str, {reporting.figure_type(report, self._view.entity)}]",
            doc=names.docstring(f"Give {reporting.words(report)}", 8),
            body=reporting.body(report, self._view.entity, self._view.dialect, bindings),
        )


def _uncapitalised(message: str) -> str:
    return message[:1].lower() + message[1:]
