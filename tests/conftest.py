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

ROOT = Path(__file__).resolve().parents[1]
OF_CLUSTER = ROOT / "tests" / "cluster"
ANYWHERE = {"platform", "tallying"}
"""Fixtures that are a platform on this machine, or a deployment on a cluster."""
CLUSTER_SECONDS = 1500
"""A test's timeout on a cluster: the first one waits for the deployment too."""

pytest_plugins = ["tests.platform_fixture", "tests.sessions_fixture", "tests.s3_fixture", "tests.cluster.deployed"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where platforms run."""
    parser.addoption(
        "--cluster", action="store_true", help="on the cluster of KUBECONFIG: only tests that run on one, or anywhere"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what needs a cluster, where none is to be used."""
    return True if collection_path == OF_CLUSTER and not config.getoption("--cluster") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --cluster choose what runs on one; what needs the session's deployment comes last, so that it is one."""
    if not config.getoption("--cluster"):
        return
    chosen = [item for item in items if OF_CLUSTER in item.path.parents or _uses(item, ANYWHERE)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    for item in chosen:
        item.add_marker(pytest.mark.timeout(CLUSTER_SECONDS))
    items[:] = sorted(chosen, key=lambda item: _uses(item, ANYWHERE | {"deployed"}))


def _uses(item: pytest.Item, fixtures: set[str]) -> bool:
    return not fixtures.isdisjoint(getattr(item, "fixturenames", ()))


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
