"""Passes one HTTP exchange on to a function instance, streaming both ways.

Promises: hop-by-hop fields go no further (RFC 9110, section 7.6.1), also those that `Connection` names; the message
is framed anew from what the parser understood, never copied (no smuggling); a body is passed on as it comes, with
back-pressure; an instance that dies before it answered is a 502 problem, and a GET or HEAD without a body is tried
once more; an answer that is cut off is cut off for the caller too, never ended as if it were whole; a caller who goes
away takes the instance's exchange along. Does not: look into bodies, change status codes, add credentials.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Protocol

from knative.platform.http1 import Disconnected
from knative.platform.upstream import NobodyListens, UpstreamLost
from shared.problems import Problem

if TYPE_CHECKING:
    from knative.platform.http1 import Headers, Request, Response
    from knative.platform.upstream import Pool, UpstreamConnection

HOP_BY_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te",
        b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
_FRAMING: Final = frozenset({b"content-length", b"expect"})
_FORWARDED: Final = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"}
)
MOST_ABSENCES: Final = 5
"""How often another instance is asked for when the one that was given does not listen."""

_SAFE: Final = frozenset({b"GET", b"HEAD"})


class Lease(Protocol):
    """A place at one instance, kept for one exchange."""

    @property
    def pool(self) -> Pool:
        """The instance's connections."""
        ...

    def release(self) -> None:
        """Give the place back."""
        ...

    def suspect(self) -> None:
        """Hear that the instance broke off."""
        ...

    def streaming(self) -> None:
        """Hear that the answer is an event stream."""
        ...


class Admission(Protocol):
    """Whoever hands out places at a deployment's instances."""

    @property
    def timeout_seconds(self) -> float:
        """How long an instance may take until its answer's head."""
        ...

    async def acquire(self) -> Lease:
        """Wait for a place.

        Raises:
            Problem: There is none to be had (503).
        """
        ...


def end_to_end(headers: Headers, drop: frozenset[bytes] = frozenset()) -> Headers:
    """Give the fields that travel on: without hop-by-hop ones, those that `Connection` names, framing, and `drop`."""
    named: set[bytes] = set()
    for name, value in headers:
        if name == b"connection":
            named.update(token.strip().lower() for token in value.split(b","))
    refused = HOP_BY_HOP | _FRAMING | drop | named
    return [field for field in headers if field[0] not in refused]


def request_head(request: Request, *, public: bool) -> bytes:
    """Write the head that the instance gets.

    Args:
        request: What came.
        public: It came from the outside: what it says about proxies before us is dropped, and said anew.
    """
    lines = [b"%s %s HTTP/1.1\r\n" % (request.method, request.target)]
    lines += [b"%s: %s\r\n" % field for field in end_to_end(request.headers, _FORWARDED if public else frozenset())]
    if public and request.peer:
        lines.append(b"x-forwarded-for: %s\r\n" % request.peer.encode("ascii"))
    if request.http10 and request.header(b"host") is None:
        lines.append(b"host: localhost\r\n")
    if request.length is not None:
        lines.append(b"content-length: %d\r\n" % request.length)
    elif request.chunked:
        lines.append(b"transfer-encoding: chunked\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


class Forwarder:
    """Passes requests on to one deployment.

    Args:
        admission: Hands out places at its instances.
        public: The requests come from the outside.
    """

    def __init__(self, admission: Admission, *, public: bool = False) -> None:
        self._admission = admission
        self._public = public

    async def __call__(self, request: Request, response: Response) -> None:
        """Answer one request.

        Raises:
            Problem: It cannot be answered: 502, 503 or 504.
        """
        head = request_head(request, public=self._public)
        tries = 2 if request.method in _SAFE and not request.has_body else 1
        absences = 0
        lost: UpstreamLost | None = None
        while tries > 0 and absences < MOST_ABSENCES:
            try:
                await self._once(request, response, head, fresh=lost is not None)
            except NobodyListens as error:
                absences += 1  # nothing was sent, so that this is no try
                lost = error
            except UpstreamLost as error:
                if response.started:
                    raise Disconnected from error
                tries -= 1
                lost = error
            else:
                return
        raise Problem(
            "upstream-unreachable",
            detail="The function's instance ended before it had answered: send the request again.",
        ) from lost

    async def _once(self, request: Request, response: Response, head: bytes, *, fresh: bool) -> None:
        lease = await self._admission.acquire()
        connection: UpstreamConnection | None = None
        try:
            connection = await lease.pool.take(fresh=fresh)
            connection.ask(request.method, head)
            await self._converse(request, response, connection, lease)
            if request.complete and response.finished:
                lease.pool.give(connection)
                connection = None
        except UpstreamLost:
            lease.suspect()
            raise
        finally:
            if connection is not None:
                connection.close()
            lease.release()

    async def _converse(
        self, request: Request, response: Response, connection: UpstreamConnection, lease: Lease
    ) -> None:
        sending = await _begin_body(request, connection)
        try:
            async with asyncio.timeout(self._admission.timeout_seconds):
                await connection.head()
        except TimeoutError as error:
            raise Problem("deadline-exceeded") from error
        else:
            if _is_event_stream(connection.headers):
                lease.streaming()
            await _answer(response, connection)
        finally:
            if sending is not None:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await sending


def _is_event_stream(headers: Headers) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers)


async def _begin_body(request: Request, connection: UpstreamConnection) -> asyncio.Task[None] | None:
    """Send the body; in a task of its own unless it is here already."""
    if not request.has_body:
        return None
    if request.complete:
        await _send_body(request, connection)
        return None
    return asyncio.get_running_loop().create_task(_keep_sending(request, connection))


async def _keep_sending(request: Request, connection: UpstreamConnection) -> None:
    try:
        await _send_body(request, connection)
    except UpstreamLost:
        pass  # an answer may have come before; if not, whoever waits for it learns it there
    except (Problem, Disconnected) as fault:
        connection.interrupt(fault)


async def _send_body(request: Request, connection: UpstreamConnection) -> None:
    while piece := await request.read():
        connection.write(b"%x\r\n%s\r\n" % (len(piece), piece) if request.chunked else piece)
        await connection.drain()
    if request.chunked:
        connection.write(b"0\r\n\r\n")


async def _answer(response: Response, connection: UpstreamConnection) -> None:
    response.start(connection.status, end_to_end(connection.headers), connection.length, connection.reason)
    while piece := await connection.read():
        response.write(piece)
        await response.drain()
    response.finish()
