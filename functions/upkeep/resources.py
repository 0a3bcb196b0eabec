"""What upkeep opens."""

from __future__ import annotations

from events import catalogue
from events.broker import BrokerConnection, publisher_over
from events.publisher import PublisherSettings
from events.relay import Relay
from functions.upkeep import service
from functions.upkeep.repetition import Repetition
from functions.upkeep.store import Store
from shared.clock import Clock, SystemClock
from shared.database import DatabaseSettings
from shared.keys import PrivateKey, TrustSettings
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
        self.sweeps = Repetition(lambda: service.sweep(self), self.settings.repeat_seconds, self.clock)

    async def check(self) -> None:
        """Ask every shard for an answer."""
        await self.shards.check()

    async def close(self) -> None:
        """Publish what was committed, then close everything."""
        await self.sweeps.close()
        await self.relay.close()
        await self.broker.close()
        await self.shards.close()
