"""Passing on: framing, hop-by-hop fields, streams, back-pressure, instances that die, hostile peers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knative.platform.forwarding import Forwarder
from knative.platform.http1 import Limits, Request, Response, Server
from knative.platform.upstream import Pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

Script = "Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]"


class Place:
    """An admission with one instance that always has room."""

    timeout_seconds = 20.0

    def __init__(self, path: Path) -> None:
        self.pool = Pool(str(path))
        self.taken = 0
        self.streams = 0
        self.suspected = 0

    async def acquire(self) -> Place:
        self.taken += 1
        return self

    def release(self) -> None:
        self.taken -= 1

    def streaming(self) -> None:
        self.streams += 1

    def suspect(self) -> None:
        self.suspected += 1


class Rig:
    """A proxy on TCP in front of an instance."""

    def __init__(self, port: int, place: Place, server: Server) -> None:
        self.port = port
        self.place = place
        self.server = server

    async def talk(self, data: bytes, *, keep_open: bool = False) -> bytes:
        """Send bytes, and give all that comes back until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(15):
                return await reader.read()
        except ConnectionResetError:
            return b"reset"
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def rig(
    tmp_path: Path,
    handler: Callable[[Request, Response], Awaitable[None]] | None = None,
    script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[Rig]:
    path = tmp_path / "instance.sock"
    raw = None
    instance = None
    if script is not None:
        raw = await asyncio.start_unix_server(script, str(path))
    else:
        assert handler is not None
        instance = Server(handler)
        await instance.listen_unix(path)
    place = Place(path)
    server = Server(Forwarder(place, public=True), limits)
    door = socket.create_server(("127.0.0.1", 0))
    await server.listen_on(door)
    try:
        yield Rig(door.getsockname()[1], place, server)
    finally:
        await server.close()
        place.pool.close()
        if instance is not None:
            await instance.close()
        if raw is not None:
            raw.close()


async def echo(request: Request, response: Response) -> None:
    """Answer with what came."""
    body = await request.body(50_000_000)
    seen = {
        "method": request.method.decode(),
        "target": request.target.decode(),
        "headers": [[name.decode(), value.decode("latin-1")] for name, value in request.headers],
        "length": len(body),
    }
    response.send(200, [(b"content-type", b"application/json"), (b"x-kept", b"yes")], json.dumps(seen).encode())


def answer(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    headers = dict(line.decode("latin-1").split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, body


GET = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


async def test_a_request_travels_without_hop_by_hop_fields(tmp_path: Path) -> None:
    async with rig(tmp_path, echo) as r:
        extra = b"Connection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
        extra += b"X-Real-IP: 1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\n"
        raw = await r.talk(
            b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n" + extra + b"traceparent: 00-a-b-01\r\nX-A: 1\r\nX-A: 2\r\n\r\n"
        )
        status, headers, body = answer(raw)
        seen = json.loads(body)
        assert (status, headers["x-kept"], seen["method"], seen["target"]) == (200, "yes", "GET", "/a?b=c")
        assert seen["headers"] == [
            ["host", "x"], ["traceparent", "00-a-b-01"], ["x-a", "1"], ["x-a", "2"], ["x-forwarded-for", "127.0.0.1"],
        ]  # fmt: skip


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
async def test_bodies_travel_with_a_length_and_in_chunks(tmp_path: Path, size: int) -> None:
    async with rig(tmp_path, echo) as r:
        head = b"POST /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        raw = await r.talk(head + b"Content-Length: %d\r\n\r\n" % size + b"y" * size)
        assert json.loads(answer(raw)[2])["length"] == size
        chunks = (
            b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in [b"y" * 1000] * (size // 1000))
            + b"0\r\nX-Trailer: 1\r\n\r\n"
        )
        raw = await r.talk(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        seen = json.loads(answer(raw)[2])
        assert seen["length"] == size // 1000 * 1000
        assert ["x-trailer", "1"] not in seen["headers"]


@pytest.mark.parametrize(
    "framing",
    [
        b"1\r\n{\r\n0\r\nX: " + b"a" * 3_000_000,
        b"1\r\n{\r\n0\r\n" + b"X: 1\r\n" * 500_000,
        b"1;a=" + b"b" * 3_000_000,
        (b"1;a=" + b"b" * 1000 + b"\r\n{\r\n") * 3_000,
    ],
    ids=["an endless trailer", "endless trailers", "an endless extension", "endless extensions"],
)
async def test_what_frames_a_body_is_measured_as_header_fields_are(tmp_path: Path, framing: bytes) -> None:
    async with rig(tmp_path, echo) as r:
        raw = await r.talk(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + framing)
        assert (answer(raw)[0], json.loads(answer(raw)[2])["type"]) == (431, "urn:hal9:problem:headers-too-large")


async def test_the_smallest_chunks_are_taken(tmp_path: Path) -> None:
    async with rig(tmp_path, echo) as r:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw = await r.talk(head + b"0001;a=b\r\ny\r\n" * 50_000 + b"0\r\nX-Trailer: " + b"1" * 10_000 + b"\r\n\r\n")
        assert json.loads(answer(raw)[2])["length"] == 50_000


@pytest.mark.parametrize(("version", "status"), [(b"2.0", 505), (b"0.9", 505), (b"1.1", 200)])
async def test_an_http_version_that_is_not_spoken_is_refused(tmp_path: Path, version: bytes, status: int) -> None:
    async with rig(tmp_path, echo) as r:
        raw = await r.talk(b"GET / HTTP/" + version + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer(raw)[0] == status


async def test_pipelined_requests_are_answered_in_order_over_one_connection(tmp_path: Path) -> None:
    async with rig(tmp_path, echo) as r:
        first = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(5))
        raw = await r.talk(first + b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        targets = [part.split(b'"')[0] for part in raw.split(b'"target": "')[1:]]
        assert targets == [b"/0", b"/1", b"/2", b"/3", b"/4", b"/last"]


async def test_head_and_empty_answers_have_no_body(tmp_path: Path) -> None:
    async def handler(request: Request, response: Response) -> None:
        response.send(204 if request.target == b"/empty" else 200, [], b"" if request.target == b"/empty" else b"12345")

    async with rig(tmp_path, handler) as r:
        status, headers, body = answer(await r.talk(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
        assert (status, headers["content-length"], body) == (200, "5", b"")
        status, headers, body = answer(await r.talk(b"GET /empty HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
        assert (status, "content-length" in headers, body) == (204, False, b"")


@pytest.mark.parametrize("framing", [b"", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 7\r\n"])
async def test_an_answer_to_head_ends_with_its_head_however_a_body_would_end(tmp_path: Path, framing: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if request.startswith(b"HEAD"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + framing + b"\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext")
        await reader.read()
        writer.close()

    async with rig(tmp_path, script=script) as r:
        after = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        raw = await r.talk(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + after)
        assert (raw.count(b"HTTP/1.1 200 OK"), raw.endswith(b"\r\n\r\nnext")) == (2, True)


async def test_an_old_client_gets_an_answer_without_chunks(tmp_path: Path) -> None:
    async def handler(request: Request, response: Response) -> None:
        response.start(200, [], None)
        response.write(b"abc")
        response.finish()

    async with rig(tmp_path, handler) as r:
        _, headers, body = answer(await r.talk(b"GET / HTTP/1.0\r\n\r\n"))
        assert body == b"abc"
        assert "transfer-encoding" not in headers


async def test_a_stream_comes_as_it_is_made_and_ends_with_its_reader(tmp_path: Path) -> None:
    go = asyncio.Event()
    gone = asyncio.Event()

    async def handler(request: Request, response: Response) -> None:
        response.start(200, [(b"content-type", b"text/event-stream")], None)
        response.write(b"data: 1\n\n")
        await go.wait()
        response.write(b"data: 2\n\n")
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()

    async with rig(tmp_path, handler) as r:
        reader, writer = await asyncio.open_connection("127.0.0.1", r.port)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(10):
            await reader.readuntil(b"data: 1\n\n")
            go.set()
            await reader.readuntil(b"data: 2\n\n")
            assert r.place.streams == 1
            writer.close()
            await gone.wait()
            while r.place.taken:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


async def test_a_client_that_does_not_read_holds_the_instance_back(tmp_path: Path) -> None:
    sent = 0

    async def handler(request: Request, response: Response) -> None:
        nonlocal sent
        response.start(200, [], None)
        for _ in range(2000):
            response.write(b"z" * 65536)
            sent += 65536
            await response.drain()
        response.finish()

    async with rig(tmp_path, handler) as r:
        _, writer = await asyncio.open_connection("127.0.0.1", r.port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        before = -1
        while sent != before or sent == 0:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 20_000_000
        writer.transport.abort()


async def test_a_get_is_tried_again_when_its_instance_dies(tmp_path: Path) -> None:
    calls = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.readuntil(b"\r\n\r\n")
        if calls > 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async with rig(tmp_path, script=script) as r:
        assert answer(await r.talk(GET + b"\r\n"))[2] == b"ok"
        calls = 0
        status, _, body = answer(
            await r.talk(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        )
        assert (status, calls) == (502, 1)
        assert json.loads(body)["type"] == "urn:hal9:problem:upstream-unreachable"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 2",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    ],
)  # fmt: skip
async def test_an_instance_that_answers_nonsense_is_a_502(tmp_path: Path, said: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    async with rig(tmp_path, script=script) as r:
        assert answer(await r.talk(GET + b"\r\n"))[0] == 502


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
async def test_an_answer_that_is_cut_off_is_not_ended_as_if_it_were_whole(tmp_path: Path, said: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    async with rig(tmp_path, script=script) as r:
        raw = await r.talk(GET + b"\r\n")
        assert not raw.endswith(b"0\r\n\r\n")
        assert len(answer(raw)[2]) < 10 if raw != b"reset" else True


async def test_nobody_listens(tmp_path: Path) -> None:
    async with rig(tmp_path, echo) as r:
        r.place.pool.path = str(tmp_path / "nobody.sock")
        assert answer(await r.talk(GET + b"\r\n"))[0] == 502
        assert r.place.suspected > 1
        assert r.place.taken == 0


async def test_a_refusal_reaches_a_peer_that_still_sends(tmp_path: Path) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        writer.close()

    async with rig(tmp_path, script=script) as r:
        raw = await r.talk(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n" + b"a" * 30_000_000)
        status, headers, body = answer(raw)
        assert (status, headers["connection"], body) == (413, "close", b"big")


HOSTILE = {
    "many headers": (GET + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + b"\r\n", 431),
    "a long header": (GET + b"X: " + b"a" * 300_000 + b"\r\n\r\n", 431),
    "an endless header": (GET + b"X: " + b"a" * 300_000, 431),
    "a long target": (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "both lengths": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
    "a signed length": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", 400),
    "a coding before chunked": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "two codings": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "a folded line": (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
    "a NUL": (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n", 400),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "a target of no path": (b"GET ftp://other/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a tunnel": (b"CONNECT other:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "an unknown method": (b"FROB / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "an expectation": (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\n\r\n", 417),
    "garbage": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "a malformed chunk": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", 400),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_requests_get_a_problem_and_the_connection_ends(tmp_path: Path, name: str) -> None:
    async with rig(tmp_path, echo) as r:
        data, expected = HOSTILE[name]
        status, headers, body = answer(await r.talk(data))
        assert (status, headers["content-type"]) == (expected, "application/problem+json")
        assert json.loads(body)["status"] == expected
        assert answer(await r.talk(GET + b"\r\n"))[0] == 200


async def test_an_upgrade_is_ignored_and_the_connection_ends_with_the_answer(tmp_path: Path) -> None:
    async with rig(tmp_path, echo) as r:
        raw = await r.talk(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"
        )
        status, headers, body = answer(raw)
        assert (status, headers["connection"], raw.count(b"HTTP/1.1 ")) == (200, "close", 1)
        assert "upgrade" not in dict(json.loads(body)["headers"])


async def test_the_absolute_form_reaches_the_instance_as_a_path(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def handler(request: Request, response: Response) -> None:
        seen.append(request.target)
        response.send(200, [], b"")

    async with rig(tmp_path, handler) as r:
        assert (
            answer(await r.talk(b"GET http://other:81/v1/runs?a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))[0]
            == 200
        )
    assert seen == [b"/v1/runs?a=b"]


async def test_a_smuggled_request_does_not_reach_the_instance(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def handler(request: Request, response: Response) -> None:
        seen.append(request.target)
        await request.body(1000)
        response.send(200, [], b"")

    async with rig(tmp_path, handler) as r:
        raw = await r.talk(
            b"POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert answer(raw)[0] == 400
        assert seen == []


async def test_garbage_after_a_request_does_not_hurt_its_answer(tmp_path: Path) -> None:
    async with rig(tmp_path, echo) as r:
        raw = await r.talk(b"GET /good HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01garbage\r\n\r\n")
        assert answer(raw)[0] == 200
        assert raw.count(b"HTTP/1.1 ") == 1


async def test_slow_headers_and_slow_bodies_are_cut_off(tmp_path: Path) -> None:
    limits = Limits(header_seconds=0.1, body_grace_seconds=0.1)
    async with rig(tmp_path, echo, limits=limits) as r:
        assert answer(await r.talk(b"GET / HTTP/1.1\r\nHos"))[0] == 408
        assert answer(await r.talk(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na"))[0] == 408


async def test_an_idle_connection_ends(tmp_path: Path) -> None:
    async with rig(tmp_path, echo, limits=Limits(idle_seconds=0.1)) as r:
        assert await r.talk(b"") == b""
        assert answer(await r.talk(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 200


async def test_too_many_connections_are_turned_away(tmp_path: Path) -> None:
    async with rig(tmp_path, echo, limits=Limits(connections=2)) as r:
        held = [await asyncio.open_connection("127.0.0.1", r.port) for _ in range(2)]
        async with asyncio.timeout(10):
            while r.server.connections < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        status, headers, _ = answer(await r.talk(GET + b"\r\n"))
        assert (status, headers["retry-after"]) == (503, "1")
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(10):
            while r.server.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert answer(await r.talk(GET + b"\r\n"))[0] == 200


async def test_expect_continue_is_answered_only_when_the_body_is_wanted(tmp_path: Path) -> None:
    async with rig(tmp_path, echo) as r:
        reader, writer = await asyncio.open_connection("127.0.0.1", r.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        async with asyncio.timeout(10):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"abc")
            assert b" 200 " in await reader.readline()
        writer.close()


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), cut=st.integers(0, 200))
async def test_any_bytes_leave_the_server_standing(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int
) -> None:
    async with rig(
        tmp_path_factory.mktemp("any"), echo, limits=Limits(header_seconds=0.05, body_grace_seconds=0.05)
    ) as r:
        base = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", r.port)
        writer.write(base[:cut] + data + base[cut:])
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert answer(await r.talk(GET + b"\r\n"))[0] == 200
