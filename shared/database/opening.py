"""Opening connections gently: few at a time, and not all instances in the same moment.

A connection is a process of the server's, so it is the opening that hurts: ten instances that start together, with
three shards each and everybody waiting, would ask for a hundred at once. Promises: one process opens at most `at_once`
connections at a time, whatever waits; its first one comes after a random part of `stagger_seconds`. Does not: bound how
many are open (the pools do), or retry (`shared.database.retry` does, with jitter).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shared.clock import SystemClock
from shared.database import hosts
from shared.randomness import SystemRandomness, uniform

if TYPE_CHECKING:
    import asyncpg

    from shared.clock import Clock
    from shared.randomness import Randomness

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any


class Openings:
    """What the pools of one process share when they open connections.

    Args:
        at_once: connections that are being opened at a time.
        stagger_seconds: the first one waits a random part of this.
        clock: waits.
        randomness: says how long.
    """

    def __init__(
        self,
        at_once: int = 2,
        stagger_seconds: float = 0.0,
        *,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
    ) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._stagger_seconds = stagger_seconds
        self._clock = clock or SystemClock()
        self._randomness = randomness or SystemRandomness()
        self._begin: float | None = None

    async def connect(self, dsn: str, **options: Any) -> Connection:
        """Connect as `shared.database.hosts.connect` does, when it is this connection's turn.

        The time that it waits for its turn is the caller's, not the connection's: what limits it is the deadline.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError: as there.
        """
        async with self._slots:
            if self._stagger_seconds > 0:
                await self._stagger()
            return await hosts.connect(dsn, **options)

    async def _stagger(self) -> None:
        if self._begin is None:
            self._begin = self._clock.monotonic() + uniform(self._randomness) * self._stagger_seconds
        left = self._begin - self._clock.monotonic()
        if left > 0:
            await self._clock.sleep(left)
