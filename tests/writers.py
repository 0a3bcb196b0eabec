"""Writers for tests that break things meanwhile: they remember what they were told, and can be waited for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.database import CommitUnknownError, ShardUnavailableError
from shared.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID


class Writers:
    """Tasks that enter one thing after the other until they are told to stop.

    Args:
        enter: Writes one, in a transaction.
        insist: Try the same one until it is acknowledged; else another one follows one that was refused, or whose
            outcome nobody knows.

    Attributes:
        acknowledged: What was committed, as the database said.
        refused: How often a shard was away, or an outcome unknown.
        over: Set it to stop them.
    """

    def __init__(self, enter: Callable[[UUID], Awaitable[None]], *, insist: bool) -> None:
        self.acknowledged: set[UUID] = set()
        self.refused = 0
        self.over = asyncio.Event()
        self._enter = enter
        self._insist = insist

    async def write(self) -> None:
        """Write, as one of them."""
        while not self.over.is_set():
            one = new_id()
            entered = await self._entered(one)
            while self._insist and not entered:
                entered = await self._entered(one)
            if entered:
                self.acknowledged.add(one)

    async def _entered(self, one: UUID) -> bool:
        try:
            await self._enter(one)
        except (ShardUnavailableError, CommitUnknownError):
            self.refused += 1
            await asyncio.sleep(0.02)  # a server comes back
            return False
        return True

    async def more(self, count: int) -> None:
        """Wait until so many more were acknowledged."""
        enough = len(self.acknowledged) + count
        async with asyncio.timeout(90):
            while len(self.acknowledged) < enough:  # noqa: ASYNC110 - work of other tasks
                await asyncio.sleep(0.005)
