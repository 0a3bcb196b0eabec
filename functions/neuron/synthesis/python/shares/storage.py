"""The share `storage`: database, tables, converters, the first migration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities import TableWriter, converter
from functions.neuron.synthesis.python.migrations import first_migration
from shared.software import designs
from shared.software.specification import CapacityRule, NoOverlapRule, QuotaRule, ReferencedRule

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.entities import RelationMethods
    from functions.neuron.synthesis.python.shares.project import Project


def write(project: Project) -> None:
    """Write the share."""
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
        out.python(
            f"{source}/{view.module}.py", "storage/entity.py.j2", project.pointer(view), e=view, table=TableWriter(view)
        )
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
        f"{project.source}/storage/{relation.name}.py",
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
