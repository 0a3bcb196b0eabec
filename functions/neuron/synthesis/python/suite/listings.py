"""Writes the tests of what is looked at: views, reports, and relations from one side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.synthesis.python import names
from shared.software import designs
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from functions.neuron.synthesis.python.entities import EntityView
    from functions.neuron.synthesis.python.suite.records import RecordWriter
    from shared.software.specification import Report, View


_PERIODS: Final = {"day": "[:10]", "month": "[:7]", "year": "[:4]"}


class ListingTests:
    """The tests of views, reports and relations."""

    def __init__(self, writer: RecordWriter) -> None:
        self._writer = writer

    def of_view(self, view: EntityView, listed: View) -> list[list[str]]:
        """Write that a view shows what fulfils its conditions, and leaves others out."""
        entity = view.entity
        own = [condition for condition in listed.when if "." not in condition.field]
        way = self._writer.planner.way(entity, own)
        if way is None or len(own) != len(listed.when):
            return []
        lines = [*self._writer.reached(entity, way, "made")]
        lines.append(f'assert [item["id"] for item in world.view("{listed.name}")] == [made["id"]]')
        tests = [self._writer.test(f"{listed.name}_are_listed", listed.description or listed.name, lines)]
        against = self._writer.planner.against(entity, own) if own else None
        if against is not None:
            outside = self._writer.tried(entity, against)
            lines = [*outside, f'assert world.view("{listed.name}") == []']
            tests.append(self._writer.test(f"{listed.name}_leave_others_out", listed.description or listed.name, lines))
        return tests

    def of_report(self, view: EntityView, report: Report) -> list[list[str]]:
        """Write that what was made is told under its value."""
        entity = view.entity
        by, of = designs.field_of(entity, report.by), designs.field_of(entity, report.of or "")
        way = self._writer.planner.way(entity, report.when) if not any("." in c.field for c in report.when) else None
        if by is None or way is None:
            return []
        value = f'made["{designs.attribute(by)}"]'
        if by.type is FieldType.BOOLEAN:
            value = f'{{True: "yes", False: "no"}}[{value}]'
        shown = f"str({value})" if by.type is not FieldType.BOOLEAN else value
        shown += _PERIODS[report.period] if report.period is not None else ""
        figure = "1" if of is None else f'float(made["{designs.attribute(of)}"])'
        lines = [*self._writer.reached(entity, way, "made")]
        if way.moves:
            lines.append(f'made = world.get("{entity.name}", made["id"])')
        lines += [f'told = world.report("{report.name}")', f"assert float(told[{shown}]) == {figure}"]
        return [self._writer.test(f"{report.name}_is_told", report.description or report.name, lines)]

    def of_relation(self, relation: str, left: str, right: str) -> list[list[str]]:
        """Write that two records are put together once, and parted."""
        one, other = names.safe(left), "other" if left == right else names.safe(right)
        lines = [
            f"{one}, {other} = {self._writer.maker(left)}(world), {self._writer.maker(right)}(world)",
            f'world.link("{relation}", {one}["id"], {other}["id"])',
            f'world.link("{relation}", {one}["id"], {other}["id"])',
            f'assert [item["id"] for item in world.linked("{relation}", {one}["id"])] == [{other}["id"]]',
            f'world.unlink("{relation}", {one}["id"], {other}["id"])',
            f'assert world.linked("{relation}", {one}["id"]) == []',
            "with not_found():",
            f'    world.link("{relation}", {one}["id"], 404)',
        ]
        message = f"{relation} can be put together and parted"
        return [self._writer.test(f"{relation}_are_linked_and_unlinked", message, lines)]
