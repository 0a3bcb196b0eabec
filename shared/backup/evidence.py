"""Evidence of restore tests: what was restored from which backup, when, how long it took, and what was in it.

    evidence/<id>     one sealed JSON document; kept for good

Promises: a test that failed leaves a record as well; who reads one later can restore the same backup to the same
moment, and compare counts and checksums; a record that was damaged is shown as a test that failed, and hides no other.
Does not: hold any row.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from shared.backup.errors import BackupError, DamagedError
from shared.backup.repository import made_at
from shared.strictjson import read_object

if TYPE_CHECKING:
    import asyncpg

    from shared.backup.repository import Repository
    from shared.backup.sealing import DataKey

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

_TABLES: Final = """
SELECT format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
 ORDER BY 1
"""
_PREPARED: Final = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"
_HOMES: Final = "SELECT org_id, shard, epoch FROM directory.organisations"
_TENANTS: Final = "SELECT org_id, epoch FROM tenants WHERE state <> 'moved' AND state <> 'arriving'"


@dataclass(frozen=True, slots=True)
class Table:
    """One table as it was restored: how many rows, and the sum of their hashes (`hashtextextended` of their text)."""

    shard: int
    name: str
    rows: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One restore test.

    Attributes:
        id: Its id; a UUIDv7, so that ids sort by time.
        backup: What was restored from.
        moment: What was restored to.
        begun_at: When it began.
        seconds: How long it took, until everything was counted.
        release: HAL9's.
        fault: Why it failed; None when it passed.
        organisations: How many had their home where the directory says, on every shard.
        tables: What was in it.
    """

    id: UUID
    backup: UUID
    moment: datetime
    begun_at: datetime
    seconds: float
    release: str
    fault: str | None
    organisations: int
    tables: tuple[Table, ...]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)


async def count(connection: Connection, shard: int) -> list[Table]:
    """Count a restored shard's tables, and add up their rows' hashes."""
    found = []
    for row in await connection.fetch(_TABLES):
        counted = await connection.fetchrow(
            "SELECT count(*) AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text AS checksum"  # noqa: S608
            f" FROM {row['name']} t"
        )
        if counted is None:
            raise AssertionError  # an aggregate has one row
        found.append(Table(shard, row["name"], counted["rows"], counted["checksum"]))
    return found


async def require_homes(connections: list[Connection]) -> int:
    """Check that the directory and the shards were restored to one moment; give how many organisations there are.

    Args:
        connections: To all restored shards, in order; the first one holds the directory.

    Raises:
        BackupError: An organisation is not where the directory says, or something is still in doubt.
    """
    there = [{row["org_id"]: row["epoch"] for row in await connection.fetch(_TENANTS)} for connection in connections]
    homes = await connections[0].fetch(_HOMES)
    lost = [str(row["org_id"]) for row in homes if there[row["shard"]].get(row["org_id"]) != row["epoch"]]
    if lost:
        raise BackupError(
            f"{len(lost)} organisations are not where the restored directory says: {', '.join(lost[:5])}."
        )
    for shard, connection in enumerate(connections):
        if prepared := await connection.fetchval(_PREPARED):
            raise BackupError(f"{prepared} transactions are still in doubt on the restored shard {shard}.")
    return len(homes)


async def write(repository: Repository, data_key: DataKey, evidence: Evidence) -> None:
    """Keep a record."""
    document = json.dumps(asdict(evidence), default=str).encode()
    await repository.write(data_key, f"evidence/{evidence.id}", document)


async def read(repository: Repository) -> list[Evidence]:
    """Every record, the oldest first.

    Raises:
        ForeignKeyError: They were sealed under another master key.
    """
    return [await _read(repository, name) for name in sorted([name async for name in repository.below("evidence")])]


async def _read(repository: Repository, name: str) -> Evidence:
    try:
        return _of(await repository.read(name), name)
    except DamagedError as error:
        own = UUID(name.rpartition("/")[2])
        at = made_at(own)
        return Evidence(own, UUID(int=0), at, at, 0.0, "", str(error), 0, ())


def _of(raw: bytes, name: str) -> Evidence:
    try:
        document = read_object(raw)
        return Evidence(
            **document
            | {
                "id": UUID(document["id"]),
                "backup": UUID(document["backup"]),
                "moment": datetime.fromisoformat(document["moment"]),
                "begun_at": datetime.fromisoformat(document["begun_at"]),
                "tables": tuple(Table(**table) for table in document["tables"]),
            }
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(name) from error
