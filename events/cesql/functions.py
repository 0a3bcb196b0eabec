"""CESQL's functions (section 3.5): the built-in ones, and tables to which an engine adds its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from events.cesql.values import INT_MAX, INT_MIN, CesqlError, ErrorKind, Kind, Value, to_boolean, to_integer, to_string

if TYPE_CHECKING:
    from collections.abc import Iterable

Body = Callable[..., Value]
"""Takes the arguments, already cast; may raise `FunctionFailed`."""

# White_Space of the Unicode Character Database. str.strip() alone would take U+001C-U+001F as well, which are controls.
_WHITE_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
    "\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


class FunctionFailed(Exception):  # noqa: N818 - what a function says
    """Raised by a function that fails but still returns a value.

    Args:
        detail: A sentence.
        value: What it returns.
        kind: The error's kind.
    """

    def __init__(self, detail: str, value: Value, kind: ErrorKind = "functionEvaluation") -> None:
        """Keep all three."""
        self.detail = detail
        self.value = value
        self.kind: ErrorKind = kind
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Function:
    """One definition of a function.

    Attributes:
        name: In upper case.
        parameters: The types of the fixed arguments; None takes any.
        rest: The type of all further arguments; None when there are none.
        returns: The type of what it returns.
        body: What it does.
    """

    name: str
    parameters: tuple[Kind | None, ...]
    rest: Kind | None
    returns: Kind
    body: Body

    def kinds(self, arguments: int) -> list[Kind | None]:
        """Give the type of each of so many arguments."""
        return [*self.parameters, *[self.rest] * (arguments - len(self.parameters))]


class FunctionTable:
    """The functions that an engine knows; names are case-insensitive, overloads differ in arity.

    Args:
        functions: What it knows from the start.
    """

    def __init__(self, functions: Iterable[Function] = ()) -> None:
        """Define them one by one."""
        self._fixed: dict[tuple[str, int], Function] = {}
        self._variadic: dict[str, Function] = {}
        for function in functions:
            self.define(function)

    def define(self, function: Function) -> None:
        """Add a definition.

        Raises:
            ValueError: It could not be told from another one: same name and arity, a second variadic one, or a variadic
                one with no more fixed arguments than another has arguments.
        """
        name = function.name.upper()
        arity = len(function.parameters)
        arities = [known for known_name, known in self._fixed if known_name == name]
        if function.rest is not None:
            if name in self._variadic or any(known >= arity for known in arities):
                raise ValueError(f"{name} with {arity} arguments or more could not be told from another definition")
            self._variadic[name] = function
            return
        variadic = self._variadic.get(name)
        if arity in arities or (variadic is not None and len(variadic.parameters) <= arity):
            raise ValueError(f"{name} with {arity} arguments could not be told from another definition")
        self._fixed[name, arity] = function

    def find(self, name: str, arguments: int) -> Function | None:
        """Give the definition for a call with so many arguments, None when there is none."""
        upper = name.upper()
        found = self._fixed.get((upper, arguments))
        if found is not None:
            return found
        variadic = self._variadic.get(upper)
        return variadic if variadic is not None and len(variadic.parameters) <= arguments else None

    def extended(self, *functions: Function) -> FunctionTable:
        """Give a table with more definitions.

        Raises:
            ValueError: As `define`.
        """
        return FunctionTable([*self._fixed.values(), *self._variadic.values(), *functions])


def _abs(x: int) -> int:
    if x == INT_MIN:
        raise FunctionFailed("the absolute value of -2147483648 does not fit into 32 bits", INT_MAX, "math")
    return abs(x)


def _concat_ws(delimiter: str, *texts: str) -> str:
    return delimiter.join(texts)


def _left(x: str, y: int) -> str:
    if y < 0:
        raise FunctionFailed("LEFT takes no negative number of characters", x)
    return x[:y]


def _right(x: str, y: int) -> str:
    if y < 0:
        raise FunctionFailed("RIGHT takes no negative number of characters", x)
    return x[max(0, len(x) - y) :]


def _substring(x: str, position: int, length: int = INT_MAX) -> str:
    if length < 0:
        raise FunctionFailed("SUBSTRING takes no negative length", "")
    if position == 0:
        return ""
    if not -len(x) <= position <= len(x):
        raise FunctionFailed(f"SUBSTRING begins at {position}, outside the {len(x)} characters", "")
    start = position - 1 if position > 0 else len(x) + position
    return x[start : start + length]


def _is_castable(to: Callable[[Value], Any]) -> Callable[[Value], bool]:
    def castable(x: Value) -> bool:
        try:
            to(x)
        except CesqlError:
            return False
        return True

    return castable


BUILTIN: Final = FunctionTable(
    [
        Function("LENGTH", (str,), None, int, len),
        Function("CONCAT", (), str, str, lambda *texts: "".join(texts)),
        Function("CONCAT_WS", (str,), str, str, _concat_ws),
        Function("LOWER", (str,), None, str, str.lower),
        Function("UPPER", (str,), None, str, str.upper),
        Function("TRIM", (str,), None, str, lambda x: x.strip(_WHITE_SPACE)),
        Function("LEFT", (str, int), None, str, _left),
        Function("RIGHT", (str, int), None, str, _right),
        Function("SUBSTRING", (str, int), None, str, _substring),
        Function("SUBSTRING", (str, int, int), None, str, _substring),
        Function("ABS", (int,), None, int, _abs),
        # The casts as functions: the specification's examples and conformance tests use them.
        Function("INT", (None,), None, int, to_integer),
        Function("BOOL", (None,), None, bool, to_boolean),
        Function("STRING", (None,), None, str, to_string),
        Function("IS_INT", (None,), None, bool, _is_castable(to_integer)),
        Function("IS_BOOL", (None,), None, bool, _is_castable(to_boolean)),
    ]
)
"""The functions of the specification, and its casts as functions."""
