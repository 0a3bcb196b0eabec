"""Calls: one function of the database, as a statement and a transaction of its own: one round trip instead of three.

    rows = await Calls(shards).call(org_id, "neuron_claim", source, run_id, step_id)

The function gets the organisation and its epoch first, enters the organisation by itself (row-level security, epoch
fence; SQLSTATE `H9001` when the organisation moves or has moved), and is retried as a whole where that may help: so it
must be a compare-and-set, an upsert, or only read.
Promises: counts its round trips, for the benchmarks. Does not: run two statements in one transaction (`Shards.run`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared import deadlines
from shared.database.retry import retrying
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from shared.shards.placement import Placement
    from shared.shards.shards import Shards

MOVED: Final = "H9001"
_LONGEST_SECONDS: Final = 60.0
_MOVES: Final = 5
"""How often a home that was just found may have begun to move again."""

_HASTE: Final = ", set_config('synchronous_commit', 'local', true)"
"""Behind the call, in the same statement: its commit waits for no replica."""


class Calls:
    """Calls functions of the database on an organisation's shard.

    Attributes:
        round_trips: to the shards so far, tries included; look-ups of placements are not counted, they are cached.
    """

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self.round_trips = 0

    async def call(self, org_id: UUID, function: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """Call a function that takes `(org_id, epoch, *arguments)`.

        Args:
            org_id: the organisation.
            function: the function's name, a constant of the program.
            arguments: what it takes further.

        Raises:
            Problem: 404 `organisation-unknown`; 503 `organisation-moving`, `shard-unavailable`; 504
                `deadline-exceeded`.
            asyncpg.PostgresError: what the function raised.
        """
        return await self._settled(org_id, function, arguments, table=True)

    async def value(self, org_id: UUID, function: str, *arguments: Any) -> Any:
        """Call a function that gives one value, as `call`: a little faster, as its result is no table."""
        [row] = await self._settled(org_id, function, arguments, table=False)
        return row[0]

    async def _settled(
        self, org_id: UUID, function: str, arguments: Sequence[Any], *, table: bool
    ) -> Sequence[asyncpg.Record]:
        """The rows, after a move of the organisation if there is one."""
        form = "{0}.* FROM {0}({1}) AS {0}" if table else "{0}({1})"
        selected = form.format(function, ", ".join(f"${number}" for number in range(1, len(arguments) + 3)))
        home = None
        for _ in range(_MOVES):
            try:
                return await self._retried(org_id, selected, arguments, home)
            except asyncpg.PostgresError as error:
                if error.sqlstate != MOVED:
                    raise
            home = await self._shards.home(org_id)
        raise Problem("organisation-moving", headers={"Retry-After": "1"})

    async def _retried(
        self, org_id: UUID, selected: str, arguments: Sequence[Any], home: Placement | None = None
    ) -> Sequence[asyncpg.Record]:
        async def attempt() -> Sequence[asyncpg.Record]:
            placement = home or await self._shards.locate(org_id)
            text = f"SELECT {selected}{_HASTE if self._shards.asynchronous(placement) else ''}"
            database = self._shards.database(placement.shard)
            async with database.connection() as connection:
                self.round_trips += 1
                try:
                    rows: Sequence[asyncpg.Record] = await connection.fetch(
                        text, org_id, placement.epoch, *arguments, timeout=deadlines.remaining(_LONGEST_SECONDS)
                    )
                except asyncpg.ReadOnlySQLTransactionError as error:
                    raise await database.left(connection) from error
                return rows

        return await retrying(attempt, idempotent=True)
