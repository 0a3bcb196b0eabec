"""Running migrations on several shards: once, in order, whole or not at all, never over a wrong ledger."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from shared.database.migrations import MigrationError, ShardAwayError, migrate, status
from shared.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from knative.platform.servers import Servers

PEOPLE = "CREATE TABLE people (org_id uuid PRIMARY KEY, name text);"
MAP = "CREATE TABLE map AS SELECT current_setting('hal9.shard_count')::int AS shards;"
AGES = "ALTER TABLE people ADD COLUMN age int;"
INDEX = "-- hal9: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY by_name ON people (org_id, name);"


@pytest_asyncio.fixture(loop_scope="session")
async def scratch(servers: Servers) -> AsyncIterator[list[str]]:
    """Addresses of three empty databases, one on each server."""
    name = f"scratch_{new_id().hex}"
    superusers = [await asyncpg.connect(server.dsn("postgres")) for server in servers.postgres]
    for connection in superusers:
        await connection.execute(f"CREATE DATABASE {name} OWNER hal9_owner")
    yield [dsn.replace("@/hal9?", f"@/{name}?") for dsn in servers.shards_admin_dsn.split(",")]
    for connection in superusers:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two migrations for each shard, and one for the directory."""
    put(
        tmp_path,
        "directory/0001_map.sql",
        "CREATE TABLE map AS SELECT current_setting('hal9.shard_count')::int AS shards;",
    )
    put(tmp_path, "shard/0001_people.sql", PEOPLE)
    put(tmp_path, "shard/0002_ages.sql", AGES)
    return tmp_path


def put(folder: Path, name: str, sql: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(sql)


async def tables(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {row["tablename"] for row in rows}
    finally:
        await connection.close()


async def test_every_shard_gets_everything_once(scratch: list[str], folder: Path) -> None:
    applied = await migrate(scratch, folder=folder)
    assert sorted((one.shard, one.migration) for one in applied) == [
        (0, "directory/0001_map"),
        *((shard, name) for shard in (0, 1, 2) for name in ("shard/0001_people", "shard/0002_ages")),
    ]
    assert await migrate(scratch, folder=folder) == []
    assert [await tables(dsn) for dsn in scratch] == [{"map", "people"}, {"people"}, {"people"}]
    connection = await asyncpg.connect(scratch[0])
    assert await connection.fetchval("SELECT shards FROM map") == 3
    checksums = await connection.fetch("SELECT checksum FROM migrations.applied WHERE kind = 'shard' ORDER BY version")
    assert [row["checksum"] for row in checksums] == [
        hashlib.sha256(sql.encode()).hexdigest() for sql in (PEOPLE, AGES)
    ]
    await connection.close()


async def test_the_status_says_what_is_pending(scratch: list[str], folder: Path) -> None:
    before = await status(scratch, folder=folder)
    assert [len(one.pending) for one in before] == [3, 2, 2]
    assert await tables(scratch[0]) == set()
    await migrate(scratch, folder=folder)
    after = await status(scratch, folder=folder)
    assert after[1].applied == ("shard/0001_people", "shard/0002_ages")
    assert not any(one.pending or one.faults for one in after)


async def test_ten_at_once_do_the_work_once(scratch: list[str], folder: Path) -> None:
    """One of them makes an index concurrently, for which it waits until nobody has an older snapshot."""
    put(folder, "shard/0003_index.sql", INDEX)
    runs = await asyncio.gather(*(migrate(scratch, folder=folder) for _ in range(10)))
    assert sorted(len(applied) for applied in runs) == [0] * 9 + [10]
    put(folder, "shard/0004_index.sql", INDEX.replace("by_name", "by_the_name"))
    runs = await asyncio.gather(*(migrate(scratch, folder=folder) for _ in range(10)))
    assert sorted(len(applied) for applied in runs) == [0] * 9 + [3]


async def refused(scratch: list[str], folder: Path, match: str) -> None:
    put(folder, "shard/0009_more.sql", "CREATE TABLE more (org_id uuid PRIMARY KEY);")
    with pytest.raises(MigrationError, match=match):
        await migrate(scratch, folder=folder)
    assert "more" not in set().union(*[await tables(dsn) for dsn in scratch])
    assert any(one.faults for one in await status(scratch, folder=folder))


async def test_a_changed_one_is_refused(scratch: list[str], folder: Path) -> None:
    await migrate(scratch, folder=folder)
    put(folder, "shard/0001_people.sql", PEOPLE + " ")
    await refused(scratch, folder, "shard/0001_people was changed after it was applied")


async def test_a_missing_one_is_refused(scratch: list[str], folder: Path) -> None:
    await migrate(scratch, folder=folder)
    (folder / "shard" / "0002_ages.sql").unlink()
    await refused(scratch, folder, "0002_ages was applied, but this release does not have it")


async def test_one_that_comes_too_late_is_refused(scratch: list[str], folder: Path) -> None:
    (folder / "shard" / "0002_ages.sql").rename(folder / "shard" / "0003_ages.sql")
    await migrate(scratch, folder=folder)
    put(folder, "shard/0002_late.sql", "CREATE TABLE late (org_id uuid PRIMARY KEY);")
    await refused(scratch, folder, "0002_late comes before one that was applied already")


async def test_one_wrong_shard_stops_all(scratch: list[str], folder: Path) -> None:
    await migrate(scratch, folder=folder)
    connection = await asyncpg.connect(scratch[2])
    await connection.execute("UPDATE migrations.applied SET checksum = 'other' WHERE version = 2")
    await connection.close()
    await refused(scratch, folder, "shard 2: shard/0002_ages was changed")


async def test_a_failure_leaves_nothing_of_its_migration(scratch: list[str], folder: Path) -> None:
    put(folder, "shard/0003_half.sql", "CREATE TABLE half (org_id uuid PRIMARY KEY); SELECT 1 / 0;")
    with pytest.raises(MigrationError, match="0003_half: division by zero"):
        await migrate(scratch, folder=folder)
    assert [await tables(dsn) for dsn in scratch] == [{"map", "people"}, {"people"}, {"people"}]
    put(folder, "shard/0003_half.sql", "CREATE TABLE whole (org_id uuid PRIMARY KEY);")
    assert [one.migration for one in await migrate(scratch, folder=folder)] == ["shard/0003_half"] * 3


async def test_one_without_a_transaction(scratch: list[str], folder: Path) -> None:
    await migrate(scratch, folder=folder)
    put(folder, "shard/0003_index.sql", INDEX)
    assert len(await migrate(scratch, folder=folder)) == 3


async def test_an_index_that_was_cut_off_is_made_again_and_one_that_was_not_recorded_is_kept(
    scratch: list[str], folder: Path
) -> None:
    await migrate(scratch, folder=folder)
    index = INDEX.replace("org_id, name", "name")
    connections = [await asyncpg.connect(dsn) for dsn in scratch]
    await connections[0].execute(index)  # killed before it was recorded
    await connections[1].execute("INSERT INTO people SELECT gen_random_uuid(), 'Ada' FROM generate_series(1, 2)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connections[1].execute(index)  # cut off
    await connections[1].execute("DELETE FROM people")
    put(folder, "shard/0003_index.sql", index)
    assert [one.shard for one in await migrate(scratch, folder=folder)] == [0, 1, 2]
    for connection in connections:
        assert await connection.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_name'::regclass")
        await connection.close()


async def test_a_lock_that_is_not_to_be_had_is_given_up_and_tried_again(scratch: list[str], folder: Path) -> None:
    (folder / "shard" / "0002_ages.sql").unlink()
    await migrate(scratch, folder=folder)
    put(folder, "shard/0002_ages.sql", AGES)
    holder = await asyncpg.connect(scratch[1])
    watcher = await asyncpg.connect(scratch[1])
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("LOCK TABLE people IN ACCESS SHARE MODE")
    run = asyncio.create_task(migrate(scratch, folder=folder))
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'people'::regclass"
    async with asyncio.timeout(60):
        for wanted in (1, 0):  # it waits, and it gives up: whoever queued behind it goes on
            while await watcher.fetchval(waits) != wanted:  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(0.02)
    await transaction.rollback()
    assert [one.shard for one in await run] == [0, 1, 2]
    await holder.close()
    await watcher.close()


async def test_a_file_with_another_name_is_refused(scratch: list[str], folder: Path) -> None:
    put(folder, "shard/3-Later.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match="call it NNNN_name"):
        await migrate(scratch, folder=folder)
    (folder / "shard" / "3-Later.sql").unlink()
    put(folder, "shard/0002_other.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match="same number"):
        await migrate(scratch, folder=folder)


async def test_a_shard_that_is_away_is_said(short_folder: Path, folder: Path) -> None:
    with pytest.raises(MigrationError, match=r"shard 0 does not answer.*hal9 up"):
        await migrate([f"postgresql://hal9_owner@/hal9?host={short_folder}&port=1"], folder=folder)


async def test_a_shard_that_is_lost_in_a_migration_is_named_and_the_same_goes_on(
    scratch: list[str], folder: Path
) -> None:
    put(folder, "directory/0002_end.sql", "SELECT pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(ShardAwayError, match=r"shard 0 was lost while it was migrated .*: try again when it answers"):
        await migrate(scratch, folder=folder)
    put(folder, "directory/0002_end.sql", "CREATE TABLE ends ();")
    assert [one.migration for one in await migrate(scratch, folder=folder) if one.shard == 0] == [
        "directory/0002_end", "shard/0001_people", "shard/0002_ages",
    ]  # fmt: skip
