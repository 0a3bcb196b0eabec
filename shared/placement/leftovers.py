"""Old copies: what a move left on the shard that the organisation has left, dropped when it was kept for long enough.

    done = await drop_due(shards, at_most_rows=100_000)

For whoever runs by the clock, as the application's role: functions of the database do the deleting (shard/0024), and
they touch nothing but a copy that a move has left, after its replication has ended. `Mover.drop_copies` is the same for
an operator, before the time too.
Promises: bounded, in rows, by its caller; two at once do no harm, and one that dies is gone on with; a shard that does
not answer, or a copy that cannot be dropped, keeps no other one from it. Does not: drop what is to be kept for longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.chaos import point
from shared.database import retrying
from shared.placement import points
from shared.telemetry import logger

if TYPE_CHECKING:
    from uuid import UUID

    from shared.shards import Shards

_log = logger(__name__)

_COPIES: Final = 100
_ROWS: Final = 5000
"""In one transaction."""


@dataclass(slots=True)
class Dropped:
    """What became of the copies that were due.

    Attributes:
        copies: That are gone now.
        rows: That were deleted.
        failed: That could not be dropped this time.
        left: Of which something is left for the next time, as that was enough.
    """

    copies: int = 0
    rows: int = 0
    failed: int = 0
    left: int = 0


async def drop_due(shards: Shards, *, at_most_rows: int) -> Dropped:
    """Drop the copies that are due, those first that have been for longest.

    Args:
        shards: All of them.
        at_most_rows: After so many it stops; the next call goes on.

    Raises:
        Problem: 503 `shard-unavailable`: the directory does not answer.
    """
    done = Dropped()

    async def due() -> list[tuple[UUID, UUID, int, int]]:
        async with shards.directory.connection() as connection:
            rows = await connection.fetch("SELECT org_id, move_id, shard, epoch FROM directory.copies_due($1)", _COPIES)
            return [(row["org_id"], row["move_id"], row["shard"], row["epoch"]) for row in rows]

    for org_id, move_id, shard, epoch in await retrying(due, idempotent=True):
        if done.rows >= at_most_rows:
            done.left += 1
            continue
        try:
            if await _dropped(shards, org_id, shard, epoch, done, at_most_rows):
                await _note(shards, org_id, move_id)
                done.copies += 1
            else:
                done.left += 1
        except Exception as error:  # noqa: BLE001 - one copy's trouble must not keep the others from being dropped
            _log.warning(
                "old copy not dropped", org_id=str(org_id), shard=shard, error=f"{type(error).__name__}: {error}"
            )
            done.failed += 1
    return done


async def _dropped(shards: Shards, org_id: UUID, shard: int, epoch: int, done: Dropped, at_most_rows: int) -> bool:
    """Delete rows of a copy; whether nothing is left of it."""

    async def some() -> int | None:
        async with shards.database(shard).connection() as connection:
            gone: int | None = await connection.fetchval("SELECT tenant_drop_copy($1, $2, $3)", org_id, epoch, _ROWS)
            return gone

    while gone := await retrying(some, idempotent=True):
        done.rows += gone
        point(points.COPY_SHRUNK)
        if done.rows >= at_most_rows:
            return False
    return True


async def _note(shards: Shards, org_id: UUID, move_id: UUID) -> None:
    async def note() -> None:
        async with shards.directory.connection() as connection:
            await connection.execute("SELECT directory.copy_dropped($1, $2)", org_id, move_id)

    point(points.COPY_GONE)
    await retrying(note, idempotent=True)
