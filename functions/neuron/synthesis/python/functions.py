"""Writes computations as Python functions: from formulas, or from the catalogue of algorithms."""

from __future__ import annotations

import ast
import itertools
import math
import re
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from functions.neuron.synthesis.python import algorithms, names
from shared.software.algorithms import CATALOGUE
from shared.software.specification import Computation, FieldType, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.software.specification import Example

TYPES: Final = {
    FieldType.STRING: "str",
    FieldType.TEXT: "str",
    FieldType.EMAIL: "str",
    FieldType.URL: "str",
    FieldType.UUID: "str",
    FieldType.ENUM: "str",
    FieldType.INTEGER: "int",
    FieldType.REFERENCE: "int",
    FieldType.DECIMAL: "Decimal",
    FieldType.NUMBER: "float",
    FieldType.BOOLEAN: "bool",
    FieldType.DATE: "date",
    FieldType.DATETIME: "datetime",
    FieldType.TIME: "time",
}
_METHODS: Final = frozenset({"lower", "upper", "strip"})
_MODULES: Final = {"sqrt": "math", "floor": "math", "ceil": "math", "mean": "statistics", "median": "statistics"}
_HUGGED: Final = re.compile(r"(\b[\w.]+) \*\* (-?[\w.]+)(?![\w(])")


@dataclass(frozen=True)
class ComputedExample:
    """A known result, as Python expressions; `result` is None for a refusal."""

    arguments: tuple[str, ...]
    result: str | None
    approximate: bool = False


def annotation(kind: FieldType, items: FieldType | None = None) -> str:
    """Write the type of a parameter or result."""
    if kind is FieldType.LIST:
        return f"list[{TYPES.get(items or FieldType.STRING, 'str')}]"
    return TYPES[kind]


def function(computation: Computation) -> str:
    """Write a computation's function."""
    if computation.algorithm is not None:
        return _by_algorithm(computation, computation.algorithm)
    lines = [_signature(computation), f"    {_documentation(computation)}", *_refusing(computation)]
    for case in computation.cases:
        value = _result(case.expression, computation)
        if case.when is None:
            lines.append(f"    return {value}")
            break
        lines += [f"    if {expression(case.when, computation)}:", f"        return {value}"]
    else:
        lines.append('    raise ValueError("No case fits these values.")')
    return "\n".join(lines)


def modules(computation: Computation) -> list[str]:
    """Name what a computation's function imports, as import statements."""
    if computation.algorithm is not None:
        return [f"import {module}" for module in algorithms.modules_of(computation.algorithm)]
    return [
        "import math",
        "import statistics",
        "from datetime import date, datetime, time",
        "from decimal import Decimal",
    ]


def _by_algorithm(computation: Computation, algorithm: str) -> str:
    source = algorithms.source_of(algorithm).rstrip("\n")
    contract = CATALOGUE[algorithm]
    if computation.name == algorithm and not computation.refuses and computation.parameters == contract.parameters:
        return source
    given = [parameter.name for parameter in computation.parameters]
    called = ", ".join(given[: len(contract.parameters)])
    private = re.sub(rf"\bdef {algorithm}\b", f"def _{algorithm}", source)
    body = [_signature(computation), f"    {_documentation(computation)}", *_refusing(computation)]
    body.append(f"    return _{algorithm}({called})")
    return f"{private}\n\n\n" + "\n".join(body)


def _refusing(computation: Computation) -> list[str]:
    """Write what refuses arguments."""
    lines = []
    for refusal in computation.refuses:
        lines.append(f"    if {expression(refusal.when or 'True', computation)}:")
        lines.append(f"        raise ValueError({names.text(refusal.expression)})")
    return lines


def _signature(computation: Computation) -> str:
    written = []
    for parameter in sorted(computation.parameters, key=lambda p: not p.required):
        kind = annotation(parameter.type, parameter.items)
        if parameter.required:
            written.append(f"{parameter.name}: {kind}")
        elif parameter.default is None:
            written.append(f"{parameter.name}: {kind} | None = None")
        else:
            written.append(f"{parameter.name}: {kind} = {constant(parameter.default, parameter.type)}")
    returns = annotation(computation.returns, computation.items)
    return f"def {computation.name}({', '.join(written)}) -> {returns}:"


def _documentation(computation: Computation) -> str:
    summary = names.sentence(computation.description or f"Compute {names.words(computation.name)}")
    lines = [summary]
    if computation.refuses:
        lines += ["", "Raises:", f"    ValueError: {names.sentence(computation.refuses[0].expression)}"]
        lines += [f"        {names.sentence(refusal.expression)}" for refusal in computation.refuses[1:]]
    known = next((e for e in examples(computation) if e.result is not None and not e.approximate), None)
    if known is not None and all(len(argument) < 60 for argument in known.arguments):
        lines += ["", "Examples:", f"    >>> {computation.name}({', '.join(known.arguments)})", f"    {known.result}"]
    if len(lines) == 1:
        return names.docstring(summary)
    body = "\n".join(f"    {line}" if line else "" for line in lines[1:])
    return f'"""{lines[0]}\n{body}\n    """'.replace("\\", "\\\\")


def constant(value: Any, kind: FieldType, items: FieldType | None = None) -> str:
    """Write a value as a Python expression."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(constant(item, items or FieldType.STRING) for item in value)}]"
    if kind is FieldType.DECIMAL and value is not None:
        return f'Decimal("{value}")'
    if kind in {FieldType.DATE, FieldType.DATETIME, FieldType.TIME} and value is not None:
        return f"{TYPES[kind]}.fromisoformat({names.text(str(value))})"
    if kind is FieldType.NUMBER and isinstance(value, int) and not isinstance(value, bool):
        return repr(value)
    return repr(value) if not isinstance(value, str) else names.text(value)


def _result(text: str, computation: Computation) -> str:
    written = expression(text, computation)
    if computation.returns is FieldType.INTEGER and _may_be_fractional(text):
        return f"int({written})"
    if computation.returns is FieldType.NUMBER and "**" in written:
        return f"float({written})"  # a power may be of any kind to a type checker
    return written


def _may_be_fractional(text: str) -> bool:
    tree = ast.parse(text, mode="eval")
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return any(isinstance(node, ast.Div | ast.Pow) for node in ast.walk(tree)) or bool(
        calls & {"sqrt", "mean", "median", "round"}
    )


def expression(text: str, computation: Computation) -> str:
    """Write an expression of the specification in Python."""
    exact = any(parameter.type is FieldType.DECIMAL for parameter in computation.parameters)
    tree = _Python(exact=exact).visit(ast.parse(text, mode="eval").body)
    written = ast.unparse(ast.fix_missing_locations(tree))
    written = re.sub(r"'((?:[^'\"\\])*)'", r'"\1"', written)
    return _HUGGED.sub(r"\1**\2", written)


class _Python(ast.NodeTransformer):
    """Turns the calls of expressions into Python's, and fractions into decimals where the arithmetic is exact."""

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Turn a call into a method, a module's function or a difference of dates."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        arguments = [self.visit(argument) for argument in node.args]
        if name in _METHODS:
            return ast.Call(ast.Attribute(arguments[0], name, ast.Load()), [], [])
        if name in _MODULES:
            module = ast.Name(_MODULES[name], ast.Load())
            return ast.Call(ast.Attribute(module, name, ast.Load()), arguments, [])
        if name == "days_between":
            return ast.Attribute(ast.BinOp(arguments[1], ast.Sub(), arguments[0]), "days", ast.Load())
        return ast.Call(node.func, arguments, [])

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Turn a fraction into a decimal where decimals are computed with."""
        if self._exact and isinstance(node.value, float):
            return ast.Call(ast.Name("Decimal", ast.Load()), [ast.Constant(repr(node.value))], [])
        return node


# Known results.


def examples(computation: Computation) -> list[ComputedExample]:
    """Give the specification's examples, or such as follow from the formula where there are none."""
    given = [_given(example, computation) for example in computation.examples]
    if computation.algorithm is not None or any(example.result is not None for example in given):
        return [*given, *_refusals(computation)]
    return [*given, *_derived(computation), *_refusals(computation)]


def _given(example: Example, computation: Computation) -> ComputedExample:
    arguments = tuple(
        f"{parameter.name}={constant(example.arguments[parameter.name], parameter.type, parameter.items)}"
        for parameter in computation.parameters
        if parameter.name in example.arguments
    )
    if example.refused:
        return ComputedExample(arguments, None)
    fractional = computation.returns is FieldType.NUMBER and isinstance(example.result, int | float)
    written = constant(example.result, computation.returns, computation.items)
    return ComputedExample(arguments, written, approximate=fractional)


def _samples(parameter: Parameter) -> list[Any]:
    match parameter.type:
        case FieldType.INTEGER | FieldType.DECIMAL | FieldType.NUMBER:
            wanted = [3, 10, 1, 2, 100, 0, -1, -1000]
            low, high = parameter.minimum, parameter.maximum
            fitting = [n for n in wanted if (low is None or n >= low) and (high is None or n <= high)]
            return fitting or [value for value in (low, high) if value is not None]
        case FieldType.BOOLEAN:
            return [True, False]
        case FieldType.LIST:
            numeric = parameter.items in {FieldType.INTEGER, FieldType.DECIMAL, FieldType.NUMBER}
            return [(3, 1, 2), (5,), ()] if numeric else [("b", "a"), ()]
        case FieldType.ENUM:
            return list(parameter.values)
        case FieldType.STRING | FieldType.TEXT:
            return ["some words", "A", ""]
        case _:
            return []


def _environments(computation: Computation) -> Iterator[dict[str, Any]]:
    choices = [_samples(parameter) for parameter in computation.parameters]
    for values in itertools.islice(itertools.product(*choices), 3000):
        yield {parameter.name: value for parameter, value in zip(computation.parameters, values, strict=True)}


def _evaluated(text: str, environment: dict[str, Any]) -> Any:
    """Evaluate an expression of a closed specification, which holds arithmetic and the calls that it may make."""
    calls = {
        "sqrt": math.sqrt, "floor": math.floor, "ceil": math.ceil, "mean": statistics.mean,
        "median": statistics.median, "lower": str.lower, "upper": str.upper, "strip": str.strip,
        "abs": abs, "min": min, "max": max, "round": round, "sum": sum, "len": len, "sorted": sorted,
    }  # fmt: skip
    code = compile(ast.parse(text, mode="eval"), "expression", "eval")
    return eval(code, {"__builtins__": {}, **calls}, environment)  # noqa: S307  (checked by the specification)


def evaluated(text: str, environment: dict[str, Any]) -> Any:
    """Evaluate an expression of a closed specification; None when it has no value there."""
    try:
        return _evaluated(text, environment)
    except (ArithmeticError, ValueError, TypeError, NameError, statistics.StatisticsError):
        return None


def _holds(text: str | None, environment: dict[str, Any]) -> bool:
    try:
        return text is None or bool(_evaluated(text, environment))
    except (ArithmeticError, ValueError, TypeError, statistics.StatisticsError):
        return False


def _derived(computation: Computation) -> list[ComputedExample]:
    """Compute results for every case of a formula from a few arguments."""
    if any(parameter.type is FieldType.DECIMAL for parameter in computation.parameters):
        return []
    found: dict[int, list[ComputedExample]] = {}
    for environment in _environments(computation):
        if any(_holds(refusal.when, environment) for refusal in computation.refuses):
            continue
        number = next((i for i, c in enumerate(computation.cases) if _holds(c.when, environment)), None)
        if number is None or len(found.get(number, [])) >= 2:
            continue
        try:
            result = _evaluated(computation.cases[number].expression, environment)
        except (ArithmeticError, ValueError, TypeError, statistics.StatisticsError):
            continue
        if computation.returns is FieldType.INTEGER and not isinstance(result, bool):
            result = int(result)
        fractional = computation.returns is FieldType.NUMBER
        written = constant(result, computation.returns, computation.items)
        found.setdefault(number, []).append(ComputedExample(_written(environment, computation), written, fractional))
    return [example for number in sorted(found) for example in found[number]]


def _refusals(computation: Computation) -> list[ComputedExample]:
    """Find arguments for each refusal."""
    found = []
    for refusal in computation.refuses:
        for environment in _environments(computation):
            if _holds(refusal.when, environment):
                found.append(ComputedExample(_written(environment, computation), None))
                break
    return found


def _written(environment: dict[str, Any], computation: Computation) -> tuple[str, ...]:
    return tuple(
        f"{parameter.name}={constant(environment[parameter.name], parameter.type, parameter.items)}"
        for parameter in computation.parameters
    )
