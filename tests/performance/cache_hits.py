"""What a cached look-up costs in each level, against a bare GET; how long an invalidation takes to every process."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING

from shared.cache import Cache
from shared.caching import Cached, Coding, Loaded, Memory, Remote
from shared.identifiers import new_id
from tests.performance.benchmark import Benchmark
from tests.performance.results import AtMost, Figure
from tests.valkey_fixture import own_valkey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from tests.performance.benchmark import Conditions

_PROCESSES = 8
_TEXT = Coding(str.encode, bytes.decode)


def measure(conditions: Conditions) -> list[Figure]:
    """CPU of this process for hits; wall time for invalidations."""
    return asyncio.run(_measure(conditions))


async def _measure(conditions: Conditions) -> list[Figure]:
    async with own_valkey() as server:
        return await _figures(server.url, conditions)


class _Process:
    """One process's cache; the others differ only in that they are other processes."""

    def __init__(self, url: str) -> None:
        self.cache, self.memory = Cache(url), Memory(2**20)
        self.remote = Remote(self.cache)
        self.cached = Cached("bench", self._load, _TEXT, memory=self.memory, remote=self.remote)
        self.version = 1

    async def _load(self, org_id: UUID, key: str) -> Loaded[str]:
        return Loaded(self.version, "x" * 200)


async def _figures(url: str, conditions: Conditions) -> list[Figure]:
    processes = [_Process(url) for _ in range(_PROCESSES)]
    one, org_id = processes[0], new_id()
    for process in processes:
        process.remote.start()
    while not all(process.remote.hears for process in processes):  # noqa: ASYNC110 - said by the server
        await asyncio.sleep(0.001)
    await one.cached.get(org_id)
    name = f"cache:{{{org_id}}}:bench:"

    async def shared() -> None:
        one.memory.drop_all("bench")
        await one.cached.get(org_id)

    calls = conditions.rounds(2000, 100)
    memory = await _best(lambda: one.cached.get(org_id), calls * 10)
    found = await _best(shared, calls)
    bare = await _best(lambda: one.cache.execute("GET", name), calls)
    reached = [await _reach(processes, org_id, number) for number in range(2, 2 + conditions.rounds(200, 10))]
    for process in processes:
        await process.remote.stop()
        await process.cache.close()
    return [
        Figure("hit in memory", memory, "us"),
        Figure("hit in the shared cache", found, "us"),
        Figure("bare GET", bare, "us"),
        Figure("shared hit against a bare GET", found / bare, "x"),
        Figure(f"invalidation until {_PROCESSES} processes dropped it, median", median(reached), "ms", AtMost(50)),
        Figure("the same, the slowest", max(reached), "ms", AtMost(50)),
    ]


async def _best(call: Callable[[], Awaitable[object]], calls: int) -> float:
    """CPU microseconds of a call, the best of five rounds."""
    spent = []
    for _ in range(5):
        begun = time.process_time_ns()
        for _ in range(calls):
            await call()
        spent.append((time.process_time_ns() - begun) / calls / 1000)
    return min(spent)


async def _reach(processes: list[_Process], org_id: UUID, version: int) -> float:
    """Milliseconds from the call until nobody has the value."""
    for process in processes:
        await process.cached.get(org_id)
        process.version = version
    begun = time.perf_counter()
    await processes[0].cached.invalidate(org_id, "", version)
    while any(len(process.memory) for process in processes):  # noqa: ASYNC110 - said by the server
        await asyncio.sleep(0)
    return (time.perf_counter() - begun) * 1000


BENCHMARK = Benchmark("cache-hits", "a cached look-up in two levels, and its invalidation", measure)
