"""Requests over kept connections, and how long each took; the server is anywhere."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LIMIT_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Way:
    """How a function is reached: an address, the Host header field, a path."""

    address: str
    port: int
    host: str
    path: str = "/"

    def request(self, *headers: str) -> bytes:
        """Give a GET request, with further header lines."""
        lines = [f"GET {self.path} HTTP/1.1", f"host: {self.host}", *headers, "", ""]
        return "\r\n".join(lines).encode()

    def at(self, path: str) -> Way:
        """Give the same with another path."""
        return Way(self.address, self.port, self.host, path)


@dataclass
class Latencies:
    """What became of requests.

    Attributes:
        seconds: Of those that were answered well (200 to 299).
        faults: Of the others, a word each: a status, or an error's name.
    """

    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def part(self, share: float) -> float:
        """Give the time that this share of the requests took at most."""
        ordered = sorted(self.seconds)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Connection:
    """One connection, opened at its first use and again after a fault."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; give the answer's status and body.

        Raises:
            OSError, TimeoutError, EOFError: There was no answer.
        """
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(self._way.address, self._way.port)
                reader, writer = self._streams
                writer.write(request)
                return await _answer(reader)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if fields.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(fields.get("content-length", "0")))
    return int(lines[0].split()[1]), body


async def ask(way: Way) -> tuple[int, bytes]:
    """Send one request on a connection of its own."""
    connection = Connection(way)
    try:
        return await connection.ask(way.request())
    finally:
        connection.close()


async def measured(connection: Connection, request: bytes, found: Latencies) -> None:
    """Send one request and note how it went."""
    begun = time.perf_counter()
    try:
        status, _ = await connection.ask(request)
    except (OSError, TimeoutError, EOFError) as error:
        found.faults.append(type(error).__name__)
        return
    if 200 <= status < 300:
        found.seconds.append(time.perf_counter() - begun)
    else:
        found.faults.append(str(status))


async def send(way: Way, *, requests: int, connections: int, headers: Sequence[str] = ()) -> Latencies:
    """Send so many requests over so many connections, each when the one before it is answered."""
    found = Latencies()
    left = iter(range(requests))
    request = way.request(*headers)

    async def one_after_the_other() -> None:
        connection = Connection(way)
        for _ in left:
            await measured(connection, request, found)
        connection.close()

    await asyncio.gather(*(one_after_the_other() for _ in range(connections)))
    return found


async def keep(way: Way, users: Callable[[], int], until: float, *, headers: Sequence[str] = ()) -> Latencies:
    """Keep requests under way until a moment of the monotonic clock.

    Args:
        way: Where to.
        users: How many at a time: asked ten times a second; whoever is too many leaves when answered.
        until: The moment.
        headers: Further header lines.
    """
    found = Latencies()
    request = way.request(*headers)
    present: dict[int, asyncio.Task[None]] = {}

    async def user(number: int) -> None:
        connection = Connection(way)
        while time.monotonic() < until and number < users():
            await measured(connection, request, found)
        connection.close()

    while time.monotonic() < until:
        for number in range(users()):
            if number not in present or present[number].done():
                present[number] = asyncio.create_task(user(number))
        await asyncio.sleep(0.1)
    await asyncio.gather(*present.values())
    return found
