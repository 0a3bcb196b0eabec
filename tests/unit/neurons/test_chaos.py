"""Points kill the process once, at the pass that was asked for, and are nothing otherwise."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared import chaos

ROOT = Path(__file__).parents[3]
PROGRAM = """
from shared import chaos
here = chaos.register("test.here", "There.")
for number in range(4):
    print(number, flush=True)
    chaos.point(here)
"""


def passes(home: Path, kill: str | None) -> tuple[int, list[str]]:
    """Run the program: its return code and how far it came."""
    environment = {**os.environ, "HAL9_HOME": str(home)}
    if kill is not None:
        environment["HAL9_CHAOS_KILL"] = kill
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.split()


def test_a_point_is_nothing_until_it_is_asked_for(tmp_path: Path) -> None:
    assert passes(tmp_path, None) == (0, ["0", "1", "2", "3"])
    assert passes(tmp_path, "another.point") == (0, ["0", "1", "2", "3"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kill", "reached"), [("test.here", 1), ("test.here:3", 3), ("other:1, test.here:2 ,third", 2)]
)
def test_it_kills_at_that_pass_and_once_for_each_home(tmp_path: Path, kill: str, reached: int) -> None:
    assert passes(tmp_path, kill) == (-signal.SIGKILL, [str(number) for number in range(reached)])
    assert passes(tmp_path, kill) == (0, ["0", "1", "2", "3"])
    assert passes(tmp_path / "other", kill)[0] == -signal.SIGKILL


def test_a_name_means_one_point() -> None:
    name = chaos.register("test.unique", "One.")
    assert chaos.register("test.unique", "One.") == name
    with pytest.raises(ValueError, match="twice"):
        chaos.register("test.unique", "Another.")


def test_an_observer_sees_every_pass_and_may_stand_for_a_kill() -> None:
    seen: list[str] = []
    with chaos.observed(seen.append):
        chaos.point("a")
        chaos.point("b")
    chaos.point("c")
    assert seen == ["a", "b"]

    def kill(name: str) -> None:
        raise chaos.Killed(name)

    def guarded() -> None:
        try:
            chaos.point("a")
        except Exception:  # noqa: BLE001 - as broad as a handler in real code may be
            pytest.fail("an ordinary handler survived a kill")

    with chaos.observed(kill), pytest.raises(chaos.Killed):
        guarded()


def test_the_command_lists_every_point_with_what_must_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "knative.cli.main", "chaos", "points", "--json"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    points = {point["name"]: point["doc"] for point in json.loads(done.stdout)["points"]}
    assert {
        "run.start.committed", "step.claim.before_commit", "step.claim.committed", "step.work.done",
        "step.completion.before_commit", "step.completion.committed", "step.backward.planned", "step.call.reserved",
        "step.call.answered", "step.call.settled", "step.answer.before_commit", "step.answer.committed",
        "step.undelivered.committed", "run.cancel.committed", "sweep.found", "sweep.expired.committed",
        "deadletter.before_commit", "deadletter.committed", "relay.before_publish", "relay.published",
    } <= points.keys()  # fmt: skip
    assert all(doc.endswith(".") and len(doc) > 30 for doc in points.values())
