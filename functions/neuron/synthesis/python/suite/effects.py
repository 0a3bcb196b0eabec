"""Writes the tests of effects: what a record changes elsewhere, what is given back, and what is refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.suite.records import least
from shared.software import designs
from shared.software.specification import EffectRule, FieldType

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.suite.records import RecordWriter

_ROOM = 10  # how many records the number has room for


class EffectTests:
    """The tests of one effect."""

    def __init__(self, writer: RecordWriter, rule: EffectRule) -> None:
        specification = writer.specification
        self._writer, self._rule = writer, rule
        self._entity = specification.entity(rule.entity)
        reference = designs.field_of(self._entity, rule.reference)
        assert reference is not None  # noqa: S101  (a closed specification)
        self._parent = specification.entity(reference.target or "")
        number = designs.field_of(self._parent, rule.field)
        assert number is not None  # noqa: S101  (a closed specification)
        self._number = number
        self._amount = designs.field_of(self._entity, rule.amount or "")
        self._holder = names.variable(self._parent)
        self._way = writer.planner.way(self._entity, rule.when)
        self._given = [f'{designs.attribute(reference)}={self._holder}["id"]']
        if self._way is not None:
            self._given += writer.overrides(self._entity, self._way)
        self._opposed = any(
            isinstance(other, EffectRule)
            and (other.entity, other.action, other.field) == (rule.entity, "create", rule.field)
            and other.direction != rule.direction
            for other in specification.rules
        )

    @property
    def tests(self) -> list[list[str]]:
        """Write the tests; none where no way to try the effect is known."""
        views = self._writer.views
        usable = views[self._entity.name].can.create and views[self._parent.name].can.create
        usable = usable and views[self._parent.name].can.get
        if self._way is None or self._way.moves or self._way.days or self._number.managed or not usable:
            return []
        found = self._effect() if self._rule.action == "create" else self._effect_of_a_move()
        return found + (self._refusal() if self._rule.action == "create" else [])

    def _by(self) -> int:
        """Give by how much the tests change the number."""
        if self._amount is None:
            return 1
        lowest = math.ceil(least(self._amount))
        return lowest if self._amount.maximum is not None and lowest + 1 > self._amount.maximum else lowest + 1

    def _start(self, value: int) -> str:
        maker = self._writer.maker(self._parent.name)
        written = self._writer.number(value, self._number)
        return f"{self._holder} = {maker}(world, {designs.attribute(self._number)}={written})"

    def _made(self, by: int) -> str:
        amount = [f"{designs.attribute(self._amount)}={self._writer.number(by, self._amount)}"] if self._amount else []
        return f"make_{self._entity.name}({', '.join(['world', *self._given, *amount])})"

    def _sees(self, value: int) -> str:
        seen = f'world.get("{self._parent.name}", {self._holder}["id"])["{designs.attribute(self._number)}"]'
        if self._number.type is FieldType.DECIMAL:
            return f"assert Decimal(str({seen})) == {value}"
        return f"assert {seen} == {value}"

    def _room(self) -> int | None:
        room = math.ceil(max(self._number.minimum or 0, 0)) + _ROOM * self._by()
        return room if self._number.maximum is None or room + self._by() <= self._number.maximum else None

    def _change(self) -> int:
        return -self._by() if self._rule.direction == "decrease" else self._by()

    def _effect(self) -> list[list[str]]:
        room = self._room()
        if room is None:
            return []
        rule, view = self._rule, self._writer.views[self._entity.name]
        lines = [self._start(room), self._made(self._by()), self._sees(room + self._change())]
        tests = [self._writer.test(rule.name, rule.message, lines)]
        if view.can.delete and not self._writer.guarded(self._entity, "delete"):
            lines = [
                self._start(room),
                f"made = {self._made(self._by())}",
                f'world.delete("{self._entity.name}", made["id"])',
                self._sees(room),
            ]
            tests.append(self._writer.test(f"{rule.name}_is_taken_back", rule.message, lines))
        return tests

    def _effect_of_a_move(self) -> list[list[str]]:
        room, path = self._room(), self._path()
        if room is None or path is None:
            return []
        before = room - self._change() if self._opposed else room
        lines = [
            self._start(room),
            f"made = {self._made(self._by())}",
            *(f'world.act("{self._entity.name}", made["id"], "{name}")' for name in path[:-1]),
            self._sees(before),
            f'world.act("{self._entity.name}", made["id"], "{path[-1]}")',
            self._sees(before + self._change()),
        ]
        return [self._writer.test(self._rule.name, self._rule.message, lines)]

    def _path(self) -> tuple[str, ...] | None:
        """Give the moves that end with the effect's action; none where another of them has an effect too."""
        machine, planner = self._entity.machine, self._writer.planner
        move = next((m for m in machine.transitions if m.name == self._rule.action), None) if machine else None
        if move is None or not planner.allowed(self._entity, move.name, move.when):
            return None
        path = planner.moves_to_state(self._entity, move.sources)
        effects = {r.action for r in self._writer.specification.rules if isinstance(r, EffectRule)}
        return None if path is None or effects & set(path) else (*path, move.name)

    def _refusal(self) -> list[list[str]]:
        """Write that a record which takes more than there is is refused, and that a change counts by its difference."""
        rule, amount = self._rule, self._amount
        lowest = self._number.minimum
        if rule.direction != "decrease" or lowest is None or amount is None or not float(lowest).is_integer():
            return []
        own = math.ceil(least(amount))
        limit = int(lowest) + own + 4 + self._number.exclusive_minimum
        if amount.maximum is not None and amount.maximum < limit + 1:
            return []
        lines = [self._start(limit), f'with refused_by_rule("{rule.name}"):', f"    {self._made(limit + 1)}"]
        lines.append(self._sees(limit))
        if not self._number.exclusive_minimum and not lowest:
            lines += [self._made(limit), self._sees(0)]
        tests = [self._writer.test(f"{rule.name}_refuses_what_is_not_there", rule.message, lines)]
        view = self._writer.views[self._entity.name]
        if view.can.change and not amount.immutable and not self._writer.guarded(self._entity, "update"):
            change = f'{{"{designs.attribute(amount)}": {self._writer.number(own + 1, amount)}}}'
            lines = [
                self._start(limit),
                f"made = {self._made(own)}",
                f'world.change("{self._entity.name}", made["id"], {change})',
                self._sees(limit - own - 1),
            ]
            tests.append(self._writer.test(f"{rule.name}_follows_changes", rule.message, lines))
        return tests
