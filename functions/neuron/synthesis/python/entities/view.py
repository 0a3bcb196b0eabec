"""What every template needs to know about an entity: its names in Python, what is offered of it, its fields."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities.conditions import names_of_parent
from functions.neuron.synthesis.sql import Dialect
from shared.software import designs
from shared.software.specification import EffectRule, FieldType, OperationKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.software.designs import ApiDesign, CommandDesign, ListingDesign, OperationDesign
    from shared.software.specification import Entity, FieldSpec, Relation, Report, Specification, Transition, View


_ShownT = TypeVar("_ShownT", "View", "Report")


@dataclass
class Capabilities:
    """Which methods of a service its callers use."""

    create: bool = False
    get: bool = False
    find: bool = False
    replace: bool = False
    change: bool = False
    delete: bool = False


@dataclass(frozen=True)
class RelationMethods:
    """A many-to-many relation, as methods of the left side's service."""

    name: str
    link: str
    unlink: str
    linked: str
    other_parameter: str
    other_a: str
    other_cls: str
    other_module: str
    other_plural_words: str


@dataclass
class EntityView:
    """One entity as every template sees it: its names, what is offered of it, and its fields."""

    specification: Specification
    entity: Entity
    api: ApiDesign
    memory: bool = False

    def __post_init__(self) -> None:
        self.dialect = Dialect(self.specification)
        self.name = self.entity.name
        self.cls = names.entity_class(self.entity.name)
        self.var = names.variable(self.entity)
        self.module = names.module(self.entity)
        self.plural_var = self.module
        self.words = names.words(self.entity.name)
        self.plural_words = names.words(self.entity.plural)
        self.a = designs.with_article(self.entity.name)

    @property
    def _offered(self) -> list[OperationDesign | CommandDesign]:
        return [*self.api.operations, *self.api.commands]

    @cached_property
    def can(self) -> Capabilities:
        """Say which methods are called by the interface."""
        if self.specification.kind.value == "library":
            offered = self.name in self.api.stores
            return Capabilities(offered, offered, offered, False, offered, offered)
        can = Capabilities()
        for part in self._offered:
            if part.entity != self.name:
                continue
            replaces = getattr(part, "method", "") == "PUT"
            match part.operation:
                case OperationKind.CREATE:
                    can.create = True
                case OperationKind.READ:
                    can.get = True
                case OperationKind.LIST if not part.target:
                    can.find = True
                case OperationKind.UPDATE:
                    can.replace, can.change = can.replace or replaces, can.change or not replaces
                case OperationKind.DELETE:
                    can.delete = True
                case _:
                    pass
        return can

    @property
    def updates(self) -> bool:
        """Say whether a record can change after it was created."""
        return self.can.replace or self.can.change or bool(self.transitions)

    @cached_property
    def transitions(self) -> list[Transition]:
        """Give the moves that the interface offers; without an interface's list, all."""
        moves = self.entity.machine.transitions if self.entity.machine else ()
        parts = [part for part in self._offered if part.entity == self.name]
        offered = {part.target for part in parts if part.operation is OperationKind.TRANSITION}
        return [move for move in moves if move.name in offered or self.specification.kind.value == "library"]

    @cached_property
    def offered_views(self) -> list[View]:
        """Give the views that the interface offers."""
        return self._of_interface(self.specification.views, OperationKind.VIEW)

    @cached_property
    def offered_reports(self) -> list[Report]:
        """Give the reports that the interface offers."""
        return self._of_interface(self.specification.reports, OperationKind.REPORT)

    def _of_interface(self, parts: Sequence[_ShownT], operation: OperationKind) -> list[_ShownT]:
        """Give those of the entity's parts that the interface offers by an operation; a library offers all."""
        offered = {part.target for part in self._offered if part.operation is operation}
        library = self.specification.kind.value == "library"
        return [part for part in parts if part.entity == self.name and (library or part.name in offered)]

    @cached_property
    def aggregate_names(self) -> set[str]:
        """Name the fields that are computed when a record is read."""
        return {rule.field for rule in self.dialect.aggregates(self.entity)}

    @cached_property
    def given(self) -> list[FieldSpec]:
        """Give the fields that come from input."""
        return [spec for spec in self.entity.fields if not spec.managed and spec.name not in self.aggregate_names]

    @cached_property
    def references(self) -> list[FieldSpec]:
        """Give the references that come from input."""
        return [spec for spec in self.given if spec.type is FieldType.REFERENCE]

    @cached_property
    def listing(self) -> ListingDesign:
        """Give how the entity is listed."""
        return next(listing for listing in self.api.listings if listing.entity == self.name)

    def target(self, spec: FieldSpec) -> Entity:
        """Give what a reference refers to."""
        return self.specification.entity(spec.target or "")

    def parent_variable(self, spec: FieldSpec) -> str:
        """Name the variable that holds what a reference refers to."""
        return names_of_parent(spec.name, self.entity, self.specification)

    def attribute(self, name: str) -> str:
        """Name the attribute of a field."""
        spec = designs.field_of(self.entity, name)
        return designs.attribute(spec) if spec else name

    def place(self, name: str) -> str:
        """Name a field as faults name it: as clients see it; in Python, as programs do."""
        attribute = self.attribute(name)
        return attribute if self.memory else designs.exposed(attribute)

    @cached_property
    def effects(self) -> list[EffectRule]:
        """Give what creating or moving a record changes elsewhere."""
        return [rule for rule in self.specification.rules if isinstance(rule, EffectRule) and rule.entity == self.name]

    def move_code(self, move: Transition) -> str:
        """Name the refusal of a move from a state that does not allow it."""
        return f"{move.name}_{self.name}_not_allowed"

    @cached_property
    def relations(self) -> list[RelationMethods]:
        """Give the many-to-many relations whose left side this is."""
        return [relation_methods(r, self.specification) for r in self.specification.relations if r.left == self.name]

    def can_change(self, attribute: str) -> bool:
        """Say whether an attribute of a record may change after its creation."""
        machine = self.entity.machine
        if machine is not None and attribute in {machine.field, *(move.stamps for move in self.transitions)}:
            return True
        spec = next((spec for spec in self.given if designs.attribute(spec) == attribute), None)
        return spec is not None and not spec.immutable and (self.can.replace or self.can.change)


def relation_methods(relation: Relation, specification: Specification) -> RelationMethods:
    """Name the methods of a many-to-many relation."""
    left, right = specification.entity(relation.left), specification.entity(relation.right)
    _, other = designs.link_columns(relation)
    return RelationMethods(
        name=relation.name,
        link=f"link_{relation.name}",
        unlink=f"unlink_{relation.name}",
        linked=f"{right.plural}_of_{left.name}",
        other_parameter=other,
        other_a=designs.with_article(right.name),
        other_cls=names.entity_class(right.name),
        other_module=names.module(right),
        other_plural_words=names.words(right.plural),
    )


def view_method(view: View, entity: Entity) -> str:
    """Name the method of a view."""
    return view.name if entity.plural in view.name or entity.name in view.name else f"{view.name}_{entity.plural}"


def view_words(view: View, entity: Entity) -> str:
    """Say what a view shows."""
    return view.description or f"{names.words(entity.plural)}, {names.words(view.name)}"
