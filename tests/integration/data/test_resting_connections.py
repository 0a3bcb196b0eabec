"""Connections that are kept at hand for a moment: the pool's rules hold all the same."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from shared.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knative.platform.servers import Servers


@asynccontextmanager
async def opened(servers: Servers, size: int = 1) -> AsyncIterator[Database]:
    database = Database(servers.shards_dsn.split(",")[0], pool_size=size)
    try:
        yield database
    finally:
        await database.close()


async def backend(database: Database) -> int:
    async with database.connection() as connection:
        found: int = await connection.fetchval("SELECT pg_backend_pid()")
        return found


def idle(database: Database) -> int:
    """How many connections the pool itself has to give."""
    assert database._pool is not None
    return database._pool.get_idle_size()


async def test_a_connection_stays_at_hand_and_goes_back_to_the_pool(servers: Servers) -> None:
    async with opened(servers) as database:
        first = await backend(database)
        assert (len(database._resting), idle(database)) == (1, 0)
        assert await backend(database) == first
        await database._resting.empty()
        assert (len(database._resting), idle(database)) == (0, 1)
        assert await backend(database) == first


async def test_it_goes_back_by_itself_when_nobody_wants_it(servers: Servers) -> None:
    async with opened(servers) as database:
        await backend(database)
        timer = database._resting._timer
        assert timer is not None
        assert not timer.cancelled()
        timer._run()  # its moment has come
        timer.cancel()
        async with asyncio.timeout(20):
            await asyncio.wait(set(database._resting._going))
        assert (len(database._resting), idle(database)) == (0, 1)


async def test_whoever_waits_gets_it(servers: Servers) -> None:
    async with opened(servers) as database, asyncio.timeout(20):
        async with database.connection() as connection:
            waiting = asyncio.create_task(backend(database))
            await asyncio.sleep(0)
            assert database._resting.wanted == 1
            mine = await connection.fetchval("SELECT pg_backend_pid()")
        assert await waiting == mine
        assert database._resting.wanted == 0


async def test_no_more_than_the_pool_has(servers: Servers) -> None:
    async with opened(servers, size=2) as database:
        found = await asyncio.gather(*(backend(database) for _ in range(20)))
        assert len(set(found)) <= 2


async def test_one_that_was_lost_at_rest_is_not_given(servers: Servers) -> None:
    admin = await asyncpg.connect(servers.postgres[0].dsn("postgres"))
    try:
        async with opened(servers) as database, asyncio.timeout(20):
            first = await backend(database)
            [resting] = database._resting._connections
            lost = asyncio.Event()
            resting.add_termination_listener(lambda _connection: lost.set())
            await admin.execute("SELECT pg_terminate_backend($1, 10000)", first)
            await lost.wait()
            assert await backend(database) != first
    finally:
        await admin.close()


async def test_one_that_is_in_a_transaction_is_not_kept(servers: Servers) -> None:
    async with opened(servers) as database:
        async with database.connection() as connection:
            await connection.execute("BEGIN")
        assert len(database._resting) == 0
