"""The clocks and the randomness that tests can hold still."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import ManualClock, SystemClock
from shared.randomness import SeededRandomness, SystemRandomness, uniform

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(condition: Callable[[], bool]) -> None:
    """Let the other tasks run until it holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is the loop itself
            await asyncio.sleep(0)


def test_the_system_clock_is_aware_and_does_not_go_back() -> None:
    clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() <= clock.monotonic()


async def test_a_manual_clock_wakes_its_sleepers_in_the_order_of_their_deadlines() -> None:
    clock = ManualClock()
    woken: list[float] = []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    async with asyncio.TaskGroup() as group:
        for seconds in (3.0, 1.0, 2.0):
            group.create_task(sleeper(seconds))
        await until(lambda: clock.sleepers == 3)
        clock.advance(0.5)
        await asyncio.sleep(0)
        assert woken == []
        clock.advance(1.5)
        await until(lambda: len(woken) == 2)
        assert woken == [1.0, 2.0]
        clock.advance(10)
    assert woken == [1.0, 2.0, 3.0]
    assert clock.monotonic() == 12.0


async def test_a_cancelled_sleeper_does_not_wake() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(1))
    await until(lambda: clock.sleepers == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleepers == 0
    clock.advance(2)


def test_a_manual_clock_neither_goes_back_nor_starts_without_a_zone() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        ManualClock().advance(-1)
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert ManualClock(noon).now() == datetime(2026, 1, 1, 10, tzinfo=UTC)


@given(seed=st.integers(), sizes=st.lists(st.integers(0, 40), max_size=10))
def test_the_same_seed_gives_the_same_bytes(seed: int, sizes: list[int]) -> None:
    first, second = SeededRandomness(seed), SeededRandomness(seed)
    for size in sizes:
        drawn = first.bytes(size)
        assert len(drawn) == size
        assert drawn == second.bytes(size)
    assert 0.0 <= uniform(first) < 1.0


def test_the_system_gives_different_bytes() -> None:
    assert SystemRandomness().bytes(16) != SystemRandomness().bytes(16)
