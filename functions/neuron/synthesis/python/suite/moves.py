"""Writes the tests of moves from state to state, and of what guards actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.testing import Way
from shared.software import designs
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.entities import EntityView
    from functions.neuron.synthesis.python.suite.records import RecordWriter
    from shared.software.specification import Entity, TransitionRule


class MoveTests:
    """The tests of moves and guards."""

    def __init__(self, writer: RecordWriter) -> None:
        self._writer = writer

    def of_guard(self, rule: TransitionRule) -> list[list[str]]:
        """Write that an action is refused where what it requires does not hold."""
        entity = self._writer.specification.entity(rule.entity)
        if rule.action == "create":
            return self._create_guard_test(rule, entity)
        own = [condition for condition in rule.requires if "." not in condition.field]
        way = self._writer.planner.against(entity, own)
        view = self._writer.views[entity.name]
        action = self._action(rule.action, view)
        if way is None or action is None:
            return []
        lines = [*self._writer.reached(entity, way, "made"), f'with refused_by_rule("{rule.name}"):', f"    {action}"]
        return [self._writer.test(rule.name, rule.message, lines)]

    def _action(self, action: str, view: EntityView) -> str | None:
        if action == "delete":
            return f'world.delete("{view.name}", made["id"])' if view.can.delete else None
        if action == "update":
            mutable = [designs.attribute(f) for f in view.given if not f.immutable]
            if not view.can.change or not mutable:
                return None
            name = mutable[0]
            return f'world.change("{view.name}", made["id"], {{"{name}": made["{name}"]}})'
        machine = view.entity.machine
        move = next((m for m in view.transitions if m.name == action), None)
        if machine is None or move is None or machine.initial not in move.sources:
            return None
        return f'world.act("{view.name}", made["id"], "{action}")'

    def _create_guard_test(self, rule: TransitionRule, entity: Entity) -> list[list[str]]:
        tests: list[list[str]] = []
        for condition in rule.requires:
            head, _, tail = condition.field.partition(".")
            field = designs.field_of(entity, head)
            if field is None:
                continue
            if not tail:
                way = self._writer.planner.against(entity, (condition,))
                if way is None or way.moves or way.days:
                    continue
                arguments = ", ".join(["world", *self._writer.overrides(entity, way)])
                lines = [f'with refused_by_rule("{rule.name}"):', f"    make_{entity.name}({arguments})"]
            else:
                parent = self._writer.specification.entity(field.target or "")
                way = self._writer.planner.against(parent, (condition.model_copy(update={"field": tail}),))
                if way is None:
                    continue
                holder = names.safe(head)
                lines = [*self._writer.reached(parent, way, holder), f'with refused_by_rule("{rule.name}"):']
                lines.append(f'    make_{entity.name}(world, {designs.attribute(field)}={holder}["id"])')
            tests.append(
                self._writer.test(f"{rule.name}_{len(tests) + 1}" if tests else rule.name, rule.message, lines)
            )
        return tests

    def of_moves(self, view: EntityView) -> list[list[str]]:
        """Write that every move is possible from its states, and refused from others."""
        entity = view.entity
        machine = entity.machine
        tests: list[list[str]] = []
        for move in view.transitions if machine else ():
            assert machine is not None  # noqa: S101  (narrowing)
            if not self._writer.planner.allowed(entity, move.name, move.when):
                continue
            path = self._writer.planner.moves_to_state(entity, move.sources)
            elsewhere = [state for state in machine.states if state not in move.sources]
            wrong = self._writer.planner.moves_to_state(entity, elsewhere) if elsewhere else None
            name = f"{move.name}_{entity.name}"
            if path is not None:
                lines = self._writer.reached(entity, Way({}, path), "made")
                lines.append(f'moved = world.act("{entity.name}", made["id"], "{move.name}")')
                lines.append(f'assert moved["{machine.field}"] == "{move.target}"')
                if move.stamps:
                    stamp = designs.field_of(entity, move.stamps)
                    now = "world.day(0)" if stamp and stamp.type is FieldType.DATE else "world.moment(0)"
                    lines.append(f'assert moved["{move.stamps}"] == {now}')
                tests.append(self._writer.test(name, f"{name.replace('_', ' ')} is possible", lines))
            if wrong is not None:
                lines = [
                    *self._writer.reached(entity, Way({}, wrong), "made"),
                    f'with refused_by_rule("{view.move_code(move)}"):',
                    f'    world.act("{entity.name}", made["id"], "{move.name}")',
                ]
                tests.append(
                    self._writer.test(
                        f"{name}_is_refused_elsewhere", f"{name.replace('_', ' ')} needs its state", lines
                    )
                )
        return tests
