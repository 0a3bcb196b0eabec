"""What the gateway opens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from events import catalogue
from events.broker import BrokerConnection, publisher_over
from events.publisher import PublisherSettings
from functions.gateway.forwarding import Forwarder
from functions.gateway.lookups import Lookups
from functions.gateway.settings import GatewaySettings
from shared.cache import Cache, CacheSettings
from shared.caching import Guarded, Remote
from shared.clock import SystemClock
from shared.database import DatabaseSettings
from shared.datakeys import DataKeys, DataKeySettings, open_master_keys
from shared.permissions import RoleTable
from shared.quotas import QuotaSettings, Tiers
from shared.quotas.seats import Seats
from shared.randomness import SystemRandomness
from shared.ratelimits import Limiter
from shared.sessions import Sessions, SessionSettings, session_caches
from shared.settings import load
from shared.shards import Shards
from shared.shards.calls import Calls
from shared.shards.organisations import pinned_region
from shared.telemetry import logger
from shared.tokens import Issuer

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from shared.clock import Clock
    from shared.database import Database
    from shared.permissions import Authorizer
    from shared.randomness import Randomness

_log = logger(__name__)


class Tasks:
    """Work that nobody waits for: kept until it is done, and its failure logged."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin the work."""
        task = asyncio.ensure_future(_logged(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self) -> None:
        """Wait for what runs."""
        await asyncio.gather(*self._running)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 - nobody waits for it, so nobody else would hear of it
        _log.warning("background work failed", error=type(error).__name__)


class Resources:
    """Connections, keys and limits, from the environment's settings."""

    def __init__(self, clock: Clock | None = None, randomness: Randomness | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.randomness: Randomness = randomness or SystemRandomness()
        self.authorizer: Authorizer = RoleTable()
        self.tasks = Tasks()

    async def open(self) -> None:
        """Open everything; connects at the first use."""
        settings = load(GatewaySettings)
        self.issuer = Issuer.own(self.clock)
        self.limits = settings.limits()
        self.origins = settings.origins()
        self.cache = Cache.at(load(CacheSettings).url, settings.cache_seconds)
        self.remote = Remote(self.cache)
        self.remote.start()
        self.shards = Shards.open(
            load(DatabaseSettings), application_name="gateway", placements=self.remote, clock=self.clock
        )
        self.limiter = Limiter(self.cache)
        self.tiers = Tiers.of(load(QuotaSettings))
        self.calls = Calls(self.shards)
        self.source = catalogue.source("gateway", settings.region)
        self.lookups = Lookups(self.directory, self.cache, self.clock)
        self._open_sessions(settings)
        self.forwarder = Forwarder(self.issuer, self.clock)
        publishing = load(PublisherSettings)
        self.broker = BrokerConnection(publishing.broker_url)
        self.publisher = publisher_over(self.broker, publishing, self.issuer, self.clock)

    def _open_sessions(self, settings: GatewaySettings) -> None:
        """Open the sessions of this region, where there are keys to seal them with."""
        keys = load(DataKeySettings)
        self.sessions: Sessions | None = None
        self._session_caches: dict[str, Guarded] = {}
        if not keys.url:
            return
        chosen = load(SessionSettings)
        caches = session_caches(chosen, settings.session_cache_seconds)
        self._session_caches = {region: Guarded(cache, clock=self.clock) for region, cache in caches.items()}
        data_keys = DataKeys(self.directory, open_master_keys(keys), keys.seconds, self.clock)
        self.sessions = Sessions(
            chosen.region, self._session_caches, data_keys, chosen,
            pinned=lambda org_id: pinned_region(self.directory, org_id),
            seat=Seats(self.shards, self.tiers, self.source).take,
            randomness=self.randomness,
        )  # fmt: skip

    def own_sessions(self) -> Sessions:
        """Give the sessions, for what only who is signed in can ask for.

        Raises:
            LookupError: There are none, so that nobody is.
        """
        if self.sessions is None:
            raise LookupError("nobody is signed in where no keys seal sessions")
        return self.sessions

    @property
    def directory(self) -> Database:
        """The database that holds the directory, and so the keys."""
        return self.shards.directory

    async def check(self) -> None:
        """Ask the directory for an answer. Without the cache the gateway works on, see `shared.ratelimits`."""
        await self.directory.ping()

    async def close(self) -> None:
        """Finish what runs and close everything."""
        await self.tasks.finish()
        await self.forwarder.close()
        await self.broker.close()
        await self.remote.stop()
        await self.cache.close()
        for cache in self._session_caches.values():
            await cache.close()
        await self.shards.close()
