"""A small HTTP/1.1 client over Unix sockets: connections to one function instance, kept and used again.

Promises: bodies stream both ways with back-pressure; a connection is used again only when both messages on it are
whole; a response that breaks HTTP's framing is an `UpstreamLost`, never passed on. Does not: redirects, cookies, TLS,
decoding.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final, cast

import httptools

from knative.platform.http1 import CHUNK_HIGH, WRITE_HIGH

if TYPE_CHECKING:
    from knative.platform.http1 import Headers

MAX_HEAD_BYTES: Final = 128 * 1024
KEEP_SECONDS: Final = 60.0
"""Idle connections are dropped after this, well before the host's own keep-alive (above 90 s) ends."""

_NO_BODY: Final = frozenset({204, 304})


class UpstreamLost(Exception):  # noqa: N818 - says what happened
    """The instance's connection ended before its answer was whole."""


class NobodyListens(UpstreamLost):
    """There was no connection to be had: nothing was sent, so that nothing can have happened."""


class UpstreamConnection(asyncio.Protocol):
    """One connection; it carries one exchange at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._drain_waiter: asyncio.Future[None] | None = None
        self.idle_since = self._loop.time()
        self._begin(b"")

    def _begin(self, method: bytes) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._method = method
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._head_bytes = 0
        self._head_done = False
        self._complete = False
        self._lost: str | None = None
        self._interruption: Exception | None = None
        self._until_close = False
        self._keep = True
        self.status = 0
        self.headers: Headers = []
        self.length: int | None = None
        self.reason = b""

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = stream = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        stream.set_write_buffer_limits(high=WRITE_HIGH)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the body if its end is the connection's; else the answer is lost."""
        del exc
        self._transport = None
        if self._until_close and self._head_done:
            self._complete = True
        elif not self._complete:
            self._lost = "the instance closed its connection before it had answered"
        self.resume_writing()
        self._wake()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if not self._method:  # nothing was asked: an answer out of turn
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail("the instance changed the protocol unasked")
        except httptools.HttpParserError as error:
            self._fail(f"the instance's answer is not well-formed HTTP/1.1: {error}")
        if not self._head_done:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._fail("the head of the instance's answer is too large")

    def pause_writing(self) -> None:
        """Note that the instance is behind."""
        self._drain_waiter = self._loop.create_future()

    def resume_writing(self) -> None:
        """Note that the instance caught up."""
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)
        self._drain_waiter = None

    # what httptools calls

    def on_status(self, status: bytes) -> None:
        """Take the reason phrase."""
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field; trailers are dropped."""
        if not self._head_done:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Note the status and how the body is framed; interim answers (1xx) are dropped."""
        status = self._parser.get_status_code()
        if status < 200:
            self.headers, self.reason = [], b""
            return
        self.status = status
        self._keep = self._parser.should_keep_alive()
        chunked = False
        for name, value in self.headers:
            if name == b"content-length":
                self.length = int(value)
            elif name == b"transfer-encoding":
                chunked = True
        self._head_done = True
        bodiless = self._method == b"HEAD" or status in _NO_BODY
        self._until_close = not (bodiless or chunked or self.length is not None)
        if self._method == b"HEAD" and status not in _NO_BODY and self.length != 0:
            # the parser waits for a body that does not come, until the connection's end: it ends here
            self._keep = False
            self._complete = True
        self._wake()

    def on_body(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        if self._complete:
            return
        self._chunks.append(chunk)
        self._buffered += len(chunk)
        if self._buffered >= CHUNK_HIGH and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """Take the answer's end."""
        if self._head_done:
            self._complete = True
            self._wake()

    # what the proxy calls

    @property
    def usable(self) -> bool:
        """Whether another exchange may begin."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def answered(self) -> bool:
        """Whether any part of an answer has come."""
        return self._head_done

    def ask(self, method: bytes, head: bytes) -> None:
        """Begin an exchange: send a request's head.

        Raises:
            UpstreamLost: The connection has gone.
        """
        self._begin(method)
        self.write(head)

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            UpstreamLost: The connection has gone.
        """
        if self._transport is None:
            raise UpstreamLost("the instance closed its connection")
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the instance has taken enough of what was written."""
        if self._drain_waiter is not None:
            await asyncio.shield(self._drain_waiter)

    async def head(self) -> None:
        """Wait for the answer's head: `status`, `reason`, `headers`, `length`.

        Raises:
            UpstreamLost: It does not come.
        """
        while not self._head_done:
            await self._more()

    async def read(self) -> bytes:
        """Give the next piece of the answer's body; empty at its end.

        Raises:
            UpstreamLost: The connection ended in the middle.
        """
        while not self._chunks:
            if self._complete:
                return b""
            await self._more()
        chunk = self._chunks.popleft()
        self._buffered -= len(chunk)
        if self._paused and self._buffered < CHUNK_HIGH and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return chunk

    async def body(self, limit: int) -> bytes:
        """Give the first `limit` bytes of the body, dropping the rest of it with the connection."""
        pieces = bytearray()
        while piece := await self.read():
            pieces += piece
            if len(pieces) > limit:
                self._keep = False
                return bytes(pieces[:limit])
        return bytes(pieces)

    def end(self) -> bool:
        """End the exchange; True when the connection may be used again."""
        again = self._keep and self._complete and not self._chunks and self.usable
        self._method = b""
        self.idle_since = self._loop.time()
        if not again:
            self.close()
        return again

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def interrupt(self, fault: Exception) -> None:
        """Give up the exchange: whoever waits for the answer gets this exception."""
        self._interruption = fault
        self._wake()

    async def _more(self) -> None:
        if self._interruption is not None:
            raise self._interruption
        if self._lost is not None:
            raise UpstreamLost(self._lost)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _fail(self, detail: str) -> None:
        self._keep = False
        if not self._complete:
            self._lost = detail
            self._until_close = False
        self.close()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Pool:
    """Connections to one Unix socket.

    Args:
        path: The socket.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._idle: deque[UpstreamConnection] = deque()

    async def take(self, *, fresh: bool = False) -> UpstreamConnection:
        """Give a connection: one that is idle, or a new one.

        Raises:
            NobodyListens: The socket takes no connection.
        """
        oldest = asyncio.get_running_loop().time() - KEEP_SECONDS
        while self._idle and not fresh:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since > oldest:
                return connection
            connection.close()
        try:
            _, connection = await asyncio.get_running_loop().create_unix_connection(UpstreamConnection, self.path)
        except OSError as error:
            raise NobodyListens(f"nobody listens ({error.strerror})") from error
        return connection

    def give(self, connection: UpstreamConnection) -> None:
        """Take a connection back after its exchange."""
        if connection.end():
            self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()


async def exchange(
    pool: Pool, method: bytes, target: bytes, headers: Headers, body: bytes = b"", *, limit: int = 1024 * 1024
) -> tuple[int, Headers, bytes]:
    """Send one whole request and give (status, headers, body).

    Raises:
        UpstreamLost: No whole answer came.
    """
    connection = await pool.take()
    try:
        lines = [b"%s %s HTTP/1.1\r\n" % (method, target), b"host: hal9\r\n"]
        lines += [b"%s: %s\r\n" % field for field in headers]
        lines.append(b"content-length: %d\r\n\r\n" % len(body))
        connection.ask(method, b"".join(lines) + body)
        await connection.head()
        content = await connection.body(limit)
    except BaseException:
        with contextlib.suppress(OSError):
            connection.close()
        raise
    pool.give(connection)
    return connection.status, connection.headers, content
