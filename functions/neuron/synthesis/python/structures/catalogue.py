"""The source of every data structure, and its documented use."""

from __future__ import annotations

import ast
import doctest
from pathlib import Path


def source_of(name: str) -> str:
    """Give the source of a structure's module."""
    return (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")


def usage_of(name: str) -> list[str]:
    """Give the statements of the structure's documented example."""
    classes = [node for node in ast.parse(source_of(name)).body if isinstance(node, ast.ClassDef)]
    documentation = next(text for node in classes if (text := ast.get_docstring(node)))
    return [example.source.rstrip("\n") for example in doctest.DocTestParser().get_examples(documentation)]
