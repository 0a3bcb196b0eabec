"""An organisation's streams are counted while they are open, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.neuron.stream import Seats
from shared.identifiers import new_id
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x"


async def test_one_too_many_is_refused_until_another_has_left() -> None:
    seats, org_id, other = Seats(2), new_id(), new_id()
    streams = [seats.held(org_id, endless()) for _ in range(2)]
    for stream in streams:
        seats.check(org_id)
        assert await anext(stream) == b"x"
    with pytest.raises(Problem) as refused:
        seats.check(org_id)
    assert refused.value.status == 429
    seats.check(other)
    await streams[0].aclose()  # type: ignore[attr-defined]
    seats.check(org_id)


async def test_a_stream_that_ends_gives_its_seat_back() -> None:
    async def short() -> AsyncIterator[bytes]:
        yield b"x"

    seats, org_id = Seats(1), new_id()
    assert [chunk async for chunk in seats.held(org_id, short())] == [b"x"]
    seats.check(org_id)
