"""The architect plans, joins, has verified and delivers; it passes on what it cannot read."""

# mypy: disable-error-code="union-attr, attr-defined, misc"
# What a body answers is a union: a test that reads one of its kinds fails where the answer is another.

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from functions.neuron.bodies.architect import ARCHITECT, VERIFICATION, Plan, Reading, architect, question, read
from shared.neurons.body import Work
from shared.neurons.engine import Thought
from shared.neurons.results import Complete, Fail, Outcome, Spawn
from shared.software.delivery import SoftwareRequest
from shared.software.designs import DesignerOutput
from shared.software.source import EngineName, SourceFile, SourceTree
from shared.software.verification import Check, CheckName, Verification

REQUEST = "An API for a shop: products have a name and a price."


def work(**changes: Any) -> Any:
    return Work(input=SoftwareRequest(request=changes.pop("request", REQUEST)), **changes)


def outcome(key: str, path: str, *files: str) -> Outcome:
    tree = SourceTree(files=tuple(SourceFile(path=f, content="", neuron="python-implementer") for f in files))
    return Outcome(key=key, path=path, body=f"{key}-designer", output=DesignerOutput(tree=tree))


def plan() -> Any:
    return Plan(specification=read(REQUEST).specification)


def verification(*, verified: Any) -> Any:
    check = Check(name=CheckName.TESTS, passed=verified, seconds=1.0)
    artefact = UUID(int=7)
    return Verification(
        verified=verified, checks=(check,), isolation="namespaces", artefact_id=artefact, sha256="0" * 64, size=1
    )


def test_plan_sets_three_designers_to_work() -> None:
    result = architect(work())
    assert isinstance(result, Spawn)
    assert {child.key: child.body for child in result.children} == {
        "api": "api-designer",
        "database": "database-designer",
        "tests": "test-designer",
    }
    specification = result.children[0].input.specification
    assert specification.entity("product").fields[0].name == "name"
    assert result.memo.specification == specification


def test_question_has_a_builtin_answer_only_in_the_first_phase() -> None:
    asked = question(work())
    assert asked.builtin().specification.request == REQUEST
    assert list(asked.check(asked.builtin())) == []
    assert question(work(phase=1)) is None


def test_model_that_changes_the_request_is_sent_back() -> None:
    asked = question(work())
    answer = Reading(specification=read(REQUEST.upper()).specification)
    assert [signal.contract_path for signal in asked.check(answer)] == ["/specification/request"]
    assert [signal.contract_path for signal in asked.check(Reading())] == ["/refusal"]


def test_model_s_answer_is_taken_and_shown() -> None:
    thought = Thought(value=read(REQUEST), engine="repaired", model="m")
    result = architect(work(thought=thought))
    assert result.memo.engine is EngineName.REPAIRED


@pytest.mark.parametrize("request_text", ["?", "Hello there.", "   .   "])
def test_what_cannot_be_read_fails_with_a_sentence(request_text: Any) -> None:
    result = architect(work(request=request_text))
    assert isinstance(result, Fail)
    assert result.code == "request-unreadable"
    assert result.reason.endswith(".")


def test_language_that_is_not_available_is_refused() -> None:
    result = architect(Work(input=SoftwareRequest(request=REQUEST, language="rust")))
    assert isinstance(result, Fail)
    assert "python" in result.reason


def test_trees_are_joined_and_every_file_names_its_step() -> None:
    children = {
        "api": outcome("api", "/api", "src/app.py"),
        "database": outcome("database", "/database", "src/db.py"),
        "tests": outcome("tests", "/tests", "tests/test_app.py"),
    }
    result = architect(work(phase=1, memo=plan(), children=children))
    assert isinstance(result, Spawn)
    (child,) = result.children
    assert child.body == VERIFICATION.name
    assert {file.path: file.step for file in child.input.tree.files} == {
        "src/app.py": "/api",
        "src/db.py": "/database",
        "tests/test_app.py": "/tests",
    }
    assert result.memo.files == 3


def test_two_designers_that_claim_one_path_fail_the_run() -> None:
    children = {"api": outcome("api", "/api", "a.py"), "database": outcome("database", "/database", "a.py")}
    result = architect(work(phase=1, memo=plan(), children=children))
    assert isinstance(result, Fail)
    assert "a.py" in result.reason


@pytest.mark.parametrize("verified", [True, False])
def test_only_a_verified_project_is_delivered(verified: Any) -> None:
    child = Outcome(key="verification", path="/verification", body="verifier", output=verification(verified=verified))
    result = architect(work(phase=2, memo=plan(), children={"verification": child}))
    assert isinstance(result, Complete if verified else Fail)
    assert result.output.verification.verified is verified


def test_contract() -> None:
    assert ARCHITECT.layer == "l4"
    assert VERIFICATION.delegated
