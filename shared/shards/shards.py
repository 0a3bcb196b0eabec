"""All shards of one installation: placement, fenced transactions, health."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from shared import deadlines
from shared.caching import Cached, Coding, Loaded, Memory
from shared.clock import SystemClock
from shared.database.opening import Openings
from shared.database.pool import READ_ONLY, Database, UnexpectedPreludeError
from shared.database.retry import ShardUnavailableError, retrying
from shared.problems import Problem, register
from shared.randomness import SystemRandomness, uniform
from shared.replicas.lsn import Bookmark, parse
from shared.replicas.reads import Replica, ReplicaUnfitError
from shared.shards import topology
from shared.shards.placement import Placement, decode, encode
from shared.telemetry import counter, logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
    from uuid import UUID

    from shared.caching import Remote
    from shared.clock import Clock
    from shared.database.pool import DatabaseSettings, Transaction
    from shared.randomness import Randomness
    from shared.shards.topology import Topology

T = TypeVar("T")

_log = logger(__name__)
_refusals = counter(
    "hal9_fence_refusals_total",
    "Transactions that the epoch fence refused at first, by what the shard said: draining, moved, nothing, active.",
    ("found",),
)

_PLACEMENT_BYTES: Final = 5 * 2**20
"""About ten thousand placements."""

_PLACEMENT_SECONDS: Final = 60.0
_STALE_SECONDS: Final = 600.0
_MOVE_SECONDS: Final = 5.0
"""What a transaction waits for a move: a fence that is lifted after 1.5 s, and another one after it."""

_MOVE_PAUSES: Final = (0.004, 0.02)
"""Seconds between two looks of who waits for a move: about as long as it has waited, between these. Most fences are
gone after a few hundredths of a second; a long one is not asked more often than that."""

register("organisation-unknown", 404, "There is no such organisation", "Check the organisation's identifier.")
register(
    "organisation-moving",
    503,
    "The organisation is being moved",
    "Wait for as long as Retry-After says, then try again; a move pauses writes for a fraction of a second.",
)


class Shards:
    """The shards, in order; the first one also holds the directory.

    Args:
        databases: one for each shard.
        placements: the region's cache, where the placements of all processes are; None for none.
        clock: waits while an organisation moves.
        randomness: spreads those waits.
        asynchronous_tiers: whose writes do not wait for a replica.

    Attributes:
        placements: where organisations are, by version (epoch). Whoever moves one invalidates it there.
    """

    def __init__(
        self,
        databases: Sequence[Database],
        *,
        placements: Remote | None = None,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
        asynchronous_tiers: Collection[str] = (),
    ) -> None:
        self._asynchronous_tiers = frozenset(asynchronous_tiers)
        self._databases = tuple(databases)
        self._clock = clock or SystemClock()
        self._randomness = randomness or SystemRandomness()
        # Believed while invalidations cannot be heard: the fence checks the epoch where it counts. Not remembered is
        # who is not there, who may be created at any moment.
        self.placements = Cached(
            "placement",
            self._look_up,
            Coding(encode, decode),
            memory=Memory(_PLACEMENT_BYTES),
            remote=placements,
            seconds=_PLACEMENT_SECONDS,
            stale_seconds=_STALE_SECONDS,
            negative_seconds=0.0,
            while_deaf=True,
            clock=self._clock,
        )
        self._replicas: dict[int, Replica | None] = {}
        self._asked = False

    @classmethod
    def open(
        cls,
        settings: DatabaseSettings,
        *,
        application_name: str = "hal9",
        placements: Remote | None = None,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
    ) -> Self:
        """The shards of the settings; nothing is connected yet.

        Args:
            settings: addresses and sizes of the pools.
            application_name: the deployment's name; `hal9 shards` counts connections by it.
            placements: see the class.
            clock: where time comes from.
            randomness: spreads the openings and the waits.
        """
        openings = Openings(settings.pool_openings, settings.pool_stagger_seconds, clock=clock, randomness=randomness)
        return cls(
            [
                Database(
                    dsn.strip(),
                    pool_size=settings.pool_size,
                    idle_seconds=settings.pool_idle_seconds,
                    connect_seconds=settings.connect_seconds,
                    wait_seconds=settings.pool_wait_seconds,
                    application_name=application_name,
                    openings=openings,
                )
                for dsn in settings.shards.split(",")
                if dsn.strip()
            ],
            placements=placements,
            clock=clock,
            randomness=randomness,
            asynchronous_tiers=[tier.strip() for tier in settings.asynchronous_tiers.split(",")],
        )

    def __len__(self) -> int:
        return len(self._databases)

    @property
    def directory(self) -> Database:
        """The database that holds the directory."""
        return self._databases[0]

    def each(self) -> Sequence[Database]:
        """Every shard's database, in order: for sweeps across organisations through hal9_definer's functions."""
        return self._databases

    def database(self, shard: int) -> Database:
        """The shard of that number.

        Raises:
            Problem: 503 `unavailable`: it was added, and this process was started before.
        """
        if not 0 <= shard < len(self._databases):
            raise Problem("unavailable", detail=f"Shard {shard} is not in HAL9_SHARDS, which names {len(self)}.")
        return self._databases[shard]

    def asynchronous(self, placement: Placement) -> bool:
        """Whether there is a replica, and writes of that tier are acknowledged before it has them."""
        return placement.tier in self._asynchronous_tiers and self.database(placement.shard).replicated

    async def check(self) -> None:
        """Ask the directory for an answer; until it has answered once every other shard too, which warms its pool.

        One that is away is no reason to refuse the organisations on the others: whoever asks for its own is told so.

        Raises:
            ShardUnavailableError: the directory does not answer.
            Problem: 503 `pooler-unfit`, of any of them.
        """
        directory, *others = self._databases
        asked = () if self._asked else enumerate(others, 1)
        await asyncio.gather(retrying(directory.ping, clock=self._clock), *(self._ask(*each) for each in asked))
        self._asked = True

    async def _ask(self, number: int, database: Database) -> None:
        try:
            await retrying(database.ping, clock=self._clock)
        except ShardUnavailableError:
            _log.warning("a shard is away", shard=number)

    async def close(self) -> None:
        """Close every pool."""
        await asyncio.gather(*(replica.close() for replica in self._replicas.values() if replica is not None))
        await asyncio.gather(*(database.close() for database in self._databases))

    async def locate(self, org_id: UUID, *, at_least: int = 0) -> Placement:
        """Where the organisation is; from the caches when it is there.

        Args:
            org_id: the organisation.
            at_least: ask the directory rather than believe a cache that knows only an earlier epoch.

        Raises:
            Problem: 404 `organisation-unknown`.
        """
        placement = await self.placements.get(org_id, at_least=at_least)
        if placement is None:
            raise Problem("organisation-unknown")
        return placement

    async def _look_up(self, org_id: UUID, key: str) -> Loaded[Placement]:
        del key  # an organisation has one place

        async def attempt() -> Any:
            async with self.directory.transaction(f"SET LOCAL hal9.org_id='{org_id}'") as tx:
                return await tx.fetchrow(
                    "SELECT shard, region, epoch, tier FROM directory.organisations WHERE org_id = $1", org_id
                )

        row = await retrying(attempt, clock=self._clock, randomness=self._randomness)
        if row is None:
            return Loaded(0, None)
        return Loaded(row["epoch"], Placement(row["shard"], row["region"], row["epoch"], row["tier"]))

    async def topology(self) -> Topology:
        """The shards as the directory knows them now."""
        async with self.directory.connection() as connection:
            return await topology.read(connection)

    async def create_organisation(
        self,
        org_id: UUID,
        region: str,
        *,
        tier: str = "professional",
        slug: str | None = None,
        pinned: bool = False,
        split_from: UUID | None = None,
    ) -> Placement:
        """Give a new organisation its place; for one that exists, its present place.

        The shard's row comes first: until the directory's row is there the organisation does not exist, and a second
        try repairs a first one that was cut off in between.

        Args:
            org_id: its id.
            region: the region that its data stays in.
            tier: its subscription tier, one of `shared.quotas.TIERS`.
            slug: what people call it, if it has a name.
            pinned: it is placed in its region or not at all, and never moved outside it.
            split_from: the organisation whose part it was, if it is made by a split.

        Raises:
            Problem: 409 `residency`: it is pinned, and no shard of its region takes organisations; 503 `no-shard`.
        """
        shard = (await self.topology()).place(org_id, region, pinned=pinned)
        home = self.database(shard)
        scope = f"SET LOCAL hal9.org_id='{org_id}'"

        async def arrive() -> None:
            async with home.transaction(scope) as tx:
                await tx.execute("INSERT INTO tenants (org_id, epoch) VALUES ($1, 1) ON CONFLICT DO NOTHING", org_id)

        async def enter() -> None:
            async with self.directory.transaction(scope) as tx:
                await tx.execute(
                    "INSERT INTO directory.organisations (org_id, shard, region, tier, slug, pinned, split_from)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                    org_id, shard, region, tier, slug, pinned, split_from,
                )  # fmt: skip

        await retrying(arrive, idempotent=True, clock=self._clock)
        await retrying(enter, idempotent=True, clock=self._clock)
        return await self.locate(org_id, at_least=1)

    @asynccontextmanager
    async def transaction(
        self, org_id: UUID, *, readonly: bool = False, two_phase: bool = False
    ) -> AsyncIterator[Transaction]:
        """A transaction on the organisation's shard that sees its rows only.

        Args:
            org_id: the organisation.
            readonly: the transaction only reads; it then takes no lock on the fence.
            two_phase: the caller ends it; for `shared.transactions` alone.

        Raises:
            Problem: 404 `organisation-unknown`; 503 `organisation-moving`; 504 `deadline-exceeded`.
            CommitUnknownError: the connection was lost during COMMIT.
        """
        transaction, tx, _ = await self._entered(org_id, readonly=readonly, two_phase=two_phase)
        try:
            yield tx
        except BaseException as error:
            if not await transaction.__aexit__(type(error), error, error.__traceback__):
                raise
        else:
            await transaction.__aexit__(None, None, None)

    async def home(self, org_id: UUID) -> Placement:
        """Where the organisation is at home at this moment, as its shard itself says: waits until a move lets write.

        Raises:
            Problem: as `transaction`.
        """
        transaction, _, placement = await self._entered(org_id, readonly=False)
        await transaction.__aexit__(None, None, None)
        return placement

    async def _entered(
        self, org_id: UUID, *, readonly: bool, two_phase: bool = False
    ) -> tuple[Any, Transaction, Placement]:
        """Begin a transaction at the organisation's home; find the home when it moves or has moved."""
        began = self._clock.monotonic()
        placement = await self.locate(org_id)
        while True:
            transaction = self.database(placement.shard).transaction(
                _prelude(org_id, placement.epoch, readonly=readonly, commit=self._commit(placement)),
                "SELECT 1",
                two_phase=two_phase,
            )
            try:
                return transaction, await transaction.__aenter__(), placement
            except UnexpectedPreludeError:
                placement = await self._next_home(org_id, placement, began)

    async def _next_home(self, org_id: UUID, refused: Placement, began: float) -> Placement:
        """Where to try next, when the fence at a placement did not hold.

        The shard that was tried knows most: whether the organisation is held for a moment (then wait, and lift the
        fence of a mover that died), where it went (the directory may not know yet), or nothing of that epoch (then the
        directory knows a later one, whatever the caches say).
        """
        row = await self._row(org_id, refused)
        _refusals.add("nothing" if row is None else row["state"])
        found = refused
        if row is None or row["state"] == "moved":
            found = await self.locate(org_id, at_least=refused.epoch + 1)
            if found.epoch <= refused.epoch and row is not None and row["moved_to"] is not None:
                return Placement(row["moved_to"], refused.region, refused.epoch + 1, refused.tier)
        if found.epoch <= refused.epoch:
            await self._pause(began)
        return found

    async def _row(self, org_id: UUID, placement: Placement) -> Any:
        """What a shard says of an organisation in an epoch; a fence that nobody finished is lifted."""

        async def attempt() -> Any:
            async with self.database(placement.shard).transaction(f"SET LOCAL hal9.org_id='{org_id}'") as tx:
                return await tx.fetchrow(
                    "SELECT state, moved_to, state = 'draining' AND tenant_reopen(org_id, epoch) AS reopened"
                    " FROM tenants WHERE org_id = $1 AND epoch = $2",
                    org_id,
                    placement.epoch,
                )

        return await retrying(attempt, idempotent=True, clock=self._clock, randomness=self._randomness)

    def _commit(self, placement: Placement) -> str:
        """What a commit there waits for (PostgreSQL's `synchronous_commit`); empty where there is no replica."""
        if not self.database(placement.shard).replicated:
            return ""
        return "local" if self.asynchronous(placement) else "on"

    async def _pause(self, began: float) -> None:
        waited = self._clock.monotonic() - began
        shortest, longest = _MOVE_PAUSES
        pause = min(longest, max(shortest, waited)) * (0.5 + uniform(self._randomness))
        left = deadlines.remaining()
        if waited + pause > _MOVE_SECONDS or (left is not None and left <= pause):
            raise Problem("organisation-moving", headers={"Retry-After": "1"})
        await self._clock.sleep(pause)

    async def run(
        self,
        org_id: UUID,
        work: Callable[[Transaction], Awaitable[T]],
        *,
        idempotent: bool = False,
        readonly: bool = False,
        after: Bookmark | None = None,
    ) -> T:
        """Run `work` in a transaction, and the whole of it again when PostgreSQL says that this may help.

        Args:
            org_id: the organisation.
            work: gets the transaction; must have no effect outside it, as it may run up to three times.
            idempotent: also run it again when the connection was lost during COMMIT, as doing it twice does no harm
                (an inbox row, a unique key, a compare-and-set makes it so).
            readonly: see `transaction`; implies `idempotent`.
            after: with `readonly`: a replica will do that has got as far as this bookmark; where none has, or there is
                none, the primary serves. None: only the primary.

        Raises:
            Problem: as `transaction`; 503 `shard-unavailable` when the shard cannot be reached.
        """
        if readonly and after is not None:
            with contextlib.suppress(ReplicaUnfitError):
                return await self._read(org_id, work, after)

        async def attempt() -> T:
            async with self.transaction(org_id, readonly=readonly) as tx:
                return await work(tx)

        return await retrying(
            attempt, idempotent=idempotent or readonly, clock=self._clock, randomness=self._randomness
        )

    async def _read(self, org_id: UUID, work: Callable[[Transaction], Awaitable[T]], after: Bookmark) -> T:
        """Run `work` on a replica.

        Raises:
            ReplicaUnfitError: none can serve; the primary can.
        """
        placement = await self.locate(org_id)
        replica = self.replica(placement.shard)
        if replica is None or after.shard != placement.shard:
            raise ReplicaUnfitError
        prelude = _prelude(org_id, placement.epoch, readonly=True)
        return await replica.run(prelude, after.lsn, work)

    def replica(self, shard: int) -> Replica | None:
        """The replica of that shard; None where its address names none."""
        if shard not in self._replicas:
            primary = self.database(shard)
            database = primary.of_replicas()
            self._replicas[shard] = None if database is None else Replica(database, primary, self._clock)
        return self._replicas[shard]

    async def bookmark(self, org_id: UUID) -> Bookmark | None:
        """How far the organisation's shard has got: a read after it (`run`) sees all that was committed there before.

        None where no replica is, and every read sees it.

        Raises:
            Problem: 404 `organisation-unknown`; 503 `shard-unavailable`.
        """
        placement = await self.locate(org_id)
        if not self.database(placement.shard).replicated:
            return None

        async def attempt() -> str:
            async with self.database(placement.shard).connection() as connection:
                return str(await connection.fetchval("SELECT pg_current_wal_insert_lsn()::text"))

        position = await retrying(attempt, idempotent=True, clock=self._clock, randomness=self._randomness)
        return Bookmark(placement.shard, parse(position))


def _prelude(org_id: UUID, epoch: int, *, readonly: bool, commit: str = "") -> str:
    """What travels with BEGIN. A UUID and an integer have no text in which anything could hide."""
    lock = "" if readonly else " FOR KEY SHARE"
    state = "state<>'moved'" if readonly else "state='active'"
    access = READ_ONLY if readonly else ""
    fence = f"SELECT 1 FROM tenants WHERE org_id='{org_id}' AND epoch={epoch:d} AND {state}{lock}"  # noqa: S608
    if commit and not readonly:
        access = f"SET LOCAL synchronous_commit={commit};"
    return f"{access}SET LOCAL hal9.org_id='{org_id}';{fence}"
