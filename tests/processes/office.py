"""A tiny deliverer: it carries events from outboxes to handlers, within one process, as a hostile broker would."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from events import catalogue
from events.catalogue.neuron import StepAnswered
from events.relay import Relay
from events.subscriber import Delivery, NotYet
from functions.neuron import handlers
from functions.neuron.lease import UNCLAIMED_SECONDS
from functions.neuron.runtime import Runtime
from functions.neuron.service import Runs
from functions.neuron.settings import NeuronSettings
from functions.neuron.store import Store
from functions.neuron.transitions import Origin
from functions.neuron.turns import Turns
from shared.clock import SystemClock
from shared.neurons import Builtin, Registry
from shared.neurons.wire import Limits, RunRequest
from shared.quotas import Tiers
from tests.processes.tally import TALLY, Ledger, audit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from events import CloudEvent
    from shared.neurons import Engine, Process
    from shared.neurons.wire import Run
    from shared.shards import Shards


class Quiet:
    """A relay that leaves everything in the outbox: the office fetches it."""

    def after_commit(self, org_id: UUID) -> None:
        """Do nothing."""


@dataclass
class Office:
    """A function `neuron` and its broker in one process.

    Attributes:
        shards: Where runs are.
        processes: What can run.
        engine: Answers questions.
        duplicates: How often each event is delivered.
        seed: Of the order of deliveries.
        cap: What an organisation may spend on models in a month.
        limits: Hard limits of other meters, by name, in the place of those of the tier.
        unclaimed_seconds: How long a step may be worked on before it is claimed.
        settings: The function's.
        log: Every event published, in order.
        auditor: Answers delegated steps in the place of `audit`.
        source: `source` of its events.
    """

    shards: Shards
    processes: Sequence[Process] = (TALLY,)
    engine: Engine = field(default_factory=Builtin)
    duplicates: int = 1
    seed: int = 0
    cap: int = 10**9
    limits: Mapping[str, int] = field(default_factory=dict)
    unclaimed_seconds: float = UNCLAIMED_SECONDS
    settings: NeuronSettings = field(default_factory=lambda: NeuronSettings(lease_seconds=10.0))
    log: list[CloudEvent] = field(default_factory=list)
    auditor: Callable[[CloudEvent], CloudEvent | None] | None = None
    source: str = "/regions/us-west/functions/neuron"

    def __post_init__(self) -> None:
        registry = Registry(self.processes)
        self.clock = SystemClock()
        self.relay: Any = Quiet()
        self.store = Store(self.shards, Tiers({"professional": {**self.limits, "cost": self.cap}}), self.source)
        self.runs = Runs(self.store, registry, self.clock)
        self.runtime = Runtime(self.store, registry, lambda _layer: self.engine, self.settings, self.unclaimed_seconds)
        self.turns = Turns(self.store, self.runtime, self.clock, self.settings.backlog_seconds, self.relay.after_commit)
        self.waiting: list[CloudEvent] = []
        self.random = random.Random(self.seed)
        self.orders: dict[UUID, None] = {}

    async def publish_all(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        """Take what the relay publishes."""
        self.log += events
        for event in events:
            self.waiting += [event] * self.duplicates
        return [None] * len(events)

    async def start(self, org_id: UUID, *lines: str, audit: bool = False, key: str | None = None, **limits: Any) -> Run:
        """Start a tally."""
        request = RunRequest(process="tally", input={"lines": list(lines), "audit": audit}, limits=Limits(**limits))
        return await self.runs.start(org_id, Origin(self.source), "tester", request, key)

    async def fetch(self, org_id: UUID) -> None:
        """Publish what the organisation's outbox holds."""
        await Relay(self.shards, self).drain(org_id)

    async def settle(self, org_id: UUID, *, at_once: int = 8) -> None:
        """Deliver until nothing of the organisation is left.

        What a sweep took along of other tests' organisations stays: of a process that is unknown here, "not yet" is all
        that would ever come.
        """
        while True:
            await self.fetch(org_id)
            ours = [event for event in self.waiting if event.orgid == str(org_id)]
            if not ours:
                return
            others = [event for event in self.waiting if event.orgid != str(org_id)]
            self.random.shuffle(ours)
            self.waiting = others + ours[at_once:]
            await asyncio.gather(*(self.deliver(event) for event in ours[:at_once]))

    async def deliver(self, event: CloudEvent) -> None:
        """Deliver one event once."""
        if event.extensions.get("executor") == "auditor":
            reply = self.answer(event)
            if reply is not None:
                await self.publish_all([reply])
            return
        handler = handlers.HANDLERS.get(event.type)
        if handler is None:
            return
        try:
            await handler(Delivery(event, catalogue.parse(event), self, "neuron"))
        except NotYet:
            self.waiting.append(event)

    def distinct(self, kind: str) -> int:
        """How many different events of a type were published."""
        return len({event.id for event in self.log if event.type == kind})

    async def left(self, org_id: UUID) -> int:
        """How many events the organisation's outbox holds."""
        return await self.shards.run(org_id, lambda tx: tx.fetchval("SELECT count(*) FROM outbox"))

    def answer(self, event: CloudEvent) -> CloudEvent | None:
        """Answer as the auditor."""
        if self.auditor is not None:
            return self.auditor(event)
        data = catalogue.parse(event)
        outcome, report, signals = audit(Ledger.model_validate(data.input))
        return answered(event, outcome=outcome, output=report.model_dump(), signals=[s.model_dump() for s in signals])


def answered(event: CloudEvent, **members: Any) -> CloudEvent:
    """Give the answer of a delegated executor to a request."""
    data = catalogue.parse(event)
    answer = StepAnswered.model_validate(
        {"run_id": data.run_id, "step_id": data.step_id, "epoch": data.epoch, **members}
    )
    return catalogue.new(
        answer,
        id=f"{data.step_id}/{data.epoch}/answered",
        subject=str(data.run_id),
        org_id=data_org(event),
        source="/test/auditor",
    )


def data_org(event: CloudEvent) -> UUID:
    """The event's organisation."""
    from events.inbox import organisation_of

    return organisation_of(event)
