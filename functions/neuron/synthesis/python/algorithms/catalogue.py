"""Every algorithm's function by its name, its source and what the source needs."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any, Final

from functions.neuron.synthesis.python.algorithms import (
    codes,
    dates,
    figures,
    judgements,
    notations,
    rounding,
    sorting,
    texts,
    whole_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_MODULES: Final = (texts, codes, judgements, notations, whole_numbers, figures, sorting, rounding, dates)
_STANDARD_LIBRARY: Final = frozenset(
    [
        "base64",
        "binascii",
        "calendar",
        "collections",
        "datetime",
        "decimal",
        "itertools",
        "math",
        "re",
        "statistics",
        "string",
        "textwrap",
        "unicodedata",
    ]
)

FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    name: function
    for module in _MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__
}
"""Every algorithm's function, by name."""


def source_of(name: str) -> str:
    """Give the source of an algorithm's function."""
    return inspect.getsource(FUNCTIONS[name])


def modules_of(name: str) -> list[str]:
    """Name the modules of the standard library that an algorithm's source needs, sorted."""
    tree = ast.parse(source_of(name))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return sorted(used & _STANDARD_LIBRARY)
