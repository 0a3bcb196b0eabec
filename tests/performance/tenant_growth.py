"""What it costs an organisation that there are 100,000 of them and not 1,000: the same requests on both, in turns.

Two installations of one durable shard each, which holds the directory as well: harder than three shards would be. Each
organisation has a key, runs with steps and events, and what it has used. The requests are those of the functions,
through their own code and the application's role: the key by which the door knows who asks, the look-up of a home, a
page of runs, a run with its tree, the start of a run. On both installations 1,000 organisations are at work, whose
homes the process knows, as it does of who has just asked; keys and homes are looked up of all there are. One caller at
a time; the median within a round, the best round. Beside it: a read by anybody, uniformly, where a process remembers
the homes of about ten thousand.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from contextlib import AsyncExitStack
from hashlib import md5
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg

from functions.neuron.service import Runs
from functions.neuron.store import Store
from functions.neuron.transitions import Origin
from knative.platform.servers import Servers
from shared import apikeys
from shared.clock import SystemClock
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.neurons import Registry
from shared.neurons.wire import RunRequest
from shared.quotas import Tiers
from shared.settings import load
from shared.shards import Shards
from tests.performance.benchmark import Benchmark
from tests.performance.durable_step import CHAIN
from tests.performance.processor import one_processor
from tests.performance.results import AtMost, Figure
from tests.performance.turns import best_medians

if TYPE_CHECKING:
    from tests.performance.benchmark import Conditions
    from tests.performance.turns import Way

_FEW: Final = 1_000
_MANY: Final = 100_000
_AT_WORK: Final = 1_000
_GOAL: Final = 1.3
_RUNS: Final = 2
_WHOLE: Final = 1_000
"""Rows from which on it matters that a table is read whole."""

_KEY: Final = "growth-key-{}"
_FILL: Final = (
    "INSERT INTO directory.organisations (org_id, shard, region)"
    " SELECT md5('org-' || n)::uuid, 0, 'us-west' FROM generate_series(1, {count}) n",
    "INSERT INTO tenants (org_id, epoch) SELECT md5('org-' || n)::uuid, 1 FROM generate_series(1, {count}) n",
    "INSERT INTO directory.api_keys (org_id, key_id, prefix, secret_hash, name, roles)"
    " SELECT md5('org-' || n)::uuid, md5('key-' || n)::uuid, 'growth-key-' || n, '\\x00', 'growth', '{{owner}}'"
    " FROM generate_series(1, {count}) n",
    # Whoever came first does not lie together: a run of everybody, then another one of everybody.
    "INSERT INTO runs (org_id, id, origin_id, process, state, input, subject, cost_cap, revisions_per_step,"
    " revisions_per_run, steps, sequence, deadline_at, finished_at)"
    " SELECT md5('org-' || n)::uuid, md5(n || '-' || k)::uuid, md5(n || '-' || k)::uuid, 'chain', 'completed',"
    " '{{\"number\": 2}}', 'growth', 0, 1, 1, 3, 3, now(), now()"
    " FROM generate_series(1, {runs}) k, generate_series(1, {count}) n",
    "INSERT INTO steps (org_id, run_id, id, path, key, body, executor, depth, max_attempts, deadline_seconds, state,"
    " input)"
    " SELECT md5('org-' || n)::uuid, md5(n || '-' || k)::uuid, md5(n || '-' || k || '-' || s)::uuid, '/' || s, s::text,"
    " 'nothing', 'neuron-l2', 1, 1, 60, 'completed', '{{\"number\": 2}}'"
    " FROM generate_series(1, {runs}) k, generate_series(1, {count}) n, generate_series(1, 3) s",
    "INSERT INTO run_events (org_id, run_id, sequence, type)"
    " SELECT md5('org-' || n)::uuid, md5(n || '-' || k)::uuid, s, 'step.completed'"
    " FROM generate_series(1, {runs}) k, generate_series(1, {count}) n, generate_series(1, 3) s",
    "INSERT INTO usage_records (org_id, source, event_id, meter, period, amount, rolled)"
    " SELECT md5('org-' || n)::uuid, 'neuron', k::text, 'runs', date_trunc('month', now())::date, 1, true"
    " FROM generate_series(1, {runs}) k, generate_series(1, {count}) n",
    "INSERT INTO usage_counters (org_id, meter, period, used)"
    " SELECT md5('org-' || n)::uuid, 'runs', date_trunc('month', now())::date, {runs}"
    " FROM generate_series(1, {count}) n",
)
_SCANS: Final = "SELECT relid::regclass::text AS name, seq_scan, n_live_tup FROM pg_stat_user_tables"


def _organisation(number: int) -> UUID:
    return UUID(md5(f"org-{number}".encode(), usedforsecurity=False).hexdigest())


def _run(number: int) -> UUID:
    return UUID(md5(f"{number}-1".encode(), usedforsecurity=False).hexdigest())


class _Installation:
    """One of the two: its servers, and an application over them.

    Attributes:
        count: how many organisations it has.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        self._servers = Servers(folder / "servers", folder / "run", shards=1)
        self._before: dict[str, tuple[int, int]] = {}
        self._everybody = list(range(1, count + 1))
        random.Random(10).shuffle(self._everybody)

    async def open(self, conditions: Conditions) -> None:
        """Start it, and fill it."""
        await self._servers.start()
        await migrate([self._servers.shards_admin_dsn])
        conditions.say(f"  making {self.count:,} organisations")
        await self._fill()
        self._before = await self._tables()
        self._shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": self._servers.shards_dsn}))
        self._store = Store(self._shards, Tiers(), "/regions/us-west/functions/neuron")

    async def close(self) -> None:
        """Stop it."""
        await self._servers.stop()

    async def _fill(self) -> None:
        connection = await asyncpg.connect(self._servers.shards_admin_dsn)
        await connection.execute("SET synchronous_commit = off")
        for statement in _FILL:
            await connection.execute(statement.format(count=self.count, runs=_RUNS))
        # Else a server would do it by itself while somebody measures.
        await connection.execute("VACUUM (ANALYZE)")
        await connection.close()

    async def _tables(self) -> dict[str, tuple[int, int]]:
        """How often each table was read whole, and how many rows it has."""
        connection = await asyncpg.connect(self._servers.shards_admin_dsn)
        rows = await connection.fetch(_SCANS)
        await connection.close()
        return {row["name"]: (row["seq_scan"], row["n_live_tup"]) for row in rows}

    async def read_whole(self) -> list[str]:
        """Close the application; give the tables of many rows that were read whole since they were filled."""
        await self._shards.close()  # with its connections their statistics are told
        after = await self._tables()
        return [name for name, (scans, rows) in after.items() if rows >= _WHOLE and scans > self._before[name][0]]

    async def begin(self) -> None:
        """Let the process know the homes of those who are at work."""
        for number in self._everybody[:_AT_WORK]:
            await self._shards.locate(_organisation(number))

    def ways(self) -> dict[str, Way]:
        """What an organisation asks for."""
        everybody = self._everybody
        anybody, whoever, known = cycle(everybody), cycle(everybody[::-1]), cycle(everybody[:_AT_WORK])
        runs = Runs(self._store, Registry([CHAIN]), SystemClock())
        origin = Origin("/regions/us-west/functions/neuron")
        request = RunRequest(process="chain", input={"number": 0})

        async def key() -> None:
            _require(await apikeys.find(self._shards.directory, _KEY.format(next(anybody))))

        async def home() -> None:
            await self._shards.locate(_organisation(next(anybody)), at_least=2)  # what is remembered does not do

        async def page() -> None:
            _require(await self._store.runs(_organisation(next(known)), 20, None, None, None))

        async def run() -> None:
            await self._read(next(known))

        async def start() -> None:
            await runs.start(_organisation(next(known)), origin, "growth", request, None)

        async def run_of_anybody() -> None:
            await self._read(next(whoever))

        return {
            "a key": key, "a home": home, "a page of runs": page, "a run": run, "the start of a run": start,
            "a run, of anybody": run_of_anybody,
        }  # fmt: skip

    async def _read(self, number: int) -> None:
        _require(await self._store.run(_organisation(number), _run(number)))


def _require(found: object) -> None:
    if not found:
        raise RuntimeError("something that was made is not found")


async def _measured(conditions: Conditions) -> list[Figure]:
    counts = (100, 2_000) if conditions.quick else (_FEW, _MANY)
    async with AsyncExitStack() as stack:
        made = []
        for count in counts:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hal9-")))
            installation = _Installation(folder, count)
            stack.push_async_callback(installation.close)
            await installation.open(conditions)
            made.append(installation)
        ways = {(name, one.count): way for one in made for name, way in one.ways().items()}
        # In turns: what one asks for on the one, then the same on the other.
        ordered = dict(sorted(ways.items(), key=lambda item: item[0][0]))
        conditions.say("  measuring")
        for one in made:
            await one.begin()
        await best_medians(ordered, 1, conditions.rounds(50, 5))  # statements are prepared
        seconds = await best_medians(ordered, conditions.rounds(10), conditions.rounds(100, 5))
        whole = [name for one in made for name in await one.read_whole()]
    conditions.say(f"  read whole: {', '.join(whole) or 'nothing'}")
    return _figures(seconds, *counts, len(whole))


def _figures(seconds: dict[tuple[str, int], float], few: int, many: int, whole: int) -> list[Figure]:
    found = []
    for name in sorted({name for name, _ in seconds}):
        before, after = seconds[name, few], seconds[name, many]
        goal = None if "anybody" in name else AtMost(_GOAL)
        found += [
            Figure(f"{name}, {few:,} organisations, p50", before * 1e6, "us"),
            Figure(f"{name}, {many:,} against {few:,}", after / before, "x", goal),
        ]
    return [*found, Figure("tables of many rows that were read whole", whole, "", AtMost(0))]


def measure(conditions: Conditions) -> list[Figure]:
    """Microseconds of requests where there are few organisations, and their ratio where there are many."""
    with one_processor():  # else the ratios are those of where the scheduler put the two servers
        return asyncio.run(_measured(conditions))


BENCHMARK = Benchmark("tenant-growth", "an organisation's requests among 100,000 others against among 1,000", measure)
