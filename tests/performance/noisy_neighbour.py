"""How long a quiet tenant's run takes beside a noisy one: alone, in the order of arrival, and with fair turns.

A step waits for 200 ms, as one that asks a language model does, so that what is measured is the order and not the
processors. A broker delivers in the order of arrival to 32 slots, as many as neuron-l4 has. The noisy tenant, of the
tier `free`, has 320 runs under way all the time; the quiet one, `enterprise`, starts one after the other.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from events import catalogue
from events.relay import Relay
from events.subscriber import Delivery, NotYet
from functions.neuron import handlers
from functions.neuron.runtime import Runtime
from functions.neuron.service import Runs
from functions.neuron.settings import NeuronSettings
from functions.neuron.store import Store
from functions.neuron.transitions import Origin
from functions.neuron.turns import Turns
from knative.platform.servers import Servers
from shared.clock import SystemClock
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.neurons import L4, Body, Builtin, Complete, Process, Registry, Result, Work
from shared.neurons.wire import RunRequest
from shared.quotas import Tiers
from shared.settings import load
from shared.shards import Shards
from tests.performance.benchmark import Benchmark
from tests.performance.results import AtMost, Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from events import CloudEvent
    from tests.performance.benchmark import Conditions

_SOURCE: Final = "/regions/us-west/functions/neuron"
_SLOTS: Final = 32
_NOISE: Final = 320
_SECONDS: Final = 0.2


class Nothing(BaseModel):
    """What the step is given, and gives."""


def _wait(work: Work[Nothing]) -> Result[Nothing]:
    time.sleep(_SECONDS)
    return Complete(work.input)


WAITING: Final = Process("waiting", "Waits.", "wait", (Body("wait", L4, Nothing, Nothing, "Waits.", work=_wait),))


class _Platform:
    """A deployment of neurons behind a broker that delivers in the order of arrival."""

    def __init__(self, shards: Shards, backlog_seconds: float) -> None:
        self.source = _SOURCE
        self.store = Store(shards, Tiers({"free": {"runs": 10**9}}), _SOURCE)
        settings = NeuronSettings()
        registry = Registry([WAITING])
        self.runs = Runs(self.store, registry, SystemClock())
        self.runtime = Runtime(self.store, registry, lambda _layer: Builtin(), settings)
        self.relay = Relay(shards, self)
        self.turns = Turns(self.store, self.runtime, SystemClock(), backlog_seconds, self.relay.after_commit)
        self._queue: asyncio.Queue[CloudEvent] = asyncio.Queue()
        self._ended: dict[str, asyncio.Future[None]] = {}

    async def publish_all(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        """Take what the relay publishes."""
        for event in events:
            if event.type == "ai.hal9.neuron.step.requested":
                self._queue.put_nowait(event)
            elif event.type == "ai.hal9.neuron.run.completed" and event.subject in self._ended:
                self._ended.pop(event.subject).set_result(None)
        return [None] * len(events)

    async def run(self, org_id: UUID) -> float:
        """Start a run, wait until it is completed; give the seconds that it took."""
        begun = time.perf_counter()
        started = await self.runs.start(org_id, Origin(_SOURCE), "bench", RunRequest(process="waiting", input={}), None)
        ended = self._ended[str(started.id)] = asyncio.get_running_loop().create_future()
        self.relay.after_commit(org_id)
        await ended
        return time.perf_counter() - begun

    async def slot(self) -> None:
        """Take deliveries, one after the other."""
        resources: Any = SimpleNamespace(
            turns=self.turns, runtime=self.runtime, runs=self.runs, relay=self.relay, source=_SOURCE
        )
        while True:
            event = await self._queue.get()
            try:
                await handlers.step_requested(Delivery(event, catalogue.parse(event), resources, "neuron"))
            except NotYet:
                self._queue.put_nowait(event)

    async def noise(self, org_id: UUID) -> None:
        """Start a run whenever one has ended."""
        while True:
            await self.run(org_id)


async def _p95(shards: Shards, backlog_seconds: float, runs: int, *, noisy: bool) -> float:
    """Milliseconds of the quiet tenant's run, 95th percentile."""
    platform = _Platform(shards, backlog_seconds)
    quiet, other = new_id(), new_id()
    await shards.create_organisation(quiet, "us-west", tier="enterprise")
    await shards.create_organisation(other, "us-west", tier="free")
    tasks = [asyncio.create_task(platform.slot()) for _ in range(_SLOTS)]
    tasks += [asyncio.create_task(platform.noise(other)) for _ in range(_NOISE if noisy else 0)]
    try:
        if noisy:
            await platform.run(other)  # from here on the queue is as long as it gets
        for _ in range(3):
            await platform.run(quiet)
        taken = [await platform.run(quiet) for _ in range(runs)]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await platform.relay.close()
    return quantiles(taken, n=20, method="inclusive")[-1] * 1000


async def _measured(conditions: Conditions) -> list[Figure]:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * _SLOTS))
    with tempfile.TemporaryDirectory(prefix="hal9-") as name:
        servers = Servers(Path(name) / "servers", Path(name) / "run", shards=1)
        await servers.start()
        try:
            await migrate(servers.shards_admin_dsn.split(","))
            settings = load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_SIZE": "16"})
            shards = Shards.open(settings, application_name="bench")
            runs, never = conditions.rounds(40, 4), 1e9
            alone = await _p95(shards, NeuronSettings().backlog_seconds, runs, noisy=False)
            fair = await _p95(shards, NeuronSettings().backlog_seconds, runs, noisy=True)
            arrival = await _p95(shards, never, conditions.rounds(5, 2), noisy=True)
            await shards.close()
        finally:
            await servers.stop()
    return [
        Figure("a quiet tenant's run alone, p95", alone, "ms"),
        Figure("beside a noisy one, fair turns, p95", fair, "ms"),
        Figure("beside a noisy one, order of arrival, p95", arrival, "ms"),
        Figure("fair turns against alone", fair / alone, "x", AtMost(1.5)),
        Figure("order of arrival against alone", arrival / alone, "x"),
    ]


def measure(conditions: Conditions) -> list[Figure]:
    """Milliseconds of a quiet tenant's runs."""
    return asyncio.run(_measured(conditions))


BENCHMARK = Benchmark("noisy-neighbour", "a quiet tenant's run beside a noisy one", measure)
