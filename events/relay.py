"""The relay publishes what transactions left in the outbox, soon after they commit; the sweep, what relays left.

Promises: every event of a committed transaction reaches the broker at least once, also when the process dies at any
point (the sweep takes what is left once its claim has run out); events of one organisation with the same `partitionkey`
leave in the order in which they were written, also when several processes relay; a broker that is away costs the caller
nothing. It does not make effects happen once: the receivers' inboxes do.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

import msgspec

from events import codec, deadletters, outbox
from events.publisher import Refused
from shared import chaos, deadlines
from shared.telemetry import counter, logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.cloudevent import CloudEvent
    from shared.database.pool import Transaction
    from shared.shards import Shards

_log = logger(__name__)

BATCH: Final = 100
"""Events that a relay claims at once."""

BATCH_BYTES: Final = 8 << 20
"""When so many bytes of events are claimed, no further event is: a relay's memory is bounded whatever events weigh."""

LEASE_SECONDS: Final = 30
"""How long a claim holds; a relay that is still at it then may find that another one has published the same event."""

_PUBLISH_SECONDS: Final = 20.0
_MAX_WAITING: Final = 10_000
_WORKERS: Final = 4

BEFORE_PUBLISH: Final = chaos.register(
    "relay.before_publish",
    "The outbox's rows are committed and claimed, nothing is published: the sweep publishes them.",
)
PUBLISHED: Final = chaos.register(
    "relay.published",
    "The broker has the events, the outbox still has their rows: they are published again and dropped as duplicates.",
)
MARKED: Final = chaos.register(
    "relay.marked", "The events are published and gone from the outbox: nothing is left to do."
)

_published = counter("hal9_outbox_published_total", "Events that relays and sweeps gave to the broker.")
_failed = counter("hal9_outbox_failed_total", "Events that could not be given to the broker and stay in the outbox.")


class Publishes(Protocol):
    """What the relay needs of a publisher."""

    async def publish_all(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        """Publish events; for each None, or why it was not taken (`Refused`: never will be)."""
        ...


class _Claimed(msgspec.Struct, frozen=True):
    id: UUID
    event: CloudEvent
    size: int


class Relay:
    """Publishes the outboxes of organisations in the background.

    Args:
        shards: Where the outboxes are.
        publisher: Gives events to the broker.
        workers: How many organisations are served at once.
    """

    def __init__(self, shards: Shards, publisher: Publishes, *, workers: int = _WORKERS) -> None:
        self._shards = shards
        self._publisher = publisher
        self._limit = workers
        self._waiting: dict[UUID, None] = {}
        self._running: set[UUID] = set()
        self._workers: set[asyncio.Task[None]] = set()
        self._closed = False

    def after_commit(self, org_id: UUID) -> None:
        """Have what the organisation's outbox holds published soon.

        Returns at once and never fails: the sweep is behind it.
        """
        if self._closed or len(self._waiting) >= _MAX_WAITING:
            return
        self._waiting[org_id] = None
        self._start()

    def _start(self) -> None:
        if len(self._workers) < self._limit and self._next() is not None:
            # An empty context: the work belongs to no request, and must not inherit its deadline.
            task = asyncio.get_running_loop().create_task(self._work(), context=contextvars.Context())
            self._workers.add(task)

    async def _work(self) -> None:
        try:
            while (org_id := self._next()) is not None:
                del self._waiting[org_id]
                self._running.add(org_id)
                try:
                    await self.drain(org_id)
                except Exception as error:  # noqa: BLE001 - whatever went wrong, the sweep tries again
                    _log.warning("outbox not published", error=type(error).__name__)
                finally:
                    self._running.discard(org_id)
        finally:
            # Not in a callback: whoever calls `after_commit` next must see that this worker takes nothing any more.
            self._workers = {worker for worker in self._workers if worker is not asyncio.current_task()}

    def _next(self) -> UUID | None:
        return next((org_id for org_id in self._waiting if org_id not in self._running), None)

    async def idle(self) -> None:
        """Wait until everything that `after_commit` asked for was tried."""
        while self._workers:
            await asyncio.wait(self._workers)

    async def close(self) -> None:
        """Finish what was asked for, take nothing new."""
        self._closed = True
        await self.idle()

    async def drain(self, org_id: UUID) -> int:
        """Publish all of the outbox that nobody has claimed; gives how many events were taken.

        Raises:
            Problem: The shard does not answer, or the organisation is unknown.
        """
        total = 0
        while True:
            claimed = await self._shards.run(org_id, lambda tx: _claim(tx, org_id))
            if not claimed:
                return total
            taken = await self._publish(org_id, claimed)
            total += taken
            if taken < len(claimed) or not _filled(claimed):
                return total

    async def _publish(self, org_id: UUID, claimed: Sequence[_Claimed]) -> int:
        chaos.point(BEFORE_PUBLISH)
        with deadlines.deadline(_PUBLISH_SECONDS):
            outcomes = await self._publisher.publish_all([row.event for row in claimed])
        chaos.point(PUBLISHED)
        done = [row.id for row, outcome in zip(claimed, outcomes, strict=True) if outcome is None]
        refused = [
            (row, outcome) for row, outcome in zip(claimed, outcomes, strict=True) if isinstance(outcome, Refused)
        ]
        failed = [
            row.id
            for row, outcome in zip(claimed, outcomes, strict=True)
            if outcome is not None and not isinstance(outcome, Refused)
        ]

        async def mark(tx: Transaction) -> None:
            for row, outcome in refused:
                await deadletters.add(
                    tx, row.event, destination="broker", error_code=outcome.status, error=outcome.detail
                )
            await _release(tx, org_id, gone=[*done, *(row.id for row, _ in refused)], left=failed)

        await self._shards.run(org_id, mark, idempotent=True)
        chaos.point(MARKED)
        _published.add(by=len(done))
        if failed:
            _failed.add(by=len(failed))
            _log.warning(
                "events stay in the outbox", count=len(failed), error=str(next(o for o in outcomes if o is not None))
            )
        return len(done) + len(refused)


async def _claim(tx: Transaction, org_id: UUID) -> list[_Claimed]:
    """Claim the oldest rows that are free, up to both bounds, but none behind a claimed one with its partition key.

    A claim that ends later than any can is of a clock that was set back since; it holds nothing.
    """
    # One relay claims at a time for an organisation; others wait for the milliseconds that it takes.
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1::text, 2))", str(org_id))
    rows = await tx.fetch(
        """
        UPDATE outbox SET claimed_until = clock_timestamp() + make_interval(secs => $2), attempts = attempts + 1
        WHERE org_id = $1 AND id IN (
            SELECT id FROM (
                SELECT id, sum(size) OVER (ORDER BY recorded_at, id) - size AS before FROM (
                    SELECT id, recorded_at, octet_length(event) AS size FROM outbox AS free
                    WHERE org_id = $1 AND (claimed_until BETWEEN clock_timestamp()
                        AND clock_timestamp() + make_interval(secs => $5)) IS NOT TRUE
                    AND NOT EXISTS (
                        SELECT FROM outbox AS ahead
                        WHERE ahead.org_id = $1 AND ahead.partition_key = free.partition_key
                        AND ahead.recorded_at < free.recorded_at AND ahead.claimed_until BETWEEN clock_timestamp()
                        AND clock_timestamp() + make_interval(secs => $5)
                    )
                    ORDER BY recorded_at, id LIMIT $3
                ) AS oldest
            ) AS measured WHERE before < $4
        )
        RETURNING id, event, recorded_at
        """,
        org_id,
        LEASE_SECONDS,
        BATCH,
        BATCH_BYTES,
        outbox.LONGEST_SECONDS,
    )
    ordered = sorted(rows, key=lambda row: (row["recorded_at"], row["id"]))
    return [_claimed(row["id"], row["event"]) for row in ordered]


def _claimed(row_id: UUID, event: bytes) -> _Claimed:
    return _Claimed(row_id, codec.from_structured(event, max_bytes=len(event)), len(event))


def _filled(claimed: Sequence[_Claimed]) -> bool:
    """Whether a claim ended at one of its bounds, so that there may be more."""
    return len(claimed) == BATCH or sum(row.size for row in claimed) >= BATCH_BYTES


async def _release(tx: Transaction, org_id: UUID, *, gone: Sequence[UUID], left: Sequence[UUID]) -> None:
    if gone:
        await tx.execute("DELETE FROM outbox WHERE org_id = $1 AND id = ANY($2)", org_id, gone)
    if left:
        await tx.execute("UPDATE outbox SET claimed_until = NULL WHERE org_id = $1 AND id = ANY($2)", org_id, left)


class Swept(msgspec.Struct, frozen=True):
    """What a sweep did.

    Attributes:
        organisations: How many had something left.
        events: How many events the broker took.
        failed: For how many organisations it did not work this time.
    """

    organisations: int
    events: int
    failed: int


async def sweep(shards: Shards, publisher: Publishes, older_than_s: float = 5.0, *, at_most: int = 1000) -> Swept:
    """Publish what was left in all outboxes: by processes that died, or while the broker was away.

    Args:
        shards: Where the outboxes are.
        publisher: Gives events to the broker.
        older_than_s: Rows that are younger are left to the relay of whoever wrote them.
        at_most: Organisations on each shard in one sweep.

    Raises:
        Problem: A shard does not answer; the others were swept.
    """
    relay = Relay(shards, publisher)
    found = await asyncio.gather(
        *(_leftovers(shards, number, older_than_s, at_most) for number in range(len(shards))), return_exceptions=True
    )
    organisations = [org_id for part in found if not isinstance(part, BaseException) for org_id in part]
    events = failed = 0
    gate = asyncio.Semaphore(_WORKERS)

    async def one(org_id: UUID) -> int | None:
        async with gate:
            with contextlib.suppress(Exception):
                return await relay.drain(org_id)
        return None

    for published in await asyncio.gather(*(one(org_id) for org_id in organisations)):
        events += published or 0
        failed += published is None
    for part in found:
        if isinstance(part, BaseException):
            raise part
    return Swept(len(organisations), events, failed)


async def _leftovers(shards: Shards, number: int, older_than_s: float, at_most: int) -> list[UUID]:
    async with shards.database(number).connection() as connection:
        rows = await connection.fetch(
            "SELECT outbox_leftovers(make_interval(secs => $1), $2) AS org_id", older_than_s, at_most
        )
    # An organisation that has moved leaves nothing behind that its new shard has not.
    return [row["org_id"] for row in rows if (await shards.locate(row["org_id"])).shard == number]
