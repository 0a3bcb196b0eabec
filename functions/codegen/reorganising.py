"""Projects as what changes hands when organisations are split or merged (`shared.reorganisation`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.codegen import store, transfer
from shared.quotas import Tiers
from shared.reorganisation import Thing
from shared.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from shared.clock import Clock
    from shared.objects import Objects
    from shared.quotas import Allowance, Meter
    from shared.shards import Shards


class Projects:
    """Projects with their artefacts, their archives, and the storage that they count.

    Args:
        shards: Where the organisations are, for the application's role.
        objects: Where the archives are.
        tiers: What organisations may store.
        source: `source` of events that warn of a quota.
        clock: Waits between tries.
    """

    name = "projects"

    def __init__(self, shards: Shards, objects: Objects, tiers: Tiers, source: str, clock: Clock | None = None) -> None:
        self.shards = shards
        self.transactions = Transactions(shards, clock=clock)
        self.objects = objects
        self.source = source
        self._tiers = tiers

    async def allowance(self, org_id: UUID, meter: Meter) -> Allowance:
        """Give what the organisation's tier allows of a meter."""
        return self._tiers.allowance((await self.shards.locate(org_id)).tier, meter)

    async def things(self, giver: UUID, taker: UUID | None) -> Sequence[Thing]:
        """Give the projects of an organisation; see `shared.reorganisation.Kind`."""
        rows = await self.shards.run(giver, lambda tx: store.holdings(tx, giver), readonly=True)
        named = [{row["project_id"], row["run_id"], *row["artefact_ids"]} for row in rows]
        there: set[UUID] = set()
        if taker is not None and rows:
            ids = list({one for some in named for one in some})
            there = await self.shards.run(taker, lambda tx: store.ids_there(tx, taker, ids), readonly=True)
        return [
            Thing(row["project_id"], row["size"], row["running"], bool(there & ids))
            for row, ids in zip(rows, named, strict=True)
        ]

    async def give(self, giver: UUID, taker: UUID, thing: UUID) -> bool:
        """Let a project change hands; see `shared.reorganisation.Kind`."""
        return await transfer.give(self, giver, taker, thing)

    async def tidy(self, giver: UUID, taker: UUID) -> None:
        """Delete archives that are the taker's now; see `shared.reorganisation.Kind`."""
        await transfer.tidy(self, giver, taker)
