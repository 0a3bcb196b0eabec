"""A number of places, given in fair turns to those who wait for one."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from shared.fairness.shares import FairShares

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

FlowT = TypeVar("FlowT", bound="Hashable")


class Places(Generic[FlowT]):
    """As a semaphore, but that the next place is the flow's that has had the least for its weight.

    Within a flow it is who came first. Who stops waiting takes no place along.

    Args:
        free: How many there are.
    """

    def __init__(self, free: int) -> None:
        self._free = free
        self._shares: FairShares[FlowT] = FairShares()
        self._waiting: dict[FlowT, deque[tuple[asyncio.Future[None], float]]] = {}

    @contextlib.asynccontextmanager
    async def place(self, flow: FlowT, weight: float) -> AsyncIterator[None]:
        """Wait for a place, and hold it.

        Args:
            flow: Whose it is.
            weight: Its share, against those of the others.
        """
        if self._free:  # then nobody waits: a place that becomes free is handed on
            self._free -= 1
            self._shares.charge(flow, weight)
        else:
            await self._wait(flow, weight)
        try:
            yield
        finally:
            self._hand_on()

    async def _wait(self, flow: FlowT, weight: float) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(flow, deque()).append((turn, weight))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._drop(flow, (turn, weight))
            else:  # it was given in this very moment
                self._shares.give_back(flow, weight)
                self._hand_on()
            raise

    def _hand_on(self) -> None:
        while self._waiting:
            flow = self._shares.next(self._waiting)
            turn, weight = one = self._waiting[flow][0]
            self._drop(flow, one)
            if not turn.done():  # else it was cancelled, and whoever waited has not run since
                self._shares.charge(flow, weight)
                turn.set_result(None)
                return
        self._free += 1

    def _drop(self, flow: FlowT, one: tuple[asyncio.Future[None], float]) -> None:
        """Take one who waits off the list, unless that was done already."""
        waiting = self._waiting.get(flow)
        if waiting is None or one not in waiting:
            return
        waiting.remove(one)
        if not waiting:
            del self._waiting[flow]
