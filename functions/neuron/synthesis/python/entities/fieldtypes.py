"""The Python type of a field's value, and how SQLite keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.synthesis.python import names
from shared.software.specification import FieldType

if TYPE_CHECKING:
    from shared.software.specification import Entity, FieldSpec

PYTHON_TYPES: Final = {
    FieldType.STRING: "str",
    FieldType.TEXT: "str",
    FieldType.INTEGER: "int",
    FieldType.DECIMAL: "Decimal",
    FieldType.NUMBER: "float",
    FieldType.BOOLEAN: "bool",
    FieldType.DATE: "date",
    FieldType.DATETIME: "datetime",
    FieldType.TIME: "time",
    FieldType.EMAIL: "str",
    FieldType.URL: "str",
    FieldType.UUID: "UUID",
    FieldType.REFERENCE: "int",
    FieldType.LIST: "list[str]",
}
_CONVERTERS: Final = {
    FieldType.BOOLEAN: "BOOLEAN",
    FieldType.DATE: "DAY",
    FieldType.DATETIME: "MOMENT",
    FieldType.TIME: "TIME",
    FieldType.UUID: "IDENTIFIER",
    FieldType.LIST: "LIST",
}


def python_type(spec: FieldSpec, entity: Entity) -> str:
    """Give the annotation of a field's value, without None."""
    if spec.type is FieldType.ENUM:
        return names.class_name(f"{entity.name}_{spec.name}")
    return PYTHON_TYPES[spec.type]


def converter(spec: FieldSpec) -> str | None:
    """Name the converter of the column that keeps a field; None when SQLite keeps the value as it is."""
    return f"decimal({spec.scale})" if spec.type is FieldType.DECIMAL else _CONVERTERS.get(spec.type)
