"""The share `interface`: the routes of a service, the commands of a program, or the face of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.synthesis.python import layout, names
from functions.neuron.synthesis.python.commands import CommandWriter
from functions.neuron.synthesis.python.routes import RouterView, computed_routes
from shared.software.specification import Kind, OperationKind
from shared.software.structures import STRUCTURES

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.entities import EntityView
    from functions.neuron.synthesis.python.shares.project import Project


def write(project: Project) -> None:
    """Write the share."""
    if project.kind is Kind.API:
        _write_service(project)
    elif project.kind is Kind.COMMAND_LINE:
        _write_program(project)
    else:
        _write_library(project)


def _write_program(project: Project) -> None:
    out, source, specification = project.renderer, project.source, project.specification
    writer = CommandWriter(specification, project.entities, project.api.commands)
    out.python(f"{source}/__init__.py", "init.py.j2", package_doc=names.sentence(specification.title))
    out.python(f"{source}/__main__.py", "cli/dunder_main.py.j2")
    out.python(
        f"{source}/cli.py",
        "cli/main.py.j2",
        tuple(dict.fromkeys(pointer for command in writer.commands for pointer in command.implements)),
        entities=project.entities,
        program=project.program,
        description=names.text(names.sentence(specification.description or specification.title)),
        computes=writer.computes,
        several=writer.several,
        parser_lines=writer.parser_lines,
        adders=writer.adders,
        functions=writer.functions,
        converters=writer.converters,
        given=writer.given,
        reads_files=writer.reads_files,
    )


def _write_library(project: Project) -> None:
    out, source, specification = project.renderer, project.source, project.specification
    package = project.package
    imports, exported = [], []
    if project.entities:
        out.python(
            f"{source}/store.py",
            "library/store.py.j2",
            entities=project.entities,
            things=" and ".join(view.plural_words for view in project.entities),
        )
        imports += [f"from {package}.errors import Fault, InvalidError, NotFoundError, RefusalError, RuleError"]
        imports += [f"from {package}.store import Store", f"from {package}.storage.table import Found, Query"]
        imports += [
            f"from {package}.models.{view.module} import {view.cls}, {view.cls}Input" for view in project.entities
        ]
        exported += ["Fault", "Found", "InvalidError", "NotFoundError", "Query", "RefusalError", "RuleError", "Store"]
        exported += [name for view in project.entities for name in (view.cls, f"{view.cls}Input")]
    if project.api.functions:
        imports.append(f"from {package}.computations import {', '.join(project.api.functions)}")
        exported += project.api.functions
    for structure in project.api.structures:
        imports.append(f"from {package}.{structure} import {STRUCTURES[structure].type}")
        exported.append(STRUCTURES[structure].type)
    out.python(
        f"{source}/__init__.py",
        "library/init.py.j2",
        ("/library",),
        package_doc=names.sentence(specification.title),
        doc_rest=_library_documentation(project),
        imports=imports,
        exported=[names.text(name) for name in sorted(exported, key=layout.member_key)],
    )


def _library_documentation(project: Project) -> str:
    lines = []
    if project.entities:
        lines.append(
            "`Store` keeps records in memory and every rule about them; what a rule forbids raises `RuleError`."
        )
    if project.api.functions:
        lines.append("Functions are pure; what they cannot compute raises `ValueError`.")
    lines += [f"`{STRUCTURES[name].type}`: {STRUCTURES[name].summary}." for name in project.api.structures]
    return "\n".join(lines)


def _write_service(project: Project) -> None:
    out, source = project.renderer, project.source
    specification = project.specification
    routers = []
    for view in project.entities:
        router = RouterView(view)
        if router.operations:
            routers.append(view.module)
            out.python(
                f"{source}/api/{view.module}.py", "api/entity.py.j2", _operation_pointers(project, view), e=router
            )
    if any(operation.operation is OperationKind.COMPUTE for operation in project.api.operations):
        routers.append("computations")
        _write_computed_routes(project)
    out.python(f"{source}/api/__init__.py", "api/init.py.j2")
    out.python(
        f"{source}/api/problems.py",
        "api/problems.py.j2",
        slug=project.package.replace("_", "-"),
        has_references=project.refers,
    )
    out.python(f"{source}/api/paging.py", "api/paging.py.j2")
    out.python(
        f"{source}/api/app.py",
        "api/app.py.j2",
        entities=project.entities,
        routers=routers,
        title_text=names.text(specification.title),
        description_text=names.text(names.sentence(specification.description or specification.title)),
    )
    out.python(f"{source}/settings.py", "settings.py.j2")
    out.python(f"{source}/__main__.py", "main_api.py.j2", entities=project.entities)
    out.python(f"{source}/__init__.py", "init.py.j2", package_doc=names.sentence(specification.title))


def _write_computed_routes(project: Project) -> None:
    computed = computed_routes(project.specification, project.api)
    project.renderer.python(
        f"{project.source}/api/computations.py",
        "api/computations.py.j2",
        tuple(f"/computations/{i}" for i in range(len(project.specification.computations))),
        computed=computed,
        fractional=any("_finite(" in route.call for route in computed),
    )


def _operation_pointers(project: Project, view: EntityView) -> tuple[str, ...]:
    own = [operation for operation in project.api.operations if operation.entity == view.name]
    return tuple(dict.fromkeys(pointer for operation in own for pointer in operation.implements))
