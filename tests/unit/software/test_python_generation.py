"""What the designers and the Python implementer give: whole, deterministic, blamed to their steps. No tool is run."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from functions.neuron.bodies.api_designer import API_DESIGNER
from functions.neuron.bodies.database_designer import DATABASE_DESIGNER
from functions.neuron.bodies.frontend_designer import FRONTEND_DESIGNER
from functions.neuron.bodies.go_implementer import GO_IMPLEMENTER
from functions.neuron.bodies.python_implementer import PYTHON_IMPLEMENTER, Correction, Corrections
from functions.neuron.bodies.test_designer import TEST_DESIGNER
from functions.neuron.reading import read
from functions.neuron.synthesis.database import design_database
from functions.neuron.synthesis.interface import design_api
from functions.neuron.synthesis.patterns import counter, filled, sample
from functions.neuron.synthesis.python.migrations import first_migration
from functions.neuron.synthesis.testing import Planner
from shared.neurons.body import Body, Work
from shared.neurons.engine import Thought
from shared.neurons.results import Complete, Fail, Outcome, Spawn
from shared.neurons.signals import Signal
from shared.software.designs import (
    DesignerInput,
    DesignerOutput,
    ImplementerInput,
    ImplementerOutput,
)
from shared.software.languages import unavailable_language
from shared.software.source import EngineName, SourceTree
from shared.software.specification import (
    Entity,
    FieldSpec,
    FieldType,
    Kind,
    Operator,
    RangeRule,
    Specification,
)
from tests.unit.software.specification_samples import SAMPLES, lending_library

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
SPECIFICATIONS = [pytest.param(make(), id=make.__name__) for make in SAMPLES]


def worked(body: Body[DesignerInput, DesignerOutput], given: DesignerInput) -> DesignerOutput:
    """Do a designer's work with its implementers, as the runtime would."""
    assert body.work is not None
    result = body.work(Work(input=given))
    if isinstance(result, Spawn):
        outcomes = {}
        for child in result.children:
            assert PYTHON_IMPLEMENTER.work is not None
            assert child.body == "python-implementer"
            written = PYTHON_IMPLEMENTER.work(Work(input=ImplementerInput.model_validate(child.input.model_dump())))
            assert isinstance(written, Complete)
            outcomes[child.key] = Outcome(child.key, f"/designer/{child.key}", child.body, written.output)
        result = body.work(Work(input=given, phase=1, children=outcomes, memo=result.memo))
    assert isinstance(result, Complete)
    return result.output


def project(specification: Specification) -> SourceTree:
    """Write the whole project."""
    given = DesignerInput(specification=specification)
    return SourceTree.join([worked(body, given).tree for body in (API_DESIGNER, DATABASE_DESIGNER, TEST_DESIGNER)])


@pytest.mark.parametrize("specification", SPECIFICATIONS)
def test_a_project_is_whole_python_and_the_same_every_time(specification: Specification) -> None:
    tree = project(specification)
    files = {file.path: file for file in tree.files}
    for name in ("README.md", "REQUEST.md", "Makefile", "pyproject.toml", ".gitignore", "requirements-dev.lock"):
        assert name in files
    for file in tree.files:
        if file.path.endswith(".py"):
            ast.parse(file.content)
    tomllib.loads(files["pyproject.toml"].content)
    assert specification.request in files["REQUEST.md"].content
    assert project(specification) == tree


@pytest.mark.parametrize("specification", SPECIFICATIONS)
def test_every_file_says_who_wrote_it_and_what_it_stands_for(specification: Specification) -> None:
    tree = project(specification)
    for file in tree.files:
        assert file.neuron == "python-implementer"
        assert file.step == f"/designer/{file.share}"
    implemented = {pointer for file in tree.files for pointer in file.implements}
    for i in range(len(specification.entities)):
        assert f"/entities/{i}" in implemented
    for i in range(len(specification.rules)):
        assert f"/rules/{i}" in implemented
    for i in range(len(specification.computations)):
        assert f"/computations/{i}" in implemented


@pytest.mark.parametrize("specification", SPECIFICATIONS)
def test_nothing_of_this_machine_is_in_a_project(specification: Specification) -> None:
    for file in project(specification).files:
        for stranger in (str(ROOT), "/tmp", "hal9", "HAL9"):
            assert stranger not in file.content, (file.path, stranger)


@pytest.mark.parametrize("specification", SPECIFICATIONS)
def test_the_first_migration_is_sql(specification: Specification) -> None:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.executescript(first_migration(design_database(specification), specification.title))
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {entity.plural for entity in specification.entities} <= tables
    connection.close()


def test_conventional_operations_are_designed_when_none_are_listed() -> None:
    served = {(o.method, o.path) for o in design_api(lending_library()).operations}
    assert ("POST", "/loans/{loan_id}/return") in served
    assert ("GET", "/loans/overdue") in served
    assert {("GET", "/books"), ("PUT", "/books/{book_id}"), ("DELETE", "/members/{member_id}")} <= served


def test_a_language_that_is_not_available_is_refused_with_those_that_are() -> None:
    assert unavailable_language("python") is None
    assert unavailable_language("go") == "go is not available yet; available: python"
    assert unavailable_language("cobol") == "cobol is not a language that HAL9 writes; available: python"
    assert "not available yet" in GO_IMPLEMENTER.unavailable


def test_a_front_end_is_refused_plainly() -> None:
    assert FRONTEND_DESIGNER.work is not None
    result = FRONTEND_DESIGNER.work(Work(input=DesignerInput(specification=lending_library())))
    assert isinstance(result, Fail)
    assert "React or Vue".lower() in result.reason.lower()


def test_only_faults_make_the_implementer_ask_and_its_corrections_are_stamped() -> None:
    task = ImplementerInput(specification=lending_library(), share="storage")
    assert PYTHON_IMPLEMENTER.question is not None
    assert PYTHON_IMPLEMENTER.work is not None
    assert PYTHON_IMPLEMENTER.question(Work(input=task)) is None
    signal = Signal(blame_step=".", contract_path="/tree", diagnostic="broken")
    question = PYTHON_IMPLEMENTER.question(Work(input=task, signals=(signal,)))
    assert question is not None
    assert question.builtin is not None
    assert question.builtin() == Corrections()
    path = "src/lending_library/storage/table.py"
    assert not question.check(Corrections(files=(Correction(path=path, content="x = 1\n"),)))
    assert question.check(Corrections(files=(Correction(path=path, content="x = (\n"),)))
    assert question.check(Corrections(files=(Correction(path="elsewhere.py", content=""),)))
    thought = Thought(Corrections(files=(Correction(path=path, content="x = 1\n"),)), "repaired")
    result = PYTHON_IMPLEMENTER.work(Work(input=task, signals=(signal,), thought=thought))
    assert isinstance(result, Complete)
    assert isinstance(result.output, ImplementerOutput)
    corrected = {file.path: file for file in result.output.tree.files}
    assert corrected[path].content == "x = 1\n"
    assert corrected[path].engine is EngineName.REPAIRED
    assert {file.engine for file in result.output.tree.files if file.path != path} == {EngineName.BUILTIN}


def test_generated_projects_are_locked_to_the_versions_that_the_toolchain_has() -> None:
    locks = ROOT / "functions/neuron/synthesis/python/locks"
    whole = (ROOT / "requirements/generated-python.lock").read_text().splitlines()
    assert (locks / "service-dev.lock").read_text().splitlines() == whole
    for name in ("service.lock", "program-dev.lock"):
        assert set((locks / name).read_text().splitlines()) <= set(whole)


@pytest.mark.parametrize(("operator", "sign"), [(Operator.GT, 1), (Operator.LT, -1)])
def test_a_date_in_tests_lies_on_its_side_of_what_it_refers_to(operator: Operator, sign: int) -> None:
    day, reference = FieldType.DATE, FieldType.REFERENCE
    harvest = Entity(name="harvest", plural="harvests", fields=(FieldSpec(name="date", type=day),))
    bottled = (FieldSpec(name="date", type=day), FieldSpec(name="harvest", type=reference, target="harvest"))
    rule = RangeRule(name="r", entity="filling", message="No.", field="date", operator=operator, other="harvest.date")
    filling = Entity(name="filling", plural="fillings", fields=bottled)
    planner = Planner(
        Specification(name="x", title="X", kind=Kind.API, request="x", entities=(harvest, filling), rules=(rule,))
    )
    given = {part.field: part.value for part in planner.recipe(filling).fields}
    outer = {part.field: part.value for part in planner.recipe(harvest).fields}
    assert (given["date"].offset - outer["date"].offset) * sign > 0


@pytest.mark.parametrize("pattern", [r"^[a-z.]{1,200}$", r"^[A-Z]{3}$", r"^[A-Z]{2}-[0-9]{5}$", r"^x[A-Za-z]{4}$"])
def test_texts_that_match_a_pattern_differ(pattern: str) -> None:
    template = sample(pattern)
    texts = {filled(template, n) for n in range(1, 200)}
    assert len(texts) == 199
    assert all(re.fullmatch(pattern, text) for text in texts)
    assert eval(f'f"{counter(template)}"', {"n": 42}) == filled(template, 42)


def computed(request: str, name: str) -> Callable[..., Any]:
    """Give a function of the library that a request asks for."""
    specification = read(request)
    tree = project(specification)
    source = next(file.content for file in tree.files if file.path.endswith("computations.py"))
    scope: dict[str, Any] = {}
    exec(compile(source, "computations.py", "exec"), scope)
    return cast("Callable[..., Any]", scope[name])


def test_a_function_of_the_catalogue_keeps_the_defaults_of_the_request() -> None:
    frequencies = computed(
        "A library of text functions: word frequencies, the 2 most frequent words.", "word_frequencies"
    )
    assert frequencies("a b c a b a") == ["a 3", "b 2"]


def test_a_function_of_the_catalogue_refuses_what_the_request_refuses() -> None:
    truncate = computed("A library to truncate texts. A length above 50 raises a ValueError.", "truncate_text")
    assert truncate("long enough", 5) == "long…"
    assert len(truncate("x" * 60, 50)) == 50
    with pytest.raises(ValueError, match="at most 50"):
        truncate("long enough", 51)


def test_a_function_with_other_defaults_is_still_tested_by_known_results() -> None:
    tree = project(read("A library of text functions: word frequencies, the 20 most frequent words."))
    tests = next(file.content for file in tree.files if file.path == "tests/test_computations.py")
    assert "word_frequencies(" in tests


def test_a_program_that_reads_a_file_says_so_in_its_readme() -> None:
    tree = project(read("A CLI called tally which counts the words of a file."))
    readme = next(file.content for file in tree.files if file.path == "README.md")
    assert "tally [FILE]" in readme
    assert "Count the words of a text." in readme
