"""Writes the guards of an entity: they look at what is asked (may this be done at all?) before it is done.

A guard takes the records that it needs, those of parents too; so the look-ups of parents are written here as well.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.neuron.synthesis.database import nullable
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities.conditions import Conditions, uses_clock
from functions.neuron.synthesis.python.entities.parts import Check, Guard
from functions.neuron.synthesis.python.entities.statements import fetched, refusal
from shared.software import designs
from shared.software.specification import ReferencedRule, TransitionRule

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.entities.view import EntityView
    from shared.software.specification import Condition, FieldSpec


class GuardWriter:
    """Writes the guards of one entity."""

    def __init__(self, view: EntityView) -> None:
        self._view = view

    @cached_property
    def by_action(self) -> dict[str, list[Guard]]:
        """Give the guards of every action."""
        found: dict[str, list[Guard]] = {}
        for rule in self._view.specification.rules:
            if isinstance(rule, TransitionRule) and rule.entity == self._view.name:
                guard = self._guard(rule.name, rule.message, rule.requires)
                found.setdefault(rule.action, []).append(guard)
        for move in self._view.transitions:
            if move.when:
                name = f"{move.name}_{self._view.name}"
                message = f"{names.words(move.name).capitalize()} is not possible for this {self._view.words} now."
                found.setdefault(move.name, []).append(self._guard(name, message, move.when))
        return found

    def _guard(self, name: str, message: str, requires: tuple[Condition, ...]) -> Guard:
        conditions = Conditions(self._view.specification, self._view.entity, self._view.var)
        seen: dict[str, FieldSpec] = {}
        for condition in requires:
            reference = conditions.reference(condition)
            if reference is not None:
                seen[reference.name] = reference
        own = any("." not in c.field or (c.other and c.other not in {"now", "today"}) for c in requires)
        parameters = [f"{self._view.var}: {self._view.cls}"] if own else []
        arguments = [self._view.var] if own else []
        for reference in seen.values():
            optional = " | None" if nullable(reference, self._view.entity) else ""
            variable = self._view.parent_variable(reference)
            parameters.append(f"{variable}: {names.entity_class(self._view.target(reference).name)}{optional}")
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
    def functions(self) -> list[Check]:
        """Give every guard that some method calls, once."""
        taken = {
            "create": self._view.can.create,
            "delete": self._view.can.delete,
            "update": self._view.can.replace or self._view.can.change,
        }
        taken |= {move.name: True for move in self._view.transitions}
        found = {g.check.name: g.check for action, gs in self.by_action.items() if taken.get(action) for g in gs}
        return list(found.values())

    def references(self, action: str) -> list[FieldSpec]:
        """Give the references whose parents the guards of an action look at."""
        seen = {r.name: r for guard in self.by_action.get(action, []) for r in guard.references}
        return list(seen.values())

    @property
    def lookups_on_create(self) -> list[str]:
        """Write the look-ups of what a new record refers to."""
        wanted = {spec.name for spec in self.references("create")}
        lines: list[str] = []
        for spec in self._view.references:
            attribute = designs.attribute(spec)
            table, pointer = names.module(self._view.target(spec)), names.text("/" + attribute)
            lookup = f"{table}.refer(connection, data.{attribute}, {pointer})"
            target = self._view.parent_variable(spec)
            if nullable(spec, self._view.entity):
                if spec.name in wanted:
                    lines.append(f"{target} = None if data.{attribute} is None else {lookup}")
                else:
                    lines += [f"if data.{attribute} is not None:", f"    {lookup}"]
            else:
                lines.append(f"{target} = {lookup}" if spec.name in wanted else lookup)
        return lines

    @property
    def on_create(self) -> list[str]:
        """Write the calls of what guards creation."""
        return [guard.check.call for guard in self.by_action.get("create", [])]

    @property
    def on_update(self) -> list[str]:
        """Write what guards a change."""
        lines = fetched(self._view, self.references("update"), "before")
        for guard in self.by_action.get("update", []):
            arguments = ", ".join("before" if a == self._view.var else a for a in guard.check.arguments)
            lines.append(f"{guard.check.name}({arguments})")
        return lines

    @property
    def immutables(self) -> list[str]:
        """Write the refusals of changes to what is given once."""
        lines = []
        for spec in self._view.given:
            if spec.immutable:
                attribute = designs.attribute(spec)
                lines.append(f"if values.get({names.text(attribute)}, before.{attribute}) != before.{attribute}:")
                message = f"The {names.words(spec.name)} of {self._view.a} is given once and cannot be changed."
                lines.append(f"    {refusal(f'{self._view.name}_{spec.name}_immutable', message)}")
        return lines

    @property
    def lookups_on_update(self) -> list[str]:
        """Write the look-ups of what a change refers to."""
        lines = []
        for spec in self._view.references:
            if not spec.immutable:
                name = names.text(designs.attribute(spec))
                pointer = names.text("/" + designs.attribute(spec))
                lines.append(f"if values.get({name}) is not None:")
                table = names.module(self._view.target(spec))
                lines.append(f"    {table}.refer(connection, values[{name}], {pointer})")
        return lines

    @property
    def of_references(self) -> list[Guard]:
        """Give the guards of creation that look at parents which a change may exchange."""
        mutable = {spec.name for spec in self._view.references if not spec.immutable}
        return [
            guard
            for guard in self.by_action.get("create", [])
            if guard.references and {reference.name for reference in guard.references} & mutable
        ]

    @property
    def on_changed_references(self) -> list[str]:
        """Write the guards of creation that hold again when a reference changes."""
        lines: list[str] = []
        for guard in self.of_references:
            changed = " or ".join(
                f"{self._view.var}.{designs.attribute(r)} != before.{designs.attribute(r)}" for r in guard.references
            )
            lines.append(f"if {changed}:")
            lines += [
                f"    {line}" for line in (*fetched(self._view, guard.references, self._view.var), guard.check.call)
            ]
        return lines

    @property
    def on_delete(self) -> list[str]:
        """Write what guards a deletion."""
        lines = fetched(self._view, self.references("delete"), self._view.var)
        if any(guard.clock for guard in self.by_action.get("delete", [])):
            lines.append("now = self._clock()")
        lines += [guard.check.call for guard in self.by_action.get("delete", [])]
        for rule in self._view.specification.rules:
            if isinstance(rule, ReferencedRule) and rule.entity == self._view.name and not rule.cascade:
                table = names.module(self._view.specification.entity(rule.of))
                arguments = [
                    "connection",
                    f"{self._view.var}.id",
                    *(["self._clock()"] if uses_clock(rule.when) else []),
                ]
                lines.append(f"if {table}.count_{rule.name}({', '.join(arguments)}):")
                lines.append(f"    {refusal(rule.name, rule.message)}")
        return lines
