"""What is seen of replicas, for alerts: the primary's generation, whether a replica answers, how far it is behind.

Promises: costs nothing where there are no replicas; one that hangs is waited for `ANSWER_SECONDS`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.database.retry import ShardUnavailableError
from shared.replicas.lsn import parse
from shared.replicas.reads import ReplicaUnfitError
from shared.telemetry import metrics

if TYPE_CHECKING:
    from shared.shards import Shards

_GENERATION = metrics.gauge(
    "hal9_primary_generation", "One more with each promotion that HAL9 did on the shard.", ("shard",)
)
_UP = metrics.gauge("hal9_replica_up", "1 while a replica of the shard answers.", ("shard",))
_LAG = metrics.gauge(
    "hal9_replica_lag_bytes",
    "Of the log that the shard's primary has on disk and its replica has not replayed.",
    ("shard",),
)


async def observe(shards: Shards) -> None:
    """Look at every shard that has a replica, in parallel."""
    await asyncio.gather(*(_look(shards, number) for number in range(len(shards))))


async def _look(shards: Shards, number: int) -> None:
    replica = shards.replica(number)
    if replica is None:
        return
    shard = str(number)
    try:
        async with shards.database(number).connection() as connection:
            row = await connection.fetchrow(
                "SELECT generation, pg_current_wal_flush_lsn()::text AS position FROM primary_lease"
            )
    except ShardUnavailableError:
        return  # readiness says it
    assert row is not None  # noqa: S101 - the migration that made the table put its row there
    _GENERATION.set(row["generation"], shard)
    try:
        replayed = await replica.position()
    except ReplicaUnfitError:
        _UP.set(0, shard)
        return
    _UP.set(1, shard)
    _LAG.set(max(0, parse(row["position"]) - replayed), shard)
