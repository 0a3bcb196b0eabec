"""Places in fair turns: whose is the next one, and what becomes of the places of those who stop waiting."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from shared.fairness import Places


class Served:
    """Those who were served, in their order; each holds its place until it is let go."""

    def __init__(self, places: Places[str], weights: dict[str, float]) -> None:
        self.order: list[str] = []
        self.here = 0
        self._places = places
        self._weights = weights
        self._go = asyncio.Semaphore(0)

    async def one(self, flow: str) -> None:
        async with self._places.place(flow, self._weights[flow]):
            self.order.append(flow)
            self.here += 1
            await self._go.acquire()
            self.here -= 1

    async def next(self) -> None:
        """Let one go, and whoever comes after it in."""
        self._go.release()
        await settled()


async def settled() -> None:
    """Let everybody go as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_quiet_one_is_next_however_many_of_others_came_before() -> None:
    served = Served(Places(1), {"noisy": 1, "quiet": 1})
    waiting = [asyncio.create_task(served.one(flow)) for flow in ["noisy"] * 20 + ["quiet"]]
    await settled()
    for _ in range(20):
        await served.next()
    assert served.order[:2] == ["noisy", "quiet"]
    await served.next()
    await asyncio.gather(*waiting)
    assert served.order == ["noisy", "quiet", *["noisy"] * 19]


async def test_those_who_always_wait_share_by_weight_and_never_hold_more_than_there_are() -> None:
    places: Places[str] = Places(2)
    served = Served(places, {"free": 1, "enterprise": 8})
    waiting = [asyncio.create_task(served.one(flow)) for flow in ["free"] * 30 + ["enterprise"] * 30]
    await settled()
    for _ in range(18):
        assert served.here == 2
        await served.next()
    assert served.order[2:].count("enterprise") == 16
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_who_stops_waiting_takes_no_place_along() -> None:
    places: Places[str] = Places(1)
    served = Served(places, dict.fromkeys("abc", 1))
    first, gone, last = (asyncio.create_task(served.one(flow)) for flow in "abc")
    await settled()
    gone.cancel()
    await settled()
    await served.next()
    assert served.order == ["a", "c"]
    await served.next()
    await asyncio.gather(first, last)
    # Given its turn and cancelled at once: the place goes on to whoever waits.
    async with places.place("a", 1):
        unlucky, lucky = asyncio.create_task(served.one("b")), asyncio.create_task(served.one("c"))
        await settled()
    unlucky.cancel()
    await settled()
    assert served.order == ["a", "c", "c"]
    await served.next()
    await lucky
    with contextlib.suppress(asyncio.CancelledError):
        await unlucky
    async with asyncio.timeout(5), places.place("a", 1):
        pass


@pytest.mark.parametrize("flow_of_the_gone", ["b", "c"])
async def test_a_place_is_not_handed_to_one_who_was_cancelled_and_does_not_know_it_yet(flow_of_the_gone: str) -> None:
    places: Places[str] = Places(1)
    served = Served(places, dict.fromkeys("abc", 1))
    async with places.place("a", 1):
        gone, last = asyncio.create_task(served.one(flow_of_the_gone)), asyncio.create_task(served.one("c"))
        await settled()
        gone.cancel()
    await settled()
    assert served.order == ["c"]
    with pytest.raises(asyncio.CancelledError):
        await gone
    await served.next()
    await last


async def test_a_place_is_free_where_all_who_waited_were_cancelled_and_do_not_know_it_yet() -> None:
    places: Places[str] = Places(1)
    served = Served(places, dict.fromkeys("ab", 1))
    async with places.place("a", 1):
        waiting = [asyncio.create_task(served.one(flow)) for flow in "aabb"]
        await settled()
        for task in waiting:
            task.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in ended] == [asyncio.CancelledError] * 4
    async with asyncio.timeout(5), places.place("c", 1):
        assert served.order == []


async def test_a_place_is_free_again_when_its_holder_fails() -> None:
    places: Places[str] = Places(1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            async with places.place("a", 1):
                raise RuntimeError
