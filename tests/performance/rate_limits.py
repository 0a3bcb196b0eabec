"""What the door's one call to the cache costs: three limits and two look-ups, against a bare GET of the same server."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from functions.gateway.settings import Limits
from shared.cache import Cache
from shared.identifiers import new_id
from shared.quotas.gates import gate
from shared.ratelimits import Limit, Limiter
from tests.performance.benchmark import Benchmark
from tests.performance.results import Figure
from tests.valkey_fixture import own_valkey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.performance.benchmark import Conditions

_ROUNDS = 10
_WIDE = Limits(*(Limit(name, 1e6, 1_000_000) for name in ("key", "user", "organisation", "route")))


def measure(conditions: Conditions) -> list[Figure]:
    """CPU of this process and wall time of a call, one at a time."""
    return asyncio.run(_measure(conditions))


async def _measure(conditions: Conditions) -> list[Figure]:
    async with own_valkey() as server:
        cache = Cache(server.url)
        org_id, key_id = new_id(), new_id()
        limiter, one = Limiter(cache), _WIDE.of_key(org_id, key_id, "GET /v1/runs")
        looked_up = [f"hal9:{{{org_id}}}:revoked:{key_id}", gate(org_id)]
        await cache.execute("SET", gate(org_id), b"x" * 60)

        async def door() -> None:
            assert (await limiter.take(one, looked_up)).shared

        bare, single, whole = await _best(
            [lambda: cache.execute("GET", gate(org_id)), lambda: limiter.take(one[:1]), door],
            conditions.rounds(1500, 50),
        )
        await cache.close()
    return [
        Figure("bare GET", bare[1], "us"),
        Figure("one limit", single[1], "us"),
        Figure("three limits and two look-ups", whole[1], "us"),
        Figure("the door's call against a bare GET", whole[1] / bare[1], "x"),
        Figure("the same, CPU of the calling process", whole[0] / bare[0], "x"),
        Figure("the same against a GET for each of its five keys, one after the other", whole[1] / (5 * bare[1]), "x"),
    ]


async def _best(contenders: Sequence[Callable[[], Awaitable[object]]], calls: int) -> list[tuple[float, float]]:
    """CPU and wall microseconds of a call, each the best of some rounds, which the contenders take in turns."""
    cpu: list[list[float]] = [[] for _ in contenders]
    wall: list[list[float]] = [[] for _ in contenders]
    for _ in range(_ROUNDS):
        for place, call in enumerate(contenders):
            begun, since = time.process_time_ns(), time.perf_counter_ns()
            for _ in range(calls):
                await call()
            cpu[place].append((time.process_time_ns() - begun) / calls / 1000)
            wall[place].append((time.perf_counter_ns() - since) / calls / 1000)
    return [(min(one), min(other)) for one, other in zip(cpu, wall, strict=True)]


BENCHMARK = Benchmark("rate-limits", "the door's one call to the cache: limits, revocation, quota", measure)
