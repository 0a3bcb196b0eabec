"""The shards that there are: one is added, emptied, taken back, removed.

    await fleet.add(directory, 3, "eu-central", addresses=4)
    await fleet.drain(directory, 1)

Promises: each change of the directory is one transaction under a lock, and says all that stands in its way; adding a
shard takes slots from each of the others in proportion, and no more than its share; removing one that anything is left
on is refused. Whoever places an organisation asks each time, so that a change holds at once.
Does not: move organisations (`shared.placement.rebalancing` does), or start servers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from shared.placement.refused import RefusedError
from shared.shards import topology
from shared.shards.topology import Shard

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from shared.shards import SlotMap, Topology

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

DIRECTORY: Final = 0
"""The shard that holds the directory."""

_LOCK: Final = "LOCK TABLE directory.shards IN SHARE ROW EXCLUSIVE MODE"
_SLOTS: Final = """
UPDATE directory.slots s SET shard = n.shard
  FROM unnest($1::smallint[]) WITH ORDINALITY AS n(shard, place)
 WHERE s.slot = n.place - 1 AND s.shard <> n.shard
"""


async def add(directory: Connection, number: int, region: str, *, addresses: int) -> Shard:
    """Let a shard take organisations.

    Args:
        directory: As the role that owns it.
        number: Its place in HAL9_SHARDS_ADMIN: the next one.
        region: Where it stands.
        addresses: How many HAL9_SHARDS_ADMIN names.

    Raises:
        RefusedError: It is there already, is not the next one, or has no address.
    """
    async with directory.transaction():
        known = await _locked(directory)
        reasons = []
        if (there := known.shard(number)) is not None:
            reasons.append(f"it is there: {there}")
            if there.state == "draining":
                reasons.append(f"`hal9 shards drain {number} --cancel` takes it back into use")
        elif number != len(known.shards):
            reasons.append(f"the next one is shard {len(known.shards)}")
        if number >= addresses:
            reasons.append(
                f"HAL9_SHARDS_ADMIN names {addresses} addresses: append its address there and to HAL9_SHARDS of every "
                "process, and run `hal9 migrate` first"
            )
        if reasons:
            raise RefusedError(f"shard {number} is not added", reasons)
        await directory.execute("INSERT INTO directory.shards (shard, region) VALUES ($1, $2)", number, region)
        await _give_slots(directory, known.slots.grown(number))
    return Shard(number, region)


async def drain(directory: Connection, number: int) -> Shard:
    """Let a shard take nobody any more; its slots go to the others.

    Raises:
        RefusedError: There is no such shard, or no other one that takes organisations.
    """
    async with directory.transaction():
        known = await _locked(directory)
        shard = known.shard(number)
        others = [one.number for one in known.shards if one.state == "active" and one.number != number]
        reasons = []
        if shard is None:
            reasons.append(f"there are shards 0 to {len(known.shards) - 1}")
        elif shard.state == "removed":
            reasons.append("it was removed")
        if not others:
            reasons.append("no other shard takes organisations")
        if reasons:
            raise RefusedError(f"shard {number} is not drained", reasons)
        await directory.execute("UPDATE directory.shards SET state = 'draining' WHERE shard = $1", number)
        await _give_slots(directory, known.slots.without(number, others))
        return Shard(number, None if shard is None else shard.region, "draining")


async def take_back(directory: Connection, number: int) -> Shard:
    """Let a shard that is being emptied take organisations again, with its share of the slots.

    Raises:
        RefusedError: It is not being emptied.
    """
    async with directory.transaction():
        known = await _locked(directory)
        shard = known.shard(number)
        if shard is None or shard.state != "draining":
            raise RefusedError(f"shard {number} is not taken back", ["it is not being drained"])
        await directory.execute("UPDATE directory.shards SET state = 'active' WHERE shard = $1", number)
        await _give_slots(directory, known.slots.grown(number))
    return Shard(number, shard.region)


async def remove(directory: Connection, shard: Connection, number: int) -> None:
    """Note that a shard is empty for good; its number stays taken.

    Args:
        directory: As the role that owns it.
        shard: A connection to the shard, as the same.
        number: Its number.

    Raises:
        RefusedError: It holds the directory, is not being drained, or something is left on it.
    """
    async with directory.transaction():
        known = await _locked(directory)
        found = known.shard(number)
        reasons = []
        if number == DIRECTORY:
            reasons.append("it holds the directory")
        if found is None or found.state != "draining":
            reasons.append(f"it is not being drained: run `hal9 shards drain {number}` first")
        homes = await directory.fetchval("SELECT count(*) FROM directory.organisations WHERE shard = $1", number)
        if homes:
            reasons.append(f"{homes} organisations are at home there: `hal9 shards rebalance --apply` moves them")
        copies = await shard.fetchval("SELECT count(*) FROM tenants")
        if copies > homes:
            reasons.append(f"{copies - homes} copies are left there: `hal9 tenants clean` drops those that are due")
        if reasons:
            raise RefusedError(f"shard {number} is not removed", reasons)
        await directory.execute("UPDATE directory.shards SET state = 'removed' WHERE shard = $1", number)


async def stands_in(directory: Connection, region: str, numbers: Sequence[int] | None = None) -> None:
    """Say where shards stand: those of `numbers`, or all of which nobody has said it yet.

    Raises:
        RefusedError: An organisation that is there, or moving there, is pinned to another region.
    """
    async with directory.transaction():
        known = await _locked(directory)
        chosen = [one.number for one in known.shards if one.region is None] if numbers is None else list(numbers)
        pinned = await directory.fetch(
            "SELECT p.shard, count(*) AS organisations FROM directory.organisations o, LATERAL ("
            " SELECT o.shard UNION SELECT m.target FROM directory.moves m"
            " WHERE m.org_id = o.org_id AND m.step NOT IN ('finished', 'cancelled')) AS p (shard)"
            " WHERE o.pinned AND o.region <> $1 AND p.shard = ANY ($2) GROUP BY p.shard ORDER BY p.shard",
            region, chosen,
        )  # fmt: skip
        if pinned and numbers is not None:
            raise RefusedError(
                f"the shards do not stand in {region} from now on",
                [
                    f"{row['organisations']} organisations on shard {row['shard']} are pinned elsewhere"
                    for row in pinned
                ],
            )
        await directory.execute("UPDATE directory.shards SET region = $1 WHERE shard = ANY ($2)", region, chosen)


async def _locked(directory: Connection) -> Topology:
    await directory.execute(_LOCK)
    return await topology.read(directory)


async def _give_slots(directory: Connection, slots: SlotMap) -> None:
    await directory.execute(_SLOTS, list(slots.owners))
