"""The activator's server and a function's, byte by byte on the same attacks: what one refuses, the other refuses alike.

Where two servers behind one another disagree on where a request ends, the second one answers a request that the first
one never saw.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import starlette.requests
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.responses import Response as HostResponse

from knative.description import FunctionDescription
from knative.framing import DEFAULT_LIMITS
from knative.host.application import Application
from knative.host.connection import Connection
from knative.host.limits import BodyBudget, BodyLimits
from knative.host.loading import Loaded
from knative.host.server import Server as HostServer
from knative.host.settings import HostSettings
from knative.platform.http1 import Request, Response, Server, ServerConnection
from shared.settings import load
from tests.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BODY_LIMIT = 1 << 20
READ = 1 << 16
"""What a socket gives at once."""
P = b"POST /size HTTP/1.1\r\nHost: x\r\n"
G = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

REFUSED: dict[str, tuple[bytes, int]] = {
    # lengths
    "both lengths": (P + b"Content-Length: 3\r\n" + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "both lengths, chunks first": (P + CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (P + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "the same length twice": (P + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    "a list of lengths": (P + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    "a signed length": (P + b"Content-Length: +3\r\n\r\nabc", 400),
    "a negative length": (P + b"Content-Length: -3\r\n\r\nabc", 400),
    "a hexadecimal length": (P + b"Content-Length: 0x3\r\n\r\nabc", 400),
    "a length of no digits": (P + b"Content-Length: \r\n\r\nabc", 400),
    "a length beyond 64 bits": (P + b"Content-Length: 18446744073709551619\r\n\r\nabc", 400),
    "a length between blanks": (P + b"Content-Length: 3 3\r\n\r\nabc", 400),
    # codings
    "a coding before chunked": (P + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "a coding after chunked": (P + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "a coding that is not chunked": (P + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "identity": (P + b"Transfer-Encoding: identity\r\n\r\nabc", 501),
    "two codings": (P + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "a coding twice, differently": (P + CHUNKED + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 400),
    "a coding in an old version": (b"POST / HTTP/1.0\r\nHost: x\r\n" + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "a coding behind a vertical tab": (P + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    "a coding behind a space before the colon": (P + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "a folded coding": (P + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    # chunks
    "a chunk of no size": (P + CHUNKED + b"\r\nzz\r\nab\r\n0\r\n\r\n", 400),
    "a chunk that is longer than it says": (P + CHUNKED + b"\r\n2\r\nabX0\r\n\r\n", 400),
    "a signed chunk": (P + CHUNKED + b"\r\n+2\r\nab\r\n0\r\n\r\n", 400),
    "a chunk's size after a blank": (P + CHUNKED + b"\r\n 2\r\nab\r\n0\r\n\r\n", 400),
    "a chunk with a bare line feed": (P + CHUNKED + b"\r\n2\nab\r\n0\r\n\r\n", 400),
    "a chunk beyond 64 bits": (P + CHUNKED + b"\r\n10000000000000002\r\nab\r\n0\r\n\r\n", 400),
    # hosts, targets, methods, versions
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (G + b"Host: y\r\n\r\n", 400),
    "two hosts in an old version": (b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    "a host with a path": (b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "a host with a user": (b"GET / HTTP/1.1\r\nHost: a@x\r\n\r\n", 400),
    "a host with a blank": (b"GET / HTTP/1.1\r\nHost: x y\r\n\r\n", 400),
    "a port of no digits": (b"GET / HTTP/1.1\r\nHost: x:y\r\n\r\n", 400),
    "an open bracket": (b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    "a host of other letters": ("GET / HTTP/1.1\r\nHost: é\r\n\r\n".encode(), 400),
    "two media types": (P + b"Content-Type: a/b\r\nContent-Length: 1\r\nContent-Type: a/c\r\n\r\na", 400),
    "a target of no path": (b"GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "another scheme": (b"GET ftp://other/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a target of an odd host": (b"GET http://a|b/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a user in the target": (b"GET http://a@b/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a tunnel": (b"CONNECT other:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a tunnel to a path": (b"CONNECT http://other/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "an unknown method": (b"FROB / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "a method in small letters": (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no version": (b"GET /\r\nHost: x\r\n\r\n", 505),
    "a version to come": (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    "no version at all": (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    # other protocols, expectations
    "a body behind an upgrade": (P + b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\na", 400),
    "chunks behind an upgrade": (P + b"Upgrade: h2c\r\nConnection: upgrade\r\n" + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "an expectation": (G + b"Expect: wonders\r\n\r\n", 417),
    "two expectations": (G + b"Expect: 100-continue\r\nExpect: wonders\r\n\r\n", 400),
    # characters
    "a folded line": (G + b"A: b\r\n c\r\n\r\n", 400),
    "a folded first line": (b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "a NUL": (G + b"A: b\x00c\r\n\r\n", 400),
    "a bare carriage return": (G + b"A: b\rc\r\n\r\n", 400),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    # sizes
    "many fields": (G + b"".join(b"X-%d: y\r\n" % n for n in range(DEFAULT_LIMITS.count)) + b"\r\n", 431),
    "a long field": (G + b"X: " + b"a" * DEFAULT_LIMITS.bytes + b"\r\n\r\n", 431),
    "an endless field": (G + b"X: " + b"a" * 4 * DEFAULT_LIMITS.bytes, 431),
    "long fields": (G + b"".join(b"X-%d: %b\r\n" % (n, b"y" * 900) for n in range(50)) + b"\r\n", 431),
    "a long target": (b"GET /" + b"a" * DEFAULT_LIMITS.target_bytes + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "an endless target": (b"GET /" + b"a" * 200_000, 414),
    "an endless trailer": (P + CHUNKED + b"\r\n1\r\n{\r\n0\r\nX: " + b"a" * 300_000, 431),
    "endless trailers": (P + CHUNKED + b"\r\n1\r\n{\r\n0\r\n" + b"X: 1\r\n" * 50_000, 431),
    "an endless extension": (P + CHUNKED + b"\r\n1;a=" + b"b" * 300_000, 431),
    "endless extensions": (P + CHUNKED + b"\r\n" + (b"1;a=" + b"b" * 1000 + b"\r\n{\r\n") * 300, 431),
}  # fmt: skip

TAKEN: dict[str, bytes] = {
    "a length": P + b"Content-Length: 3\r\n\r\nabc",
    "chunks": P + CHUNKED + b"\r\n2;a=b\r\nab\r\n1\r\nc\r\n0\r\nX-Trailer: 1\r\n\r\n",
    "chunked in capitals": P + b"Transfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "an address for a host": b"POST /size HTTP/1.1\r\nHost: [::1]:9000\r\nContent-Length: 3\r\n\r\nabc",
    "a name with a port": b"POST /size HTTP/1.1\r\nHost: a-b.example:81\r\nContent-Length: 3\r\n\r\nabc",
    "an empty host": b"POST /size HTTP/1.1\r\nHost: \r\nContent-Length: 3\r\n\r\nabc",
    "the absolute form": b"POST http://other:81/size HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "an old version without a host": b"POST /size HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    "as many fields as may be": (
        P
        + b"Content-Length: 3\r\n"
        + b"".join(b"X-%d: y\r\n" % n for n in range(DEFAULT_LIMITS.count - 2))
        + b"\r\nabc"
    ),
    "a header of nearly all that it may have": P + b"Content-Length: 3\r\nX: " + b"a" * 32_000 + b"\r\n\r\nabc",
    "the smallest chunks": P + CHUNKED + b"\r\n" + b"0001;a=b\r\ny\r\n" * 3 + b"0\r\n\r\n",
}


async def fed(protocol: asyncio.Protocol, data: bytes, piece: int) -> bytes:
    """Feed a connection, and give what it answered."""
    wire = Wire()
    protocol.connection_made(wire)
    for start in range(0, len(data), piece):
        if wire.closed:
            break
        protocol.data_received(data[start : start + piece])
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    protocol.connection_lost(None)
    for _ in range(20):
        await asyncio.sleep(0)
    return wire.written


async def of_the_host(data: bytes, piece: int) -> bytes:
    """What a function's server answers; requests that it takes with the target and the body."""

    async def handle(request: starlette.requests.Request) -> HostResponse:
        body = await request.body()
        return HostResponse(seen(request.scope["raw_path"], body))

    description = FunctionDescription("test", "x", Path(), body_limit_bytes=BODY_LIMIT)
    own = load(HostSettings, {})
    application = Application(Loaded(handle, None), description, 8, 32, own)
    server = HostServer(application, own, BodyLimits(description), BodyBudget(0, BODY_LIMIT), 1.0)
    answer = await fed(Connection(server), data, piece)
    for timer in (server._ticking, application._timer):
        if timer is not None:
            timer.cancel()
    return answer


async def of_the_activator(data: bytes, piece: int) -> bytes:
    """What the activator's server answers."""

    async def handle(request: Request, response: Response) -> None:
        response.send(200, [], seen(request.target.partition(b"?")[0], await request.body(BODY_LIMIT)))

    return await fed(ServerConnection(Server(handle)), data, piece)


def seen(path: bytes, body: bytes) -> bytes:
    """Say what reached a handler."""
    return b"<%b %d %b>" % (path, len(body), body[:10].hex().encode())


SERVERS: dict[str, Callable[[bytes, int], Awaitable[bytes]]] = {"host": of_the_host, "activator": of_the_activator}


def outcome(answer: bytes) -> tuple[list[bytes], list[bytes]]:
    """Give the statuses of an answer, and what reached handlers."""
    statuses = [status for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer) if status != b"100"]
    return statuses, re.findall(rb"<\S+ \d+ \w*>", answer)


@pytest.mark.parametrize("piece", [READ, 700], ids=["at once", "in pieces"])
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", REFUSED)
async def test_what_breaks_a_rule_is_refused_and_reaches_nobody(name: str, server: str, piece: int) -> None:
    data, status = REFUSED[name]
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await SERVERS[server](data + smuggled, piece)
    assert outcome(answer) == ([b"%d" % status], [])


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", TAKEN)
async def test_what_keeps_the_rules_is_taken(name: str, server: str) -> None:
    for piece in (READ, 700, 1 if len(TAKEN[name]) < 1000 else 333):
        assert outcome(await SERVERS[server](TAKEN[name], piece)) == ([b"200"], [outcome_of(name)])


def outcome_of(name: str) -> bytes:
    """What reaches the handler."""
    return seen(b"/size", b"yyy" if name == "the smallest chunks" else b"abc")


HEADS = st.builds(
    lambda line, fields: line + b"".join(name + b": " + value + b"\r\n" for name, value in fields) + b"\r\n",
    st.sampled_from([b"POST /size HTTP/1.1\r\n", b"POST /size HTTP/1.0\r\n", b"GET http://y/a HTTP/1.1\r\n"]),
    st.lists(
        st.tuples(
            st.sampled_from([b"Host", b"Content-Length", b"Transfer-Encoding", b"Expect", b"Upgrade", b"Connection"]),
            st.sampled_from(
                [b"x", b"0", b"3", b"03", b"chunked", b"gzip, chunked", b"100-continue", b"h2c", b"upgrade", b""]
            ),
        ),
        max_size=5,
    ),
)  # fmt: skip
BODIES = st.sampled_from([b"", b"abc", b"0\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n", b"1\r\n"])


@given(st.lists(st.tuples(HEADS, BODIES), min_size=1, max_size=3))
@settings(max_examples=250, deadline=None)
@example([(P + CHUNKED + b"Content-Length: 3\r\n\r\n", b"0\r\n\r\n"), (G + b"\r\n", b"")])
async def test_both_read_the_same_requests_out_of_the_same_bytes(parts: list[tuple[bytes, bytes]]) -> None:
    data = b"".join(head + body for head, body in parts)
    (host_statuses, host_saw), (statuses, saw) = [outcome(await ask(data, READ)) for ask in SERVERS.values()]
    # Behind a request that is being served the activator just ends the connection, the host refuses before it does;
    # what came between the two is answered by the host only.
    assert host_saw[: len(saw)] == saw
    assert saw[:1] == host_saw[:1]
    assert all(one == other for one, other in zip(host_statuses, statuses, strict=False))
