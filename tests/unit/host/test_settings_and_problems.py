"""Settings, problems, deadlines: what everything else stands on."""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from shared import deadlines, problems
from shared.problems import Problem, problem_response
from shared.settings import SettingsError, described, load, registered, setting, settings

ROOT = Path(__file__).resolve().parents[3]


@settings
class Example:
    """Settings of an example."""

    text: str = setting("EXAMPLE_TEXT", doc="A text.")
    count: int = setting("EXAMPLE_COUNT", default=3, doc="How many.", minimum=1, maximum=9)
    ratio: float = setting("EXAMPLE_RATIO", default=0.5, doc="How much.")
    on: bool = setting("EXAMPLE_ON", default=False, doc="Whether.")
    folder: Path | None = setting("EXAMPLE_FOLDER", default=None, doc="Where.")
    key: int = setting("EXAMPLE_KEY", default=1, doc="A secret number.", secret=True)
    choice: str = setting("EXAMPLE_CHOICE", default="a", doc="Which.", choices=("a", "b"))


def test_settings_have_their_types() -> None:
    found = load(
        Example,
        {
            "EXAMPLE_TEXT": "x",
            "EXAMPLE_COUNT": "9",
            "EXAMPLE_RATIO": "1e-3",
            "EXAMPLE_ON": "Yes",
            "EXAMPLE_FOLDER": "/a/b",
        },
    )
    assert found == Example(text="x", count=9, ratio=0.001, on=True, folder=Path("/a/b"), key=1, choice="a")
    assert load(Example, {"EXAMPLE_TEXT": "x", "EXAMPLE_COUNT": ""}).count == 3


def test_every_fault_is_named_at_once_and_no_secret_is() -> None:
    wrong = {
        "EXAMPLE_COUNT": "10",
        "EXAMPLE_RATIO": "nan",
        "EXAMPLE_ON": "perhaps",
        "EXAMPLE_KEY": "hunter2",
        "EXAMPLE_CHOICE": "c",
    }
    with pytest.raises(SettingsError) as caught:
        load(Example, wrong)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "EXAMPLE_TEXT",
        "EXAMPLE_COUNT",
        "EXAMPLE_RATIO",
        "EXAMPLE_ON",
        "EXAMPLE_KEY",
        "EXAMPLE_CHOICE",
    ]
    assert "hunter2" not in str(caught.value)
    assert "A text." in str(caught.value)


def test_settings_are_in_the_reference() -> None:
    found = next(cls for name, cls in registered().items() if name.endswith("Example"))
    assert [about.env for _, about in described(found)][:2] == ["EXAMPLE_TEXT", "EXAMPLE_COUNT"]


def test_a_problem_is_rfc_9457s_document() -> None:
    problem = Problem("conflict", detail="No.", headers={"Retry-After": "3"}, thing="x", status_of_thing=1)
    response = problem_response(problem)
    assert (response.status_code, response.headers["content-type"]) == (409, "application/problem+json")
    assert response.headers["retry-after"] == "3"
    assert json.loads(bytes(response.body)) == {
        "type": "urn:hal9:problem:conflict",
        "title": problems.registered()["conflict"].title,
        "status": 409,
        "detail": "No.",
        "thing": "x",
        "status_of_thing": 1,
    }


def test_members_cannot_replace_rfc_9457s_own() -> None:
    assert Problem("conflict", type="mine").document()["type"] == "urn:hal9:problem:conflict"


def test_a_slug_has_one_meaning() -> None:
    known = problems.registered()["conflict"]
    assert problems.register(known.slug, known.status, known.title, known.remedy) == known
    with pytest.raises(ValueError, match="conflict"):
        problems.register("conflict", 400, "Other", "Other.")


def test_every_slug_in_the_source_is_registered() -> None:
    used: dict[str, str] = {}
    known: set[str] = set(problems.registered())
    for folder in ("shared", "events", "functions", "knative"):
        for path in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
                    name = ast.unparse(call.func).rpartition(".")[2]
                    slug = call.args[0].value
                    if name == "Problem" and isinstance(slug, str):
                        used[slug] = str(path)
                    elif name.startswith("register") and isinstance(slug, str):
                        known.add(slug)
    assert {slug: path for slug, path in used.items() if slug not in known} == {}


_MISSING = r"""
import importlib, re, sys
from pathlib import Path
importlib.import_module(sys.argv[1])
from shared.problems import registered
ours = {"shared", "events", "functions"}
files = [module.__file__ for name, module in list(sys.modules.items()) if name.partition(".")[0] in ours]
sources = [Path(file).read_text() for file in files if file]
used = {slug for source in sources for slug in re.findall(r'Problem\(\s*"([a-z-]+)"', source)}
assert used
print(*sorted(used - set(registered())))
"""


@pytest.mark.parametrize(
    "name", [path.name for path in sorted((ROOT / "functions").iterdir()) if (path / "main.py").is_file()]
)
def test_each_function_knows_every_slug_that_it_may_answer_with(name: str) -> None:
    command = [sys.executable, "-c", _MISSING, f"functions.{name}.main", str(ROOT)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_an_inner_deadline_never_ends_later() -> None:
    now = [0.0]
    with deadlines.deadline(5, lambda: now[0]) as outer:
        now[0] = 1.0
        with deadlines.deadline(10, lambda: now[0]) as inner:
            assert inner.remaining() == 4.0
            assert deadlines.remaining(2.0) == 2.0
            now[0] = 9.0
            assert inner.expired
            assert deadlines.remaining(2.0) == 0.0
        with deadlines.no_deadline():
            assert deadlines.current() is None
        assert deadlines.current() is outer
    assert deadlines.current() is None
    assert deadlines.remaining(7.0) == 7.0


async def test_a_deadline_goes_into_tasks_that_are_started_under_it() -> None:
    async def child() -> bool:
        return deadlines.current() is not None

    with deadlines.deadline(5):
        assert await asyncio.create_task(child())
    assert not await asyncio.create_task(child())
