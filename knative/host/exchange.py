"""One request and its answer on a connection, with the two ASGI callables that Starlette wants."""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect

from shared.problems import MEDIA_TYPE, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

    from knative.host.connection import Connection
    from shared.tokens import Claims

HIGH_WATER_BYTES: Final = 65536
"""Request bodies are read ahead this far, then the client waits."""

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus
}
_BODILESS: Final = frozenset({204, 304})
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_ORGANISATION_PART: Final = 1.0
_PRINCIPAL_PART: Final = 0.5
_ADDRESS_PART: Final = 0.5
_NOBODY: Final[Mapping[str, float]] = MappingProxyType({})


def body_too_large(limit: int) -> Problem:
    """Give the problem of a body beyond the limit."""
    return Problem("body-too-large", 413, f"Send at most {limit} bytes.", limit=limit)


def shares_of(scope: Mapping[str, Any]) -> Mapping[str, float]:
    """Give who holds a request's body, as `BodyBudget.take` wants it.

    It is the organisation and, with less, whoever asks for it; before anybody is known, the address that the request
    comes from. On a Unix socket that is what the activator says of it, as nobody else can connect there; behind other
    proxies whoever is not known yet shares one address. What the broker brings is the platform's own.
    """
    claims: Claims | None = scope.get("hal9.claims")
    if claims is not None and claims.org_id is None:
        return _NOBODY
    if claims is not None:
        return {
            f"organisation {claims.org_id}": _ORGANISATION_PART,
            f"principal {claims.org_id} {claims.subject}": _PRINCIPAL_PART,
        }
    if scope["client"] is not None:
        return {f"address {scope['client'][0]}": _ADDRESS_PART}
    last = next((value for name, value in reversed(scope["headers"]) if name == b"x-forwarded-for"), b"")
    return {f"address {last.rpartition(b',')[2].strip().decode('latin-1')}": _ADDRESS_PART}


class Exchange:
    """One request and its answer.

    Attributes:
        scope: the ASGI scope.
        arrived: when its header was whole, seconds on the loop's clock.
        complete: the whole body has come.
        disconnected: the client is gone.
        head_sent: the answer has begun.
        ended: the answer is whole.
        deadline: when its task is cancelled, seconds on the loop's clock.
        expired: it was cancelled because of that.
        fault: what is wrong with the body, found while it came.
        status: of the answer; 0 before.
        timeout: the header hal9-timeout, as it came; likewise traceparent and tracestate.
        length: of the body as its header says it; None when it comes in chunks.
        limit: the longest body that it may have, in bytes.
        cancellable: it waits for a slot or streams, so that its task can be cancelled when the client leaves.
    """

    __slots__ = (
        "_chunked",
        "_chunks",
        "_connection",
        "_left",
        "_reserved",
        "_seen",
        "_shares",
        "_waiter",
        "arrived",
        "buffered",
        "cancellable",
        "complete",
        "deadline",
        "disconnected",
        "ended",
        "expects_continue",
        "expired",
        "fault",
        "head_sent",
        "keep_alive",
        "length",
        "limit",
        "scope",
        "status",
        "task",
        "timeout",
        "traceparent",
        "tracestate",
    )

    def __init__(self, connection: Connection, scope: dict[str, Any], arrived: float, limit: int = 0) -> None:
        self._connection = connection
        self._reserved = 0
        self._shares = _NOBODY
        self._chunks: list[bytes] = []
        self._seen = 0
        self._waiter: asyncio.Future[None] | None = None
        self._chunked = False
        self._left: int | None = None
        self.scope = scope
        self.arrived = arrived
        self.buffered = 0
        self.complete = False
        self.deadline = math.inf
        self.disconnected = False
        self.ended = False
        self.expects_continue = False
        self.expired = False
        self.fault: Problem | None = None
        self.head_sent = False
        self.keep_alive = True
        self.length: int | None = 0
        self.limit = limit
        self.status = 0
        self.cancellable = False
        self.task: asyncio.Task[None] | None = None
        self.timeout = self.traceparent = self.tracestate = b""

    # What the connection tells.

    def feed(self, chunk: bytes) -> None:
        """Take a piece of the body. Pieces beyond the limit are dropped: `receive` says so."""
        self._seen += len(chunk)
        if self._seen <= self.limit:
            self._chunks.append(chunk)
            self.buffered += len(chunk)
        self.wake()

    def finish(self) -> None:
        """Note that the body is whole."""
        self.complete = True
        self.wake()

    def fail(self, fault: Problem) -> None:
        """Note that the body is wrong: whoever reads it is told."""
        self.fault = fault
        self.keep_alive = False
        self.wake()

    def leave(self) -> None:
        """Note that the client is gone. What runs goes on, so that no commit is torn, unless it only streams."""
        self.disconnected = True
        self.wake()
        if self.cancellable and self.task is not None:
            self.task.cancel()

    def wake(self) -> None:
        """Let `receive` look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def too_large(self) -> bool:
        """Whether the body is beyond the limit."""
        return self._seen > self.limit

    # What the function asks for.

    async def receive(self) -> MutableMapping[str, Any]:
        """Give the next piece of the body, as ASGI asks.

        Raises:
            Problem: 413 when the body is too large, 408 when it comes too slowly, 400 when its framing is wrong, 503
                when the instance holds too many long ones.
        """
        if not self.complete and not self._reserved:
            self._reserve()
        while not self._chunks and not self.complete and not self.disconnected and not self._wrong():
            await self._wait()
        if self._wrong():
            raise self.fault or body_too_large(self.limit)
        if self._chunks:
            chunk = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks.clear()
            self.buffered = 0
            self._connection.resume()
            return {"type": "http.request", "body": chunk, "more_body": not self.complete}
        if self.disconnected or self.ended:
            return {"type": "http.disconnect"}
        return await self._end_of_body()

    def _reserve(self) -> None:
        """Take room for a body that goes on beyond what was read ahead, when somebody first asks for the rest of it."""
        size = self.limit if self.length is None else self.length
        if size > HIGH_WATER_BYTES:
            self._shares = shares_of(self.scope)
            self._connection.server.budget.take(size, self._shares)
            self._reserved = size

    async def body(self) -> bytes:
        """Give the whole body: what `receive` gives, in one.

        Raises:
            Problem: as `receive`.
            ClientDisconnect: the client left before it was whole.
        """
        parts: list[bytes] = []
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message["body"])
            if not message["more_body"]:
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def body_at_once(self) -> bytes | None:
        """Give the whole body when it is there and nobody took any of it; None else."""
        if not self.complete or self._seen != self.buffered or self._wrong():
            return None
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self.buffered = 0
        self._seen = -1
        return body

    def _wrong(self) -> bool:
        return self.too_large or self.fault is not None

    async def _end_of_body(self) -> MutableMapping[str, Any]:
        """Give the end of the body once; who asks again waits for the client to leave."""
        if self._seen >= 0:
            self._seen = -1
            return {"type": "http.request", "body": b"", "more_body": False}
        while not self.disconnected and not self.ended:
            await self._wait(for_body=False)
        return {"type": "http.disconnect"}

    async def _wait(self, *, for_body: bool = True) -> None:
        self._connection.resume()
        self.say_continue()
        loop = self._connection.loop
        self._waiter = loop.create_future()
        try:
            if not for_body:
                await self._waiter
                return
            async with asyncio.timeout_at(self.arrived + self._connection.settings.body_seconds):
                await self._waiter
        except TimeoutError:
            self.keep_alive = False
            raise Problem("request-timeout", 408, "The body came too slowly: send it whole, and at once.") from None
        finally:
            self._waiter = None

    def say_continue(self) -> None:
        """Send 100 (Continue) when the client waits for it."""
        if self.expects_continue and not self.head_sent:
            self.expects_continue = False
            self._connection.write(_CONTINUE)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send a part of the answer, as ASGI asks; waits while the client does not take it.

        Raises:
            OSError: the client is gone.
        """
        if self.disconnected:
            raise ConnectionResetError("the client is gone")
        if message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
            return
        if message["type"] != "http.response.body":
            raise ValueError(f"an answer has no part {message['type']!r}")
        self._body(bytes(message.get("body", b"")), more=message.get("more_body", False))
        await self._connection.drained()

    def respond(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a whole answer. Its headers hold the right content-length, as those of Starlette's Response do."""
        if self.disconnected:
            self.ended = True
            self.status = status
            return
        head = self._head(status, headers)
        head.append(b"\r\n")
        if self.scope["method"] != "HEAD" and status not in _BODILESS:
            head.append(body)
        self._connection.write(b"".join(head))
        self.head_sent = self.ended = True

    def end_stream(self) -> None:
        """End a stream so that the client sees a proper end."""
        if self.head_sent and not self.ended and not self.disconnected and self._left is None:
            self._body(b"", more=False)

    def finished(self) -> None:
        """Note that nobody works on the answer any more."""
        if self._reserved:
            self._connection.server.budget.give_back(self._reserved, self._shares)
            self._reserved = 0
        self.wake()
        self._connection.done(self)

    def refuse(self, problem: Problem) -> None:
        """Send a problem document as the whole answer."""
        body = problem.encode()
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in problem.headers.items()]
        headers += [
            (b"content-type", MEDIA_TYPE.encode("ascii")),
            (b"cache-control", b"no-store"),
            (b"content-length", str(len(body)).encode("ascii")),
        ]
        self.respond(problem.status, headers, body)

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        if self.head_sent:
            raise RuntimeError("the answer has begun already")
        headers = list(headers)
        lengths = [value for name, value in headers if name.lower() == b"content-length"]
        self._left = int(lengths[0]) if lengths else None
        bodiless = status in _BODILESS or self.scope["method"] == "HEAD"
        self._chunked = not lengths and not bodiless and self.scope["http_version"] == "1.1"
        if not lengths and not bodiless and not self._chunked:
            self.keep_alive = False  # HTTP/1.0: the end of the connection is the end of the body
        if bodiless:
            self._left = 0
        head = self._head(status, headers)
        head.append(b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n")
        self._connection.write(b"".join(head))
        self.head_sent = True

    def _body(self, chunk: bytes, *, more: bool) -> None:
        if not self.head_sent or self.ended:
            raise RuntimeError("a part of the body came before the answer's head or after its end")
        if self._chunked:
            framed = b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunk else b""
            self._connection.write(framed if more else framed + b"0\r\n\r\n")
        elif self.scope["method"] != "HEAD" and self.status not in _BODILESS:
            self._plain(chunk, more=more)
        self.ended = not more

    def _plain(self, chunk: bytes, *, more: bool) -> None:
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0 or (self._left > 0 and not more):
                raise RuntimeError("the answer's body is not as long as its content-length says")
        self._connection.write(chunk)

    def _head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """Give the head of the answer but for the empty line.

        Raises:
            ValueError: a header holds a line break: it would split the answer.
        """
        self.status = status
        parts = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        lines = b"".join(parts)
        if lines.count(b"\n") * 4 != len(parts) + 3 or lines.count(b"\r") * 4 != len(parts) + 3:
            raise ValueError("a header of the answer holds a line break")
        parts = [lines]
        parts.append(self._connection.server.date_header())
        if not self.keep_alive or not self.complete or self._connection.server.draining:
            self.keep_alive = False
            parts.append(b"connection: close\r\n")
        elif self.scope["http_version"] == "1.0":
            parts.append(b"connection: keep-alive\r\n")
        return parts
