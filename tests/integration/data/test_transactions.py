"""Transactions of organisations: isolation, the epoch fence, deadlines, cancellation, lost connections."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from shared import deadlines
from shared.clock import ManualClock
from shared.database import CommitUnknownError, ContendedError, Database, ShardUnavailableError, savepoint
from shared.identifiers import new_id
from shared.problems import Problem
from shared.shards import Placement, Shards, SlotMap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from knative.platform.servers import Servers
    from shared.database import Transaction

    Organisation = Callable[[], Awaitable[UUID]]

NOTES = """
CREATE TABLE IF NOT EXISTS notes (org_id uuid, id uuid, said text, PRIMARY KEY (org_id, id));
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own ON notes;
CREATE POLICY own ON notes TO hal9_app USING (org_id = current_setting('hal9.org_id', true)::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO hal9_app;
"""


@asynccontextmanager
async def owner(servers: Servers, shard: int) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(servers.shards_admin_dsn.split(",")[shard])
    try:
        yield connection
    finally:
        await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def notes(servers: Servers) -> AsyncIterator[None]:
    """A table to write to, on every shard."""
    for shard in range(3):
        async with owner(servers, shard) as connection:
            await connection.execute(NOTES)
    yield
    for shard in range(3):
        async with owner(servers, shard) as connection:
            await connection.execute("DROP TABLE notes")


async def write(shards: Shards, org_id: UUID, said: str) -> None:
    async with shards.transaction(org_id) as tx:
        await tx.execute("INSERT INTO notes VALUES ($1, $2, $3)", org_id, new_id(), said)


async def said(shards: Shards, org_id: UUID) -> list[str]:
    async with shards.transaction(org_id, readonly=True) as tx:
        return [row["said"] for row in await tx.fetch("SELECT said FROM notes ORDER BY id")]


async def test_organisations_see_their_own_rows_and_spread_over_the_shards(
    shards: Shards, organisation: Organisation
) -> None:
    organisations = [await organisation() for _ in range(24)]
    for org_id in organisations:
        await write(shards, org_id, str(org_id))
    for org_id in organisations:
        assert await said(shards, org_id) == [str(org_id)]
    placed = {(await shards.locate(org_id)).shard for org_id in organisations}
    assert placed == {0, 1, 2}


async def test_the_slot_map_places_whom_the_directory_then_remembers(shards: Shards) -> None:
    slots = (await shards.topology()).slots
    assert slots.owners == SlotMap.even(3).owners
    org_id = new_id()
    first = await shards.create_organisation(org_id, "eu-central", tier="enterprise")
    assert first == Placement(slots.shard(org_id), "eu-central", 1, "enterprise")
    assert await shards.create_organisation(org_id, "us-west") == first


async def test_an_unknown_organisation_is_a_404(shards: Shards) -> None:
    with pytest.raises(Problem) as caught:
        async with shards.transaction(new_id()):
            pass
    assert (caught.value.slug, caught.value.status) == ("organisation-unknown", 404)


async def test_a_full_disk_is_a_503_that_says_so(shards: Shards, organisation: Organisation) -> None:
    async def write(tx: Transaction) -> None:
        await tx.execute("DO $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$")

    with pytest.raises(Problem) as caught:
        await shards.run(await organisation(), write)
    assert (caught.value.slug, caught.value.status) == ("shard-full", 503)
    assert caught.value.headers["Retry-After"] == "30"


async def test_the_nil_organisation_cannot_be_created(shards: Shards) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await shards.create_organisation(UUID(int=0), "us-west")


async def test_an_error_rolls_everything_back(shards: Shards, organisation: Organisation) -> None:
    org_id = await organisation()

    async def fail(tx: Transaction) -> None:
        await tx.execute("INSERT INTO notes VALUES ($1, $2, 'never')", org_id, new_id())
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await shards.run(org_id, fail)
    assert await said(shards, org_id) == []


async def test_a_swallowed_error_of_a_statement_is_not_taken_for_a_commit(
    shards: Shards, organisation: Organisation
) -> None:
    org_id = await organisation()

    async def swallow(tx: Transaction) -> None:
        await tx.execute("INSERT INTO notes VALUES ($1, $2, 'never')", org_id, new_id())
        with pytest.raises(asyncpg.DivisionByZeroError):
            await tx.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await shards.run(org_id, swallow)
    assert await said(shards, org_id) == []


async def test_a_savepoint_fails_alone(shards: Shards, organisation: Organisation) -> None:
    org_id, note = await organisation(), new_id()
    async with shards.transaction(org_id) as tx:
        await tx.execute("INSERT INTO notes VALUES ($1, $2, 'kept')", org_id, note)
        with pytest.raises(asyncpg.UniqueViolationError):
            async with savepoint(tx):
                await tx.execute("INSERT INTO notes VALUES ($1, $2, 'twice')", org_id, note)
        async with savepoint(tx):
            await tx.execute("INSERT INTO notes VALUES ($1, $2, 'kept, too')", org_id, new_id())
    assert await said(shards, org_id) == ["kept", "kept, too"]


async def test_a_reader_cannot_write(shards: Shards, organisation: Organisation) -> None:
    org_id = await organisation()
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with shards.transaction(org_id, readonly=True) as tx:
            await tx.execute("DELETE FROM notes")


async def test_contention_is_retried_as_a_whole(shards: Shards, organisation: Organisation) -> None:
    org_id = await organisation()
    async with shards.transaction(org_id) as tx:
        await tx.execute("INSERT INTO notes VALUES ($1, $2, '0')", org_id, new_id())
    tries = []

    async def add(tx: Transaction) -> None:
        tries.append(1)
        count = int(await tx.fetchval("SELECT said FROM notes"))
        if len(tries) == 1:
            raise asyncpg.SerializationError("as the server would say")
        await tx.execute("UPDATE notes SET said = $1", str(count + 1))

    await shards.run(org_id, add)
    assert len(tries) == 2
    assert await said(shards, org_id) == ["1"]


async def test_who_finds_what_it_needs_held_each_time_is_told_to_come_again(
    shards: Shards, organisation: Organisation
) -> None:
    org_id = await organisation()
    async with shards.transaction(org_id) as tx:
        await tx.execute("INSERT INTO notes VALUES ($1, $2, '')", org_id, new_id())
    tries = []

    async def change(tx: Transaction) -> None:
        tries.append(1)
        await tx.execute("SET LOCAL lock_timeout = '1ms'")
        await tx.execute("UPDATE notes SET said = 'late'")

    async with shards.transaction(org_id) as holder:
        await holder.execute("UPDATE notes SET said = 'first'")
        with pytest.raises(ContendedError) as caught:
            await shards.run(org_id, change)
    assert (caught.value.status, caught.value.headers["Retry-After"], len(tries)) == (503, "1", 3)
    assert await said(shards, org_id) == ["first"]


async def test_a_deadlock_is_resolved(shards: Shards, organisation: Organisation) -> None:
    org_id, first, second = await organisation(), new_id(), new_id()
    async with shards.transaction(org_id) as tx:
        await tx.executemany("INSERT INTO notes VALUES ($1, $2, '')", [(org_id, first), (org_id, second)])
    both_have_one = asyncio.Barrier(2)
    runs = 0

    async def swap(tx: Transaction, one: UUID, other: UUID) -> None:
        nonlocal runs
        runs += 1
        await tx.execute("UPDATE notes SET said = said || 'x' WHERE id = $1", one)
        if runs <= 2:
            await both_have_one.wait()
        await tx.execute("UPDATE notes SET said = said || 'x' WHERE id = $1", other)

    await asyncio.gather(
        shards.run(org_id, lambda tx: swap(tx, first, second)), shards.run(org_id, lambda tx: swap(tx, second, first))
    )
    assert runs == 3
    assert await said(shards, org_id) == ["xx", "xx"]


async def test_the_deadline_reaches_the_statement(shards: Shards, organisation: Organisation) -> None:
    org_id = await organisation()
    for seconds in (0.2, 0.0):
        with deadlines.deadline(seconds), pytest.raises(Problem) as caught:
            await shards.run(org_id, lambda tx: tx.execute("SELECT pg_sleep(30)"))
        assert (caught.value.slug, caught.value.status) == ("deadline-exceeded", 504)


async def test_a_statement_ends_with_the_deadline_also_when_nobody_waits_for_it(
    shards: Shards, organisation: Organisation
) -> None:
    org_id = await organisation()
    with deadlines.deadline(30):
        async with shards.transaction(org_id) as tx:
            timeout = await tx.fetchval("SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'")
    assert 0 < timeout <= 30_000
    assert await said(shards, org_id) == []


async def test_waiting_for_a_connection_ends_with_the_deadline(servers: Servers, organisation: Organisation) -> None:
    org_id = await organisation()
    few = Shards([Database(dsn, pool_size=1) for dsn in servers.shards_dsn.split(",")])
    try:
        async with few.transaction(org_id):
            with deadlines.deadline(0.05), pytest.raises(Problem) as caught:
                async with few.transaction(org_id):
                    pass
        assert caught.value.slug == "deadline-exceeded"
        assert await said(few, org_id) == []
    finally:
        await few.close()


async def test_a_cancelled_task_gives_a_clean_connection_back(servers: Servers, organisation: Organisation) -> None:
    org_id, other = await organisation(), await organisation()
    few = Shards([Database(dsn, pool_size=1) for dsn in servers.shards_dsn.split(",")])
    try:
        for _ in range(10):
            inside = asyncio.Event()

            async def slow(inside: asyncio.Event = inside) -> None:
                async with few.transaction(org_id) as tx:
                    await tx.execute("INSERT INTO notes VALUES ($1, $2, 'never')", org_id, new_id())
                    inside.set()
                    await tx.execute("SELECT pg_sleep(30)")

            task = asyncio.create_task(slow())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await said(few, org_id) == []
        assert await said(few, other) == []
    finally:
        await few.close()


async def test_nothing_of_a_transaction_stays_on_its_connection(servers: Servers, organisation: Organisation) -> None:
    org_id = await organisation()
    few = Shards([Database(dsn, pool_size=1) for dsn in servers.shards_dsn.split(",")])
    settings = "SELECT current_setting('hal9.org_id') || current_setting('statement_timeout')"
    try:
        placement = await few.locate(org_id)
        database = few.database(placement.shard)
        async with database.connection() as connection:
            before = await connection.fetchval(settings)
        with deadlines.deadline(7):
            await write(few, org_id, "x")
        async with database.connection() as connection:
            assert await connection.fetchval(settings) == before
    finally:
        await few.close()


async def test_whoever_moves_an_organisation_waits_for_its_transactions(
    servers: Servers, shards: Shards, organisation: Organisation
) -> None:
    org_id = await organisation()
    fence = "SELECT 1 FROM tenants WHERE org_id = $1 FOR UPDATE NOWAIT"
    async with owner(servers, (await shards.locate(org_id)).shard) as mover:
        async with shards.transaction(org_id):
            with pytest.raises(asyncpg.LockNotAvailableError):
                await mover.fetchval(fence, org_id)
            async with shards.transaction(org_id):  # others still begin
                pass
        assert await mover.fetchval(fence, org_id) == 1


async def test_an_organisation_that_moved_is_found_at_its_new_place(
    servers: Servers, shards: Shards, organisation: Organisation
) -> None:
    org_id = await organisation()
    old = await shards.locate(org_id)
    new = (old.shard + 1) % 3
    async with owner(servers, old.shard) as source:
        await source.execute("UPDATE tenants SET state = 'draining' WHERE org_id = $1", org_id)
        # Reading goes on while it drains; writing waits, and finds the new place.
        assert await said(shards, org_id) == []
        waiting = asyncio.create_task(write(shards, org_id, "after the move"))
        async with owner(servers, new) as target:
            await target.execute("INSERT INTO tenants (org_id, epoch) VALUES ($1, 2)", org_id)
        async with owner(servers, 0) as directory:
            await directory.execute(
                "UPDATE directory.organisations SET shard = $2, epoch = 2 WHERE org_id = $1", org_id, new
            )
        await source.execute("UPDATE tenants SET state = 'moved' WHERE org_id = $1", org_id)
        await waiting
        assert await said(shards, org_id) == ["after the move"]
        assert await shards.locate(org_id) == Placement(new, "us-west", 2)
        assert await source.fetchval("SELECT count(*) FROM notes WHERE org_id = $1", org_id) == 0


class HastyClock(ManualClock):
    """Whoever sleeps by it wakes at once, later."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


async def test_a_move_that_does_not_end_is_a_503(servers: Servers, organisation: Organisation) -> None:
    org_id, clock = await organisation(), HastyClock()
    waiting = Shards([Database(dsn) for dsn in servers.shards_dsn.split(",")], clock=clock)
    try:
        async with owner(servers, (await waiting.locate(org_id)).shard) as source:
            await source.execute("UPDATE tenants SET state = 'draining' WHERE org_id = $1", org_id)
            with pytest.raises(Problem) as caught:
                await write(waiting, org_id, "never")
    finally:
        await waiting.close()
    assert (caught.value.slug, caught.value.status) == ("organisation-moving", 503)
    assert 1.5 < clock.monotonic() <= 5.0


class CuttingProxy:
    """Stands before a PostgreSQL and cuts a connection at its COMMIT, before or after the server has it.

    Args:
        folder: where its socket is.
        server: the server's socket.
        after: cut once the server has answered, instead of before it is asked.
    """

    def __init__(self, folder: Path, server: Path, *, after: bool) -> None:
        self.dsn = f"postgresql://hal9_app@/hal9?host={folder}&port=5432"
        self.cuts = 1
        self._path = folder / ".s.PGSQL.5432"
        self._server = server
        self._after = after

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CuttingProxy]:
        listening = await asyncio.start_unix_server(self._serve, str(self._path))
        async with listening:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, down = await asyncio.open_unix_connection(str(self._server))
        answers = asyncio.create_task(self._copy(upstream, writer))
        try:
            while data := await reader.read(65536):
                if b"COMMIT" in data and self.cuts:
                    self.cuts -= 1
                    if self._after:
                        answers.cancel()
                        down.write(data)
                        await upstream.read(65536)
                    break
                down.write(data)
        finally:
            answers.cancel()
            down.close()
            writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


@pytest.mark.parametrize("after", [False, True])
async def test_a_connection_lost_during_commit_is_an_unknown_outcome(
    servers: Servers, shards: Shards, organisation: Organisation, short_folder: Path, *, after: bool
) -> None:
    org_id, note = await organisation(), new_id()
    shard = (await shards.locate(org_id)).shard
    server = servers.postgres[shard]
    folder = short_folder / f"cut-{after}"
    folder.mkdir()
    proxy = CuttingProxy(folder, server.run / f".s.PGSQL.{server.port}", after=after)
    dsns = servers.shards_dsn.split(",")
    databases = [Database(proxy.dsn if number == shard else dsn) for number, dsn in enumerate(dsns)]
    if shard == 0:  # the directory is read through it as well: its COMMIT is not the one to cut
        databases[0] = Database(proxy.dsn)
    cut = Shards(databases)

    async def once(tx: Transaction) -> None:
        await tx.execute("INSERT INTO notes VALUES ($1, $2, 'once') ON CONFLICT DO NOTHING", org_id, note)

    async with proxy.running():
        try:
            proxy.cuts = 0
            await cut.locate(org_id)
            proxy.cuts = 1
            with pytest.raises(CommitUnknownError):
                await cut.run(org_id, once)
            assert await said(shards, org_id) == (["once"] if after else [])
            proxy.cuts = 1
            await cut.run(org_id, once, idempotent=True)
            assert proxy.cuts == 0
            assert await said(shards, org_id) == ["once"]
        finally:
            await cut.close()


async def test_a_shard_that_is_not_there_is_a_503(short_folder: Path) -> None:
    absent = Shards([Database(f"postgresql://hal9_app@/hal9?host={short_folder}&port=1")])
    with pytest.raises(ShardUnavailableError):
        await absent.check()
    with pytest.raises(ShardUnavailableError):
        await absent.locate(new_id())
    await absent.close()
