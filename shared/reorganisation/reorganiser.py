"""Whoever splits and merges: plans, and does what the plan says, or goes on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from shared.chaos import point
from shared.clock import SystemClock
from shared.placement.refused import RefusedError, StuckError
from shared.problems import Problem
from shared.quotas import STORAGE
from shared.quotas.usage import counted
from shared.reorganisation import points, register
from shared.reorganisation.plan import Plan
from shared.shards.organisations import organisation_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    import asyncpg

    from shared.clock import Clock
    from shared.database import Transaction
    from shared.quotas import Tiers
    from shared.reorganisation.kinds import Kind, Thing
    from shared.reorganisation.register import Entry
    from shared.shards import Shards

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

SETTLE_SECONDS: Final = 90.0
"""After all were told that an organisation was shut: so long a token made before opens functions (60 s), and more."""

_LOOK_SECONDS: Final = 0.5
_STAYS: Final = {
    "runs": "SELECT count(*) FROM runs WHERE org_id = $1",
    "dead letters": "SELECT count(*) FROM dead_letters WHERE org_id = $1",
}
_RUNNING: Final = "SELECT count(*) FROM runs WHERE org_id = $1 AND state = 'running'"


async def _untold(org_id: UUID, keys: Sequence[UUID]) -> None:
    del org_id, keys


def _unseen(said: str) -> None:
    del said


class Reorganiser:
    """Splits and merges organisations, one at a time.

    Args:
        directory: A connection to the directory's database, as the role that owns it.
        shards: All of them, for the application's role: who prepares a branch must finish it.
        tiers: What organisations may store.
        kinds: What changes hands.
        shut: Is told an organisation that lets nobody in any more, and its keys: caches, sessions.
        seen: Is told what is done.
        clock: Waits.
        settle_seconds: What requests that were let in get to end before an organisation is emptied.
        patience_seconds: How long something that still runs there is waited for.
    """

    def __init__(
        self,
        directory: Connection,
        shards: Shards,
        tiers: Tiers,
        kinds: Sequence[Kind],
        *,
        shut: Callable[[UUID, Sequence[UUID]], Awaitable[None]] = _untold,
        seen: Callable[[str], None] = _unseen,
        clock: Clock | None = None,
        settle_seconds: float = SETTLE_SECONDS,
        patience_seconds: float = 60.0,
    ) -> None:
        self._directory = directory
        self._shards = shards
        self._tiers = tiers
        self._kinds = kinds
        self._shut = shut
        self._seen = seen
        self._clock = clock or SystemClock()
        self._settle = settle_seconds
        self._patience = patience_seconds

    # Splitting -------------------------------------------------------------------------------------------------------

    async def plan_split(self, giver: UUID, slug: str, ids: Iterable[UUID]) -> Plan:
        """See what a split would do; changes nothing.

        Args:
            giver: Who is split.
            slug: The new organisation's name, or that of one that this split has made already.
            ids: What goes there, of any kind.
        """
        taker = organisation_id(slug)
        rows = await register.look(self._directory, [giver, taker])
        source, new = rows.get(giver), rows.get(taker)
        if source is None:
            return Plan(giver, taker, conflicts=[f"there is no organisation {giver}"])
        conflicts = [*_opened(source), *_named(source, slug, new)]
        if new is None and not conflicts:
            conflicts += await self._no_place(source, taker)
        if conflicts:
            return Plan(giver, taker, conflicts=conflicts)
        wanted = dict.fromkeys(ids)
        things: dict[str, list[Thing]] = {}
        gone: dict[str, list[UUID]] = {}
        for kind in self._kinds:
            there = {thing.id for thing in await kind.things(taker, None)} if new is not None else set()
            has = {thing.id: thing for thing in await kind.things(giver, None if new is None else taker)}
            things[kind.name] = [has[one] for one in wanted if one in has]
            gone[kind.name] = [one for one in wanted if one not in has and one in there]
        known = {thing.id for some in things.values() for thing in some} | {
            one for some in gone.values() for one in some
        }
        conflicts = [f"{source} has no {self._one()} {one}" for one in wanted if one not in known]
        conflicts += _stuck(things) + await self._no_room(things, None if new is None else taker, source.tier, slug)
        return Plan(giver, taker, things, gone, await self._stays(giver), conflicts)

    async def split(self, giver: UUID, slug: str, ids: Iterable[UUID]) -> Plan:
        """Split an organisation, or go on with that: make the new one, and let things go there.

        The new one has the giver's region, pin and tier, and no key yet.

        Returns:
            What was done; `left` names what could not go.

        Raises:
            RefusedError: Something stands in the way; nothing was changed.
        """
        plan = await self.plan_split(giver, slug, ids)
        if plan.conflicts:
            raise RefusedError(f"{giver} is not split", plan.conflicts)
        source = (await register.look(self._directory, [giver]))[giver]
        await self._shards.create_organisation(
            plan.taker, source.region, tier=source.tier, slug=slug, pinned=source.pinned, split_from=giver
        )
        point(points.ENTERED)
        return await self._given(plan)

    async def _no_place(self, source: Entry, taker: UUID) -> list[str]:
        """Why no shard takes the new organisation."""
        try:
            (await self._shards.topology()).place(taker, source.region, pinned=source.pinned)
        except Problem as problem:
            return [problem.detail.rstrip(".")]
        return []

    # Merging ---------------------------------------------------------------------------------------------------------

    async def plan_merge(self, giver: UUID, taker: UUID) -> Plan:
        """See what a merge would do; changes nothing.

        Args:
            giver: Who becomes part of the other, and is closed.
            taker: The other.
        """
        rows = await register.look(self._directory, [giver, taker])
        missing = [f"there is no organisation {one}" for one in (giver, taker) if one not in rows]
        if missing or giver == taker:
            return Plan(giver, taker, conflicts=missing or ["they are the same organisation"])
        source, target = rows[giver], rows[taker]
        conflicts = _opened(target)
        if source.merged_into not in {None, taker}:
            conflicts += _opened(source)
        if others := await register.merging(self._directory, giver):
            conflicts.append(
                f"{' and '.join(map(str, sorted(others)))} just becomes part of {source}: finish that first"
            )
        conflicts += _residency(source, target)
        if conflicts:
            return Plan(giver, taker, conflicts=conflicts)
        things = {kind.name: await kind.things(giver, taker) for kind in self._kinds}
        conflicts += _stuck(things) + await self._no_room(things, taker, target.tier, str(target))
        if running := await self._running(giver):
            conflicts.append(f"{running} runs of {source} have not ended: wait for them, or cancel them")
        return Plan(giver, taker, things, {}, await self._stays(giver), conflicts)

    async def merge(self, giver: UUID, taker: UUID) -> Plan:
        """Make an organisation part of another, or go on with that.

        Its keys end, requests that were let in get their time, its things go, and it is closed. Of one that is closed
        what an event has made later, which was long under way, goes too.

        Raises:
            RefusedError: Something stands in the way; nothing was changed.
            StuckError: Something there does not end, or a thing cannot go: nobody is let in, the same command goes on.
        """
        plan = await self.plan_merge(giver, taker)
        source = (await register.look(self._directory, [giver])).get(giver)
        begun = source is not None and source.merged_into == taker
        if plan.conflicts and not (begun and await self._may_go_on(giver, taker)):
            raise RefusedError(f"{giver} is not merged", plan.conflicts)
        closed = source is not None and source.closed
        if not closed:
            await self._emptied(giver, taker)
        things = {kind.name: await kind.things(giver, taker) for kind in self._kinds}
        done = await self._given(Plan(giver, taker, things, {}, plan.stays))
        if done.left:
            raise StuckError(f"not all could go: {'; '.join(done.left)}. Mend that, then give the same command again")
        point(points.EMPTY)
        if not closed:
            # Sessions that a request began which was let in before.
            await self._tell(giver, await register.end_keys(self._directory, giver))
            await register.close(self._directory, giver)
        return done

    async def _emptied(self, giver: UUID, taker: UUID) -> None:
        """Let nobody in any more, and wait until nobody is there."""
        keys = await register.shut(self._directory, giver, taker)
        if keys is None:
            raise RefusedError(
                f"{giver} is not merged", ["either has become part of another one just now, or another one of it"]
            )
        point(points.SHUT)
        await self._tell(giver, keys)
        point(points.TOLD)
        await self._settled(giver)

    async def _may_go_on(self, giver: UUID, taker: UUID) -> bool:
        """Whether a merge that was begun still has both its sides, whatever single things wait for."""
        rows = await register.look(self._directory, [giver, taker])
        return not (_opened(rows[taker]) + _residency(rows[giver], rows[taker]))

    async def _tell(self, org_id: UUID, keys: Sequence[UUID]) -> None:
        """Let those know who remember keys, and who keep sessions."""
        self._seen("ending its keys and sessions")
        await self._shut(org_id, keys)

    async def _settled(self, giver: UUID) -> None:
        """Wait until whoever was let in before has ended, and what they began.

        The whole time, also of a merge that was begun long ago: sessions let somebody in until all were told, which
        may have been just now.
        """
        source = (await register.look(self._directory, [giver]))[giver]
        if self._settle > 0:
            self._seen(f"waiting {self._settle:.0f} s for requests that were let in before")
            await self._clock.sleep(self._settle)
        limit = self._clock.monotonic() + self._patience
        while running := await self._running(giver):
            if self._clock.monotonic() > limit:
                raise StuckError(
                    f"{running} runs of {source} have not ended: give the same command again when they have"
                )
            self._seen(f"waiting for {running} runs")
            await self._clock.sleep(_LOOK_SECONDS)

    # Both ------------------------------------------------------------------------------------------------------------

    async def _given(self, plan: Plan) -> Plan:
        """Let things change hands, one after the other; what cannot is left."""
        left: list[str] = []
        for kind in self._kinds:
            asked = [*plan.gone.get(kind.name, ()), *(thing.id for thing in plan.things.get(kind.name, ()))]
            for number, thing in enumerate(asked, 1):
                self._seen(f"{kind.name}: {number} of {len(asked)}")
                await self._require_open(plan.taker)
                try:
                    if not await kind.give(plan.giver, plan.taker, thing):
                        left.append(f"{kind.name}: {thing} is not there any more, or something works on it again")
                except Problem as problem:
                    if problem.status >= 500:
                        raise
                    left.append(f"{kind.name}: {thing}: {problem.title} ({problem.detail})")
                point(points.GONE)
            await kind.tidy(plan.giver, plan.taker)
        return Plan(plan.giver, plan.taker, plan.things, plan.gone, plan.stays, (), left)

    async def _require_open(self, taker: UUID) -> None:
        """Give nothing to an organisation that just becomes part of another: nobody would look for it there."""
        if conflicts := _opened((await register.look(self._directory, [taker]))[taker]):
            raise StuckError(f"{conflicts[0]}: what has not gone there stays where it is")

    async def _no_room(
        self, things: Mapping[str, Sequence[Thing]], taker: UUID | None, tier: str, name: str
    ) -> list[str]:
        """Whether the taker's tier holds what comes."""
        coming = sum(thing.size for some in things.values() for thing in some)
        there = 0
        if taker is not None:
            _, uses = await self._shards.run(taker, lambda tx: counted(tx, taker), readonly=True)
            there = uses[STORAGE.name].used + uses[STORAGE.name].reserved
        allowed = self._tiers.allowance(tier, STORAGE)
        if there + coming <= allowed.hard:
            return []
        return [f"{name} may store {allowed.hard} bytes (tier {allowed.tier}), has {there}, and {coming} would come"]

    async def _stays(self, org_id: UUID) -> dict[str, int]:
        async def work(tx: Transaction) -> dict[str, int]:
            return {name: await tx.fetchval(statement, org_id) for name, statement in _STAYS.items()}

        return await self._shards.run(org_id, work, readonly=True)

    async def _running(self, org_id: UUID) -> int:
        async def work(tx: Transaction) -> int:
            count: int = await tx.fetchval(_RUNNING, org_id)
            return count

        of_things = [thing for kind in self._kinds for thing in await kind.things(org_id, None) if thing.running]
        return max(len(of_things), await self._shards.run(org_id, work, readonly=True))

    def _one(self) -> str:
        return " or ".join(kind.name.removesuffix("s") for kind in self._kinds)


def _opened(entry: Entry) -> list[str]:
    """Why nothing can be done with an organisation that is part of another."""
    if entry.merged_into is None:
        return []
    how = "became" if entry.closed else "is becoming"
    return [f"{entry} {how} part of {entry.merged_into}"]


def _named(source: Entry, slug: str, new: Entry | None) -> list[str]:
    """Why a part of an organisation cannot have a name."""
    if new is None or (new.split_from == source.org_id and new.merged_into is None):
        return []
    if new.merged_into is not None:
        return [f"the name {slug} is taken by an organisation that became part of {new.merged_into}"]
    return [f"there is an organisation {slug} already, which was not split from {source}"]


def _residency(source: Entry, target: Entry) -> list[str]:
    """Why data may not go from one to the other."""
    if source.region != target.region:
        return [
            f"the data of {source} stay in {source.region}, those of {target} in {target.region}: a merge would take "
            "them out of their region. Move one there first, if it may"
        ]
    if source.pinned and not target.pinned:
        return [
            f"{source} is pinned to {source.region} and {target} is not: pin it first (`hal9 tenants pin {target}`)"
        ]
    return []


def _stuck(things: Mapping[str, Sequence[Thing]]) -> list[str]:
    """Things that cannot go."""
    found = []
    for name, some in things.items():
        if running := [str(thing.id) for thing in some if thing.running]:
            found.append(f"{name} that still run: {', '.join(running)}")
        if taken := [str(thing.id) for thing in some if thing.taken]:
            found.append(f"{name} of whose ids the other organisation has something: {', '.join(taken)}")
    return found
