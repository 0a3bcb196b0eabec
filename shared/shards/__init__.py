"""Shards: where an organisation's rows are, and transactions there that see no one else's.

    shards = Shards.open(load(DatabaseSettings))
    async with shards.transaction(org_id) as tx: await tx.fetch("SELECT … FROM runs WHERE org_id = $1 AND …", org_id, …)
    await shards.run(org_id, work)       # the same, retried as a whole

Promises: the directory (on the first shard) is authoritative and cached with its epoch; every transaction begins with
the epoch fence, so that an organisation that moved is found at its new place, unseen by the caller; row-level security
is set with SET LOCAL in the same round trip as BEGIN. A new organisation gets a shard that takes some, in its region
when it is pinned to it.
Does not: span shards (outbox and sagas do), or route by anything but the organisation.
"""

from __future__ import annotations

from shared.shards.placement import Placement
from shared.shards.shards import Shards
from shared.shards.slots import SLOTS, SlotMap, slot
from shared.shards.topology import Shard, Topology

__all__ = ["SLOTS", "Placement", "Shard", "Shards", "SlotMap", "Topology", "slot"]
