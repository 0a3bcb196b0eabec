"""Requests to other functions and to the broker: HTTP/1.1 over TCP or Unix sockets, on connections that are kept.

    outgoing = Outgoing(address_of("codegen"))
    reply = await outgoing.request("GET", "/v1/projects", [(b"authorization", b"Bearer ...")])

It is a page on httptools rather than httpx, because httpx imports click and rich, 40 ms of CPU and 10 MB at each cold
start, and costs ten times as much CPU for each request.

Promises: every request carries the trace (`traceparent`) and what is left of the deadline (`hal9-timeout`); nothing
waits beyond the deadline; bodies stream both ways with back-pressure; a connection is used again only after a whole
answer; a GET that met a connection which the other side had just closed is tried once more, nothing else is.
Does not: redirects, cookies, proxies, content codings; nor TLS, but for an address that comes with a context for it.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING, Final

import httptools
import msgspec

from shared import deadlines
from shared.settings import load, setting, settings
from shared.telemetry import trace

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence

    Header = tuple[bytes, bytes]

_HIGH_WATER_BYTES: Final = 65536
_LONGEST_HEAD_BYTES: Final = 65536
_CONNECT_SECONDS: Final = 10.0
_BODILESS: Final = frozenset({204, 304})
_FIRST_FINAL_STATUS: Final = 200
_PORTS: Final = {"http": 80, "https": 443}
_SAFE: Final = frozenset({"GET", "HEAD"})
_BROKEN: Final = "the connection ended before the answer did"


@settings
class AddressSettings:
    """Where the parts of the platform find each other."""

    function_url: str | None = setting(
        "HAL9_FUNCTION_URL",
        default=None,
        doc="Address of a deployment, with `{deployment}` in it: http://host:port or unix:/path/{deployment}.sock.",
    )


def address_of(deployment: str, environ: Mapping[str, str] = os.environ) -> str:
    """Give the address of a deployment, from HAL9_FUNCTION_URL.

    Raises:
        LookupError: the variable is not set.
    """
    template = load(AddressSettings, environ).function_url
    if template is None:
        raise LookupError(f"HAL9_FUNCTION_URL is not set: the function {deployment!r} cannot be found")
    return template.replace("{deployment}", deployment)


class Unreachable(ConnectionError):  # noqa: N818 - says what is the case
    """There is no answer: no connection, or it ended before the answer did."""


class Reply(msgspec.Struct, frozen=True):
    """A whole answer.

    Attributes:
        status: the HTTP status.
        raw_headers: names in lower case, in their order.
        body: as it came.
    """

    status: int
    raw_headers: Sequence[Header]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers by name in lower case; of a repeated one the last."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.raw_headers}


class Incoming:
    """An answer whose head is there and whose body is coming. Read it to its end or `close` it.

    Attributes:
        status: the HTTP status.
        raw_headers: names in lower case, in their order.
    """

    def __init__(self, connection: _Connection, outgoing: Outgoing, seconds: float | None) -> None:
        self.status = connection.status
        self.raw_headers: list[Header] = connection.headers
        self._connection: _Connection | None = connection
        self._outgoing = outgoing
        self._seconds = seconds

    def header(self, name: str) -> str:
        """Give the first header of that name (lower case), empty when there is none."""
        wanted = name.encode("latin-1")
        return next((value.decode("latin-1") for key, value in self.raw_headers if key == wanted), "")

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Give the body piece by piece; the connection is free again at its end.

        Raises:
            Unreachable: the connection ended before the body did.
            TimeoutError: a piece took too long.
        """
        try:
            while self._connection is not None:
                async with asyncio.timeout(self._seconds):
                    chunk = await self._connection.next_chunk()
                if chunk is None:
                    self._release()
                    return
                yield chunk
        finally:
            await self.close()

    async def read(self, most: int) -> bytes:
        """Give the whole body.

        Raises:
            Unreachable: as `chunks`, or the body is longer than `most` bytes.
        """
        parts, size = [], 0
        async for chunk in self.chunks():
            parts.append(chunk)
            size += len(chunk)
            if size > most:
                await self.close()
                raise Unreachable(f"the answer is longer than {most} bytes")
        return b"".join(parts)

    async def close(self) -> None:
        """Give up what has not come yet."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._outgoing.keep(connection)


class Outgoing:
    """Connections to one address; nothing is connected before it is needed.

    Args:
        address: `http://host:port`, with or without a path after the port, or `unix:/path/of/a.sock`; `https://` where
            there is `tls`.
        idle_seconds: how long an unused connection is kept.
        most_idle: how many unused connections are kept.
        tls: what an `https://` address is believed by; the certificate must be for the address's host.

    Raises:
        ValueError: the address is none of these.
    """

    def __init__(
        self, address: str, *, idle_seconds: float = 30.0, most_idle: int = 64, tls: ssl.SSLContext | None = None
    ) -> None:
        self._unix, self._host, self._port, self._prefix = _split(address, "http" if tls is None else "https")
        self._default_port = _PORTS["http" if tls is None else "https"]
        self._tls = tls
        self._idle_seconds = idle_seconds
        self._most_idle = most_idle
        self._idle: deque[_Connection] = deque()

    async def request(
        self,
        method: str,
        target: str = "",
        headers: Iterable[Header] = (),
        content: bytes | None = None,
        *,
        seconds: float | None = 60.0,
        most: int = 16 << 20,
    ) -> Reply:
        """Send a request and give the whole answer.

        Args:
            method: upper case.
            target: path and query, percent-encoded; added to the address's own path.
            headers: further header fields, names in lower case.
            content: the body.
            seconds: the longest time, unless the deadline is sooner; None for the deadline alone.
            most: the longest body of the answer, in bytes.

        Raises:
            Unreachable: there is no whole answer.
            TimeoutError: it took too long.
        """
        limit = deadlines.remaining(seconds)
        async with asyncio.timeout(limit):
            incoming = await self.open(method, target, headers, content, seconds=limit)
            body = await incoming.read(most)
        return Reply(incoming.status, incoming.raw_headers, body)

    async def __call__(self, headers: Sequence[Header], body: bytes, *, timeout: float) -> Reply:  # noqa: ASYNC109 - the interface of events.publisher
        """POST to the address, as `events.publisher` wants it. Raises as `request`."""
        return await self.request("POST", "", headers, body, seconds=timeout)

    async def open(
        self,
        method: str,
        target: str = "",
        headers: Iterable[Header] = (),
        content: bytes | AsyncIterable[bytes] | None = None,
        *,
        seconds: float | None = 60.0,
        chunk_seconds: float | None = None,
    ) -> Incoming:
        """Send a request and give the answer as soon as its head is there.

        Args:
            method: upper case.
            target: path and query, percent-encoded; added to the address's own path.
            headers: further header fields, names in lower case; `content-length` if the length of a stream is known.
            content: the body, or a stream of it.
            seconds: the longest time for the head, unless the deadline is sooner; None for the deadline alone.
            chunk_seconds: the longest time between two pieces of the answer's body.

        Raises:
            Unreachable: there is no answer.
            TimeoutError: it took too long.
        """
        head = self._head(method, target, list(headers), content)
        async with asyncio.timeout(deadlines.remaining(seconds)):
            connection, used = await self._connection()
            try:
                await connection.exchange(method, head, content)
            except Unreachable:
                if not used or method not in _SAFE or connection.answered:
                    raise
                connection = await self._connect()
                await connection.exchange(method, head, content)
        return Incoming(connection, self, chunk_seconds)

    def _head(
        self, method: str, target: str, headers: list[Header], content: bytes | AsyncIterable[bytes] | None
    ) -> bytes:
        names = {name for name, _ in headers}
        if b"host" not in names:
            headers.insert(0, (b"host", self._authority().encode("idna")))
        if isinstance(content, bytes):
            headers.append((b"content-length", str(len(content)).encode("ascii")))
        elif content is not None and b"content-length" not in names:
            headers.append((b"transfer-encoding", b"chunked"))
        headers += [one for one in _context() if one[0] not in names]
        path = (self._prefix + target) or "/"
        lines = [f"{method} {path} HTTP/1.1".encode("latin-1"), *(b"%b: %b" % field for field in headers)]
        if any(b"\r" in line or b"\n" in line for line in lines) or " " in path:
            raise ValueError("the request's target or a header holds a blank or a line break")
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _authority(self) -> str:
        """Give the host, and the port where it is not the scheme's own (RFC 9110 section 4.2.3)."""
        if self._unix:
            return "function"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return host if self._port == self._default_port else f"{host}:{self._port}"

    async def _connection(self) -> tuple[_Connection, bool]:
        """Give a connection, and whether it was used before."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and now - connection.idle_since < self._idle_seconds:
                return connection, True
            connection.abort()
        return await self._connect(), False

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                if self._unix:
                    _, connection = await loop.create_unix_connection(_Connection, self._unix)
                else:
                    _, connection = await loop.create_connection(_Connection, self._host, self._port, ssl=self._tls)
        except OSError as error:
            raise Unreachable(f"no connection: {type(error).__name__}") from error
        return connection

    def keep(self, connection: _Connection) -> None:
        """Keep a connection for the next request, if it can be used again."""
        if connection.reusable and len(self._idle) < self._most_idle:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.abort()

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().abort()


class _Connection(asyncio.Protocol):
    """One connection; one exchange at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._head_bytes = 0
        self._paused = False
        self._lost = False
        self._method = ""
        self._sent = True
        self._whole = True
        self._until_close = False
        self._keep_alive = True
        self.status = 0
        self.headers: list[Header] = []
        self.answered = False
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether the other side has not closed it."""
        return not self._lost and self._transport is not None and not self._transport.is_closing()

    @property
    def reusable(self) -> bool:
        """Whether the next request may go over it."""
        return self.usable and self._whole and self._sent and self._keep_alive and self._method != "HEAD"

    async def exchange(self, method: str, head: bytes, content: bytes | AsyncIterable[bytes] | None) -> None:
        """Send a request and wait for the head of the answer.

        Raises:
            Unreachable: there is none.
        """
        self._method = method
        self._sent = self._whole = self._until_close = self.answered = False
        self._keep_alive = True
        self.status = self._head_bytes = 0
        self.headers = []
        try:
            if content is None or isinstance(content, bytes):
                self._write(head + (content or b""))
                self._sent = True
                await self._head_came()
            else:
                await self._upload(head, content)
        except BaseException:
            self.abort()
            raise

    async def _upload(self, head: bytes, content: AsyncIterable[bytes]) -> None:
        """Send a body in pieces, until the answer is there: a refusal may come before the end."""
        self._write(head)
        sending = self._loop.create_task(self._send_pieces(content, chunked=b"\r\ntransfer-encoding: chunked" in head))
        coming = self._loop.create_task(self._head_came())
        try:
            await asyncio.wait({sending, coming}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not coming.done():
                sending.result()
            await coming
        finally:
            for task in (sending, coming):
                task.cancel()
            await asyncio.gather(sending, coming, return_exceptions=True)

    async def _send_pieces(self, content: AsyncIterable[bytes], *, chunked: bool) -> None:
        async for piece in content:
            if piece:
                self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if self._writable is not None:
                await self._writable
        if chunked:
            self._write(b"0\r\n\r\n")
        self._sent = True

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._lost:
            raise Unreachable(_BROKEN)
        self._transport.write(data)

    async def _head_came(self) -> None:
        while not self.answered:
            await self._wait()

    async def next_chunk(self) -> bytes | None:
        """Give the next piece of the body, None at its end.

        Raises:
            Unreachable: the connection ended before the body did.
        """
        while not self._chunks:
            if self._whole:
                return None
            await self._wait()
        chunk = b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return chunk

    async def _wait(self) -> None:
        if self._lost:
            raise Unreachable(_BROKEN)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def abort(self) -> None:
        """Close at once."""
        self._lost = True
        if self._transport is not None:
            self._transport.abort()

    # asyncio's callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """End; the end of the connection is the end of a body without a length."""
        if exc is None and self._until_close:
            self._whole = True
        self._lost = True
        self._keep_alive = False
        self._transport = None  # asyncio's own cannot be aborted once it is closed
        self.resume_writing()
        self._wake()

    def data_received(self, data: bytes) -> None:
        """Parse what came; anything that is no answer ends the connection."""
        if not self.answered:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.abort()
        if not self.answered and self._head_bytes > _LONGEST_HEAD_BYTES:
            self.abort()
        self._wake()

    def pause_writing(self) -> None:
        """Hold back the upload."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let the upload go on."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # httptools' callbacks.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; trailers are dropped."""
        if not self.answered:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Note that the head is there, unless it is an interim one (RFC 9110 section 15.2)."""
        status = self._parser.get_status_code()
        if status < _FIRST_FINAL_STATUS:
            self.headers = []
            return
        self.status = status
        self.answered = True
        self._keep_alive = self._parser.should_keep_alive()
        names = {name for name, _ in self.headers}
        self._until_close = b"content-length" not in names and b"transfer-encoding" not in names
        if self._method == "HEAD" or status in _BODILESS:
            self._whole = True

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; hold the other side back when enough is here."""
        self._chunks.append(body)
        self._buffered += len(body)
        if self._buffered > _HIGH_WATER_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """Note that the answer is whole."""
        if self.answered:
            self._whole = True


def _context() -> list[Header]:
    """Give the headers that tell the other side where we are in the trace, and how much time is left."""
    fields: list[Header] = []
    here = trace()
    if here is not None:
        fields.append((b"traceparent", here.header().encode("ascii")))
        if here.state:
            fields.append((b"tracestate", here.state.encode("latin-1", "ignore")))
    left = deadlines.remaining()
    if left is not None:
        fields.append((b"hal9-timeout", f"{left:.3f}".encode("ascii")))
    return fields


def _split(address: str, wanted: str) -> tuple[str, str, int, str]:
    """Give (path of the Unix socket, host, port, path before the target).

    Raises:
        ValueError: it is neither of the wanted scheme nor unix:.
    """
    if address.startswith("unix:"):
        return address.removeprefix("unix:").removeprefix("//"), "", 0, ""
    scheme, separator, rest = address.partition("://")
    if scheme != wanted or not separator or not rest:
        raise ValueError(f"{address!r} is no address: use {wanted}://host:port or unix:/path")
    authority, slash, path = rest.partition("/")
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, port = authority, str(_PORTS[wanted])
    return "", host.strip("[]"), int(port), (slash + path).rstrip("/")
