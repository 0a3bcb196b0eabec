"""What upkeep opens."""

from __future__ import annotations

from events import catalogue
from events.broker import BrokerConnection, publisher_over
from events.publisher import PublisherSettings
from events.relay import Relay
from functions.upkeep import cleaning, service, usage
from functions.upkeep.repetition import Occasion, Repetition
from functions.upkeep.store import Store
from shared.cache import Cache, CacheSettings
from shared.clock import Clock, SystemClock
from shared.database import DatabaseSettings
from shared.quotas import QuotaSettings, Tiers
from shared.quotas.gates import Gates
from shared.replicas.observing import observe
from shared.settings import load, setting, settings
from shared.shards import Shards
from shared.telemetry import logger
from shared.tokens import Issuer

_log = logger(__name__)


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
    clean_seconds: float = setting(
        "HAL9_CLEAN_SECONDS",
        default=300.0,
        doc="Seconds between two rounds that drop what was kept for long enough: old copies of organisations that "
        "moved, aged data keys. Each comes with a sweep; 0 for none, where somebody does it by hand.",
        minimum=0,
    )
    data_key_days: float = setting(
        "HAL9_DATA_KEY_DAYS",
        default=90.0,
        doc="Days for which a data key seals; whoever seals next makes a new one, the old one still opens. 0: no end.",
        minimum=0,
    )


class Resources:
    """Shards and the way to the broker, from the environment's settings."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()

    async def open(self) -> None:
        """Open everything; connects at the first use."""
        issuer = Issuer.own(self.clock)
        self.settings = load(UpkeepSettings)
        self.shards = Shards.open(load(DatabaseSettings), application_name="upkeep", clock=self.clock)
        self.store = Store(self.shards, catalogue.source("neuron", self.settings.region))
        publishing = load(PublisherSettings)
        self.broker = BrokerConnection(publishing.broker_url)
        self.publisher = publisher_over(self.broker, publishing, issuer)
        self.relay = Relay(self.shards, self.publisher)
        self.source = catalogue.source("upkeep", self.settings.region)
        self.tiers = Tiers.of(load(QuotaSettings))
        self.cache = Cache.open(load(CacheSettings))
        self.gates = Gates(self.cache, self.clock)
        self._occasions = [Occasion(usage.roll_up, self.settings.roll_up_seconds, self.clock)]
        if self.settings.clean_seconds:
            self._occasions.append(Occasion(cleaning.clean, self.settings.clean_seconds, self.clock))
        self.sweeps = Repetition(self.turn, self.settings.repeat_seconds, self.clock)

    async def turn(self) -> None:
        """Look at replicas, sweep, and do what is due besides; one goes on where the other cannot.

        Raises:
            Problem: A shard does not answer; the rest was done.
        """
        await observe(self.shards)
        faults = []
        for work in (service.sweep, *(occasion.work for occasion in self._occasions if occasion.taken())):
            try:
                await work(self)
            except Exception as fault:  # noqa: BLE001 - it is raised when the others were done
                faults.append(fault)
        for other in faults[1:]:  # the first is told by whoever called
            _log.error("upkeep failed", exc_info=other)
        if faults:
            raise faults[0]

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
