"""Runs of `tally` for tests that break things meanwhile: started once, insisted upon, judged from outside."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from shared.client import ApiError, UnreachableError
from shared.identifiers import new_id
from shared.neurons.wire import ENDED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.client import Client
    from shared.neurons.wire import Run, RunEvent

LINES: Final = ("one two three", "four five", "six seven eight")
SECONDS: Final = 200.0


def insisted(ask: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Ask until there is an answer: a request may be cut off like anything else."""
    limit = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except (ApiError, UnreachableError) as error:
            if time.monotonic() > limit or (isinstance(error, ApiError) and error.status < 500):
                raise
            time.sleep(0.1)


def started(client: Client, lines: Sequence[str] = LINES, seconds: float = SECONDS) -> Run:
    """Start a run, once."""
    key = str(new_id())
    run: Run = insisted(
        lambda: client.runs.start("tally", {"lines": list(lines), "audit": False}, idempotency_key=key), seconds
    )
    return run


def ended(client: Client, run: Run, seconds: float = SECONDS, pause: float = 0.2) -> Run:
    """Wait for a run's end, asking with pauses."""
    limit = time.monotonic() + seconds
    while (found := insisted(lambda: client.runs.get(run.id), seconds)).state not in ENDED:
        assert time.monotonic() < limit, f"{run.id} hangs: {found.tree}"
        time.sleep(pause)
    result: Run = found
    return result


def finished(client: Client, lines: Sequence[str] = LINES, seconds: float = SECONDS, pause: float = 0.2) -> Run:
    """Start a run, once, and wait for its end, asking with pauses."""
    return ended(client, started(client, lines, seconds), seconds, pause)


def told(client: Client, run: Run) -> list[RunEvent]:
    """Give everything that a run which has ended told of itself."""
    return list(client.runs.watch(run.id))


def assert_each_effect_once(client: Client, runs: Sequence[Run], lines: Sequence[str] = LINES) -> None:
    """See that runs of these lines completed, each once, with every step once and no letter lost or doubled."""
    letters = sum(len(line.replace(" ", "")) for line in lines)
    steps = 1 + len(lines) + sum(len(line.split()) for line in lines)
    assert [(run.state, run.output["letters"]) for run in runs] == [("completed", letters)] * len(runs)
    for run in runs:
        said = [event.type for event in insisted(partial(told, client, run))]
        assert (said.count("run.started"), said.count("run.completed")) == (1, 1)
        assert len({step.path for step in run.tree}) == len(run.tree) == steps
        assert said.count("step.completed") == len(run.tree)
