"""Writes a test for each rule, and for each move, view, report and relation, as far as they can be tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.synthesis.database import unique_rules
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.suite.bounds import BoundTests
from functions.neuron.synthesis.python.suite.effects import EffectTests
from functions.neuron.synthesis.python.suite.interplay import crowded, refused_before
from functions.neuron.synthesis.python.suite.kept import KeptTests
from functions.neuron.synthesis.python.suite.limits import LimitTests
from functions.neuron.synthesis.python.suite.listings import ListingTests
from functions.neuron.synthesis.python.suite.moves import MoveTests
from shared.software import designs
from shared.software.designs import ValueDesign
from shared.software.specification import (
    AggregateRule,
    CapacityRule,
    ComputedRule,
    EffectRule,
    FieldType,
    NoOverlapRule,
    OrderedRule,
    QuotaRule,
    RangeRule,
    ReferencedRule,
    TransitionRule,
)

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.entities import EntityView
    from functions.neuron.synthesis.python.suite.records import RecordWriter
    from shared.software.designs import TestDesign
    from shared.software.specification import UniqueRule


_NOTHING: Final = ValueDesign(kind="constant", value=None)


class RuleTests:
    """The tests of every rule, move, view, report and relation that can be tried."""

    def __init__(self, writer: RecordWriter, design: TestDesign) -> None:
        self._writer = writer
        self._cases = {case.rule for case in design.cases}
        self._limits = LimitTests(writer)
        self._bounds = BoundTests(writer)
        self._moves = MoveTests(writer)
        self._kept = KeptTests(writer)
        self._listings = ListingTests(writer)

    def all(self) -> list[str]:
        """Write a test for each rule, move, view and relation that can be tried."""
        found: list[list[str]] = []
        for entity in self._writer.specification.entities:
            view = self._writer.views[entity.name]
            for unique in unique_rules(entity, self._writer.specification):
                if view.can.create and unique.name in self._cases:
                    found += self._unique_test(unique)
            if view.can.create:
                found += self._moves.of_moves(view) + self._kept.of_presumed(view)
        for rule in self._writer.specification.rules:
            made = self._writer.views[rule.entity].can.create or isinstance(rule, AggregateRule | ReferencedRule)
            if made and rule.name in self._cases:
                found += self._rule_tests(rule)
        for view in self._writer.views.values():
            found += self._looking_tests(view) if view.can.create else []
        for relation in self._writer.specification.relations:
            found += self._listings.of_relation(relation.name, relation.left, relation.right)
        return ["\n".join(lines) for lines in found]

    def _looking_tests(self, view: EntityView) -> list[list[str]]:
        listed = [test for one in view.offered_views for test in self._listings.of_view(view, one)]
        return [*listed, *(test for one in view.offered_reports for test in self._listings.of_report(view, one))]

    def _rule_tests(self, rule: object) -> list[list[str]]:
        match rule:
            case QuotaRule():
                return self._limits.of_quota(rule)
            case CapacityRule():
                return self._limits.of_capacity(rule)
            case NoOverlapRule():
                return self._overlap_test(rule)
            case OrderedRule():
                return self._ordered_test(rule)
            case RangeRule():
                return self._bounds.of(rule)
            case TransitionRule():
                return self._moves.of_guard(rule)
            case AggregateRule():
                return self._kept.of_aggregate(rule)
            case ComputedRule() | EffectRule():
                return self._change_tests(rule)
            case ReferencedRule():
                return self._referenced_test(rule)
            case _:
                return []

    def _change_tests(self, rule: ComputedRule | EffectRule) -> list[list[str]]:
        return self._kept.of_computed(rule) if isinstance(rule, ComputedRule) else EffectTests(self._writer, rule).tests

    def _unique_test(self, rule: UniqueRule) -> list[list[str]]:
        entity = self._writer.specification.entity(rule.entity)
        fields = [field for name in rule.fields if (field := designs.field_of(entity, name))]
        way = self._writer.planner.way(entity, rule.when)
        filled = {part.field for part in self._writer.recipes[entity.name].fields if part.value != _NOTHING}
        if (
            way is None
            or not {field.name for field in fields} <= filled
            or refused_before(entity, rule, self._writer.specification)
        ):
            return []
        own = ", ".join(f'{designs.attribute(f)}=first["{designs.attribute(f)}"]' for f in fields)
        lines = [
            *self._writer.reached(entity, way, "first"),
            f'with refused_by_rule("{rule.name}"):',
            *(f"    {line}" for line in self._writer.tried(entity, way, [own], "second")),
        ]
        tests = [self._writer.test(rule.name, rule.message, lines)]
        changeable = (
            self._writer.views[entity.name].can.change and not any(f.immutable for f in fields) and not rule.when
        )
        if (
            changeable
            and not self._writer.guarded(entity, "update")
            and not crowded(entity, fields, self._writer.specification)
        ):
            changes = ", ".join(f'"{designs.attribute(f)}": first["{designs.attribute(f)}"]' for f in fields)
            change = [
                f"first, second = make_{entity.name}(world), make_{entity.name}(world)",
                f'with refused_by_rule("{rule.name}"):',
                f'    world.change("{entity.name}", second["id"], {{{changes}}})',
            ]
            tests.append(self._writer.test(f"{rule.name}_when_changed", rule.message, change))
        return tests

    def _overlap_test(self, rule: NoOverlapRule) -> list[list[str]]:
        entity = self._writer.specification.entity(rule.entity)
        way = self._writer.planner.way(entity, rule.when)
        start, end = designs.field_of(entity, rule.start), designs.field_of(entity, rule.end)
        if way is None or way.days or start is None or end is None or start.managed or end.managed:
            return []
        s, e = designs.attribute(start), designs.attribute(end)
        shared = ", ".join(
            f'{self._writer.attribute(entity, n)}=first["{self._writer.attribute(entity, n)}"]' for n in rule.per
        )
        agreed = [shared] if shared else []
        same = [*agreed, f'{s}=first["{s}"]', f'{e}=first["{e}"]']
        far = "world.moment(9000)" if end.type is FieldType.DATETIME else "world.day(900)"
        after = [*agreed, f'{s}=first["{e}"]', f"{e}={far}"]
        lines = [*self._writer.reached(entity, way, "first"), f'with refused_by_rule("{rule.name}"):']
        lines += [f"    {line}" for line in self._writer.tried(entity, way, same, "second")]
        return [
            self._writer.test(rule.name, rule.message, lines),
            self._writer.test(
                f"{rule.name}_allows_what_follows",
                rule.message,
                [*self._writer.reached(entity, way, "first"), *self._writer.tried(entity, way, after, "third")],
            ),
        ]

    def _ordered_test(self, rule: OrderedRule) -> list[list[str]]:
        entity = self._writer.specification.entity(rule.entity)
        before, after = designs.field_of(entity, rule.before), designs.field_of(entity, rule.after)
        if before is None or after is None or before.managed or after.managed:
            return []
        b, a = designs.attribute(before), designs.attribute(after)
        values = f"values = valid_{entity.name}(world)"
        lines = [values, f'with refused_input("/{a}"):']
        if before.type is after.type:
            lines.append(f'    make_{entity.name}(world, **values | {{"{b}": values["{a}"], "{a}": values["{b}"]}})')
            if rule.strict:
                lines += [
                    f'with refused_input("/{a}"):',
                    f'    make_{entity.name}(world, **values | {{"{a}": values["{b}"]}})',
                ]
            else:
                lines.append(f'make_{entity.name}(world, **values | {{"{a}": values["{b}"]}})')
        else:
            early = "world.moment(-9000)" if after.type is FieldType.DATETIME else "world.day(-900)"
            lines.append(f'    make_{entity.name}(world, **values | {{"{a}": {early}}})')
        return [self._writer.test(rule.name, rule.message, lines)]

    def _referenced_test(self, rule: ReferencedRule) -> list[list[str]]:
        parent, child = self._writer.specification.entity(rule.entity), self._writer.specification.entity(rule.of)
        reference = designs.field_of(child, rule.reference)
        way = self._writer.planner.way(child, rule.when)
        views = self._writer.views
        usable = (
            views[parent.name].can.delete
            and views[child.name].can.create
            and not self._writer.guarded(parent, "delete")
        )
        if reference is None or way is None or not usable:
            return []
        holder = names.variable(parent)
        lines = [f"{holder} = {self._writer.maker(parent.name)}(world)"]
        given = [f'{designs.attribute(reference)}={holder}["id"]']
        remove = f'world.delete("{parent.name}", {holder}["id"])'
        if not rule.cascade:
            made = self._writer.tried(child, way, given)
            lines += [*made, f'with refused_by_rule("{rule.name}"):', f"    {remove}"]
        elif views[child.name].can.get:
            made = self._writer.reached(child, way, "made", given)
            lines += [*made, remove, "with not_found():", f'    world.get("{child.name}", made["id"])']
        else:
            return []
        return [self._writer.test(rule.name, rule.message, lines)]
