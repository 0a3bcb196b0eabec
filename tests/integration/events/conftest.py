"""A broker's door for these tests: a real HTTP server that keeps what it is given and answers as it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest_asyncio

from events import CloudEvent, codec
from events.broker import BrokerConnection
from events.publisher import Publisher
from shared.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass
class Door:
    """Takes events over a Unix socket.

    `answers` are given first, one for each request; afterwards everything is taken.
    """

    address: str
    events: list[CloudEvent] = field(default_factory=list)
    headers: list[dict[bytes, bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = [line.partition(b": ")[::2] for line in head.split(b"\r\n")[1:-2]]
                named = {name.lower(): value for name, value in fields}
                body = await reader.readexactly(int(named.get(b"content-length", b"0")))
                status, extra = self._answer(codec.decode(fields, body), named)
                lines = [f"HTTP/1.1 {status} x", "content-length: 0", *(f"{k}: {v}" for k, v in extra.items())]
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the client went away, or the test is over
        finally:
            writer.close()

    def _answer(self, event: CloudEvent, headers: dict[bytes, bytes]) -> tuple[int, dict[str, str]]:
        self.headers.append(headers)
        if event.id in self.refuses:
            return 400, {}
        if self.answers:
            status, extra = self.answers.pop(0)
            if status >= 300:
                return status, extra
        self.events.append(event)
        return 202, {}

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]


@pytest_asyncio.fixture(loop_scope="session")
async def door(short_folder: Path) -> AsyncIterator[Door]:
    path = short_folder / f"door-{new_id().hex[-12:]}.sock"
    door = Door(f"unix:{path}")
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        task.add_done_callback(connections.discard)
        await door.serve(reader, writer)

    server = await asyncio.start_unix_server(connected, path)
    yield door
    server.close()
    for task in connections:
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)
    await server.wait_closed()
    path.unlink(missing_ok=True)


@pytest_asyncio.fixture(loop_scope="session")
async def publisher(door: Door) -> AsyncIterator[Publisher]:
    connection = BrokerConnection(door.address)
    yield Publisher(connection, lambda: "a-token", seconds=2.0)
    await connection.close()
