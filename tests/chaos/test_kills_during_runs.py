"""kill -9 of PostgreSQL, Valkey, the broker and functions during 20 runs: all finish, nothing is lost or doubled.

The runs are of the tests' own process (`tests/processes/tally.py`), over the project's own functions and a real
platform.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from shared.client import ApiError, Client, UnreachableError
from shared.identifiers import new_id
from shared.neurons.wire import ENDED
from tests.platform_fixture import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.neurons.wire import Run
    from tests.platform_fixture import RunningPlatform

RUNS = 20
LINES = ("one two three", "four five", "six seven eight")
LETTERS = sum(len(line.replace(" ", "")) for line in LINES)
SERVERS = ("postgres-0", "postgres-1", "postgres-2", "valkey", "broker")
FUNCTIONS = ("neuron-l4", "neuron-l3", "neuron-l2", "gateway", "upkeep")
SECONDS = 200.0


@pytest.fixture(scope="module")
def shaken(platforms: Callable[..., RunningPlatform]) -> RunningPlatform:
    made = platforms(functions=None, HAL9_NEURON_PROCESSES="tests.processes.tally:TALLY", HAL9_NEURON_LEASE_SECONDS="2")
    made.up()
    return made


def insisted(ask: Callable[[], Any]) -> Any:
    """Ask until there is an answer: a request may be cut off like anything else."""
    limit = time.monotonic() + SECONDS
    while True:
        try:
            return ask()
        except (ApiError, UnreachableError) as error:
            if time.monotonic() > limit or (isinstance(error, ApiError) and error.status < 500):
                raise
            time.sleep(0.1)


def finished(client: Client) -> Run:
    """Start a run, once, and wait for its end."""
    key = str(new_id())
    run = insisted(lambda: client.runs.start("tally", {"lines": list(LINES), "audit": False}, idempotency_key=key))
    limit = time.monotonic() + SECONDS
    while (found := insisted(lambda: client.runs.get(run.id))).state not in ENDED:
        assert time.monotonic() < limit, f"{run.id} hangs: {found.tree}"
        time.sleep(0.2)
    result: Run = found
    return result


def _said(client: Client, run: Run) -> list[Any]:
    return list(client.runs.watch(run.id))


def test_all_runs_finish_and_each_effect_happens_once(shaken: RunningPlatform) -> None:
    killed: Counter[str] = Counter()
    with (
        Client(shaken.credentials["url"], shaken.credentials["api_key"], tries=10) as client,
        ThreadPoolExecutor(RUNS) as pool,
    ):
        runs = [pool.submit(lambda: finished(client)) for _ in range(RUNS)]
        for name in (name for pair in zip(SERVERS, FUNCTIONS, strict=True) for name in pair):
            before = until(partial(shaken.kill, name), seconds=60) if name in SERVERS else shaken.kill(name)
            killed[name] += len(before)
            time.sleep(0.3)  # lets the damage spread: the next kill hits what is being repaired
        ended = [run.result() for run in runs]
        assert [(run.state, run.output["letters"]) for run in ended] == [("completed", LETTERS)] * RUNS
        for run in ended:
            said = [event.type for event in insisted(partial(_said, client, run))]
            assert (said.count("run.started"), said.count("run.completed")) == (1, 1)
            assert len({step.path for step in run.tree}) == len(run.tree) == 1 + 3 + 8
            assert said.count("step.completed") == len(run.tree)
        assert len({run.id for run in insisted(lambda: list(client.runs.list(process="tally")))}) == RUNS
    assert all(killed[name] == 1 for name in SERVERS)
    assert killed["gateway"] >= 1
    assert sum(killed[name] for name in FUNCTIONS) >= 3
    until(lambda: all(server["pid"] for server in shaken.status()["servers"].values()), seconds=60)
    until(lambda: shaken.status()["broker"].get("queued") == 0, seconds=60)
    assert shaken.status()["broker"]["dead_letters"] == 0
