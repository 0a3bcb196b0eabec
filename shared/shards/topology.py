"""The shards as the directory knows them, and which of them a new organisation belongs on.

Promises: a shard that is being emptied, or was removed, gets nobody; who is pinned to a region gets a shard of that
region or a refusal that says which shards there are; who is not gets one of its region where there is one. The same
organisation gets the same shard for as long as the topology is the same.
Does not: say where an organisation *is* (`directory.organisations`), or move one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from shared.problems import Problem, register
from shared.shards.slots import SLOTS, SlotMap, slot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

    from shared.database import Transaction

State = Literal["active", "draining", "removed"]

READ: Final = "SELECT shard, region, state FROM directory.shards ORDER BY shard"
_SLOTS: Final = "SELECT array_agg(shard ORDER BY slot) FROM directory.slots"

register(
    "residency",
    409,
    "The organisation may not leave its region",
    "Place it on a shard of its region, or lift the pin: see the detail for the shards that there are.",
)
register(
    "no-shard",
    503,
    "No shard takes organisations",
    "Who runs the platform must add a shard, or take one that is being emptied back into use.",
)


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as the directory knows it.

    Attributes:
        number: Its place in HAL9_SHARDS.
        region: Where it stands; None while nobody has said.
        state: `active` takes organisations; `draining` is being emptied; `removed` is empty for good.
    """

    number: int
    region: str | None = None
    state: State = "active"

    def __str__(self) -> str:
        return f"shard {self.number} ({self.region or 'region not said'}, {self.state})"


@dataclass(frozen=True, slots=True)
class Topology:
    """All shards, and the slot map over them."""

    shards: Sequence[Shard]
    slots: SlotMap

    def shard(self, number: int) -> Shard | None:
        """The shard of that number, if there is one."""
        return next((one for one in self.shards if one.number == number), None)

    def place(self, org_id: UUID, region: str, *, pinned: bool = False) -> int:
        """The number of the shard that a new organisation belongs on.

        Args:
            org_id: The organisation.
            region: Its region.
            pinned: It may be nowhere else.

        Raises:
            Problem: 409 `residency`; 503 `no-shard`.
        """
        candidates = self.candidates(region, pinned=pinned)
        if not candidates:
            raise Problem("residency", detail=self._none_in(region)) if pinned else Problem("no-shard")
        owner = self.slots.shard(org_id)
        return owner if owner in candidates else candidates[slot(org_id) % len(candidates)]

    def candidates(self, region: str, *, pinned: bool) -> tuple[int, ...]:
        """The shards that an organisation may be placed on: who is not pinned stays near where that is possible.

        A shard of which nobody has said where it stands counts as near, but for who is pinned: to say where a new one
        stands is no reason for everybody to move there.
        """
        active = [one for one in self.shards if one.state == "active"]
        near = tuple(one.number for one in active if one.region == region or (one.region is None and not pinned))
        return near if near or pinned else tuple(one.number for one in active)

    def refusal(self, target: int, region: str, *, pinned: bool) -> str | None:
        """Why an organisation may not move to a shard; None when it may."""
        shard = self.shard(target)
        if shard is None:
            return f"there is no shard {target}: there are {_listed(self.shards)}"
        if shard.state != "active":
            return f"{shard} takes no organisations"
        if pinned and shard.region != region:
            return f"it is pinned to the region {region}, and {shard} is not in it"
        return None

    def _none_in(self, region: str) -> str:
        there = _listed(self.shards)
        return f"It is pinned to the region {region}, where no shard takes organisations: there are {there}."


def _listed(shards: Sequence[Shard]) -> str:
    return ", ".join(map(str, shards))


async def read(directory: Transaction | asyncpg.Connection[asyncpg.Record]) -> Topology:
    """Read the topology.

    Args:
        directory: A connection to the directory's database, of any role of ours.

    Raises:
        Problem: 503 `unavailable`: the slot map is not whole.
    """
    owners = await directory.fetchval(_SLOTS)
    if owners is None or len(owners) != SLOTS:
        raise Problem("unavailable", detail="The slot map is not whole: restore the directory.")
    return Topology([Shard(*row.values()) for row in await directory.fetch(READ)], SlotMap(bytes(owners)))
