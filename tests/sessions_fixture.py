"""Two regions with sessions: a Valkey for each, one directory, and as many processes as a test wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import pytest_asyncio

from knative.platform.servers import Valkey
from shared.cache import Cache
from shared.clock import ManualClock
from shared.datakeys import DataKeys
from shared.datakeys.files import FileMasterKeys
from shared.identifiers import new_id
from shared.sessions import Sessions, SessionSettings
from shared.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from knative.platform.servers import Servers
    from shared.shards import Shards

WEST, EAST = "us-west", "us-east"
USER = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


@dataclass
class Regions:
    """Two regions.

    Attributes:
        caches: Their caches, by name.
        shards: The shards; the first has the directory.
        masters: The master keys.
        clock: The time of all processes.
        pins: Organisations that must stay in a region.
    """

    caches: dict[str, Cache]
    shards: Shards
    masters: FileMasterKeys
    clock: ManualClock
    pins: dict[UUID, str]

    def keys(self) -> DataKeys:
        """The data keys of another process."""
        return DataKeys(self.shards.directory, self.masters, clock=self.clock)

    def process(self, region: str = WEST, *, keys: DataKeys | None = None, **environ: str) -> Sessions:
        """Another process of a region."""

        async def pinned(org_id: UUID) -> str | None:
            return self.pins.get(org_id)

        settings = load(SessionSettings, environ)
        return Sessions(region, self.caches, keys or self.keys(), settings, pinned=pinned, clock=self.clock)

    async def values(self, region: str = WEST) -> dict[bytes, bytes]:
        """Every key of a region's sessions with its value, strings only."""
        found: dict[bytes, bytes] = {}
        names: Any = await self.caches[region].execute("KEYS", "session:*")
        for name in names:
            if await self.caches[region].execute("TYPE", name) == "string":
                value = await self.caches[region].execute("GET", name)
                assert isinstance(value, bytes)
                found[name] = value
        return found

    async def sealed(self, region: str = WEST) -> dict[bytes, bytes]:
        """Of these, the sealed values."""
        return {name: value for name, value in (await self.values(region)).items() if value[:1] == b"\x01"}

    async def flush(self) -> None:
        """Begin anew."""
        for cache in self.caches.values():
            await cache.execute("FLUSHALL")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def west_and_east(servers: Servers, short_folder: Path) -> AsyncIterator[dict[str, str]]:
    """The addresses of two caches of sessions, by region."""
    del servers  # they run before these do
    both = {
        name: Valkey(short_folder / name, short_folder / f"run-{name}", short_folder / name) for name in (WEST, EAST)
    }
    try:
        for name, server in both.items():
            server.log = short_folder / f"{name}.log"
            await server.start()
        yield {name: server.url for name, server in both.items()}
    finally:
        for server in both.values():
            await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def regions(west_and_east: dict[str, str], shards: Shards, tmp_path: Path) -> AsyncIterator[Regions]:
    """Two empty regions."""
    caches = {name: Cache(url) for name, url in west_and_east.items()}
    found = Regions(caches, shards, FileMasterKeys(tmp_path / "masters"), ManualClock(), {})
    await found.flush()
    yield found
    for cache in caches.values():
        await cache.close()


@pytest.fixture
def someone(organisation: Callable[[], Awaitable[UUID]]) -> Callable[[], Awaitable[tuple[UUID, UUID]]]:
    """A factory: an organisation, and a user of it."""

    async def make() -> tuple[UUID, UUID]:
        return await organisation(), new_id()

    return make
