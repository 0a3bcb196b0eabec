"""The Python implementer: writes each share of a project from the specification and the share's design.

Shares: `project` (what stands around the code), `domain` (models, services, computations), `interface` (routes,
commands or a library's face), `storage` (database, tables, migrations) and `tests`. Each can be written alone; what
they agree on is in `shared.software.designs`.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from functions.neuron.synthesis.database import design_database
from functions.neuron.synthesis.interface import design_api
from functions.neuron.synthesis.python import effects, functions, layout, models, names, structures
from functions.neuron.synthesis.python.commands import CommandWriter
from functions.neuron.synthesis.python.computed import ComputationTests, program_tests, service_tests
from functions.neuron.synthesis.python.domain import EntityView, RelationMethods, converter, view_method
from functions.neuron.synthesis.python.migrations import first_migration
from functions.neuron.synthesis.python.rendering import Renderer
from functions.neuron.synthesis.python.routes import RouterView, computed_routes
from functions.neuron.synthesis.python.tests import TestWriter
from functions.neuron.synthesis.testing import design_tests
from shared.software import designs
from shared.software.designs import ImplementerInput, ImplementerOutput
from shared.software.source import SourceTree
from shared.software.specification import (
    CapacityRule,
    Clause,
    ClauseStatus,
    Kind,
    NoOverlapRule,
    OperationKind,
    QuotaRule,
    ReferencedRule,
    Specification,
)
from shared.software.structures import STRUCTURES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.software.designs import ApiDesign, CommandDesign


def implement(task: ImplementerInput) -> ImplementerOutput:
    """Write one share of a project."""
    writers: dict[str, Callable[[Project], None]] = {
        "domain": _write_domain,
        "interface": _write_interface,
        "storage": _write_storage,
        "project": _write_project,
        "tests": _write_tests,
    }
    project = Project(task)
    writers[task.share](project)
    files = sorted(project.renderer.files, key=lambda file: file.path)
    return ImplementerOutput(share=task.share, tree=SourceTree(files=tuple(files)))


class Project:
    """What every share's writer needs: the views of the entities and a renderer."""

    def __init__(self, task: ImplementerInput) -> None:
        self.task = task
        self.specification: Specification = task.specification
        self.api: ApiDesign = task.api or design_api(task.specification)
        self.database = task.database or design_database(task.specification)
        self.package = names.package(task.specification)
        self.renderer = Renderer(self.package, task.share, names.renamed(task.specification))
        self.kind = task.specification.kind
        self.stdlib = self.kind is not Kind.API
        self.memory = self.kind is Kind.LIBRARY
        self.source = f"src/{self.package}"
        face = task.specification.command_line
        self.program = face.program if face else self.package.replace("_", "-")
        self.entities = [
            EntityView(task.specification, entity, self.api, memory=self.stdlib)
            for entity in task.specification.entities
        ]

    @property
    def refers(self) -> bool:
        """Say whether an input can refer to a record."""
        return any(
            view.references and (view.can.create or view.can.change or view.can.replace) for view in self.entities
        )

    def pointer(self, view: EntityView) -> tuple[str, ...]:
        """Give the pointers of an entity and of its rules."""
        rules = self.specification.rules
        own = f"/entities/{self.specification.entities.index(view.entity)}"
        return (own, *(f"/rules/{i}" for i, rule in enumerate(rules) if rule.entity == view.name))


def _write_storage(project: Project) -> None:
    if not project.entities:
        return
    out, source = project.renderer, f"{project.source}/storage"
    rules = project.specification.rules
    kinds = {kept.partition("(")[0] for e in project.entities for f in e.entity.fields if (kept := converter(f))}
    out.python(f"{source}/__init__.py", "storage/__init__.py.j2")
    out.python(f"{source}/database.py", "storage/database.py.j2", memory=project.memory)
    used = {"BOOLEAN": "boolean", "DAY": "day", "TIME": "time", "IDENTIFIER": "uuid", "LIST": "list"}
    converters = {used.get(kind, kind) for kind in kinds}
    out.python(f"{source}/converters.py", "storage/converters.py.j2", converters=converters)
    counting = (QuotaRule, CapacityRule, NoOverlapRule, ReferencedRule)
    out.python(
        f"{source}/table.py",
        "storage/table.py.j2",
        has_references=project.refers,
        has_updates=any(view.updates or view.effects for view in project.entities),
        has_deletes=any(view.can.delete for view in project.entities),
        has_counts=any(isinstance(rule, counting) for rule in rules),
        has_figures=any(view.offered_reports for view in project.entities),
    )
    for view in project.entities:
        out.python(f"{source}/{view.module}.py", "storage/entity.py.j2", project.pointer(view), e=view)
    for view in project.entities:
        for relation in view.relations:
            _write_relation(project, relation)
    migration = first_migration(project.database, project.specification.title)
    out.add(
        f"{source}/migrations/0001_first.sql", migration, tuple(p for v in project.entities for p in project.pointer(v))
    )


def _write_relation(project: Project, relation: RelationMethods) -> None:
    specified = next(r for r in project.specification.relations if r.name == relation.name)
    left, right = designs.link_columns(specified)
    sides = (project.specification.entity(specified.left), project.specification.entity(specified.right))
    project.renderer.python(
        f"{project.source}/storage/{relation.module}.py",
        "storage/relation.py.j2",
        (f"/relations/{project.specification.relations.index(specified)}",),
        name=relation.name,
        table=relation.name,
        cls=names.entity_class(relation.name),
        left=left,
        right=right,
        left_words=names.words(sides[0].plural),
        right_words=names.words(sides[1].plural),
    )


def _write_domain(project: Project) -> None:
    out, source = project.renderer, project.source
    if project.specification.computations:
        _write_computations(project)
    for i, structure in enumerate(project.specification.structures):
        content = layout.tidy(structures.source_of(structure.name), project.package)
        out.add(f"{source}/{structure.name}.py", content, (f"/structures/{i}",))
    service = project.kind is Kind.API
    if service or project.entities:
        out.python(
            f"{source}/errors.py", "errors.py.j2", title=project.specification.title, has_references=project.refers
        )
        out.add(f"{source}/models/__init__.py", '"""The models: what comes in, and what is kept."""\n')
    if service:
        patched = any(view.can.change for view in project.entities)
        out.python(f"{source}/models/fields.py", "models/fields.py.j2", uses=_field_types(project), patched=patched)
    if not project.entities:
        return
    if not service:
        _write_checks(project)
    periods = any(isinstance(rule, QuotaRule) and rule.period for rule in project.specification.rules)
    out.python(f"{source}/clock.py", "clock.py.j2", uses={"period"} if periods else set())
    out.add(f"{source}/services/__init__.py", '"""The services: what can be done, and the rules that hold."""\n')
    for view in project.entities:
        _write_models(project, view)
        facts = {"e": view, "stdlib": project.stdlib, "effects": effects}
        out.python(f"{source}/services/{view.module}.py", "services/entity.py.j2", project.pointer(view), **facts)


def _write_checks(project: Project) -> None:
    lines = "\n".join(line for view in project.entities for line in models.check_lines(view))
    uses = {call for call in ("text", "match", "choice", "number", "places") if f"checks.{call}(" in lines}
    uses |= {name for name, call in (("email", "EMAIL"), ("url", "URL"), ("utc", "in_utc")) if call in lines}
    project.renderer.python(f"{project.source}/models/checks.py", "models/checks.py.j2", uses=uses)


def _write_computations(project: Project) -> None:
    computations = project.specification.computations
    imports = sorted({line for computation in computations for line in functions.modules(computation)})
    project.renderer.python(
        f"{project.source}/computations.py",
        "computations.py.j2",
        tuple(f"/computations/{i}" for i in range(len(computations))),
        doc="The computations: pure functions, which raise ValueError for what they cannot compute.",
        imports="\n".join(imports),
        functions=[functions.function(computation) for computation in computations],
    )


def _write_models(project: Project, view: EntityView) -> None:
    template = "models/record.py.j2" if project.stdlib else "models/entity.py.j2"
    clash = bool({designs.attribute(field) for field in view.entity.fields} & {"date", "time"})
    checks = models.check_lines(view) if project.stdlib else []
    e = SimpleNamespace(
        cls=view.cls,
        plural_words=view.plural_words,
        view=view,
        qualified=clash,
        aliases=models.aliases(view),
        input_doc=names.docstring(f"What a client says about {view.a}"),
        input_fields=[models.qualified(field) if clash else field for field in models.input_fields(view)],
        patch_fields=models.patch_fields(view),
        output_fields=[models.qualified(field) if clash else field for field in models.output_fields(view)],
        check_lines=[models.qualified_check(line) for line in checks] if clash else checks,
    )
    out = project.renderer
    out.python(f"{project.source}/models/{view.module}.py", template, project.pointer(view), e=e)


def _field_types(project: Project) -> set[str]:
    uses = set()
    if project.kind is Kind.API:
        routes = computed_routes(project.specification, project.api)
        written = " ".join(text for route in routes for text in (route.result, *(f.annotation for f in route.fields)))
        known = ("Email", "Url", "Flag", "Day", "Moment", "TimeOfDay", "Amount", "Money", "Whole")
        uses |= {name for name in known if name in written}
    for view in project.entities:
        fields = [*models.input_fields(view), *models.output_fields(view), *models.patch_fields(view)]
        lines = [*(field.annotation for field in fields), *models.aliases(view), *RouterView(view).filters_class]
        for name in ("Line", "Text", "Email", "Url", "Flag", "Day", "Moment", "TimeOfDay", "Identifier", "Reference"):
            uses |= {name} if any(name in line for line in lines) else set()
        uses |= {n for n in ("Labels", "Amount", "Money", "Whole") if any(n in line for line in lines)}
    return uses | ({"Whole"} if "Reference" in uses else set())


def _write_interface(project: Project) -> None:
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


def _write_tests(project: Project) -> None:
    specification, out = project.specification, project.renderer
    design = project.task.tests or design_tests(specification)
    writer = TestWriter(specification, project.entities, design)
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
            tests = writer.entity_tests(view, writer.several(view.entity))
            out.python(f"tests/test_{view.module}.py", "tests/entity.py.j2", project.pointer(view), e=tests)
    rule_tests = writer.rule_tests()
    if rule_tests:
        rules = tuple(f"/rules/{i}" for i in range(len(specification.rules)))
        out.python(
            "tests/test_rules.py", "tests/rules.py.j2", rules, tests=rule_tests, factories=writer.factory_names()
        )
    if project.kind is Kind.API:
        _write_service_tests(project, writer)
        _write_properties(project, writer)


def _write_properties(project: Project, writer: TestWriter) -> None:
    properties = writer.properties()
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
    commands: dict[tuple[str, str], str] = {}
    for command in project.api.commands:
        if command.operation is OperationKind.COMPUTE or command.entity is None:
            continue
        does = command.target if command.operation is OperationKind.TRANSITION else command.operation.value
        key = ("", command.target or "") if command.operation in kinds else (command.entity, does or "")
        placed = names.literal(command.positionals, None)
        commands.setdefault(key, f"({names.text(command.name)}, {placed})")
    written = [f"{names.literal(key, None)}: {value}" for key, value in commands.items()]
    told = any(command.operation is OperationKind.REPORT for command in project.api.commands)
    project.renderer.python("tests/conftest.py", "tests/conftest_cli.py.j2", commands=written, reports=told)


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


def _write_service_tests(project: Project, writer: TestWriter) -> None:
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
        concurrent=writer.concurrent(project.api),
        factories=writer.factory_names(),
    )


def _write_project(project: Project) -> None:
    out, specification = project.renderer, project.specification
    locks = Path(__file__).parent / "locks"
    service = project.kind is Kind.API
    if service:
        out.add("requirements.lock", (locks / "service.lock").read_text(encoding="utf-8"))
        out.text("Dockerfile", "project/Dockerfile.j2")
    development = "service-dev.lock" if service else "program-dev.lock"
    out.add("requirements-dev.lock", (locks / development).read_text(encoding="utf-8"))
    facts: dict[str, Any] = {
        "kind": project.kind.value,
        "program": project.program if project.kind is Kind.COMMAND_LINE else "",
        "stored": bool(project.entities),
        "distribution": project.package.replace("_", "-"),
        "description": names.text(names.sentence(specification.description or specification.title)),
    }
    out.text("pyproject.toml", "project/pyproject.toml.j2", **facts)
    out.text("Makefile", "project/Makefile.j2", **facts)
    out.text(".gitignore", "project/gitignore.j2", **facts)
    out.add(f"{project.source}/py.typed", "")
    _write_readme(project, facts)
    clauses = [clause for clause in specification.clauses if clause.status is ClauseStatus.DONE]
    out.text(
        "REQUEST.md",
        "project/REQUEST.md.j2",
        request=specification.request,
        clauses=[{"text": _cell(c.text), "answer": _implementers(c, specification)} for c in clauses],
        undone=[clause for clause in specification.clauses if clause.status is ClauseStatus.NOT_DONE],
        presumed=[entity.description for entity in specification.entities if entity.description],
    )


def _write_readme(project: Project, facts: dict[str, Any]) -> None:
    specification = project.specification
    project.renderer.text(
        "README.md",
        "project/README.md.j2",
        **{**facts, "description": names.sentence(specification.description or specification.title)},
        title=specification.title,
        operations=project.api.operations,
        commands=[_usage(command) for command in project.api.commands],
        usage=_library_usage(project),
        rules=[rule for rule in specification.rules if rule.message],
    )


def _usage(command: CommandDesign) -> str:
    placed = [designs.exposed(name).upper() for name in command.positionals]
    named = [f"[--{designs.exposed(name).replace('_', '-')} …]" for name in command.options]
    return " ".join([*([command.name] if command.name else []), *placed, *named])


def _library_usage(project: Project) -> str:
    """Write an example of the library's use."""
    lines, imported = [], []
    if project.entities:
        view = project.entities[0]
        required = ", ".join(f"{field.name}=..." for field in models.input_fields(view) if not field.default)
        imported += [f"{view.cls}Input", "Store"]
        lines += ["store = Store()"]
        lines += [f"{view.var} = store.{view.module}.create({view.cls}Input({required}))"]
    for computation in project.specification.computations[:3]:
        known = next((e for e in functions.examples(computation) if e.result is not None), None)
        if known is not None:
            imported.append(computation.name)
            lines.append(f"{computation.name}({', '.join(known.arguments)})  # {known.result}")
    for name in project.api.structures[:3]:
        imported.append(STRUCTURES[name].type)
        lines += structures.usage_of(name)
    if not lines:
        return f"import {project.package}"
    written = "\n".join([f"from {project.package} import {', '.join(imported)}", "", *lines])
    return layout.tidy(written + "\n", project.package).strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _implementers(clause: Clause, specification: Specification) -> str:
    """Say in words what a clause's pointers stand for."""
    found = [_thing(pointer, specification) for pointer in clause.implements]
    return "; ".join(dict.fromkeys(found)) or "the project as a whole"


def _thing(pointer: str, specification: Specification) -> str:
    """Say in words what a JSON pointer into the specification stands for."""
    value: object = specification.model_dump(mode="json")
    words: list[str] = []
    for part in pointer.strip("/").split("/"):
        if isinstance(value, list):
            value = value[int(part)] if part.isdigit() and int(part) < len(value) else None
        elif isinstance(value, dict):
            value = value.get(part)
        if isinstance(value, dict) and "name" in value:
            words.append(f"`{value['name']}`")
        elif isinstance(value, dict) and "path" in value:
            words.append(f"`{value['method']} {value['path']}`")
        elif not part.isdigit():
            words.append(_SINGULARS.get(part, part.replace("_", " ")))
    return " ".join(words)


_SINGULARS = {
    "entities": "entity", "fields": "field", "rules": "rule", "views": "view", "endpoints": "operation",
    "reports": "report",
    "computations": "computation", "relations": "relation", "listings": "listing", "derivations": "derived value",
    "structures": "data structure",
    "transitions": "move", "machine": "states", "commands": "command", "command_line": "program",
}  # fmt: skip
