"""The share `project`: what stands around the code. Build, locks, read-me, and what became of the request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from functions.neuron.synthesis.python import functions, layout, models, names, structures
from shared.software import designs
from shared.software.specification import ClauseStatus, Kind
from shared.software.structures import STRUCTURES

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.shares.project import Project
    from shared.software.designs import CommandDesign
    from shared.software.specification import Clause, Specification


def write(project: Project) -> None:
    """Write the share."""
    out, specification = project.renderer, project.specification
    locks = Path(__file__).parents[1] / "locks"
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
    placed = [*placed[1:], "[FILE]"] if command.reads_file and placed else placed
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
    "kind": "the project as a whole",
    "entities": "entity", "fields": "field", "rules": "rule", "views": "view", "endpoints": "operation",
    "reports": "report",
    "computations": "computation", "relations": "relation", "listings": "listing", "derivations": "derived value",
    "structures": "data structure",
    "transitions": "move", "machine": "states", "commands": "command", "command_line": "program",
}  # fmt: skip
