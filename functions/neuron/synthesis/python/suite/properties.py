"""Writes the property tests: any input is taken or refused, and nothing else happens."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING

from functions.neuron.synthesis.database import unique_rules
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.suite.interplay import ruled_fields
from shared.software import designs
from shared.software.specification import FieldType, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.neuron.synthesis.python.entities import EntityView
    from functions.neuron.synthesis.python.suite.records import RecordWriter
    from shared.software.specification import FieldSpec


class PropertyTests:
    """The property tests of every entity."""

    def __init__(self, writer: RecordWriter) -> None:
        self._writer = writer

    def all(self) -> list[SimpleNamespace]:
        """Give what the template of the property tests says of each entity."""
        found = []
        for view in self._writer.views.values():
            if not view.can.create or self._writer.several(view.entity) < 3:
                continue
            strategies = list(self._strategies(view))
            offered = [*(designs.attribute(field) for field in view.given), "surprise"]
            found.append(
                SimpleNamespace(
                    name=view.name,
                    constant=f"{view.name.upper()}_VALUES",
                    strategies=strategies,
                    names=f"[{', '.join(names.text(name) for name in offered)}]",
                    can_get=view.can.get,
                )
            )
        return found

    def _strategies(self, view: EntityView) -> Iterator[str]:
        ruled = ruled_fields(view.entity, self._writer.specification)
        unique = {name for rule in unique_rules(view.entity, self._writer.specification) for name in rule.fields}
        for field in view.given:
            if field.name in ruled | unique or field.pattern is not None:
                continue
            strategy = self._strategy(field)
            if strategy:
                yield f"{names.text(designs.attribute(field))}: {strategy}"

    def _strategy(self, field: FieldSpec) -> str:
        match field.type:
            case FieldType.STRING | FieldType.TEXT:
                low, high = max(field.min_length or 1, 1), min(field.max_length or 40, 40)
                return (
                    f'st.text(st.characters(exclude_categories=["C", "Z"]), min_size={low}, max_size={max(low, high)})'
                )
            case FieldType.INTEGER if field.numbers:
                return f"st.sampled_from([{', '.join(map(str, field.numbers))}])"
            case FieldType.INTEGER:
                low, high = _whole_bounds(field)
                return f"st.integers({low}, {high})"
            case FieldType.BOOLEAN:
                return "st.booleans()"
            case FieldType.ENUM:
                return f"st.sampled_from([{', '.join(names.text(value) for value in field.values)}])"
            case FieldType.DATE if self._writer.kind is Kind.API:
                return "st.dates().map(date.isoformat)"
            case _:
                return ""


def _whole_bounds(field: FieldSpec) -> tuple[int, int]:
    low = math.ceil(field.minimum) if field.minimum is not None else -1_000_000
    high = math.floor(field.maximum) if field.maximum is not None else max(low, 0) + 1_000_000
    return low + (1 if field.exclusive_minimum else 0), high - (1 if field.exclusive_maximum else 0)
