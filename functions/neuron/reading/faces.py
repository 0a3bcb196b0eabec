"""Gives the software its face: the endpoints of a service, the commands of a program, the public names of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import morphology
from shared.software import designs
from shared.software import specification as spec
from shared.software.designs import slug
from shared.software.specification import Endpoint, OperationKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.neuron.reading.draft import Draft, DraftEntity

OPERATIONS: Final = ("create", "list", "read", "update", "delete")
_WORDS: Final = {"create": "add", "list": "list", "read": "show", "update": "update", "delete": "remove"}


def endpoints(draft: Draft) -> tuple[Endpoint, ...]:
    """Give the conventional endpoints of every entity, and those that the request names itself."""
    found = {f"{e.method} {e.path}": e for entity in draft.entities.values() for e in _of_entity(draft, entity)}
    found |= {f"{e.method} {e.path}": e for e in _of_relations(draft)}
    found |= {f"{e.method} {e.path}": e for e in _of_computations(draft)}
    named = {f"{e.method} {e.path}": e for e in draft.endpoints}
    return tuple({**found, **named}.values())


def _of_entity(draft: Draft, entity: DraftEntity) -> Iterator[Endpoint]:
    path = f"/{slug(entity.plural)}"
    one, many = designs.with_article(entity.name), entity.plural.replace("_", " ")
    yield Endpoint(
        method="POST", path=path, operation=OperationKind.CREATE, entity=entity.name, summary=f"Create {one}"
    )
    yield Endpoint(method="GET", path=path, operation=OperationKind.LIST, entity=entity.name, summary=f"List {many}")
    for view in draft.views.values():
        if view.entity == entity.name:
            yield _told(f"{path}/{slug(_short(view.name, entity))}", OperationKind.VIEW, view, _listed(view))
    for report in draft.reports.values():
        if report.entity == entity.name:
            yield _told(f"{path}/{slug(report.name)}", OperationKind.REPORT, report, report.description)
    yield Endpoint(
        method="GET", path=f"{path}/{{id}}", operation=OperationKind.READ, entity=entity.name, summary=f"Read {one}"
    )
    if _changeable(draft, entity):
        yield Endpoint(
            method="PUT",
            path=f"{path}/{{id}}",
            operation=OperationKind.UPDATE,
            entity=entity.name,
            summary=f"Replace {one}",
        )
        yield Endpoint(
            method="PATCH",
            path=f"{path}/{{id}}",
            operation=OperationKind.UPDATE,
            entity=entity.name,
            summary=f"Change {one}",
        )
    if (entity.name, "delete") not in draft.withheld:
        yield Endpoint(
            method="DELETE",
            path=f"{path}/{{id}}",
            operation=OperationKind.DELETE,
            entity=entity.name,
            summary=f"Delete {one}",
        )
    if entity.machine is not None:
        for move in entity.machine.transitions.values():
            yield Endpoint(
                method="POST",
                path=f"{path}/{{id}}/{slug(move.name)}",
                operation=OperationKind.TRANSITION,
                entity=entity.name,
                target=move.name,
                summary=f"{move.name.replace('_', ' ').capitalize()} {one}",
            )


def _told(path: str, operation: OperationKind, part: spec.View | spec.Report, summary: str) -> Endpoint:
    return Endpoint(method="GET", path=path, operation=operation, entity=part.entity, target=part.name, summary=summary)


def _listed(view: spec.View) -> str:
    return view.description or f"List {view.name.replace('_', ' ')}"


def _changeable(draft: Draft, entity: DraftEntity) -> bool:
    return (entity.name, "update") not in draft.withheld and any(
        not f.managed and not f.immutable for f in entity.fields.values()
    )


def _short(name: str, entity: DraftEntity) -> str:
    return name.removesuffix(f"_{entity.plural}") or name


def _of_relations(draft: Draft) -> Iterator[Endpoint]:
    for relation in draft.relations.values():
        left, right = draft.entities[relation.left], draft.entities[relation.right]
        path = f"/{slug(left.plural)}/{{id}}/{slug(right.plural)}"
        words = {"entity": left.name, "target": relation.name}
        yield Endpoint(
            method="GET",
            path=path,
            operation=OperationKind.LIST,
            summary=f"List the {right.plural.replace('_', ' ')} of {designs.with_article(left.name)}",
            **words,
        )
        yield Endpoint(
            method="PUT",
            path=f"{path}/{{{right.name}_id}}",
            operation=OperationKind.LINK,
            summary=f"Link {designs.with_article(right.name)} with {designs.with_article(left.name)}",
            **words,
        )
        yield Endpoint(
            method="DELETE",
            path=f"{path}/{{{right.name}_id}}",
            operation=OperationKind.UNLINK,
            summary=f"Unlink {designs.with_article(right.name)} from {designs.with_article(left.name)}",
            **words,
        )


def _of_computations(draft: Draft) -> Iterator[Endpoint]:
    for computation in draft.computations.values():
        yield Endpoint(
            method="POST",
            path=f"/{slug(computation.name)}",
            operation=OperationKind.COMPUTE,
            target=computation.name,
            summary=computation.description,
        )


def command_line(draft: Draft) -> spec.CommandLine:
    """Give the commands of a program: one for each computation, and those on its entities."""
    commands: dict[str, spec.Command] = {}
    single = len([e for e in draft.entities.values() if draft.operations.get(e.name)]) <= 1 and len(draft.entities) <= 2
    for computation in draft.computations.values():
        name = slug(computation.name)
        commands[name] = spec.Command(
            name=name,
            operation=OperationKind.COMPUTE,
            target=computation.name,
            summary=computation.description,
            reads_file=computation.name in draft.reads_file,
        )
    main = _main_entity(draft)
    for entity in draft.entities.values():
        for command in _entity_commands(draft, entity, bare=entity is main and (single or len(draft.entities) <= 2)):
            commands.setdefault(command.name, command)
    for command in _relation_commands(draft):
        commands.setdefault(command.name, command)
    return spec.CommandLine(program=slug(draft.name), commands=tuple(commands.values()))


def _relation_commands(draft: Draft) -> Iterator[spec.Command]:
    """Let two things be put together and parted ("add-tag-to-task"), and list what one is together with."""
    for relation in draft.relations.values():
        left, right = draft.entities[relation.left], draft.entities[relation.right]
        one, other = designs.with_article(left.name), designs.with_article(right.name)
        many = right.plural.replace("_", " ")
        summaries = (f"Add {other} to {one}", f"Take {other} from {one}", f"List the {many} of {one}")
        named = designs.relation_commands(left.name, right.name, right.plural)
        for (name, operation), summary in zip(named, summaries, strict=True):
            yield spec.Command(name=name, operation=operation, entity=left.name, target=relation.name, summary=summary)


def _main_entity(draft: Draft) -> DraftEntity | None:
    asked = [e for e in draft.entities.values() if "create" in draft.operations.get(e.name, set())]
    return asked[0] if asked else next(iter(draft.entities.values()), None)


def _entity_commands(draft: Draft, entity: DraftEntity, *, bare: bool) -> Iterator[spec.Command]:
    suffix = "" if bare else f"-{slug(entity.name)}"
    one, many = designs.with_article(entity.name), entity.plural.replace("_", " ")
    texts = {
        "create": f"Add {one}",
        "list": f"List {many}",
        "read": f"Show {one}",
        "update": f"Change {one}",
        "delete": f"Remove {one}",
    }
    for operation in OPERATIONS:
        if (entity.name, operation) in draft.withheld or (operation == "update" and not _changeable(draft, entity)):
            continue
        word = draft.verbs.get((entity.name, operation), _WORDS[operation])
        named = f"{word}{'' if bare else ('-' + slug(entity.plural) if operation == 'list' else suffix)}"
        yield spec.Command(
            name=draft.deeds.get(entity.name, named) if operation == "create" else named,
            operation=OperationKind(operation),
            entity=entity.name,
            summary=texts[operation],
        )
    if entity.machine is not None:
        for move in entity.machine.transitions.values():
            yield spec.Command(
                name=f"{slug(move.name)}{suffix}",
                operation=OperationKind.TRANSITION,
                entity=entity.name,
                target=move.name,
                summary=f"{move.name.replace('_', ' ').capitalize()} {one}",
            )
    for view in draft.views.values():
        if view.entity == entity.name:
            yield spec.Command(
                name=slug(_short(view.name, entity)) if bare else slug(view.name),
                operation=OperationKind.VIEW,
                entity=entity.name,
                target=view.name,
                summary=_listed(view),
            )
    for report in draft.reports.values():
        if report.entity == entity.name:
            yield spec.Command(
                name=slug(report.name),
                operation=OperationKind.REPORT,
                entity=entity.name,
                target=report.name,
                summary=report.description,
            )


def library(draft: Draft) -> spec.LibraryFace:
    """Give the public names of a library."""
    return spec.LibraryFace(
        package=morphology.name(draft.name),
        stores=tuple(draft.entities),
        functions=tuple(draft.computations),
        structures=tuple(draft.structures),
    )
