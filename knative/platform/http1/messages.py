"""Requests and responses, whose bodies stream: what a handler is given."""

from __future__ import annotations

import asyncio
import http
from collections import deque
from typing import TYPE_CHECKING, Final

from knative.framing import framing_of, origin_form
from knative.platform.http1.limits import CHUNK_HIGH
from shared.problems import Problem

if TYPE_CHECKING:
    from knative.platform.http1.connection import ServerConnection
    from knative.platform.http1.limits import Limits

Headers = list[tuple[bytes, bytes]]
"""Header fields in their order; names in lower case."""

_REASONS: Final = {status.value: status.phrase.encode() for status in http.HTTPStatus}
_NO_BODY: Final = frozenset({204, 304})


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
