"""Reads from replicas, by callers that allow it: at least as new as their bookmark, else from the primary.

Promises: a read sees what its bookmark stands for, or is refused here within `BEHIND_SECONDS` of asking a replica that
lags, and `ANSWER_SECONDS` of asking one that hangs; a replica that failed `FAILURES` times in a row is ejected (its
connections are closed), and tried by one caller after a pause that doubles up to `LONGEST_PAUSE_SECONDS`.
Does not: go to the primary (`Shards.run` does), or promise that two reads without a common bookmark agree.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg

from shared.clock import SystemClock
from shared.database.pool import UnexpectedPreludeError
from shared.database.retry import is_connection_lost, is_contention
from shared.problems import Problem
from shared.replicas.lsn import parse, spell
from shared.telemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.clock import Clock
    from shared.database.pool import Database, Transaction
    from shared.replicas.lsn import Lsn

T = TypeVar("T")

BEHIND_SECONDS: Final = 0.02
"""How long a replica is waited for that has not got so far."""

BEGIN_SECONDS: Final = 0.1
ANSWER_SECONDS: Final = 1.0
FAILURES: Final = 3
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.002
_REACHED: Final = (
    "SELECT CASE WHEN pg_is_in_recovery() THEN false ELSE pg_current_wal_insert_lsn() >= $1::text::pg_lsn END"
)

_READS = metrics.counter(
    "hal9_replica_reads_total",
    "Reads that a replica was good enough for, by who answered: the replica; or the primary because the replica was "
    "behind, failed, or was ejected, or because the bookmark is of a position that is nowhere yet.",
    ("by", "why"),
)
_EJECTIONS = metrics.counter("hal9_replica_ejections_total", "Times that a replica was left alone after failures.")


class ReplicaUnfitError(Exception):
    """The replica did not serve this read; the primary can."""


class _Behind(Exception):  # noqa: N818 - it is no error
    """The replica has not got so far."""


class Replica:
    """The replica of one shard.

    Args:
        database: its pool (`Database.of_replicas`).
        primary: the pool of the shard's primary.
        clock: tells the time, and waits.
    """

    def __init__(self, database: Database, primary: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._primary = primary
        self._clock = clock or SystemClock()
        self._failures = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._try_at = 0.0
        self._left: set[asyncio.Future[Any]] = set()

    @property
    def ejected(self) -> bool:
        """Whether it is left alone."""
        return self._failures >= FAILURES

    async def run(self, prelude: str, after: Lsn, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in a read-only transaction on the replica.

        Args:
            prelude: travels with BEGIN; its last statement is a SELECT with a WHERE clause that gives one row.
            after: the position that the replica must have replayed.
            work: gets the transaction; the caller runs it again on the primary when the replica fails meanwhile.

        Raises:
            ReplicaUnfitError: the replica is ejected, failed, or has not got so far in time.
            Exception: whatever else `work` raised.
        """
        if not self._allowed():
            _READS.add("primary", "ejected")
            raise ReplicaUnfitError
        position = f"{prelude} AND pg_is_in_recovery() AND pg_last_wal_replay_lsn()>='{spell(after)}'"
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        attempt = asyncio.ensure_future(self._attempt(position, work, begun))
        try:
            answered = await self._bounded(attempt, begun)
        except asyncio.CancelledError:
            self._leave(attempt)
            raise
        if not answered:
            self._leave(attempt)  # its connection hangs, and so would taking it back
            raise await self._failed("failed")
        try:
            result = attempt.result()
        except _Behind:
            raise await self._behind(after) from None
        except Exception as error:
            if is_connection_lost(error) or is_contention(error) or isinstance(error, asyncpg.QueryCanceledError):
                raise await self._failed("failed") from error
            raise
        self._failures = 0
        self._pause = FIRST_PAUSE_SECONDS
        _READS.add("replica", "")
        return result

    async def position(self) -> Lsn:
        """Ask the replica how far it has replayed the log, ejected or not.

        Raises:
            ReplicaUnfitError: it does not answer.
        """
        asking = asyncio.ensure_future(self._position())
        await asyncio.wait({asking}, timeout=ANSWER_SECONDS)
        if not asking.done():
            self._leave(asking)
            self._database.abandon()
            raise ReplicaUnfitError
        try:
            return asking.result()
        except Exception as error:
            if is_connection_lost(error):
                raise ReplicaUnfitError from error
            raise

    async def _position(self) -> Lsn:
        async with self._database.connection() as connection:
            return parse(await connection.fetchval("SELECT coalesce(pg_last_wal_replay_lsn(), '0/0')::text"))

    async def _bounded(self, attempt: asyncio.Future[Any], begun: asyncio.Future[Any]) -> bool:
        """Wait for the attempt; whether it came to an end in time."""
        await asyncio.wait({attempt, begun}, timeout=BEGIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not attempt.done() and not begun.done():
            return False
        await asyncio.wait({attempt}, timeout=ANSWER_SECONDS)
        return attempt.done()

    async def _attempt(
        self, prelude: str, work: Callable[[Transaction], Awaitable[T]], begun: asyncio.Future[None]
    ) -> T:
        limit = self._clock.monotonic() + BEHIND_SECONDS
        while True:
            try:
                async with self._database.transaction(prelude, "SELECT 1") as tx:
                    begun.set_result(None)
                    return await work(tx)
            except UnexpectedPreludeError:
                if self._clock.monotonic() >= limit:
                    raise _Behind from None
            await self._clock.sleep(_POLL_SECONDS)

    def _leave(self, attempt: asyncio.Future[Any]) -> None:
        """Let an attempt end by itself, unheard."""
        attempt.cancel()
        self._left.add(attempt)
        attempt.add_done_callback(self._gone)

    def _gone(self, attempt: asyncio.Future[Any]) -> None:
        self._left.discard(attempt)
        if not attempt.cancelled():
            attempt.exception()

    def _allowed(self) -> bool:
        if not self.ejected:
            return True
        now = self._clock.monotonic()
        if now < self._try_at:
            return False
        self._try_at = now + self._pause  # one may try; the others wait for what becomes of it
        return True

    async def _behind(self, after: Lsn) -> ReplicaUnfitError:
        """Count it against the replica that it has not got so far, unless its primary has not either.

        Such a bookmark was made up, or speaks of writes that a failover lost: whoever sends it must not eject the
        replica for everybody.
        """
        if await self._reached(after):
            return await self._failed("behind")
        _READS.add("primary", "nowhere")
        return ReplicaUnfitError()

    async def _reached(self, after: Lsn) -> bool:
        try:
            async with self._primary.connection() as connection:
                return bool(await connection.fetchval(_REACHED, spell(after)))
        except Problem:
            return False  # nobody knows; whoever reads from the primary now will hear what is wrong

    async def _failed(self, why: str) -> ReplicaUnfitError:
        _READS.add("primary", why)
        self._failures += 1
        if self.ejected:
            self._try_at = self._clock.monotonic() + self._pause
            self._pause = min(LONGEST_PAUSE_SECONDS, 2 * self._pause)
            if self._failures == FAILURES:
                _EJECTIONS.add()
            # It may have been promoted, or replaced: the next try finds out over a new connection.
            self._database.abandon()
        return ReplicaUnfitError()

    async def close(self) -> None:
        """Close its connections."""
        for attempt in tuple(self._left):
            attempt.cancel()
        await self._database.close()
