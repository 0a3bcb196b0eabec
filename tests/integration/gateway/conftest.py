"""The gateway and the functions behind it, each a process of its own under the host, with real databases and cache."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from shared import apikeys
from shared.clock import SystemClock
from shared.datakeys import DataKeys, DataKeySettings, open_master_keys
from shared.identifiers import new_id
from shared.keys import PrivateKey, Trust, write_trust
from shared.randomness import SystemRandomness
from shared.sessions import Sessions, SessionSettings, session_caches
from shared.settings import load
from shared.tokens import Verifier
from tests.integration.gateway.stage import DOORWAY, ROOT, Broker, Caller, Person, Stage, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path
    from uuid import UUID

    import httpx

    from knative.platform.servers import Servers
    from shared.shards import Shards
    from tests.integration.gateway.stage import MakeCaller, SignIn


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(servers: Servers, short_folder: Path) -> AsyncIterator[Stage]:
    folder = short_folder / "gateway"
    folder.mkdir()
    keys = [
        PrivateKey.generate(issuer) for issuer in ("gateway", "function:neuron", "function:codegen", "function:upkeep")
    ]
    for key in keys:
        key.write(folder / f"{key.issuer.replace(':', '-')}.json")
    write_trust(folder / "trust.json", keys)
    broker = Broker(f"unix:{folder}/broker.sock", Verifier(Trust.load(folder / "trust.json")))
    environment = {
        "HAL9_SHARDS": servers.shards_dsn,
        "HAL9_CACHE_URL": servers.cache_url,
        "HAL9_IDENTITY_KEY": str(folder / "gateway.json"),
        "HAL9_HOME": str(folder),
        "HAL9_DATA_KEYS": f"file://{folder}/masters",
        "HAL9_OBJECTS": f"file://{folder}/objects",
        "HAL9_TRUST": str(folder / "trust.json"),
        "HAL9_FUNCTION_URL": f"unix:{folder}/{{deployment}}.sock",
        "HAL9_BROKER_URL": broker.address,
        "HAL9_PUBLISH_SECONDS": "2",
        "HAL9_LIMIT_KEY_PER_SECOND": "100000",
        "HAL9_LIMIT_KEY_BURST": "100000",
        "HAL9_SESSION_CACHE_SECONDS": "20",
        "HAL9_LIMIT_USER_PER_SECOND": "100000",
        "HAL9_LIMIT_USER_BURST": "100000",
        "HAL9_LIMIT_ORGANISATION_PER_SECOND": "100000",
        "HAL9_LIMIT_ORGANISATION_BURST": "100000",
        "HAL9_LIMIT_ROUTE_PER_SECOND": "100000",
        "HAL9_LIMIT_ROUTE_BURST": "100000",
    }
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        await broker.serve(reader, writer)

    server = await asyncio.start_unix_server(serve, folder / "broker.sock")
    stage = Stage(folder, environment, broker)
    try:
        yield stage
    finally:
        try:
            await stage.stop()
        finally:
            server.close()
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def doorway(stage: Stage) -> Path:
    """The gateway with routes to `mirror`, and `mirror`."""
    await stage.start(ROOT / "tests" / "functions" / "mirror", "mirror")
    return await stage.start(DOORWAY, "doorway")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def api(stage: Stage) -> str:
    """The address of the whole API: the gateway and the functions behind it. What the broker gets goes nowhere."""
    functions = ROOT / "functions"
    await stage.start(functions / "codegen", "codegen", stage.identity("function:codegen"))
    await stage.start(functions / "upkeep", "upkeep", stage.identity("function:upkeep"))
    processes = {"HAL9_NEURON_PROCESSES": "tests.processes.tally:TALLY"}
    await stage.start(functions / "neuron", "neuron-l4", {**stage.identity("function:neuron"), **processes})
    return await stage.start_tcp(functions / "gateway")


@pytest_asyncio.fixture(loop_scope="session")
async def client(doorway: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway with no credentials."""
    async with connect(doorway) as client:
        yield client


@pytest.fixture
def caller(shards: Shards, organisation: Callable[[], Awaitable[UUID]]) -> MakeCaller:
    """A factory: `await caller("developer")` gives a key, of a fresh organisation unless one is given."""

    async def create(*roles: str, org_id: UUID | None = None, **more: Any) -> Caller:
        owner = org_id or await organisation()
        new = apikeys.generate(SystemRandomness())
        times = {"created_at": SystemClock().now(), "made_by": apikeys.OPERATOR, **more}
        key = await apikeys.create(
            shards.directory, owner, new_id(), new, name="test", roles=roles or ("owner",), **times
        )
        return Caller(owner, key.key_id, new.text)

    return create


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sessions(stage: Stage, servers: Servers, shards: Shards) -> AsyncIterator[Sessions]:
    """The region's sessions, as whoever signs people in has them."""
    settings = load(SessionSettings, {"HAL9_CACHE_URL": servers.cache_url})
    caches = session_caches(settings)
    keys = DataKeys(shards.directory, open_master_keys(load(DataKeySettings, stage.environment)))
    yield Sessions(settings.region, caches, keys, settings)
    for cache in caches.values():
        await cache.close()


@pytest.fixture
def sign_in(sessions: Sessions, organisation: Callable[[], Awaitable[UUID]]) -> SignIn:
    """A factory: `await sign_in("developer")` gives somebody who is signed in to a fresh organisation, or to yours."""

    async def begin(*roles: str, org_id: UUID | None = None, user_id: UUID | None = None, **more: Any) -> Person:
        owner, user = org_id or await organisation(), user_id or new_id()
        opened = await sessions.create(owner, user, roles, **more)
        return Person(owner, user, opened.session.ref, opened.cookie)

    return begin
