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

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from shared.shards.placement import Placement
    from shared.shards.shards import Shards

MOVED: Final = "H9001"
_LONGEST_SECONDS: Final = 60.0


class Calls:
    """Calls functions of the database on an organisation's shard.

    Attributes:
        round_trips: to the shards so far, tries included; look-ups of placements are not counted, they are cached.
    """

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._texts: dict[tuple[str, int], str] = {}
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
        return await self._settled(org_id, f"* FROM {function}", arguments)

    async def value(self, org_id: UUID, function: str, *arguments: Any) -> Any:
        """Call a function that gives one value, as `call`: a little faster, as its result is no table."""
        [row] = await self._settled(org_id, function, arguments)
        return row[0]

    async def _settled(self, org_id: UUID, selected: str, arguments: Sequence[Any]) -> Sequence[asyncpg.Record]:
        """The rows, after a move of the organisation if there is one."""
        try:
            return await self._retried(org_id, selected, arguments)
        except asyncpg.PostgresError as error:
            if error.sqlstate != MOVED:
                raise
        return await self._retried(org_id, selected, arguments, await self._shards.home(org_id))

    async def _retried(
        self, org_id: UUID, selected: str, arguments: Sequence[Any], home: Placement | None = None
    ) -> Sequence[asyncpg.Record]:
        text = self._text(selected, len(arguments) + 2)

        async def attempt() -> Sequence[asyncpg.Record]:
            placement = home or await self._shards.locate(org_id)
            async with self._shards.database(placement.shard).connection() as connection:
                self.round_trips += 1
                rows: Sequence[asyncpg.Record] = await connection.fetch(
                    text, org_id, placement.epoch, *arguments, timeout=deadlines.remaining(_LONGEST_SECONDS)
                )
                return rows

        return await retrying(attempt, idempotent=True)

    def _text(self, selected: str, count: int) -> str:
        known = self._texts.get((selected, count))
        if known is None:
            places = ", ".join(f"${number}" for number in range(1, count + 1))
            known = self._texts[selected, count] = f"SELECT {selected}({places})"
        return known
