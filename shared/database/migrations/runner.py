"""Running migrations on all shards, and knowing which ran."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.database import hosts
from shared.database.migrations.files import FOLDER, LedgerError, Migration, MigrationError, ShardAwayError, read
from shared.database.migrations.statements import split
from shared.database.pooler import is_direct
from shared.database.retry import is_connection_lost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

_LOCK: Final = 0x48414C39  # "HAL9"
_LOCK_TIMEOUT: Final = "3s"
_LOCK_TRIES: Final = 5
_WAIT_SECONDS: Final = 120.0
_LOCK_PAUSE_SECONDS: Final = 0.1
_INDEX: Final = re.compile(r"create (?:unique )?index concurrently (?:if not exists )?(?P<name>[^ (]+) on ")

_LEDGER: Final = """
CREATE SCHEMA IF NOT EXISTS migrations;
CREATE TABLE IF NOT EXISTS migrations.applied (
    kind         text NOT NULL,
    version      int NOT NULL,
    name         text NOT NULL,
    checksum     text NOT NULL,
    applied_at   timestamptz NOT NULL DEFAULT now(),
    milliseconds int NOT NULL,
    PRIMARY KEY (kind, version)
);
"""


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration that this run applied to one shard."""

    shard: int
    migration: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """What one shard has and lacks.

    Attributes:
        shard: its number.
        applied: what ran, in order.
        pending: what has not run yet, in order.
        faults: why `migrate` would refuse; empty when it would not.
    """

    shard: int
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    faults: tuple[str, ...]


async def migrate(admin_dsns: Sequence[str], *, folder: Path = FOLDER) -> list[Applied]:
    """Bring every shard up to date.

    Args:
        admin_dsns: addresses for the role hal9_owner, in shard order.
        folder: where the migrations are.

    Raises:
        LedgerError: a ledger does not fit the files.
        ShardAwayError: a shard does not answer, or was lost meanwhile.
        MigrationError: a lock is not to be had, or a statement failed.
    """
    migrations = read(folder)
    async with AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(_connected(dsn, number)) for number, dsn in enumerate(admin_dsns)
        ]
        # Always the first shard's lock first, so that two runs cannot each hold what the other waits for.
        for number, connection in enumerate(connections):
            with _attributed(number):
                await _lock(connection, number)
                await connection.execute(_LEDGER)
        statuses = [await _status(connection, number, migrations) for number, connection in enumerate(connections)]
        if faults := [f"shard {status.shard}: {fault}" for status in statuses for fault in status.faults]:
            raise LedgerError("nothing was migrated:\n" + "\n".join(f"  {fault}" for fault in faults))
        by_name = {str(migration): migration for migration in migrations}
        runs = (
            _apply_all(connection, number, len(connections), [by_name[name] for name in statuses[number].pending])
            for number, connection in enumerate(connections)
        )
        results = await asyncio.gather(*runs, return_exceptions=True)
        if failures := [result for result in results if isinstance(result, BaseException)]:
            raise failures[0]
    return [applied for result in results if not isinstance(result, BaseException) for applied in result]


async def status(admin_dsns: Sequence[str], *, folder: Path = FOLDER) -> list[ShardStatus]:
    """What each shard has and lacks; changes nothing."""
    migrations = read(folder)

    async def one(number: int, dsn: str) -> ShardStatus:
        async with _connected(dsn, number) as connection:
            return await _status(connection, number, migrations)

    return list(await asyncio.gather(*(one(number, dsn) for number, dsn in enumerate(admin_dsns))))


@asynccontextmanager
async def _connected(dsn: str, shard: int) -> AsyncIterator[Connection]:
    try:
        connection = await hosts.connect(dsn, timeout=10, server_settings={"application_name": "hal9-migrate"})
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise ShardAwayError(
            f"shard {shard} does not answer ({type(error).__name__}: {error}). "
            "Start the platform with `hal9 up`, or check HAL9_SHARDS_ADMIN."
        ) from error
    try:
        with _attributed(shard):
            await _require_direct(connection, shard)
        yield connection
    except BaseException:
        connection.terminate()  # closing asks the server, which may be gone
        raise
    await connection.close()


async def _require_direct(connection: Connection, shard: int) -> None:
    if not await is_direct(connection):
        raise MigrationError(
            f"shard {shard} is reached through a pooler, which loses the lock that keeps migrations apart: "
            "give HAL9_SHARDS_ADMIN the server's own address."
        )


@contextmanager
def _attributed(shard: int) -> Iterator[None]:
    """Say which shard it was, when its connection is lost."""
    try:
        yield
    except Exception as error:
        if not is_connection_lost(error):
            raise
        raise ShardAwayError(
            f"shard {shard} was lost while it was migrated ({type(error).__name__}: {error}). "
            "What was applied stays applied, nothing is half done: try again when it answers."
        ) from error


async def _lock(connection: Connection, shard: int) -> None:
    """Take the session's advisory lock when another run has ended.

    It is asked for again and again: who waits for it in a statement holds a snapshot, and the other run's CREATE INDEX
    CONCURRENTLY waits for every older snapshot, so that one of the two would fail as a deadlock.
    """
    limit = time.monotonic() + _WAIT_SECONDS
    while not await connection.fetchval(f"SELECT pg_try_advisory_lock({_LOCK})"):
        if time.monotonic() > limit:
            raise MigrationError(
                f"shard {shard}: another migration has been running for {_WAIT_SECONDS:.0f} s. "
                "Wait for it to end, then try again."
            )
        await asyncio.sleep(_LOCK_PAUSE_SECONDS)
    await connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")


async def _ledger(connection: Connection) -> Sequence[asyncpg.Record]:
    if not await connection.fetchval("SELECT to_regclass('migrations.applied') IS NOT NULL"):
        return []
    return await connection.fetch("SELECT kind, version, name, checksum FROM migrations.applied ORDER BY kind, version")


async def _status(connection: Connection, shard: int, migrations: Sequence[Migration]) -> ShardStatus:
    with _attributed(shard):
        ledger = await _ledger(connection)
    applied = {(row["kind"], row["version"]): row for row in ledger}
    mine = [migration for migration in migrations if shard == 0 or migration.kind == "shard"]
    known = {(migration.kind, migration.version) for migration in mine}
    faults = [
        f"{row['kind']}/{row['version']:04d}_{row['name']} was applied, but this release does not have it: "
        "run the release that does, or a newer one"
        for key, row in applied.items()
        if key not in known
    ]
    pending = []
    for migration in mine:
        row = applied.get((migration.kind, migration.version))
        if row is None:
            pending.append(str(migration))
            if any(kind == migration.kind and version > migration.version for kind, version in applied):
                faults.append(f"{migration} comes before one that was applied already: give it the next free number")
        elif row["checksum"] != migration.checksum:
            faults.append(
                f"{migration} was changed after it was applied: restore it, and put the change into a new one"
            )
    names = tuple(f"{row['kind']}/{row['version']:04d}_{row['name']}" for row in ledger)
    return ShardStatus(shard, names, tuple(pending), tuple(faults))


async def _apply_all(connection: Connection, shard: int, shards: int, pending: Sequence[Migration]) -> list[Applied]:
    with _attributed(shard):
        return [await _apply(connection, shard, shards, migration) for migration in pending]


async def _apply(connection: Connection, shard: int, shards: int, migration: Migration) -> Applied:
    for attempt in range(1, _LOCK_TRIES + 1):
        began = time.monotonic()
        try:
            if migration.transactional:
                async with connection.transaction():
                    await connection.execute(f"SET LOCAL hal9.shard_count = {shards}")
                    await connection.execute(migration.sql)
                    milliseconds = await _record(connection, migration, began)
            else:
                await _execute_alone(connection, migration)
                milliseconds = await _record(connection, migration, began)
        except asyncpg.LockNotAvailableError as error:
            if attempt == _LOCK_TRIES:
                raise MigrationError(
                    f"shard {shard}, {migration}: a table stayed locked by others for {_LOCK_TRIES} x {_LOCK_TIMEOUT}. "
                    "Look for long transactions in pg_stat_activity, then try again; what was applied stays applied."
                ) from error
            await asyncio.sleep(0.2 * attempt)
        except asyncpg.PostgresError as error:
            if is_connection_lost(error):
                raise
            raise MigrationError(f"shard {shard}, {migration}: {error}") from error
        else:
            return Applied(shard, str(migration), milliseconds)
    raise AssertionError("unreachable")  # the last attempt returned or raised


async def _execute_alone(connection: Connection, migration: Migration) -> None:
    """Run the one statement of a file without a transaction, or what is left of it when an earlier run was cut off.

    CREATE INDEX CONCURRENTLY that fails or is killed leaves an invalid index of that name, and one that was killed
    before it was recorded a valid one: the same statement again would fail for ever.
    """
    (statement,) = split(migration.sql)
    index = _INDEX.match(statement.text)
    valid = index and await connection.fetchval(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", index["name"]
    )
    if index and valid is False:
        await connection.execute(f"DROP INDEX CONCURRENTLY {index['name']}")
    if not valid:
        await connection.execute(migration.sql)


async def _record(connection: Connection, migration: Migration, began: float) -> int:
    milliseconds = int((time.monotonic() - began) * 1000)
    await connection.execute(
        "INSERT INTO migrations.applied (kind, version, name, checksum, milliseconds) VALUES ($1, $2, $3, $4, $5)",
        migration.kind, migration.version, migration.name, migration.checksum, milliseconds,
    )  # fmt: skip
    return milliseconds
