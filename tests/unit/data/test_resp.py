"""RESP2: replies however they are cut, and what is refused. redis-py's encoder is the oracle of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.connection import PythonRespSerializer

from shared.cache.resp import CacheError, Parser, ProtocolError, encode

if TYPE_CHECKING:
    from shared.cache.resp import Reply

LINES = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=30)
REPLIES = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=200) | LINES | LINES.map(CacheError),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)


def wire(reply: Reply) -> bytes:
    match reply:
        case None:
            return b"$-1\r\n"
        case CacheError():
            return f"-{reply}\r\n".encode()
        case int():
            return b":%d\r\n" % reply
        case str():
            return f"+{reply}\r\n".encode()
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case list():
            return b"*%d\r\n" % len(reply) + b"".join(map(wire, reply))


def shown(reply: Reply) -> object:
    """A reply that can be compared: exceptions are equal only to themselves."""
    if isinstance(reply, list):
        return [shown(item) for item in reply]
    return ("error", str(reply)) if isinstance(reply, CacheError) else reply


@given(replies=st.lists(REPLIES, max_size=6), data=st.data())
def test_replies_are_the_same_however_the_bytes_are_cut(replies: list[Reply], data: st.DataObject) -> None:
    stream = b"".join(map(wire, replies))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    parser = Parser()
    got: list[Reply] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got.extend(parser.feed(stream[start:end]))
    assert [shown(reply) for reply in got] == [shown(reply) for reply in replies]


@given(st.lists(st.text(max_size=20) | st.binary(max_size=20) | st.integers(), min_size=1, max_size=6))
def test_commands_are_encoded_as_redis_py_does(arguments: list[str | bytes | int]) -> None:
    # redis-py splits a command's name at blanks (CONFIG SET), which ours does not: give it a name without.
    command = ("ECHO", *arguments)
    assert encode(command) == b"".join(PythonRespSerializer(6000, _encode).pack(*command))  # type: ignore[no-untyped-call]


def _encode(value: str | bytes | int) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@given(st.binary(max_size=100))
def test_any_bytes_are_replies_or_a_protocol_error(data: bytes) -> None:
    try:
        list(Parser().feed(data))
    except ProtocolError:
        return


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"$5\r\nhelloo\r\n",
        b":1_000\r\n",
        b": 1\r\n",
        b"$-2\r\n",
        b"*-5\r\n",
        b"$99999999999\r\n",
        b"*1\r\n" * 17,
        b"+" + b"x" * 70_000,
        b"HTTP/1.1 400 Bad Request\r\n",
    ],
)
def test_what_is_not_resp2_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Parser().feed(data))


def test_nulls_and_empty_arrays() -> None:
    assert list(Parser().feed(b"*-1\r\n$-1\r\n*0\r\n$0\r\n\r\n*2\r\n*0\r\n$-1\r\n")) == [
        None,
        None,
        [],
        b"",
        [[], None],
    ]


def test_an_error_has_a_code() -> None:
    (error,) = Parser().feed(b"-WRONGTYPE Operation against a key\r\n")
    assert isinstance(error, CacheError)
    assert error.code == "WRONGTYPE"
