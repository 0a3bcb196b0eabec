"""What a transaction over two organisations on two shards costs, against two local ones, fsync on.

Each writes one row at both organisations. The two local ones follow one another, as they would where the second is
only done after the first is. The contenders take their rounds in turns; the median within a round, the best round.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from knative.platform.servers import Servers
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.settings import load
from shared.shards import Shards
from shared.transactions import Transactions, recover
from tests.performance.benchmark import Benchmark
from tests.performance.results import AtMost, Figure
from tests.performance.turns import best_medians

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from shared.database import Transaction
    from tests.performance.benchmark import Conditions
    from tests.performance.turns import Way

_CALLS: Final = 100
_INSERT: Final = "INSERT INTO inbox (org_id, consumer, source, event_id) VALUES ($1, 'bench', 'bench', $2)"


async def _write(tx: Transaction, org_id: UUID) -> None:
    await tx.execute(_INSERT, org_id, str(new_id()))


def _ways(shards: Shards, organisations: list[UUID]) -> dict[str, Way]:
    transactions = Transactions(shards)

    async def local(count: int) -> None:
        for org_id in organisations[:count]:
            async with shards.transaction(org_id) as tx:
                await _write(tx, org_id)

    async def across(count: int) -> None:
        async def work(branches: Mapping[UUID, Transaction]) -> None:
            for org_id, tx in branches.items():
                await _write(tx, org_id)

        await transactions.run(organisations[0], organisations[1:count], work)

    return {
        "one local": lambda: local(1),
        "two local": lambda: local(2),
        "over two": lambda: across(2),
        "three local": lambda: local(3),
        "over three": lambda: across(3),
    }


async def _placed(shards: Shards) -> list[UUID]:
    """An organisation on each shard."""
    found: dict[int, UUID] = {}
    while len(found) < len(shards):
        placement = await shards.create_organisation(org_id := new_id(), "us-west")
        found.setdefault(placement.shard, org_id)
    return list(found.values())


async def _measured(conditions: Conditions) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="hal9-") as name:
        servers = Servers(Path(name) / "servers", Path(name) / "run")
        await servers.start()
        shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn}))
        try:
            await migrate(servers.shards_admin_dsn.split(","))
            ways = _ways(shards, await _placed(shards))
            seconds = await best_medians(ways, conditions.rounds(8), conditions.rounds(_CALLS, 5))
            found = {way: value * 1000 for way, value in seconds.items()}
            await recover(shards, older_than_seconds=0)
        finally:
            await shards.close()
            await servers.stop()
    return [
        *(Figure(f"{way}, p50", milliseconds, "ms") for way, milliseconds in found.items()),
        Figure("over two shards against two local ones", found["over two"] / found["two local"], "x", AtMost(3)),
        Figure("over three shards against three local ones", found["over three"] / found["three local"], "x"),
    ]


def measure(conditions: Conditions) -> list[Figure]:
    """Milliseconds of transactions over shards and of local ones."""
    return asyncio.run(_measured(conditions))


BENCHMARK = Benchmark("cross-shard-commit", "a transaction over two shards against two local ones", measure)
