"""Pools against real servers: never more connections than planned, opened a few at a time, warm before ready."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from shared import deadlines
from shared.clock import ManualClock
from shared.database import Database, DatabaseSettings, ShardUnavailableError
from shared.database.opening import Openings
from shared.identifiers import new_id
from shared.pools import Holder, Plan
from shared.pools.limits import read
from shared.problems import Problem
from shared.randomness import SeededRandomness, uniform
from shared.settings import load
from shared.shards import Shards
from tests.integration.data.test_shard_commands import hal9

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.database import Transaction

HELD = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"


@contextlib.asynccontextmanager
async def counted(dsn: str, application: str) -> AsyncIterator[list[int]]:
    """Counts, all the time, what an application holds on a server; also what the server has not yet seen end."""
    counts = [0]
    watching = await asyncpg.connect(dsn)

    async def watch() -> None:
        while True:
            counts.append(await watching.fetchval(HELD, application))
            await asyncio.sleep(0.002)

    task = asyncio.create_task(watch())
    try:
        yield counts
    finally:
        task.cancel()
        await asyncio.wait([task])
        await watching.close()


async def work(database: Database, statements: int) -> None:
    for _ in range(statements):
        async with database.transaction() as tx:
            await tx.fetchval("SELECT count(*) FROM tenants")


async def test_an_instance_under_load_holds_what_was_planned(servers: Servers) -> None:
    settings = load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_SIZE": "3"})
    shards = Shards.open(settings, application_name="pools-load")
    try:
        async with counted(servers.shards_dsn.split(",")[1], "pools-load") as counts:
            await asyncio.gather(*(work(database, 10) for database in shards.each() for _ in range(40)))
        assert max(counts) == 3
    finally:
        await shards.close()


async def test_requests_that_break_off_leave_no_connection_behind(servers: Servers) -> None:
    settings = load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_SIZE": "4"})
    shards = Shards.open(settings, application_name="pools-breaking")
    chance = random.Random(7)
    database = shards.database(0)

    async def statement() -> None:
        async with database.transaction() as tx:
            await tx.execute("SELECT pg_sleep(0.5)")

    async def broken_off() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(statement(), 0.02 + 0.05 * chance.random())

    try:
        await shards.check()
        async with counted(servers.shards_dsn.split(",")[0], "pools-breaking") as counts:
            await asyncio.gather(*(broken_off() for _ in range(60)))
        assert 0 < max(counts) <= 4  # on a slow machine most break off before they have a connection
    finally:
        await shards.close()


async def test_a_hundred_instances_together_hold_what_was_planned(servers: Servers) -> None:
    dsn = servers.shards_dsn.split(",")[2]
    limits = next(server for server in await read(servers.shards_dsn.split(",")) if server.shards == (2,))
    plan = Plan([limits], [Holder("a hundred", 100, 1, rolls_out=False)])
    assert plan.faults == ()
    instances = [
        Shards.open(
            load(DatabaseSettings, {"HAL9_SHARDS": dsn, "HAL9_POOL_SIZE": "1"}),
            application_name="pools-hundred",
            randomness=SeededRandomness(number),
        )
        for number in range(100)
    ]
    try:
        async with counted(dsn, "pools-hundred") as counts:
            await asyncio.gather(*(work(one.database(0), 3) for one in instances for _ in range(3)))
        assert 50 < max(counts) <= 100
    finally:
        await asyncio.gather(*(one.close() for one in instances))


async def test_a_plan_that_could_exhaust_the_servers_is_refused(servers: Servers) -> None:
    done = await hal9("pools", "plan", "--json", HAL9_SHARDS_ADMIN=servers.shards_admin_dsn)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert [server["shards"] for server in document["servers"]] == [[0], [1], [2]]
    assert {server["limit"] + server["others"] for server in document["servers"]} == {200 - 3 - 5}
    assert len(document["faults"]) == 6
    needed = max(document["advice"]["max_connections"].values())
    enough = await hal9("pools", "plan", "--max-connections", str(needed), "--reserved", "8")
    assert enough.returncode == 0, enough.stdout
    short = await hal9("pools", "plan", "--max-connections", str(needed - 50), "--reserved", "8")
    assert short.returncode == 1
    assert f"max_connections of at least {needed - document['servers'][0]['others']}" in short.stdout


async def test_a_server_that_does_not_answer_is_said(servers: Servers, tmp_path: Path) -> None:
    away = f"{servers.shards_admin_dsn},postgresql://hal9_owner@/hal9?host={tmp_path}&port=5432"
    done = await hal9("pools", "plan", HAL9_SHARDS_ADMIN=away)
    assert done.returncode == 1
    assert "shard 3 does not answer" in done.stderr
    assert "Traceback" not in done.stderr


async def test_shards_of_one_server_are_found_to_be(servers: Servers) -> None:
    dsns = servers.shards_dsn.split(",")
    found = await read([dsns[0], dsns[1], dsns[0]])
    assert [server.shards for server in found] == [(0, 2), (1,)]


async def test_an_instance_opens_few_connections_at_a_time() -> None:
    """Against a server that never answers, so that every attempt can be counted."""
    open_now, most = 0, 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await reader.read(-1)
        open_now -= 1
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    settings = load(
        DatabaseSettings,
        {
            "HAL9_SHARDS": ",".join([f"postgresql://hal9_app@127.0.0.1:{port}/hal9?sslmode=disable"] * 3),
            "HAL9_CONNECT_SECONDS": "0.1",
            "HAL9_POOL_STAGGER_SECONDS": "0",
        },
    )
    shards = Shards.open(settings)
    try:
        with deadlines.deadline(1.0):
            failures = await asyncio.gather(
                *(database.ping() for database in shards.each() for _ in range(6)), return_exceptions=True
            )
        assert all(isinstance(failure, Problem) for failure in failures)
        assert most == settings.pool_openings == 2
    finally:
        await shards.close()
        listening.close()
        await listening.wait_closed()


async def test_instances_that_start_together_connect_one_after_the_other(servers: Servers) -> None:
    clock = ManualClock()
    order: list[int] = []

    async def begin(number: int) -> None:
        openings = Openings(2, 1.0, clock=clock, randomness=SeededRandomness(number))
        connection = await openings.connect(servers.shards_dsn.split(",")[0])
        order.append(number)
        await connection.close()

    tasks = [asyncio.create_task(begin(number)) for number in range(10)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert clock.sleepers == 10
    expected = sorted(range(10), key=lambda number: uniform(SeededRandomness(number)))
    for number in expected:
        clock.advance(uniform(SeededRandomness(number)) - clock.monotonic())
        await tasks[number]
    assert order == expected
    await asyncio.gather(*tasks)


async def test_an_instance_is_ready_for_the_organisations_of_the_others_while_a_shard_is_away(
    servers: Servers, short_folder: Path
) -> None:
    first, *others = servers.shards_dsn.split(",")
    away = f"postgresql://hal9_app@/hal9?host={short_folder}&port=1"
    for dsns, ready in (([first, away, *others], True), ([away, first, *others], False)):
        shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": ",".join(dsns)}), application_name="pools-away")
        try:
            with contextlib.nullcontext() if ready else pytest.raises(ShardUnavailableError):
                await shards.check()
        finally:
            await shards.close()


@pytest.mark.parametrize("size", [1, 4])
async def test_a_ready_instance_has_a_connection_to_every_shard(servers: Servers, size: int) -> None:
    settings = load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_SIZE": str(size)})
    shards = Shards.open(settings, application_name="pools-warm")
    try:
        await shards.check()
        for database in shards.each():
            async with database.connection() as connection:
                begun = await connection.fetchval(
                    "SELECT backend_start < statement_timestamp() AND (SELECT count(*) = 1 FROM pg_stat_activity"
                    " WHERE application_name = 'pools-warm') FROM pg_stat_activity WHERE pid = pg_backend_pid()"
                )
                assert begun
    finally:
        await shards.close()


async def test_who_waits_too_long_for_a_connection_is_told_so(servers: Servers) -> None:
    database = Database(servers.shards_dsn.split(",")[0], pool_size=1, wait_seconds=0.2)
    try:
        await database.ping()
        async with database.connection():
            with pytest.raises(Problem) as caught:
                await database.ping()
            assert (caught.value.slug, caught.value.status) == ("pool-exhausted", 503)
            assert caught.value.headers["Retry-After"] == "1"
            with deadlines.deadline(0.05), pytest.raises(Problem) as late:
                await database.ping()
            assert late.value.slug == "deadline-exceeded"
        await database.ping()
    finally:
        await database.close()


async def test_a_thousand_at_once_are_served_over_a_few_connections(servers: Servers) -> None:
    settings = load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_WAIT_SECONDS": "120"})
    shards = Shards.open(settings, application_name="pools-thousand")
    try:
        organisations = [new_id() for _ in range(20)]
        for org_id in organisations:
            await shards.create_organisation(org_id, "us-west")

        async def user(number: int) -> UUID:
            org_id = organisations[number % len(organisations)]

            async def seen(tx: Transaction) -> UUID:
                found: UUID = await tx.fetchval("SELECT org_id FROM tenants")
                return found

            return await shards.run(org_id, seen)

        async with counted(servers.shards_dsn.split(",")[0], "pools-thousand") as counts:
            answers = await asyncio.gather(*(user(number) for number in range(1000)))
        assert answers == [organisations[number % len(organisations)] for number in range(1000)]
        assert 0 < max(counts) <= settings.pool_size
    finally:
        await shards.close()
