"""Streams while whoever asked is admitted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from functions.gateway.streams import EVERY_SECONDS, while_admitted
from shared.clock import ManualClock
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Admission:
    """What is answered each time, the last one for ever."""

    def __init__(self, *answers: bool | None) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self) -> bool:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise Problem("cache-unavailable", 503)
        return answer


class Source:
    """A stream that gives one chunk, then waits for ever; knows whether it was closed."""

    closed = False

    async def chunks(self) -> AsyncGenerator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            self.closed = True


async def checks_until_its_end(admission: Admission) -> int:
    clock, source = ManualClock(), Source()
    stream = while_admitted(source.chunks(), admission, clock)
    assert await anext(stream) == b"first"
    coming = asyncio.ensure_future(anext(stream, None))
    for _ in range(50):
        for _ in range(10):
            await asyncio.sleep(0)
        if coming.done():
            assert coming.result() is None
            assert source.closed
            return admission.asked
        clock.advance(EVERY_SECONDS)
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)
    assert source.closed
    return 0


async def test_a_stream_lives_while_whoever_asked_is_admitted_and_no_longer() -> None:
    assert await checks_until_its_end(Admission(True)) == 0
    assert await checks_until_its_end(Admission(True, True, False)) == 3


async def test_a_stream_bears_a_moment_in_which_nobody_knows_and_not_several() -> None:
    assert await checks_until_its_end(Admission(True, None, None, True, None, None, True)) == 0
    assert await checks_until_its_end(Admission(True, None)) == 4


async def test_a_stream_that_ends_asks_no_more() -> None:
    async def two() -> AsyncGenerator[bytes]:
        yield b"a"
        yield b"b"

    admission = Admission(True)
    assert [chunk async for chunk in while_admitted(two(), admission, ManualClock())] == [b"a", b"b"]
    assert admission.asked == 0
