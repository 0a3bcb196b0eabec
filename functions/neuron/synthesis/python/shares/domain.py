"""The share `domain`: models, services, computations and data structures, with no HTTP and no SQL in them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from functions.neuron.synthesis.python import functions, layout, models, names, structures
from functions.neuron.synthesis.python.entities import ServiceWriter, effects
from functions.neuron.synthesis.python.routes import RouterView, computed_routes
from shared.software import designs
from shared.software.specification import Kind, QuotaRule

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.entities import EntityView
    from functions.neuron.synthesis.python.shares.project import Project


def write(project: Project) -> None:
    """Write the share."""
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
        facts = {"e": view, "service": ServiceWriter(view), "stdlib": project.stdlib, "effects": effects}
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
