"""Writes the tests of a project: factories from the recipes, and a test for each case of the test design.

The tests of records and rules speak to a `World`, which every kind of software has in its own `conftest.py`; so they
read the same for a service, a program and a library.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from functions.neuron.synthesis import patterns
from functions.neuron.synthesis.database import nullable, presumed, unique_rules
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.domain import EntityView
from functions.neuron.synthesis.python.effect_tests import EffectTests, least
from functions.neuron.synthesis.python.functions import evaluated
from functions.neuron.synthesis.testing import Planner, Way
from shared.software import designs
from shared.software.designs import Recipe, TestDesign, ValueDesign
from shared.software.fitness import expression_names
from shared.software.specification import (
    AggregateRule,
    CapacityRule,
    ComputedRule,
    EffectRule,
    Entity,
    FieldSpec,
    FieldType,
    Kind,
    NoOverlapRule,
    OperationKind,
    Operator,
    OrderedRule,
    QuotaRule,
    RangeRule,
    ReferencedRule,
    Report,
    Specification,
    TransitionRule,
    UniqueRule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.software.designs import ApiDesign, OperationDesign

_RuleT = TypeVar("_RuleT", NoOverlapRule, OrderedRule)
_PERIOD_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366}
_MOST_REPEATED = 60
_NOTHING = ValueDesign(kind="constant", value=None)


@dataclass(frozen=True)
class Factory:
    """A factory of valid things, for the template."""

    name: str
    words: str
    a: str
    world: str
    uses_count: bool
    values: tuple[str, ...]
    references: tuple[dict[str, str], ...]
    moves: tuple[str, ...]


class TestWriter:
    """Writes the tests of one specification.

    Attributes:
        specification: What is tested.
        planner: Finds ways to records.
        views: What is offered of each entity, by its name.
    """

    __test__ = False

    def __init__(self, specification: Specification, views: list[EntityView], design: TestDesign) -> None:
        self.specification = specification
        self.views = {view.name: view for view in views}
        self.planner = Planner(specification)
        self._recipes = {recipe.entity: recipe for recipe in design.recipes}
        self._kind = specification.kind
        self._ruled_cases = {case.rule for case in design.cases}

    @property
    def factories(self) -> list[Factory]:
        """Give the factories, parents first where that is possible."""
        return [self._factory(recipe) for recipe in self._recipes.values()]

    def factory_names(self) -> list[str]:
        """Name every function of the factories' module."""
        found = []
        for factory in self.factories:
            found += [f"make_{factory.name}", f"valid_{factory.name}"]
            found += [f"ready_{factory.name}"] if factory.moves else []
        return found

    def _factory(self, recipe: Recipe) -> Factory:
        entity = self.specification.entity(recipe.entity)
        values, references = [], []
        for part in recipe.fields:
            field = designs.field_of(entity, part.field)
            if field is None:
                continue
            name = designs.attribute(field)
            if part.value.kind == "reference":
                references.append({"attribute": name, "factory": self.maker(part.value.entity)})
            else:
                values.append(f"{names.text(name)}: {self.value(part.value, field)}")
        written = ", ".join(values)
        return Factory(
            name=entity.name,
            words=names.words(entity.name),
            a=designs.with_article(entity.name),
            world="world" if references or "world." in written or _counts(written) else "_world",
            uses_count=_counts(written),
            values=tuple(values),
            references=tuple(references),
            moves=recipe.moves,
        )

    def maker(self, entity: str) -> str:
        """Name the factory that makes an entity as others need it."""
        return f"ready_{entity}" if self._recipes[entity].moves else f"make_{entity}"

    # Values.

    def value(self, design: ValueDesign, field: FieldSpec, n: str = "n") -> str:
        """Write a value as the world takes it."""
        match design.kind:
            case "sequence":
                template = design.text.replace("{n", "{" + n)
                counted = f"f{patterns.counter(names.text(template))}"
                written = counted if "{" + n in template else names.text(patterns.filled(design.text, 1))
                return f"UUID({written})" if self._typed(field, FieldType.UUID) else written
            case "number":
                shift = f" + {n}" if design.step == 1 else f" + {design.step} * {n}" if design.step else ""
                return self.number(design.value, field) + shift
            case "day" | "moment":
                return self._time(design, field, n)
            case _:
                return self.constant(design.value, field)

    def _typed(self, field: FieldSpec, kind: FieldType) -> bool:
        """Say whether a library, which takes values and no texts, is given a value of that type."""
        return self._kind is Kind.LIBRARY and field.type is kind

    def _time(self, design: ValueDesign, field: FieldSpec, n: str) -> str:
        days = design.kind == "day"
        offset, step = design.offset, design.step
        if days and field.type is FieldType.DATETIME:
            offset, step = offset * 24, step * 24
        if not days and field.type is FieldType.DATE:
            offset, step = offset // 24, step // 24
        call = "world.moment" if field.type is FieldType.DATETIME else "world.day"
        if not step:
            return f"{call}({offset})"
        return f"{call}({offset} {'+' if step > 0 else '-'} {abs(step)} * {n})"

    def number(self, value: object, field: FieldSpec) -> str:
        """Write a number as the world takes it."""
        if field.type is FieldType.DECIMAL and self._kind is not Kind.API:
            return f'Decimal("{value}")'
        return repr(value)

    def constant(self, value: Any, field: FieldSpec) -> str:
        """Write a constant as the world takes it."""
        if value is None:
            return "None"
        if field.type in {FieldType.DECIMAL, FieldType.INTEGER, FieldType.NUMBER}:
            return self.number(value, field)
        if self._typed(field, FieldType.TIME):
            return f"time.fromisoformat({names.text(str(value))})"
        return names.literal(value, None)

    def overrides(self, entity: Entity, way: Way) -> list[str]:
        """Write what a way sets, as keyword arguments of a factory."""
        written = []
        for name, design in way.values.items():
            field = designs.field_of(entity, name)
            if field is not None:
                written.append(f"{designs.attribute(field)}={self.value(design, field, '1')}")
        return written

    def reached(self, entity: Entity, way: Way, variable: str, given: Iterable[str] = ()) -> list[str]:
        """Write the lines that make a record on a way."""
        arguments = ", ".join(["world", *given, *self.overrides(entity, way)])
        lines = [f"{variable} = make_{entity.name}({arguments})"]
        lines += [f'world.act("{entity.name}", {variable}["id"], "{move}")' for move in way.moves]
        if way.days:
            lines.append(f"world.now += timedelta(days={way.days})")
        return lines

    # The tests of one entity.

    def entity_tests(self, view: EntityView, several: int) -> SimpleNamespace:
        """Give what the template of an entity's tests says."""
        entity = view.entity
        changed = self._changed_field(view)
        values = self._recipes[entity.name]
        search = self._searched(view)
        return SimpleNamespace(
            name=entity.name,
            plural_words=view.plural_words,
            can=view.can,
            factories=[f"make_{entity.name}", f"valid_{entity.name}", *self._all_makers()],
            several=several,
            faulty=list(self._faulty(view)),
            references=[designs.attribute(field) for field in view.references],
            movable=[designs.attribute(field) for field in view.references if not field.immutable],
            frozen=self.guarded(entity, "update"),
            immutable=self._immutable(view) if several > 1 else [],
            required=self._required(view),
            given=list(self._given(entity)),
            filter=self._filter(view, values),
            search=designs.attribute(search) if search else "",
            search_text="Needle 100%" if search else "",
            search_part="needle 100%" if search else "",
            changed=designs.attribute(changed) if changed else "",
            new_value=f'valid_{entity.name}(world)["{designs.attribute(changed)}"]' if changed else "",
            deletable=not self.guarded(entity, "delete"),
        )

    def _all_makers(self) -> list[str]:
        return sorted({name for name in self.factory_names() if name.startswith(("make_", "ready_"))})

    def guarded(self, entity: Entity, action: str) -> bool:
        """Say whether a guard may refuse an action on what the factories make."""
        return not self.planner.allowed(entity, action)

    def _immutable(self, view: EntityView) -> list[tuple[str, str]]:
        """Name the fields given once that two records of the factories surely differ in."""
        if self.guarded(view.entity, "update"):
            return []
        recipe = {part.field: part.value for part in self._recipes[view.name].fields}
        fields = [field for field in view.given if field.immutable and field.name in recipe]
        distinct = [f for f in fields if recipe[f.name].kind == "reference" or _varies(recipe[f.name])]
        return [(field.name, designs.attribute(field)) for field in distinct]

    def _searched(self, view: EntityView) -> FieldSpec | None:
        if not view.can.find:
            return None
        for name in view.listing.search:
            field = designs.field_of(view.entity, name)
            if field and field.type in {FieldType.STRING, FieldType.TEXT} and not field.pattern and not field.managed:
                fits = (field.max_length or 99) >= len("Needle 100%") and (field.min_length or 0) <= len("Needle 100%")
                if fits:
                    return field
        return None

    def _filter(self, view: EntityView, recipe: Recipe) -> str:
        given = {part.field: part.value for part in recipe.fields}
        for name in view.listing.filters if view.can.find else ():
            field = designs.field_of(view.entity, name)
            if field is not None and name in given and given[name].value is not False:
                return designs.attribute(field)
        return ""

    def _changed_field(self, view: EntityView) -> FieldSpec | None:
        if not view.can.change or self.guarded(view.entity, "update"):
            return None
        ruled = self._ruled(view.entity)
        plain = [f for f in view.given if not f.immutable and f.type is not FieldType.REFERENCE and f.name not in ruled]
        return plain[0] if plain else None

    def _ruled(self, entity: Entity) -> set[str]:
        """Name the fields on which a rule other than uniqueness looks."""
        found: set[str] = set()
        for rule in self.specification.rules:
            if isinstance(rule, UniqueRule):
                continue
            own = rule.entity == entity.name or getattr(rule, "of", None) == entity.name
            parts = rule.model_dump()
            conditions = [*parts.get("when", ()), *parts.get("requires", ())]
            named = [
                parts.get(key) for key in ("field", "before", "after", "start", "end", "weight_field", "period_field")
            ]
            named += [parts.get("other"), *(parts.get("per") or ()), *(parts.get("also") or ())]
            named += [name for c in conditions for name in (c["field"], c["other"])]
            named += [parts.get("limit_field"), parts.get("expression"), parts.get("amount")]
            texts = [str(name) for name in named if name]
            if own:
                found |= {text.partition(".")[0] for text in texts}
            found |= {text.rpartition(".")[2] for text in texts}
            for text in texts:
                if not text.replace(".", "").replace("_", "").isalnum():
                    found |= {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        found |= {derivation.base for derivation in entity.derivations}
        return found

    def _required(self, view: EntityView) -> str:
        required = [
            designs.attribute(f)
            for f in view.given
            if not nullable(f, view.entity) and not presumed(f, view.entity) and f.default is None
        ]
        return f"[{', '.join(names.text(name) for name in required)}]" if required else ""

    def _given(self, entity: Entity) -> Iterator[tuple[str, str]]:
        for derivation in entity.derivations:
            field = designs.field_of(entity, derivation.field)
            if field is None or derivation.base != "now" or not field.managed:
                continue
            if field.type is FieldType.DATE:
                yield field.name, f"world.day({derivation.days + derivation.hours // 24})"
            else:
                yield field.name, f"world.moment({derivation.days * 24 + derivation.hours})"
        if entity.machine is not None:
            yield entity.machine.field, names.text(entity.machine.initial)

    def _faulty(self, view: EntityView) -> Iterator[tuple[str, str]]:
        for field in view.given:
            attribute = designs.attribute(field)
            for value in self._faulty_values(field):
                yield attribute, value
            absent = nullable(field, view.entity) or presumed(field, view.entity)
            if not absent and self._kind is not Kind.COMMAND_LINE:
                yield attribute, "None"

    def _faulty_values(self, field: FieldSpec) -> Iterator[str]:
        wrong = {
            FieldType.STRING: "7",
            FieldType.TEXT: "7",
            FieldType.BOOLEAN: '"perhaps"',
            FieldType.INTEGER: '"ten"',
            FieldType.DECIMAL: '"ten"',
            FieldType.NUMBER: '"ten"',
            FieldType.DATE: '"tomorrow"',
            FieldType.DATETIME: '"tomorrow"',
            FieldType.TIME: '"noon"',
            FieldType.EMAIL: '"nobody"',
            FieldType.URL: '"nowhere"',
            FieldType.UUID: '"x"',
            FieldType.ENUM: '"no such value"',
            FieldType.REFERENCE: '"one"',
            FieldType.LIST: '"x"',
        }
        texts = {FieldType.STRING, FieldType.TEXT}
        if field.type not in texts or self._kind is not Kind.COMMAND_LINE:
            yield wrong[field.type]
        if field.type in texts:
            yield '"  "'
            if field.max_length is not None:
                yield f'"x" * {field.max_length + 1}'
            if (field.min_length or 0) > 1:
                yield f'"x" * {(field.min_length or 0) - 1}'
            if field.pattern is not None:
                yield '"no match \\u00e9"'
        if field.type is FieldType.INTEGER:
            yield "1.5"
        yield from self._out_of_bounds(field)

    def _out_of_bounds(self, field: FieldSpec) -> Iterator[str]:
        if field.type not in {FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER}:
            return
        between = next((n + 1 for n in field.numbers[:-1] if n + 1 not in field.numbers), None)
        if between is not None:
            yield self.number(between, field)
        if field.minimum is not None:
            yield self.number(field.minimum if field.exclusive_minimum else field.minimum - 1, field)
        if field.maximum is not None:
            yield self.number(field.maximum if field.exclusive_maximum else field.maximum + 1, field)
        if field.type is FieldType.DECIMAL:
            yield self.number(
                f"1.{'1' * (field.scale + 1)}" if self._kind is not Kind.API else float(f"1.{'1' * (field.scale + 1)}"),
                field,
            )

    # The tests of the rules.

    def rule_tests(self) -> list[str]:
        """Write a test for each rule, move, view and relation that can be tried."""
        found: list[list[str]] = []
        for entity in self.specification.entities:
            view = self.views[entity.name]
            for unique in unique_rules(entity, self.specification):
                if view.can.create and unique.name in self._ruled_cases:
                    found += self._unique_test(unique)
            if view.can.create:
                found += self._move_tests(view) + self._presumed_tests(view)
        for rule in self.specification.rules:
            made = self.views[rule.entity].can.create or isinstance(rule, AggregateRule | ReferencedRule)
            if made and rule.name in self._ruled_cases:
                found += self._rule_tests(rule)
        for view in self.views.values():
            found += self._looking_tests(view) if view.can.create else []
        for relation in self.specification.relations:
            found += self._relation_test(relation.name, relation.left, relation.right)
        return ["\n".join(lines) for lines in found]

    def _looking_tests(self, view: EntityView) -> list[list[str]]:
        listed = [test for one in view.offered_views for test in self._view_test(view, one)]
        return [*listed, *(test for one in view.offered_reports for test in self._report_test(view, one))]

    def _rule_tests(self, rule: object) -> list[list[str]]:
        match rule:
            case QuotaRule():
                return self._quota_test(rule)
            case CapacityRule():
                return self._capacity_test(rule)
            case NoOverlapRule():
                return self._overlap_test(rule)
            case OrderedRule():
                return self._ordered_test(rule)
            case RangeRule():
                return self._range_test(rule)
            case TransitionRule():
                return self._guard_test(rule)
            case AggregateRule():
                return self._aggregate_test(rule)
            case ComputedRule() | EffectRule():
                return self._change_tests(rule)
            case ReferencedRule():
                return self._referenced_test(rule)
            case _:
                return []

    def test(self, name: str, message: str, lines: Iterable[str]) -> list[str]:
        """Write a test of a rule."""
        doc = names.docstring(message)
        return [f"def test_{name}(world: World) -> None:", f"    {doc}", *(f"    {line}" for line in lines)]

    def _unique_test(self, rule: UniqueRule) -> list[list[str]]:
        entity = self.specification.entity(rule.entity)
        fields = [field for name in rule.fields if (field := designs.field_of(entity, name))]
        way = self.planner.way(entity, rule.when)
        filled = {part.field for part in self._recipes[entity.name].fields if part.value != _NOTHING}
        if way is None or not {field.name for field in fields} <= filled or self._hard(entity, rule):
            return []
        own = ", ".join(f'{designs.attribute(f)}=first["{designs.attribute(f)}"]' for f in fields)
        lines = [
            *self.reached(entity, way, "first"),
            f'with refused_by_rule("{rule.name}"):',
            *(f"    {line}" for line in _last_call(self.reached(entity, way, "second", [own]), keep=bool(way.moves))),
        ]
        tests = [self.test(rule.name, rule.message, lines)]
        changeable = self.views[entity.name].can.change and not any(f.immutable for f in fields) and not rule.when
        if changeable and not self.guarded(entity, "update") and not self._crowded(entity, fields):
            changes = ", ".join(f'"{designs.attribute(f)}": first["{designs.attribute(f)}"]' for f in fields)
            change = [
                f"first, second = make_{entity.name}(world), make_{entity.name}(world)",
                f'with refused_by_rule("{rule.name}"):',
                f'    world.change("{entity.name}", second["id"], {{{changes}}})',
            ]
            tests.append(self.test(f"{rule.name}_when_changed", rule.message, change))
        return tests

    def _crowded(self, entity: Entity, fields: list[FieldSpec]) -> bool:
        """Say whether a change of the fields may meet another rule first."""
        named = {field.name for field in fields}
        return bool(named & self._ruled(entity)) or any(
            isinstance(rule, QuotaRule | CapacityRule) and rule.entity == entity.name and rule.reference in named
            for rule in self.specification.rules
        )

    def _hard(self, entity: Entity, rule: object) -> bool:
        """Say whether another rule of the same entity would refuse a second one before this rule does."""
        fields = set(getattr(rule, "fields", ()))
        for other in self.specification.rules:
            if other is rule or other.entity != entity.name:
                continue
            if isinstance(other, NoOverlapRule) and set(other.per) <= fields and other.start in fields:
                return True
            if (
                isinstance(other, QuotaRule)
                and other.limit < 2
                and (other.reference is None or other.reference in fields)
            ):
                return True
        return False

    def _quota_test(self, rule: QuotaRule) -> list[list[str]]:
        entity = self.specification.entity(rule.entity)
        way = self.planner.way(entity, rule.when)
        blocking = any(condition.other in {"now", "today"} for condition in rule.when)
        limit = rule.limit
        if way is None or (limit > _MOST_REPEATED and not rule.weight_field) or self._hard(entity, rule):
            return []
        lines, given = self._agreeing(entity, [*([rule.reference] if rule.reference else []), *rule.also])
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
            made = self.reached(entity, way, "blocking", given)
            lines += [*_last_call(made), f'with refused_by_rule("{rule.name}"):']
            lines += [f"    make_{entity.name}({', '.join(['world', *given])})"]
            return [self.test(rule.name, rule.message, lines)]
        one = _last_call(self.reached(entity, way, "made", given), keep=bool(way.moves))
        if limit:
            lines += [f"for {'k' if spread else '_'} in range({limit}):", *(f"    {line}" for line in one)]
        last = [line.replace(" * k", f" * {limit}") for line in one] if spread else one
        lines += [f'with refused_by_rule("{rule.name}"):', *(f"    {line}" for line in last)]
        if rule.reference is not None and not spread:
            others = [part for part in given if not part.startswith(f"{self._attribute(entity, rule.reference)}=")]
            lines.append(f"make_{entity.name}({', '.join(['world', *others])})")
        tests = [self.test(rule.name, rule.message, lines)]
        return tests + self._freed_tests(rule, entity, way)

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
        return [rule for rule in self.specification.rules if isinstance(rule, kind) and rule.entity == entity.name]

    def _period_value(self, rule: QuotaRule, entity: Entity) -> list[str]:
        field = designs.field_of(entity, rule.period_field or "")
        if field is None or field.managed:
            return []
        recipe = next((p.value for p in self._recipes[entity.name].fields if p.field == field.name), None)
        if recipe is None:
            return []
        fixed = recipe.model_copy(update={"step": 0})
        ordered = any(
            isinstance(r, NoOverlapRule | OrderedRule) and r.entity == entity.name for r in self.specification.rules
        )
        return [] if ordered else [f"{designs.attribute(field)}={self.value(fixed, field, '1')}"]

    def _agreeing(self, entity: Entity, fields: Iterable[str]) -> tuple[list[str], list[str]]:
        """Write the parents that records share, and the arguments with which they do."""
        lines, given = [], []
        for name in fields:
            field = designs.field_of(entity, name)
            if field is not None and field.type is FieldType.REFERENCE:
                variable = names.safe(name)
                lines.append(f"{variable} = {self.maker(field.target or '')}(world)")
                given.append(f'{designs.attribute(field)}={variable}["id"]')
            elif field is not None:
                recipe = next((p.value for p in self._recipes[entity.name].fields if p.field == name), None)
                given += [f"{designs.attribute(field)}={self.value(recipe, field, '1')}"] if recipe is not None else []
        return lines, given

    def _attribute(self, entity: Entity, name: str) -> str:
        field = designs.field_of(entity, name)
        return designs.attribute(field) if field else name

    def _freed_tests(self, rule: QuotaRule, entity: Entity, way: Way) -> list[list[str]]:
        """Write that there is room again once a record no longer counts, or in the next period."""
        lines, agreed = self._agreeing(entity, [*([rule.reference] if rule.reference else []), *rule.also])
        made = self.reached(entity, way, "made", agreed)
        machine = entity.machine
        view = self.views[entity.name]
        if rule.period and not rule.period_field and rule.limit:
            lines += [
                f"for _ in range({rule.limit}):",
                *(f"    {line}" for line in _last_call(made, keep=bool(way.moves))),
            ]
            lines.append(f"world.now += timedelta(days={_PERIOD_DAYS[rule.period]})")
            lines += _last_call(made, keep=bool(way.moves))
            return [self.test(f"{rule.name}_begins_anew_in_the_next_{rule.period}", rule.message, lines)]
        states = {c.field for c in rule.when}
        if machine is None or machine.field not in states or way.moves or not rule.limit or rule.period:
            return []
        leaving = next(
            (m for m in view.transitions if machine.initial in m.sources and self._leaves(m.target, rule)), None
        )
        if leaving is None or leaving.when or self.guarded(entity, leaving.name):
            return []
        one = f"make_{entity.name}({', '.join(['world', *agreed])})"
        lines += [f"made = [{one} for _ in range({rule.limit})]"]
        lines += [f'world.act("{entity.name}", made[0]["id"], "{leaving.name}")', one]
        return [self.test(f"{rule.name}_has_room_after_{leaving.name}", rule.message, lines)]

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

    def _weight_quota(
        self, rule: QuotaRule, entity: Entity, way: Way, weight: FieldSpec, lines: list[str], given: list[str]
    ) -> list[list[str]]:
        name = designs.attribute(weight)
        if (weight.maximum is not None and weight.maximum < rule.limit + 1) or way.moves:
            return []
        more = [*given, *self.overrides(entity, way)]
        enough = ", ".join(["world", *more, f"{name}={self.number(rule.limit, weight)}"])
        extra = ", ".join(["world", *more, f"{name}={self.number(least(weight), weight)}"])
        lines += [
            f"make_{entity.name}({enough})",
            f'with refused_by_rule("{rule.name}"):',
            f"    make_{entity.name}({extra})",
        ]
        return [self.test(rule.name, rule.message, lines)]

    def _capacity_test(self, rule: CapacityRule) -> list[list[str]]:
        entity = self.specification.entity(rule.entity)
        reference = designs.field_of(entity, rule.reference)
        parent = self.specification.entity((reference.target if reference else None) or "")
        limit = designs.field_of(parent, rule.limit_field)
        way = self.planner.way(entity, rule.when)
        if reference is None or limit is None or limit.managed or way is None or way.days:
            return []
        weight = designs.field_of(entity, rule.weight_field or "")
        room = int(max(limit.minimum or 0, 2))
        name, attribute = designs.attribute(limit), designs.attribute(reference)
        maker = self.maker(parent.name)
        holder = names.variable(parent)
        lines = [f"{holder} = {maker}(world, {name}={room})"]
        given = [f'{attribute}={holder}["id"]']
        if weight is not None:
            given_all = [*given, f"{designs.attribute(weight)}={room}"]
            if weight.maximum is not None and weight.maximum < room:
                return []
            last = [*given, f"{designs.attribute(weight)}={least(weight)}"]
            fill = _last_call(self.reached(entity, way, "made", given_all), keep=bool(way.moves))
            over = _last_call(self.reached(entity, way, "made", last), keep=bool(way.moves))
            lines += fill
        else:
            over = _last_call(self.reached(entity, way, "made", given), keep=bool(way.moves))
            lines += [f"for _ in range({room}):", *(f"    {line}" for line in over)]
        lines += [f'with refused_by_rule("{rule.name}"):', *(f"    {line}" for line in over)]
        tests = [self.test(rule.name, rule.message, lines)]
        view = self.views[parent.name]
        changeable = view.can.change and not limit.immutable and not self.guarded(parent, "update")
        if changeable and (limit.minimum or 0) < room:
            lines = [
                f"{holder} = {maker}(world, {name}={room})",
                *(fill if weight is not None else [f"for _ in range({room}):", *(f"    {line}" for line in over)]),
                f'with refused_by_rule("{rule.name}"):',
                f'    world.change("{parent.name}", {holder}["id"], {{"{name}": {room - 1}}})',
            ]
            tests.append(self.test(f"{rule.name}_when_{name}_shrinks", rule.message, lines))
        return tests

    def _overlap_test(self, rule: NoOverlapRule) -> list[list[str]]:
        entity = self.specification.entity(rule.entity)
        way = self.planner.way(entity, rule.when)
        start, end = designs.field_of(entity, rule.start), designs.field_of(entity, rule.end)
        if way is None or way.days or start is None or end is None or start.managed or end.managed:
            return []
        s, e = designs.attribute(start), designs.attribute(end)
        shared = ", ".join(f'{self._attribute(entity, n)}=first["{self._attribute(entity, n)}"]' for n in rule.per)
        agreed = [shared] if shared else []
        same = [*agreed, f'{s}=first["{s}"]', f'{e}=first["{e}"]']
        far = "world.moment(9000)" if end.type is FieldType.DATETIME else "world.day(900)"
        after = [*agreed, f'{s}=first["{e}"]', f"{e}={far}"]
        once_more = self.reached(entity, way, "second", same)
        lines = [*self.reached(entity, way, "first"), f'with refused_by_rule("{rule.name}"):']
        lines += [f"    {line}" for line in _last_call(once_more, keep=bool(way.moves))]
        next_to = self.reached(entity, way, "third", after)
        return [
            self.test(rule.name, rule.message, lines),
            self.test(
                f"{rule.name}_allows_what_follows",
                rule.message,
                [*self.reached(entity, way, "first"), *_last_call(next_to, keep=bool(way.moves))],
            ),
        ]

    def _ordered_test(self, rule: OrderedRule) -> list[list[str]]:
        entity = self.specification.entity(rule.entity)
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
        return [self.test(rule.name, rule.message, lines)]

    def _range_test(self, rule: RangeRule) -> list[list[str]]:
        entity = self.specification.entity(rule.entity)
        field = designs.field_of(entity, rule.field)
        way = self.planner.way(entity, rule.when) if not any("." in c.field for c in rule.when) else None
        if field is None or field.managed or way is None or way.moves or way.days:
            return []
        given = self.overrides(entity, way)
        if rule.operator is Operator.NE and rule.other and "." not in rule.other and not given:
            return [self.test(rule.name, rule.message, self._same_values(rule, entity, field))]
        lines, value = self._violation(rule, entity, field)
        if value is None:
            return []
        own = not rule.when and "." not in (rule.other or "")
        expected = f'refused_input("/{designs.attribute(field)}")' if own else f'refused_by_rule("{rule.name}")'
        parent = [f'{self._attribute(entity, (rule.other or "").partition(".")[0])}=parent["id"]'] if lines else []
        arguments = ", ".join(["world", *given, *parent, f"{designs.attribute(field)}={value}"])
        lines += [f"with {expected}:", f"    make_{entity.name}({arguments})"]
        return [self.test(rule.name, rule.message, lines)]

    def _same_values(self, rule: RangeRule, entity: Entity, field: FieldSpec) -> list[str]:
        """Write that two values that must differ are the same."""
        other, own = self._attribute(entity, rule.other or ""), designs.attribute(field)
        return [
            f"values = valid_{entity.name}(world)",
            f'with refused_input("/{own}"):',
            f'    world.create("{entity.name}", values | {{"{own}": values["{other}"]}})',
        ]

    def _violation(self, rule: RangeRule, entity: Entity, field: FieldSpec) -> tuple[list[str], str | None]:
        """Write a value that breaks a range rule, with the parent that bounds it."""
        down = rule.operator in {Operator.GT, Operator.GE}
        if rule.value in {"now", "today"} or rule.other in {"now", "today"}:
            days = -3 if down else 3
            written = f"world.day({days})" if field.type is FieldType.DATE else f"world.moment({days * 24})"
            return [], written
        if rule.other is None and isinstance(rule.value, int | float):
            return [], self._beyond(rule.value, rule.operator, field)
        head, _, tail = (rule.other or "").partition(".")
        reference = designs.field_of(entity, head)
        if not tail:
            design = next((p.value for p in self._recipes[entity.name].fields if p.field == head), None)
            if design is None or design.kind != "number" or design.step or not isinstance(design.value, int | float):
                return [], None
            return [], self._beyond(design.value, rule.operator, field)
        parent = self.specification.entity((reference.target if reference else None) or "")
        limit = designs.field_of(parent, tail)
        if limit is None or limit.managed or limit.type not in {FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER}:
            return [], None
        bound = 5 if limit.minimum is None or limit.minimum <= 5 else limit.minimum
        value = self._beyond(bound, rule.operator, field)
        made = f"parent = {self.maker(parent.name)}(world, {designs.attribute(limit)}={self.number(bound, limit)})"
        return ([made], value) if value is not None else ([], None)

    def _beyond(self, bound: int | float, operator: Operator, field: FieldSpec) -> str | None:
        """Write the first whole step beyond a bound, where the field's own limits allow it."""
        shift = {Operator.LE: 1, Operator.LT: 0, Operator.GE: -1, Operator.GT: 0, Operator.NE: 0, Operator.EQ: 1}
        value = bound + shift.get(operator, 1)
        low, high = field.minimum, field.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            return None
        return self.number(value, field)

    def _guard_test(self, rule: TransitionRule) -> list[list[str]]:
        entity = self.specification.entity(rule.entity)
        if rule.action == "create":
            return self._create_guard_test(rule, entity)
        own = [condition for condition in rule.requires if "." not in condition.field]
        way = self.planner.against(entity, own)
        view = self.views[entity.name]
        action = self._action(rule.action, view)
        if way is None or action is None:
            return []
        lines = [*self.reached(entity, way, "made"), f'with refused_by_rule("{rule.name}"):', f"    {action}"]
        return [self.test(rule.name, rule.message, lines)]

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
                way = self.planner.against(entity, (condition,))
                if way is None or way.moves or way.days:
                    continue
                arguments = ", ".join(["world", *self.overrides(entity, way)])
                lines = [f'with refused_by_rule("{rule.name}"):', f"    make_{entity.name}({arguments})"]
            else:
                parent = self.specification.entity(field.target or "")
                way = self.planner.against(parent, (condition.model_copy(update={"field": tail}),))
                if way is None:
                    continue
                holder = names.safe(head)
                lines = [*self.reached(parent, way, holder), f'with refused_by_rule("{rule.name}"):']
                lines.append(f'    make_{entity.name}(world, {designs.attribute(field)}={holder}["id"])')
            tests.append(self.test(f"{rule.name}_{len(tests) + 1}" if tests else rule.name, rule.message, lines))
        return tests

    def _move_tests(self, view: EntityView) -> list[list[str]]:
        entity = view.entity
        machine = entity.machine
        tests: list[list[str]] = []
        for move in view.transitions if machine else ():
            assert machine is not None  # noqa: S101  (narrowing)
            if not self.planner.allowed(entity, move.name, move.when):
                continue
            path = self.planner.moves_to_state(entity, move.sources)
            elsewhere = [state for state in machine.states if state not in move.sources]
            wrong = self.planner.moves_to_state(entity, elsewhere) if elsewhere else None
            name = f"{move.name}_{entity.name}"
            if path is not None:
                lines = self.reached(entity, Way({}, path), "made")
                lines.append(f'moved = world.act("{entity.name}", made["id"], "{move.name}")')
                lines.append(f'assert moved["{machine.field}"] == "{move.target}"')
                if move.stamps:
                    stamp = designs.field_of(entity, move.stamps)
                    now = "world.day(0)" if stamp and stamp.type is FieldType.DATE else "world.moment(0)"
                    lines.append(f'assert moved["{move.stamps}"] == {now}')
                tests.append(self.test(name, f"{name.replace('_', ' ')} is possible", lines))
            if wrong is not None:
                lines = [
                    *self.reached(entity, Way({}, wrong), "made"),
                    f'with refused_by_rule("{view.move_code(move)}"):',
                    f'    world.act("{entity.name}", made["id"], "{move.name}")',
                ]
                tests.append(
                    self.test(f"{name}_is_refused_elsewhere", f"{name.replace('_', ' ')} needs its state", lines)
                )
        return tests

    def _presumed_tests(self, view: EntityView) -> list[list[str]]:
        """Write that a date which is left out is given by the software."""
        found = []
        for derivation in view.entity.derivations:
            field = designs.field_of(view.entity, derivation.field)
            if field is None or not presumed(field, view.entity) or derivation.base != "now":
                continue
            attribute, days = designs.attribute(field), derivation.days + derivation.hours // 24
            date = field.type is FieldType.DATE
            wanted = f"world.day({days})" if date else f"world.moment({derivation.days * 24 + derivation.hours})"
            lines = [
                f"values = valid_{view.name}(world)",
                f'del values["{attribute}"]',
                f'made = world.create("{view.name}", values)',
                f'assert made["{attribute}"] == {wanted}',
            ]
            message = f"The {names.words(field.name)} that is left out is given by the software."
            found.append(self.test(f"{view.name}_{field.name}_is_presumed", message, lines))
        return found

    def _aggregate_test(self, rule: AggregateRule) -> list[list[str]]:
        parent, child = self.specification.entity(rule.entity), self.specification.entity(rule.of)
        reference = designs.field_of(child, rule.reference)
        field = designs.field_of(parent, rule.field)
        views = self.views
        way = self.planner.way(child, rule.when)
        usable = views[child.name].can.create and views[parent.name].can.create and views[parent.name].can.get
        if reference is None or field is None or way is None or way.days or not usable:
            return []
        attribute = designs.attribute(reference)
        holder = names.variable(parent)
        lines = [f"{holder} = {self.maker(parent.name)}(world)"]
        one = self.reached(child, way, "made", [f'{attribute}={holder}["id"]'])
        lines += ["children = []", "for _ in range(2):", *(f"    {line}" for line in one), "    children.append(made)"]
        lines += [f'seen = world.get("{parent.name}", {holder}["id"])["{rule.field}"]']
        lines.append(f"assert {self._seen(field)} == {self._expected(rule, child)}")
        tests = [self.test(rule.name, rule.message or f"{rule.field} is kept by the software", lines)]
        return tests + self._limit_test(rule, parent, child, way)

    def _change_tests(self, rule: ComputedRule | EffectRule) -> list[list[str]]:
        return self._computed_test(rule) if isinstance(rule, ComputedRule) else EffectTests(self, rule).tests

    def _computed_test(self, rule: ComputedRule) -> list[list[str]]:
        entity = self.specification.entity(rule.entity)
        field = designs.field_of(entity, rule.field)
        if field is None:
            return []
        lines = [
            f"child = {self.maker(entity.name)}(world)",
            f'seen = child["{rule.field}"]',
            f"assert {self._seen(field)} == {self._value_of(rule.expression, entity)}",
        ]
        return [self.test(rule.name, rule.message or f"{rule.field} is kept by the software", lines)]

    def _limit_test(self, rule: AggregateRule, parent: Entity, child: Entity, way: Way) -> list[list[str]]:
        """Write that a child which takes an aggregate beyond its limit is refused."""
        excess = self._excess(rule, child) if rule.limit is not None and rule.function in {"sum", "maximum"} else None
        if excess is None:
            return []
        reference = designs.field_of(child, rule.reference)
        holder = names.variable(parent)
        given = [f'{designs.attribute(reference)}={holder}["id"]'] if reference else []
        made = _last_call(self.reached(child, way, "made", [*given, excess]), keep=bool(way.moves))
        lines = [f"{holder} = {self.maker(parent.name)}(world)", f'with refused_by_rule("{rule.name}"):']
        return [self.test(f"{rule.name}_has_a_limit", rule.message, [*lines, *(f"    {line}" for line in made)])]

    def _excess(self, rule: AggregateRule, child: Entity) -> str | None:
        """Write a value of one field with which a child's share alone lies beyond the limit."""
        values = {
            part.field: part.value.value for part in self._recipes[child.name].fields if part.value.kind == "number"
        }
        environment = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
        own = [other for other in self.specification.rules if other.entity == child.name]
        ruled = {getattr(other, key, None) for other in own for key in ("weight_field", "field", "before", "after")}
        for name in environment:
            field = designs.field_of(child, name)
            if field is None or name in ruled or name not in (rule.expression or ""):
                continue
            for candidate in (math.ceil(rule.limit or 0) + 1, 10 * math.ceil(rule.limit or 1) + 10):
                share = evaluated(rule.expression or "0", environment | {name: candidate})
                if share is not None and share > (rule.limit or 0) and candidate <= (field.maximum or candidate):
                    return f"{designs.attribute(field)}={self.number(candidate, field)}"
        return None

    def _seen(self, field: FieldSpec) -> str:
        if field.type is FieldType.DECIMAL:
            return "Decimal(str(seen))"
        return "pytest.approx(seen)" if field.type is FieldType.NUMBER else "seen"

    def _expected(self, rule: AggregateRule, child: Entity) -> str:
        if rule.function == "count" or rule.expression is None:
            return "2"
        value = self._value_of(rule.expression, child)
        function = {"sum": "sum", "minimum": "min", "maximum": "max", "average": "sum"}[rule.function]
        total = f"{function}({value} for child in children)"
        return f"{total} / 2" if rule.function == "average" else total

    def _value_of(self, expression: str, child: Entity) -> str:
        """Write the value of an expression over the record `child`."""
        tree = ast.parse(expression, mode="eval").body
        exact = any(
            (f := self._operand(name, child)) is not None and f.type is FieldType.DECIMAL
            for name in expression_names(expression)
        )
        items = _Items(child, self.specification, exact=exact)
        return ast.unparse(items.visit(tree)).replace("'", '"')

    def _operand(self, name: str, entity: Entity) -> FieldSpec | None:
        head, _, tail = name.partition(".")
        field = designs.field_of(entity, head)
        if field is None or not tail:
            return field
        return designs.field_of(self.specification.entity(field.target or ""), tail)

    def _referenced_test(self, rule: ReferencedRule) -> list[list[str]]:
        parent, child = self.specification.entity(rule.entity), self.specification.entity(rule.of)
        reference = designs.field_of(child, rule.reference)
        way = self.planner.way(child, rule.when)
        views = self.views
        usable = views[parent.name].can.delete and views[child.name].can.create and not self.guarded(parent, "delete")
        if reference is None or way is None or not usable:
            return []
        holder = names.variable(parent)
        lines = [f"{holder} = {self.maker(parent.name)}(world)"]
        made = self.reached(child, way, "made", [f'{designs.attribute(reference)}={holder}["id"]'])
        remove = f'world.delete("{parent.name}", {holder}["id"])'
        if not rule.cascade:
            lines += [*_last_call(made, keep=bool(way.moves)), f'with refused_by_rule("{rule.name}"):', f"    {remove}"]
        elif views[child.name].can.get:
            lines += [*made, remove, "with not_found():", f'    world.get("{child.name}", made["id"])']
        else:
            return []
        return [self.test(rule.name, rule.message, lines)]

    def _view_test(self, view: EntityView, listed: Any) -> list[list[str]]:
        entity = view.entity
        own = [condition for condition in listed.when if "." not in condition.field]
        way = self.planner.way(entity, own)
        if way is None or len(own) != len(listed.when):
            return []
        lines = [*self.reached(entity, way, "made")]
        lines.append(f'assert [item["id"] for item in world.view("{listed.name}")] == [made["id"]]')
        tests = [self.test(f"{listed.name}_are_listed", listed.description or listed.name, lines)]
        against = self.planner.against(entity, own) if own else None
        if against is not None:
            outside = _last_call(self.reached(entity, against, "made"), keep=bool(against.moves))
            lines = [*outside, f'assert world.view("{listed.name}") == []']
            tests.append(self.test(f"{listed.name}_leave_others_out", listed.description or listed.name, lines))
        return tests

    def _report_test(self, view: EntityView, report: Report) -> list[list[str]]:
        """Write that what was made is told under its value."""
        entity = view.entity
        by, of = designs.field_of(entity, report.by), designs.field_of(entity, report.of or "")
        way = self.planner.way(entity, report.when) if not any("." in c.field for c in report.when) else None
        if by is None or way is None:
            return []
        value = f'made["{designs.attribute(by)}"]'
        if by.type is FieldType.BOOLEAN:
            value = f'{{True: "yes", False: "no"}}[{value}]'
        shown = f"str({value})" if by.type is not FieldType.BOOLEAN else value
        shown += _PERIODS[report.period] if report.period is not None else ""
        figure = "1" if of is None else f'float(made["{designs.attribute(of)}"])'
        lines = [*self.reached(entity, way, "made")]
        if way.moves:
            lines.append(f'made = world.get("{entity.name}", made["id"])')
        lines += [f'told = world.report("{report.name}")', f"assert float(told[{shown}]) == {figure}"]
        return [self.test(f"{report.name}_is_told", report.description or report.name, lines)]

    def _relation_test(self, relation: str, left: str, right: str) -> list[list[str]]:
        one, other = names.safe(left), "other" if left == right else names.safe(right)
        lines = [
            f"{one}, {other} = {self.maker(left)}(world), {self.maker(right)}(world)",
            f'world.link("{relation}", {one}["id"], {other}["id"])',
            f'world.link("{relation}", {one}["id"], {other}["id"])',
            f'assert [item["id"] for item in world.linked("{relation}", {one}["id"])] == [{other}["id"]]',
            f'world.unlink("{relation}", {one}["id"], {other}["id"])',
            f'assert world.linked("{relation}", {one}["id"]) == []',
            "with not_found():",
            f'    world.link("{relation}", {one}["id"], 404)',
        ]
        return [self.test(f"{relation}_are_linked_and_unlinked", f"{relation} can be put together and parted", lines)]

    # Properties.

    def concurrent(self, api: ApiDesign) -> SimpleNamespace | None:
        """Give a quota or capacity on which many creations are tried at once."""
        for rule in self.specification.rules:
            if not isinstance(rule, QuotaRule | CapacityRule) or rule.weight_field or rule.reference is None:
                continue
            if isinstance(rule, QuotaRule) and rule.period_field:
                continue
            entity = self.specification.entity(rule.entity)
            way = self.planner.way(entity, rule.when)
            limit = rule.limit if isinstance(rule, QuotaRule) else 2
            path = next((o.path for o in api.operations if _creates(o, entity)), None)
            if way is None or way.moves or way.days or not 0 < limit <= 10 or path is None or self._hard(entity, rule):
                continue
            shared = [rule.reference, *(rule.also if isinstance(rule, QuotaRule) else ())]
            setup, given = self._agreeing(entity, shared)
            if isinstance(rule, CapacityRule):
                parent = designs.field_of(entity, rule.reference)
                holder = self.specification.entity((parent.target if parent else None) or "")
                field = designs.field_of(holder, rule.limit_field)
                if field is None or field.managed or not (field.minimum or 0) <= limit <= (field.maximum or limit):
                    continue
                setup = [line.replace("(world)", f"(world, {designs.attribute(field)}={limit})") for line in setup]
            arguments = ", ".join(["world", *given, *self.overrides(entity, way)])
            values = f"valid_{entity.name}({arguments})"
            return SimpleNamespace(rule=rule.name, setup=setup, values=values, limit=limit, path=path)
        return None

    def properties(self) -> list[SimpleNamespace]:
        """Give what the template of the property tests says of each entity."""
        found = []
        for view in self.views.values():
            if not view.can.create or self.several(view.entity) < 3:
                continue
            strategies = list(self._strategies(view))
            offered = [*(designs.attribute(field) for field in view.given), "surprise"]
            found.append(
                SimpleNamespace(
                    name=view.name,
                    constant=f"{view.name.upper()}_VALUES",
                    strategies=strategies,
                    names=f"[{', '.join(names.text(name) for name in offered)}]",
                    can_get=view.can.get,
                )
            )
        return found

    def several(self, entity: Entity) -> int:
        """Say how many of an entity tests may make in one world: few where a quota counts all of them."""
        limits = [
            rule.limit
            for rule in self.specification.rules
            if isinstance(rule, QuotaRule) and rule.reference is None and rule.entity == entity.name
        ]
        return max(1, min([3, *limits]))

    def _strategies(self, view: EntityView) -> Iterator[str]:
        ruled = self._ruled(view.entity)
        unique = {name for rule in unique_rules(view.entity, self.specification) for name in rule.fields}
        for field in view.given:
            if field.name in ruled | unique or field.pattern is not None:
                continue
            strategy = self._strategy(field)
            if strategy:
                yield f"{names.text(designs.attribute(field))}: {strategy}"

    def _strategy(self, field: FieldSpec) -> str:
        match field.type:
            case FieldType.STRING | FieldType.TEXT:
                low, high = max(field.min_length or 1, 1), min(field.max_length or 40, 40)
                return (
                    f'st.text(st.characters(exclude_categories=["C", "Z"]), min_size={low}, max_size={max(low, high)})'
                )
            case FieldType.INTEGER if field.numbers:
                return f"st.sampled_from([{', '.join(map(str, field.numbers))}])"
            case FieldType.INTEGER:
                low, high = _whole_bounds(field)
                return f"st.integers({low}, {high})"
            case FieldType.BOOLEAN:
                return "st.booleans()"
            case FieldType.ENUM:
                return f"st.sampled_from([{', '.join(names.text(value) for value in field.values)}])"
            case FieldType.DATE if self._kind is Kind.API:
                return "st.dates().map(date.isoformat)"
            case _:
                return ""


def _varies(value: ValueDesign) -> bool:
    return bool(value.step) or (value.kind == "sequence" and "{n" in value.text)


def _counts(values: str) -> bool:
    """Say whether values use the number of the thing that is made."""
    tree = ast.parse(f"{{{values}}}")
    return any(isinstance(node, ast.Name) and node.id == "n" for node in ast.walk(tree))


def _creates(operation: OperationDesign, entity: Entity) -> bool:
    return operation.operation is OperationKind.CREATE and operation.entity == entity.name


def _whole_bounds(field: FieldSpec) -> tuple[int, int]:
    low = math.ceil(field.minimum) if field.minimum is not None else -1_000_000
    high = math.floor(field.maximum) if field.maximum is not None else max(low, 0) + 1_000_000
    return low + (1 if field.exclusive_minimum else 0), high - (1 if field.exclusive_maximum else 0)


class _Items(ast.NodeTransformer):
    """Turns the names of an expression into look-ups in a child."""

    def __init__(self, child: Entity, specification: Specification, *, exact: bool) -> None:
        self._child = child
        self._specification = specification
        self._exact = exact

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Look a field of what the child refers to up."""
        head = node.value.id if isinstance(node.value, ast.Name) else ""
        field = designs.field_of(self._child, head)
        target = self._specification.entity((field.target if field else None) or "")
        last = designs.field_of(target, node.attr)
        own = designs.attribute(field) if field else head
        item = f'world.get("{target.name}", child["{own}"])["{designs.attribute(last) if last else node.attr}"]'
        return ast.parse(f"Decimal(str({item}))" if self._exact else item, mode="eval").body

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Look a field up; numbers become decimals where the sum is exact."""
        field = designs.field_of(self._child, node.id)
        name = designs.attribute(field) if field else node.id
        item = f'child["{name}"]'
        return ast.parse(f"Decimal(str({item}))" if self._exact else item, mode="eval").body

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Turn a fraction into a decimal where the sum is exact."""
        if not self._exact or not isinstance(node.value, float):
            return node
        return ast.parse(f'Decimal("{node.value!r}")', mode="eval").body


def _last_call(lines: list[str], *, keep: bool = False) -> list[str]:
    """Drop the variable of a call whose result nobody uses."""
    if keep:
        return lines
    return [
        line.partition(" = ")[2] if line.split(" = ")[0].isidentifier() and " = make_" in line else line
        for line in lines
    ]


_PERIODS: Final = {"day": "[:10]", "month": "[:7]", "year": "[:4]"}
