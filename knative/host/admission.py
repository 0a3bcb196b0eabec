"""How much is done at once: slots, and a bounded queue before them."""

from __future__ import annotations

import asyncio
from collections import deque

from shared.problems import Problem


class Admission:
    """A number of slots and a bounded first-in-first-out queue.

    Args:
        slots: requests at once.
        queue: requests that may wait; the next one is refused.
    """

    def __init__(self, slots: int, queue: int) -> None:
        self._free = slots
        self._slots = slots
        self._queue = queue
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def running(self) -> int:
        """How many slots are taken."""
        return self._slots - self._free

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiters)

    def enter_at_once(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self._free and not self._waiters:
            self._free -= 1
            return True
        return False

    async def enter(self) -> None:
        """Wait for a slot.

        Raises:
            Problem: 503 `overloaded` with Retry-After: the queue is full.
        """
        if self.enter_at_once():
            return
        if len(self._waiters) >= self._queue:
            raise Problem(
                "overloaded", 503, "This instance has as much to do as it can: try again.", headers={"Retry-After": "1"}
            )
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave()  # the slot came with the cancellation: pass it on
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def leave(self) -> None:
        """Give a slot back: to the one that waits longest, if one does."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
