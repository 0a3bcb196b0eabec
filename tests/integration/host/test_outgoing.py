"""The outgoing client, against the host and against servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from shared import deadlines, telemetry
from shared.function.outgoing import Outgoing, Unreachable, address_of

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Host

TRACE = "0af7651916cd43dd8448eb211c80319c"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def scripted(folder: Path, script: Script) -> AsyncIterator[tuple[Outgoing, list[int]]]:
    """Serve a script for each connection; gives a client and the numbers of the connections that were made."""
    made: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(len(made))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await script(reader, writer)
        writer.close()

    path = folder / "scripted.sock"
    server = await asyncio.start_unix_server(serve, path)
    outgoing = Outgoing(f"unix:{path}")
    try:
        yield outgoing, made
    finally:
        await outgoing.close()
        server.close()


async def read_head(reader: asyncio.StreamReader) -> str:
    """Read a request's head."""
    return (await reader.readuntil(b"\r\n\r\n")).decode()


async def test_a_request_and_its_answer(echo: Host) -> None:
    outgoing = Outgoing(f"unix:{echo.path}")
    reply = await outgoing.request("POST", "/v1/echo", [(b"content-type", b"application/json")], b'{"text":"hi"}')
    assert (reply.status, reply.body) == (200, b'{"text":"hi","times":1,"more":[]}')
    assert reply.headers["content-type"] == "application/json"
    head = await outgoing.request("HEAD", "/things/1")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "1")
    assert (await outgoing.request("POST", "/empty", content=b"")).status == 204
    assert (await outgoing.request("GET", "/nowhere")).status == 404
    await outgoing.close()


async def test_trace_and_deadline_go_along(echo: Host) -> None:
    outgoing = Outgoing(f"unix:{echo.path}")
    telemetry.begin(f"00-{TRACE}-b7ad6b7169203331-01")
    with deadlines.deadline(2):
        reply = await outgoing.request("GET", "/context")
    assert reply.body.startswith(f"00-{TRACE}-".encode())
    assert reply.body.endswith(b" True")
    await outgoing.close()


async def test_the_deadline_ends_the_request(echo: Host, tmp_path: Path) -> None:
    outgoing = Outgoing(f"unix:{echo.path}")
    with deadlines.deadline(0.05), pytest.raises(TimeoutError):
        await outgoing.request("POST", f"/wait?name={tmp_path / 'a'}")
    with deadlines.deadline(0), pytest.raises(TimeoutError):
        await outgoing.request("GET", "/things/1")
    (tmp_path / "a.go").touch()
    await outgoing.close()


async def test_bodies_stream_both_ways(echo: Host) -> None:
    outgoing = Outgoing(f"unix:{echo.path}")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(90):
            yield b"x" * 1000

    incoming = await outgoing.open("POST", "/size", content=pieces())
    assert await incoming.read(100) == b"90000"
    incoming = await outgoing.open("POST", "/size", [(b"content-length", b"90000")], pieces())
    assert await incoming.read(100) == b"90000"
    incoming = await outgoing.open("GET", "/ticks")
    chunks = incoming.chunks()
    assert (await anext(chunks)).startswith(b"id: 0")
    await chunks.aclose()
    await outgoing.close()


async def test_a_refusal_comes_through_while_the_body_still_goes(echo: Host) -> None:
    outgoing = Outgoing(f"unix:{echo.path}")
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield b"x" * 65536

    incoming = await outgoing.open("POST", "/size", content=endless())
    assert incoming.status == 413
    assert b"body-too-large" in await incoming.read(10_000)
    assert sent < 50 << 20
    assert (await outgoing.request("GET", "/things/1")).status == 200
    await outgoing.close()


async def test_a_body_that_fails_to_come_fails_the_request(echo: Host) -> None:
    outgoing = Outgoing(f"unix:{echo.path}")

    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError("no more")

    with pytest.raises(LookupError):
        await outgoing.open("POST", "/size", content=broken())
    await outgoing.close()


async def test_connections_are_kept_but_not_after_a_broken_exchange(short_folder: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await read_head(reader)
            closing = b"connection: close\r\n" if "/close" in head else b""
            writer.write(b"HTTP/1.1 200 OK\r\n" + closing + b"content-length: 2\r\n\r\nok")
            if closing:
                return

    async with scripted(short_folder, serve) as (outgoing, made):
        for _ in range(5):
            assert (await outgoing.request("GET", "/")).body == b"ok"
        assert len(made) == 1
        await outgoing.request("GET", "/close")
        await outgoing.request("GET", "/")
        assert len(made) == 2
        incoming = await outgoing.open("GET", "/")
        await incoming.close()
        await outgoing.request("GET", "/")
        assert len(made) == 3


async def test_a_connection_that_was_closed_meanwhile_is_replaced_for_get_only(short_folder: Path) -> None:
    turns = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turns
        await read_head(reader)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await read_head(reader)  # the next request arrives, and is dropped
        turns += 1

    async with scripted(short_folder, once) as (outgoing, made):
        assert (await outgoing.request("GET", "/")).status == 204
        assert (await outgoing.request("GET", "/")).status == 204
        assert (len(made), turns) == (2, 1)
        with pytest.raises(Unreachable):
            await outgoing.request("POST", "/")
        assert turns == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nx: " + b"1" * 200_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000,
    ],
)
async def test_a_broken_answer_is_unreachable(short_folder: Path, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(answer)
        await writer.drain()

    async with scripted(short_folder, serve) as (outgoing, _):
        with pytest.raises(Unreachable):
            await outgoing.request("GET", "/", most=1000)


async def test_interim_answers_are_skipped_and_a_body_may_end_with_the_connection(short_folder: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nx-y: 1\r\n\r\nto the end")
        await writer.drain()

    async with scripted(short_folder, serve) as (outgoing, _):
        reply = await outgoing.request("GET", "/")
        assert (reply.status, reply.headers, reply.body) == (200, {"x-y": "1"}, b"to the end")


async def test_nobody_there_is_unreachable(short_folder: Path) -> None:
    for address in (f"unix:{short_folder}/nobody.sock", "http://127.0.0.1:1"):
        with pytest.raises(Unreachable):
            await Outgoing(address).request("GET", "/")


@pytest.mark.parametrize("target", ["/a b", "/a\r\nx: y"])
async def test_a_target_cannot_split_the_request(echo: Host, target: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        await Outgoing(f"unix:{echo.path}").request("GET", target)
    with pytest.raises(ValueError, match="line break"):
        await Outgoing(f"unix:{echo.path}").request("GET", "/", [(b"x", b"a\r\nb: c")])


def test_addresses() -> None:
    environment: Any = {"HAL9_FUNCTION_URL": "unix:/run/{deployment}.sock"}
    assert address_of("neuron-l4", environment) == "unix:/run/neuron-l4.sock"
    with pytest.raises(LookupError, match="HAL9_FUNCTION_URL"):
        address_of("neuron-l4", {})
    for address in ("", "https://x", "ftp://x", "x:80", "http://"):
        with pytest.raises(ValueError, match="no address"):
            Outgoing(address)


async def test_an_address_may_have_a_path(short_folder: Path) -> None:
    seen = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await read_head(reader)).splitlines())
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outgoing = Outgoing(f"http://127.0.0.1:{port}/hal9/default")
    reply = await outgoing([(b"ce-id", b"1")], b"{}", timeout=5)
    assert reply.status == 202
    assert seen[0][:3] == ["POST /hal9/default HTTP/1.1", f"host: 127.0.0.1:{port}", "ce-id: 1"]
    await outgoing.close()
    server.close()
