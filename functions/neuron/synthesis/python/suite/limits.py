"""Writes the tests of quotas and capacities: how many there may be, and when there is room again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.suite.interplay import refused_before
from functions.neuron.synthesis.python.suite.records import least
from functions.neuron.synthesis.testing import Way
from shared.software import designs
from shared.software.specification import FieldType, NoOverlapRule, Operator, OrderedRule

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.suite.records import RecordWriter
    from shared.software.specification import CapacityRule, Entity, FieldSpec, QuotaRule


_RuleT = TypeVar("_RuleT", NoOverlapRule, OrderedRule)
_PERIOD_DAYS: Final = {"day": 1, "week": 7, "month": 31, "year": 366}
_MOST_REPEATED: Final = 60


class LimitTests:
    """The tests of quotas and capacities."""

    def __init__(self, writer: RecordWriter) -> None:
        self._writer = writer

    def of_quota(self, rule: QuotaRule) -> list[list[str]]:
        """Write that one more than a quota allows is refused, and when there is room again."""
        entity = self._writer.specification.entity(rule.entity)
        way = self._writer.planner.way(entity, rule.when)
        blocking = any(condition.other in {"now", "today"} for condition in rule.when)
        limit = rule.limit
        if (
            way is None
            or (limit > _MOST_REPEATED and not rule.weight_field)
            or refused_before(entity, rule, self._writer.specification)
        ):
            return []
        lines, given = self._writer.agreeing(entity, [*([rule.reference] if rule.reference else []), *rule.also])
        spread = self._spread(rule, entity)
        if spread is None:
            return []
        given += spread or self._period_value(rule, entity)
        weight = designs.field_of(entity, rule.weight_field or "")
        if weight is not None:
            return self._weight_quota(rule, entity, way, weight, lines, given)
        if blocking:
            if limit:
                return []
            lines += [*self._writer.tried(entity, way, given, "blocking"), f'with refused_by_rule("{rule.name}"):']
            lines += [f"    make_{entity.name}({', '.join(['world', *given])})"]
            return [self._writer.test(rule.name, rule.message, lines)]
        one = self._writer.tried(entity, way, given)
        if limit:
            lines += [f"for {'k' if spread else '_'} in range({limit}):", *(f"    {line}" for line in one)]
        last = [line.replace(" * k", f" * {limit}") for line in one] if spread else one
        lines += [f'with refused_by_rule("{rule.name}"):', *(f"    {line}" for line in last)]
        if rule.reference is not None and not spread:
            others = [
                part for part in given if not part.startswith(f"{self._writer.attribute(entity, rule.reference)}=")
            ]
            lines.append(f"make_{entity.name}({', '.join(['world', *others])})")
        tests = [self._writer.test(rule.name, rule.message, lines)]
        return tests + self._freed_tests(rule, entity, way)

    def _weight_quota(
        self, rule: QuotaRule, entity: Entity, way: Way, weight: FieldSpec, lines: list[str], given: list[str]
    ) -> list[list[str]]:
        name = designs.attribute(weight)
        if (weight.maximum is not None and weight.maximum < rule.limit + 1) or way.moves:
            return []
        more = [*given, *self._writer.overrides(entity, way)]
        enough = ", ".join(["world", *more, f"{name}={self._writer.number(rule.limit, weight)}"])
        extra = ", ".join(["world", *more, f"{name}={self._writer.number(least(weight), weight)}"])
        lines += [
            f"make_{entity.name}({enough})",
            f'with refused_by_rule("{rule.name}"):',
            f"    make_{entity.name}({extra})",
        ]
        return [self._writer.test(rule.name, rule.message, lines)]

    def _freed_tests(self, rule: QuotaRule, entity: Entity, way: Way) -> list[list[str]]:
        """Write that there is room again once a record no longer counts, or in the next period."""
        lines, agreed = self._writer.agreeing(entity, [*([rule.reference] if rule.reference else []), *rule.also])
        machine = entity.machine
        view = self._writer.views[entity.name]
        if rule.period and not rule.period_field and rule.limit:
            made = self._writer.tried(entity, way, agreed)
            lines += [f"for _ in range({rule.limit}):", *(f"    {line}" for line in made)]
            lines.append(f"world.now += timedelta(days={_PERIOD_DAYS[rule.period]})")
            lines += made
            return [self._writer.test(f"{rule.name}_begins_anew_in_the_next_{rule.period}", rule.message, lines)]
        states = {c.field for c in rule.when}
        if machine is None or machine.field not in states or way.moves or not rule.limit or rule.period:
            return []
        leaving = next(
            (m for m in view.transitions if machine.initial in m.sources and self._leaves(m.target, rule)), None
        )
        if leaving is None or leaving.when or self._writer.guarded(entity, leaving.name):
            return []
        one = f"make_{entity.name}({', '.join(['world', *agreed])})"
        lines += [f"made = [{one} for _ in range({rule.limit})]"]
        lines += [f'world.act("{entity.name}", made[0]["id"], "{leaving.name}")', one]
        return [self._writer.test(f"{rule.name}_has_room_after_{leaving.name}", rule.message, lines)]

    def _leaves(self, state: str, rule: QuotaRule) -> bool:
        for condition in rule.when:
            if condition.operator is Operator.EQ and condition.value != state:
                return True
            if condition.operator is Operator.NE and condition.value == state:
                return True
            if (
                condition.operator is Operator.IN
                and isinstance(condition.value, tuple)
                and state not in condition.value
            ):
                return True
        return False

    def _spread(self, rule: QuotaRule, entity: Entity) -> list[str] | None:
        """Write times of one period that do not overlap, numbered by `k`; None when they do not fit into it."""
        pairs = [(r.start, r.end) for r in self._of(entity, NoOverlapRule)]
        pairs += [(r.before, r.after) for r in self._of(entity, OrderedRule)]
        pair = next((pair for pair in pairs if rule.period_field in pair), None)
        if pair is None or rule.period is None:
            return []
        first, last = (designs.field_of(entity, name) for name in pair)
        if first is None or last is None or first.managed or last.managed or first.type is not last.type:
            return None
        days = first.type is FieldType.DATE
        if (
            rule.limit > 5
            or first.type not in {FieldType.DATE, FieldType.DATETIME}
            or (days and rule.period in {"day", "week"})
        ):
            return None
        call, base = ("world.day", 1) if days else ("world.moment", 13)
        names_of = [(designs.attribute(first), base), (designs.attribute(last), base + 1)]
        return [f"{name}={call}({offset} + 2 * k)" for name, offset in names_of]

    def _of(self, entity: Entity, kind: type[_RuleT]) -> list[_RuleT]:
        return [
            rule for rule in self._writer.specification.rules if isinstance(rule, kind) and rule.entity == entity.name
        ]

    def _period_value(self, rule: QuotaRule, entity: Entity) -> list[str]:
        field = designs.field_of(entity, rule.period_field or "")
        if field is None or field.managed:
            return []
        recipe = next((p.value for p in self._writer.recipes[entity.name].fields if p.field == field.name), None)
        if recipe is None:
            return []
        fixed = recipe.model_copy(update={"step": 0})
        ordered = any(
            isinstance(r, NoOverlapRule | OrderedRule) and r.entity == entity.name
            for r in self._writer.specification.rules
        )
        return [] if ordered else [f"{designs.attribute(field)}={self._writer.value(fixed, field, '1')}"]

    def of_capacity(self, rule: CapacityRule) -> list[list[str]]:
        """Write that a parent takes no more than it has room for, and shrinks no further than it is filled."""
        entity = self._writer.specification.entity(rule.entity)
        reference = designs.field_of(entity, rule.reference)
        parent = self._writer.specification.entity((reference.target if reference else None) or "")
        limit = designs.field_of(parent, rule.limit_field)
        way = self._writer.planner.way(entity, rule.when)
        if reference is None or limit is None or limit.managed or way is None or way.days:
            return []
        weight = designs.field_of(entity, rule.weight_field or "")
        room = int(max(limit.minimum or 0, 2))
        name, attribute = designs.attribute(limit), designs.attribute(reference)
        maker = self._writer.maker(parent.name)
        holder = names.variable(parent)
        lines = [f"{holder} = {maker}(world, {name}={room})"]
        given = [f'{attribute}={holder}["id"]']
        if weight is not None:
            given_all = [*given, f"{designs.attribute(weight)}={room}"]
            if weight.maximum is not None and weight.maximum < room:
                return []
            last = [*given, f"{designs.attribute(weight)}={least(weight)}"]
            fill = self._writer.tried(entity, way, given_all)
            over = self._writer.tried(entity, way, last)
            lines += fill
        else:
            over = self._writer.tried(entity, way, given)
            lines += [f"for _ in range({room}):", *(f"    {line}" for line in over)]
        lines += [f'with refused_by_rule("{rule.name}"):', *(f"    {line}" for line in over)]
        tests = [self._writer.test(rule.name, rule.message, lines)]
        view = self._writer.views[parent.name]
        changeable = view.can.change and not limit.immutable and not self._writer.guarded(parent, "update")
        if changeable and (limit.minimum or 0) < room:
            lines = [
                f"{holder} = {maker}(world, {name}={room})",
                *(fill if weight is not None else [f"for _ in range({room}):", *(f"    {line}" for line in over)]),
                f'with refused_by_rule("{rule.name}"):',
                f'    world.change("{parent.name}", {holder}["id"], {{"{name}": {room - 1}}})',
            ]
            tests.append(self._writer.test(f"{rule.name}_when_{name}_shrinks", rule.message, lines))
        return tests
