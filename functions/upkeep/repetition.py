"""Do something again and again for a while after the clock has asked for it.

Knative's clock ticks once a minute at most, and what a crash leaves should not wait so long. So a tick begins a row of
further turns that ends before the next tick; the next tick begins another. Promises: one row at a time, however many
ticks come; a turn that fails is logged and does not end the row; `close` ends it at once.
Does not: keep the instance there (the ticks do), or share the work among instances: two rows do no harm.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from shared.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.clock import Clock

TICK_SECONDS: Final = 60.0
"""Between two ticks of Knative's clock."""

_log = logger(__name__)


class Occasion:
    """Something that is done with a turn, but not with each.

    Args:
        work: What to do.
        every: Seconds between two of them at least.
        clock: Says how long ago the last one was.
    """

    def __init__(self, work: Callable[[Any], Awaitable[object]], every: float, clock: Clock) -> None:
        self.work = work
        self._every = every
        self._clock = clock
        self._taken_at = -math.inf

    def taken(self) -> bool:
        """Whether it is due; then it is not again before its time."""
        now = self._clock.monotonic()
        if now - self._taken_at < self._every:
            return False
        self._taken_at = now
        return True


class Repetition:
    """A row of turns.

    Args:
        turn: What to do.
        every: Seconds between two turns; 0 for none, where the clock itself ticks that often.
        clock: Waits.
    """

    def __init__(self, turn: Callable[[], Awaitable[object]], every: float, clock: Clock) -> None:
        self._turn = turn
        self._every = every
        self._clock = clock
        self._end = 0.0
        self._row: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin a row, or let the one that goes on go on until the next tick is due."""
        if not self._every:
            return
        self._end = self._clock.monotonic() + TICK_SECONDS - self._every / 2
        if self._row is None or self._row.done():
            self._row = asyncio.get_running_loop().create_task(self._go())

    async def _go(self) -> None:
        while self._clock.monotonic() + self._every < self._end:
            await self._clock.sleep(self._every)
            try:
                await self._turn()
            except Exception as error:  # noqa: BLE001 - the next turn may fare better, and nobody waits for this one
                _log.warning("repetition failed", error=f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """End the row."""
        if self._row is not None:
            self._row.cancel()
            await asyncio.gather(self._row, return_exceptions=True)
