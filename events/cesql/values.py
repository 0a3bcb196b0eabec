"""Values, casts (section 3.7) and errors (section 3.3) of CESQL."""

from __future__ import annotations

import re
from typing import Final, Literal

Value = str | int | bool
"""What an expression evaluates to: String, Integer (32 bits, signed) or Boolean."""

Kind = type[str] | type[int] | type[bool]
"""The type of a value."""

ErrorKind = Literal["parse", "math", "cast", "missingAttribute", "missingFunction", "functionEvaluation", "generic"]
"""The kinds of errors, as the specification's conformance tests name them."""

INT_MIN: Final = -(2**31)
INT_MAX: Final = 2**31 - 1

_INTEGER: Final = re.compile(r"[+-]?[0-9]+").fullmatch
_LONGEST_INTEGER: Final = 4000  # below Python's own limit for the digits of an int


class CesqlError(Exception):
    """Something went wrong in an expression.

    Attributes:
        kind: What kind of thing.
        detail: A sentence.
        value: What the operator or function that failed returns nevertheless.
        position: Where in the expression it stands, from 0; -1 for a cast, whose place is its operator's.
    """

    def __init__(self, kind: ErrorKind, detail: str, value: Value = False, position: int = -1) -> None:
        """Keep all four."""
        self.kind: ErrorKind = kind
        self.detail = detail
        self.value = value
        self.position = position
        super().__init__(f"{kind}: {detail}")


class ParseError(CesqlError):
    """The text is no CESQL expression; its value is `false`."""

    def __init__(self, detail: str, position: int) -> None:
        """Say what is wrong and where."""
        super().__init__("parse", f"{detail} (at character {position + 1})", False, position)


def zero(kind: Kind) -> Value:
    """Give the zero value of a type (section 3.1)."""
    return kind()


def to_string(value: Value) -> str:
    """Cast to String; always possible."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    return str(value)


def to_integer(value: Value) -> int:
    """Cast to Integer.

    Raises:
        CesqlError: `cast`.
    """
    if type(value) is int:
        return value
    if type(value) is bool:
        return int(value)
    text = str(value)
    if _INTEGER(text) and len(text) <= _LONGEST_INTEGER:
        number = int(text)
        if INT_MIN <= number <= INT_MAX:
            return number
    raise CesqlError("cast", f"{_shown(text)} is no 32-bit integer", 0)


def to_boolean(value: Value) -> bool:
    """Cast to Boolean.

    Raises:
        CesqlError: `cast`.
    """
    if type(value) is bool:
        return value
    if type(value) is int:
        return value != 0
    text = str(value).lower()
    if text in ("true", "false"):
        return text == "true"
    raise CesqlError("cast", f"{_shown(str(value))} is no boolean", False)


def cast(value: Value, kind: Kind) -> Value:
    """Cast to a type.

    Raises:
        CesqlError: `cast`.
    """
    if type(value) is kind:
        return value
    if kind is str:
        return to_string(value)
    return to_integer(value) if kind is int else to_boolean(value)


def integer(number: int) -> int:
    """Give a number that fits into 32 bits.

    Raises:
        CesqlError: `math`, with the value 0.
    """
    if INT_MIN <= number <= INT_MAX:
        return number
    raise CesqlError("math", f"{number} does not fit into 32 bits", 0)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
