"""Writes the checks of an entity: each looks at the result of a change, in its transaction, after it is written.

A check asks the tables where it must look at other records, and turns the answer into a refusal.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from functions.neuron.synthesis.database import indexable, nullable
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities.conditions import OPPOSITE_SIGNS, Conditions, uses_clock
from functions.neuron.synthesis.python.entities.parts import Check
from functions.neuron.synthesis.python.entities.statements import fetched, invalid, refusal, unless_absent
from shared.software import designs
from shared.software.specification import (
    AggregateRule,
    CapacityRule,
    FieldType,
    NoOverlapRule,
    OrderedRule,
    QuotaRule,
    RangeRule,
    UniqueRule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from functions.neuron.synthesis.python.entities.view import EntityView
    from shared.software.specification import Condition


class CheckWriter:
    """Writes the checks of one entity."""

    def __init__(self, view: EntityView) -> None:
        self._view = view

    @cached_property
    def all(self) -> list[Check]:
        """Give the checks of every rule that a change of the entity may break."""
        return [check for rule in self._view.specification.rules for check in self._rule_checks(rule)]

    @property
    def on_create(self) -> bool:
        """Say whether a check has something to say about a new record."""
        return any(not check.condition.startswith("before is not None") for check in self.all)

    def call(self, record: str, before: str = "") -> str:
        """Write the call that checks the rules of a record, new or changed."""
        uses = self._used
        arguments = [*(["connection"] if "connection" in uses else []), *([record] if self._view.var in uses else [])]
        arguments += ["now"] if "now" in uses else []
        return f"_check_rules({', '.join([*arguments, *([before] if before and self._use_before else [])])})"

    @property
    def parameters(self) -> str:
        """Write the parameters of the function that checks the rules."""
        uses = self._used
        written = ["connection: sqlite3.Connection"] if "connection" in uses else []
        written += [f"{self._view.var}: {self._view.cls}"] if self._view.var in uses else []
        written += ["now: datetime"] if "now" in uses else []
        if self._use_before:
            written.append(f"before: {self._view.cls}{' | None = None' if self.on_create else ''}")
        return ", ".join(written)

    @property
    def _used(self) -> set[str]:
        """Name what the checks and the conditions under which they run look at."""
        conditions = " ".join(f"{check.condition} {check.changed}" for check in self.all)
        mentioned = {self._view.var} if re.search(rf"\b{self._view.var}\b", conditions) else set()
        return mentioned | {argument for check in self.all for argument in check.arguments}

    @property
    def _use_before(self) -> bool:
        return any("before" in f"{check.condition} {check.changed}" for check in self.all)

    @property
    def use_now(self) -> bool:
        """Say whether a check looks at the clock."""
        return any("now" in check.arguments for check in self.all)

    def _rule_checks(self, rule: object) -> Iterator[Check]:
        match rule:
            case OrderedRule() if rule.entity == self._view.name:
                yield self._ordered_check(rule)
            case RangeRule() if rule.entity == self._view.name:
                yield self._range_check(rule)
            case QuotaRule() if rule.entity == self._view.name:
                yield self._quota_check(rule)
            case CapacityRule():
                yield from self._capacity_checks(rule)
            case NoOverlapRule() if rule.entity == self._view.name:
                yield self._overlap_check(rule)
            case UniqueRule() if rule.entity == self._view.name and not indexable(rule.when):
                yield self._asked_check(rule, f"count_{rule.name}", tuple(rule.fields), rule.when)
            case AggregateRule() if rule.of == self._view.name and rule.limit is not None:
                yield self._aggregate_check(rule)
            case _:
                pass

    def _own_check(self, name: str, message: str, body: tuple[str, ...], *, connection: bool, now: bool) -> Check:
        looks_at_record = any(re.search(rf"\b{self._view.var}\b", line) for line in body)
        parameters = [f"{self._view.var}: {self._view.cls}"] if looks_at_record else []
        arguments = [self._view.var] if looks_at_record else []
        if connection:
            parameters.insert(0, "connection: sqlite3.Connection")
            arguments.insert(0, "connection")
        if now:
            parameters.append("now: datetime")
            arguments.append("now")
        return Check(f"_check_{name}", tuple(parameters), tuple(arguments), names.docstring(message), body)

    def _ordered_check(self, rule: OrderedRule) -> Check:
        before, after = (designs.field_of(self._view.entity, name) for name in (rule.before, rule.after))
        absent = [
            f"{self._view.var}.{designs.attribute(spec)} is not None"
            for spec in (before, after)
            if spec and nullable(spec, self._view.entity)
        ]
        left, right = (f"{self._view.var}.{self._view.attribute(name)}" for name in (rule.before, rule.after))
        kinds = {spec.type for spec in (before, after) if spec}
        if kinds == {FieldType.DATE, FieldType.DATETIME} and before is not None:
            left, right = (f"{left}.date()", right) if before.type is FieldType.DATETIME else (left, f"{right}.date()")
        test = " and ".join([*absent, f"{left} {'>=' if rule.strict else '>'} {right}"])
        return self._own_check(
            rule.name,
            rule.message,
            (f"if {test}:", f"    {invalid(self._view.place(rule.after), rule.name, rule.message)}"),
            connection=False,
            now=False,
        )

    def _range_check(self, rule: RangeRule) -> Check:
        conditions = Conditions(self._view.specification, self._view.entity, self._view.var)
        references = {c.field.partition(".")[0] for c in rule.when if "." in c.field}
        right, needed, absent = self._bound(rule)
        references |= needed
        spec = designs.field_of(self._view.entity, rule.field)
        left = f"{self._view.var}.{self._view.attribute(rule.field)}"
        if spec is not None and nullable(spec, self._view.entity):
            absent.insert(0, f"{left} is not None")
        when = [conditions.all_of(rule.when)] if rule.when else []
        test = " and ".join([*when, *absent, f"{left} {OPPOSITE_SIGNS[rule.operator]} {right}"])
        own = not references and not rule.when
        refused = (
            invalid(self._view.place(rule.field), rule.name, rule.message) if own else refusal(rule.name, rule.message)
        )
        looked_through = [field for name in sorted(references) if (field := designs.field_of(self._view.entity, name))]
        body = (*fetched(self._view, looked_through, self._view.var), f"if {test}:", f"    {refused}")
        now = uses_clock(rule.when) or right in {"now", "now.date()"}
        return self._own_check(rule.name, rule.message, body, connection=bool(looked_through), now=now)

    def _bound(self, rule: RangeRule) -> tuple[str, set[str], list[str]]:
        """Write a rule's bound; name the references that it looks through and what must not be None."""
        spec = designs.field_of(self._view.entity, rule.field)
        if rule.value in {"now", "today"} or rule.other in {"now", "today"}:
            return ("now.date()" if spec is not None and spec.type is FieldType.DATE else "now"), set(), []
        if rule.other is None:
            return names.literal(rule.value, spec), set(), []
        head, _, tail = rule.other.partition(".")
        if not tail:
            limit = designs.field_of(self._view.entity, head)
            right = f"{self._view.var}.{self._view.attribute(head)}"
            return right, set(), [f"{right} is not None"] if limit and nullable(limit, self._view.entity) else []
        reference = designs.field_of(self._view.entity, head)
        assert reference is not None  # noqa: S101  (a closed specification)
        parent, target = self._view.parent_variable(reference), self._view.target(reference)
        limit = designs.field_of(target, tail)
        right = f"{parent}.{designs.attribute(limit) if limit else tail}"
        absent = [f"{parent} is not None"] if nullable(reference, self._view.entity) else []
        absent += [f"{right} is not None"] if limit and nullable(limit, target) else []
        return right, {head}, absent

    def _changed(self, fields: Iterable[str]) -> str:
        """Write that a record is new, or that one of the fields has changed."""
        if not self._view.updates:
            return ""
        own = dict.fromkeys(self._view.attribute(name.partition(".")[0]) for name in fields)
        own_fields = [name for name in own if self._view.can_change(name)]
        if not own_fields:
            return "before is None"
        return " or ".join(["before is None", *(f"before.{name} != {self._view.var}.{name}" for name in own_fields)])

    def _quota_check(self, rule: QuotaRule) -> Check:
        reference = self._view.attribute(rule.reference) if rule.reference else None
        agreeing = [*([reference] if reference else []), *map(self._view.attribute, rule.also)]
        arguments = ["connection", *(f"{self._view.var}.{name}" for name in agreeing)]
        if rule.period:
            arguments.append(f'period_of({self._period_moment(rule)}, "{rule.period}")')
        now = uses_clock(rule.when)
        arguments += ["now"] if now else []
        table = self._view.plural_var
        call = f"{table}.{'sum' if rule.weight_field else 'count'}_{rule.name}({', '.join(arguments)})"
        refused = (f"if {call} > {rule.limit}:", f"    {refusal(rule.name, rule.message)}")
        body = (*unless_absent(self._view, rule.reference), *refused)
        check = self._own_check(rule.name, rule.message, body, connection=True, now=now)
        fields = [rule.reference, *rule.also, rule.weight_field, rule.period_field, *(c.field for c in rule.when)]
        condition = ("before is None" if self._view.updates else "") if now else self._changed(f for f in fields if f)
        return _with_condition(check, condition, "")

    def _period_moment(self, rule: QuotaRule) -> str:
        spec = designs.field_of(self._view.entity, rule.period_field or "")
        if spec is not None and spec.type is FieldType.DATE:
            return f"datetime.combine({self._view.var}.{designs.attribute(spec)}, time(), UTC)"
        return f"{self._view.var}.{designs.attribute(spec) if spec else 'created_at'}"

    def _capacity_checks(self, rule: CapacityRule) -> Iterator[Check]:
        child = self._view.specification.entity(rule.entity)
        reference = designs.field_of(child, rule.reference)
        parent = self._view.specification.entity((reference.target if reference else None) or "")
        limit = designs.field_of(parent, rule.limit_field)
        if reference is None or limit is None:
            return
        function = f"{'sum' if rule.weight_field else 'count'}_{rule.name}"
        now = uses_clock(rule.when)
        clock = ", now" if now else ""
        limit_name = designs.attribute(limit)
        refused = f"    {refusal(rule.name, rule.message)}"
        if rule.entity == self._view.name:
            holder = self._view.parent_variable(reference)
            absent = f"{holder}.{limit_name} is not None and " if nullable(limit, parent) else ""
            own = f"{self._view.var}.{designs.attribute(reference)}"
            body = (
                *unless_absent(self._view, rule.reference),
                f"{holder} = {names.module(parent)}.get(connection, {own})",
                f"if {absent}{self._view.plural_var}.{function}(connection, {own}{clock}) > {holder}.{limit_name}:",
                refused,
            )
            check = self._own_check(rule.name, rule.message, body, connection=True, now=now)
            fields = [rule.reference, rule.weight_field, *(c.field for c in rule.when)]
            yield _with_condition(check, self._changed(f for f in fields if f), "")
        if parent.name == self._view.name and self._view.can_change(limit_name):
            absent = f"{self._view.var}.{limit_name} is not None and " if nullable(limit, parent) else ""
            used = f"{names.module(child)}.{function}(connection, {self._view.var}.id{clock})"
            limited = (
                f"if {absent}{used} > {self._view.var}.{limit_name}:",
                refused,
            )
            check = self._own_check(f"{rule.name}_after_change", rule.message, limited, connection=True, now=now)
            yield _with_condition(
                check, f"before is not None and before.{limit_name} != {self._view.var}.{limit_name}", ""
            )

    def _overlap_check(self, rule: NoOverlapRule) -> Check:
        fields = (rule.start, rule.end, *rule.per, *(c.field for c in rule.when))
        own = tuple(c for c in rule.when if "." not in c.field)
        holds = Conditions(self._view.specification, self._view.entity, self._view.var).all_of(own)
        check = self._asked_check(rule, f"count_{rule.name}", fields, rule.when)
        start = designs.field_of(self._view.entity, rule.start)
        absent = (
            f"{self._view.var}.{self._view.attribute(rule.start)} is not None"
            if start and nullable(start, self._view.entity)
            else ""
        )
        return _with_condition(check, check.condition, " and ".join(part for part in (absent, holds) if part))

    def _asked_check(
        self, rule: NoOverlapRule | UniqueRule, question: str, fields: tuple[str, ...], when: tuple[Condition, ...]
    ) -> Check:
        now = uses_clock(when)
        call = f"{self._view.plural_var}.{question}(connection, {self._view.var}{', now' if now else ''})"
        body = (f"if {call}:", f"    {refusal(rule.name, rule.message)}")
        check = self._own_check(rule.name, rule.message, body, connection=True, now=now)
        return _with_condition(check, self._changed(fields), "")

    def _aggregate_check(self, rule: AggregateRule) -> Check:
        parent = self._view.specification.entity(rule.entity)
        reference = designs.field_of(self._view.entity, rule.reference)
        aggregate = designs.field_of(parent, rule.field)
        assert reference is not None  # noqa: S101  (a closed specification)
        holder = self._view.parent_variable(reference)
        maybe = aggregate is not None and rule.function in {"minimum", "maximum", "average"}
        absent = f"{holder}.{rule.field} is not None and " if maybe else ""
        body = (
            *unless_absent(self._view, rule.reference),
            f"{holder} = {names.module(parent)}.get(connection, {self._view.var}.{designs.attribute(reference)})",
            f"if {absent}{holder}.{rule.field} > {names.literal(rule.limit, aggregate)}:",
            f"    {refusal(rule.name, rule.message)}",
        )
        return self._own_check(rule.name, rule.message, body, connection=True, now=False)


def _with_condition(check: Check, changed: str, holds: str) -> Check:
    if changed and holds:
        return replace(check, condition=f"changed and {holds}", changed=changed)
    return replace(check, condition=changed or holds)
