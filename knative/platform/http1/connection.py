"""One peer's connection: parses what comes, serves one request after the other, and cuts off who takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from knative.framing import field_bytes, framing_left, malformed
from knative.platform.http1.limits import LINGER_SECONDS, WRITE_HIGH
from knative.platform.http1.messages import Disconnected, Request, Response
from shared.problems import Problem

if TYPE_CHECKING:
    from knative.platform.http1.server import Server

log = logging.getLogger("hal9.http")


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
