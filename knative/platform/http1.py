"""A small HTTP/1.1 server on asyncio and httptools, made for passing on: bodies stream, nothing is kept whole.

Why not uvicorn: the activator must hold a request *before* its body is read, stream in both directions with
back-pressure, and stand in the open against hostile peers. An ASGI server puts two queues and a task switch between
the bytes and us; here one task serves one request, and the parser is the same llhttp.

Promises: memory for a connection is bounded (`Limits`): header fields are counted and measured, bodies stop being
read when nobody takes them, a peer that is slow to send or to read is cut off; one message means one thing, by the
rules of `knative.framing`; trailers are dropped, and measured like header fields, as is what frames chunks beyond a due
to each byte of content; a refusal reaches the peer even while it is still sending. Does not: TLS, HTTP/2, WebSocket,
files.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import httptools

from knative.framing import DEFAULT_LIMITS, HeaderLimits, field_bytes, framing_left, framing_of, malformed, origin_form
from shared.problems import Problem

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

log = logging.getLogger("hal9.http")

Headers = list[tuple[bytes, bytes]]
"""Header fields in their order; names in lower case."""

CHUNK_HIGH: Final = 128 * 1024
"""Bytes of a body that wait to be taken before the connection stops being read."""

WRITE_HIGH: Final = 128 * 1024
"""Bytes that wait to be sent before a writer has to wait."""

LINGER_SECONDS: Final = 5.0
"""How long a refused peer may go on sending, unheard, so that it can read the refusal (RFC 9112, section 9.6)."""

_REASONS: Final = {status.value: status.phrase.encode() for status in http.HTTPStatus}
_NO_BODY: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may take.

    Attributes:
        header: how large its head may be.
        header_seconds: from a message's first byte to the end of its fields.
        idle_seconds: of a kept connection between two requests.
        body_grace_seconds: before a body's mean rate is looked at.
        body_bytes_per_second: the least mean rate of a body while somebody waits for it.
        stall_seconds: that a peer may leave what we send unread.
        connections: at once.
    """

    header: HeaderLimits = DEFAULT_LIMITS
    header_seconds: float = 15.0
    idle_seconds: float = 95.0
    body_grace_seconds: float = 15.0
    body_bytes_per_second: float = 512.0
    stall_seconds: float = 60.0
    connections: int = 1024


class Disconnected(Exception):  # noqa: N818 - says what happened
    """The peer went away before the message was whole."""


class Request:
    """One request; its body is read piece by piece.

    Attributes:
        method: In capitals.
        target: In origin-form.
        headers: In order, names in lower case.
        length: Content-Length, None when there is none.
        chunked: The body comes in chunks.
        keep_alive: The peer would like to send another request.
        http10: The peer speaks HTTP/1.0, which has no chunks.
    """

    __slots__ = (
        "_buffered",
        "_chunks",
        "_connection",
        "_failure",
        "_received",
        "_waiter",
        "_waiting_since",
        "_wants_continue",
        "chunked",
        "complete",
        "headers",
        "http10",
        "keep_alive",
        "length",
        "method",
        "target",
    )  # fmt: skip

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._received = 0
        self._waiter: asyncio.Future[None] | None = None
        self._waiting_since: float | None = None
        self._failure: Exception | None = None
        self._wants_continue = False
        self.complete = False
        self.method = b""
        self.target = b""
        self.headers: Headers = []
        self.length: int | None = None
        self.chunked = False
        self.keep_alive = False
        self.http10 = False

    @property
    def peer(self) -> str:
        """The address that it came from; empty on a Unix socket."""
        return self._connection.peer

    @property
    def has_body(self) -> bool:
        """Whether bytes follow the header fields."""
        return self.chunked or bool(self.length)

    def header(self, name: bytes) -> bytes | None:
        """Give the first field of that lower-case name."""
        return next((value for key, value in self.headers if key == name), None)

    async def read(self) -> bytes:
        """Give the next piece of the body; empty at its end.

        Raises:
            Disconnected: The peer went away.
            Problem: The body is malformed (400) or came too slowly (408).
        """
        while not self._chunks:
            if self._failure is not None:
                raise self._failure
            if self.complete:
                return b""
            await self._more()
        chunk = self._chunks.popleft()
        self._buffered -= len(chunk)
        self._connection.balance()
        return chunk

    async def body(self, limit: int) -> bytes:
        """Give the whole body.

        Raises:
            Problem: More than `limit` bytes (413), and as for `read`.
        """
        pieces = bytearray()
        while piece := await self.read():
            pieces += piece
            if len(pieces) > limit:
                raise Problem("body-too-large", detail=f"The body may have at most {limit} bytes.")
        return bytes(pieces)

    def take_head(self, version: str, upgrades: bool) -> None:
        """Check the whole head, note how the body is framed, and give functions the path of the target.

        Raises:
            Problem: It breaks a rule.
        """
        framing = framing_of(version, self.headers, (lambda: self.method) if upgrades else None)
        self.length, self.chunked = framing.length, framing.chunked
        self._wants_continue = framing.waits and framing.has_body
        try:
            self.target, authority = origin_form(self.target)
        except ValueError as error:
            raise Problem("bad-request", detail=str(error)) from None
        if authority:
            self.headers = [(name, authority if name == b"host" else value) for name, value in self.headers]

    async def _more(self) -> None:
        loop = asyncio.get_running_loop()
        if self._wants_continue:
            self._wants_continue = False
            self._connection.send_continue()
        self._waiter = loop.create_future()
        if self._waiting_since is None:
            self._waiting_since = loop.time()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def feed(self, chunk: bytes) -> None:
        """Take a piece that the parser found."""
        self._chunks.append(chunk)
        self._buffered += len(chunk)
        self._received += len(chunk)
        self._wake()

    def end(self, failure: Exception | None = None) -> None:
        """Take the body's end, or what ended it."""
        self.complete = failure is None
        self._failure = failure
        self._wake()

    def too_slow(self, now: float, limits: Limits) -> bool:
        """Tell whether the body comes below the least rate, counted from when somebody first waited for it."""
        if self.complete or self._waiter is None or self._waiting_since is None:
            return False
        waited = now - self._waiting_since - limits.body_grace_seconds
        return waited > 0 and self._received < waited * limits.body_bytes_per_second

    @property
    def crowded(self) -> bool:
        """Whether enough of the body waits to be taken."""
        return self._buffered >= CHUNK_HIGH

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Response:
    """The answer to one request, written piece by piece."""

    __slots__ = ("_chunked", "_connection", "_request", "bodiless", "finished", "started")

    def __init__(self, connection: ServerConnection, request: Request) -> None:
        self._connection = connection
        self._request = request
        self._chunked = False
        self.started = False
        self.finished = False
        self.bodiless = False

    def start(self, status: int, headers: Headers, length: int | None, reason: bytes | None = None) -> None:
        """Send the head.

        Args:
            status: 200 to 599.
            headers: Without framing and hop-by-hop fields, which are added here.
            length: Bytes of the body; None when it is not known.
            reason: The reason phrase; the status's usual one when None.
        """
        request = self._request
        self.started = True
        self.bodiless = request.method == b"HEAD" or status in _NO_BODY
        lines = [b"HTTP/1.1 %d %s\r\n" % (status, _REASONS.get(status, b"") if reason is None else reason)]
        lines += [b"%s: %s\r\n" % field for field in headers]
        if length is not None and status not in _NO_BODY:
            lines.append(b"content-length: %d\r\n" % length)
        elif not self.bodiless:
            self._frame_unknown_length(lines)
        if not request.complete:
            request.keep_alive = False
        if not request.keep_alive:
            lines.append(b"connection: close\r\n")
        elif request.http10:
            lines.append(b"connection: keep-alive\r\n")
        lines.append(b"\r\n")
        self._connection.write(b"".join(lines))

    def _frame_unknown_length(self, lines: list[bytes]) -> None:
        if self._request.http10:
            self._request.keep_alive = False
        else:
            self._chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")

    def write(self, piece: bytes) -> None:
        """Send a piece of the body."""
        if self.bodiless or not piece:
            return
        self._connection.write(b"%x\r\n%s\r\n" % (len(piece), piece) if self._chunked else piece)

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was written."""
        await self._connection.drain()

    def finish(self) -> None:
        """Say that the body is whole."""
        if self._chunked:
            self._connection.write(b"0\r\n\r\n")
        self.finished = True

    def send(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        self.start(status, headers, len(body))
        self.write(body)
        self.finish()

    def refuse(self, problem: Problem) -> None:
        """Answer with a problem document (RFC 9457)."""
        fields = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
        fields += [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
        self.send(problem.status, fields, problem.encode())


class ServerConnection(asyncio.Protocol):
    """One peer. Requests sent ahead (pipelining) wait in their order, and the connection is not read meanwhile."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._limits = server.limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._incoming: Request | None = None
        self._ahead: deque[Request] = deque()
        self._active: Request | None = None
        self._response: Response | None = None
        self._task: asyncio.Task[None] | None = None
        self._head_since: float | None = None
        self._head_bytes = 0  # as they came, of a head that is not whole yet
        self._field_bytes = 0  # the same as its fields, which may come in one piece
        self._framing_bytes = 0
        self._in_head = False
        self._fault: Problem | None = None
        self._reading = True
        self._drain_waiter: asyncio.Future[None] | None = None
        self._stalled_since: float | None = None
        self._idle_since = self._loop.time()
        self._linger_until: float | None = None

    @property
    def peer(self) -> str:
        """The peer's address; empty on a Unix socket, and when it is gone."""
        name = None if self._transport is None else self._transport.get_extra_info("peername")
        return str(name[0]).partition("%")[0] if isinstance(name, tuple) else ""

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, or turn the peer away when there are too many."""
        self._transport = stream = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        stream.set_write_buffer_limits(high=WRITE_HIGH)
        if not self._server.welcome(self):
            self._refuse_outright(Problem("overloaded", headers={"retry-after": "1"}))

    def connection_lost(self, exc: Exception | None) -> None:
        """End what runs for the peer."""
        del exc
        self._server.forget(self)
        self._transport = None
        for request in (self._incoming, self._active):
            if request is not None and not request.complete:
                request.end(Disconnected())
        self._ahead.clear()
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._linger_until is not None or self._transport is None:
            return
        if self._head_since is None and self._incoming is None:
            self._head_since = self._loop.time()
        self._framing_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fault = self._fault or Problem(
                "bad-request", 501, "This server changes to no other protocol: send plain HTTP/1.1."
            )
        except httptools.HttpParserError as error:
            self._fault = self._fault or malformed(error, data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.header.bytes:
                self._fault = self._fault or self._limits.header.too_large()
        elif self._incoming is not None and self._framing_bytes > self._limits.header.bytes:
            # the parser keeps a field until it is whole, and adds to it in time that grows with its length
            self._fault = self._fault or self._limits.header.too_large()
        if self._fault is not None:
            self._malformed(self._fault)
        else:
            self.balance()

    def eof_received(self) -> bool:
        """Take the end of what the peer sends for the end of its interest, as Go's server does."""
        return False

    def pause_writing(self) -> None:
        """Note that the peer is behind."""
        self._drain_waiter = self._loop.create_future()
        self._stalled_since = self._loop.time()

    def resume_writing(self) -> None:
        """Note that the peer caught up."""
        self._stalled_since = None
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)
        self._drain_waiter = None

    # what httptools calls

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._incoming = Request(self)
        self._in_head = True
        self._head_bytes = self._field_bytes = 0
        if self._head_since is None:
            self._head_since = self._loop.time()

    def on_url(self, url: bytes) -> None:
        """Take the target, or a part of it."""
        request = self._current()
        request.target += url
        self._field_bytes += len(url)
        if len(request.target) > self._limits.header.target_bytes:
            self._fault = self._fault or self._limits.header.target_too_long()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field; those after the body are trailers, which are dropped."""
        if not self._in_head or self._fault is not None:
            return
        headers = self._current().headers
        headers.append((name.lower(), value))
        self._field_bytes += field_bytes(name, value)
        if len(headers) > self._limits.header.count or self._field_bytes > self._limits.header.bytes:
            headers.clear()
            self._fault = self._limits.header.too_large()

    def on_headers_complete(self) -> None:
        """Check the head, and serve the request if no other is in front of it."""
        self._in_head = False
        self._head_since = None
        self._head_bytes = 0
        self._framing_bytes = 0
        request = self._current()
        request.method = self._parser.get_method()
        version = self._parser.get_http_version()
        request.http10 = version == "1.0"
        request.keep_alive = self._parser.should_keep_alive()
        if self._fault is not None:
            return
        try:
            request.take_head(version, self._parser.should_upgrade())
        except Problem as problem:
            self._fault = problem
            return
        self._ahead.append(request)
        self._next()

    def on_body(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        self._framing_bytes = framing_left(self._framing_bytes, len(chunk))
        if self._fault is None:
            self._current().feed(chunk)

    def on_message_complete(self) -> None:
        """Take the request's end."""
        if self._fault is None:
            self._current().end()
        self._incoming = None
        self._idle_since = self._loop.time()

    # what requests and responses call

    def write(self, data: bytes) -> None:
        """Send bytes, or nothing when the peer has gone."""
        if self._transport is not None:
            self._transport.write(data)

    def send_continue(self) -> None:
        """Tell a peer that asked (Expect) to send its body."""
        if self._response is not None and not self._response.started:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def drain(self) -> None:
        """Wait until the peer caught up.

        Raises:
            Disconnected: It has gone.
        """
        if self._drain_waiter is not None:
            await asyncio.shield(self._drain_waiter)
        if self._transport is None:
            raise Disconnected

    def balance(self) -> None:
        """Read the connection only while there is room for what it brings."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        incoming = self._incoming
        full = bool(self._ahead) or (incoming is not None and incoming.crowded)
        if full and self._reading:
            self._reading = False
            transport.pause_reading()
        elif not full and not self._reading:
            self._reading = True
            transport.resume_reading()

    # what the server calls

    @property
    def idle(self) -> bool:
        """Whether nothing is served for this peer."""
        return self._active is None

    def look(self, now: float) -> None:
        """Cut off a peer that takes too long over anything; called about once a second."""
        limits = self._limits
        if self._linger_until is not None:
            if now > self._linger_until:
                self.abort()
        elif self._stalled_since is not None and now - self._stalled_since > limits.stall_seconds:
            self.abort()
        elif self._head_since is not None and self._active is None and now - self._head_since > limits.header_seconds:
            self._malformed(Problem("request-timeout"))
        elif self._active is not None:
            if self._active.too_slow(now, limits):
                self._active.end(Problem("request-timeout"))
        elif self._head_since is None and now - self._idle_since > limits.idle_seconds:
            self.close()

    def close(self) -> None:
        """Close when everything is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def retire(self) -> None:
        """Close as soon as what is served has been answered."""
        if self._active is None:
            self.close()
        else:
            self._active.keep_alive = False

    # within

    def _current(self) -> Request:
        assert self._incoming is not None  # noqa: S101 - the parser calls on_message_begin first
        return self._incoming

    def _next(self) -> None:
        if self._active is not None or not self._ahead:
            return
        self._active = self._ahead.popleft()
        self._response = Response(self, self._active)
        self._task = self._loop.create_task(self._serve(self._active, self._response))

    async def _serve(self, request: Request, response: Response) -> None:
        try:
            await self._answer(request, response)
        except asyncio.CancelledError:
            if self._transport is not None:
                self.abort()
            return
        self._active = self._response = self._task = None
        self._idle_since = self._loop.time()
        if not response.finished:
            self.abort()
        elif not request.keep_alive:
            self._linger(request)
        else:
            self._next()
            self.balance()

    async def _answer(self, request: Request, response: Response) -> None:
        try:
            await self._server.handler(request, response)
        except Problem as problem:
            if not response.started:
                response.refuse(problem)
        except (Disconnected, ConnectionError):
            self.abort()
        except Exception:
            log.exception("a request could not be served")
            if not response.started:
                response.refuse(Problem("internal"))

    def _malformed(self, problem: Problem) -> None:
        active = self._active
        if active is None:
            self._refuse_outright(problem)
            return
        active.keep_alive = False
        self._ahead.clear()
        if self._incoming is active:
            active.end(problem)
        # what follows a request that is being served is not answered: the connection ends with that answer
        self._linger_until = self._loop.time() + LINGER_SECONDS + self._limits.stall_seconds

    def _refuse_outright(self, problem: Problem) -> None:
        request = Request(self)
        Response(self, request).refuse(problem)
        self._linger(request)

    def _linger(self, request: Request) -> None:
        transport = self._transport
        if transport is None:
            return
        if request.complete:
            transport.close()
            return
        self._linger_until = self._loop.time() + LINGER_SECONDS
        with contextlib.suppress(OSError, RuntimeError):
            transport.write_eof()
        if not self._reading:
            self._reading = True
            transport.resume_reading()


class Server:
    """Serves a handler on a socket.

    Args:
        handler: Answers one request; a `Problem` that it raises becomes the answer.
        limits: What one peer may take.
    """

    def __init__(self, handler: Callable[[Request, Response], Awaitable[None]], limits: Limits | None = None) -> None:
        self.handler = handler
        self.limits = limits or Limits()
        self._connections: set[ServerConnection] = set()
        self._listeners: list[asyncio.Server] = []
        self._watch: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """How many peers are connected."""
        return len(self._connections)

    async def listen_tcp(self, host: str, port: int) -> int:
        """Listen on TCP; give the port (a free one when `port` is 0).

        Raises:
            OSError: The port is in use or not allowed.
        """
        listener = await asyncio.get_running_loop().create_server(
            lambda: ServerConnection(self), host, port, backlog=512
        )
        self._add(listener)
        chosen: int = listener.sockets[0].getsockname()[1]
        return chosen

    async def listen_on(self, bound: socket.socket) -> None:
        """Listen on a socket that is bound already."""
        self._add(
            await asyncio.get_running_loop().create_server(lambda: ServerConnection(self), sock=bound, backlog=512)
        )

    async def listen_unix(self, path: Path) -> None:
        """Listen on a Unix socket, replacing one that was left."""
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - before anything is served
        self._add(
            await asyncio.get_running_loop().create_unix_server(lambda: ServerConnection(self), str(path), backlog=512)
        )
        path.chmod(0o600)  # noqa: ASYNC240

    def _add(self, listener: asyncio.Server) -> None:
        self._listeners.append(listener)
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1.0)
            now = loop.time()
            for connection in list(self._connections):
                connection.look(now)

    def welcome(self, connection: ServerConnection) -> bool:
        """Count a peer in; False when there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= self.limits.connections

    def forget(self, connection: ServerConnection) -> None:
        """Count a peer out."""
        self._connections.discard(connection)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Take no new peer, let what runs be answered for so long, then cut it off."""
        for listener in self._listeners:
            listener.close()
        for connection in list(self._connections):
            connection.retire()
        deadline = asyncio.get_running_loop().time() + grace_seconds
        while self._connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - polled while ending
            await asyncio.sleep(0.02)
        for connection in list(self._connections):
            connection.abort()
        if self._watch is not None:
            self._watch.cancel()


def fields(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Give header fields from text, with names in lower case."""
    return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in pairs]
