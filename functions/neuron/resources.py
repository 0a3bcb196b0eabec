"""What a neuron opens."""

from __future__ import annotations

from events import catalogue
from events.broker import BrokerConnection, publisher_over
from events.publisher import PublisherSettings
from events.relay import Relay
from functions.neuron.bodies.catalogue import registry
from functions.neuron.runtime import Runtime
from functions.neuron.service import Runs
from functions.neuron.settings import NeuronSettings
from functions.neuron.store import Store
from functions.neuron.stream import Seats
from functions.neuron.turns import Turns
from shared.clock import Clock, SystemClock
from shared.database import DatabaseSettings
from shared.neurons.engines import engine_for
from shared.quotas import QuotaSettings, Tiers
from shared.settings import load
from shared.shards import Shards
from shared.tokens import Issuer


class Resources:
    """Shards, the way to the broker, and the processes, from the environment's settings."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()

    async def open(self) -> None:
        """Open everything; connects at the first use."""
        issuer = Issuer.own(self.clock)
        settings = load(NeuronSettings)
        processes = registry(settings.processes)
        self.source = catalogue.source("neuron", settings.region)
        self.shards = Shards.open(load(DatabaseSettings), application_name=f"neuron-{settings.layer}", clock=self.clock)
        self.store = Store(self.shards, Tiers.of(load(QuotaSettings)), self.source)
        self.seats = Seats(settings.streams)
        self.runs = Runs(self.store, processes, self.clock)
        self.runtime = Runtime(self.store, processes, engine_for, settings)
        publishing = load(PublisherSettings)
        self.broker = BrokerConnection(publishing.broker_url)
        self.relay = Relay(self.shards, publisher_over(self.broker, publishing, issuer))
        self.turns = Turns(self.store, self.runtime, self.clock, settings.backlog_seconds, self.relay.after_commit)

    async def check(self) -> None:
        """Ask every shard for an answer."""
        await self.shards.check()

    async def close(self) -> None:
        """Publish what was committed, then close everything."""
        await self.relay.close()
        await self.broker.close()
        await self.shards.close()
