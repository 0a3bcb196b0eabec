"""A connection: bytes to requests (HTTP/1.1, RFC 9112) and back, with every limit that a client could try.

It is our own protocol on httptools (llhttp) and uvloop because uvicorn has no limits on headers or slow clients with
httptools, and its package imports click; see docs/decisions/0002-host.md.

Promises: what is kept in memory for a connection is bounded by the header limit, 64 KiB of body that was read ahead
and one read of the socket, what the functions read beyond that by the instance's budget; a request that breaks a limit
or the rules of `knative.framing` gets a problem document, then the connection is closed in a way that lets the client
read it. Does not: HTTP/2, TLS, WebSocket, trailers (they are dropped).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

import httptools

from knative.framing import Framing, HeaderLimits, field_bytes, framing_left, framing_of, malformed, origin_form
from knative.host.exchange import HIGH_WATER_BYTES, Exchange, body_too_large
from shared.problems import Problem

if TYPE_CHECKING:
    from knative.host.server import Server
    from knative.host.settings import HostSettings

_LINGER_SECONDS: Final = 3.0
_LONGEST_PIPELINE: Final = 100
_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
_NOTED: Final = frozenset(
    {
        *(b"host", b"content-length", b"content-type", b"transfer-encoding", b"connection", b"expect"),
        *(b"traceparent", b"tracestate", b"hal9-timeout"),
    }
)


class Connection(asyncio.Protocol):
    """One connection of a client.

    Args:
        server: what it belongs to.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.loop = server.loop
        self.settings: HostSettings = server.settings
        self._limits: HeaderLimits = server.header_limits
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._current: Exchange | None = None  # the one that is being answered
        self._reading: Exchange | None = None  # the one whose body is coming
        self._waiting: deque[Exchange] = deque()
        self._refusal: Problem | None = None
        self._paused = False
        self._blocked: asyncio.Future[None] | None = None
        self._lingering = False
        self._since = self.loop.time()  # when the present phase began: idle, header, linger
        self._blocked_since = 0.0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._in_header = False
        self._overhead = 0
        self._noted: list[tuple[bytes, bytes]] = []
        self._upgrade = False
        self._client: tuple[str, int] | None = None
        self._address: tuple[str, int] | None = None

    # asyncio's callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many already."""
        self._transport = transport  # type: ignore[assignment]
        self._client = _address(transport.get_extra_info("peername"))
        self._address = _address(transport.get_extra_info("sockname"))
        if not self.server.joined(self):
            self._refusal = _overloaded("There are too many connections: try again in a moment.")
            self._refuse()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell what runs that the client is gone; forget what has not begun."""
        del exc
        self._transport = None
        self.server.left(self)
        if self._blocked is not None and not self._blocked.done():
            self._blocked.set_result(None)
        self._waiting.clear()
        for exchange in {self._current, self._reading} - {None}:
            exchange.leave()  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._lingering or self._upgrade:
            return
        if not self._in_header and self._reading is None:
            self._in_header = True
            self._since = self.loop.time()
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._upgrade = True
        except httptools.HttpParserError as error:
            self._refusal = self._refusal or malformed(error, data)
        if self._refusal is None and self._overhead > self._limits.bytes:
            self._refusal = self._limits.too_large()
        if self._refusal is not None:
            self._refuse()

    def eof_received(self) -> bool:
        """Keep the way back open: a client may close its side when it has sent all."""
        if self._lingering or self._reading is not None or self._current is None or self._current.cancellable:
            return False
        for exchange in (self._current, *self._waiting):
            if exchange is not None:
                exchange.keep_alive = False
        return True

    def pause_writing(self) -> None:
        """Hold back whoever sends: the client does not take it."""
        self._blocked = self.loop.create_future()
        self._blocked_since = self.loop.time()

    def resume_writing(self) -> None:
        """Let whoever sends go on."""
        if self._blocked is not None and not self._blocked.done():
            self._blocked.set_result(None)
        self._blocked = None

    # httptools' callbacks.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url = b""
        self._headers = []
        self._in_header = True
        self._noted = []

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self._url += url
        if len(self._url) > self._limits.target_bytes:
            self._refusal = self._refusal or self._limits.target_too_long()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; trailers go into a list that nobody reads."""
        name = name.lower()
        self._headers.append((name, value))
        if name in _NOTED:
            self._noted.append((name, value))

    def on_headers_complete(self) -> None:
        """Make the exchange, or say why not."""
        self._in_header = False
        headers, self._headers = self._headers, []
        if self._refusal is not None:
            return
        try:
            exchange = self._exchange(self._parser.get_http_version(), headers)
        except Problem as problem:
            self._refusal = problem
            return
        self._overhead = 0
        self._reading = exchange
        if exchange.expects_continue and self._current is None:
            exchange.say_continue()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; hold the client back when enough was read ahead."""
        exchange = self._reading
        if exchange is None or self._refusal is not None:
            return
        # What frames chunks (sizes, extensions) and trailers count as header, but for a due to each byte of content.
        self._overhead = framing_left(self._overhead, len(body))
        exchange.feed(body)
        if exchange.buffered >= HIGH_WATER_BYTES or exchange.too_large:
            self._pause()
            self._begin(exchange)

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        exchange = self._reading
        if exchange is None or self._refusal is not None:
            return
        self._reading = None
        self._overhead = 0
        self._since = self.loop.time()
        exchange.finish()
        self._begin(exchange)

    # What an exchange asks for.

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._transport is not None:
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the client takes more."""
        if self._blocked is not None:
            await self._blocked

    def resume(self) -> None:
        """Read on."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def done(self, exchange: Exchange) -> None:
        """Go on with the next request, or close: the exchange is over."""
        if exchange is not self._current:
            return
        self._current = None
        self._since = self.loop.time()
        if self._transport is None:
            return
        if not exchange.ended:
            self._transport.abort()  # the answer broke off: the client must not take it for a whole one
        elif not exchange.complete:
            self._linger()
        elif not exchange.keep_alive or self.server.draining:
            self._transport.close()
        elif self._waiting:
            self._start(self._waiting.popleft())
        elif self._refusal is not None:
            self._refuse()
        else:
            self.resume()

    # What the server asks for.

    def close_if_idle(self) -> None:
        """Close unless something is under way."""
        if self._current is None and self._reading is None and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def tick(self, now: float) -> None:
        """Look whether the client is too slow. Called about once a second."""
        if self._transport is None:
            return
        limits = self.settings
        waited = now - self._since
        if self._lingering:
            if waited > _LINGER_SECONDS:
                self._transport.abort()
        elif self._blocked is not None:
            if now - self._blocked_since > limits.write_seconds:
                self._transport.abort()
        elif self._current is None:
            self._check_arrival(now, waited)

    def _check_arrival(self, now: float, waited: float) -> None:
        """Look whether the request that is coming, or the next one, takes too long."""
        limits = self.settings
        if self._reading is not None:
            if now - self._reading.arrived > limits.body_seconds:
                self._refusal = Problem("request-timeout", 408, "The body came too slowly: send it whole, and at once.")
        elif self._in_header:
            if waited > limits.header_seconds:
                self._refusal = Problem("request-timeout", 408, "The header came too slowly: send it whole.")
        elif waited > limits.idle_seconds and self._transport is not None:
            self._transport.close()
        self._refuse()

    # Within.

    def _begin(self, exchange: Exchange) -> None:
        """Answer the exchange when it is its turn. It may have begun already, when its body is long."""
        if exchange is self._current or exchange in self._waiting:
            return
        if self._current is None:
            self._start(exchange)
            return
        self._waiting.append(exchange)
        self._pause()
        if len(self._waiting) > _LONGEST_PIPELINE:
            self._refusal = Problem("bad-request", 400, "Send fewer requests before you read the answers.")

    def _start(self, exchange: Exchange) -> None:
        self._current = exchange
        exchange.task = self.loop.create_task(self.server.application.answer(exchange))

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _exchange(self, version: str, headers: list[tuple[bytes, bytes]]) -> Exchange:
        """Make the exchange of a request whose header is whole.

        Raises:
            Problem: It breaks a rule or a limit.
        """
        if len(headers) > self._limits.count or self._too_long(headers):
            raise self._limits.too_large()
        upgrades = self._parser.should_upgrade()
        framing = framing_of(version, self._noted, self._parser.get_method if upgrades else None)
        try:
            scope = self._scope(version, headers)
        except ValueError as error:
            raise Problem("bad-request", detail=str(error)) from None
        exchange = Exchange(self, scope, self.loop.time(), self._body_limit(scope, framing))
        find = framing.fields.get
        connection = find(b"connection", b"").lower()
        exchange.length = None if framing.chunked else framing.length or 0
        exchange.keep_alive = (
            not upgrades
            and (not connection or b"close" not in connection)
            and (version == "1.1" or b"keep-alive" in connection)
        )
        exchange.traceparent, exchange.tracestate = find(b"traceparent", b""), find(b"tracestate", b"")
        exchange.timeout = find(b"hal9-timeout", b"")
        exchange.expects_continue = framing.waits
        return exchange

    def _body_limit(self, scope: dict[str, Any], framing: Framing) -> int:
        """Give the longest body that the request may have.

        Raises:
            Problem: 413, it says that it has a longer one.
        """
        limits, length = self.server.limits, framing.length or 0
        limit = limits.least
        if length > limit or framing.chunked:
            limit = limits.of(scope["method"], scope["path"])
        if length > limit:
            raise body_too_large(limit)
        return limit

    def _too_long(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether the header is too long. It is counted only when so much came that it could be."""
        most = self._limits.bytes
        return self._overhead > most and (
            len(self._url) + sum(field_bytes(name, value) for name, value in headers) > most
        )

    def _scope(self, version: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
        """Give the ASGI scope.

        Raises:
            ValueError: the request target is not one of a path; says why.
        """
        target, authority = origin_form(self._url)
        if authority:
            headers = [(name, authority if name == b"host" else value) for name, value in headers]
        raw_path, _, query = target.partition(b"?")
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": self._parser.get_method().decode("ascii"),
            "scheme": "http",
            "path": _path(raw_path),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": self._client,
            "server": self._address,
        }

    def _refuse(self) -> None:
        """Send the refusal when it is its turn, and read no more."""
        problem = self._refusal
        if problem is None or self._lingering or self._transport is None:
            return
        if self._current is not None:
            self._pause()
            if self._reading is self._current:
                self._refusal = None
                self._current.fail(problem)
            return
        self._refusal = None
        self.server.refused(problem)
        exchange = Exchange(self, {"method": self._method(), "http_version": "1.1"}, self.loop.time())
        exchange.keep_alive = False
        exchange.refuse(problem)
        self._linger()

    def _method(self) -> str:
        """Give the method as far as it is known: an answer to HEAD has no body."""
        return self._parser.get_method().decode("ascii") if self._url else "GET"

    def _linger(self) -> None:
        """Close so that the client can read the answer: a close with unread data in the socket would reset it."""
        transport = self._transport
        if transport is None:
            return
        self._lingering = True
        self._reading = None
        self._since = self.loop.time()
        if transport.can_write_eof():
            transport.write_eof()
        self.resume()


def _path(raw: bytes) -> str:
    """Decode a path.

    Raises:
        ValueError: it is not ASCII, or not UTF-8 when percent-decoded, or holds U+0000.
    """
    if not raw.isascii():
        raise ValueError("The path is not percent-encoded.")
    if 0x25 not in raw:  # a percent sign; as bytes it would be looked for in ten times the time
        return raw.decode("ascii")
    try:
        path = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("The path is not UTF-8.") from None
    if "\0" in path:
        raise ValueError("The path holds U+0000.")
    return path


def _address(name: Any) -> tuple[str, int] | None:
    """Give host and port; None for Unix sockets."""
    return (name[0], name[1]) if isinstance(name, tuple) else None


def _overloaded(detail: str) -> Problem:
    return Problem("overloaded", 503, detail, headers={"Retry-After": "1"})
