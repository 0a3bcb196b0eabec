"""One organisation's rows on its shard: read from a server that was restored aside, and put in place of what is there.

    rows = await read(aside, live, org_id, folder)               # before anybody waits
    swap = await put_back(live, home, rows, content, keep)       # under the fence; `keep` takes what was there

Every table with `org_id` is found in the catalogue (`tenant_tables()`), so that one that a later migration brings
comes back without anybody remembering it. The swap is one transaction on the shard, under the epoch fence: the
organisation's writers wait for it, its readers see what was there before until it commits, and nobody else notices.
Killed anywhere, everything is as it was; the fence is lifted by whoever waits at it.
Promises: the rows are those of the moment, by count and checksum, or nothing is changed. What was there is exported
first.
Does not: touch the directory (a key that was revoked, a data key that was shredded must not come back), or what is not
the organisation's alone (`KEPT`): what it used stays metered and paid, and decisions that others wait for stay.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg

from shared.backup.errors import BackupError
from shared.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

KEPT: Final = frozenset({"dtx", "move_markers", "usage_records", "usage_hours", "usage_counters", "budgets"})
"""Tables that stay as they are: decisions that other organisations wait for, and what is metered."""

_PIECE: Final = 1 << 20
_FENCE_TRIES: Final = 20
_LOCK_TIMEOUT: Final = "10s"
_TABLES: Final = """
SELECT c.oid, n.nspname AS schema, c.relname AS name,
       (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
       ARRAY(SELECT k.confrelid FROM pg_constraint k
              WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid <> c.oid) AS parents
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE {}
 ORDER BY n.nspname, c.relname
"""
_OF_ORGANISATIONS: Final = "c.oid IN (SELECT public.tenant_tables())"
_ALL: Final = "c.relkind IN ('r', 'p') AND NOT c.relispartition"
_FENCE: Final = (
    "UPDATE tenants SET state = 'draining', fence_id = $3, fenced_at = clock_timestamp()"
    " WHERE org_id = $1 AND epoch = $2 AND state = 'active' AND (move_id IS NULL OR move_id = ANY($4))"
)
_HOLD: Final = "SELECT fence_id FROM tenants WHERE org_id = $1 AND state = 'draining' AND epoch = $2 FOR UPDATE"
_OPEN: Final = "UPDATE tenants SET state = 'active', fence_id = NULL, fenced_at = NULL WHERE org_id = $1"
_REOPEN: Final = f"{_OPEN} AND fence_id = $2 AND state = 'draining'"
_IN_DOUBT: Final = "SELECT gid FROM pg_prepared_xacts WHERE gid LIKE '%' || $1"


@dataclass(frozen=True, slots=True)
class Rows:
    """The organisation's rows of one table.

    Attributes:
        schema: The table's schema.
        table: Its name.
        columns: What was read.
        count: How many rows.
        checksum: The sum of the rows' hashes (`hashtextextended` of their text).
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    count: int
    checksum: int

    @property
    def name(self) -> str:
        """Schema and table."""
        return f"{self.schema}.{self.table}"

    @property
    def selection(self) -> str:
        """The statement that reads them; the organisation is its argument."""
        return f"SELECT {', '.join(map(_quoted, self.columns))} FROM {self.relation} WHERE org_id = $1"  # noqa: S608

    @property
    def relation(self) -> str:
        """The table, quoted."""
        return f"{_quoted(self.schema)}.{_quoted(self.table)}"


@dataclass(frozen=True, slots=True)
class _Table:
    oid: int
    schema: str
    name: str
    columns: tuple[str, ...]
    parents: frozenset[int]


async def read(aside: Connection, live: Connection, org_id: UUID, folder: Path) -> list[Rows]:
    """Read an organisation's rows on a restored server into files, `schema.table` each.

    Args:
        aside: The restored server, as a superuser.
        live: The organisation's shard, as the owner: its tables and columns are those that count.
        org_id: The organisation.
        folder: Takes the files.

    Raises:
        BackupError: A cross-shard transaction of it was in doubt at that moment.
    """
    if await aside.fetchval(_IN_DOUBT, org_id.hex) is not None:
        raise BackupError(
            "A transaction over several organisations was in doubt at that moment: choose one a second away from it."
        )
    there = {(one.schema, one.name): one for one in await _tables(aside, _ALL)}  # it may know no tenant_tables
    found = []
    for table in await _tables(live):
        before = there.get((table.schema, table.name))
        if before is None:  # it came later: there was nothing in it
            columns: tuple[str, ...] = ("org_id",)
            found.append(Rows(table.schema, table.name, columns, 0, 0))
            continue
        columns = tuple(column for column in table.columns if column in before.columns)
        rows = await _counted(aside, Rows(table.schema, table.name, columns, 0, 0), org_id)
        await aside.copy_from_query(rows.selection, org_id, output=folder / rows.name)
        found.append(rows)
    return found


@dataclass(frozen=True, slots=True)
class Home:
    """Where an organisation lives, as the directory says.

    Attributes:
        org_id: The organisation.
        shard: Its shard's number.
        epoch: Its epoch there.
        moves: The moves that are over: the last one's id stays on the shard that it moved to.
    """

    org_id: UUID
    shard: int
    epoch: int
    moves: tuple[UUID, ...] = ()


async def put_back(
    live: Connection,
    home: Home,
    rows: Sequence[Rows],
    content: Callable[[Rows], AsyncIterator[bytes]],
    keep: Callable[[Rows, AsyncIterator[bytes]], Awaitable[None]],
) -> list[Rows]:
    """Put rows in place of what an organisation has.

    Args:
        live: Its shard, as the owner.
        home: The organisation, and where it is.
        rows: What to put back.
        content: Gives a table's rows, as COPY writes them.
        keep: Takes a table's rows as they were, before anything is changed.

    Returns:
        what was there before.

    Raises:
        BackupError: It moves, or has moved; its writers do not end; or what came out is not what was to be put back.
    """
    fence_id, org_id = new_id(), home.org_id
    for _ in range(_FENCE_TRIES):
        await live.execute(_FENCE, org_id, home.epoch, fence_id, home.moves)
        try:
            async with live.transaction():
                await live.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                if await live.fetchval(_HOLD, org_id, home.epoch) == fence_id:
                    return await _swap(live, org_id, rows, content, keep)
        except asyncpg.LockNotAvailableError as error:
            raise BackupError(
                f"A transaction of the organisation has been open for {_LOCK_TIMEOUT}: `hal9 shards` and "
                "`hal9 transactions in-doubt` show it. Nothing was changed."
            ) from error
        finally:
            await live.execute(_REOPEN, org_id, fence_id)
        await asyncio.sleep(0.1)
    raise BackupError("The organisation moves, or has moved: wait until it has arrived, then try again.")


async def _swap(
    live: Connection,
    org_id: UUID,
    rows: Sequence[Rows],
    content: Callable[[Rows], AsyncIterator[bytes]],
    keep: Callable[[Rows, AsyncIterator[bytes]], Awaitable[None]],
) -> list[Rows]:
    ordered = _parents_first(await _tables(live))
    wanted = {(one.schema, one.table): one for one in rows}
    before = []
    for table in ordered:
        was = await _counted(live, Rows(table.schema, table.name, table.columns, 0, 0), org_id)
        await keep(was, _copied(live, was, org_id))
        before.append(was)
    for table in reversed(ordered):
        await live.execute(f"DELETE FROM {_quoted(table.schema)}.{_quoted(table.name)} WHERE org_id = $1", org_id)  # noqa: S608
    for table in ordered:
        one = wanted.get((table.schema, table.name))
        if one is not None and one.count:
            await live.copy_to_table(one.table, schema_name=one.schema, columns=list(one.columns), source=content(one))
            put = await _counted(live, one, org_id)
            if put != one:
                raise BackupError(
                    f"{one.name} would have {put.count} rows of checksum {put.checksum} instead of {one.count} of "
                    f"{one.checksum}: nothing was changed."
                )
    await live.execute(_OPEN, org_id)
    return before


async def _copied(connection: Connection, rows: Rows, org_id: UUID) -> AsyncIterator[bytes]:
    """A table's rows as COPY writes them, as they come."""
    pieces: asyncio.Queue[bytes] = asyncio.Queue(8)
    copying = asyncio.ensure_future(connection.copy_from_query(rows.selection, org_id, output=pieces.put))
    try:
        while not (copying.done() and pieces.empty()):
            getting = asyncio.ensure_future(pieces.get())
            await asyncio.wait({getting, copying}, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                yield getting.result()
            else:
                getting.cancel()
        await copying
    finally:
        copying.cancel()


async def file_pieces(path: Path) -> AsyncIterator[bytes]:
    """A file's content; nothing when there is no such file."""
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:
        return
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


async def _tables(connection: Connection, which: str = _OF_ORGANISATIONS) -> list[_Table]:
    found = await connection.fetch(_TABLES.format(which))
    return [
        _Table(row["oid"], row["schema"], row["name"], tuple(row["columns"] or ()), frozenset(row["parents"]))
        for row in found
        if row["name"] not in KEPT
    ]


def _parents_first(tables: Sequence[_Table]) -> list[_Table]:
    """Order tables so that each comes after those that it refers to.

    Raises:
        BackupError: Some refer to one another in a circle.
    """
    known = {table.oid for table in tables}
    ordered: list[_Table] = []
    left = list(tables)
    while left:
        done = {table.oid for table in ordered}
        ready = [table for table in left if not (table.parents & known) - done]
        if not ready:
            names = ", ".join(table.name for table in left)
            raise BackupError(f"These tables refer to one another in a circle, and cannot be put back: {names}.")
        ordered += ready
        left = [table for table in left if table not in ready]
    return ordered


async def _counted(connection: Connection, rows: Rows, org_id: UUID) -> Rows:
    """The same with count and checksum as they are on that server."""
    row = await connection.fetchrow(
        f"SELECT count(*) AS count, coalesce(sum(hashtextextended(r::text, 0)::numeric), 0) AS checksum"  # noqa: S608
        f" FROM ({rows.selection}) r",
        org_id,
    )
    if row is None:
        raise AssertionError  # an aggregate has one row
    return Rows(rows.schema, rows.table, rows.columns, row["count"], int(row["checksum"]))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def as_document(rows: Sequence[Rows]) -> list[dict[str, Any]]:
    """Rows for JSON."""
    return [
        {"schema": one.schema, "table": one.table, "columns": list(one.columns), "count": one.count,
         "checksum": str(one.checksum)}
        for one in rows
    ]  # fmt: skip


def of_document(document: Sequence[Mapping[str, Any]]) -> list[Rows]:
    """Read what `as_document` gave."""
    return [
        Rows(one["schema"], one["table"], tuple(one["columns"]), int(one["count"]), int(one["checksum"]))
        for one in document
    ]
