"""What a durable step costs, against a raw commit, LangGraph's PostgresSaver and DBOS on the same PostgreSQL.

A step of ours is claimed and completed (lease, inbox, step, fan-in, stream, outbox) by the runtime that the function
`neuron` has; its body does nothing. The peers' steps do nothing either, and run in the thread of their caller, as a
brief body does. A step that may cost nothing is claimed when it is done, in the same transaction; one that a model may
answer is claimed first, in a transaction of its own, and its body runs in a thread: it is measured beside the other.
One shard, fsync on, one step at a time. The contenders take their rounds in turns; a latency is the median within a
round, the best round counts. As what else the machine does changes from round to round, the middle one of the rounds'
own ratios is there as well. Where a peer's steps overlap (LangGraph's default durability), means are compared. CPU is
that of the process and of PostgreSQL together.
"""

from __future__ import annotations

import asyncio
import dataclasses
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from pydantic import BaseModel

from events import catalogue
from events.catalogue.neuron import StepRequested
from events.relay import Relay
from functions.neuron.runtime import Runtime
from functions.neuron.service import Runs
from functions.neuron.settings import NeuronSettings
from functions.neuron.store import Store
from functions.neuron.transitions import Origin
from knative.platform.servers import Servers
from shared.clock import SystemClock
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.neurons import L2, L4, Body, Builtin, Child, Complete, Process, Registry, Result, Spawn, Work
from shared.neurons.wire import RunRequest
from shared.quotas import Tiers
from shared.settings import load
from shared.shards import Shards
from tests.performance.benchmark import Benchmark
from tests.performance.processor import of_tree
from tests.performance.results import AtLeast, Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from uuid import UUID

    from events import CloudEvent
    from tests.performance.benchmark import Conditions

STEPS: Final = 200
_SOURCE: Final = "/regions/us-west/functions/neuron"


class Number(BaseModel):
    """What the steps hand on."""

    number: int


class Fan(Number):
    """How many steps at once, and of which body."""

    body: str = "nothing"


def _fan(work: Work[Fan]) -> Result[Number]:
    if work.phase == 0:
        return Spawn([Child(f"step{n}", work.input.body, Number(number=n)) for n in range(work.input.number)])
    return Complete(Number(number=len(work.children)))


def _chain(work: Work[Number]) -> Result[Number]:
    if work.phase < work.input.number:
        return Spawn([Child(f"step{work.phase}", "nothing", Number(number=work.phase))])
    return Complete(Number(number=work.phase))


def _nothing(work: Work[Number]) -> Result[Number]:
    return Complete(work.input)


_WORKER: Final = Body("nothing", L2, Number, Number, "Does nothing.", work=_nothing, brief=True)
_THREADED: Final = Body("threaded", L2, Number, Number, "Does nothing in a thread.", work=_nothing)
FAN: Final = Process(
    "fan", "Many steps at once.", "fan", (Body("fan", L4, Fan, Number, "", work=_fan), _WORKER, _THREADED)
)
CHAIN: Final = Process(
    "chain", "One step after the other.", "chain", (Body("chain", L4, Number, Number, "", work=_chain), _WORKER)
)


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """What one round of one contender found.

    Attributes:
        seconds: Of each step, or one figure for all when steps overlap.
        cpu_seconds: Of one step, process and PostgreSQL together.
    """

    seconds: Sequence[float]
    cpu_seconds: float

    @classmethod
    def read(cls, document: dict[str, Any]) -> Round:
        """Read what a peer's program printed."""
        return cls(document["seconds"], document["cpu_seconds"])


class _Collector:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[CloudEvent] = []

    async def publish_all(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        """Take events."""
        self.events += events
        return [None] * len(events)

    def requests(self) -> list[CloudEvent]:
        """The steps asked for since the last call."""
        found = [event for event in self.events if event.type == "ai.hal9.neuron.step.requested"]
        self.events.clear()
        return found


class _Ours:
    """The runtime of neurons over one shard."""

    def __init__(self, shards: Shards, org_id: UUID, postmaster: int) -> None:
        registry = Registry([FAN, CHAIN])
        self._org_id = org_id
        self._postmaster = postmaster
        self.store = Store(shards, Tiers(), _SOURCE)
        self._runs = Runs(self.store, registry, SystemClock())
        settings = NeuronSettings(max_children=STEPS + 1, max_steps=10 * STEPS, max_phases=STEPS + 1)
        self._runtime = Runtime(self.store, registry, lambda _layer: Builtin(), settings)
        self._collector = _Collector()
        self._relay = Relay(shards, self._collector)

    async def _asked(self, process: str, **given: Any) -> list[CloudEvent]:
        request = RunRequest(process=process, input=given)
        await self._runs.start(self._org_id, Origin(_SOURCE), "bench", request, None)
        return await self._requests()

    async def _requests(self) -> list[CloudEvent]:
        await self._relay.drain(self._org_id)
        return self._collector.requests()

    async def _work(self, event: CloudEvent, *, claimed: bool = False) -> None:
        data: StepRequested = catalogue.parse(event)
        process = None if claimed else event.extensions.get("process")
        origin = Origin(_SOURCE, "", event.id, event.source, event.id)
        verdict = await self._runtime.work(self._org_id, origin, data, None if process is None else str(process))
        if verdict != "done":
            raise RuntimeError(f"a step was {verdict}")

    def _cpu(self) -> float:
        return time.process_time() + of_tree(self._postmaster)

    async def steps(self, count: int, *, claimed: bool = False) -> Round:
        """Do so many steps, one after the other: each in one transaction, or claimed first and worked on in a thread.

        Args:
            count: How many.
            claimed: Claim each first.
        """
        [root] = await self._asked("fan", number=count, body="threaded" if claimed else "nothing")
        await self._work(root)
        requests = await self._requests()
        before, seconds = self._cpu(), []
        for event in requests:
            begun = time.perf_counter()
            await self._work(event, claimed=claimed)
            seconds.append(time.perf_counter() - begun)
        found = Round(seconds, (self._cpu() - before) / count)
        [join] = await self._requests()
        await self._work(join)
        return found

    async def relayed(self, count: int) -> Round:
        """A chain of steps: each is asked for by an event that goes through outbox and relay, as on the platform."""
        waiting = await self._asked("chain", number=count // 2)
        before, seconds = self._cpu(), []
        while waiting:
            begun = time.perf_counter()
            await self._work(waiting.pop())
            waiting = await self._requests()
            seconds.append(time.perf_counter() - begun)
        return Round(seconds, (self._cpu() - before) / len(seconds))


async def _raw(connection: asyncpg.Connection[asyncpg.Record], postmaster: int, count: int) -> Round:
    """One small row and its commit: what no durable step can do without."""
    statement = await connection.prepare("INSERT INTO raw_commits (note) VALUES ($1)")
    before, seconds = time.process_time() + of_tree(postmaster), []
    for number in range(count):
        begun = time.perf_counter()
        await statement.fetch(str(number))
        seconds.append(time.perf_counter() - begun)
    return Round(seconds, (time.process_time() + of_tree(postmaster) - before) / count)


class _Contest:
    """All contenders over one server."""

    def __init__(self, conditions: Conditions, servers: Servers) -> None:
        self._conditions = conditions
        self._servers = servers
        self._found: dict[str, list[Round]] = {}
        self._count = conditions.rounds(STEPS, 20)

    async def run(self) -> list[Figure]:
        server = self._servers.postgres[0]
        assert server.process is not None
        postmaster = server.process.pid
        admin = await asyncpg.connect(server.dsn("postgres"))
        for database in ("langgraph", "dbos"):
            await admin.execute(f"CREATE DATABASE {database}")
        await admin.execute("CREATE TABLE raw_commits (id bigint GENERATED ALWAYS AS IDENTITY, note text)")
        shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": self._servers.shards_dsn}))
        try:
            org_id = new_id()
            await shards.create_organisation(org_id, "us-west")
            ours = _Ours(shards, org_id, postmaster)
            await ours.steps(self._count)
            for number in range(self._conditions.rounds(6)):
                self._conditions.say(f"round {number + 1}")
                self._add("raw commit", await _raw(admin, postmaster, self._count))
                self._add("step", await ours.steps(self._count))
                self._add("claimed", await ours.steps(self._count, claimed=True))
                self._add("relayed", await ours.relayed(self._count))
                await self._peer("LangGraph, durability async", "steps_langgraph", "langgraph", durability="async")
                await self._peer("LangGraph, durability sync", "steps_langgraph", "langgraph", durability="sync")
                await self._peer("DBOS", "steps_dbos", "dbos")
            before = ours.store.round_trips
            await ours.steps(self._count)
            # Start, root, join: five calls beside those of the steps.
            trips = (ours.store.round_trips - before - 5) / self._count
        finally:
            await shards.close()
            await admin.close()
        return self._figures(trips)

    def _add(self, name: str, found: Round) -> None:
        self._found.setdefault(name, []).append(found)

    async def _peer(self, name: str, program: str, database: str, **further: Any) -> None:
        server = self._servers.postgres[0]
        assert server.process is not None
        arguments = {
            "host": str(server.run), "port": server.port, "database": database, "user": "postgres",
            "steps": self._count, "postmaster": server.process.pid, **further,
        }  # fmt: skip
        self._add(name, Round.read(await asyncio.to_thread(self._conditions.peers.run, program, arguments)))

    def _figures(self, trips: float) -> list[Figure]:
        p50 = {name: min(statistics.median(each.seconds) for each in found) * 1000 for name, found in self._rounds()}
        mean = {name: min(statistics.fmean(each.seconds) for each in found) * 1000 for name, found in self._rounds()}
        cpu = {name: min(each.cpu_seconds for each in found) * 1000 for name, found in self._rounds()}
        step, ahead, sync = p50["step"], "LangGraph, durability async", "LangGraph, durability sync"
        return [
            Figure("raw commit, p50", p50["raw commit"], "ms"),
            Figure("step, p50", step, "ms"),
            Figure("step, mean", mean["step"], "ms"),
            Figure("step, round trips", trips, ""),
            Figure("step, against a raw commit", step / p50["raw commit"], "x"),
            Figure("step that is claimed first, in a thread, p50", p50["claimed"], "ms"),
            Figure("step of a chain through outbox and relay, p50", p50["relayed"], "ms"),
            Figure(f"{sync}, p50", p50[sync], "ms"),
            Figure(f"{ahead}, mean (steps overlap)", mean[ahead], "ms"),
            Figure("DBOS, p50", p50["DBOS"], "ms"),
            Figure(f"times faster than {sync}, p50", p50[sync] / step, "x", AtLeast(2)),
            Figure(f"times faster than {ahead}, mean", mean[ahead] / mean["step"], "x", AtLeast(2)),
            Figure("times faster than DBOS, p50", p50["DBOS"] / step, "x", AtLeast(3)),
            Figure(f"times faster than {sync}, middle round", self._middle(sync, statistics.median), "x"),
            Figure(f"times faster than {ahead}, middle round", self._middle(ahead, statistics.fmean), "x"),
            Figure("times faster than DBOS, middle round", self._middle("DBOS", statistics.median), "x"),
            Figure("step, CPU", cpu["step"], "ms"),
            Figure("step that is claimed first, in a thread, CPU", cpu["claimed"], "ms"),
            Figure("step of a chain, CPU", cpu["relayed"], "ms"),
            Figure(f"{sync}, CPU", cpu[sync], "ms"),
            Figure("DBOS, CPU", cpu["DBOS"], "ms"),
            Figure(f"times less CPU than {sync}", cpu[sync] / cpu["step"], "x"),
            Figure("times less CPU than DBOS", cpu["DBOS"] / cpu["step"], "x"),
        ]

    def _middle(self, peer: str, measure: Callable[[Sequence[float]], float]) -> float:
        """The middle one of the rounds' own ratios of a peer's step to ours."""
        pairs = zip(self._found[peer], self._found["step"], strict=True)
        return statistics.median(measure(theirs.seconds) / measure(ours.seconds) for theirs, ours in pairs)

    def _rounds(self) -> Iterable[tuple[str, list[Round]]]:
        return self._found.items()


async def _measured(conditions: Conditions) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="hal9-") as name:
        home = Path(name)
        servers = Servers(home / "servers", home / "run", shards=1)
        await servers.start()
        try:
            await migrate(servers.shards_admin_dsn.split(","))
            return await _Contest(conditions, servers).run()
        finally:
            await servers.stop()


def measure(conditions: Conditions) -> list[Figure]:
    """Milliseconds of a step, ours and the peers'."""
    return asyncio.run(_measured(conditions))


BENCHMARK = Benchmark("durable-step", "a step that survives kill -9, PostgreSQL with fsync on", measure)
