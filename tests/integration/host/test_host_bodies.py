"""Long bodies: each route has its limit, all together have the instance's, and the memory is given back."""

from __future__ import annotations

import contextlib
import re
import select
import shutil
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Host

ECHO: Final = Path(__file__).resolve().parents[2] / "functions" / "echo"
LONGEST: Final = 8 << 20  # of tests/functions/echo, POST /large/{name}
BUDGET: Final = (192 << 20) // 6  # of an instance with the usual memory


def crowded(folder: Path) -> Path:
    """Give a copy of the function that takes more requests at once than the budget allows."""
    copy = folder / "echo"
    shutil.copytree(ECHO, copy)
    description = copy / "function.toml"
    description.write_text(description.read_text().replace("concurrency = 4", "concurrency = 80"))
    return copy


def vm_rss_bytes(echo: Host) -> int:
    """Give the resident size."""
    status = Path(f"/proc/{echo.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


@pytest.mark.parametrize(
    ("path", "limit"), [("/large/x", LONGEST), ("/small", 65_536), ("/v1/echo", 100_000), ("/empty", 100_000)]
)
def test_each_route_has_its_limit(echo: Host, path: str, limit: int) -> None:
    head = {"content-type": "application/json"}
    just, more = (echo.request("POST", path, b" " * size, head) for size in (limit, limit + 1))
    assert just.status != 413
    assert (more.status, more.slug, more.problem["limit"]) == (413, "body-too-large", limit)
    chunked = echo.request("POST", path, iter([b" " * (limit + 1)]), head, encode_chunked=True)
    assert (chunked.status, chunked.problem["limit"]) == (413, limit)
    by_length = echo.raw(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {limit + 1}\r\n\r\n".encode())
    assert by_length.status == 413  # before a byte of it was sent


def test_another_method_has_not_the_routes_limit(echo: Host) -> None:
    assert echo.request("PUT", "/small", b"x" * 100_000).status == 405
    assert echo.request("PUT", "/large/x", b"x" * 100_001).problem["limit"] == 100_000


@pytest.mark.parametrize("framing", [f"content-length: {LONGEST}", "transfer-encoding: chunked"])
def test_what_bodies_hold_together_is_bounded_and_given_back(
    hosts: Callable[..., Host], tmp_path: Path, framing: str
) -> None:
    """Twenty clients send all but the end of 8 MiB: without a budget that is 160 MB."""
    echo = hosts(crowded(tmp_path))
    nearly = bytes(LONGEST - 8)
    sent = nearly if "length" in framing else b"%x\r\n" % LONGEST + nearly
    before = vm_rss_bytes(echo)
    crowd = [echo.connect() for _ in range(20)]
    for number, connection in enumerate(crowd):
        connection.sendall(head(f"10.0.0.{number}", framing))
        send(connection, sent)
    answered = until(lambda: len(found := select.select(crowd, [], [], 0)[0]) >= 20 - BUDGET // LONGEST and found)
    for connection in answered:
        answer = connection.recv(10_000)
        assert b" 503 " in answer
        assert b"retry-after: 2" in answer.lower()
        assert b"overloaded" in answer
    held = [connection for connection in crowd if connection not in answered]
    assert len(held) == BUDGET // LONGEST
    assert echo.vm_hwm_bytes() < before + 2 * BUDGET
    assert echo.json("POST", "/v1/echo", {"text": "short ones come in"}).status == 200
    for connection in held:
        connection.close()
    until(lambda: echo.request("POST", "/large/x", bytes(LONGEST)).status == 204)
    until(lambda: vm_rss_bytes(echo) < before + (8 << 20))


def test_whoever_stalls_is_in_the_way_of_nobody_else(hosts: Callable[..., Host], tmp_path: Path) -> None:
    """Four bodies of one client would hold all that there is, for as long as a slow body may take."""
    echo = hosts(crowded(tmp_path))
    stalled = [echo.connect() for _ in range(BUDGET // LONGEST)]
    for connection in stalled:
        connection.sendall(head("203.0.113.7", f"content-length: {LONGEST}"))
        send(connection, bytes(100_000))
    refused = until(lambda: len(found := select.select(stalled, [], [], 0)[0]) == len(stalled) - 1 and found)
    assert all(b"of your large bodies" in connection.recv(10_000) for connection in refused)
    for number in range(3):
        others = {"x-forwarded-for": f"203.0.113.7, 10.0.0.{number}"}  # only what the last proxy says is believed
        assert echo.request("POST", "/large/x", bytes(LONGEST), others).status == 204
    spoofed = {"x-forwarded-for": "10.0.0.1, 203.0.113.7"}
    assert echo.request("POST", "/large/x", iter([bytes(LONGEST)]), spoofed, encode_chunked=True).status == 503


def head(address: str, framing: str) -> bytes:
    """Give the header of a long body that comes from an address, as the activator says it."""
    return f"POST /large/x HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {address}\r\n{framing}\r\n\r\n".encode()


def until(condition: Callable[[], Any]) -> Any:
    """Poll a condition until it holds; gives what it gave."""
    limit = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < limit, "the condition did not come true"
        time.sleep(0.005)
    return found


def send(connection: socket.socket, body: bytes) -> None:
    """Send a body until all is sent, or until an answer comes."""
    rest = memoryview(body)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while rest:
            readable, writable, _ = select.select([connection], [connection], [], 20)
            if readable:
                break
            assert writable
            rest = rest[connection.send(rest[:65536]) :]
