"""The keeper of shards with replicas: it renews the primaries' leases, restarts what dies, and fails over.

Every second it connects to each primary anew, as a client would, and extends its lease. A primary whose process ended
is started again in place, which loses nothing. One that gives no answer for `PATIENCE_SECONDS`, or ends again and
again, is replaced: it is ended for good first (SIGKILL, which also ends what is stopped), then its replica is promoted,
then it is rewound and follows. One that only has no processor is waited for, `STARVED_SECONDS` at most: its replica
has none either.

Promises: nothing is promoted while its old primary may still run, nor when the replica may lack what was acknowledged
to a tier whose writes wait for it (`alone`): such a primary is killed and started again in place. A replica that does
not keep up stops nobody for longer than `ALONE_SECONDS`: from then on commits do not wait for it, and that is on disk
first.
Does not: watch servers that HAL9 did not start.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from knative.platform.servers import ServerError
from knative.platform.servers.replicated import Promotion
from knative.platform.starvation import Heard, Processors
from shared.clock import SystemClock
from shared.replicas import lease
from shared.replicas.lsn import Lsn, spell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from knative.platform.servers import Replicated
    from knative.platform.servers.replicated import Failover
    from shared.clock import Clock

log = logging.getLogger("hal9.keeper")

TICK_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 5.0
"""How long one question waits for an answer; most of the ten seconds in which a shard is to have a new home."""

PATIENCE_SECONDS: Final = 4.0
"""A primary that was silent for longer, and does not answer now, is replaced."""

STARVED_SECONDS: Final = 60.0
"""A primary that is silent because nothing has a processor is replaced after so long all the same."""

MISSING_SECONDS: Final = 2.0
"""A replica that does not answer for so long is not promoted."""

ALONE_SECONDS: Final = 3.0
REBUILD_SECONDS: Final = 30.0
CRASHES: Final = 3
"""How often a primary's process may end within `CRASHES_WITHIN_SECONDS` and be started again where it was."""

CRASHES_WITHIN_SECONDS: Final = 60.0
RESTART_SECONDS: Final = 6.0
"""How long a primary may take to start again while its replica could take over."""

_CLOSE_BYTES: Final = 16 * 2**20
_DATABASE_FAULTS: Final = (
    OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError,
)  # fmt: skip


class PromotionRefusedError(Exception):
    """Promoting the replica would lose acknowledged writes, or there is none; the text says which.

    Args:
        text: why.
        passes: whether it may be different in a moment.
    """

    def __init__(self, text: str, *, passes: bool = True) -> None:
        super().__init__(text)
        self.passes = passes


@dataclass(slots=True)
class _Watch:
    """What the keeper knows of one shard.

    Attributes:
        heard: when the primary answered last (monotonic).
        seen: up to where it had its log then.
        caught_up: when the replica had, last, what the primary had a second before.
        moved: when it confirmed anything more, or had all of it.
        confirmed: what it had confirmed then.
        wanted: the position that the replica must confirm before it may be promoted again; None: not asked for yet.
        lag_bytes: by how much of the log the replica is behind; None while nobody can say.
        ends: when its process ended, lately.
        waiting: commits wait for the replica, or may do.
        changing: roles are being changed: what is down is meant to be.
        mending: the replica is being started, rewound or copied.
        then: how the primary's processes stood when it answered last.
        starved: it is silent, and lacks only a processor.
        starvations: how often it was.
    """

    heard: float
    caught_up: float
    moved: float
    confirmed: Lsn | None = None
    seen: Lsn | None = None
    wanted: Lsn | None = None
    lag_bytes: int | None = None
    ends: list[float] = field(default_factory=list)
    waiting: bool = False
    changing: bool = False
    mending: bool = False
    then: Heard = field(default_factory=Heard)
    starved: bool = False
    starvations: int = 0


class Keeper:
    """Keeps the shards of one platform.

    Args:
        shards: their servers; the primaries run.
        processors: tells who has none.
        clock: tells the time.

    Attributes:
        restarts: how many servers it started again.
    """

    def __init__(
        self, shards: Sequence[Replicated], processors: Processors | None = None, clock: Clock | None = None
    ) -> None:
        self._processors = processors or Processors()
        self._clock = clock or SystemClock()
        now = self._clock.monotonic()
        self._shards = list(shards)
        self._watches = [_Watch(now, now, now) for _ in self._shards]
        self.restarts = 0

    @property
    def failovers(self) -> list[Failover]:
        """The last promotions of each shard, the oldest first; also those before the platform's last start."""
        return sorted((one for shard in self._shards for one in shard.record.failovers), key=lambda one: one.at)

    async def start(self) -> None:
        """Give every primary its lease, and start every replica; one that cannot be started is tried again later."""
        await asyncio.gather(*(self._begin(number) for number in range(len(self._shards))))

    async def _begin(self, number: int) -> None:
        shard = self._shards[number]
        shard.remember(alone=True)
        async with shard.superuser(shard.primary) as connection:
            await lease.wait_for(connection, [])
            generation = await lease.generation(connection)
        if generation > shard.record.generation:  # the record was lost, or is older than the data
            shard.remember(generation=generation)
        await self._hear(number)
        try:
            await shard.start_replica()
        except (ServerError, *_DATABASE_FAULTS):
            log.exception("shard %d has no replica for now", number)
        self._watches[number].caught_up = self._watches[number].moved = self._clock.monotonic()

    async def run(self) -> None:
        """Keep them, until cancelled."""
        numbers = range(len(self._shards))
        # Apart from each other: a lease is renewed while a replica is copied.
        await asyncio.gather(
            *(self._every_second(number, self._tend_primary) for number in numbers),
            *(self._every_second(number, self._tend_replica) for number in numbers),
        )

    async def _every_second(self, number: int, tend: Callable[[int], Awaitable[None]]) -> None:
        while True:
            slept = self._clock.monotonic()
            await self._clock.sleep(TICK_SECONDS)
            late = self._clock.monotonic() - slept - TICK_SECONDS
            if late > TICK_SECONDS:
                # This process had no time itself: it cannot tell who was silent.
                self._watches[number].heard = self._clock.monotonic()
            try:
                await tend(number)
            except (ServerError, *_DATABASE_FAULTS):
                log.exception("shard %d: the keeper goes on", number)

    async def _tend_primary(self, number: int) -> None:
        shard, watch = self._shards[number], self._watches[number]
        if watch.changing:
            return
        if not shard.primary.alive:
            log.warning("%s ended", shard.primary.name)
            now = self._clock.monotonic()
            watch.ends = [*(end for end in watch.ends if now - end < CRASHES_WITHIN_SECONDS), now]
            if len(watch.ends) > CRASHES:
                watch.ends = []
                await self._replace(number)
                return
            watch.changing = True  # or somebody could promote the replica while its primary comes back
            try:
                await self._restart_primary(number, None if shard.record.alone else RESTART_SECONDS)
            finally:
                watch.changing = False
        if await self._hear(number) or watch.changing or self._clock.monotonic() - watch.heard <= PATIENCE_SECONDS:
            return
        if not self._is_starved(number):
            await self._replace(number)

    def _is_starved(self, number: int) -> bool:
        """Whether a primary that is silent is to be waited for, as it, or this process, has no processor."""
        primary, watch = self._shards[number].primary, self._watches[number]
        silent = self._clock.monotonic() - watch.heard
        starved = (
            primary.process is not None
            and primary.alive
            and silent < STARVED_SECONDS
            and self._processors.starved(primary.process.pid, watch.then, silent)
        )
        if starved:
            log.warning("%s has been silent for %.1f s for want of a processor: it is waited for", primary.name, silent)
            watch.starvations += not watch.starved
        watch.starved = starved
        return starved

    async def _restart_primary(self, number: int, seconds: float | None) -> None:
        """Start the primary again where it was; what it had acknowledged is on its disk.

        One that takes longer than those seconds to recover is replaced, if it can be.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._shards[number].start_primary()
            self.restarts += 1
        except (ServerError, *_DATABASE_FAULTS):
            log.exception("%s cannot be started again", self._shards[number].primary.name)

    async def _hear(self, number: int) -> bool:
        """Extend the primary's lease over a new connection; whether it answered."""
        shard, watch = self._shards[number], self._watches[number]
        if not shard.primary.alive:
            return False
        asked = self._clock.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS), shard.superuser(shard.primary) as connection:
                await lease.renew(connection, shard.record.generation)
                standing = await lease.standing(connection, shard.replica.name)
                self._answered(number)
                await self._weigh(number, connection, standing)
                watch.seen = standing.position
        except _DATABASE_FAULTS as error:
            log.warning("%s does not answer: %r", shard.primary.name, error)
            if self._clock.monotonic() - asked > ANSWER_SECONDS + TICK_SECONDS:
                watch.heard = self._clock.monotonic()  # this process had no time itself
            return False
        return True

    def _answered(self, number: int) -> None:
        primary, watch = self._shards[number].primary, self._watches[number]
        watch.heard = self._clock.monotonic()
        watch.starved = False
        if primary.process is not None:
            watch.then = self._processors.heard(primary.process.pid)

    async def _weigh(self, number: int, connection: Any, standing: lease.Standing) -> None:
        """Let commits wait for the replica when it has everything, and not while it is away."""
        shard, watch = self._shards[number], self._watches[number]
        now = self._clock.monotonic()
        watch.lag_bytes = None if standing.confirmed is None else max(0, standing.position - standing.confirmed)
        keeps_up = standing.confirmed is not None and standing.confirmed >= (watch.seen or standing.position)
        if keeps_up:
            watch.caught_up = watch.moved = now
        elif standing.confirmed is not None and standing.confirmed != watch.confirmed:
            watch.moved = now
        watch.confirmed = standing.confirmed
        if now - watch.caught_up > ALONE_SECONDS:
            await self._go_alone(number, connection)
        elif keeps_up and shard.record.alone:
            await self._take_back(number, connection, standing)

    async def _go_alone(self, number: int, connection: Any) -> None:
        """Let commits wait no more; that nothing may be promoted is on disk before the first of them."""
        shard, watch = self._shards[number], self._watches[number]
        watch.wanted = None
        if not watch.waiting:
            return
        log.warning("shard %d: its replica does not keep up, commits do not wait for it", number)
        shard.remember(alone=True)
        await lease.wait_for(connection, [])
        watch.waiting = False

    async def _take_back(self, number: int, connection: Any, standing: lease.Standing) -> None:
        """Let commits wait; once the replica has what was committed before they did, it may be promoted."""
        shard, watch = self._shards[number], self._watches[number]
        if not watch.waiting:
            watch.waiting = True
            await lease.wait_for(connection, [shard.replica.name])
        elif watch.wanted is None and standing.synchronous:
            watch.wanted = standing.position
        elif watch.wanted is not None and standing.confirmed is not None and standing.confirmed >= watch.wanted:
            shard.remember(alone=False)
            log.info("shard %d: commits wait for %s", number, shard.replica.name)

    async def _tend_replica(self, number: int) -> None:
        """Start the replica again, or copy it anew when that does not help."""
        shard, watch = self._shards[number], self._watches[number]
        silent = self._clock.monotonic() - watch.heard > TICK_SECONDS + ANSWER_SECONDS
        still = self._clock.monotonic() - watch.moved
        lost = still > REBUILD_SECONDS
        if watch.changing or silent or not (lost or shard.record.apart or not shard.replica.alive):
            return
        watch.mending = True
        try:
            what = f"copied anew: it has not come on for {still:.0f} s" if lost else "started again"
            log.warning("%s is %s", shard.replica.name, what)
            try:
                if lost:
                    await shard.replica.kill()
                await shard.start_replica(anew=lost)
            except ServerError:
                log.exception("%s is copied anew", shard.replica.name)
                await shard.start_replica(anew=True)
            self.restarts += 1
        finally:
            watch.mending = False
            watch.caught_up = watch.moved = self._clock.monotonic()

    # changing roles

    async def _replace(self, number: int) -> None:
        """Replace a primary that does not answer, or does not stay."""
        shard, watch = self._shards[number], self._watches[number]
        silent = self._clock.monotonic() - watch.heard
        log.error("%s has been silent for %.1f s, or ends again and again: it is replaced", shard.primary.name, silent)
        watch.changing = True
        try:
            await shard.primary.kill()
            try:
                await self._require_replica(number)
            except PromotionRefusedError as error:
                log.error("shard %d: %s; %s is started again", number, error, shard.primary.name)  # noqa: TRY400
                await self._restart_primary(number, None)
            else:
                await self._promote(number, asked=False)
        finally:
            watch.changing = False

    async def promote(self, number: int) -> Failover:
        """Promote a shard's replica because somebody asks for it; no write is lost.

        Raises:
            PromotionRefusedError: there is no such shard, or its replica is not up to date.
        """
        if not 0 <= number < len(self._shards):
            raise PromotionRefusedError("there is no such shard", passes=False)
        shard, watch = self._shards[number], self._watches[number]
        if watch.changing:
            raise PromotionRefusedError("its roles are being changed already")
        watch.changing = True
        try:
            await self._require_replica(number)
            if watch.lag_bytes is None or watch.lag_bytes > _CLOSE_BYTES:
                raise PromotionRefusedError("its replica is too far behind")
            await shard.primary.stop()  # a fast shutdown ends when the replica has everything
            return await self._promote(number, asked=True)
        finally:
            watch.changing = False

    async def _require_replica(self, number: int) -> None:
        shard = self._shards[number]
        if shard.record.alone or shard.record.apart or self._watches[number].mending:
            raise PromotionRefusedError("its replica may lack writes that were acknowledged, until commits wait for it")
        try:
            async with asyncio.timeout(MISSING_SECONDS), shard.superuser(shard.replica) as connection:
                await connection.fetchval("SELECT 1")
        except _DATABASE_FAULTS as error:
            raise PromotionRefusedError(f"its replica does not answer ({type(error).__name__})") from error

    async def _promote(self, number: int, *, asked: bool) -> Failover:
        """Make the replica the primary; the old one has ended."""
        shard, watch = self._shards[number], self._watches[number]
        heard = self._clock.now().timestamp() - (self._clock.monotonic() - watch.heard)
        shard.remember(
            primary=shard.replica.name,
            generation=shard.record.generation + 1,
            alone=True,
            apart=True,
            promotion=Promotion(asked, heard, spell(watch.seen or Lsn(0))),
        )
        watch.wanted = watch.seen = watch.confirmed = None
        watch.waiting = False
        done = await shard.promote()
        watch.heard = watch.caught_up = watch.moved = self._clock.monotonic()
        return done

    def status(self) -> list[dict[str, Any]]:
        """Say how each shard stands."""
        return [
            {
                "shard": number,
                "primary": shard.record.primary,
                "replica": shard.replica.name,
                "generation": shard.record.generation,
                "synchronous": not shard.record.alone,
                "lag_bytes": watch.lag_bytes,
                "silent_seconds": round(self._clock.monotonic() - watch.heard, 1),
                "starved": watch.starved,
                "starvations": watch.starvations,
            }
            for number, (shard, watch) in enumerate(zip(self._shards, self._watches, strict=True))
        ]
