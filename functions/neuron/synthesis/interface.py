"""Designs the face of a specification: the operations of a service, the commands of a program, a library's names.

Where the specification lists endpoints or commands, exactly these are offered; where it lists none, each entity gets
the usual ones (create, list, read, change, delete) and one for each move, view, relation and computation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from shared.software import designs
from shared.software.designs import ApiDesign, CommandDesign, ListingDesign, OperationDesign, slug
from shared.software.specification import (
    Command,
    Computation,
    Endpoint,
    Entity,
    FieldType,
    Kind,
    OperationKind,
    Specification,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_ID_OPERATIONS: Final = frozenset(
    {OperationKind.READ, OperationKind.UPDATE, OperationKind.DELETE, OperationKind.TRANSITION}
)
_STATUS: Final = {
    OperationKind.CREATE: 201,
    OperationKind.DELETE: 204,
    OperationKind.LINK: 204,
    OperationKind.UNLINK: 204,
}
_PAGING: Final = frozenset({"limit", "offset", "sort", "search"})
_UNSORTABLE: Final = frozenset({FieldType.TEXT, FieldType.LIST})
_SEARCHABLE: Final = frozenset({FieldType.STRING, FieldType.TEXT, FieldType.EMAIL, FieldType.URL})
_UNFILTERABLE: Final = frozenset({FieldType.TEXT, FieldType.LIST, FieldType.NUMBER, FieldType.DATETIME})


def design_api(specification: Specification) -> ApiDesign:
    """Design the face that the specification's kind asks for."""
    listings = tuple(_listing(entity, specification) for entity in specification.entities)
    if specification.kind is Kind.API:
        return ApiDesign(operations=tuple(_operations(specification)), listings=listings)
    if specification.kind is Kind.COMMAND_LINE:
        return ApiDesign(commands=tuple(_commands(specification)), listings=listings)
    face = specification.library
    stores = face.stores if face and face.stores else tuple(entity.name for entity in specification.entities)
    functions = face.functions if face and face.functions else tuple(c.name for c in specification.computations)
    structures = tuple(structure.name for structure in specification.structures)
    return ApiDesign(stores=stores, functions=functions, structures=structures, listings=listings)


def _listing(entity: Entity, specification: Specification) -> ListingDesign:
    asked = next((listing for listing in specification.listings if listing.entity == entity.name), None)
    references = tuple(field.name for field in entity.fields if field.type is FieldType.REFERENCE)
    filterable = tuple(field.name for field in entity.fields if field.type not in _UNFILTERABLE)
    sortable = tuple(field.name for field in entity.fields if field.type not in _UNSORTABLE)
    searchable = tuple(field.name for field in entity.fields if field.type in _SEARCHABLE)
    filterable = tuple(name for name in filterable if name not in _PAGING)
    asked_filters = tuple(name for name in asked.filters if name not in (*references, *_PAGING)) if asked else ()
    return ListingDesign(
        entity=entity.name,
        filters=tuple(dict.fromkeys((*references, *(asked_filters or filterable)))),
        search=asked.search if asked and asked.search else searchable,
        sort=tuple(dict.fromkeys(("id", *(asked.sort if asked and asked.sort else sortable), "created_at"))),
    )


# Operations of a service.


def _operations(specification: Specification) -> Iterator[OperationDesign]:
    names: set[str] = set()
    endpoints = specification.endpoints or tuple(_usual_endpoints(specification))
    for i, endpoint in enumerate(endpoints):
        pointer = (f"/endpoints/{i}",) if specification.endpoints else _pointers(endpoint, specification)
        for operation in _served(endpoint, specification, pointer):
            name = _distinct(operation.name, names)
            yield operation.model_copy(update={"name": name})


def _distinct(name: str, names: set[str]) -> str:
    number = 2
    wanted = name
    while wanted in names:
        wanted = f"{name}_{number}"
        number += 1
    names.add(wanted)
    return wanted


def _usual_endpoints(specification: Specification) -> Iterator[Endpoint]:
    for entity in specification.entities:
        one, all_ = f"/{slug(entity.plural)}/{{id}}", f"/{slug(entity.plural)}"
        yield _endpoint("POST", all_, OperationKind.CREATE, entity)
        yield _endpoint("GET", all_, OperationKind.LIST, entity)
        for view in specification.views:
            if view.entity == entity.name:
                yield _endpoint("GET", f"{all_}/{slug(view.name)}", OperationKind.VIEW, entity, view.name)
        for report in specification.reports:
            if report.entity == entity.name:
                yield _endpoint("GET", f"{all_}/{slug(report.name)}", OperationKind.REPORT, entity, report.name)
        yield _endpoint("GET", one, OperationKind.READ, entity)
        yield _endpoint("PATCH", one, OperationKind.UPDATE, entity)
        yield _endpoint("DELETE", one, OperationKind.DELETE, entity)
        for move in entity.machine.transitions if entity.machine else ():
            yield _endpoint("POST", f"{one}/{slug(move.name)}", OperationKind.TRANSITION, entity, move.name)
    for relation in specification.relations:
        yield from _relation_endpoints(relation.name, relation.left, relation.right, specification)
    for computation in specification.computations:
        yield Endpoint(
            method="POST", path=f"/{slug(computation.name)}", operation=OperationKind.COMPUTE, target=computation.name
        )


def _endpoint(
    method: Method, path: str, operation: OperationKind, entity: Entity, target: str | None = None
) -> Endpoint:
    return Endpoint(method=method, path=path, operation=operation, entity=entity.name, target=target)


def _relation_endpoints(name: str, left: str, right: str, specification: Specification) -> Iterator[Endpoint]:
    owner, other = specification.entity(left), specification.entity(right)
    path = f"/{slug(owner.plural)}/{{id}}/{slug(other.plural)}"
    yield _endpoint("GET", path, OperationKind.LIST, other, name)
    yield _endpoint("PUT", f"{path}/{{other}}", OperationKind.LINK, owner, name)
    yield _endpoint("DELETE", f"{path}/{{other}}", OperationKind.UNLINK, owner, name)


def _pointers(endpoint: Endpoint, specification: Specification) -> tuple[str, ...]:
    if endpoint.entity is None:
        return tuple(
            f"/computations/{i}" for i, c in enumerate(specification.computations) if c.name == endpoint.target
        )
    return tuple(f"/entities/{i}" for i, e in enumerate(specification.entities) if e.name == endpoint.entity)


def _served(endpoint: Endpoint, specification: Specification, pointer: tuple[str, ...]) -> Iterator[OperationDesign]:
    entity = specification.entity(endpoint.entity) if endpoint.entity else None
    path, parameters, parent = _path(endpoint, entity, specification)
    operation = OperationDesign(
        method=endpoint.method,
        path=path,
        name=_operation_name(endpoint, entity, parent, specification),
        operation=endpoint.operation,
        entity=endpoint.entity,
        target=endpoint.target,
        parameters=parameters,
        parent=parent,
        status=_STATUS.get(endpoint.operation, 200),
        summary=endpoint.summary or _summary(endpoint, entity, specification),
        implements=pointer,
    )
    yield operation
    if endpoint.operation is OperationKind.UPDATE and not specification.endpoints and entity is not None:
        replace = {"method": "PUT", "name": f"replace_{entity.name}", "summary": f"Replace {_article(entity)}."}
        yield operation.model_copy(update=replace)


def _path(
    endpoint: Endpoint, entity: Entity | None, specification: Specification
) -> tuple[str, tuple[str, ...], str | None]:
    """Name the path's parameters after what they identify; find the reference that a nested path fixes."""
    segments = endpoint.path.strip("/").split("/")
    slots = [i for i, segment in enumerate(segments) if segment.startswith("{")]
    names: list[str] = []
    parent = None
    for position, slot in enumerate(slots):
        owner = _owner(segments[slot - 1], specification) if slot else None
        own = entity is not None and position == len(slots) - 1 and endpoint.operation in _ID_OPERATIONS
        target = entity if own else owner
        name = f"{target.name}_id" if target else segments[slot].strip("{}")
        names.append(f"other_{name}" if name in names else name)
        segments[slot] = f"{{{names[-1]}}}"
        if not own and owner is not None and entity is not None and endpoint.target is None:
            parent = next((f.name for f in entity.fields if f.target == owner.name), parent)
    return "/" + "/".join(segments), tuple(names), parent


def _owner(segment: str, specification: Specification) -> Entity | None:
    wanted = segment.replace("-", "_")
    return next((entity for entity in specification.entities if wanted in {entity.plural, entity.name}), None)


def _operation_name(endpoint: Endpoint, entity: Entity | None, parent: str | None, specification: Specification) -> str:
    target = endpoint.target or ""
    if entity is None:
        return target or re.sub(r"\W+", "_", endpoint.path).strip("_")
    match endpoint.operation:
        case OperationKind.CREATE | OperationKind.READ | OperationKind.DELETE:
            return f"{endpoint.operation.value}_{entity.name}"
        case OperationKind.UPDATE:
            return f"{'replace' if endpoint.method == 'PUT' else 'change'}_{entity.name}"
        case OperationKind.LIST if target:
            return f"list_{target}"
        case OperationKind.LIST if parent:
            return f"list_{entity.plural}_of_{_path_owner(endpoint, specification)}"
        case OperationKind.LIST:
            return f"list_{entity.plural}"
        case OperationKind.REPORT:
            return f"tell_{target}"
        case OperationKind.VIEW:
            return f"list_{target}" if entity.plural in target else f"list_{target}_{entity.plural}"
        case OperationKind.TRANSITION:
            return f"{target}_{entity.name}"
        case _:
            return f"{endpoint.operation.value}_{target}"


def _path_owner(endpoint: Endpoint, specification: Specification) -> str:
    owner = _owner(endpoint.path.strip("/").split("/")[0], specification)
    return owner.name if owner else "parent"


def _article(entity: Entity) -> str:
    return designs.with_article(entity.name)


def _summary(endpoint: Endpoint, entity: Entity | None, specification: Specification) -> str:
    target = (endpoint.target or "").replace("_", " ")
    if entity is None:
        return f"Compute {target}."
    plural = entity.plural.replace("_", " ")
    match endpoint.operation:
        case OperationKind.CREATE:
            return f"Add {_article(entity)}."
        case OperationKind.LIST if endpoint.target or "{" in endpoint.path:
            return f"List the {plural} of {_article(specification.entity(_path_owner(endpoint, specification)))}."
        case OperationKind.LIST:
            return f"List {plural}."
        case OperationKind.READ:
            return f"Show {_article(entity)}."
        case OperationKind.UPDATE:
            return f"{'Replace' if endpoint.method == 'PUT' else 'Change'} {_article(entity)}."
        case OperationKind.DELETE:
            return f"Delete {_article(entity)}."
        case OperationKind.VIEW:
            return f"List {plural}: {target}."
        case OperationKind.TRANSITION:
            return f"{target.capitalize()} {_article(entity)}."
        case _:
            verb = "Tell" if endpoint.operation is OperationKind.REPORT else endpoint.operation.value.capitalize()
            return f"{verb}: {target}."


# Commands of a program.


def _commands(specification: Specification) -> Iterator[CommandDesign]:
    listed = specification.command_line.commands if specification.command_line else ()
    commands = listed or tuple(_usual_commands(specification))
    names: set[str] = set()
    for i, command in enumerate(commands):
        entity = specification.entity(command.entity) if command.entity else None
        computation = next((c for c in specification.computations if c.name == command.target), None)
        positionals, options = _arguments(command, entity, computation)
        alone = len(commands) == 1 and command.operation is OperationKind.COMPUTE
        yield CommandDesign(
            name="" if alone else command.name,
            function=_distinct(command.name.replace("-", "_"), names),
            operation=command.operation,
            entity=command.entity,
            target=command.target,
            positionals=positionals,
            options=options,
            reads_file=command.reads_file,
            summary=command.summary or _command_summary(command, entity, computation),
            implements=(f"/command_line/commands/{i}",) if listed else (),
        )


def _usual_commands(specification: Specification) -> Iterator[Command]:
    several = len(specification.entities) > 1
    for entity in specification.entities:
        suffix = f"-{slug(entity.name)}" if several else ""
        plural = f"-{slug(entity.plural)}" if several else ""
        yield Command(name=f"add{suffix}", operation=OperationKind.CREATE, entity=entity.name)
        yield Command(name=f"list{plural}", operation=OperationKind.LIST, entity=entity.name)
        yield Command(name=f"show{suffix}", operation=OperationKind.READ, entity=entity.name)
        yield Command(name=f"change{suffix}", operation=OperationKind.UPDATE, entity=entity.name)
        yield Command(name=f"delete{suffix}", operation=OperationKind.DELETE, entity=entity.name)
        for move in entity.machine.transitions if entity.machine else ():
            name = f"{slug(move.name)}{suffix}"
            yield Command(name=name, operation=OperationKind.TRANSITION, entity=entity.name, target=move.name)
    for relation in specification.relations:
        rights = specification.entity(relation.right).plural
        for name, operation in designs.relation_commands(relation.left, relation.right, rights):
            yield Command(name=name, operation=operation, entity=relation.left, target=relation.name)
    for view in specification.views:
        yield Command(name=slug(view.name), operation=OperationKind.VIEW, entity=view.entity, target=view.name)
    for report in specification.reports:
        yield Command(name=slug(report.name), operation=OperationKind.REPORT, entity=report.entity, target=report.name)
    for computation in specification.computations:
        yield Command(name=slug(computation.name), operation=OperationKind.COMPUTE, target=computation.name)


def _arguments(
    command: Command, entity: Entity | None, computation: Computation | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give what is required by place, and what is optional by name."""
    if computation is not None:
        required = tuple(p.name for p in computation.parameters if p.required)
        return required, tuple(p.name for p in computation.parameters if not p.required)
    if entity is None:
        return (), ()
    given = [field for field in entity.fields if not field.managed]
    if command.operation is OperationKind.CREATE:
        required = tuple(designs.attribute(f) for f in given if f.required and f.default is None)
        return required, tuple(designs.attribute(f) for f in given if designs.attribute(f) not in required)
    if command.operation is OperationKind.UPDATE:
        return ("id",), tuple(designs.attribute(f) for f in given)
    if command.operation in {OperationKind.READ, OperationKind.DELETE, OperationKind.TRANSITION}:
        return ("id",), ()
    return (), ()


def _command_summary(command: Command, entity: Entity | None, computation: Computation | None) -> str:
    if computation is not None:
        return computation.description or f"Compute {computation.name.replace('_', ' ')}."
    related = command.target and command.operation in {OperationKind.LINK, OperationKind.UNLINK, OperationKind.LIST}
    if entity is None or related:
        return f"{command.name.replace('-', ' ').capitalize()}."
    plural = entity.plural.replace("_", " ")
    match command.operation:
        case OperationKind.CREATE:
            return f"Add {_article(entity)}."
        case OperationKind.LIST:
            return f"List {plural}."
        case OperationKind.READ:
            return f"Show {_article(entity)}."
        case OperationKind.UPDATE:
            return f"Change {_article(entity)}."
        case OperationKind.DELETE:
            return f"Delete {_article(entity)}."
        case OperationKind.TRANSITION:
            return f"{(command.target or '').replace('_', ' ').capitalize()} {_article(entity)}."
        case OperationKind.REPORT:
            return f"Tell the {(command.target or command.name).replace('_', ' ')} of {plural}."
        case _:
            return f"List {plural}: {(command.target or command.name).replace('_', ' ')}."
