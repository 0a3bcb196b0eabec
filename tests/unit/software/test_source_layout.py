"""The layout of generated source: as ruff would have it, with no meaning changed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.neuron.synthesis.patterns import filled, sample
from functions.neuron.synthesis.python.layout import tidy

TWENTY = ", ".join(f"name_{i:02d}" for i in range(20))
RUFF = [str(Path(sys.executable).with_name("ruff")), "format", "--line-length", "120", "--diff", "--isolated", "-"]


def formatted(source: str) -> str:
    """Give what ruff would change; empty when it would change nothing."""
    return subprocess.run(RUFF, input=source, capture_output=True, text=True, check=False).stdout


def test_imports_that_nothing_uses_are_left_out_and_the_rest_is_sorted() -> None:
    source = (
        '"""Doc."""\nfrom b import z, A, B_C\nimport sys\nfrom own.x import y\nimport os\nprint(z, A, B_C, os, y)\n'
    )
    head = '"""Doc."""\n\nimport os\n\nfrom b import B_C, A, z\n\nfrom own.x import y\n\n'
    assert tidy(source, "own").startswith(head)


def test_a_long_call_is_broken_at_its_arguments() -> None:
    arguments = ", ".join(f"argument_{i}=value_{i}" for i in range(9))
    laid_out = tidy(f"result = function({arguments})\n", "own")
    assert not formatted(laid_out)
    assert laid_out.count("\n") == 11


@pytest.mark.parametrize(
    "statement",
    [
        "x = [" + ", ".join(f'"item number {i}"' for i in range(12)) + "]",
        "x = {" + ", ".join(f'"key_{i}": call({i}, "value")' for i in range(8)) + "}",
        "def f(" + ", ".join(f"parameter_{i}: int" for i in range(9)) + ") -> None:\n    pass",
        "def f() -> None:\n    return " + " and ".join(f"condition_number_{i} is not None" for i in range(6)),
        "x = {template: method for template, operations in a_mapping_with_a_long_name.items() for method in operations "
        "if method}",
        "if " + " or ".join(f"before.attribute_{i} != record.attribute_{i}" for i in range(5)) + ":\n    pass",
        f"from module import {TWENTY}\n\nprint({TWENTY})",
    ],
)
def test_long_statements_are_laid_out_as_ruff_would(statement: str) -> None:
    laid_out = tidy(f"{statement}\n", "own")
    assert max(map(len, laid_out.splitlines())) <= 120
    assert not formatted(laid_out)


NAMES = st.from_regex(r"[a-z]{3,18}", fullmatch=True)
VALUES = st.one_of(NAMES.map(repr), st.integers(0, 99).map(str))


@settings(max_examples=60, deadline=None)
@given(name=NAMES, pairs=st.lists(st.tuples(NAMES, VALUES), max_size=9), constant=NAMES)
def test_layout_keeps_the_meaning(name: str, pairs: list[tuple[str, str]], constant: str) -> None:
    arguments = ", ".join(f"a_{key}={value}" for key, value in dict(pairs).items())
    source = f"v_{name} = c_{name}({arguments})[{constant!r}]\n"
    assert ast.dump(ast.parse(tidy(source, "own"))) == ast.dump(ast.parse(source))


@pytest.mark.parametrize(
    ("pattern", "first"),
    [
        (r"^\d{13}$", "0000000000001"),
        (r"^[A-Z]{3}-\d{4}$", "AAA-0001"),
        (r"^(978|979)\d{10}$", "9780000000001"),
        (r"^[A-Z]{2,3}$", "AAB"),
        (r"^[^a-zA-Z0-9]$", "!"),
    ],
)
def test_a_sample_matches_its_pattern_and_counts_where_it_can(pattern: str, first: str) -> None:
    assert filled(sample(pattern), 1) == first
