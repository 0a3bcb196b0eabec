"""For how long nobody can write while an organisation moves, at about 1,000 transactions a second on it.

The mover is the command, in a process of its own; writers catch up with what a pause has kept back. Beside the pause: a
raw commit on the same server under the same load, of which the cut-over needs three, one after the other.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from itertools import pairwise
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
from tests.performance.results import AtMost, Figure

if TYPE_CHECKING:
    from uuid import UUID

    from shared.database import Transaction
    from tests.performance.benchmark import Conditions

_PER_SECOND: Final = 1000
_WRITERS: Final = 8
_ROWS: Final = 5000
_WARM_SECONDS: Final = 1.0
_ROOT: Final = Path(__file__).parents[2]


class _Load:
    """Writers of one organisation, at a rate."""

    def __init__(self, shards: Shards, org_id: UUID) -> None:
        self.ended: list[float] = []
        self.readings = 0
        self.over = asyncio.Event()
        self._shards = shards
        self._org_id = org_id

    async def write(self, number: int) -> None:
        """Write when it is time to; what was late is caught up with."""
        due = time.perf_counter() + number / _PER_SECOND
        while not self.over.is_set():
            if (left := due - time.perf_counter()) > 0:
                await asyncio.sleep(left)
            due = max(due + _WRITERS / _PER_SECOND, time.perf_counter() - 1.0)
            await self._shards.run(self._org_id, self._entered)
            self.ended.append(time.perf_counter())

    async def _entered(self, tx: Transaction) -> None:
        await tx.execute("INSERT INTO inbox VALUES ($1, 'bench', 'bench', $2)", self._org_id, str(new_id()))

    async def read(self) -> None:
        """Read all the time: an error ends the benchmark."""
        while not self.over.is_set():
            async with self._shards.transaction(self._org_id, readonly=True) as tx:
                await tx.fetchval("SELECT 1 FROM inbox WHERE org_id = $1 LIMIT 1", self._org_id)
            self.readings += 1
            await asyncio.sleep(0.01)


async def _moved(servers: Servers, home: Path, org_id: UUID, target: int) -> float:
    """Move with the command; give the pause that it says, in milliseconds."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "knative.cli.main", "tenants", "move", str(org_id), "--to", str(target), "--json",
        cwd=_ROOT, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "HAL9_HOME": str(home), "HAL9_SHARDS_ADMIN": servers.shards_admin_dsn, "HAL9_CACHE_URL": ""},
    )  # fmt: skip
    said, _ = await process.communicate()
    document = json.loads(said)
    if document.get("step") != "finished":
        raise RuntimeError(f"the move did not come to its end: {document}")
    return float(document["pause_ms"])


async def _commit(servers: Servers, shard: int) -> float:
    """Milliseconds of a raw commit, the middle one of many."""
    connection = await asyncpg.connect(servers.postgres[shard].dsn("hal9_owner"))
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS raw (org_id uuid PRIMARY KEY); COMMENT ON TABLE raw IS 'hal9: stays'"
    )
    taken = []
    for _ in range(100):
        began = time.perf_counter()
        await connection.execute("INSERT INTO raw VALUES ($1)", new_id())
        taken.append(time.perf_counter() - began)
    await connection.close()
    return statistics.median(taken) * 1000


async def _measured(conditions: Conditions) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="hal9-") as name:
        home = Path(name)
        servers = Servers(home / "servers", home / "run", shards=2)
        await servers.start()
        shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_SIZE": "8"}))
        try:
            await migrate(servers.shards_admin_dsn.split(","))
            org_id = new_id()
            await shards.create_organisation(org_id, "us-west")
            async with shards.transaction(org_id) as tx:
                await tx.execute(
                    "INSERT INTO inbox SELECT $1, 'before', 'before', n::text FROM generate_series(1, $2) AS n",
                    org_id, _ROWS,
                )  # fmt: skip
            return await _under_load(conditions, servers, shards, home, org_id)
        finally:
            await shards.close()
            await servers.stop()


async def _under_load(
    conditions: Conditions, servers: Servers, shards: Shards, home: Path, org_id: UUID
) -> list[Figure]:
    writing = _Load(shards, org_id)
    pauses, commits = [], []
    async with asyncio.TaskGroup() as group:
        for number in range(_WRITERS):
            group.create_task(writing.write(number))
        group.create_task(writing.read())
        await asyncio.sleep(_WARM_SECONDS)
        began = time.perf_counter()
        for _ in range(conditions.rounds(6, 1)):
            source = (await shards.home(org_id)).shard
            commits.append(await _commit(servers, source))
            pauses.append(await _moved(servers, home, org_id, 1 - source))
            conditions.say(f"  moved, {pauses[-1]:.0f} ms")
        seconds = time.perf_counter() - began
        writing.over.set()
    ended = sorted(moment for moment in writing.ended if moment >= began)
    gap = max(after - before for before, after in pairwise(ended)) * 1000
    async with shards.transaction(org_id, readonly=True) as tx:
        rows = await tx.fetchval("SELECT count(*) FROM inbox WHERE org_id = $1", org_id)
    commit = statistics.median(commits)
    return [
        Figure("writers held, as the mover says, middle", statistics.median(pauses), "ms", AtMost(100)),
        Figure("writers held, the longest", max(pauses), "ms"),
        Figure("longest time without a write, as writers see it", gap, "ms"),
        Figure("raw commit under the same load", commit, "ms"),
        Figure("writers held, in raw commits", statistics.median(pauses) / commit, "x"),
        Figure("writes a second meanwhile", len(ended) / seconds, "/s"),
        Figure("writes lost or doubled", abs(rows - _ROWS - len(writing.ended)), "rows", AtMost(0)),
        Figure("readings, all without an error", writing.readings, ""),
    ]


def measure(conditions: Conditions) -> list[Figure]:
    """Milliseconds for which nobody can write."""
    return asyncio.run(_measured(conditions))


BENCHMARK = Benchmark(
    "tenant-move", "an organisation moves to another shard while 1,000 writes a second go on", measure
)
