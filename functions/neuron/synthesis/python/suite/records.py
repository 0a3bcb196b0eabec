"""Writes how tests make records: factories from the recipes, values as the tests' world takes them, ways to a state."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.neuron.synthesis import patterns
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.testing import Planner, Way
from shared.software import designs
from shared.software.specification import FieldType, Kind, QuotaRule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.neuron.synthesis.python.entities import EntityView
    from shared.software.designs import Recipe, TestDesign, ValueDesign
    from shared.software.specification import Entity, FieldSpec, Specification


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


class RecordWriter:
    """Writes how tests make records and what values they give; every writer of tests is given one.

    Attributes:
        specification: What is tested.
        kind: Which kind of software it is.
        planner: Finds ways to records.
        views: What is offered of each entity, by its name.
        recipes: How a valid record of each entity is made, by its name.
    """

    def __init__(self, specification: Specification, views: list[EntityView], design: TestDesign) -> None:
        self.specification = specification
        self.kind = specification.kind
        self.planner = Planner(specification)
        self.views = {view.name: view for view in views}
        self.recipes = {recipe.entity: recipe for recipe in design.recipes}

    @property
    def factories(self) -> list[Factory]:
        """Give the factories, parents first where that is possible."""
        return [self._factory(recipe) for recipe in self.recipes.values()]

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
        return f"ready_{entity}" if self.recipes[entity].moves else f"make_{entity}"

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
        return self.kind is Kind.LIBRARY and field.type is kind

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
        if field.type is FieldType.DECIMAL and self.kind is not Kind.API:
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

    def tried(self, entity: Entity, way: Way, given: Iterable[str] = (), variable: str = "made") -> list[str]:
        """Write the lines that make a record on a way, at which nobody looks afterwards."""
        lines = self.reached(entity, way, variable, given)
        return lines if way.moves else [line.removeprefix(f"{variable} = ") for line in lines]

    def guarded(self, entity: Entity, action: str) -> bool:
        """Say whether a guard may refuse an action on what the factories make."""
        return not self.planner.allowed(entity, action)

    def several(self, entity: Entity) -> int:
        """Say how many of an entity tests may make in one world: few where a quota counts all of them."""
        limits = [
            rule.limit
            for rule in self.specification.rules
            if isinstance(rule, QuotaRule) and rule.reference is None and rule.entity == entity.name
        ]
        return max(1, min([3, *limits]))

    def agreeing(self, entity: Entity, fields: Iterable[str]) -> tuple[list[str], list[str]]:
        """Write the parents that records share, and the arguments with which they do."""
        lines, given = [], []
        for name in fields:
            field = designs.field_of(entity, name)
            if field is not None and field.type is FieldType.REFERENCE:
                variable = names.safe(name)
                lines.append(f"{variable} = {self.maker(field.target or '')}(world)")
                given.append(f'{designs.attribute(field)}={variable}["id"]')
            elif field is not None:
                recipe = next((p.value for p in self.recipes[entity.name].fields if p.field == name), None)
                given += [f"{designs.attribute(field)}={self.value(recipe, field, '1')}"] if recipe is not None else []
        return lines, given

    def attribute(self, entity: Entity, name: str) -> str:
        """Name the attribute of a field."""
        field = designs.field_of(entity, name)
        return designs.attribute(field) if field else name

    def test(self, name: str, message: str, lines: Iterable[str]) -> list[str]:
        """Write a test of a rule."""
        doc = names.docstring(message)
        return [f"def test_{name}(world: World) -> None:", f"    {doc}", *(f"    {line}" for line in lines)]


def _counts(values: str) -> bool:
    """Say whether values use the number of the thing that is made."""
    tree = ast.parse(f"{{{values}}}")
    return any(isinstance(node, ast.Name) and node.id == "n" for node in ast.walk(tree))


def least(field: FieldSpec) -> int | float:
    """Give the least positive value of a numeric field."""
    lowest = field.minimum if field.minimum is not None and field.minimum > 0 else 1
    return lowest + 1 if field.exclusive_minimum and field.minimum == lowest else lowest
