"""What upkeep opens."""

from __future__ import annotations

import math

from events import catalogue
from events.broker import BrokerConnection, publisher_over
from events.publisher import PublisherSettings
from events.relay import Relay
from functions.upkeep import service, usage
from functions.upkeep.repetition import Repetition
from functions.upkeep.store import Store
from shared.cache import Cache, CacheSettings
from shared.clock import Clock, SystemClock
from shared.database import DatabaseSettings
from shared.keys import PrivateKey, TrustSettings
from shared.quotas import QuotaSettings, Tiers
from shared.quotas.gates import Gates
from shared.replicas.observing import observe
from shared.settings import load, setting, settings
from shared.shards import Shards
from shared.tokens import Issuer


@settings
class UpkeepSettings:
    """Where upkeep runs."""

    region: str = setting("HAL9_REGION", default="us-west", doc="Region that this process runs in.")
    repeat_seconds: float = setting(
        "HAL9_REPEAT_SECONDS",
        default=0.0,
        doc="Seconds between the sweeps that follow a tick of a clock that ticks once a minute; 0 for a faster clock.",
        minimum=0,
    )
    roll_up_seconds: float = setting(
        "HAL9_USAGE_ROLL_UP_SECONDS",
        default=20.0,
        doc="Seconds between two roll-ups of what organisations use; each comes with a sweep.",
        minimum=0,
    )


class Resources:
    """Shards and the way to the broker, from the environment's settings."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()

    async def open(self) -> None:
        """Open everything; connects at the first use."""
        identity = load(TrustSettings).identity_key
        if identity is None:
            raise RuntimeError("HAL9_IDENTITY_KEY is not set: upkeep cannot give events to the broker")
        self.settings = load(UpkeepSettings)
        self.shards = Shards.open(load(DatabaseSettings), application_name="upkeep", clock=self.clock)
        self.store = Store(self.shards, catalogue.source("neuron", self.settings.region))
        publishing = load(PublisherSettings)
        self.broker = BrokerConnection(publishing.broker_url)
        self.publisher = publisher_over(self.broker, publishing, Issuer(PrivateKey.load(identity), self.clock))
        self.relay = Relay(self.shards, self.publisher)
        self.source = catalogue.source("upkeep", self.settings.region)
        self.tiers = Tiers.of(load(QuotaSettings))
        self.cache = Cache.open(load(CacheSettings))
        self.gates = Gates(self.cache, self.clock)
        self._rolled_up_at = -math.inf
        self.sweeps = Repetition(self.turn, self.settings.repeat_seconds, self.clock)

    async def turn(self) -> None:
        """Look at replicas, sweep, and roll up usage when that is due; one goes on where the other cannot."""
        await observe(self.shards)
        try:
            await service.sweep(self)
        finally:
            now = self.clock.monotonic()
            if now - self._rolled_up_at >= self.settings.roll_up_seconds:
                self._rolled_up_at = now
                await usage.roll_up(self)

    async def check(self) -> None:
        """Ask every shard for an answer."""
        await self.shards.check()

    async def close(self) -> None:
        """Publish what was committed, then close everything."""
        await self.sweeps.close()
        await self.relay.close()
        await self.broker.close()
        await self.cache.close()
        await self.shards.close()
