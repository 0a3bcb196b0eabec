"""What the templates of HTTP routes need to know: each operation as a FastAPI function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities import EntityView, python_type, relation_methods, reporting, view_method
from functions.neuron.synthesis.python.functions import annotation
from functions.neuron.synthesis.python.models import ModelField, constrained, parameter_fields
from shared.software import designs
from shared.software.specification import FieldType, OperationKind

if TYPE_CHECKING:
    from shared.software.designs import ApiDesign, OperationDesign
    from shared.software.specification import Computation, Entity, FieldSpec, Specification


@dataclass(frozen=True)
class RouteFunction:
    """An operation as a function of a router."""

    method: str
    decorator: tuple[str, ...]
    name: str
    parameters: tuple[str, ...]
    returns: str
    doc: str
    body: tuple[str, ...]


class RouterView:
    """Everything about the routes of one entity that the template says."""

    def __init__(self, view: EntityView) -> None:
        self._view = view
        self.cls, self.module, self.words = view.cls, view.module, view.words
        self.plural_words = view.plural_words
        self.tag = names.text(view.plural_words)
        self.searchable = bool(view.listing.search)

    @property
    def imported(self) -> list[str]:
        """Name what the routes take from the entity's models."""
        found = [f"{self.cls}Input", self.cls]
        found += [f"{self.cls}Patch"] if self._view.can.change else []
        entity = self._view.entity
        found += [python_type(field, entity) for field in entity.fields if field.type is FieldType.ENUM]
        return found

    @property
    def other_models(self) -> list[dict[str, str]]:
        """Give the models of other entities that relations list."""
        own = {(r.other_module, r.other_cls) for r in self._view.relations if r.other_cls != self.cls}
        return [{"module": module, "cls": cls} for module, cls in sorted(own)]

    @property
    def filters_class(self) -> list[str]:
        """Write the fields of the model of a list's parameters; empty when the entity is never listed."""
        if not self._view.can.find:
            return []
        lines = []
        entity = self._view.entity
        for name in self._view.listing.filters:
            field = designs.field_of(entity, name)
            annotation = _filter_type(field, entity)
            attribute = designs.attribute(field) if field else name
            lines.append(f"{attribute}: {annotation} | None = None")
        if self.searchable:
            lines.append("search: Annotated[str, Field(min_length=1, max_length=200)] | None = None")
        return [*lines, f'sort: {self.cls}SortKey = "id"']

    @property
    def sorting(self) -> str:
        """Write the type of what a list can be sorted by."""
        columns = []
        for name in self._view.listing.sort:
            field = designs.field_of(self._view.entity, name)
            column = designs.exposed(designs.attribute(field)) if field else name
            columns += [names.text(column), names.text(f"-{column}")]
        return f"Literal[{', '.join(columns)}]"

    @property
    def sorted_by(self) -> str:
        """Write what a list is sorted by, as the table names it."""
        fields = (designs.field_of(self._view.entity, name) for name in self._view.listing.sort)
        columns = [designs.attribute(field) for field in fields if field]
        renamed = [column for column in columns if designs.exposed(column) != column]
        if not renamed:
            return "filters.sort"
        pairs = (
            f"{names.text(sign + designs.exposed(c))}: {names.text(sign + c)}" for c in renamed for sign in ("", "-")
        )
        return f"{{{', '.join(pairs)}}}.get(filters.sort, filters.sort)"

    @property
    def operations(self) -> list[RouteFunction]:
        """Give the operations, fixed paths before those with parameters at the same place."""
        own = [o for o in self._view.api.operations if self._belongs(o)]
        ordered = sorted(own, key=lambda o: [segment.startswith("{") for segment in o.path.split("/")])
        return [self._function(operation) for operation in ordered]

    def _belongs(self, operation: OperationDesign) -> bool:
        relation = next((r for r in self._view.specification.relations if r.name == operation.target), None)
        if relation is not None:
            return relation.left == self._view.name
        return operation.entity == self._view.name

    def _function(self, operation: OperationDesign) -> RouteFunction:
        reports = operation.operation is OperationKind.REPORT
        parameters, returns, body, refused = self._report(operation) if reports else self._parts(operation)
        decorator = [names.text(operation.path)]
        if operation.status != 200:
            decorator.append(f"status_code={operation.status}")
        decorator.append(f"summary={names.text(names.sentence(operation.summary))}")
        if refused:
            decorator.append(f"responses=refusals({', '.join(map(str, refused))})")
        return RouteFunction(
            method=operation.method.lower(),
            decorator=tuple(decorator),
            name=operation.name,
            parameters=parameters,
            returns=returns,
            doc=names.docstring(operation.summary),
            body=body,
        )

    def _report(self, operation: OperationDesign) -> tuple[tuple[str, ...], str, tuple[str, ...], tuple[int, ...]]:
        told = next(r for r in self._view.specification.reports if r.name == operation.target)
        kind = reporting.figure_type(told, self._view.entity)
        if kind != "Decimal":
            return ("service: Service",), f"dict[str, {kind}]", (f"return service.{told.name}()",), ()
        body = (f"return {{value: float(figure) for value, figure in service.{told.name}().items()}}",)
        return ("service: Service",), "dict[str, float]", body, ()

    def _parts(self, operation: OperationDesign) -> tuple[tuple[str, ...], str, tuple[str, ...], tuple[int, ...]]:
        view, cls = self._view, self.cls
        identifier = operation.parameters[0] if operation.parameters else ""
        path = tuple(f"{name}: {cls}Id" for name in operation.parameters)
        page = "return Page(items=found.items, total=found.total, limit={0}.limit, offset={0}.offset)"
        body: tuple[str, ...]
        match operation.operation:
            case OperationKind.CREATE:
                location = next(
                    (
                        o.path
                        for o in view.api.operations
                        if o.operation is OperationKind.READ and o.entity == view.name
                    ),
                    None,
                )
                refused = (404, 409, 422) if view.references else (409, 422)
                if location is None:
                    return (f"data: {cls}Input", "service: Service"), cls, ("return service.create(data)",), refused
                url = location.replace(f"{{{view.name}_id}}", f"{{{view.var}.id}}")
                body = (
                    f"{view.var} = service.create(data)",
                    f'response.headers["Location"] = f"{url}"',
                    f"return {view.var}",
                )
                return (f"data: {cls}Input", "service: Service", "response: Response"), cls, body, refused
            case OperationKind.READ:
                return (*path, "service: Service"), cls, (f"return service.get({identifier})",), (404, 422)
            case OperationKind.UPDATE if operation.method == "PUT":
                body = (f"return service.replace({identifier}, data)",)
                return (*path, f"data: {cls}Input", "service: Service"), cls, body, (404, 409, 422)
            case OperationKind.UPDATE:
                body = (f"return service.change({identifier}, data.model_dump(exclude_unset=True))",)
                return (*path, f"data: {cls}Patch", "service: Service"), cls, body, (404, 409, 422)
            case OperationKind.DELETE:
                return (*path, "service: Service"), "None", (f"service.delete({identifier})",), (404, 409, 422)
            case OperationKind.TRANSITION:
                body = (f"return service.{operation.target}_{view.name}({identifier})",)
                return (*path, "service: Service"), cls, body, (404, 409, 422)
            case OperationKind.VIEW if operation.target:
                chosen = next(v for v in view.specification.views if v.name == operation.target)
                body = (
                    "wanted = Wanted(limit=paging.limit, offset=paging.offset)",
                    f"found = service.{view_method(chosen, view.entity)}(wanted)",
                    page.format("paging"),
                )
                return ("paging: Annotated[Paging, Query()]", "service: Service"), f"Page[{cls}]", body, (422,)
            case OperationKind.LINK | OperationKind.UNLINK | OperationKind.LIST if operation.target:
                return self._relation_parts(operation, page)
            case _:
                return self._list_parts(operation, page)

    def _list_parts(
        self, operation: OperationDesign, page: str
    ) -> tuple[tuple[str, ...], str, tuple[str, ...], tuple[int, ...]]:
        parameters = (f"filters: Annotated[{self.cls}Filters, Query()]", "service: Service")
        reference = designs.field_of(self._view.entity, operation.parent or "")
        if reference is None or not operation.parameters:
            body = ("found = service.find(_wanted(filters))", page.format("filters"))
            return parameters, f"Page[{self.cls}]", body, (422,)
        parent = operation.parameters[0]
        attribute = designs.attribute(reference)
        nested = (
            f"filters.{attribute} = {parent}",
            "found = service.find(_wanted(filters))",
            page.format("filters"),
        )
        place = f"{parent}: Annotated[int, Path(ge=1, le=LARGEST)]"
        return (place, *parameters), f"Page[{self.cls}]", nested, (422,)

    def _relation_parts(
        self, operation: OperationDesign, page: str
    ) -> tuple[tuple[str, ...], str, tuple[str, ...], tuple[int, ...]]:
        relation = next(r for r in self._view.specification.relations if r.name == operation.target)
        methods = relation_methods(relation, self._view.specification)
        place = tuple(f"{name}: Annotated[int, Path(ge=1, le=LARGEST)]" for name in operation.parameters)
        called = ", ".join(operation.parameters)
        if operation.operation is OperationKind.LIST:
            body = (
                "wanted = Wanted(limit=paging.limit, offset=paging.offset)",
                f"found = service.{methods.linked}({called}, wanted)",
                page.format("paging"),
            )
            paged = (*place, "paging: Annotated[Paging, Query()]", "service: Service")
            return paged, f"Page[{methods.other_cls}]", body, (404, 422)
        method = methods.link if operation.operation is OperationKind.LINK else methods.unlink
        return (*place, "service: Service"), "None", (f"service.{method}({called})",), (404, 409, 422)


def _filter_type(field: FieldSpec | None, entity: Entity) -> str:
    """Write the type of a parameter that narrows a list."""
    if field is None:
        return "Moment"
    match field.type:
        case FieldType.BOOLEAN:
            return "bool"
        case FieldType.INTEGER:
            return "Annotated[int, Field(ge=-LARGEST, le=LARGEST)]"
        case FieldType.REFERENCE:
            return "Annotated[int, Field(ge=1, le=LARGEST)]"
        case FieldType.DECIMAL:
            return f"Annotated[Decimal, Field(max_digits=15, decimal_places={field.scale})]"
        case FieldType.ENUM:
            return python_type(field, entity)
        case FieldType.STRING | FieldType.EMAIL | FieldType.URL:
            return "Annotated[str, Field(max_length=1000)]"
        case _:
            return constrained(field)


@dataclass(frozen=True)
class ComputedRoute:
    """A computation as an operation of the service."""

    method: str
    decorator: tuple[str, ...]
    name: str
    cls: str
    words: str
    fields: tuple[ModelField, ...]
    data: str
    result: str
    doc: str
    call: str


def computed_routes(specification: Specification, api: ApiDesign) -> list[ComputedRoute]:
    """Give the operations that compute."""
    known = {computation.name: computation for computation in specification.computations}
    found = []
    for operation in api.operations:
        computation = known.get(operation.target or "")
        if operation.operation is OperationKind.COMPUTE and computation is not None:
            found.append(_computed_route(operation, computation))
    return found


def _computed_route(operation: OperationDesign, computation: Computation) -> ComputedRoute:
    cls = names.class_name(computation.name)
    ordered = sorted(computation.parameters, key=lambda parameter: not parameter.required)
    call = f"computations.{computation.name}({', '.join(f'data.{parameter.name}' for parameter in ordered)})"
    if computation.returns is FieldType.NUMBER:
        call = f"_finite({call})"
    kind = annotation(computation.returns, computation.items)
    summary = names.text(names.sentence(operation.summary))
    return ComputedRoute(
        method=operation.method.lower(),
        decorator=(names.text(operation.path), f"summary={summary}", "responses=refusals(422)"),
        name=operation.name,
        cls=cls,
        words=names.words(computation.name),
        fields=tuple(parameter_fields(computation)),
        data=f"Annotated[{cls}Input, Query()]" if operation.method == "GET" else f"{cls}Input",
        result="Money" if kind == "Decimal" else kind,
        doc=names.docstring(computation.description or operation.summary),
        call=call,
    )
