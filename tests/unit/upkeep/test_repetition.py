"""What goes on between two ticks of a slow clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from functions.upkeep.repetition import TICK_SECONDS, Occasion, Repetition
from shared.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable


class Turns:
    def __init__(self, clock: ManualClock) -> None:
        self.at: list[float] = []
        self.failing = False
        self._clock = clock

    async def __call__(self) -> None:
        self.at.append(self._clock.monotonic())
        if self.failing:
            raise ConnectionError("a shard does not answer")


async def settled(condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came about")


async def pass_time(clock: ManualClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.advance(1)
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_tick_is_followed_by_turns_until_the_next_one_is_due() -> None:
    clock = ManualClock()
    turns = Turns(clock)
    row = Repetition(turns, 5.0, clock)
    row.begin()
    await settled(lambda: clock.sleepers == 1)
    await pass_time(clock, 200)
    assert turns.at == [5.0 * number for number in range(1, 12)]
    assert clock.sleepers == 0


async def test_ticks_make_one_row_whatever_fails() -> None:
    clock = ManualClock()
    turns = Turns(clock)
    turns.failing = True
    row = Repetition(turns, 5.0, clock)
    for _ in range(3):
        row.begin()
    await settled(lambda: clock.sleepers == 1)
    await pass_time(clock, 30)
    row.begin()  # a tick that came early: the row goes on from it
    await pass_time(clock, 80)
    assert turns.at == [5.0 * number for number in range(1, 18)]
    await pass_time(clock, int(TICK_SECONDS))
    row.begin()
    await settled(lambda: clock.sleepers == 1)
    await row.close()
    await pass_time(clock, 60)
    assert len(turns.at) == 17


async def test_where_the_clock_is_fast_nothing_is_repeated() -> None:
    clock = ManualClock()
    row = Repetition(Turns(clock), 0.0, clock)
    row.begin()
    await pass_time(clock, 10)
    assert clock.sleepers == 0
    await row.close()


async def test_an_occasion_comes_at_once_and_then_as_often_as_it_says() -> None:
    async def work(resources: object) -> None:
        del resources

    clock = ManualClock()
    occasion = Occasion(work, 20.0, clock)
    taken = []
    for second in range(0, 60, 5):
        if occasion.taken():
            taken.append(second)
        clock.advance(5)
    assert taken == [0, 20, 40]
