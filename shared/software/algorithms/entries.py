"""Shorthands in which the entries of the catalogue are written: usual parameters, examples, usual contracts."""

from __future__ import annotations

from typing import Final

from shared.software.algorithms.contract import Algorithm
from shared.software.specification import Example, FieldType, Parameter, Scalar

TEXT: Final = Parameter(name="text", type=FieldType.TEXT)
NUMBERS: Final = Parameter(name="numbers", type=FieldType.LIST, items=FieldType.NUMBER)
WHOLE: Final = Parameter(name="number", type=FieldType.INTEGER)
NATURAL: Final = Parameter(name="number", type=FieldType.INTEGER, minimum=0)


def example(result: Scalar | tuple[Scalar, ...], **arguments: Scalar | tuple[Scalar, ...]) -> Example:
    """Give a known result."""
    return Example(arguments=arguments, result=result)


def refused(**arguments: Scalar | tuple[Scalar, ...]) -> Example:
    """Give arguments that are refused."""
    return Example(arguments=arguments, refused=True)


def parameter(name: str, kind: FieldType, minimum: int | None = None, default: Scalar = None) -> Parameter:
    """Give a parameter, which is required where it has no default."""
    return Parameter(name=name, type=kind, minimum=minimum, default=default, required=default is None)


def of_text(
    name: str, summary: str, returns: FieldType, *examples: Example, items: FieldType | None = None
) -> Algorithm:
    """Give the contract of what takes one text."""
    return Algorithm(name, summary, (TEXT,), returns, items, examples)


def of_numbers(name: str, summary: str, *examples: Example, returns: FieldType = FieldType.NUMBER) -> Algorithm:
    """Give the contract of what takes numbers, and refuses none at all."""
    return Algorithm(name, summary, (NUMBERS,), returns, None, (*examples, refused(numbers=())))
