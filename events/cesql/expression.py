"""From text to a closure: the parser (sections 2 and 3.6) and the semantics of the operators (section 3.4)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from events.cesql.functions import BUILTIN, FunctionFailed, FunctionTable
from events.cesql.lexer import Token, tokens
from events.cesql.like import compile_pattern
from events.cesql.values import (
    INT_MAX,
    INT_MIN,
    CesqlError,
    Kind,
    ParseError,
    Value,
    cast,
    integer,
    to_boolean,
    to_integer,
    to_string,
    zero,
)

if TYPE_CHECKING:
    from events.cesql.functions import Function

MAX_LENGTH: Final = 16_384
"""Characters of an expression, at most."""

MAX_NESTING: Final = 50
"""Parentheses, function calls and unary operators within one another, at most."""

MAX_STRING: Final = 1 << 20
"""Characters of a string that a function returns, at most."""

Attributes = Mapping[str, str | int | bool | bytes]
"""An event's context attributes, as `CloudEvent.attributes` gives them."""

_Closure = Callable[[Attributes], Value]
_Operator = Callable[[Value, _Closure, Attributes], Value]
_Suffix = Callable[[Value, Attributes], Value]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation gives.

    Attributes:
        value: Always there.
        error: What went wrong, None when nothing did.
    """

    value: Value
    error: CesqlError | None = None


@dataclass(frozen=True, slots=True)
class _Node:
    """A compiled part of an expression: what it does, its type, and its place when it is a function call (else -1)."""

    run: _Closure
    returns: Kind
    call: int = -1
    literal: Value | None = None


class Expression:
    """A compiled expression.

    Attributes:
        text: As it was written.
    """

    __slots__ = ("_call", "_returns", "_run", "text")

    def __init__(self, text: str, run: _Closure, returns: Kind, call: int) -> None:
        """Keep what `parse` made."""
        self.text = text
        self._run = run
        self._returns = returns
        self._call = call

    def evaluate(self, attributes: Attributes) -> Evaluation:
        """Evaluate against an event's attributes."""
        try:
            return Evaluation(self._run(attributes))
        except CesqlError as error:
            # The function that failed decides on the value when it is the whole expression (section 3.5.3).
            return Evaluation(error.value if error.position == self._call >= 0 else zero(self._returns), error)

    def passes(self, attributes: Attributes) -> bool:
        """Use the expression as a filter: only a Boolean true without errors passes (section 1.2)."""
        try:
            return self._run(attributes) is True
        except CesqlError:
            return False

    def __repr__(self) -> str:
        """Show the text."""
        return f"Expression({self.text!r})"


def parse(text: str, functions: FunctionTable = BUILTIN) -> Expression:
    """Parse and compile an expression.

    Args:
        text: The expression.
        functions: What it can call.

    Raises:
        ParseError: It is no CESQL expression, too long, or nested too deep.
    """
    if len(text) > MAX_LENGTH:
        raise ParseError(f"the expression is longer than {MAX_LENGTH} characters", MAX_LENGTH)
    node = _Parser(tokens(text), functions).whole()
    return Expression(text, node.run, node.returns, node.call)


# Binary operators: the left operand's value, the right operand still to be evaluated, the attributes.


def _and(left: Value, right: _Closure, attributes: Attributes) -> Value:
    return to_boolean(left) and to_boolean(right(attributes))


def _or(left: Value, right: _Closure, attributes: Attributes) -> Value:
    return to_boolean(left) or to_boolean(right(attributes))


def _xor(left: Value, right: _Closure, attributes: Attributes) -> Value:
    return to_boolean(left) is not to_boolean(right(attributes))


def _equal(left: Value, right: _Closure, attributes: Attributes) -> Value:
    # The operator is ambiguous: the right operand's type decides which one it is (section 3.7).
    other = right(attributes)
    return cast(left, type(other)) == other


def _unequal(left: Value, right: _Closure, attributes: Attributes) -> Value:
    other = right(attributes)
    return cast(left, type(other)) != other


def _comparison(compare: Callable[[int, int], bool]) -> _Operator:
    def apply(left: Value, right: _Closure, attributes: Attributes) -> Value:
        other = right(attributes)
        return compare(to_integer(left), to_integer(other))

    return apply


def _arithmetic(compute: Callable[[int, int], int]) -> _Operator:
    def apply(left: Value, right: _Closure, attributes: Attributes) -> Value:
        other = right(attributes)
        return integer(compute(to_integer(left), to_integer(other)))

    return apply


def _divide(x: int, y: int) -> int:
    if y == 0:
        raise CesqlError("math", "division by zero", 0)
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def _remainder(x: int, y: int) -> int:
    if y == 0:
        raise CesqlError("math", "division by zero", 0)
    remainder = abs(x) % abs(y)
    return remainder if x >= 0 else -remainder


_LEVELS: Final[tuple[tuple[Mapping[str, _Operator], Kind], ...]] = (
    ({"AND": _and, "OR": _or, "XOR": _xor}, bool),
    (
        {
            "=": _equal,
            "!=": _unequal,
            "<>": _unequal,
            "<": _comparison(operator.lt),
            "<=": _comparison(operator.le),
            ">": _comparison(operator.gt),
            ">=": _comparison(operator.ge),
        },
        bool,
    ),
    ({"+": _arithmetic(operator.add), "-": _arithmetic(operator.sub)}, int),
    ({"*": _arithmetic(operator.mul), "/": _arithmetic(_divide), "%": _arithmetic(_remainder)}, int),
)
"""Binary operators from the loosest to the tightest; those of one level are evaluated from left to right."""


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, found: list[Token], functions: FunctionTable) -> None:
        self._tokens = found
        self._next = 0
        self._functions = functions
        self._nesting = 0

    def whole(self) -> _Node:
        node = self._binary(0)
        if self._peek().kind != "end":
            raise self._unexpected("an operator or the end")
        return node

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self, *kinds: str) -> Token | None:
        token = self._tokens[self._next]
        if token.kind not in kinds:
            return None
        self._next += 1
        return token

    def _need(self, kind: str, wanted: str) -> Token:
        token = self._take(kind)
        if token is None:
            raise self._unexpected(wanted)
        return token

    def _unexpected(self, wanted: str) -> ParseError:
        token = self._peek()
        shown = "the end" if token.kind == "end" else repr(token.text[:40])
        return ParseError(f"{wanted} is expected, not {shown}", token.position)

    def _binary(self, level: int) -> _Node:
        if level == len(_LEVELS):
            return self._suffixed()
        operators, returns = _LEVELS[level]
        first = self._binary(level + 1)
        chain: list[tuple[_Operator, _Node]] = []
        while (token := self._take(*operators)) is not None:
            chain.append((operators[token.kind], self._binary(level + 1)))
        return _Node(_chained(first, chain), returns) if chain else first

    def _suffixed(self) -> _Node:
        """LIKE and IN, which stand behind their operand."""
        node = self._unary()
        suffixes: list[_Suffix] = []
        while (suffix := self._suffix()) is not None:
            suffixes.append(suffix)
        return _Node(_suffixed(node.run, suffixes), bool) if suffixes else node

    def _suffix(self) -> _Suffix | None:
        negated = self._take("NOT") is not None
        if self._take("LIKE"):
            return _like(compile_pattern(self._need("string", "a string literal").text), negated=negated)
        if self._take("IN"):
            self._enter(self._need("(", "'('"))
            members = [member.run for member in self._list()]
            self._nesting -= 1
            return _in(members, negated=negated)
        if negated:
            raise self._unexpected("LIKE or IN")
        return None

    def _unary(self) -> _Node:
        sign = self._peek()
        number = self._tokens[self._next + 1] if sign.kind in ("+", "-") else sign
        if number.kind == "integer" and number.position <= sign.end:
            self._next += 1 if number is sign else 2
            return _literal(_number(sign.kind + number.text if number is not sign else number.text, sign.position))
        if (token := self._take("NOT", "-")) is not None:
            self._enter(token)
            operand = self._unary().run
            self._nesting -= 1
            return _Node(_not(operand), bool) if token.kind == "NOT" else _Node(_negative(operand), int)
        return self._primary()

    def _enter(self, token: Token) -> None:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise ParseError(f"the expression is nested more than {MAX_NESTING} deep", token.position)

    def _primary(self) -> _Node:
        if (token := self._take("(")) is not None:
            self._enter(token)
            node = self._binary(0)
            self._need(")", "')'")
            self._nesting -= 1
            return node
        if (token := self._take("TRUE", "FALSE")) is not None:
            return _literal(token.kind == "TRUE")
        if (token := self._take("string")) is not None:
            return _literal(token.text)
        if self._take("EXISTS"):
            return _Node(_exists(self._need("identifier", "an attribute's name").text.lower()), bool)
        if (token := self._take("identifier", "function")) is not None:
            return self._named(token)
        raise self._unexpected("an operand")

    def _named(self, token: Token) -> _Node:
        """A call when '(' follows, else an attribute."""
        if token.names_function and self._take("(") is not None:
            self._enter(token)
            arguments = [] if self._take(")") else self._list()
            self._nesting -= 1
            function = self._functions.find(token.text, len(arguments))
            if function is None:
                return _Node(_missing_function(token, len(arguments)), bool)
            return _Node(
                _call(function, [argument.run for argument in arguments], token.position),
                function.returns,
                token.position,
            )
        if token.kind == "function":
            raise ParseError(f"{token.text[:40]!r} is no attribute's name", token.position)
        return _Node(_attribute(token.text.lower()), bool)

    def _list(self) -> list[_Node]:
        """One or more expressions between commas, up to the closing parenthesis."""
        members = [self._binary(0)]
        while self._take(","):
            members.append(self._binary(0))
        self._need(")", "',' or ')'")
        return members


def _number(text: str, position: int) -> int:
    if len(text) <= 4000 and INT_MIN <= (number := int(text)) <= INT_MAX:
        return number
    raise ParseError("an integer literal does not fit into 32 bits", position)


def _literal(value: Value) -> _Node:
    return _Node(lambda _: value, type(value), literal=value)


def _chained(first: _Node, chain: list[tuple[_Operator, _Node]]) -> _Closure:
    """Evaluate from left to right, in a loop: a long chain is no deep recursion."""
    start = first.run
    if len(chain) > 1:
        links = [(apply, right.run) for apply, right in chain]

        def several(attributes: Attributes) -> Value:
            value = start(attributes)
            for apply, right in links:
                value = apply(value, right, attributes)
            return value

        return several
    apply, second = chain[0]
    right = second.run
    if apply is _equal and type(literal := second.literal) is str:
        return lambda attributes: to_string(start(attributes)) == literal
    return lambda attributes: apply(start(attributes), right, attributes)


def _suffixed(operand: _Closure, suffixes: list[_Suffix]) -> _Closure:
    """Apply LIKE and IN from left to right, in a loop as well."""
    if len(suffixes) == 1:
        suffix = suffixes[0]
        return lambda attributes: suffix(operand(attributes), attributes)

    def several(attributes: Attributes) -> Value:
        value = operand(attributes)
        for suffix in suffixes:
            value = suffix(value, attributes)
        return value

    return several


def _like(matches: Callable[[str], bool], *, negated: bool) -> _Suffix:
    return lambda value, _: matches(to_string(value)) is not negated


def _in(members: list[_Closure], *, negated: bool) -> _Suffix:
    def contains(value: Value, attributes: Attributes) -> Value:
        kind = type(value)
        found = any(cast(member(attributes), kind) == value for member in members)
        return found is not negated

    return contains


def _not(operand: _Closure) -> _Closure:
    return lambda attributes: not to_boolean(operand(attributes))


def _negative(operand: _Closure) -> _Closure:
    return lambda attributes: integer(-to_integer(operand(attributes)))


def _exists(name: str) -> _Closure:
    return lambda attributes: name in attributes


def _attribute(name: str) -> _Closure:
    def read(attributes: Attributes) -> Value:
        value = attributes.get(name)
        if value is None:
            raise CesqlError("missingAttribute", f"the event has no attribute {name}")
        return _text_of(value) if type(value) is bytes else value  # type: ignore[return-value]

    return read


def _text_of(value: bytes) -> str:
    from base64 import b64encode

    return b64encode(value).decode()


def _missing_function(token: Token, arguments: int) -> _Closure:
    counted = "1 argument" if arguments == 1 else f"{arguments} arguments"

    def fail(_: Attributes) -> Value:
        raise CesqlError("missingFunction", f"there is no function {token.text.upper()} with {counted}")

    return fail


def _call(function: Function, arguments: list[_Closure], position: int) -> _Closure:
    takes = list(zip(arguments, function.kinds(len(arguments)), strict=True))
    body, returns, name = function.body, function.returns, function.name

    def call(attributes: Attributes) -> Value:
        values = [
            argument(attributes) if kind is None else cast(argument(attributes), kind) for argument, kind in takes
        ]
        try:
            result = body(*values)
        except FunctionFailed as failure:
            raise CesqlError(failure.kind, failure.detail, cast(failure.value, returns), position) from None
        except CesqlError:
            raise
        except Exception as error:
            raise CesqlError(
                "functionEvaluation", f"{name} failed with {type(error).__name__}", zero(returns), position
            ) from error
        if type(result) is not returns:
            raise CesqlError("functionEvaluation", f"{name} returned no {returns.__name__}", zero(returns), position)
        if type(result) is str and len(result) > MAX_STRING:
            raise CesqlError("generic", f"{name} returned more than {MAX_STRING} characters", zero(returns), position)
        return result

    return call
