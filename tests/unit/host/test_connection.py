"""A connection, byte by byte: how requests are cut into pieces changes nothing, and no bytes harm it."""

from __future__ import annotations

import asyncio
import itertools
import re
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from knative.description import FunctionDescription
from knative.host.application import Application
from knative.host.connection import Connection
from knative.host.limits import BodyBudget, BodyLimits
from knative.host.loading import Loaded
from knative.host.server import Server
from knative.host.settings import HostSettings
from shared.settings import load
from tests.wire import Wire

LIMIT = 3000


async def handle(request: Request) -> Response:
    """Give method, path, query and body back."""
    body = await request.body()
    return Response(f"{request.method} {request.url.path} {request.url.query} {len(body)}".encode() + body[:5])


async def answers(pieces: list[bytes]) -> tuple[bytes, bool]:
    """Feed pieces, let everything be answered, give what came back and whether the connection was closed."""
    description = FunctionDescription("test", "x", Path(), body_limit_bytes=LIMIT)
    application = Application(Loaded(handle, None), description, 8, 32, load(HostSettings, {}))
    server = Server(application, load(HostSettings, {}), BodyLimits(description), BodyBudget(0, LIMIT), 1.0)
    connection, wire = Connection(server), Wire()
    connection.connection_made(wire)
    for piece in pieces:
        if wire.closed:
            break
        connection.data_received(piece)
        await asyncio.sleep(0)
    for _ in range(400):
        await asyncio.sleep(0)
    closed = wire.closed
    connection.connection_lost(None)
    for _ in range(50):
        await asyncio.sleep(0)
    if server._ticking is not None:
        server._ticking.cancel()
    if application._timer is not None:
        application._timer.cancel()
    assert not application.under_way
    return re.sub(rb"date: [^\r]+\r\n", b"", wire.written), closed


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut data at places."""
    at = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(at)]


def request(method: str, path: str, body: bytes, *, chunked: bool, header: str) -> bytes:
    """Write a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{header}"
    if not chunked:
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    parts = [body[start : start + 7] for start in range(0, len(body), 7)]
    framed = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in parts)
    return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + framed + b"0\r\nTrailer: x\r\n\r\n"


REQUESTS = st.builds(
    request,
    st.sampled_from(["GET", "POST", "DELETE"]),
    st.sampled_from(["/", "/a/b?c=d", "/a%20b", "/healthz/live"]),
    st.binary(max_size=60),
    chunked=st.booleans(),
    header=st.sampled_from(["", "X: y\r\n", "Traceparent: x\r\nX: y\r\n"]),
)


@given(st.lists(REQUESTS, min_size=1, max_size=4), st.lists(st.integers(0, 2000), max_size=12))
@settings(max_examples=150, deadline=None)
async def test_how_requests_are_cut_changes_nothing(requests: list[bytes], places: list[int]) -> None:
    data = b"".join(requests)
    whole, closed = await answers([data])
    assert whole.count(b"HTTP/1.1 200 OK") + whole.count(b"HTTP/1.1 405") == len(requests)
    assert not closed
    assert await answers(cut(data, places)) == (whole, closed)


@given(
    st.lists(REQUESTS | st.binary(max_size=40), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=4),
    st.lists(st.integers(0, 2000), max_size=6),
)
@settings(max_examples=300, deadline=None)
@example([b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nmore"], [], [])
@example([b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde"], [], [60])
async def test_no_bytes_harm_it(requests: list[bytes], damage: list[tuple[int, bytes]], places: list[int]) -> None:
    data = bytearray(b"".join(requests))
    for place, new in damage:
        at = place % (len(data) + 1)
        data[at : at + len(new)] = new
    written, _ = await answers(cut(bytes(data), places))
    statuses = re.findall(rb"HTTP/1\.1 (\d{3}) ", written)
    refusals = {b"400", b"405", b"413", b"414", b"417", b"431", b"501", b"505"}
    assert refusals | {b"100", b"200"} >= set(statuses)
    assert written == b"" or written.startswith(b"HTTP/1.1 ")


@given(st.integers(0, 2 * LIMIT), st.booleans(), st.lists(st.integers(0, 8000), max_size=10))
@settings(max_examples=100, deadline=None)
async def test_the_body_limit_is_exact_however_it_comes(size: int, chunked: bool, places: list[int]) -> None:
    written, _ = await answers(cut(request("POST", "/", b"x" * size, chunked=chunked, header=""), places))
    assert written.startswith(b"HTTP/1.1 200 " if size <= LIMIT else b"HTTP/1.1 413 ")


async def test_checks_that_come_together_are_one() -> None:
    begun: list[int] = []
    goes_on = asyncio.Event()

    class Slow:
        async def check(self) -> None:
            begun.append(1)
            await goes_on.wait()

    description = FunctionDescription("test", "x", Path())
    application = Application(Loaded(handle, Slow()), description, 8, 32, load(HostSettings, {}))
    for _ in range(3):
        application.warm()
        await asyncio.sleep(0)
    assert len(begun) == 1
    goes_on.set()
    for _ in range(5):
        await asyncio.sleep(0)
    application.warm()
    await asyncio.sleep(0)
    assert len(begun) == 2
