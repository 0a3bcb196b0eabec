"""The one source of time: what every part asks instead of the system, so that a test moves time by hand.

Promises: `now` is an aware datetime in UTC; `monotonic` never goes back; a `ManualClock` moves only when told to, and
wakes its sleepers in the order of their deadlines. Does not: schedule anything (see the platform's clock), nor
measure CPU.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What tells the time and waits for it."""

    def now(self) -> datetime:
        """The wall-clock time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary origin; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds; zero or less still yields to the event loop once."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The wall-clock time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since the machine's start, more or less."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds on the event loop."""
        await asyncio.sleep(max(0.0, seconds))


class ManualClock:
    """A clock for tests: it stands still until `advance`.

    Args:
        start: the first answer of `now`; aware.
    """

    def __init__(self, start: datetime = EPOCH) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware datetime: give it a tzinfo")
        self._now = start.astimezone(UTC)
        self._monotonic = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """The time that the clock was moved to."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that the clock was moved by."""
        return self._monotonic

    @property
    def sleepers(self) -> int:
        """How many tasks wait for this clock; a test polls it before it advances."""
        return sum(1 for _, _, future in self._sleepers if not future.done())

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved by that many seconds."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), future))
        await future

    def advance(self, seconds: float) -> None:
        """Move the clock forward and wake whoever's time has come.

        Raises:
            ValueError: `seconds` is negative; a monotonic clock does not go back.
        """
        if seconds < 0:
            raise ValueError("a clock does not go back: advance by zero or more seconds")
        self._monotonic += seconds
        self._now += timedelta(seconds=seconds)
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
