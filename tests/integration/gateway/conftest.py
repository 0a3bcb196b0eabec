"""The gateway and a function behind it, each a process of its own under the host, with real databases and cache."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from events import CloudEvent, codec
from shared import apikeys
from shared.identifiers import new_id
from shared.keys import PrivateKey, Trust, write_trust
from shared.randomness import SystemRandomness
from shared.tokens import Verifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.shards import Shards

ROOT = Path(__file__).resolve().parents[3]
DOORWAY = ROOT / "tests" / "functions" / "doorway"


@dataclass
class Broker:
    """A broker's door: takes events over a Unix socket from whoever has the gateway's token."""

    address: str
    verifier: Verifier
    events: list[CloudEvent] = field(default_factory=list)
    status: int = 202

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = [line.partition(b": ")[::2] for line in head.split(b"\r\n")[1:-2]]
                named = {name.lower(): value for name, value in fields}
                body = await reader.readexactly(int(named.get(b"content-length", b"0")))
                token = named[b"authorization"].decode().removeprefix("Bearer ")
                self.verifier.verify(token, "broker", ["gateway", "function:*"])
                if self.status == 202:
                    self.events.append(codec.decode(fields, body))
                writer.write(f"HTTP/1.1 {self.status} x\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()


@dataclass
class Stage:
    """Where the processes of these tests meet.

    Attributes:
        folder: For sockets and keys.
        environment: What every process is told.
        broker: Takes their events.
    """

    folder: Path
    environment: dict[str, str]
    broker: Broker
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, folder: Path, name: str, environment: Mapping[str, str] | None = None) -> Path:
        """Serve a function's folder at `<name>.sock`, and wait until it is ready."""
        socket = self.folder / f"{name}.sock"
        async with connect(socket) as client:
            await self._serve(client, folder, ("--uds", str(socket)), environment or {})
        return socket

    async def start_tcp(self, folder: Path) -> str:
        """Serve a function's folder at a free port, wait until it is ready, and give its address."""
        log = self.folder / f"{folder.name}.log"
        with log.open("wb") as file:
            await self._spawn(folder, ("--port", "0"), {}, stderr=file)
        async with asyncio.timeout(60):
            while (address := _listening(log)) is None:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.02)
        async with httpx.AsyncClient(base_url=address) as client:
            await self._ready(client, self.processes[-1])
        return address

    async def _serve(
        self, client: httpx.AsyncClient, folder: Path, where: tuple[str, ...], environment: Mapping[str, str]
    ) -> None:
        await self._ready(client, await self._spawn(folder, where, environment))

    async def _spawn(
        self, folder: Path, where: tuple[str, ...], environment: Mapping[str, str], **more: Any
    ) -> asyncio.subprocess.Process:
        variables = {**os.environ, **self.environment, **environment}
        command = (sys.executable, "-m", "knative.host", str(folder), *where)
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=variables, **more)
        self.processes.append(process)
        return process

    async def _ready(self, client: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
        async with asyncio.timeout(60):
            while True:
                assert process.returncode is None, "the process did not start"
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get("/healthz/ready")).status_code == 200:
                        return
                await asyncio.sleep(0.02)

    def identity(self, issuer: str) -> dict[str, str]:
        """Give the environment of a process that signs as that issuer."""
        return {"HAL9_IDENTITY_KEY": str(self.folder / f"{issuer.replace(':', '-')}.json")}

    async def stop(self) -> None:
        """End every process."""
        for process in self.processes:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        codes = [await process.wait() for process in self.processes]
        assert not any(codes), codes


def _listening(log: Path) -> str | None:
    """Give the address that a process says it listens on."""
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if entry.get("message") == "listening":
            return str(entry["address"])
    return None


def connect(socket: Path, **more: Any) -> httpx.AsyncClient:
    """Give a client of a Unix socket."""
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=30, **more)


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
        "HAL9_OBJECTS": f"file://{folder}/objects",
        "HAL9_TRUST": str(folder / "trust.json"),
        "HAL9_FUNCTION_URL": f"unix:{folder}/{{deployment}}.sock",
        "HAL9_BROKER_URL": broker.address,
        "HAL9_PUBLISH_SECONDS": "2",
        "HAL9_LIMIT_KEY_PER_SECOND": "100000",
        "HAL9_LIMIT_KEY_BURST": "100000",
        "HAL9_LIMIT_ORGANISATION_PER_SECOND": "100000",
        "HAL9_LIMIT_ORGANISATION_BURST": "100000",
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


@dataclass
class Caller:
    """An organisation's key."""

    org_id: UUID
    key_id: UUID
    text: str

    @property
    def header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.text}"}


@pytest.fixture
def caller(shards: Shards, organisation: Callable[[], Awaitable[UUID]]) -> Callable[..., Awaitable[Caller]]:
    """A factory: `await caller("developer")` gives a key, of a fresh organisation unless one is given."""

    async def create(*roles: str, org_id: UUID | None = None, **more: Any) -> Caller:
        owner = org_id or await organisation()
        new = apikeys.generate(SystemRandomness())
        from shared.clock import SystemClock

        times = {"created_at": SystemClock().now(), **more}
        key = await apikeys.create(
            shards.directory, owner, new_id(), new, name="test", roles=roles or ("owner",), **times
        )
        return Caller(owner, key.key_id, new.text)

    return create
