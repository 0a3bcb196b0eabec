"""Fixtures for every suite: real servers, started once for a session, and what stands on them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from knative.platform.servers import Servers
from shared.cache import Cache
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.settings import load
from shared.shards import Shards

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from uuid import UUID

pytest_plugins = ["tests.platform_fixture"]

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("timeless", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("timeless")


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for Unix sockets, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        yield Path(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers(short_folder: Path) -> AsyncIterator[Servers]:
    """Three embedded PostgreSQL and a Valkey, migrated; without fsync, so not for tests that kill them."""
    servers = Servers(short_folder / "servers", short_folder / "run", durable=False)
    await servers.start()
    try:
        await migrate(servers.shards_admin_dsn.split(","))
        yield servers
    finally:
        await servers.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shards(servers: Servers) -> AsyncIterator[Shards]:
    """The shards, as a function sees them."""
    shards = Shards.open(
        load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_SIZE": "8"}), application_name="tests"
    )
    yield shards
    await shards.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cache(servers: Servers) -> AsyncIterator[Cache]:
    """The cache, shared by all tests: use keys of your own."""
    cache = Cache(servers.cache_url)
    yield cache
    await cache.close()


@pytest.fixture
def organisation(shards: Shards) -> Callable[[], Awaitable[UUID]]:
    """A factory: `await organisation()` gives a fresh organisation that has its place."""

    async def create(region: str = "us-west") -> UUID:
        org_id = new_id()
        await shards.create_organisation(org_id, region)
        return org_id

    return create
