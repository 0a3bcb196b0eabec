"""kill -9 of PostgreSQL, Valkey, the broker and functions during 20 runs: all finish, nothing is lost or doubled.

The runs are of the tests' own process (`tests/processes/tally.py`), over the project's own functions and a real
platform.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.platform_fixture import until
from tests.processes.tally_runs import assert_each_effect_once, finished, insisted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.platform_fixture import RunningPlatform

RUNS = 20
SERVERS = ("postgres-0", "postgres-1", "postgres-2", "valkey", "broker")
FUNCTIONS = ("neuron-l4", "neuron-l3", "neuron-l2", "gateway", "upkeep")


@pytest.fixture(scope="module")
def shaken(platforms: Callable[..., RunningPlatform]) -> RunningPlatform:
    made = platforms(functions=None, HAL9_NEURON_PROCESSES="tests.processes.tally:TALLY", HAL9_NEURON_LEASE_SECONDS="2")
    made.up()
    return made


def test_all_runs_finish_and_each_effect_happens_once(shaken: RunningPlatform) -> None:
    killed: Counter[str] = Counter()
    with (
        shaken.client(tries=10) as client,
        ThreadPoolExecutor(RUNS) as pool,
    ):
        runs = [pool.submit(lambda: finished(client)) for _ in range(RUNS)]
        for name in (name for pair in zip(SERVERS, FUNCTIONS, strict=True) for name in pair):
            before = until(partial(shaken.kill, name), seconds=60) if name in SERVERS else shaken.kill(name)
            killed[name] += len(before)
            time.sleep(0.3)  # lets the damage spread: the next kill hits what is being repaired
        assert_each_effect_once(client, [run.result() for run in runs])
        assert len({run.id for run in insisted(lambda: list(client.runs.list(process="tally")))}) == RUNS
    assert all(killed[name] == 1 for name in SERVERS)
    assert killed["gateway"] >= 1
    assert sum(killed[name] for name in FUNCTIONS) >= 3
    until(lambda: all(server["pid"] for server in shaken.status()["servers"].values()), seconds=60)
    until(lambda: shaken.status()["broker"].get("queued") == 0, seconds=60)
    assert shaken.status()["broker"]["dead_letters"] == 0
