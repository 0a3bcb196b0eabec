"""The share `tests`: the suite, its factories, and the world in which each kind of software is tried."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities import view_method
from functions.neuron.synthesis.python.suite import (
    ComputationTests,
    EntityTests,
    PropertyTests,
    RecordWriter,
    RuleTests,
    creations_at_once,
    program_tests,
    service_tests,
)
from functions.neuron.synthesis.testing import design_tests
from shared.software.specification import Kind, OperationKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.neuron.synthesis.python.shares.project import Project


def write(project: Project) -> None:
    """Write the share."""
    specification, out = project.specification, project.renderer
    design = project.task.tests or design_tests(specification)
    writer = RecordWriter(specification, project.entities, design)
    out.add("tests/__init__.py", "")
    if specification.computations:
        _write_computation_tests(project)
    for i, structure in enumerate(specification.structures):
        module = f"{project.package}.{structure.name}"
        out.python(
            f"tests/test_{structure.name}.py",
            f"tests/structures/{structure.name}.py.j2",
            (f"/structures/{i}",),
            module=module,
        )
    if project.kind is Kind.COMMAND_LINE:
        _write_program_tests(project)
    if project.kind is Kind.API and specification.computations:
        _write_computed_service_tests(project)
    if not project.entities:
        return
    conftest = {Kind.COMMAND_LINE: _write_program_conftest, Kind.LIBRARY: _write_library_conftest}
    conftest.get(project.kind, _write_conftest)(project)
    out.python("tests/factories.py", "tests/factories.py.j2", factories=writer.factories)
    for view in project.entities:
        if view.can.create:
            tests = EntityTests(writer).of(view)
            out.python(f"tests/test_{view.module}.py", "tests/entity.py.j2", project.pointer(view), e=tests)
    rule_tests = RuleTests(writer, design).all()
    if rule_tests:
        rules = tuple(f"/rules/{i}" for i in range(len(specification.rules)))
        out.python(
            "tests/test_rules.py", "tests/rules.py.j2", rules, tests=rule_tests, factories=writer.factory_names()
        )
    if project.kind is Kind.API:
        _write_service_tests(project, writer)
        _write_properties(project, writer)


def _write_properties(project: Project, writer: RecordWriter) -> None:
    properties = PropertyTests(writer).all()
    if properties:
        project.renderer.python(
            "tests/test_any_input.py",
            "tests/properties.py.j2",
            tuple(f"/entities/{i}" for i in range(len(project.entities))),
            properties=properties,
            factories=writer.factory_names(),
        )


def _write_computation_tests(project: Project) -> None:
    writer = ComputationTests(project.specification)
    if writer.tests:
        project.renderer.python(
            "tests/test_computations.py",
            "tests/computations.py.j2",
            tuple(f"/computations/{i}" for i in range(len(project.specification.computations))),
            imported=writer.imported,
            tests=writer.tests,
        )


def _write_computed_service_tests(project: Project) -> None:
    tests = service_tests(project.specification, project.api)
    project.renderer.python(
        "tests/test_computing.py",
        "tests/computed_api.py.j2",
        tuple(f"/computations/{i}" for i in range(len(project.specification.computations))),
        stored=bool(project.entities),
        tests=tests,
    )


def _write_program_tests(project: Project) -> None:
    project.renderer.python(
        "tests/test_program.py",
        "tests/program.py.j2",
        ("/command_line",),
        program=project.program,
        stored=bool(project.entities),
        commands=_literal([command.name for command in project.api.commands if command.name]),
        tests=program_tests(project.specification, project.api),
    )


def _literal(values: list[str]) -> str:
    return f"[{', '.join(names.text(value) for value in values)}]"


def _write_program_conftest(project: Project) -> None:
    kinds = {OperationKind.VIEW, OperationKind.REPORT}
    related = {relation.name for relation in project.specification.relations}
    commands: dict[tuple[str, str], str] = {}
    for command in project.api.commands:
        if command.operation is OperationKind.COMPUTE or command.entity is None:
            continue
        does = command.target if command.operation is OperationKind.TRANSITION else command.operation.value
        key = ("", command.target or "") if command.operation in kinds else (command.entity, does or "")
        if command.target in related and command.operation not in {*kinds, OperationKind.TRANSITION}:
            key = (command.target, "linked" if command.operation is OperationKind.LIST else command.operation.value)
        placed = names.literal(command.positionals, None)
        commands.setdefault(key, f"({names.text(command.name)}, {placed})")
    written = [f"{names.literal(key, None)}: {value}" for key, value in commands.items()]
    told = any(command.operation is OperationKind.REPORT for command in project.api.commands)
    project.renderer.python(
        "tests/conftest.py", "tests/conftest_cli.py.j2", commands=written, reports=told, links=bool(related)
    )


def _write_library_conftest(project: Project) -> None:
    views = [
        f"{names.text(view.name)}: self.store.{entity.module}.{view_method(view, entity.entity)}"
        for entity in project.entities
        for view in entity.offered_views
    ]
    relations = [(entity, relation) for entity in project.entities for relation in entity.relations]
    project.renderer.python(
        "tests/conftest.py",
        "tests/conftest_library.py.j2",
        entities=project.entities,
        services=[f"{names.text(e.name)}: self.store.{e.module}" for e in project.entities],
        inputs=[f"{names.text(e.name)}: {e.cls}Input" for e in project.entities],
        has_moves=any(e.transitions for e in project.entities),
        views=views,
        reports=[
            f"{names.text(report.name)}: self.store.{entity.module}.{report.name}"
            for entity in project.entities
            for report in entity.offered_reports
        ],
        links=[f"{names.text(r.name)}: self.store.{e.module}.{r.linked}" for e, r in relations],
        owners=[f"{names.text(r.name)}: self.store.{e.module}" for e, r in relations],
    )


def _write_conftest(project: Project) -> None:
    operations = project.api.operations
    paths = {o.entity: o.path for o in operations if o.operation is OperationKind.CREATE and o.entity}
    paths |= {
        o.entity: o.path for o in operations if o.operation is OperationKind.LIST and o.entity and not o.parameters
    }
    moves = [o for o in operations if o.operation is OperationKind.TRANSITION]
    views = {o.target: o.path for o in operations if o.operation is OperationKind.VIEW and o.target}
    links = {o.target: o.path.rpartition("/")[0] for o in operations if o.operation is OperationKind.LINK and o.target}
    patterns = {(o.entity, o.target): o.path.replace(f"{{{o.parameters[0]}}}", "{}") for o in moves}
    project.renderer.python(
        "tests/conftest.py",
        "tests/conftest_api.py.j2",
        paths=_dictionary(paths),
        moves=_dictionary(patterns),
        views=_dictionary(views),
        reports=_dictionary({o.target: o.path for o in operations if o.operation is OperationKind.REPORT and o.target}),
        links=_dictionary({name: re.sub(r"\{\w+\}", "{}", path) for name, path in links.items()}),
    )


def _dictionary(items: Mapping[Any, str]) -> str:
    """Write a dictionary of texts; empty when there are none."""
    written = (
        f"{names.literal(key, None) if isinstance(key, tuple) else names.text(key)}: {names.text(value)}"
        for key, value in items.items()
    )
    return f"{{{', '.join(written)}}}" if items else ""


def _write_service_tests(project: Project, writer: RecordWriter) -> None:
    view = next((v for v in project.entities if v.can.create and writer.several(v.entity) >= 2), None)
    if view is None:
        return
    path = next(o.path for o in project.api.operations if o.operation is OperationKind.CREATE and o.entity == view.name)
    project.renderer.python(
        "tests/test_service.py",
        "tests/persistence_api.py.j2",
        project.pointer(view),
        e=view,
        address=path,
        several=writer.several(view.entity),
        concurrent=creations_at_once(writer, project.api),
        factories=writer.factory_names(),
    )
