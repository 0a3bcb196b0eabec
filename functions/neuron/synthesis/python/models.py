"""What the templates of models need to know: the annotation of every field, with its constraints."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from functions.neuron.synthesis.database import nullable, presumed
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities import EntityView, python_type
from shared.software import designs
from shared.software.fitness import expression_names
from shared.software.specification import ComputedRule, FieldType

if TYPE_CHECKING:
    from shared.software.specification import Computation, FieldSpec, Parameter

LARGEST: Final = 9_007_199_254_740_991
"""Integers lie within what JSON carries exactly (RFC 8259, section 6)."""

_LONGEST: Final = 70
_SIMPLE: Final = {
    FieldType.EMAIL: "Email",
    FieldType.URL: "Url",
    FieldType.BOOLEAN: "Flag",
    FieldType.DATE: "Day",
    FieldType.DATETIME: "Moment",
    FieldType.TIME: "TimeOfDay",
    FieldType.UUID: "Identifier",
    FieldType.REFERENCE: "Reference",
    FieldType.LIST: "Labels",
}


@dataclass(frozen=True)
class ModelField:
    """A field of a model: a line of its class."""

    name: str
    annotation: str
    default: str = ""  # with its equals sign

    @property
    def line(self) -> str:
        """Write the line."""
        return f"{self.name}: {self.annotation}{self.default}"


def qualified(field: ModelField) -> ModelField:
    """Name the types of dates by their module, where a field is called as one of them."""
    return replace(field, annotation=re.sub(r"\b(date|datetime|time)\b", r"datetime.\1", field.annotation))


def qualified_check(line: str) -> str:
    """Name the types of dates by their module in a check."""
    return re.sub(r", (date|time)\)", r", datetime.\1)", line)


def constrained(field: FieldSpec | Parameter) -> str:
    """Write the annotation of a value that comes from outside."""
    if field.type in _SIMPLE:
        return _SIMPLE[field.type]
    if field.type is FieldType.INTEGER and field.values:
        return f"Literal[{', '.join(field.values)}]"
    if field.type is FieldType.INTEGER:
        return f"Annotated[int, Field({', '.join(['strict=True', *_integer_bounds(field)])}), Whole]"
    if field.type is FieldType.NUMBER:
        bounds = ", ".join(["strict=True", "allow_inf_nan=False", *_bounds(field)])
        return f"Annotated[float, Field({bounds})]"
    if field.type is FieldType.DECIMAL:
        return _decimal(field)
    return _text(field)


def _text(field: FieldSpec | Parameter) -> str:
    base = "Text" if field.type is FieldType.TEXT else "Line"
    limits = [
        f"{name}={value!r}"
        for name, value in (
            ("min_length", getattr(field, "min_length", None)),
            ("max_length", getattr(field, "max_length", None)),
        )
        if value is not None and not (name == "min_length" and value == 1)
    ]
    pattern = getattr(field, "pattern", None)
    if pattern is not None:
        limits.append(f"pattern={raw(pattern)}")
    return f"Annotated[{base}, Field({', '.join(limits)})]" if limits else base


def raw(pattern: str) -> str:
    """Write a regular expression as a literal."""
    return f'r"{pattern}"' if '"' not in pattern and not pattern.endswith("\\") else names.text(pattern)


def _bounds(field: FieldSpec | Parameter) -> list[str]:
    bounds = []
    if field.minimum is not None:
        bounds.append(f"{'gt' if field.exclusive_minimum else 'ge'}={field.minimum!r}")
    if field.maximum is not None:
        bounds.append(f"{'lt' if getattr(field, 'exclusive_maximum', False) else 'le'}={field.maximum!r}")
    return bounds


def _integer_bounds(field: FieldSpec | Parameter) -> list[str]:
    """Write the bounds of a whole number; a bound between two is moved to the one inside."""
    low, high = field.minimum, field.maximum
    above, below = field.exclusive_minimum, getattr(field, "exclusive_maximum", False)
    least = -LARGEST if low is None else math.floor(low) + 1 if above else math.ceil(low)
    most = LARGEST if high is None else math.ceil(high) - 1 if below else math.floor(high)
    written = {-LARGEST: "-LARGEST", LARGEST: "LARGEST"}
    return [f"ge={written.get(least, least)}", f"le={written.get(most, most)}"]


def _decimal(field: FieldSpec | Parameter) -> str:
    scale = getattr(field, "scale", 2)
    largest = 10 ** (15 - scale) - 1
    low = "exclusiveMinimum" if field.exclusive_minimum else "minimum"
    high = "exclusiveMaximum" if getattr(field, "exclusive_maximum", False) else "maximum"
    schema = [
        '"type": "number"',
        f'"{low}": {-largest if field.minimum is None else field.minimum!r}',
        f'"{high}": {largest if field.maximum is None else field.maximum!r}',
        f'"multipleOf": {10**-scale if scale else 1!r}',
    ]
    bounds = ", ".join([*_decimal_bounds(field), "max_digits=15", f"decimal_places={scale}"])
    return f"Annotated[Amount, Field({bounds}), WithJsonSchema({{{', '.join(schema)}}})]"


def _decimal_bounds(field: FieldSpec | Parameter) -> list[str]:
    """Write bounds as exact decimals: a float is not one."""
    found = []
    for bound in _bounds(field):
        name, _, value = bound.partition("=")
        found.append(f'{name}=Decimal("{value}")' if "." in value else bound)
    return found


def aliases(view: EntityView) -> list[str]:
    """Write the type aliases of an entity: its enumerations, and constrained types too long for a field's line."""
    found = [
        f"{python_type(field, view.entity)} = Literal[{', '.join(names.text(value) for value in field.values)}]"
        for field in view.entity.fields
        if field.type is FieldType.ENUM
    ]
    if not view.memory:
        long = [field for field in view.given if field.type is not FieldType.ENUM and _is_long(field)]
        found += [f"{_alias(field, view)} = {constrained(field)}" for field in long]
    return found


def _is_long(field: FieldSpec) -> bool:
    return len(constrained(field)) > _LONGEST


def _alias(field: FieldSpec, view: EntityView) -> str:
    return names.class_name(f"{view.name}_{field.name}")


def _input_type(field: FieldSpec, view: EntityView) -> str:
    if view.memory or field.type is FieldType.ENUM:
        return python_type(field, view.entity)
    return _alias(field, view) if _is_long(field) else constrained(field)


def input_fields(view: EntityView) -> list[ModelField]:
    """Give the fields of what a client says: required ones first."""
    found = []
    for field in view.given:
        annotation = _input_type(field, view)
        if nullable(field, view.entity) or presumed(field, view.entity):
            found.append(ModelField(designs.attribute(field), f"{annotation} | None", " = None"))
        elif field.default is not None:
            default = names.literal(field.default, field)
            found.append(ModelField(designs.attribute(field), annotation, f" = {default}"))
        else:
            found.append(ModelField(designs.attribute(field), annotation))
    return sorted(found, key=lambda field: bool(field.default))


def patch_fields(view: EntityView) -> list[ModelField]:
    """Give the fields of a partial change: none must be given, and null stands only where there may be no value."""
    found = []
    for field in view.given:
        annotation = _input_type(field, view)
        absent = " | None" if nullable(field, view.entity) else ""
        found.append(ModelField(designs.attribute(field), f"{annotation}{absent}", " = UNCHANGED"))
    return found


def output_fields(view: EntityView) -> list[ModelField]:
    """Give the fields of a record as it is kept."""
    found = [ModelField("id", "int")]
    for field in view.entity.fields:
        annotation = python_type(field, view.entity)
        annotation = (
            {"Decimal": "Money", "time": "TimeOfDay"}.get(annotation, annotation) if not view.memory else annotation
        )
        absent = " | None" if nullable(field, view.entity) and not _always_there(field, view) else ""
        found.append(ModelField(designs.attribute(field), f"{annotation}{absent}"))
    return [*found, ModelField("created_at", "datetime"), ModelField("updated_at", "datetime")]


def _always_there(field: FieldSpec, view: EntityView) -> bool:
    """Say whether an aggregate has a value even for no rows: a count and a sum have."""
    rules = {rule.field: rule for rule in view.dialect.aggregates(view.entity)}
    rule = rules.get(field.name)
    if isinstance(rule, ComputedRule):
        return all(_surely_there(name, view) for name in expression_names(rule.expression))
    return rule is not None and rule.function in {"count", "sum"}


def _surely_there(name: str, view: EntityView) -> bool:
    """Say whether what an expression names, possibly through a reference, always has a value."""
    head, _, tail = name.partition(".")
    field = designs.field_of(view.entity, head)
    if field is None:
        return False
    own = not nullable(field, view.entity) or (field.name in view.aggregate_names and _always_there(field, view))
    if not tail or not own:
        return own
    target = view.target(field)
    last = designs.field_of(target, tail)
    return last is not None and not nullable(last, target)


def parameter_fields(computation: Computation) -> list[ModelField]:
    """Give the fields of a computation's parameters."""
    found = []
    for parameter in computation.parameters:
        annotation = parameter_type(parameter)
        if parameter.required:
            found.append(ModelField(parameter.name, annotation))
        elif parameter.default is None:
            found.append(ModelField(parameter.name, f"{annotation} | None", " = None"))
        else:
            found.append(ModelField(parameter.name, annotation, f" = {names.literal(parameter.default, None)}"))
    return sorted(found, key=lambda field: bool(field.default))


def parameter_type(parameter: Parameter) -> str:
    """Write the annotation of a computation's parameter that comes from outside."""
    if parameter.type is FieldType.ENUM:
        return f"Literal[{', '.join(names.text(value) for value in parameter.values)}]"
    if parameter.type is FieldType.LIST:
        items = {FieldType.INTEGER: "int", FieldType.NUMBER: "float", FieldType.DECIMAL: "Decimal"}
        inner = items.get(parameter.items or FieldType.STRING, "str")
        return f"Annotated[list[{inner}], Field(max_length=10_000)]"
    if parameter.type in {FieldType.STRING, FieldType.TEXT}:
        return "Annotated[str, Field(strict=True, max_length=100_000)]"
    return constrained(parameter)


def check_lines(view: EntityView) -> list[str]:
    """Write the checks that a record's input of the standard library makes of itself."""
    lines = []
    for field in view.given:
        name = designs.attribute(field)
        checks = _checks(field, name, f"self.{name}")
        if nullable(field, view.entity) or presumed(field, view.entity):
            present = f"if self.{name} is not None"
            if checks[0].startswith("if "):
                lines += [f"{present} and {checks[0].removeprefix('if ')}", *checks[1:]]
            else:
                lines += [f"{present}:", *(f"    {line}" for line in checks)]
        else:
            lines += checks
    return lines


_KINDS: Final = {
    FieldType.INTEGER: "int",
    FieldType.REFERENCE: "int",
    FieldType.NUMBER: "float",
    FieldType.DECIMAL: "Decimal",
    FieldType.BOOLEAN: "bool",
    FieldType.DATE: "date",
    FieldType.TIME: "time",
    FieldType.UUID: "UUID",
    FieldType.LIST: "list",
}


def _checks(field: FieldSpec, name: str, value: str) -> list[str]:
    quoted = names.text(name)
    if field.type in {FieldType.STRING, FieldType.TEXT}:
        return [f"{value} = checks.text({', '.join([quoted, value, *_text_limits(field)])})"]
    if field.type is FieldType.EMAIL:
        return [f'{value} = checks.match({quoted}, {value}, EMAIL, "an email address")']
    if field.type is FieldType.URL:
        return [f'{value} = checks.match({quoted}, {value}, URL, "a web address")']
    if field.type is FieldType.ENUM:
        return [f"checks.choice({quoted}, {value}, {names.literal(field.values, None)})"]
    if field.type is FieldType.DATETIME:
        return [f"{value} = checks.in_utc({quoted}, {value})"]
    kind = f"checks.kind({quoted}, {value}, {_KINDS[field.type]})"
    if field.type is FieldType.INTEGER and field.numbers:
        return [f"if {kind}:", f"    checks.choice({quoted}, {value}, {names.literal(field.numbers, None)})"]
    further = []
    bounds = {"ge": "least", "le": "most", "gt": "above", "lt": "below"}
    limits = [f"{bounds[bound[:2]]}={bound[3:]}" for bound in _bounds(field)]
    if field.type in {FieldType.NUMBER, FieldType.DECIMAL} or limits:
        further.append(f"    checks.number({', '.join([quoted, value, *limits])})")
    if field.type is FieldType.DECIMAL:
        further.append(f"    checks.places({quoted}, {value}, {field.scale})")
    return [f"if {kind}:", *further] if further else [kind]


def _text_limits(field: FieldSpec) -> list[str]:
    limits = []
    if field.min_length is not None and field.min_length > 1:
        limits.append(f"shortest={field.min_length}")
    longest = field.max_length or (20_000 if field.type is FieldType.TEXT else None)
    if longest is not None:
        limits.append(f"longest={longest}")
    if field.pattern is not None:
        limits.append(f"pattern={raw(field.pattern)}")
    return limits
