"""Work side by side: one fails, and no other goes on."""

from __future__ import annotations

import asyncio

import pytest

from shared.tasks import together


async def give(value: int) -> int:
    return value


async def test_what_came_of_each_is_given_in_order() -> None:
    assert await together(give(1), give(2), give(3)) == (1, 2, 3)


async def test_when_one_fails_the_others_have_ended_before_the_failure_is_raised_as_it_is() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # an end that takes its time
            ended.append(True)

    async def fail() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await together(fail(), wait())
    assert ended == [True]


async def test_who_is_cancelled_leaves_nothing_running() -> None:
    begun, ended = asyncio.Event(), []

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    both = asyncio.create_task(together(wait(), wait()))
    await begun.wait()
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both
    assert ended == [True, True]
