"""Where the processes of these tests meet: sockets, keys, a broker's door, callers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from events import CloudEvent, codec
from shared.sessions import COOKIE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from shared.tokens import Verifier

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
        processes: Those that run.
    """

    folder: Path
    environment: dict[str, str]
    broker: Broker
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(
        self, folder: Path, name: str, environment: Mapping[str, str] | None = None, *, path: str = "/healthz/ready"
    ) -> Path:
        """Serve a function's folder at `<name>.sock`, and wait until that path answers 200."""
        socket = self.folder / f"{name}.sock"
        async with connect(socket) as client:
            process = await self._spawn(folder, ("--uds", str(socket)), environment or {})
            await self._answers(client, process, path)
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
            await self._answers(client, self.processes[-1], "/healthz/ready")
        return address

    async def _spawn(
        self, folder: Path, where: tuple[str, ...], environment: Mapping[str, str], **more: Any
    ) -> asyncio.subprocess.Process:
        variables = {**os.environ, **self.environment, **environment}
        command = (sys.executable, "-m", "knative.host", str(folder), *where)
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=variables, **more)
        self.processes.append(process)
        return process

    async def _answers(self, client: httpx.AsyncClient, process: asyncio.subprocess.Process, path: str) -> None:
        async with asyncio.timeout(60):
            while True:
                assert process.returncode is None, "the process did not start"
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(path)).status_code == 200:
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


@dataclass
class Caller:
    """An organisation's key."""

    org_id: UUID
    key_id: UUID
    text: str

    @property
    def header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.text}"}


MakeCaller = Callable[..., Awaitable[Caller]]


@dataclass
class Person:
    """Somebody who is signed in."""

    org_id: UUID
    user_id: UUID
    session_id: UUID
    cookie: str

    @property
    def header(self) -> dict[str, str]:
        """What their browser sends, from a page of this site."""
        return {"Cookie": f"theme=dark; {COOKIE}={self.cookie}", "Sec-Fetch-Site": "same-origin"}


SignIn = Callable[..., Awaitable[Person]]
