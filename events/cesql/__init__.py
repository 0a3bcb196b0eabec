"""CESQL 1.0.0, the CloudEvents SQL expression language: parsed once, compiled to closures, evaluated on attributes.

    expression = cesql.parse("type LIKE 'com.github.%' AND sequence > 10")
    expression.evaluate(event.attributes())         # Evaluation(value=True, error=None)

Promises: an evaluation always gives a value, and beside it the error that there was, if any (fail fast, section 4.1:
the value is then the zero value of the expression's type, or what the failing function itself returns); time and memory
are bounded by the lengths of expression and attributes, whatever they are; no expression crashes it. It does not look
at `data`: the language has no way to. Decisions where the text is open: docs/decisions/0004-events.md.
"""

from __future__ import annotations

from events.cesql.expression import MAX_LENGTH, MAX_NESTING, Evaluation, Expression, parse
from events.cesql.functions import BUILTIN, Function, FunctionFailed, FunctionTable
from events.cesql.values import CesqlError, ErrorKind, ParseError, Value

__all__ = [
    "BUILTIN",
    "MAX_LENGTH",
    "MAX_NESTING",
    "CesqlError",
    "ErrorKind",
    "Evaluation",
    "Expression",
    "Function",
    "FunctionFailed",
    "FunctionTable",
    "ParseError",
    "Value",
    "parse",
]
