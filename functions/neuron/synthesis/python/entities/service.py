"""Writes an entity's service: the values that it gives, its methods, and what these call."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.neuron.synthesis.database import nullable, presumed
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities import effects, reporting
from functions.neuron.synthesis.python.entities.checks import CheckWriter
from functions.neuron.synthesis.python.entities.conditions import uses_clock
from functions.neuron.synthesis.python.entities.guards import GuardWriter
from functions.neuron.synthesis.python.entities.parts import Check, Move, ViewMethod
from functions.neuron.synthesis.python.entities.statements import fetched
from functions.neuron.synthesis.python.entities.view import view_method, view_words
from shared.software import designs
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.entities.view import EntityView
    from shared.software.specification import Derivation, Transition


class ServiceWriter:
    """Writes the service of one entity.

    Attributes:
        guards: What refuses an action before it is done.
        checks: What refuses the result of a change.
    """

    def __init__(self, view: EntityView) -> None:
        self._view = view
        self.guards = GuardWriter(view)
        self.checks = CheckWriter(view)

    @cached_property
    def given_on_create(self) -> list[str]:
        """Write the values that the software gives at creation."""
        written = []
        if self._view.entity.machine is not None:
            machine = self._view.entity.machine
            written.append(f"{names.text(machine.field)}: {names.text(machine.initial)}")
        derived = {derivation.field for derivation in self._view.entity.derivations}
        written += [f"{names.text(d.field)}: {self._given_or_derived(d)}" for d in self._view.entity.derivations]
        for spec in self._view.entity.fields:
            state = self._view.entity.machine is not None and spec.name == self._view.entity.machine.field
            if spec.managed and spec.default is not None and spec.name not in derived and not state:
                written.append(f"{names.text(designs.attribute(spec))}: {names.literal(spec.default, spec)}")
        return written

    def _given_or_derived(self, derivation: Derivation) -> str:
        spec = designs.field_of(self._view.entity, derivation.field)
        if spec is None or not presumed(spec, self._view.entity):
            return self._derived(derivation)
        given = f"data.{designs.attribute(spec)}"
        return f"{given} if {given} is not None else {self._derived(derivation)}"

    @property
    def kept_on_replace(self) -> list[str]:
        """Write the values that stay when a replacement leaves them out."""
        attributes = [designs.attribute(spec) for spec in self._view.given if presumed(spec, self._view.entity)]
        return [f"{names.text(n)}: before.{n} if data.{n} is None else data.{n}" for n in attributes]

    def _derived(self, derivation: Derivation) -> str:
        spec = designs.field_of(self._view.entity, derivation.field)
        wants_date = spec is not None and spec.type is FieldType.DATE
        parts = [f"{unit}={count}" for unit, count in (("days", derivation.days), ("hours", derivation.hours)) if count]
        shift = f" + timedelta({', '.join(parts)})" if parts else ""
        base = designs.field_of(self._view.entity, derivation.base)
        if base is None:
            moment = f"(now{shift})" if shift else "now"
            if wants_date:
                return f"{moment}.date()" if derivation.hours else f"now.date(){shift}"
            return f"now{shift}"
        inner = next((d for d in self._view.entity.derivations if d.field == base.name and d is not derivation), None)
        value = f"({self._derived(inner)})" if inner else f"data.{designs.attribute(base)}"
        has_time = base.type is FieldType.DATETIME
        if wants_date and has_time:
            value = f"{value}.date()"
        elif not wants_date and not has_time:
            value = f"datetime.combine({value}, time(), UTC)"
        result = f"{value}{shift}"
        if inner is None and nullable(base, self._view.entity):
            return f"None if data.{designs.attribute(base)} is None else {result}"
        return result

    @property
    def update_uses_now(self) -> bool:
        """Say whether a change looks at the clock for more than its stamp."""
        called = [*self.guards.by_action.get("update", []), *self.guards.of_references]
        return self.checks.use_now or any(guard.clock for guard in called)

    @cached_property
    def effect_functions(self) -> list[Check]:
        """Give the functions that change a number elsewhere."""
        offered = {move.name for move in self._view.transitions} | ({"create"} if self._view.can.create else set())
        return [effects.function(rule, self._view) for rule in self._view.effects if rule.action in offered]

    @cached_property
    def moves(self) -> list[Move]:
        """Give the transitions as methods."""
        return [self._move(move) for move in self._view.transitions]

    def _move(self, move: Transition) -> Move:
        machine = self._view.entity.machine
        assert machine is not None  # noqa: S101  (narrowing)
        state = f"{self._view.var}.{machine.field}"
        lines = []
        if set(move.sources) != set(machine.states):
            one = len(move.sources) == 1
            test = f"!= {names.text(move.sources[0])}" if one else f"not in {names.literal(move.sources, None)}"
            a_record = f"{self._view.a[0].upper()}{self._view.a[1:]}"
            message = f"{a_record} that is {{{state}}} does not allow: {names.words(move.name)}."
            lines.append(f"if {state} {test}:")
            lines.append(f"    raise RuleError({names.text(self._view.move_code(move))}, f{names.text(message)})")
        guards = self.guards.by_action.get(move.name, [])
        lines += fetched(self._view, self.guards.references(move.name), self._view.var)
        lines += [guard.check.call for guard in guards]
        values = [f"{names.text(machine.field)}: {names.text(move.target)}"]
        if move.stamps:
            spec = designs.field_of(self._view.entity, move.stamps)
            is_date = spec is not None and spec.type is FieldType.DATE
            values.append(f"{names.text(move.stamps)}: {'now.date()' if is_date else 'now'}")
        values.append('"updated_at": now')
        method = f"{move.name}_{self._view.name}"
        taken = tuple(effects.call(rule, "moved") for rule in self._view.effects if rule.action == move.name)
        doc = f"Move {self._view.a} to {names.words(move.target)}; raises NotFoundError, RuleError."
        return Move(method, names.docstring(doc, 8), tuple(lines), tuple(values), taken)

    @cached_property
    def views(self) -> list[ViewMethod]:
        """Give the views as methods."""
        found = []
        for view in self._view.offered_views:
            query = []
            if view.sort:
                query.append(f'sort="{"-" if view.descending else ""}{self._view.attribute(view.sort)}"')
            if view.limit:
                query.append(f"limit=min(query.limit, {view.limit})")
            now = uses_clock(view.when)
            call = f"select_{view.name}(connection, query{', now' if now else ''})" if view.when else ""
            found.append(
                ViewMethod(
                    method=view_method(view, self._view.entity),
                    doc=names.docstring(
                        f"Give the page that the query wants of: {view_words(view, self._view.entity)}", 8
                    ),
                    query=tuple(query),
                    call=call or "select(connection, query)",
                    uses_now=now,
                )
            )
        return found

    @property
    def create_raises(self) -> str:
        """Say what creation may raise."""
        invalid = any("InvalidError" in line for check in self.checks.all for line in check.body)
        kinds = [*(["UnknownReferenceError"] if self._view.references else []), *(["InvalidError"] if invalid else [])]
        return " or ".join([*kinds, "RuleError when it must not be"])

    @property
    def uses_clock(self) -> bool:
        """Say whether the service looks at the clock."""
        told = any(report.uses_now for report in self.reports)
        return self._view.can.create or self._view.updates or told or any(view.uses_now for view in self.views)

    @property
    def others(self) -> list[dict[str, str]]:
        """Give the entities whose records the functions of the service take."""
        mentioned = {
            spec.target for guards in self.guards.by_action.values() for guard in guards for spec in guard.references
        }
        mentioned |= {relation.other_cls for relation in self._view.relations}
        return [
            {"module": names.module(entity), "cls": names.entity_class(entity.name)}
            for entity in self._view.specification.entities
            if entity.name != self._view.name and {entity.name, names.entity_class(entity.name)} & mentioned
        ]

    @property
    def tables(self) -> list[str]:
        """Name the tables of the other entities, of which the service may ask something."""
        return [names.module(entity) for entity in self._view.specification.entities if entity.name != self._view.name]

    @cached_property
    def reports(self) -> list[reporting.ReportMethod]:
        """Give the reports as methods."""
        return [reporting.method(report, self._view.entity) for report in self._view.offered_reports]
