"""Comparing an organisation's rows on two shards, every one of them, while they are written.

Each row has a 64-bit hash of all its columns. Sums of hashes over groups of rows are compared first, then the rows of
groups that differ. A row that differs may have been written meanwhile: so it is read on the old shard; when the new
shard has all that was written before (`caught_up`), it is read there, and on the old one again. It must be on the new
shard as it was before or after; else the copy is wrong. A row that is written again and again stays `hot`.
Promises: no row is taken as equal that was not seen equal. Hot rows are left for the fence, where nobody writes.
Does not: stop writers, or repair. A false match of two different rows takes a collision of 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    import asyncpg

    from shared.placement.catalogue import Table

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

Key = tuple[str, ...]
"""A row's key within its organisation, as text."""

ROUNDS: Final = 8
HOT_ROWS: Final = 500
"""Rows of a table that the fence may still compare: more would keep writers waiting."""

_GROUP_ROWS: Final = 256
_MOST_GROUPS: Final = 2**16


class DivergedError(Exception):
    """The copy differs from what it was made of.

    Args:
        table: The table's name.
        rows: How many rows differ.
        example: One of their keys.
    """

    def __init__(self, table: str, rows: int, example: Key) -> None:
        super().__init__(
            f"{rows} rows of {table} differ on the new shard, such as {', '.join(example) or 'the only one'}"
        )


@dataclass(frozen=True, slots=True)
class Verified:
    """What was compared of one table.

    Attributes:
        table: The table.
        rows: How many rows the organisation has there.
        hot: Keys of rows that were written again and again.
    """

    table: Table
    rows: int
    hot: frozenset[Key]


async def verify(
    old: Connection, new: Connection, table: Table, org_id: UUID, caught_up: Callable[[], Awaitable[None]]
) -> Verified:
    """Compare one table.

    Args:
        old: The old shard.
        new: The new one.
        table: The table.
        org_id: The organisation.
        caught_up: Returns when the new shard has all that the old one had when it was called.

    Raises:
        DivergedError: A row differs that nobody has written meanwhile.
    """
    reading = _Reading(table, org_id)
    rows = await reading.count(old)
    mask = min(_MOST_GROUPS, 1 << max(0, (rows // _GROUP_ROWS).bit_length())) - 1
    before = await reading.groups(old, mask)
    await caught_up()
    after = await reading.groups(new, mask)
    differing = [group for group in before.keys() | after.keys() if before.get(group) != after.get(group)]
    suspicious = await _unequal(reading, old, new, mask, differing) if differing else set[Key]()
    wrong: set[Key] = set()
    for _ in range(ROUNDS):
        if not suspicious:
            break
        known_wrong = wrong
        suspicious, wrong = await _once_more(reading, old, new, suspicious, caught_up)
        if both := known_wrong & wrong:
            raise DivergedError(table.name, len(both), min(both))
    if len(suspicious) > HOT_ROWS:
        raise TooHotError(table.name, len(suspicious))
    return Verified(table, rows, frozenset(suspicious))


class TooHotError(Exception):
    """So many rows are written all the time that comparing them behind the fence would take too long.

    Args:
        table: The table's name.
        rows: How many.
    """

    def __init__(self, table: str, rows: int) -> None:
        super().__init__(f"{rows} rows of {table} are written all the time: try again when there is less to do")


async def verify_hot(old: Connection, new: Connection, verified: Iterable[Verified], org_id: UUID) -> None:
    """Compare the rows that were hot, now that nobody writes.

    Raises:
        DivergedError: One differs.
    """
    for one in verified:
        if not one.hot:
            continue
        reading = _Reading(one.table, org_id)
        before, after = await reading.rows(old, one.hot), await reading.rows(new, one.hot)
        if wrong := {key for key in one.hot if before.get(key) != after.get(key)}:
            raise DivergedError(one.table.name, len(wrong), min(wrong))


async def _unequal(reading: _Reading, old: Connection, new: Connection, mask: int, groups: Sequence[int]) -> set[Key]:
    before, after = await reading.rows_of(old, mask, groups), await reading.rows_of(new, mask, groups)
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


async def _once_more(
    reading: _Reading, old: Connection, new: Connection, keys: set[Key], caught_up: Callable[[], Awaitable[None]]
) -> tuple[set[Key], set[Key]]:
    """Read rows again; give those not known to be equal, and those of them that nobody seems to have written."""
    first = await reading.rows(old, keys)
    await caught_up()
    copied = await reading.rows(new, keys)
    last = await reading.rows(old, keys)
    left = {key for key in keys if copied.get(key) not in (first.get(key), last.get(key))}
    return left, {key for key in left if first.get(key) == last.get(key)}


class _Reading:
    """The statements that read one table."""

    def __init__(self, table: Table, org_id: UUID) -> None:
        self._table = table
        self._org_id = org_id
        columns = ", ".join(f"t.{name}" for name, _ in table.columns)
        self._key = ", ".join(f"t.{name}::text" for name, _ in table.own_key)
        self._hash = f"hashtextextended(ROW({columns})::text, 0)"
        self._group = f"(hashtextextended(ROW({self._key})::text, 1) & $2)"

    async def count(self, shard: Connection) -> int:
        statement = f"SELECT count(*) FROM {self._table.name} WHERE org_id = $1"  # noqa: S608 - from the catalogue
        counted: int = await shard.fetchval(statement, self._org_id)
        return counted

    async def groups(self, shard: Connection, mask: int) -> dict[int, tuple[int, int]]:
        """By group: how many rows, and the sum of their hashes."""
        rows = await shard.fetch(
            f"SELECT {self._group} AS number, count(*) AS rows, sum({self._hash}::numeric)::text AS hashes"  # noqa: S608
            f" FROM {self._table.name} AS t WHERE t.org_id = $1 GROUP BY 1",
            self._org_id,
            mask,
        )
        return {row["number"]: (row["rows"], int(row["hashes"])) for row in rows}

    async def rows_of(self, shard: Connection, mask: int, groups: Sequence[int]) -> dict[Key, int]:
        """By key: the hash of each row of those groups."""
        rows = await shard.fetch(
            f"SELECT ARRAY[{self._key}]::text[] AS key, {self._hash} AS hash FROM {self._table.name} AS t"  # noqa: S608
            f" WHERE t.org_id = $1 AND {self._group} = ANY ($3::bigint[])",
            self._org_id,
            mask,
            list(groups),
        )
        return _by_key(rows)

    async def rows(self, shard: Connection, keys: Iterable[Key]) -> Mapping[Key, int]:
        """By key: the hash of each row that is there."""
        own = self._table.own_key
        listed = list(keys)
        if not own:
            statement, arguments = "", list[Any]()
        else:
            places = ", ".join(f"${number}::text[]" for number in range(2, len(own) + 2))
            names = ", ".join(f"k{number}" for number in range(len(own)))
            match = " AND ".join(f"t.{name} = k.k{number}::{kind}" for number, (name, kind) in enumerate(own))
            statement = f" JOIN unnest({places}) AS k({names}) ON {match}"
            arguments = [[key[number] for key in listed] for number in range(len(own))]
        found = await shard.fetch(
            f"SELECT ARRAY[{self._key}]::text[] AS key, {self._hash} AS hash FROM {self._table.name} AS t{statement}"  # noqa: S608
            " WHERE t.org_id = $1",
            self._org_id,
            *arguments,
        )
        return _by_key(found)


def _by_key(rows: Sequence[asyncpg.Record]) -> dict[Key, int]:
    return {tuple(row["key"]): row["hash"] for row in rows}
