"""One shard as backups see it: its server's state, its slot, and moments that its WAL is marked with.

Source: PostgreSQL 18 manual, 9.28.3 (backup control functions), 26.2.6 (replication slots), 27.3.5 (recovery targets).
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.backup.errors import BackupError
from shared.database import hosts
from shared.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

APPLICATION: Final = "hal9_archive"
"""As what the archiver's connections are shown; no name of a standby that commits wait for."""

_SLOT: Final = re.compile(r"hal9_archive_([0-9a-f]{32})")
_CONNECT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 60.0
"""What is asked of a server takes milliseconds; one that hangs, or is cut off, must not be waited for without end."""

_SEGMENTS_OF_A_LOG: Final = 1 << 32
_SLOTS: Final = (
    "SELECT slot_name::text, active_pid, wal_status, restart_lsn - '0/0'::pg_lsn AS restart_lsn"
    " FROM pg_replication_slots WHERE slot_type = 'physical' AND slot_name LIKE 'hal9\\_archive\\_%' ORDER BY slot_name"
)
_OLDEST: Final = (
    "SELECT min(name) FROM pg_ls_waldir()"
    " WHERE name ~ '^[0-9A-F]{24}$' AND starts_with(name, left(pg_walfile_name(pg_current_wal_lsn()), 8))"
)


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard's server.

    Attributes:
        number: The shard's number.
        address: For a role that may replicate; not through a pooler.
        admin: For the role that owns the tables.
    """

    number: int
    address: str = field(repr=False)
    admin: str = field(repr=False)

    @asynccontextmanager
    async def connected(self, *, admin: bool = False) -> AsyncIterator[Connection]:
        """A connection, as the role that may replicate or as the owner.

        Raises:
            BackupError: The server does not answer.
        """
        try:
            connection = await hosts.connect(
                self.admin if admin else self.address,
                timeout=_CONNECT_SECONDS,
                command_timeout=None if admin else _ANSWER_SECONDS,
                server_settings={"application_name": "hal9_backup"},
                statement_cache_size=0,
            )
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise BackupError(
                f"Shard {self.number} does not answer ({type(error).__name__}: {error}): start it, or check "
                f"{'HAL9_SHARDS_ADMIN' if admin else 'HAL9_BACKUP_SHARDS'}."
            ) from error
        try:
            yield connection
        finally:
            await connection.close()


@dataclass(frozen=True, slots=True)
class Slot:
    """The slot by which a server keeps its WAL until it is archived.

    Attributes:
        archive: The id of the archive that it feeds.
        active_pid: The server's process that feeds it now; None when nobody takes it.
        lost: The server removed WAL that it should have kept: the archive has a gap.
        restart_lsn: From where on the server keeps its WAL.
    """

    archive: str
    active_pid: int | None
    lost: bool
    restart_lsn: int

    @property
    def name(self) -> str:
        """Its name on the server."""
        return f"hal9_archive_{self.archive}"


async def slot(connection: Connection) -> Slot | None:
    """Give a server's slot; None when it has none."""
    for row in await connection.fetch(_SLOTS):
        if match := _SLOT.fullmatch(row["slot_name"]):
            lost = row["wal_status"] == "lost" or row["restart_lsn"] is None
            return Slot(match[1], row["active_pid"], lost, int(row["restart_lsn"] or 0))
    return None


async def ensured_slot(connection: Connection, number: int) -> Slot:
    """Give a server's slot, made now when it has none, or has one that lost WAL: then a new archive begins.

    Raises:
        BackupError: The server has no slot left, or the role may make none.
    """
    found = await slot(connection)
    return found if found is not None and not found.lost else await new_slot(connection, number, found)


async def new_slot(connection: Connection, number: int, old: Slot | None) -> Slot:
    """Make a slot in place of an old one: a new archive begins.

    Raises:
        BackupError: The server has no slot left, or the role may make none.
    """
    try:
        if old is not None:
            await connection.execute("SELECT pg_drop_replication_slot($1)", old.name)
        name = f"hal9_archive_{new_id().hex}"
        await connection.execute("SELECT pg_create_physical_replication_slot($1, true)", name)
    except asyncpg.PostgresError as error:
        raise BackupError(
            f"Shard {number}: no replication slot can be made ({error}). Give the role of HAL9_BACKUP_SHARDS the "
            "attribute REPLICATION, and leave one of max_replication_slots free."
        ) from error
    made = await slot(connection)
    if made is None:
        raise BackupError(f"Shard {number}: the slot that was made is gone again; try again.")
    return made


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a server's WAL: everything that was acknowledged before `at` is before `lsn`."""

    lsn: int
    at: datetime


async def mark(connection: Connection) -> Mark:
    """Write a commit into the WAL, so that a restore can tell that a moment before it has come and gone.

    Recovery to a time ends at the first commit after it; without one it would fail at the end of the WAL.
    """
    at: datetime = await connection.fetchval("SELECT clock_timestamp() FROM pg_current_xact_id()")
    return Mark(await written(connection), at)


async def written(connection: Connection) -> int:
    """The place up to which the server has written its WAL."""
    return int(await connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


async def switch(connection: Connection) -> None:
    """End the WAL segment, so that it is archived at once; nothing, when the role may not."""
    if await connection.fetchval("SELECT has_function_privilege('pg_switch_wal()', 'EXECUTE')"):
        await connection.execute("SELECT pg_switch_wal()")


async def timeline(connection: Connection) -> int:
    """The history that the server goes on with: one more with each promotion and each restore."""
    name: str = await connection.fetchval("SELECT pg_walfile_name(pg_current_wal_lsn())")
    return timeline_of(name)


async def oldest_kept(connection: Connection) -> str | None:
    """The oldest segment that the server has of its history; None when the role may not look."""
    if not await connection.fetchval("SELECT has_function_privilege('pg_ls_waldir()', 'EXECUTE')"):
        return None
    oldest: str | None = await connection.fetchval(_OLDEST)
    return oldest


async def segment_bytes(connection: Connection) -> int:
    """The size of the server's WAL segments."""
    size: int = await connection.fetchval("SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'")
    return size


def segment(timeline: int, lsn: int, size: int) -> str:
    """The name of the segment that holds that place."""
    each = _SEGMENTS_OF_A_LOG // size
    number = lsn // size
    return f"{timeline:08X}{number // each:08X}{number % each:08X}"


def timeline_of(name: str) -> int:
    """The history that a segment belongs to."""
    return int(name[:8], 16)


def begin_of(name: str, size: int) -> int:
    """The place at which a segment begins."""
    each = _SEGMENTS_OF_A_LOG // size
    return (int(name[8:16], 16) * each + int(name[16:24], 16)) * size


def lsn_text(lsn: int) -> str:
    """A place as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:08X}"


def lsn_of(text: str) -> int:
    """Read what PostgreSQL writes."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)
