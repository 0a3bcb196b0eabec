"""What the templates of services and tables need to know about an entity: its rules, as the parts of Python functions.

A rule becomes a question to the table (SQL), where it must look at other rows, and a check or a guard in the service,
which turns the answer into a refusal. Guards look at what is asked (may this be done at all?) and take the records they
need; checks look at the result, inside the same transaction, after the change is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from functions.neuron.synthesis.database import design_database, indexable, nullable, presumed
from functions.neuron.synthesis.python import effects, names, reporting
from functions.neuron.synthesis.python.conditions import OPPOSITE_SIGNS, Conditions, names_of_parent, uses_clock
from functions.neuron.synthesis.sql import Dialect, quoted
from shared.software import designs
from shared.software.specification import (
    AggregateRule,
    CapacityRule,
    Condition,
    Derivation,
    EffectRule,
    Entity,
    FieldSpec,
    FieldType,
    NoOverlapRule,
    OperationKind,
    OrderedRule,
    QuotaRule,
    RangeRule,
    ReferencedRule,
    Relation,
    Report,
    Specification,
    Transition,
    TransitionRule,
    UniqueRule,
    View,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shared.software.designs import ApiDesign, CommandDesign, ListingDesign, OperationDesign

ShownT = TypeVar("ShownT", View, Report)

PYTHON_TYPES = {
    FieldType.STRING: "str",
    FieldType.TEXT: "str",
    FieldType.INTEGER: "int",
    FieldType.DECIMAL: "Decimal",
    FieldType.NUMBER: "float",
    FieldType.BOOLEAN: "bool",
    FieldType.DATE: "date",
    FieldType.DATETIME: "datetime",
    FieldType.TIME: "time",
    FieldType.EMAIL: "str",
    FieldType.URL: "str",
    FieldType.UUID: "UUID",
    FieldType.REFERENCE: "int",
    FieldType.LIST: "list[str]",
}
_CONVERTERS = {
    FieldType.BOOLEAN: "BOOLEAN",
    FieldType.DATE: "DAY",
    FieldType.DATETIME: "MOMENT",
    FieldType.TIME: "TIME",
    FieldType.UUID: "IDENTIFIER",
    FieldType.LIST: "LIST",
}


def python_type(spec: FieldSpec, entity: Entity) -> str:
    """Give the annotation of a field's value, without None."""
    if spec.type is FieldType.ENUM:
        return names.class_name(f"{entity.name}_{spec.name}")
    return PYTHON_TYPES[spec.type]


def converter(spec: FieldSpec) -> str | None:
    """Name the converter of the column that keeps a field; None when SQLite keeps the value as it is."""
    return f"decimal({spec.scale})" if spec.type is FieldType.DECIMAL else _CONVERTERS.get(spec.type)


@dataclass(frozen=True)
class Question:
    """A method of a table: what a rule or a view asks of it."""

    name: str
    parameters: tuple[str, ...]
    returns: str
    doc: str
    body: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A function of a service that checks one rule, and how it is called."""

    name: str
    parameters: tuple[str, ...]
    arguments: tuple[str, ...]
    doc: str
    body: tuple[str, ...]
    condition: str = ""
    changed: str = ""  # where it is too long to stand in the condition


@dataclass(frozen=True)
class Guard:
    """A function of a service that refuses an action, and the parents whose records it takes."""

    check: Check
    references: tuple[FieldSpec, ...] = ()
    clock: bool = False


@dataclass
class Capabilities:
    """Which methods of a service its callers use."""

    create: bool = False
    get: bool = False
    find: bool = False
    replace: bool = False
    change: bool = False
    delete: bool = False


@dataclass(frozen=True)
class Move:
    """A transition, as a method of a service."""

    method: str
    doc: str
    guards: tuple[str, ...]
    values: tuple[str, ...]
    uses_now: bool
    effects: tuple[str, ...] = ()


@dataclass(frozen=True)
class ViewMethod:
    """A view, as a method of a service."""

    method: str
    doc: str
    query: tuple[str, ...]
    call: str
    uses_now: bool


@dataclass(frozen=True)
class RelationMethods:
    """A many-to-many relation, as methods of the left side's service."""

    name: str
    module: str
    link: str
    unlink: str
    linked: str
    other_parameter: str
    other_a: str
    other_cls: str
    other_table: str
    other_module: str
    other_plural_words: str


@dataclass
class EntityView:
    """Everything about one entity that the templates of models, services and tables say."""

    specification: Specification
    entity: Entity
    api: ApiDesign
    memory: bool = False
    _questions: list[Question] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dialect = Dialect(self.specification)
        self.name = self.entity.name
        self.cls = names.entity_class(self.entity.name)
        self.var = names.variable(self.entity)
        self.module = names.module(self.entity)
        self.plural_var = self.module
        self.words = names.words(self.entity.name)
        self.plural_words = names.words(self.entity.plural)
        self.a = designs.with_article(self.entity.name)

    # What is offered.

    @property
    def _offered(self) -> list[OperationDesign | CommandDesign]:
        return [*self.api.operations, *self.api.commands]

    @cached_property
    def can(self) -> Capabilities:
        """Say which methods are called by the interface."""
        if self.specification.kind.value == "library":
            offered = self.name in self.api.stores
            return Capabilities(offered, offered, offered, False, offered, offered)
        can = Capabilities()
        for part in self._offered:
            if part.entity != self.name:
                continue
            replaces = getattr(part, "method", "") == "PUT"
            match part.operation:
                case OperationKind.CREATE:
                    can.create = True
                case OperationKind.READ:
                    can.get = True
                case OperationKind.LIST if not part.target:
                    can.find = True
                case OperationKind.UPDATE:
                    can.replace, can.change = can.replace or replaces, can.change or not replaces
                case OperationKind.DELETE:
                    can.delete = True
                case _:
                    pass
        return can

    @property
    def updates(self) -> bool:
        """Say whether a record can change after it was created."""
        return self.can.replace or self.can.change or bool(self.transitions)

    @cached_property
    def transitions(self) -> list[Transition]:
        """Give the moves that the interface offers; without an interface's list, all."""
        moves = self.entity.machine.transitions if self.entity.machine else ()
        parts = [part for part in self._offered if part.entity == self.name]
        offered = {part.target for part in parts if part.operation is OperationKind.TRANSITION}
        return [move for move in moves if move.name in offered or self.specification.kind.value == "library"]

    @cached_property
    def offered_views(self) -> list[View]:
        """Give the views that the interface offers."""
        return self._of_interface(self.specification.views, OperationKind.VIEW)

    @cached_property
    def offered_reports(self) -> list[Report]:
        """Give the reports that the interface offers."""
        return self._of_interface(self.specification.reports, OperationKind.REPORT)

    def _of_interface(self, parts: Sequence[ShownT], operation: OperationKind) -> list[ShownT]:
        """Give those of the entity's parts that the interface offers by an operation; a library offers all."""
        offered = {part.target for part in self._offered if part.operation is operation}
        library = self.specification.kind.value == "library"
        return [part for part in parts if part.entity == self.name and (library or part.name in offered)]

    @cached_property
    def reports(self) -> list[reporting.ReportMethod]:
        """Give the reports as methods."""
        return [reporting.method(report, self.entity) for report in self.offered_reports]

    # Fields.

    @cached_property
    def aggregate_names(self) -> set[str]:
        """Name the fields that are computed when a record is read."""
        return {rule.field for rule in self.dialect.aggregates(self.entity)}

    @cached_property
    def given(self) -> list[FieldSpec]:
        """Give the fields that come from input."""
        return [spec for spec in self.entity.fields if not spec.managed and spec.name not in self.aggregate_names]

    @cached_property
    def references(self) -> list[FieldSpec]:
        """Give the references that come from input."""
        return [spec for spec in self.given if spec.type is FieldType.REFERENCE]

    @cached_property
    def listing(self) -> ListingDesign:
        """Give how the entity is listed."""
        return next(listing for listing in self.api.listings if listing.entity == self.name)

    def target(self, spec: FieldSpec) -> Entity:
        """Give what a reference refers to."""
        return self.specification.entity(spec.target or "")

    def parent_variable(self, spec: FieldSpec) -> str:
        """Name the variable that holds what a reference refers to."""
        return names_of_parent(spec.name, self.entity, self.specification)

    # The table.

    @cached_property
    def table_arguments(self) -> list[str]:
        """Write the arguments that make the entity's table."""
        table = designs.table(self.entity)
        arguments = [names.text(table), self.cls, f"thing={names.text(self.words)}"]
        if self.dialect.source(self.entity) != table:
            arguments.append(f"source={names.text(self.dialect.source(self.entity))}")
        converters = [(designs.attribute(spec), converter(spec)) for spec in self.entity.fields]
        written = ", ".join(f"{names.text(name)}: {kept}" for name, kept in converters if kept)
        if written:
            arguments.append(f"converters={{{written}}}")
        if self.listing.search and self.can.find:
            searched = tuple(self._field(name) for name in self.listing.search)
            arguments.append(f"searched={names.literal(searched, None)}")
        conflicts = ", ".join(self._conflicts())
        if conflicts:
            arguments.append(f"conflicts={{{conflicts}}}")
        return arguments

    def _conflicts(self) -> Iterator[str]:
        design = next(t for t in design_database(self.specification).tables if t.entity == self.name)
        for index in design.indexes:
            if index.rule:
                columns = ", ".join(f"{design.name}.{column}" for column in index.columns)
                yield f"{names.text(columns)}: ({names.text(index.rule)}, {names.text(index.message)})"

    @cached_property
    def questions(self) -> list[Question]:
        """Give the methods of the table that rules and views of this and other entities call."""
        found = [question for rule in self.specification.rules for question in self._rule_questions(rule)]
        found += [self._view_question(view) for view in self.offered_views if view.when]
        return [*found, *(self._report_question(report) for report in self.offered_reports)]

    def _rule_questions(self, rule: object) -> Iterator[Question]:
        match rule:
            case QuotaRule() | CapacityRule() if rule.entity == self.name:
                yield self._counting_question(rule)
            case NoOverlapRule() if rule.entity == self.name:
                yield self._overlap_question(rule)
            case UniqueRule() if rule.entity == self.name and not indexable(rule.when):
                yield self._double_question(rule)
            case ReferencedRule() if rule.of == self.name and not rule.cascade:
                reference = self._field(rule.reference)
                condition = self._condition(f"own.{quoted(reference)} = :{reference}", rule.when)
                yield self._count(rule.name, (f"{reference}: int",), condition, rule.message, rule.when)
            case _:
                pass

    def _field(self, name: str) -> str:
        spec = designs.field_of(self.entity, name)
        return designs.attribute(spec) if spec else name

    def _place(self, name: str) -> str:
        """Name a field as faults name it: as clients see it; in Python, as programs do."""
        attribute = self._field(name)
        return attribute if self.memory else designs.exposed(attribute)

    def _condition(self, first: str, when: tuple[Condition, ...]) -> str:
        return " AND ".join(part for part in (first, self.dialect.conditions(when, self.entity, "own")) if part)

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
        arguments = ", ".join(["connection", _sql(condition or "TRUE"), *bound, *extra, *_clock_bindings(condition)])
        return Question(
            name=f"count_{name}",
            parameters=(*parameters, *clock),
            returns="int",
            doc=names.docstring(f"Count what the rule looks at: {_uncapitalised(message)}", 8),
            body=(f"return self.count({arguments})",),
        )

    def _counting_question(self, rule: QuotaRule | CapacityRule) -> Question:
        reference = self._field(rule.reference) if rule.reference else ""
        agreeing = [reference] if reference else []
        types = ["int"] if reference else []
        for name in rule.also if isinstance(rule, QuotaRule) else ():
            agreeing.append(self._field(name))
            spec = designs.field_of(self.entity, name)
            types.append(python_type(spec, self.entity) if spec else "int")
        parts = [f"own.{quoted(name)} = :{name}" for name in agreeing]
        parameters = [f"{name}: {kind}" for name, kind in zip(agreeing, types, strict=True)]
        extra: tuple[str, ...] = ()
        if isinstance(rule, QuotaRule) and rule.period:
            column = self._field(rule.period_field) if rule.period_field else "created_at"
            spec = designs.field_of(self.entity, rule.period_field or "")
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
        spec = designs.field_of(self.entity, rule.weight_field or "")
        total = f"sum(own.{quoted(self._field(rule.weight_field or ''))})"
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
        start, end = self._field(rule.start), self._field(rule.end)
        per = [self._field(name) for name in rule.per]
        parts = ["own.id <> :id", *(f"own.{quoted(name)} IS :{name}" for name in per)]
        end_spec = designs.field_of(self.entity, rule.end)
        if end_spec is not None and nullable(end_spec, self.entity):
            parts.append(f"(own.{quoted(end)} IS NULL OR own.{quoted(end)} > :{start})")
            parts.append(f"(:{end} IS NULL OR own.{quoted(start)} < :{end})")
        else:
            parts.append(f"own.{quoted(start)} < :{end} AND own.{quoted(end)} > :{start}")
        condition = self._condition(" AND ".join(parts), rule.when)
        values = ", ".join(f"{names.text(name)}: {self.var}.{name}" for name in ("id", *per, start, end))
        clock = ("now: datetime",) if uses_clock(rule.when) else ()
        bindings = "".join(f", {binding}" for binding in _clock_bindings(condition))
        return Question(
            name=f"count_{rule.name}",
            parameters=(f"{self.var}: {self.cls}", *clock),
            returns="int",
            doc=names.docstring(f"Count those that stand in its way: {_uncapitalised(rule.message)}", 8),
            body=(
                f"values = self._encoded({{{values}}})",
                f"return self.count(connection, {_sql(condition)}, **values{bindings})",
            ),
        )

    def _double_question(self, rule: UniqueRule) -> Question:
        columns = [self._field(name) for name in rule.fields]
        parts = ["own.id <> :id", *(f"own.{quoted(name)} = :{name}" for name in columns)]
        condition = self._condition(" AND ".join(parts), rule.when)
        values = ", ".join(f"{names.text(name)}: {self.var}.{name}" for name in ("id", *columns))
        clock = ("now: datetime",) if uses_clock(rule.when) else ()
        bindings = "".join(f", {binding}" for binding in _clock_bindings(condition))
        return Question(
            name=f"count_{rule.name}",
            parameters=(f"{self.var}: {self.cls}", *clock),
            returns="int",
            doc=names.docstring(f"Count those that it would double: {_uncapitalised(rule.message)}", 8),
            body=(
                f"values = self._encoded({{{values}}})",
                f"return self.count(connection, {_sql(condition)}, **values{bindings})",
            ),
        )

    def _view_question(self, view: View) -> Question:
        condition = self.dialect.conditions(view.when, self.entity, "own")
        arguments = ", ".join(["connection", "query", _sql(condition), *_clock_bindings(condition)])
        clock = ("now: datetime",) if uses_clock(view.when) else ()
        return Question(
            name=f"select_{view.name}",
            parameters=("query: Query", *clock),
            returns=f"Found[{self.cls}]",
            doc=names.docstring(f"Give the page that a query wants of: {self._view_words(view)}", 8),
            body=(f"return self.select({arguments})",),
        )

    def _report_question(self, report: Report) -> Question:
        condition = self.dialect.conditions(report.when, self.entity, "own")
        bindings = "".join(f", {binding}" for binding in _clock_bindings(condition))
        return Question(
            name=f"tell_{report.name}",
            parameters=("now: datetime",) if uses_clock(report.when) else (),
            returns=f"dict[str, {reporting.figure_type(report, self.entity)}]",
            doc=names.docstring(f"Give {reporting.words(report)}", 8),
            body=reporting.body(report, self.entity, self.dialect, bindings),
        )

    def _view_words(self, view: View) -> str:
        return view.description or f"{self.plural_words}, {names.words(view.name)}"

    # The service.

    @cached_property
    def given_on_create(self) -> list[str]:
        """Write the values that the software gives at creation."""
        written = []
        if self.entity.machine is not None:
            machine = self.entity.machine
            written.append(f"{names.text(machine.field)}: {names.text(machine.initial)}")
        derived = {derivation.field for derivation in self.entity.derivations}
        written += [f"{names.text(d.field)}: {self._given_or_derived(d)}" for d in self.entity.derivations]
        for spec in self.entity.fields:
            state = self.entity.machine is not None and spec.name == self.entity.machine.field
            if spec.managed and spec.default is not None and spec.name not in derived and not state:
                written.append(f"{names.text(designs.attribute(spec))}: {names.literal(spec.default, spec)}")
        return written

    def _given_or_derived(self, derivation: Derivation) -> str:
        spec = designs.field_of(self.entity, derivation.field)
        if spec is None or not presumed(spec, self.entity):
            return self._derived(derivation)
        given = f"data.{designs.attribute(spec)}"
        return f"{given} if {given} is not None else {self._derived(derivation)}"

    @property
    def kept_on_replace(self) -> list[str]:
        """Write the values that stay when a replacement leaves them out."""
        attributes = [designs.attribute(spec) for spec in self.given if presumed(spec, self.entity)]
        return [f"{names.text(n)}: before.{n} if data.{n} is None else data.{n}" for n in attributes]

    def _derived(self, derivation: Derivation) -> str:
        spec = designs.field_of(self.entity, derivation.field)
        wants_date = spec is not None and spec.type is FieldType.DATE
        parts = [f"{unit}={count}" for unit, count in (("days", derivation.days), ("hours", derivation.hours)) if count]
        shift = f" + timedelta({', '.join(parts)})" if parts else ""
        base = designs.field_of(self.entity, derivation.base)
        if base is None:
            moment = f"(now{shift})" if shift else "now"
            if wants_date:
                return f"{moment}.date()" if derivation.hours else f"now.date(){shift}"
            return f"now{shift}"
        inner = next((d for d in self.entity.derivations if d.field == base.name and d is not derivation), None)
        value = f"({self._derived(inner)})" if inner else f"data.{designs.attribute(base)}"
        has_time = base.type is FieldType.DATETIME
        if wants_date and has_time:
            value = f"{value}.date()"
        elif not wants_date and not has_time:
            value = f"datetime.combine({value}, time(), UTC)"
        result = f"{value}{shift}"
        if inner is None and nullable(base, self.entity):
            return f"None if data.{designs.attribute(base)} is None else {result}"
        return result

    @cached_property
    def guards(self) -> dict[str, list[Guard]]:
        """Give the guards of every action."""
        found: dict[str, list[Guard]] = {}
        for rule in self.specification.rules:
            if isinstance(rule, TransitionRule) and rule.entity == self.name:
                guard = self._guard(rule.name, rule.message, rule.requires)
                found.setdefault(rule.action, []).append(guard)
        for move in self.transitions:
            if move.when:
                name = f"{move.name}_{self.name}"
                message = f"{names.words(move.name).capitalize()} is not possible for this {self.words} now."
                found.setdefault(move.name, []).append(self._guard(name, message, move.when))
        return found

    def _guard(self, name: str, message: str, requires: tuple[Condition, ...]) -> Guard:
        conditions = Conditions(self.specification, self.entity, self.var)
        seen: dict[str, FieldSpec] = {}
        for condition in requires:
            reference = conditions.reference(condition)
            if reference is not None:
                seen[reference.name] = reference
        own = any("." not in c.field or (c.other and c.other not in {"now", "today"}) for c in requires)
        parameters = [f"{self.var}: {self.cls}"] if own else []
        arguments = [self.var] if own else []
        for reference in seen.values():
            optional = " | None" if nullable(reference, self.entity) else ""
            variable = self.parent_variable(reference)
            parameters.append(f"{variable}: {names.entity_class(self.target(reference).name)}{optional}")
            arguments.append(variable)
        clock = uses_clock(requires)
        if clock:
            parameters.append("now: datetime")
            arguments.append("now")
        check = Check(
            name=f"_require_{name}",
            parameters=tuple(parameters),
            arguments=tuple(arguments),
            doc=names.docstring(message),
            body=(f"if {conditions.fails(requires)}:", f"    {refusal(name, message)}"),
        )
        return Guard(check, tuple(seen.values()), clock)

    @cached_property
    def guard_functions(self) -> list[Check]:
        """Give every guard that some method calls, once."""
        called = {"create": self.can.create, "delete": self.can.delete, "update": self.can.replace or self.can.change}
        called |= {move.name: True for move in self.transitions}
        found = {g.check.name: g.check for action, gs in self.guards.items() if called.get(action) for g in gs}
        return list(found.values())

    def _guard_references(self, action: str) -> list[FieldSpec]:
        seen = {r.name: r for guard in self.guards.get(action, []) for r in guard.references}
        return list(seen.values())

    @property
    def create_references(self) -> list[str]:
        """Write the look-ups of what a new record refers to."""
        wanted = {spec.name for spec in self._guard_references("create")}
        lines: list[str] = []
        for spec in self.references:
            attribute = designs.attribute(spec)
            call = (
                f"{names.module(self.target(spec))}.refer(connection, data.{attribute}, {names.text('/' + attribute)})"
            )
            target = self.parent_variable(spec)
            if nullable(spec, self.entity):
                if spec.name in wanted:
                    lines.append(f"{target} = None if data.{attribute} is None else {call}")
                else:
                    lines += [f"if data.{attribute} is not None:", f"    {call}"]
            else:
                lines.append(f"{target} = {call}" if spec.name in wanted else call)
        return lines

    @property
    def create_guards(self) -> list[str]:
        """Write the calls of what guards creation."""
        return [_call(guard.check) for guard in self.guards.get("create", [])]

    def _fetched(self, references: Iterable[FieldSpec], record: str) -> list[str]:
        lines = []
        for spec in references:
            attribute = designs.attribute(spec)
            call = f"{names.module(self.target(spec))}.get(connection, {record}.{attribute})"
            if nullable(spec, self.entity):
                call = f"None if {record}.{attribute} is None else {call}"
            lines.append(f"{self.parent_variable(spec)} = {call}")
        return lines

    @property
    def update_guards(self) -> list[str]:
        """Write what guards a change."""
        lines = self._fetched(self._guard_references("update"), "before")
        for guard in self.guards.get("update", []):
            arguments = ", ".join("before" if a == self.var else a for a in guard.check.arguments)
            lines.append(f"{guard.check.name}({arguments})")
        return lines

    @property
    def update_uses_now(self) -> bool:
        """Say whether a change looks at the clock for more than its stamp."""
        called = [*self.guards.get("update", []), *(self._reference_guards())]
        return self.checks_use_now or any(guard.clock for guard in called)

    @property
    def immutables(self) -> list[str]:
        """Write the refusals of changes to what is given once."""
        lines = []
        for spec in self.given:
            if spec.immutable:
                attribute = designs.attribute(spec)
                lines.append(f"if values.get({names.text(attribute)}, before.{attribute}) != before.{attribute}:")
                message = f"The {names.words(spec.name)} of {self.a} is given once and cannot be changed."
                lines.append(f"    {refusal(f'{self.name}_{spec.name}_immutable', message)}")
        return lines

    @property
    def update_references(self) -> list[str]:
        """Write the look-ups of what a change refers to."""
        lines = []
        for spec in self.references:
            if not spec.immutable:
                name = names.text(designs.attribute(spec))
                pointer = names.text("/" + designs.attribute(spec))
                lines.append(f"if values.get({name}) is not None:")
                table = names.module(self.target(spec))
                lines.append(f"    {table}.refer(connection, values[{name}], {pointer})")
        return lines

    def _reference_guards(self) -> list[Guard]:
        mutable = {spec.name for spec in self.references if not spec.immutable}
        return [
            guard
            for guard in self.guards.get("create", [])
            if guard.references and {reference.name for reference in guard.references} & mutable
        ]

    @property
    def update_reference_guards(self) -> list[str]:
        """Write the guards of creation that hold again when a reference changes."""
        lines: list[str] = []
        for guard in self._reference_guards():
            changed = " or ".join(
                f"{self.var}.{designs.attribute(r)} != before.{designs.attribute(r)}" for r in guard.references
            )
            lines.append(f"if {changed}:")
            lines += [f"    {line}" for line in (*self._fetched(guard.references, self.var), _call(guard.check))]
        return lines

    @property
    def delete_guards(self) -> list[str]:
        """Write what guards a deletion."""
        lines = self._fetched(self._guard_references("delete"), self.var)
        if any(guard.clock for guard in self.guards.get("delete", [])):
            lines.append("now = self._clock()")
        lines += [_call(guard.check) for guard in self.guards.get("delete", [])]
        for rule in self.specification.rules:
            if isinstance(rule, ReferencedRule) and rule.entity == self.name and not rule.cascade:
                table = names.module(self.specification.entity(rule.of))
                arguments = ["connection", f"{self.var}.id", *(["self._clock()"] if uses_clock(rule.when) else [])]
                lines.append(f"if {table}.count_{rule.name}({', '.join(arguments)}):")
                lines.append(f"    {refusal(rule.name, rule.message)}")
        return lines

    @cached_property
    def effects(self) -> list[EffectRule]:
        """Give what creating or moving a record changes elsewhere."""
        return [rule for rule in self.specification.rules if isinstance(rule, EffectRule) and rule.entity == self.name]

    @cached_property
    def effect_functions(self) -> list[Check]:
        """Give the functions that change a number elsewhere."""
        offered = {move.name for move in self.transitions} | ({"create"} if self.can.create else set())
        return [effects.function(rule, self) for rule in self.effects if rule.action in offered]

    @cached_property
    def moves(self) -> list[Move]:
        """Give the transitions as methods."""
        return [self._move(move) for move in self.transitions]

    def _move(self, move: Transition) -> Move:
        machine = self.entity.machine
        assert machine is not None  # noqa: S101  (narrowing)
        state = f"{self.var}.{machine.field}"
        lines = []
        if set(move.sources) != set(machine.states):
            one = len(move.sources) == 1
            test = f"!= {names.text(move.sources[0])}" if one else f"not in {names.literal(move.sources, None)}"
            message = f"{self.a[0].upper()}{self.a[1:]} that is {{{state}}} does not allow: {names.words(move.name)}."
            lines.append(f"if {state} {test}:")
            lines.append(f"    raise RuleError({names.text(self.move_code(move))}, f{names.text(message)})")
        guards = self.guards.get(move.name, [])
        lines += self._fetched(self._guard_references(move.name), self.var)
        lines += [_call(guard.check) for guard in guards]
        values = [f"{names.text(machine.field)}: {names.text(move.target)}"]
        if move.stamps:
            spec = designs.field_of(self.entity, move.stamps)
            is_date = spec is not None and spec.type is FieldType.DATE
            values.append(f"{names.text(move.stamps)}: {'now.date()' if is_date else 'now'}")
        values.append('"updated_at": now')
        method = f"{move.name}_{self.name}"
        taken = tuple(effects.call(rule, "moved") for rule in self.effects if rule.action == move.name)
        doc = f"Move {self.a} to {names.words(move.target)}; raises NotFoundError, RuleError."
        return Move(method, names.docstring(doc, 8), tuple(lines), tuple(values), uses_now=True, effects=taken)

    def move_code(self, move: Transition) -> str:
        """Name the refusal of a move from a state that does not allow it."""
        return f"{move.name}_{self.name}_not_allowed"

    @cached_property
    def views(self) -> list[ViewMethod]:
        """Give the views as methods."""
        found = []
        for view in self.offered_views:
            query = []
            if view.sort:
                query.append(f'sort="{"-" if view.descending else ""}{self._field(view.sort)}"')
            if view.limit:
                query.append(f"limit=min(query.limit, {view.limit})")
            now = uses_clock(view.when)
            call = f"select_{view.name}(connection, query{', now' if now else ''})" if view.when else ""
            found.append(
                ViewMethod(
                    method=view_method(view, self.entity),
                    doc=names.docstring(f"Give the page that the query wants of: {self._view_words(view)}", 8),
                    query=tuple(query),
                    call=call or "select(connection, query)",
                    uses_now=now,
                )
            )
        return found

    @cached_property
    def checks(self) -> list[Check]:
        """Give the checks of every rule that a change of the entity may break."""
        return [check for rule in self.specification.rules for check in self._rule_checks(rule)]

    @property
    def checks_on_create(self) -> bool:
        """Say whether a check has something to say about a new record."""
        return any(not check.condition.startswith("before is not None") for check in self.checks)

    def rules_call(self, record: str, before: str = "") -> str:
        """Write the call that checks the rules of a record, new or changed."""
        uses = self._checks_use
        arguments = [*(["connection"] if "connection" in uses else []), *([record] if self.var in uses else [])]
        arguments += ["now"] if "now" in uses else []
        return f"_check_rules({', '.join([*arguments, *([before] if before and self._checks_use_before else [])])})"

    @property
    def rules_parameters(self) -> str:
        """Write the parameters of the function that checks the rules."""
        uses = self._checks_use
        written = ["connection: sqlite3.Connection"] if "connection" in uses else []
        written += [f"{self.var}: {self.cls}"] if self.var in uses else []
        written += ["now: datetime"] if "now" in uses else []
        if self._checks_use_before:
            written.append(f"before: {self.cls}{' | None = None' if self.checks_on_create else ''}")
        return ", ".join(written)

    @property
    def _checks_use(self) -> set[str]:
        """Name what the checks and the conditions under which they run look at."""
        conditions = " ".join(f"{check.condition} {check.changed}" for check in self.checks)
        mentioned = {self.var} if re.search(rf"\b{self.var}\b", conditions) else set()
        return mentioned | {argument for check in self.checks for argument in check.arguments}

    @property
    def _checks_use_before(self) -> bool:
        return any("before" in f"{check.condition} {check.changed}" for check in self.checks)

    @property
    def checks_use_now(self) -> bool:
        """Say whether a check looks at the clock."""
        return any("now" in check.arguments for check in self.checks)

    def _rule_checks(self, rule: object) -> Iterator[Check]:
        match rule:
            case OrderedRule() if rule.entity == self.name:
                yield self._ordered_check(rule)
            case RangeRule() if rule.entity == self.name:
                yield self._range_check(rule)
            case QuotaRule() if rule.entity == self.name:
                yield self._quota_check(rule)
            case CapacityRule():
                yield from self._capacity_checks(rule)
            case NoOverlapRule() if rule.entity == self.name:
                yield self._overlap_check(rule)
            case UniqueRule() if rule.entity == self.name and not indexable(rule.when):
                yield self._asked_check(rule, f"count_{rule.name}", tuple(rule.fields), rule.when)
            case AggregateRule() if rule.of == self.name and rule.limit is not None:
                yield self._aggregate_check(rule)
            case _:
                pass

    def _own_check(self, name: str, message: str, body: tuple[str, ...], *, connection: bool, now: bool) -> Check:
        looks_at_record = any(re.search(rf"\b{self.var}\b", line) for line in body)
        parameters = [f"{self.var}: {self.cls}"] if looks_at_record else []
        arguments = [self.var] if looks_at_record else []
        if connection:
            parameters.insert(0, "connection: sqlite3.Connection")
            arguments.insert(0, "connection")
        if now:
            parameters.append("now: datetime")
            arguments.append("now")
        return Check(f"_check_{name}", tuple(parameters), tuple(arguments), names.docstring(message), body)

    def _ordered_check(self, rule: OrderedRule) -> Check:
        before, after = (designs.field_of(self.entity, name) for name in (rule.before, rule.after))
        absent = [
            f"{self.var}.{designs.attribute(spec)} is not None"
            for spec in (before, after)
            if spec and nullable(spec, self.entity)
        ]
        left, right = (f"{self.var}.{self._field(name)}" for name in (rule.before, rule.after))
        kinds = {spec.type for spec in (before, after) if spec}
        if kinds == {FieldType.DATE, FieldType.DATETIME} and before is not None:
            left, right = (f"{left}.date()", right) if before.type is FieldType.DATETIME else (left, f"{right}.date()")
        test = " and ".join([*absent, f"{left} {'>=' if rule.strict else '>'} {right}"])
        return self._own_check(
            rule.name,
            rule.message,
            (f"if {test}:", f"    {_invalid(self._place(rule.after), rule.name, rule.message)}"),
            connection=False,
            now=False,
        )

    def _range_check(self, rule: RangeRule) -> Check:
        conditions = Conditions(self.specification, self.entity, self.var)
        references = {c.field.partition(".")[0] for c in rule.when if "." in c.field}
        right, needed, absent = self._bound(rule)
        references |= needed
        spec = designs.field_of(self.entity, rule.field)
        left = f"{self.var}.{self._field(rule.field)}"
        if spec is not None and nullable(spec, self.entity):
            absent.insert(0, f"{left} is not None")
        when = [conditions.all_of(rule.when)] if rule.when else []
        test = " and ".join([*when, *absent, f"{left} {OPPOSITE_SIGNS[rule.operator]} {right}"])
        own = not references and not rule.when
        refused = (
            _invalid(self._place(rule.field), rule.name, rule.message) if own else refusal(rule.name, rule.message)
        )
        looked_through = [field for name in sorted(references) if (field := designs.field_of(self.entity, name))]
        body = (*self._fetched(looked_through, self.var), f"if {test}:", f"    {refused}")
        now = uses_clock(rule.when) or right in {"now", "now.date()"}
        return self._own_check(rule.name, rule.message, body, connection=bool(looked_through), now=now)

    def _bound(self, rule: RangeRule) -> tuple[str, set[str], list[str]]:
        """Write a rule's bound; name the references that it looks through and what must not be None."""
        spec = designs.field_of(self.entity, rule.field)
        if rule.value in {"now", "today"} or rule.other in {"now", "today"}:
            return ("now.date()" if spec is not None and spec.type is FieldType.DATE else "now"), set(), []
        if rule.other is None:
            return names.literal(rule.value, spec), set(), []
        head, _, tail = rule.other.partition(".")
        if not tail:
            limit = designs.field_of(self.entity, head)
            right = f"{self.var}.{self._field(head)}"
            return right, set(), [f"{right} is not None"] if limit and nullable(limit, self.entity) else []
        reference = designs.field_of(self.entity, head)
        assert reference is not None  # noqa: S101  (a closed specification)
        parent, target = self.parent_variable(reference), self.target(reference)
        limit = designs.field_of(target, tail)
        right = f"{parent}.{designs.attribute(limit) if limit else tail}"
        absent = [f"{parent} is not None"] if nullable(reference, self.entity) else []
        absent += [f"{right} is not None"] if limit and nullable(limit, target) else []
        return right, {head}, absent

    def _changed(self, fields: Iterable[str]) -> str:
        """Write that a record is new, or that one of the fields has changed."""
        if not self.updates:
            return ""
        own = dict.fromkeys(self._field(name.partition(".")[0]) for name in fields)
        own_fields = [name for name in own if self._can_change(name)]
        if not own_fields:
            return "before is None"
        return " or ".join(["before is None", *(f"before.{name} != {self.var}.{name}" for name in own_fields)])

    def _can_change(self, attribute: str) -> bool:
        machine = self.entity.machine
        if machine is not None and attribute in {machine.field, *(move.stamps for move in self.transitions)}:
            return True
        spec = next((spec for spec in self.given if designs.attribute(spec) == attribute), None)
        return spec is not None and not spec.immutable and (self.can.replace or self.can.change)

    def _quota_check(self, rule: QuotaRule) -> Check:
        reference = self._field(rule.reference) if rule.reference else None
        agreeing = [*([reference] if reference else []), *map(self._field, rule.also)]
        arguments = ["connection", *(f"{self.var}.{name}" for name in agreeing)]
        if rule.period:
            arguments.append(f'period_of({self._period_moment(rule)}, "{rule.period}")')
        now = uses_clock(rule.when)
        arguments += ["now"] if now else []
        table = self.plural_var
        call = f"{table}.{'sum' if rule.weight_field else 'count'}_{rule.name}({', '.join(arguments)})"
        refused = (f"if {call} > {rule.limit}:", f"    {refusal(rule.name, rule.message)}")
        body = (*self.unless_absent(rule.reference), *refused)
        check = self._own_check(rule.name, rule.message, body, connection=True, now=now)
        fields = [rule.reference, *rule.also, rule.weight_field, rule.period_field, *(c.field for c in rule.when)]
        condition = ("before is None" if self.updates else "") if now else self._changed(f for f in fields if f)
        return _with_condition(check, condition, "")

    def _period_moment(self, rule: QuotaRule) -> str:
        spec = designs.field_of(self.entity, rule.period_field or "")
        if spec is not None and spec.type is FieldType.DATE:
            return f"datetime.combine({self.var}.{designs.attribute(spec)}, time(), UTC)"
        return f"{self.var}.{designs.attribute(spec) if spec else 'created_at'}"

    def unless_absent(self, reference: str | None) -> tuple[str, ...]:
        """Write that a check has nothing to say where the reference is empty."""
        spec = designs.field_of(self.entity, reference or "")
        if spec is None or not nullable(spec, self.entity):
            return ()
        return (f"if {self.var}.{designs.attribute(spec)} is None:", "    return")

    def _capacity_checks(self, rule: CapacityRule) -> Iterator[Check]:
        child = self.specification.entity(rule.entity)
        reference = designs.field_of(child, rule.reference)
        parent = self.specification.entity((reference.target if reference else None) or "")
        limit = designs.field_of(parent, rule.limit_field)
        if reference is None or limit is None:
            return
        function = f"{'sum' if rule.weight_field else 'count'}_{rule.name}"
        now = uses_clock(rule.when)
        clock = ", now" if now else ""
        limit_name = designs.attribute(limit)
        refused = f"    {refusal(rule.name, rule.message)}"
        if rule.entity == self.name:
            holder = self.parent_variable(reference)
            absent = f"{holder}.{limit_name} is not None and " if nullable(limit, parent) else ""
            own = f"{self.var}.{designs.attribute(reference)}"
            body = (
                *self.unless_absent(rule.reference),
                f"{holder} = {names.module(parent)}.get(connection, {own})",
                f"if {absent}{self.plural_var}.{function}(connection, {own}{clock}) > {holder}.{limit_name}:",
                refused,
            )
            check = self._own_check(rule.name, rule.message, body, connection=True, now=now)
            fields = [rule.reference, rule.weight_field, *(c.field for c in rule.when)]
            yield _with_condition(check, self._changed(f for f in fields if f), "")
        if parent.name == self.name and self._can_change(limit_name):
            absent = f"{self.var}.{limit_name} is not None and " if nullable(limit, parent) else ""
            used = f"{names.module(child)}.{function}(connection, {self.var}.id{clock})"
            limited = (
                f"if {absent}{used} > {self.var}.{limit_name}:",
                refused,
            )
            check = self._own_check(f"{rule.name}_after_change", rule.message, limited, connection=True, now=now)
            yield _with_condition(check, f"before is not None and before.{limit_name} != {self.var}.{limit_name}", "")

    def _overlap_check(self, rule: NoOverlapRule) -> Check:
        fields = (rule.start, rule.end, *rule.per, *(c.field for c in rule.when))
        own = tuple(c for c in rule.when if "." not in c.field)
        holds = Conditions(self.specification, self.entity, self.var).all_of(own)
        check = self._asked_check(rule, f"count_{rule.name}", fields, rule.when)
        start = designs.field_of(self.entity, rule.start)
        absent = f"{self.var}.{self._field(rule.start)} is not None" if start and nullable(start, self.entity) else ""
        return _with_condition(check, check.condition, " and ".join(part for part in (absent, holds) if part))

    def _asked_check(
        self, rule: NoOverlapRule | UniqueRule, question: str, fields: tuple[str, ...], when: tuple[Condition, ...]
    ) -> Check:
        now = uses_clock(when)
        call = f"{self.plural_var}.{question}(connection, {self.var}{', now' if now else ''})"
        body = (f"if {call}:", f"    {refusal(rule.name, rule.message)}")
        check = self._own_check(rule.name, rule.message, body, connection=True, now=now)
        return _with_condition(check, self._changed(fields), "")

    def _aggregate_check(self, rule: AggregateRule) -> Check:
        parent = self.specification.entity(rule.entity)
        reference = designs.field_of(self.entity, rule.reference)
        aggregate = designs.field_of(parent, rule.field)
        assert reference is not None  # noqa: S101  (a closed specification)
        holder = self.parent_variable(reference)
        maybe = aggregate is not None and rule.function in {"minimum", "maximum", "average"}
        absent = f"{holder}.{rule.field} is not None and " if maybe else ""
        body = (
            *self.unless_absent(rule.reference),
            f"{holder} = {names.module(parent)}.get(connection, {self.var}.{designs.attribute(reference)})",
            f"if {absent}{holder}.{rule.field} > {names.literal(rule.limit, aggregate)}:",
            f"    {refusal(rule.name, rule.message)}",
        )
        return self._own_check(rule.name, rule.message, body, connection=True, now=False)

    # What else the templates ask.

    @property
    def create_raises(self) -> str:
        """Say what creation may raise."""
        invalid = any("InvalidError" in line for check in self.checks for line in check.body)
        kinds = [*(["UnknownReferenceError"] if self.references else []), *(["InvalidError"] if invalid else [])]
        return " or ".join([*kinds, "RuleError when it must not be"])

    @property
    def uses_clock(self) -> bool:
        """Say whether the service looks at the clock."""
        told = any(report.uses_now for report in self.reports)
        return self.can.create or self.updates or told or any(view.uses_now for view in self.views)

    @property
    def others(self) -> list[dict[str, str]]:
        """Give the entities whose records the functions of the service take."""
        mentioned = {spec.target for guards in self.guards.values() for guard in guards for spec in guard.references}
        mentioned |= {relation.other_cls for relation in self.relations}
        return [
            {"module": names.module(entity), "cls": names.entity_class(entity.name)}
            for entity in self.specification.entities
            if entity.name != self.name and {entity.name, names.entity_class(entity.name)} & mentioned
        ]

    @property
    def tables(self) -> list[str]:
        """Name the tables of the other entities, of which the service may ask something."""
        return [names.module(entity) for entity in self.specification.entities if entity.name != self.name]

    @cached_property
    def relations(self) -> list[RelationMethods]:
        """Give the many-to-many relations whose left side this is."""
        return [relation_methods(r, self.specification) for r in self.specification.relations if r.left == self.name]


def relation_methods(relation: Relation, specification: Specification) -> RelationMethods:
    """Name the methods of a many-to-many relation."""
    left, right = specification.entity(relation.left), specification.entity(relation.right)
    _, other = designs.link_columns(relation)
    return RelationMethods(
        name=relation.name,
        module=relation.name,
        link=f"link_{relation.name}",
        unlink=f"unlink_{relation.name}",
        linked=f"{right.plural}_of_{left.name}",
        other_parameter=other,
        other_a=designs.with_article(right.name),
        other_cls=names.entity_class(right.name),
        other_table=names.module(right),
        other_module=names.module(right),
        other_plural_words=names.words(right.plural),
    )


def view_method(view: View, entity: Entity) -> str:
    """Name the method of a view."""
    return view.name if entity.plural in view.name or entity.name in view.name else f"{view.name}_{entity.plural}"


def _other(rule: RangeRule) -> str | None:
    return rule.other or (str(rule.value) if rule.value in {"now", "today"} else None)


def _with_condition(check: Check, changed: str, holds: str) -> Check:
    if changed and holds:
        return replace(check, condition=f"changed and {holds}", changed=changed)
    return replace(check, condition=changed or holds)


def _call(check: Check) -> str:
    return f"{check.name}({', '.join(check.arguments)})"


def refusal(code: str, message: str) -> str:
    """Write the refusal by a rule."""
    return f"raise RuleError({names.text(code)}, {names.text(message)})"


def _invalid(place: str, code: str, message: str) -> str:
    fault = f"Fault({names.text('/' + place)}, {names.text(message)})"
    return f"raise InvalidError([{fault}], code={names.text(code)})"


def _sql(condition: str) -> str:
    """Write a SQL condition with as few escapes as Python's quotes allow."""
    if '"' not in condition or condition.endswith('"'):
        return names.text(condition)
    return f'"""{condition}"""' if "'" in condition else f"'{condition}'"


def _clock_bindings(condition: str) -> list[str]:
    bindings = []
    if re.search(r":now\b", condition):
        bindings.append("now=MOMENT.encode(now)")
    if re.search(r":today\b", condition):
        bindings.append("today=now.date().isoformat()")
    return bindings


def _uncapitalised(message: str) -> str:
    return message[:1].lower() + message[1:]
