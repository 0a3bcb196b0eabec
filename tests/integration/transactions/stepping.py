"""A coordinator that stands still at every named point until it is told to go on, or that it is dead."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING

from shared import chaos
from shared.database import DatabaseSettings
from shared.settings import load
from shared.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SECONDS = 15.0


class Stepper:
    """Runs something on shards of its own, in a thread of its own, one point after the other.

    Args:
        dsns: Addresses of the shards for the role hal9_app.
        doing: What to run.

    Attributes:
        at: The point at which it stands; None before the first and after the end.
        over: It has come to its end.
        failed: What it raised.
    """

    def __init__(self, dsns: str, doing: Callable[[Shards], Awaitable[object]]) -> None:
        self.at: str | None = None
        self.over = False
        self.failed: BaseException | None = None
        self._dsns = dsns
        self._doing = doing
        self._reached: queue.Queue[str | None] = queue.Queue()
        self._told: queue.Queue[bool] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            asyncio.run(self._done())
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.failed = error
        self._reached.put(None)

    async def _done(self) -> None:
        shards = Shards.open(
            load(DatabaseSettings, {"HAL9_SHARDS": self._dsns, "HAL9_POOL_STAGGER_SECONDS": "0"}),
            application_name="stepper",
        )
        try:
            await shards.check()
            with chaos.observed(self._stand):
                await self._doing(shards)
        finally:
            await shards.close()

    def _stand(self, name: str) -> None:
        """Stop this thread's loop here: nothing of it goes on meanwhile."""
        self._reached.put(name)
        if not self._told.get(timeout=SECONDS):
            raise chaos.Killed

    def step(self) -> str | None:
        """Go on to the next point; None at the end."""
        if not self._thread.is_alive() and not self.over and self.at is None:
            self._thread.start()
        elif not self.over:
            self._told.put(True)
        return self._arrived()

    def to(self, point: str) -> None:
        """Go on to that point."""
        while self.step() != point:
            assert not self.over, f"it ended before {point}: {self.failed!r}"

    def kill(self) -> None:
        """Let it die where it stands: what it has open is lost, what it has prepared stays."""
        if self.over:
            return
        if self.at is not None:
            self._told.put(False)
            while self._arrived() is not None:
                self._told.put(False)
        self.over = True

    def finish(self) -> None:
        """Go on to the end."""
        while not self.over:
            self.step()

    def _arrived(self) -> str | None:
        if not self.over:
            self.at = self._reached.get(timeout=SECONDS)
            self.over = self.at is None
        return self.at
