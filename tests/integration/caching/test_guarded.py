"""A cache behind a breaker, and limits: what a cache that never answers, or refuses, costs those who ask."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from shared.cache import Cache, CacheUnavailableError, Script
from shared.caching import Breaker, Guarded
from shared.clock import ManualClock
from shared.identifiers import new_id
from shared.ratelimits import Limit, Limiter
from shared.ratelimits.limiter import LOOK_AGAIN_SECONDS
from tests.valkey_fixture import own_valkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Silent:
    """A server that takes every command and never answers; counts them."""

    def __init__(self) -> None:
        self.heard = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.heard += data.count(b"PING") + data.count(b"EVALSHA")
        writer.close()


@asynccontextmanager
async def silence(folder: Path) -> AsyncIterator[tuple[Silent, Cache]]:
    silent = Silent()
    server = await asyncio.start_unix_server(silent.serve, folder / f"{new_id()}.sock"[-40:])
    path = server.sockets[0].getsockname()
    cache = Cache(f"unix://{path}", 0.05)
    try:
        yield silent, cache
    finally:
        await cache.close()
        server.close()


async def refused(cache: Cache, times: int) -> None:
    outcomes = await asyncio.gather(*(cache.execute("PING") for _ in range(times)), return_exceptions=True)
    assert all(isinstance(outcome, CacheUnavailableError) for outcome in outcomes)


async def test_while_a_cache_is_silent_one_command_a_second_waits_for_it(short_folder: Path) -> None:
    clock = ManualClock()
    async with silence(short_folder) as (silent, cache):
        guarded = Guarded(cache, Breaker(3, 1.0, clock))
        for _ in range(3):
            await refused(guarded, 1)
        heard = silent.heard
        assert heard >= 1
        await refused(guarded, 50)
        assert silent.heard == heard, "nobody waits"
        for _ in range(2):
            clock.advance(1)
            await refused(guarded, 50)
            heard += 1
            assert silent.heard == heard, "one waits"


async def test_those_that_waited_together_are_one_failure(short_folder: Path) -> None:
    async with silence(short_folder) as (_, cache):
        breaker = Breaker(3, 1.0, ManualClock())
        guarded = Guarded(cache, breaker)
        for opened in (False, False, True):
            await refused(guarded, 20)
            assert breaker.open is opened


async def test_a_refusal_counts_as_no_answer_and_an_unknown_script_does_not() -> None:
    clock, script = ManualClock(), Script("return 1")
    async with own_valkey() as server:
        guarded = Guarded(Cache(server.url), Breaker(1, 1.0, clock))
        assert await guarded.run(script, ["a"]) == 1
        await guarded.execute("SCRIPT", "FLUSH")
        assert await guarded.run(script, ["a"]) == 1
        await guarded.execute("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
        with pytest.raises(CacheUnavailableError):
            await guarded.execute("SET", "a", "1")
        await refused(guarded, 5)
        clock.advance(1)
        assert await guarded.execute("PING") == "PONG"
        await guarded.ping()
        await guarded.close()


async def test_a_server_that_was_killed_is_found_again_though_it_has_forgotten_every_script() -> None:
    clock, script = ManualClock(), Script("return 1")
    async with own_valkey() as server:
        guarded = Guarded(Cache(server.url), Breaker(3, 1.0, clock))
        assert await guarded.run(script, ["a"]) == 1
        await server.stop()
        for _ in range(3):
            with pytest.raises(CacheUnavailableError):
                await guarded.run(script, ["a"])
        await server.start()
        clock.advance(1)
        assert await guarded.run(script, ["a"]) == 1
        await guarded.close()


async def test_while_the_cache_is_silent_one_request_a_second_waits_for_the_limits(short_folder: Path) -> None:
    clock = ManualClock()
    async with silence(short_folder) as (silent, cache):
        limiter, asked = Limiter(cache, clock), [(Limit("key", 0.01, 300), "{a}:key")]
        assert not (await limiter.take(asked)).shared
        heard = silent.heard
        for _ in range(3):
            clock.advance(LOOK_AGAIN_SECONDS)
            verdicts = await asyncio.gather(*(limiter.take(asked) for _ in range(50)))
            assert not any(verdict.shared for verdict in verdicts)
            heard += 1
            assert silent.heard == heard, "one waits, the others are limited here at once"
