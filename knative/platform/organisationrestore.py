"""One organisation brought back to a moment: its shard is restored aside, its rows are put in place of today's.

Promises: no other organisation is touched, and nothing of the organisation but rows on its shard; what was there is
exported first and can be put back. It may have lived on another shard then: it comes to where it is now.
"""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from knative.platform.servers.aside import aside
from shared.backup import exports, organisation
from shared.backup.errors import BackupError
from shared.backup.organisation import Home, file_pieces
from shared.backup.restoring import fetch, recovered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from uuid import UUID

    from shared.backup.creating import Places
    from shared.backup.organisation import Rows
    from shared.backup.restoring import Target

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

_HOME: Final = "SELECT shard, epoch FROM directory.organisations WHERE org_id = $1"
_MOVES: Final = "SELECT move_id FROM directory.moves WHERE org_id = $1 AND step IN ('finished', 'cancelled')"
_CONNECT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back.

    Attributes:
        export: The id under which what was there before lies.
        shard: Where the organisation is.
        rows: What it has now, of each table.
        before: What it had.
    """

    export: UUID
    shard: int
    rows: Sequence[Rows]
    before: Sequence[Rows]


async def restore_organisation(places: Places, target: Target, org_id: UUID, tell: Callable[[str], None]) -> Restored:
    """Bring one organisation back to the target's moment.

    Raises:
        BackupError: It is not known, was not there at that moment, or cannot be restored; nothing was changed.
    """
    home = await _home(places, org_id)
    with tempfile.TemporaryDirectory(prefix="hal9-restore-") as scratch:
        folder = Path(scratch)
        tables = folder / "tables"
        tables.mkdir()
        async with places.shards[home.shard].connected(admin=True) as live:
            rows = await _read(places, target, org_id, live, folder, tables, tell)
            return await _put_back(places, live, home, rows, lambda one: file_pieces(tables / one.name), tell)


async def undo(places: Places, export_id: UUID, tell: Callable[[str], None]) -> Restored:
    """Put back what an organisation had before a restore.

    Raises:
        BackupError: There is no such export, or it cannot be put back; nothing was changed.
    """
    export = await exports.find(places.repository, export_id)
    home = await _home(places, export.org_id)

    def content(rows: Rows) -> AsyncIterator[bytes]:
        file = export.files[rows.name]
        return places.repository.get(file.name, file)

    async with places.shards[home.shard].connected(admin=True) as live:
        return await _put_back(places, live, home, export.rows, content, tell)


async def _put_back(
    places: Places, live: Connection, home: Home, rows: Sequence[Rows],
    content: Callable[[Rows], AsyncIterator[bytes]], tell: Callable[[str], None],
) -> Restored:  # fmt: skip
    writing = exports.Writing(places.repository, await places.repository.new_key(), home.org_id, places.clock.now())
    tell(f"{sum(one.count for one in rows)} rows of {len(rows)} tables, while the organisation's writers wait")
    before = await organisation.put_back(live, home, rows, content, writing.keep)
    return Restored(writing.id, home.shard, rows, before)


async def _home(places: Places, org_id: UUID) -> Home:
    async with places.shards[0].connected(admin=True) as directory:
        moves = [row["move_id"] for row in await directory.fetch(_MOVES, org_id)]
        row = await directory.fetchrow(_HOME, org_id)
    if row is None:
        raise BackupError(f"There is no organisation {org_id}: see `hal9 organisations list`.")
    return Home(org_id, row["shard"], row["epoch"], tuple(moves))


async def _read(
    places: Places, target: Target, org_id: UUID, live: Connection, folder: Path, tables: Path,
    tell: Callable[[str], None],
) -> list[Rows]:  # fmt: skip
    """Read the organisation's rows as they were, from where it lived then."""
    async with _aside(places, target, 0, folder, tell) as directory:
        row = await directory.fetchrow(_HOME, org_id)
        if row is None:
            raise BackupError(f"The organisation {org_id} was not there at {target.moment.isoformat()}.")
        if row["shard"] == 0:
            return await organisation.read(directory, live, org_id, tables)
    if row["shard"] >= len(target.backup.shards):
        raise BackupError(
            f"At that moment {org_id} was on shard {row['shard']}, of which the backup {target.backup.id} has nothing, "
            "as it was added later. Choose an earlier moment, or one after the point of a backup that has it."
        )
    async with _aside(places, target, row["shard"], folder, tell) as then:
        return await organisation.read(then, live, org_id, tables)


@asynccontextmanager
async def _aside(
    places: Places, target: Target, shard: int, folder: Path, tell: Callable[[str], None]
) -> AsyncIterator[Connection]:
    """A connection to one shard as it was, on a server of its own."""
    data = folder / f"shard-{shard}"
    await fetch(places.repository, target, shard, data, tell)
    async with recovered(data, shard, target, aside, tell) as address:
        connection = await asyncpg.connect(address, timeout=_CONNECT_SECONDS)
        try:
            yield connection
        finally:
            await connection.close()
