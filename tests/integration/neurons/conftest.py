"""Shards of these tests' own: a sweep takes up whatever other tests have left in theirs, which takes minutes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio

from knative.platform.servers import Servers
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.settings import load
from shared.shards import Shards

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers() -> AsyncIterator[Servers]:
    """Three embedded PostgreSQL and a Valkey, migrated."""
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        started = Servers(Path(folder) / "servers", Path(folder) / "run", durable=False)
        await started.start()
        try:
            await migrate(started.shards_admin_dsn.split(","))
            yield started
        finally:
            await started.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shards(servers: Servers) -> AsyncIterator[Shards]:
    """The shards, as a function sees them."""
    settings = load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_SIZE": "8"})
    opened = Shards.open(settings, application_name="tests")
    yield opened
    await opened.close()
