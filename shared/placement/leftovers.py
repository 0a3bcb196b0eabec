"""Old copies: what a move left on the shard that the organisation has left, dropped when it was kept for long enough.

    done = await drop_due(shards, at_most_rows=100_000)

For whoever runs by the clock, as the application's role: functions of the database do the deleting (shard/0024), and
they touch nothing but a copy that a move has left, after its replication has ended. `shared.placement.copies` is the
same for an operator, before the time too.
Promises: bounded, in rows and in time, by its caller; two at once do no harm, and one that dies is gone on with; a
shard that does not answer, or not in time, is left alone for this call, and neither it nor copies that the database
refuses to drop, however many, keep others from it. Does not: drop what is to be kept for longer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from shared import deadlines
from shared.chaos import point
from shared.database import retrying
from shared.placement import points
from shared.problems import Problem
from shared.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from uuid import UUID

    from shared.shards import Shards

_log = logger(__name__)

_COPIES: Final = 100
"""Asked for at once."""
_ROWS: Final = 5000
"""In one transaction."""
_SHARE: Final = 4
"""No copy has more than this part of the time: a shard that hangs must leave some for others."""


@dataclass(slots=True)
class Dropped:
    """What became of the copies that were due.

    Attributes:
        copies: That are gone now.
        rows: That were deleted.
        failed: That could not be dropped this time.
        left: Of which something is left for the next time, as that was enough; of those that were looked at.
    """

    copies: int = 0
    rows: int = 0
    failed: int = 0
    left: int = 0


class _Copy(NamedTuple):
    """One that is due: what `directory.copies_due` gives."""

    org_id: UUID
    move_id: UUID
    shard: int
    epoch: int
    switched_at: datetime


async def drop_due(shards: Shards, *, at_most_rows: int, at_most_seconds: float = 20.0) -> Dropped:
    """Drop the copies that are due, those first that have been for longest.

    Args:
        shards: All of them.
        at_most_rows: After so many it stops; the next call goes on.
        at_most_seconds: The same; a copy has a quarter of it.

    Raises:
        Problem: 503 `shard-unavailable`: the directory does not answer.
    """
    round_ = _Round(shards, at_most_rows, at_most_seconds)
    async for page in _due(shards):
        for copy in page:
            await round_.drop(copy)
        if round_.enough():
            break
    return round_.done


async def _due(shards: Shards) -> AsyncIterator[list[_Copy]]:
    """Give what is due, page by page; what was given comes no more, dropped or not."""
    last: _Copy | None = None

    async def attempt() -> list[_Copy]:
        after = (None, None) if last is None else (last.switched_at, last.move_id)
        async with shards.directory.connection() as connection:
            rows = await connection.fetch(
                "SELECT org_id, move_id, shard, epoch, switched_at FROM directory.copies_due($1, $2, $3)",
                _COPIES,
                *after,
            )
        return [_Copy(*row) for row in rows]

    while page := await retrying(attempt, idempotent=True):
        yield page
        last = page[-1]


class _Round:
    """One call's work: what is done, and which shards are left alone.

    Args:
        shards: All of them.
        at_most_rows: After so many nothing more is begun.
        seconds: The same.
    """

    def __init__(self, shards: Shards, at_most_rows: int, seconds: float) -> None:
        self.done = Dropped()
        self._shards = shards
        self._at_most_rows = at_most_rows
        self._share = seconds / _SHARE
        self._limit = deadlines.Deadline(time.monotonic() + seconds)
        self._unfit: set[int] = set()

    def enough(self) -> bool:
        """Whether the rest is for the next time."""
        return self.done.rows >= self._at_most_rows or self._limit.expired

    async def drop(self, copy: _Copy) -> None:
        """Drop a copy, or count it as what it is."""
        if self.enough():
            self.done.left += 1
            return
        if copy.shard in self._unfit:
            self.done.failed += 1
            return
        try:
            with deadlines.deadline(min(self._share, self._limit.remaining())) as limit:
                gone = await self._dropped(copy, limit)
                if gone:
                    await self._note(copy)
        except Exception as error:  # noqa: BLE001 - one copy's trouble must not keep the others from being dropped
            of = {"org_id": str(copy.org_id), "shard": copy.shard}
            _log.warning("old copy not dropped", **of, error=f"{type(error).__name__}: {error}")
            self.done.failed += 1
            return
        self.done.copies += gone
        self.done.left += not gone

    async def _dropped(self, copy: _Copy, limit: deadlines.Deadline) -> bool:
        """Delete rows of a copy; whether nothing is left of it."""

        async def some() -> int | None:
            async with self._shards.database(copy.shard).transaction() as tx:
                gone: int | None = await tx.fetchval(
                    "SELECT tenant_drop_copy($1, $2, $3)", copy.org_id, copy.epoch, _ROWS
                )
                return gone

        try:
            while gone := await retrying(some, idempotent=True):
                self.done.rows += gone
                point(points.COPY_SHRUNK)
                if self.enough() or limit.expired:
                    return False
        except Problem:  # it tells of the shard: the copy's own trouble is PostgreSQL's error
            self._unfit.add(copy.shard)
            raise
        return True

    async def _note(self, copy: _Copy) -> None:
        async def note() -> None:
            async with self._shards.directory.transaction() as tx:
                await tx.execute("SELECT directory.copy_dropped($1, $2)", copy.org_id, copy.move_id)

        point(points.COPY_GONE)
        await retrying(note, idempotent=True)
