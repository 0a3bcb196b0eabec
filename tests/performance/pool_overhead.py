"""What the pool adds to a statement and to a transaction, over one bare asyncpg connection that does the same.

One caller at a time, in turns, on one server and one processor: the pool's own work shows, not the waiting for others,
nor where the scheduler put either connection's process. The median within a round, the best round.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from knative.platform.servers import Servers
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.settings import load
from shared.shards import Shards
from tests.performance.benchmark import Benchmark
from tests.performance.processor import one_processor
from tests.performance.results import AtMost, Figure
from tests.performance.turns import best_medians

if TYPE_CHECKING:
    from uuid import UUID

    from tests.performance.benchmark import Conditions
    from tests.performance.turns import Way

_CALLS: Final = 400
_SELECT: Final = "SELECT epoch, state FROM tenants WHERE org_id = $1"


def _ways(bare: asyncpg.Connection[asyncpg.Record], shards: Shards, org_id: UUID) -> dict[str, Way]:
    fence = f"SELECT 1 FROM tenants WHERE org_id='{org_id}' AND epoch=1 AND state='active' FOR KEY SHARE"
    begin = f"BEGIN;SET LOCAL statement_timeout=60000;SET LOCAL hal9.org_id='{org_id}';{fence}"

    async def bare_statement() -> None:
        await bare.fetchrow(_SELECT, org_id)

    async def pooled_statement() -> None:
        async with shards.database(0).connection() as connection:
            await connection.fetchrow(_SELECT, org_id)

    async def bare_transaction() -> None:
        await bare.execute(begin)
        await bare.fetchrow(_SELECT, org_id)
        await bare.execute("COMMIT")

    async def pooled_transaction() -> None:
        async with shards.transaction(org_id) as tx:
            await tx.fetchrow(_SELECT, org_id)

    return {
        "bare statement": bare_statement,
        "statement": pooled_statement,
        "bare transaction": bare_transaction,
        "transaction": pooled_transaction,
    }


async def _measured(conditions: Conditions) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="hal9-") as name:
        servers = Servers(Path(name) / "servers", Path(name) / "run", shards=1)
        await servers.start()
        shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn}))
        try:
            await migrate([servers.shards_admin_dsn])
            await shards.create_organisation(org_id := new_id(), "us-west")
            bare = await asyncpg.connect(servers.shards_dsn)
            ways = _ways(bare, shards, org_id)
            seconds = await best_medians(ways, conditions.rounds(15, 2), conditions.rounds(_CALLS, 20))
            found = {way: value * 1e6 for way, value in seconds.items()}
            await bare.close()
        finally:
            await shards.close()
            await servers.stop()
    return [
        Figure("bare connection, a statement, p50", found["bare statement"], "us"),
        Figure("pool, a statement, p50", found["statement"], "us"),
        Figure("pool against bare, a statement", found["statement"] / found["bare statement"], "x", AtMost(1.4)),
        Figure("bare connection, a fenced transaction, p50", found["bare transaction"], "us"),
        Figure("pool, a fenced transaction, p50", found["transaction"], "us"),
        Figure("pool against bare, a transaction", found["transaction"] / found["bare transaction"], "x", AtMost(1.4)),
    ]


def measure(conditions: Conditions) -> list[Figure]:
    """Microseconds of a statement and of a transaction, pooled and bare."""
    with one_processor():
        return asyncio.run(_measured(conditions))


BENCHMARK = Benchmark("pool-overhead", "a pooled statement and transaction against a bare asyncpg connection", measure)
