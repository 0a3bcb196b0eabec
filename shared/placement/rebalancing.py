"""Spreading organisations over the shards: who would move where, and doing it, one after the other.

    plan = await rebalancing.plan(directory, addresses)
    await rebalancing.begin(directory, plan, retain_seconds=3600)
    async for move in rebalancing.apply(addresses, mover, per_minute=20): ...

Each shard's share follows its slots, among the organisations that may be there. Only what is above a shard's share
moves, those first whose slot is the receiver's; whoever is on a shard that is being drained moves in any case.
Promises: adding one shard to n moves at most 1 / (n + 1) of the organisations, rounded up for each shard; the plan is
kept in the directory, so whoever applies it again goes on with it, and whoever cancels it stops it; nobody is moved
where residency forbids. Does not: weigh organisations by size.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from shared.clock import SystemClock
from shared.identifiers import new_id
from shared.placement import catalogue, hands, moves
from shared.placement.refused import RefusedError
from shared.shards import topology

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from uuid import UUID

    import asyncpg

    from shared.clock import Clock
    from shared.placement.mover import Mover
    from shared.placement.moves import Move
    from shared.shards import Topology

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

MOVE_SECONDS: Final = 2.0
"""What a move of next to nothing takes (measured: 1.4 s), with some room."""

BYTES_PER_SECOND: Final = 5_000_000
"""Copied and compared, on a small machine."""


class Resident(NamedTuple):
    """An organisation as the directory has it."""

    org_id: UUID
    shard: int
    region: str
    epoch: int
    pinned: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """A move that would be made.

    Attributes:
        org_id: Who moves.
        source: The old shard.
        target: The new one.
        epoch: The epoch that it ends.
        rows: It has so many.
        bytes: Of so many bytes.
    """

    org_id: UUID
    source: int
    target: int
    epoch: int
    rows: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done.

    Attributes:
        organisations: How many there are.
        wanted: The moves, in order.
        stuck: Organisations that must leave their shard and may be nowhere else.
        before: Organisations by shard, now.
        after: And then.
    """

    organisations: int
    wanted: Sequence[Wanted]
    stuck: Sequence[UUID]
    before: Mapping[int, int]
    after: Mapping[int, int]

    @property
    def rows(self) -> int:
        """That would be copied."""
        return sum(one.rows for one in self.wanted)

    @property
    def bytes(self) -> int:
        """That would be copied."""
        return sum(one.bytes for one in self.wanted)

    def seconds(self, per_minute: float | None = None) -> float:
        """About how long it would take, with so many moves a minute at most."""
        each = MOVE_SECONDS if per_minute is None else max(MOVE_SECONDS, 60.0 / per_minute)
        return len(self.wanted) * each + self.bytes / BYTES_PER_SECOND


async def plan(directory: Connection, addresses: Sequence[str]) -> Plan:
    """Work out who would move where, and how much that is.

    Args:
        directory: As the role that owns it.
        addresses: Of the shards, for the same role.
    """
    rows = await directory.fetch(
        "SELECT org_id, shard, region, epoch, pinned FROM directory.organisations o WHERE NOT EXISTS ("
        " SELECT 1 FROM directory.moves m WHERE m.org_id = o.org_id AND m.step NOT IN ('finished', 'cancelled'))"
        " ORDER BY org_id"
    )
    residents = [Resident(*row.values()) for row in rows]
    wanted, stuck = spread(await topology.read(directory), residents)
    before = Counter(one.shard for one in residents)
    after = Counter(before)
    for one in wanted:
        after[one.source] -= 1
        after[one.target] += 1
    return Plan(len(residents), await _sized(wanted, addresses), stuck, before, after)


def spread(known: Topology, residents: Iterable[Resident]) -> tuple[list[Wanted], list[UUID]]:
    """Who would move where, by organisation; and who must leave and may be nowhere."""
    groups: dict[tuple[int, ...], list[Resident]] = defaultdict(list)
    for one in residents:
        groups[known.candidates(one.region, pinned=one.pinned)].append(one)
    wanted: list[Wanted] = []
    stuck: list[UUID] = []
    for candidates, members in groups.items():
        if candidates:
            wanted += _spread_group(known, candidates, members)
        else:
            active = {one.number for one in known.shards if one.state == "active"}
            stuck += [one.org_id for one in members if one.shard not in active]
    return sorted(wanted, key=lambda one: one.org_id), stuck


def _spread_group(known: Topology, candidates: Sequence[int], members: Sequence[Resident]) -> list[Wanted]:
    """The moves among organisations that may be on the same shards."""
    share = _shares(known, candidates, len(members))
    here: dict[int, list[Resident]] = defaultdict(list)
    for one in members:
        here[one.shard].append(one)
    missing = {shard: share[shard] - len(here[shard]) for shard in candidates}
    wanted = []
    for shard, there in here.items():
        leaving = len(there) - share.get(shard, 0)
        # Those first that the slot map would put where somebody is missing.
        by_slot = sorted(there, key=lambda one: missing.get(known.slots.shard(one.org_id), 0) <= 0)
        for one in by_slot[: max(0, leaving)]:
            owner = known.slots.shard(one.org_id)
            target = owner if missing.get(owner, 0) > 0 else max(candidates, key=lambda number: missing[number])
            if missing[target] <= 0:
                break
            missing[target] -= 1
            wanted.append(Wanted(one.org_id, shard, target, one.epoch))
    return wanted


def _shares(known: Topology, candidates: Sequence[int], organisations: int) -> dict[int, int]:
    """How many of so many organisations belong on each shard: as their slots, by largest remainder."""
    counts = known.slots.counts()
    weights = {shard: counts.get(shard, 0) for shard in candidates}
    whole = sum(weights.values())
    if whole == 0:
        weights, whole = dict.fromkeys(candidates, 1), len(candidates)
    shares = {shard: organisations * weight // whole for shard, weight in weights.items()}
    rest = organisations - sum(shares.values())
    for shard in sorted(candidates, key=lambda shard: -(organisations * weights[shard] % whole))[:rest]:
        shares[shard] += 1
    return shares


async def _sized(wanted: Sequence[Wanted], addresses: Sequence[str]) -> list[Wanted]:
    """The same moves, with how much each would copy."""
    sizes: dict[UUID, tuple[int, int]] = {}
    for shard in sorted({one.source for one in wanted}):
        leaving = [one.org_id for one in wanted if one.source == shard]
        async with hands.connected(addresses[shard]) as connection:
            sizes |= await catalogue.sizes(connection, leaving)
    return [Wanted(one.org_id, one.source, one.target, one.epoch, *sizes.get(one.org_id, (0, 0))) for one in wanted]


async def begin(directory: Connection, wanted: Sequence[Wanted], *, retain_seconds: int = 3600) -> UUID:
    """Keep a plan in the directory, from where it is applied.

    Raises:
        RefusedError: Another one is not over.
    """
    rebalance_id = new_id()
    async with directory.transaction():
        if await moves.planned(directory):
            raise RefusedError(
                "nothing is planned", ["another rebalance is not over: apply the rest of it, or cancel it"]
            )
        for place, one in enumerate(wanted):
            await moves.add(
                directory,
                (one.org_id, new_id(), rebalance_id, place, one.source, one.target, one.epoch, retain_seconds),
            )
    return rebalance_id


async def cancel(directory: Connection, mover: Mover) -> list[Move]:
    """Plan no more moves, and take back the one that is under way, whether or not anybody is at it.

    Args:
        directory: As the role that owns it.
        mover: Takes back what a killed one left.

    Returns:
        The moves that are not made.

    Raises:
        StuckError: The one that is under way cannot be taken back now; no other one is planned any more.
    """
    rows = await directory.fetch(
        "UPDATE directory.moves SET cancelling = true, changed_at = now(),"
        " step = CASE step WHEN 'planned' THEN 'cancelled' ELSE step END, reason = 'the rebalance was cancelled'"
        " WHERE rebalance_id IS NOT NULL AND step NOT IN ('switched', 'finished', 'cancelled')"
        " RETURNING org_id, move_id"
    )
    ended = []
    for row in rows:
        move = await moves.get(directory, *row.values())
        if not move.over:
            with contextlib.suppress(RefusedError):  # whoever was at it has ended it meanwhile
                await mover.cancel(move.org_id)
            move = await moves.get(directory, *row.values())
        ended.append(move)
    return [move for move in ended if move.step == "cancelled"]


async def apply(
    addresses: Sequence[str],
    mover: Mover,
    *,
    per_minute: float | None = None,
    at_most: int | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Move]:
    """Make the moves that are planned, one after the other; gives each as it is then: also one that is not made.

    Args:
        addresses: Of the shards, for the role that owns the tables.
        mover: Makes them.
        per_minute: How many of them in a minute at most.
        at_most: How many altogether.
        clock: Waits.

    Raises:
        StuckError: One does not go on.
    """
    clock = clock or SystemClock()
    tried: set[UUID] = set()
    began = -math.inf
    while at_most is None or len(tried) < at_most:
        async with hands.connected(addresses[0]) as directory:
            rest = [one for one in await moves.planned(directory) if one.move_id not in tried]
        if not rest:
            return
        if per_minute is not None:
            await clock.sleep(max(0.0, began + 60.0 / per_minute - clock.monotonic()))
        began = clock.monotonic()
        tried.add(rest[0].move_id)
        try:
            move = await mover.carry_on(rest[0])
        except RefusedError:  # it has moved otherwise since, as is noted with the move, or another mover is at it
            async with hands.connected(addresses[0]) as directory:
                move = await moves.get(directory, rest[0].org_id, rest[0].move_id)
        yield move
