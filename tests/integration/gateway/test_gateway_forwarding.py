"""What is passed on: bodies, headers, streams, faults."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.integration.gateway.stage import DOORWAY, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.integration.gateway.stage import MakeCaller, Stage


async def test_path_query_and_body_arrive_as_they_were_sent(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me = await caller()
    body = bytes(range(256)) * 1000
    answer = await client.post("/v1/mirror/a%20b%C3%A9?q=%2F&q=1+2&empty=", content=body, headers=me.header)
    told = answer.json()
    assert told["path"].endswith("/v1/mirror/a%20b%C3%A9")
    assert told["query"] == "q=%2F&q=1+2&empty="
    assert told["sha256"] == hashlib.sha256(body).hexdigest()


async def test_a_body_of_unknown_length_streams_through(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(20):
            yield bytes([number]) * 10_000

    answer = await client.post("/v1/mirror/x", content=parts(), headers=(await caller()).header)
    assert answer.json()["length"] == 200_000


async def test_only_harmless_headers_go_in_and_none_that_says_who_asks(
    client: httpx.AsyncClient, caller: MakeCaller
) -> None:
    me = await caller()
    spoofed = {
        "X-Hal9-Org": "another",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-User": "root",
        "Forwarded": "for=1.2.3.4",
        "Cookie": "session=1",
        "Proxy-Authorization": "Basic x",
        "Ce-Type": "ai.hal9.neuron.step.requested",
        "Connection": "keep-alive, x-sneaky",
        "X-Sneaky": "1",
        "Te": "trailers",
        "Hal9-Timeout": "0.0000001x",
        "Idempotency-Key": "kept",
        "Content-Type": "application/json",
    }
    answer = await client.post("/v1/mirror/x", content=b"{}", headers={**spoofed, **me.header})
    headers = dict(answer.json()["headers"])
    assert set(headers) <= {
        "host", "accept", "user-agent", "content-length", "content-type", "idempotency-key", "authorization",
        "traceparent", "tracestate", "hal9-timeout",
    }  # fmt: skip
    assert headers["idempotency-key"] == "kept"
    assert me.text not in str(headers)
    assert headers["authorization"].count(".") == 2
    assert 0 < float(headers["hal9-timeout"]) <= 30


async def test_the_functions_own_headers_stay_inside(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    answer = await client.post("/v1/mirror/x", headers=(await caller()).header)
    assert answer.headers["x-kept"] == "yes"
    assert not {"x-hal9-secret", "x-named"} & set(answer.headers)
    assert answer.headers.get("server") != "mirror"


async def test_the_trace_goes_through(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me = await caller()
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "tracestate": "vendor=1", **me.header}
    answer = await client.post("/v1/mirror/x", headers=headers)
    inside = dict(answer.json()["headers"])
    assert inside["traceparent"].split("-")[1] == trace == answer.headers["x-trace-id"]
    assert inside["traceparent"].split("-")[2] != "b7ad6b7169203331"
    assert inside["tracestate"] == "vendor=1"


async def test_events_stream_as_they_come(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    me = await caller()
    async with client.stream("GET", "/v1/ticks?endless", headers=me.header) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        seen = ""
        async for text in answer.aiter_text():
            seen += text
            if "id: 3" in seen:
                break
    assert (await client.get("/v1/ticks", headers=me.header)).text.count("data: tick") == 3


async def test_a_client_that_leaves_ends_the_stream_inside(
    client: httpx.AsyncClient, caller: MakeCaller, tmp_path: Path
) -> None:
    me = await caller()
    closed = tmp_path / "closed"
    async with client.stream("GET", f"/v1/ticks?endless&closed={closed}", headers=me.header) as answer:
        async for _ in answer.aiter_raw():
            break
    async with asyncio.timeout(20):
        while not closed.exists():  # noqa: ASYNC110 - another process makes the file
            await asyncio.sleep(0.01)


async def test_a_large_answer_comes_whole(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    answer = await client.get("/v1/large", headers=(await caller()).header)
    assert answer.content == b"".join(bytes([number]) * 16384 for number in range(64))


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [
        ("/v1/fail?how=problem", 409, "conflict"),
        ("/v1/fail?how=untrusting", 502, "upstream-unreachable"),
        ("/v1/fail?how=html", 502, "upstream-unreachable"),
        ("/v1/fail?how=crash", 500, "internal"),
        ("/v1/absent", 502, "upstream-unreachable"),
        ("/v1/other", 502, "upstream-unreachable"),
        ("/v1/guarded", 403, "permission-missing"),
    ],
)
async def test_a_functions_fault_is_a_problem_with_no_internals(
    client: httpx.AsyncClient, caller: MakeCaller, path: str, status: int, slug: str
) -> None:
    answer = await client.get(path, headers=(await caller()).header)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:hal9:problem:{slug}"
    assert "secret-internals" not in answer.text


async def test_a_body_beyond_the_functions_limit_is_413(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    answer = await client.post("/v1/mirror/x", content=bytes(300_001), headers=(await caller()).header)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:hal9:problem:body-too-large")


async def test_a_body_beyond_the_gateways_limit_is_413(client: httpx.AsyncClient, caller: MakeCaller) -> None:
    answer = await client.post("/v1/events", content=bytes(8_388_609), headers=(await caller()).header)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:hal9:problem:body-too-large")


async def unfinished(socket: Path, key: str, framing: str, sent: bytes) -> tuple[bytes, asyncio.StreamWriter]:
    """Begin a request whose body does not end; give the answer's head, if there is one within the host's patience."""
    reader, writer = await asyncio.open_unix_connection(socket)
    head = f"POST /v1/mirror/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{framing}\r\n\r\n"
    writer.write(head.encode() + sent)
    await writer.drain()
    answer = await reader.readuntil(b"\r\n\r\n") if sent else b""
    return answer, writer


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_a_body_that_comes_too_slowly_is_408_and_frees_what_it_held(
    stage: Stage, doorway: Path, caller: MakeCaller, framing: str
) -> None:
    name = "slow-length" if "Length" in framing else "slow-chunks"
    socket = await stage.start(DOORWAY, name, {"HAL9_HOST_BODY_SECONDS": "0.5"})
    me = await caller()
    sent = b"5\r\nhello\r\n" if "chunked" in framing else b"hello"
    answer, writer = await unfinished(socket, me.text, framing, sent)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    async with connect(socket) as client:
        assert (await client.post("/v1/mirror/x", headers=me.header)).status_code == 201


async def test_a_client_that_leaves_in_the_midst_of_its_body_harms_nobody(
    client: httpx.AsyncClient, doorway: Path, caller: MakeCaller
) -> None:
    me = await caller()
    for _ in range(100):
        _, writer = await unfinished(doorway, me.text, "Content-Length: 1000", b"")
        writer.write(b"hello")
        writer.close()
    assert (await client.post("/v1/mirror/x", headers=me.header)).status_code == 201


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({f"x-{number}": "1" for number in range(10_000)}, 431),
        ({"x-long": "a" * 200_000}, 431),
        ({"content-length": "5", "transfer-encoding": "chunked"}, 400),
        ({"content-length": "-5"}, 400),
    ],
)
async def test_hostile_headers_are_refused_at_the_door(
    doorway: Path, caller: MakeCaller, headers: dict[str, str], status: int
) -> None:
    me = await caller()
    reader, writer = await asyncio.open_unix_connection(doorway)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with contextlib.suppress(ConnectionError):
        writer.write(f"GET /v1/keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {me.text}\r\n{lines}\r\n".encode())
        await writer.drain()
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
