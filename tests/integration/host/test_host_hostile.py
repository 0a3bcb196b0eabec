"""Hostile clients: each is refused clearly, nothing crashes, memory stays bounded, and others are still served."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Host

LIMIT = 100_000  # of tests/functions/echo


@pytest.fixture(autouse=True)
def _unharmed(echo: Host) -> Iterator[None]:
    yield
    assert echo.json("POST", "/v1/echo", {"text": "still here"}).status == 200
    assert echo.process.poll() is None
    assert echo.vm_hwm_bytes() < 64 << 20


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"text": "a", "text": "b"}', "twice"),
        (b'{"text": "\xff"}', "UTF-8"),
        (b'\xef\xbb\xbf{"text": "a"}', "byte 0"),
        (b'{"text": NaN}', "not valid JSON"),
        (b'{"times": -Infinity}', "not valid JSON"),
        (b'{"times": 1e999}', "out of range"),
        (b'{"times": ' + b"9" * 5000 + b"}", "out of range"),
        (b'{"text": "\\ud800"}', "surrogate"),
        (b'{"text": "\\u0000"}', "U+0000"),
        (b"[" * 50_000, "nested"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested"),
        (b'{"text": "a"', "truncated"),
        (b'{"text": "a"} {}', "trailing characters (byte 15)"),
        (b"", "truncated"),
        (b'{"text": "a\nb"}', "not valid JSON"),
    ],
)
def test_malformed_json_is_400(echo: Host, body: bytes, detail: str) -> None:
    answer = echo.json("POST", "/v1/echo", body)
    assert (answer.status, answer.slug) == (400, "body-malformed")
    assert detail in answer.problem["detail"]


def test_every_fault_of_a_body_is_named_by_pointer(echo: Host) -> None:
    answer = echo.json("POST", "/v1/echo", {"text": 1, "times": 99, "more": [1, "x", 2, None], "o/d~d": 1})
    assert (answer.status, answer.slug) == (422, "body-invalid")
    assert {fault["pointer"] for fault in answer.problem["errors"]} == {
        "/text",
        "/times",
        "/more/1",
        "/more/3",
        "/o~1d~0d",
    }


def test_faults_are_bounded(echo: Host) -> None:
    answer = echo.json("POST", "/v1/echo", {"text": "a", "more": ["x"] * 5000})
    assert answer.status == 422
    assert len(answer.problem["errors"]) == 100
    assert "5000" in answer.problem["detail"]


@pytest.mark.parametrize("media_type", ["text/plain", "", "application/xml", "application/json; charset=latin-1"])
def test_another_media_type_is_415(echo: Host, media_type: str) -> None:
    assert echo.request("POST", "/v1/echo", b"{}", {"content-type": media_type}).slug == "media-type-unsupported"


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/x+json"])
def test_json_by_any_of_its_names_is_taken(echo: Host, media_type: str) -> None:
    assert echo.request("POST", "/v1/echo", b'{"text":"a"}', {"content-type": media_type}).status == 200


def test_a_body_beyond_the_limit_is_413_by_its_length_alone(echo: Host) -> None:
    answer = echo.raw(b"POST /empty HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
    assert (answer.status, answer.slug) == (413, "body-too-large")
    assert answer.problem["limit"] == LIMIT


@pytest.mark.parametrize("path", ["/empty", "/size"])
@pytest.mark.parametrize("size", [LIMIT + 1, 30_000_000])
def test_a_body_beyond_the_limit_is_413_and_is_not_kept(echo: Host, path: str, size: int) -> None:
    body = b"x" * size
    assert echo.request("POST", path, body).slug == "body-too-large"
    assert echo.request("POST", path, iter([body]), encode_chunked=True).slug == "body-too-large"


@pytest.mark.parametrize("path", ["/empty", "/size"])
def test_a_body_of_just_the_limit_is_taken(echo: Host, path: str) -> None:
    body = b"x" * LIMIT
    assert echo.request("POST", path, body).status < 300
    pieces = (body[start : start + 999] for start in range(0, LIMIT, 999))
    assert echo.request("POST", path, pieces, encode_chunked=True).status < 300


def test_a_client_that_waits_for_100_gets_it(echo: Host) -> None:
    connection = echo.connect()
    connection.sendall(b"POST /size HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")
    assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(b"abc")
    assert b"\r\n\r\n3" in connection.recv(1000)


def test_a_client_that_waits_for_100_gets_413_instead(echo: Host) -> None:
    assert (
        echo.raw(b"POST /size HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 999999\r\n\r\n").status
        == 413
    )


@pytest.mark.parametrize(
    "header",
    [
        b"".join(b"x-%d: 1\r\n" % number for number in range(10_000)),
        b"x: " + b"1" * 40_000 + b"\r\n",
        b"x" * 40_000 + b": 1\r\n",
        b"".join(b"x-%d: %b\r\n" % (number, b"1" * 900) for number in range(50)),
        b"x: " + b"1" * 3_000_000 + b"\r\n",
    ],
)
def test_a_header_beyond_the_limits_is_431(echo: Host, header: bytes) -> None:
    answer = echo.raw(b"GET /parts HTTP/1.1\r\nhost: x\r\n" + header + b"\r\n")
    assert (answer.status, answer.slug) == (431, "headers-too-large")


def test_a_header_that_never_ends_is_431(echo: Host) -> None:
    connection = echo.connect()
    with contextlib.suppress(OSError):
        connection.sendall(b"GET / HTTP/1.1\r\nx: ")
        for _ in range(1000):
            connection.sendall(b"1" * 1000)
    assert b" 431 " in connection.recv(1000)


def test_a_target_beyond_the_limit_is_refused(echo: Host) -> None:
    answer = echo.raw(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (answer.status, answer.slug) == (414, "uri-too-long")


def test_trailers_without_end_are_refused(echo: Host) -> None:
    connection = echo.connect()
    connection.sendall(b"POST /size HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
    with contextlib.suppress(OSError):
        for number in range(5_000):
            connection.sendall(b"x-%d: %b\r\n" % (number, b"1" * 900))
    assert b"HTTP/1.1 431 " in connection.recv(1000)


@pytest.mark.parametrize(
    "endless", [b"1;a=" + b"b" * 1000 + b"\r\n{\r\n", b"b" * 1000], ids=["in each chunk", "in one"]
)
def test_chunk_extensions_without_end_are_refused(echo: Host, endless: bytes) -> None:
    connection = echo.connect()
    connection.sendall(b"POST /size HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n")
    with contextlib.suppress(OSError):
        connection.sendall(b"1;a=" if b";" not in endless else b"")
        for _ in range(5_000):
            connection.sendall(endless)
    assert b"HTTP/1.1 431 " in connection.recv(1000)


def test_the_smallest_chunks_are_taken(echo: Host) -> None:
    head = b"POST /size HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = echo.raw(head + b"0001;a=b\r\ny\r\n" * 50_000 + b"0\r\nx-trailer: " + b"1" * 10_000 + b"\r\n\r\n")
    assert (answer.status, answer.body) == (200, b"50000")


@pytest.mark.parametrize(
    "request_line",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\n host: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /%ff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET nowhere HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: -3\r\n\r\nabc",
        b"POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /size HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /size HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
        b"POST /size HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabX0\r\n\r\n",
        b"POST /size HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 1\r\n\r\na",
    ],
)
def test_what_is_no_http_is_400(echo: Host, request_line: bytes) -> None:
    answer = echo.raw(request_line)
    assert (answer.status, answer.slug) == (400, "bad-request")
    assert answer.headers["connection"] == "close"


def test_methods_and_codings_that_nobody_has_are_501(echo: Host) -> None:
    unknown = echo.raw(b"NONSENSE / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (unknown.status, unknown.slug) == (501, "method-unimplemented")
    coded = echo.raw(b"POST /size HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n")
    assert (coded.status, coded.headers["connection"]) == (501, "close")


def test_versions_and_expectations_that_are_not_met(echo: Host) -> None:
    assert echo.raw(b"GET / HTTP/2.0\r\nhost: x\r\n\r\n").status in {400, 505}
    assert echo.raw(b"GET / HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\n\r\n").status == 417


def test_a_wish_to_upgrade_is_ignored(echo: Host) -> None:
    answer = echo.raw(b"GET /parts HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n")
    assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_the_absolute_form_is_taken(echo: Host) -> None:
    assert echo.raw(b"GET http://x/things/7 HTTP/1.1\r\nhost: x\r\n\r\n").body == b"7"


def test_a_header_that_comes_too_slowly_is_408(echo: Host) -> None:
    answer = echo.raw(b"GET / HTTP/1.1\r\nhost: ")
    assert (answer.status, answer.slug) == (408, "request-timeout")


@pytest.mark.parametrize("sent", [b"", b"x" * 10, b"x" * 70_000])
@pytest.mark.parametrize("path", [b"/empty", b"/size", b"/v1/echo"])
def test_a_body_that_comes_too_slowly_is_408(echo: Host, path: bytes, sent: bytes) -> None:
    head = b"POST " + path + b" HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 80000\r\n\r\n"
    answer = echo.raw(head + sent)
    assert (answer.status, answer.slug) == (408, "request-timeout")


def test_slow_bodies_take_no_slot(echo: Host) -> None:
    for _ in range(20):
        echo.connect().sendall(b"POST /empty HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx")
    assert echo.json("POST", "/v1/echo", {"text": "in time"}).status == 200


def test_a_broken_chunk_behind_a_good_body_of_many_reads_is_400(echo: Host) -> None:
    head = b"POST /size HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = echo.raw(head + b"11170\r\n" + b"x" * 0x11170 + b"\r\nnonsense\r\n")
    assert (answer.status, answer.slug) == (400, "bad-request")


def test_requests_in_one_write_are_answered_in_order(echo: Host) -> None:
    connection = echo.connect()
    requests = [b"GET /things/%d HTTP/1.1\r\nhost: x\r\n\r\n" % number for number in range(50)]
    connection.sendall(b"".join(requests[:-1]) + requests[-1].replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    got = b""
    while piece := connection.recv(65536):
        got += piece
    assert [part.rpartition(b"\r\n\r\n")[2] for part in got.split(b"HTTP/1.1 200 OK")[1:]] == [
        b"%d" % number for number in range(50)
    ]


def test_thousands_of_requests_in_one_write_are_refused(echo: Host) -> None:
    connection = echo.connect()
    with contextlib.suppress(OSError):
        connection.sendall(b"POST /wait HTTP/1.1\r\nhost: x\r\n\r\n" * 10_000)
    got = b""
    with contextlib.suppress(OSError):
        while piece := connection.recv(65536):
            got += piece
    assert b"bad-request" in got


def test_garbage_behind_a_request_does_not_spoil_its_answer(echo: Host) -> None:
    connection = echo.connect()
    connection.sendall(b"GET /things/1 HTTP/1.1\r\nhost: x\r\n\r\n\x00\x01garbage\r\n\r\n")
    got = b""
    with contextlib.suppress(OSError):
        while piece := connection.recv(65536):
            got += piece
    first, second = got.split(b"HTTP/1.1 ")[1:]
    assert (first[:3], first[-1:], second[:3]) == (b"200", b"1", b"400")


def test_a_client_that_closes_its_side_still_gets_its_answer(echo: Host) -> None:
    connection = echo.connect()
    connection.sendall(b"GET /parts HTTP/1.1\r\nhost: x\r\n\r\n")
    connection.shutdown(socket.SHUT_WR)
    got = b""
    while piece := connection.recv(65536):
        got += piece
    assert got.startswith(b"HTTP/1.1 200")


def test_nothing_of_an_unexpected_error_is_told(echo: Host) -> None:
    answer = echo.request("POST", "/fail", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    assert (answer.status, answer.slug, answer.problem["trace_id"]) == (500, "internal", "ab" * 16)
    assert b"secret-internals" not in answer.body
    (line,) = [line for line in echo.lines() if line.get("trace_id") == "ab" * 16 and line["level"] == "error"]
    assert "secret-internals" in line["exception"]


def test_a_header_cannot_split_the_answer(echo: Host) -> None:
    answer = echo.request("POST", "/fail?split")
    assert answer.status == 500
    assert "set-cookie" not in answer.headers


def test_an_answer_that_breaks_off_does_not_look_whole(echo: Host) -> None:
    connection = echo.connect()
    connection.sendall(b"GET /parts?broken HTTP/1.1\r\nhost: x\r\n\r\n")
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            got += piece
    assert b"part 2" in got
    assert not got.endswith(b"0\r\n\r\n")


def test_refusals_are_counted(echo: Host) -> None:
    echo.raw(b"nonsense\r\n\r\n")
    text = echo.request("GET", "/metrics").body.decode()
    (line,) = [line for line in text.splitlines() if line.startswith('hal9_http_refused_total{slug="bad-request"}')]
    assert float(line.split()[1]) >= 1
    assert json.dumps("organisation") not in text
