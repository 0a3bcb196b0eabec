"""Sealed streams: what comes out is what went in, or an error."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.backup.errors import DamagedError
from shared.backup.sealing import CHUNK_BYTES, DataKey, opened, sealed
from shared.datakeys import KeyRefusedError
from shared.randomness import SeededRandomness, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

KEY = DataKey(b"wrapped key", bytes(range(32)))
NAME = "sets/01890a5d-ac96-774b-bcce-b302099a8057/0/base"
RANDOM = SystemRandomness()


async def pieces(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def unwrap(wrapped: bytes) -> bytes:
    if wrapped != KEY.wrapped:
        raise KeyRefusedError
    return KEY.raw


async def seal(*chunks: bytes, name: str = NAME, key: DataKey = KEY) -> bytes:
    return b"".join([chunk async for chunk in sealed(key, name, pieces(chunks), RANDOM)])


async def open_(stream: bytes, name: str = NAME, piece: int = 100_000) -> bytes:
    cut = (stream[begin : begin + piece] for begin in range(0, len(stream), piece))
    return b"".join([chunk async for chunk in opened(unwrap, name, pieces(cut))])


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=3000), max_size=6), st.integers(1, 5000))
def test_what_went_in_comes_out(chunks: list[bytes], piece: int) -> None:
    async def both_ways() -> bytes:
        return await open_(await seal(*chunks), piece=piece)

    assert asyncio.run(both_ways()) == b"".join(chunks)


async def test_streams_of_many_chunks() -> None:
    for size in (CHUNK_BYTES - 50, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 1):
        content = SeededRandomness(size).bytes(size)  # what cannot be compressed
        assert await open_(await seal(content)) == content


async def test_a_megabyte_of_zeros_is_small_and_comes_back() -> None:
    stream = await seal(bytes(8 * 2**20))
    assert len(stream) < 50_000
    assert await open_(stream) == bytes(8 * 2**20)


async def test_the_same_twice_looks_different_and_shares_no_bytes() -> None:
    first, second = await seal(b"the same"), await seal(b"the same")
    assert first[-24:] != second[-24:]


@settings(max_examples=60)
@given(st.integers(0, 10**9), st.integers(1, 255))
def test_a_changed_byte_is_refused(place: int, flip: int) -> None:
    async def tampered() -> None:
        stream = bytearray(await seal(b"a short stream"))
        stream[place % len(stream)] ^= flip
        await open_(bytes(stream))

    with pytest.raises((DamagedError, KeyRefusedError)):
        asyncio.run(tampered())


async def test_chunks_cannot_be_cut_off_moved_or_doubled() -> None:
    content = SeededRandomness(7).bytes(3 * CHUNK_BYTES)
    stream = await seal(content)
    size = CHUNK_BYTES + 16
    begin = stream.index(KEY.wrapped) + len(KEY.wrapped) + 32 + 7
    head, body = stream[:begin], stream[begin:]
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert len(chunks) == 4
    hostile = {
        "the last one cut off": chunks[:-1],
        "all cut off": [],
        "one left out": [chunks[0], *chunks[2:]],
        "one doubled": [chunks[0], *chunks],
        "two swapped": [chunks[1], chunks[0], *chunks[2:]],
        "something appended": [*chunks, b"x"],
        "the last one in the first's place": [chunks[-1]],
    }
    taken = []
    for what, forged in hostile.items():
        try:
            await open_(head + b"".join(forged))
        except DamagedError:
            continue
        taken.append(what)
    assert taken == []
    other = await seal(content)
    with pytest.raises(DamagedError):
        await open_(other[:begin] + body)


async def test_a_stream_is_opened_under_its_own_name_and_key_only() -> None:
    stream = await seal(b"rows")
    with pytest.raises(DamagedError):
        await open_(stream, name=NAME.replace("/0/", "/1/"))
    with pytest.raises(DamagedError):
        await open_(await seal(b"rows", key=DataKey(KEY.wrapped, bytes(32))))
    with pytest.raises(KeyRefusedError):
        await open_(await seal(b"rows", key=DataKey(b"another", KEY.raw)))
    for begin in (b"", b"HAL9", b"not a stream at all, but long enough to hold a header, or so it may seem to be"):
        with pytest.raises(DamagedError):
            await open_(begin)
