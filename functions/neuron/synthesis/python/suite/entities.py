"""Writes what the template of one entity's tests says: bad input, filters, what may change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from functions.neuron.synthesis.database import nullable, presumed
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.suite.interplay import ruled_fields
from shared.software import designs
from shared.software.specification import FieldType, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.neuron.synthesis.python.entities import EntityView
    from functions.neuron.synthesis.python.suite.records import RecordWriter
    from shared.software.designs import Recipe, ValueDesign
    from shared.software.specification import Entity, FieldSpec


class EntityTests:
    """The tests of one entity after the other."""

    def __init__(self, writer: RecordWriter) -> None:
        self._writer = writer

    def of(self, view: EntityView) -> SimpleNamespace:
        """Give what the template of an entity's tests says."""
        entity = view.entity
        several = self._writer.several(entity)
        changed = self._changed_field(view)
        values = self._writer.recipes[entity.name]
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
            frozen=self._writer.guarded(entity, "update"),
            immutable=self._immutable(view) if several > 1 else [],
            required=self._required(view),
            given=list(self._given(entity)),
            filter=self._filter(view, values),
            search=designs.attribute(search) if search else "",
            search_text="Needle 100%" if search else "",
            search_part="needle 100%" if search else "",
            changed=designs.attribute(changed) if changed else "",
            new_value=f'valid_{entity.name}(world)["{designs.attribute(changed)}"]' if changed else "",
            deletable=not self._writer.guarded(entity, "delete"),
        )

    def _all_makers(self) -> list[str]:
        return sorted({name for name in self._writer.factory_names() if name.startswith(("make_", "ready_"))})

    def _immutable(self, view: EntityView) -> list[tuple[str, str]]:
        """Name the fields given once that two records of the factories surely differ in."""
        if self._writer.guarded(view.entity, "update"):
            return []
        recipe = {part.field: part.value for part in self._writer.recipes[view.name].fields}
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
        if not view.can.change or self._writer.guarded(view.entity, "update"):
            return None
        ruled = ruled_fields(view.entity, self._writer.specification)
        plain = [f for f in view.given if not f.immutable and f.type is not FieldType.REFERENCE and f.name not in ruled]
        return plain[0] if plain else None

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
            if not absent and self._writer.kind is not Kind.COMMAND_LINE:
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
        if field.type not in texts or self._writer.kind is not Kind.COMMAND_LINE:
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
            yield self._writer.number(between, field)
        if field.minimum is not None:
            yield self._writer.number(field.minimum if field.exclusive_minimum else field.minimum - 1, field)
        if field.maximum is not None:
            yield self._writer.number(field.maximum if field.exclusive_maximum else field.maximum + 1, field)
        if field.type is FieldType.DECIMAL:
            finer = f"1.{'1' * (field.scale + 1)}"
            yield self._writer.number(float(finer) if self._writer.kind is Kind.API else finer, field)


def _varies(value: ValueDesign) -> bool:
    return bool(value.step) or (value.kind == "sequence" and "{n" in value.text)
