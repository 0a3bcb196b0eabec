"""A load generator: one request again and again over many connections that are kept, none sent before the last answer.

Its own CPU is not measured: what counts is the server's.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

CONNECTIONS: Final = 35
_LIMIT_SECONDS: Final = 120.0


class _Connection(asyncio.Protocol):
    """Sends a number of requests, each when the one before it is answered."""

    def __init__(self, request: bytes, requests: int, done: asyncio.Future[None]) -> None:
        self._request = request
        self._left = requests
        self._done = done
        self._got = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if b"\r\n\r\n" not in self._got or self._transport is None:
            return
        if b"HTTP/1.1 20" not in self._got:
            self._fail(RuntimeError(f"not answered well: {self._got[:200]!r}"))
            return
        self._got = b""
        self._left -= 1
        if self._left:
            self._transport.write(self._request)
        elif not self._done.done():
            self._transport.close()
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError())

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)
        if self._transport is not None:
            self._transport.close()


async def send(port: int, request: bytes, requests: int) -> None:
    """Send about so many requests to a port of this machine.

    Raises:
        OSError: Nobody listens, or the server closed a connection.
        RuntimeError: An answer was none of the good ones (200 to 209).
        TimeoutError: It takes more than two minutes.
    """
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[None]] = []
    for _ in range(CONNECTIONS):
        done: asyncio.Future[None] = loop.create_future()
        waiting.append(done)

        def connection(done: asyncio.Future[None] = done) -> _Connection:
            return _Connection(request, requests // CONNECTIONS, done)

        await loop.create_connection(connection, "127.0.0.1", port)
    await asyncio.wait_for(asyncio.gather(*waiting), _LIMIT_SECONDS)
