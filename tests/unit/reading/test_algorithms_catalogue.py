"""Every algorithm of the catalogue has its function in Python, which gives the catalogue's results."""

from __future__ import annotations

import datetime
import inspect
from typing import Any

import pytest

from functions.neuron.synthesis.python import algorithms as python
from shared.software.algorithms import CATALOGUE
from shared.software.specification import FieldType

EXAMPLES = [(algorithm, example) for algorithm in CATALOGUE.values() for example in algorithm.examples]


def value(kind: Any, given: Any) -> Any:
    if kind is FieldType.DATE:
        return datetime.date.fromisoformat(given)
    return list(given) if isinstance(given, tuple) else given


def test_catalogue_and_functions_are_the_same_names() -> None:
    assert set(CATALOGUE) == set(python.FUNCTIONS)


@pytest.mark.parametrize("name", CATALOGUE)
def test_parameters_agree(name: Any) -> None:
    algorithm = CATALOGUE[name]
    signature = inspect.signature(python.FUNCTIONS[name])
    assert list(signature.parameters) == [parameter.name for parameter in algorithm.parameters]
    for parameter in algorithm.parameters:
        default = signature.parameters[parameter.name].default
        assert (None if default is inspect.Parameter.empty else default) == parameter.default
    assert algorithm.examples


@pytest.mark.parametrize(("algorithm", "example"), EXAMPLES, ids=[f"{a.name}-{i}" for i, (a, _) in enumerate(EXAMPLES)])
def test_example(algorithm: Any, example: Any) -> None:
    kinds = {parameter.name: parameter.type for parameter in algorithm.parameters}
    arguments = {name: value(kinds[name], given) for name, given in example.arguments.items()}
    if example.refused:
        with pytest.raises(ValueError, match=r"\.$"):
            python.FUNCTIONS[algorithm.name](**arguments)
        return
    result = python.FUNCTIONS[algorithm.name](**arguments)
    assert result == value(algorithm.returns, example.result)


@pytest.mark.parametrize("name", CATALOGUE)
def test_source_stands_alone(name: Any) -> None:
    scope = {module: __import__(module) for module in python.modules_of(name)}
    exec(compile("from __future__ import annotations\n" + python.source_of(name), name, "exec"), scope)
    assert callable(scope[name])
