"""One piece of work for all who want the same at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from shared import deadlines
from shared.flights import Flights


@dataclass
class Note:
    """Whether work under way serves no more."""

    void: bool = False


class Source:
    """Answers when it is told to, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.goes_on = asyncio.Event()

    async def __call__(self, note: Note) -> int:
        """Give the number of the question."""
        del note
        self.asked += 1
        number = self.asked
        await self.goes_on.wait()
        return number


def join(flights: Flights[str, Note, int], key: str, source: Source) -> asyncio.Task[int]:
    """Join the work for a key that is not void."""
    return flights.join(key, Note, source, lambda note: not note.void)


async def test_whoever_comes_meanwhile_joins_and_whoever_comes_after_does_not() -> None:
    flights, source = Flights[str, Note, int](), Source()
    tasks = [join(flights, "a", source) for _ in range(5)] + [join(flights, "b", source)]
    source.goes_on.set()
    assert await asyncio.gather(*tasks) == [1, 1, 1, 1, 1, 2]
    assert list(flights.notes()) == []
    assert await join(flights, "a", source) == 3


async def test_work_that_serves_no_more_goes_on_for_those_who_wait_for_it() -> None:
    flights, source = Flights[str, Note, int](), Source()
    first = join(flights, "a", source)
    [note] = flights.of("a")
    note.void = True
    second, third = join(flights, "a", source), join(flights, "a", source)
    assert [key for key, _ in flights.notes()] == ["a", "a"]
    source.goes_on.set()
    assert list(await asyncio.gather(first, second, third)) == [1, 2, 2]
    assert flights.of("a") == []


async def test_the_work_outlives_whoever_began_it_and_has_not_its_deadline() -> None:
    flights, source = Flights[str, Note, int](), Source()
    left: list[float | None] = []

    async def look(note: Note) -> int:
        left.append(deadlines.remaining())
        return await source(note)

    async def hurried() -> int:
        with deadlines.deadline(1000.0):
            return await asyncio.shield(flights.join("a", Note, look, lambda _: True))

    waiting = asyncio.ensure_future(hurried())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    other = flights.join("a", Note, look, lambda _: True)
    source.goes_on.set()
    assert (await other, source.asked) == (1, 1)
    assert left == [None]
