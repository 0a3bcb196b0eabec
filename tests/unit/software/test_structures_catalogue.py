"""Every data structure of the catalogue has its module in Python, which does what the catalogue and its example say."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

from functions.neuron.synthesis.python import structures as python
from shared.software.structures import STRUCTURES

PACKAGE = "functions.neuron.synthesis.python.structures"
TESTS = Path(python.__file__).parents[1] / "templates" / "tests" / "structures"


def module(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}")


def shipped_tests(name: str) -> dict[str, Any]:
    """Give the tests that a project gets with a structure."""
    source = (TESTS / f"{name}.py.j2").read_text().replace("{{ module }}", f"{PACKAGE}.{name}")
    scope: dict[str, Any] = {"__name__": f"shipped_{name}"}
    exec(compile(source, f"test_{name}.py", "exec"), scope)
    return {key: value for key, value in scope.items() if key.startswith("test_")}


def cases(test: Any) -> list[dict[str, Any]]:
    """Give the arguments of a test's parametrised runs."""
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    if not marks:
        return [{}]
    names, values = marks[0].args
    if isinstance(names, str):
        return [{names: value} for value in values]
    return [dict(zip(names, value, strict=True)) for value in values]


RUNS = [(name, test) for name in STRUCTURES for test in shipped_tests(name)]


def test_every_structure_is_written_and_tested() -> None:
    assert {path.stem for path in Path(python.__file__).parent.glob("*.py")} == {*STRUCTURES, "__init__", "catalogue"}
    assert {path.name.removesuffix(".py.j2") for path in TESTS.iterdir()} == set(STRUCTURES)


@pytest.mark.parametrize("name", STRUCTURES)
def test_operations_are_those_of_the_catalogue(name: str) -> None:
    kind = getattr(module(name), STRUCTURES[name].type)
    public = {key for key, value in vars(kind).items() if not key.startswith("_") and not isinstance(value, property)}
    assert public - set(getattr(kind, "__annotations__", {})) == set(STRUCTURES[name].operations)
    assert all(inspect.getdoc(getattr(kind, operation)) for operation in STRUCTURES[name].operations)


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_documented_example_holds(name: str) -> None:
    assert python.usage_of(name)
    assert doctest.testmod(module(name)).failed == 0


@pytest.mark.parametrize(("name", "test"), RUNS, ids=[f"{name}-{test}" for name, test in RUNS])
def test_shipped_test_passes(name: str, test: str) -> None:
    function = shipped_tests(name)[test]
    runs = cases(function)
    assert runs
    for arguments in runs:
        function(**arguments)
