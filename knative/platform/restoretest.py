"""Restore tests: everything is restored aside, looked at, thrown away, and what was seen is kept as evidence."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from knative.platform.restoration import fetch_all, opened, require_complete, settle
from shared.backup import evidence
from shared.backup.errors import BackupError
from shared.backup.evidence import Evidence
from shared.backup.manifest import release
from shared.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from shared.backup.evidence import Table
    from shared.backup.repository import Repository
    from shared.backup.restoring import Target
    from shared.clock import Clock

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

_CONNECT_SECONDS: Final = 10.0


async def restore_test(repository: Repository, target: Target, clock: Clock, tell: Callable[[str], None]) -> Evidence:
    """Restore everything to the target's moment, count it, and keep what was seen.

    Args:
        repository: The backups; takes the evidence.
        target: What to restore.
        clock: Says when, and how long it took.
        tell: Hears of each step.

    Raises:
        BackupError: It cannot be restored, or what came out does not fit together. The evidence says so as well.
    """
    begun, since = clock.now(), clock.monotonic()
    fault: BackupError | None = None
    organisations = 0
    tables: Sequence[Table] = ()
    try:
        organisations, tables = await _restored(repository, target, tell)
    except BackupError as error:
        fault = error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        fault = BackupError(f"It was cut off ({type(error).__name__}: {error}).")
    made = Evidence(
        id=new_id(), backup=target.backup.id, moment=target.moment, begun_at=begun,
        seconds=round(clock.monotonic() - since, 3), release=release(),
        fault=None if fault is None else str(fault),
        organisations=organisations, tables=tuple(tables),
    )  # fmt: skip
    await evidence.write(repository, await repository.new_key(), made)
    if fault is not None:
        raise fault
    return made


@asynccontextmanager
async def _connected(address: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(address, timeout=_CONNECT_SECONDS)
    try:
        yield connection
    finally:
        await connection.close()


async def _restored(repository: Repository, target: Target, tell: Callable[[str], None]) -> tuple[int, Sequence[Table]]:
    with tempfile.TemporaryDirectory(prefix="hal9-test-") as scratch:
        folders = [Path(scratch) / f"shard-{number}" for number in range(len(target.backup.shards))]
        await fetch_all(repository, target, folders, tell)
        async with AsyncExitStack() as stack:
            addresses = await opened(stack, folders, target, tell)
            await require_complete(addresses)
            await settle(addresses)
            connections = [await stack.enter_async_context(_connected(address)) for address in addresses]
            tell("counting")
            organisations = await evidence.require_homes(connections)
            counted = [await evidence.count(connection, shard) for shard, connection in enumerate(connections)]
        return organisations, [table for tables in counted for table in tables]
