"""Reads from a replica: never older than their bookmark, whatever the replica does; promotion by hand."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from shared.database import Database, DatabaseSettings, hosts
from shared.identifiers import new_id
from shared.problems import Problem
from shared.replicas.lsn import Bookmark, Lsn, parse, spell
from shared.replicas.observing import observe
from shared.settings import load
from shared.shards import Shards
from shared.shards.survey import survey
from shared.telemetry import metrics
from tests.replicas_fixture import Pair, pair, signal_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from shared.database import Transaction


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def one() -> AsyncIterator[Pair]:
    async with pair() as made:
        yield made


def served(by: str, why: str = "") -> float:
    return metrics.counter("hal9_replica_reads_total", "", ("by", "why")).value(by, why)


async def write(shards: Shards, org_id: UUID) -> UUID:
    entry = new_id()
    await shards.run(org_id, lambda tx: tx.execute("INSERT INTO ledger VALUES ($1, $2)", org_id, entry))
    return entry


async def there(shards: Shards, org_id: UUID, entry: UUID, after: Bookmark | None) -> bool:
    async def look(tx: Transaction) -> Any:
        return await tx.fetchval("SELECT EXISTS (SELECT FROM ledger WHERE id = $1)", entry)

    return bool(await shards.run(org_id, look, readonly=True, after=after))


async def test_a_read_sees_what_was_written_before_its_bookmark(one: Pair) -> None:
    org_id = await one.organisation("free")
    before = served("replica")
    for _ in range(300):
        entry = await write(one.shards, org_id)
        assert await there(one.shards, org_id, entry, await one.shards.bookmark(org_id))
    assert served("replica") - before > 30


async def test_without_a_bookmark_worth_its_name_a_replica_is_behind(one: Pair) -> None:
    """What the bookmark is for: the same reads, given one of the beginning of time, miss some."""
    org_id = await one.organisation("free")
    async with one.shard.superuser(one.shard.replica) as connection:
        await connection.execute("SELECT pg_wal_replay_pause()")
        try:
            entry = await write(one.shards, org_id)
            bookmark = await one.shards.bookmark(org_id)
            early = Bookmark(0, Lsn(0))
            async with asyncio.timeout(30):
                while True:  # until a replica serves: the first ones may come while a connection is opened
                    before = served("replica")
                    found = await there(one.shards, org_id, entry, early)
                    if served("replica") > before:
                        break
            assert not found
            assert await there(one.shards, org_id, entry, bookmark)
        finally:
            await connection.execute("SELECT pg_wal_replay_resume()")


async def test_a_replica_that_hangs_is_ejected_and_comes_back(one: Pair) -> None:
    org_id = await one.organisation("free")
    entry = await write(one.shards, org_id)
    bookmark = await one.shards.bookmark(org_id)
    ejections = metrics.counter("hal9_replica_ejections_total", "")
    ejected = ejections.value()
    signal_all(one.shard.replica, signal.SIGSTOP)
    try:
        async with asyncio.timeout(60):
            while ejections.value() == ejected:
                assert await there(one.shards, org_id, entry, bookmark)
        alone = served("primary", "ejected")
        assert await there(one.shards, org_id, entry, bookmark)
        assert served("primary", "ejected") == alone + 1
    finally:
        signal_all(one.shard.replica, signal.SIGCONT)
    before = served("replica")
    async with asyncio.timeout(60):
        while served("replica") == before:
            assert await there(one.shards, org_id, entry, bookmark)
            await asyncio.sleep(0.01)


async def test_a_bookmark_from_the_future_ejects_nobody(one: Pair) -> None:
    """Anybody may make one up: it counts neither for nor against the replica."""
    org_id = await one.organisation("free")
    entry = await write(one.shards, org_id)
    behind, nowhere = served("primary", "behind"), served("primary", "nowhere")
    async with asyncio.timeout(60):
        while served("primary", "nowhere") < nowhere + 5:
            assert await there(one.shards, org_id, entry, Bookmark(0, Lsn(2**64 - 1)))
            assert served("primary", "behind") == behind


async def test_a_replica_that_lags_is_ejected_and_comes_back(one: Pair) -> None:
    org_id = await one.organisation("free")
    async with one.shard.superuser(one.shard.replica) as connection:
        await connection.execute("SELECT pg_wal_replay_pause()")
        try:
            entry = await write(one.shards, org_id)
            bookmark = await one.shards.bookmark(org_id)
            alone = served("primary", "ejected")
            async with asyncio.timeout(60):
                while served("primary", "ejected") == alone:
                    assert await there(one.shards, org_id, entry, bookmark)
        finally:
            await connection.execute("SELECT pg_wal_replay_resume()")
    before = served("replica")
    async with asyncio.timeout(60):
        while served("replica") == before:
            assert await there(one.shards, org_id, entry, bookmark)
            await asyncio.sleep(0.01)


async def test_a_bookmark_of_another_shard_means_nothing_here(one: Pair) -> None:
    org_id = await one.organisation("free")
    entry = await write(one.shards, org_id)
    before = served("replica")
    assert await there(one.shards, org_id, entry, Bookmark(7, Lsn(0)))
    assert served("replica") == before


async def test_promotion_by_hand_loses_nothing_and_running_processes_follow(one: Pair) -> None:
    await one.synchronous()
    org_id = await one.organisation("free")
    entries = {await write(one.shards, org_id) for _ in range(20)}
    old = one.shard.primary
    async with one.shard.superuser(old) as connection:
        await connection.fetchval("SELECT pg_create_logical_replication_slot('of_a_move', 'pgoutput')")
    done = await one.keeper.promote(0)
    assert (done.primary, done.behind_bytes) == (one.shard.primary.name, 0)
    assert one.shard.primary is not old
    assert await one.written(org_id) == entries
    entries.add(await write(one.shards, org_id))
    await one.synchronous()
    assert await one.written(org_id) == entries
    # What it kept the log for as a primary must not be there when it is one again.
    async with one.shard.superuser(old) as connection, asyncio.timeout(60):
        while await connection.fetchval("SELECT count(*) FROM pg_replication_slots"):  # noqa: ASYNC110 - a server
            await asyncio.sleep(0.02)


async def test_a_replica_that_died_is_started_again_and_survey_shows_it(one: Pair) -> None:
    await one.synchronous()
    signal_all(one.shard.replica, signal.SIGKILL)
    await one.until(lambda: not one.shard.replica.alive)
    async with asyncio.timeout(60):
        while True:
            (report,) = await survey([one.servers.shards_admin_dsn])
            assert report.error is None
            if [(replica.name, replica.state) for replica in report.replication] == [
                (one.shard.replica.name, "streaming")
            ]:
                return


async def test_what_is_observed_of_a_shard_with_a_replica(one: Pair) -> None:
    await one.synchronous()
    up, behind = (metrics.gauge(name, "", ("shard",)) for name in ("hal9_replica_up", "hal9_replica_lag_bytes"))
    async with one.shard.superuser(one.shard.replica) as connection:
        await connection.execute("SELECT pg_wal_replay_pause()")
        try:
            await write(one.shards, await one.organisation("free"))
            await observe(one.shards)
        finally:
            await connection.execute("SELECT pg_wal_replay_resume()")
    assert list(up.samples()) == ['hal9_replica_up{shard="0"} 1']
    (line,) = behind.samples()
    assert int(line.rpartition(" ")[2]) > 0
    generation = one.shard.record.generation
    primary = metrics.gauge("hal9_primary_generation", "", ("shard",))
    assert list(primary.samples()) == [f'hal9_primary_generation{{shard="0"}} {generation}']


async def test_an_address_of_several_hosts_finds_the_primary(one: Pair) -> None:
    assert len(hosts.hosts(one.servers.shards_dsn)) == 2
    connection = await hosts.connect(one.servers.shards_dsn)
    assert not await connection.fetchval("SELECT pg_is_in_recovery()")
    await connection.close()
    address = hosts.of_replicas(one.servers.shards_dsn)
    assert address is not None
    connection = await hosts.connect(address)
    assert await connection.fetchval("SELECT pg_is_in_recovery()")
    await connection.close()
    with pytest.raises(hosts.NoSuchHostError):
        await hosts.connect(one.servers.shards_dsn.replace(str(one.shard.primary.port), str(one.shard.replica.port)))


async def test_shards_without_replicas_serve_bookmarked_reads_themselves(shards: Shards) -> None:
    org_id = new_id()
    await shards.create_organisation(org_id, "us-west")
    assert await shards.bookmark(org_id) is None
    early = Bookmark(0, Lsn(0))
    assert await shards.run(org_id, lambda tx: tx.fetchval("SELECT 1"), readonly=True, after=early) == 1


def test_positions_and_bookmarks_are_read_as_they_are_written() -> None:
    assert spell(parse("16/B374D848")) == "16/B374D848"
    assert Bookmark.read(str(Bookmark(2, parse("16/B374D848")))) == Bookmark(2, parse("16/B374D848"))
    assert Bookmark.read("2") == Bookmark(2, Lsn(0))
    assert Bookmark(2, Lsn(9)).joined(Bookmark(2, Lsn(10))) == Bookmark(2, Lsn(10)).joined(Bookmark(2, Lsn(9)))
    assert Bookmark(2, Lsn(9)).joined(Bookmark(2, Lsn(10))) == Bookmark(2, Lsn(10))
    assert Bookmark(2, Lsn(9)).joined(Bookmark(1, Lsn(10))) is None
    assert [Bookmark.read(text) for text in ("", "1.", "1.x", "1.2.3", "-1.2", "1." + "f" * 17)] == [None] * 6
    with pytest.raises(ValueError, match="no position"):
        parse("16-B3")


def test_addresses_without_a_list_of_hosts_stay_as_they_are() -> None:
    assert hosts.hosts("postgresql://hal9_app@db/hal9") == ("postgresql://hal9_app@db/hal9",)
    assert hosts.of_replicas("postgresql://hal9_app@db/hal9") is None
    assert hosts.hosts("postgresql://a:b@/hal9?host=x%2Cy&sslmode=require") == (
        "postgresql://a:b@/hal9?host=x&port=5432&sslmode=require",
        "postgresql://a:b@/hal9?host=y&port=5432&sslmode=require",
    )
    with pytest.raises(ValueError, match="number of ports"):
        hosts.hosts("postgresql://a@/hal9?host=x%2Cy%2Cz&port=1%2C2")


def test_who_waits_for_a_replica() -> None:
    shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": "postgresql://hal9_app@/hal9?host=x%2Cy"}))
    assert shards.directory.replicated


async def test_a_pool_of_replicas_waits_as_long_as_that_of_the_primary(one: Pair) -> None:
    database = Database(one.servers.shards_dsn, pool_size=1, wait_seconds=0.05)
    replicas = database.of_replicas()
    assert replicas is not None
    try:
        for pool in (database, replicas):
            async with pool.connection():
                with pytest.raises(Problem, match="pool-exhausted"):
                    await pool.ping()
    finally:
        await database.close()
        await replicas.close()
