"""Names and literals of generated Python: classes, variables, values."""

from __future__ import annotations

import builtins
import json
import keyword
import sys
import textwrap
from typing import TYPE_CHECKING, Final

from shared.software import designs
from shared.software.specification import Entity, FieldSpec, FieldType, Scalar, Specification

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOCALS: Final = frozenset(
    {
        "annotated", "any", "before", "changes", "clock", "connection", "data", "database", "field", "limit", "now",
        "offset", "page", "query", "record", "response", "result", "router", "service", "sort", "source", "table",
        "target", "test", "today", "total", "values", "world", "api", "date", "datetime", "time", "decimal", "uuid",
        "settings", "errors", "migrations", "models", "services", "storage", "conftest", "factories",
    }
)  # fmt: skip
_MODULES: Final = frozenset(
    {
        "any_input", "app", "checks", "cli", "clock", "computations", "computing", "converters", "fields", "health",
        "paging", "problems", "program", "rules", "service", "store",
    }
)  # fmt: skip
_CLASSES: Final = frozenset(
    {
        "Amount", "Annotated", "Any", "Callable", "Clock", "Converter", "Database", "Day", "Decimal", "Depends",
        "Email",
        "Fault", "Field", "Flag", "Found", "Generic", "Identifier", "Input", "Item", "Iterator", "Labels", "Line",
        "Literal", "Mapping", "Moment", "Money", "Output", "Page", "Paging", "Patch", "Path", "Period", "Problem",
        "Query", "Record", "Reference", "Refusal", "Request", "Response", "Sequence", "Service", "Settings", "Table",
        "Text", "Url", "Wanted", "World",
    }
)  # fmt: skip
_TAKEN_PACKAGES: Final = frozenset(
    {
        "fastapi", "pydantic", "starlette", "uvicorn", "httpx", "hypothesis", "pytest", "mypy", "ruff", "tests", "src",
        "click",
    }
)  # fmt: skip


def class_name(name: str) -> str:
    """Turn `due_date` into `DueDate`."""
    return "".join(part.capitalize() for part in name.split("_"))


def entity_class(name: str) -> str:
    """Name the class of an entity's records, free of clashes with the classes that templates use."""
    written = class_name(name)
    taken = written in _CLASSES or hasattr(builtins, written)
    return f"{written}Record" if taken else written


def words(name: str) -> str:
    """Turn `due_date` into `due date`."""
    return name.replace("_", " ").replace("-", " ")


def safe(name: str) -> str:
    """Give a name that is free of clashes with what the language and the templates use."""
    taken = keyword.iskeyword(name) or hasattr(builtins, name) or name in _LOCALS
    return f"{name}_record" if taken else name


def variable(entity: Entity) -> str:
    """Name a variable that holds one of an entity's records, free of clashes with what the templates use."""
    return f"{entity.name}_record" if entity.name == entity.plural else safe(entity.name)


def module(entity: Entity) -> str:
    """Name the module of an entity in each layer, and its table and service in programs."""
    name = entity.plural
    taken = keyword.iskeyword(name) or hasattr(builtins, name) or name in _LOCALS | _MODULES
    return f"{name}_records" if taken else name


def package(specification: Specification) -> str:
    """Name the project's import package."""
    name = specification.library.package if specification.library else specification.name
    taken = keyword.iskeyword(name) or name in sys.stdlib_module_names or name in _TAKEN_PACKAGES
    return f"{name}_software" if taken else name


def text(value: str) -> str:
    """Write a string as ruff would: in double quotes unless single ones need fewer escapes."""
    written = json.dumps(value, ensure_ascii=False)
    if value.count('"') <= value.count("'"):
        return written
    return "'" + written[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


def literal(value: Scalar | Sequence[Scalar], field: FieldSpec | None) -> str:
    """Write a value of a field as a Python expression."""
    if isinstance(value, tuple | list):
        items = ", ".join(literal(item, field) for item in value)
        return f"({items},)" if len(value) == 1 else f"({items})"
    if value is None or isinstance(value, bool):
        return repr(value)
    kind = field.type if field is not None else None
    if kind is FieldType.DECIMAL:
        return f'Decimal("{value}")'
    if kind is FieldType.DATE:
        return f'date.fromisoformat("{value}")'
    if kind is FieldType.DATETIME:
        return f'datetime.fromisoformat("{value}")'
    if kind is FieldType.TIME:
        return f'time.fromisoformat("{value}")'
    return repr(value) if isinstance(value, int | float) else text(str(value))


def sentence(value: str) -> str:
    """Make a text fit for a docstring: one sentence that begins with a capital and ends with a full stop."""
    clean = " ".join(value.replace("\\", "/").replace('"""', "'''").split()).strip(' "')
    if not clean:
        return "What the specification asks for."
    clean = clean[0].upper() + clean[1:]
    return clean if clean.endswith((".", "!", "?")) else f"{clean}."


def docstring(summary: str, indent: int = 4) -> str:
    """Write a docstring, whose first line is a whole sentence, wrapped to the width of generated code."""
    clean = sentence(summary)
    if len(clean) + indent + 6 <= 120:
        return f'"""{clean}"""'
    pad = " " * indent
    head, _, rest = clean.partition(". ")
    first = head if head.endswith((".", "!", "?")) else f"{head}."
    if len(first) + indent + 3 > 120 or not rest:
        first, rest = textwrap.shorten(clean, 116 - indent, placeholder=" ..."), clean
    body = "\n".join(textwrap.wrap(sentence(rest), 120 - indent, initial_indent=pad, subsequent_indent=pad))
    return f'"""{first}\n\n{body}\n{pad}"""'


def attributes(entity: Entity) -> list[str]:
    """Name what an entity's fields are called in programs and in JSON."""
    return [designs.attribute(field) for field in entity.fields]


def renamed(specification: Specification) -> str:
    """Write the set of the fields' names that Python needs other words for; empty when there are none."""
    found = {name for entity in specification.entities for name in attributes(entity)}
    shown = sorted(designs.exposed(name) for name in found if designs.exposed(name) != name)
    return f"{{{', '.join(map(text, shown))}}}" if shown else ""
