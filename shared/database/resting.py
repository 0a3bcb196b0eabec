"""Connections at rest: those that were just used, kept at hand for whoever comes next.

asyncpg's pool shields each release in a task of its own and sets a timer for the connection's idle time: half of what a
short statement costs in this process. A process under load takes and gives back the same few connections; they stay
out of the pool for a moment, and go back to it when nobody wants one any more, or as soon as somebody waits for one.

Promises: no more connections than the pool has; the pool's own rules (size, idle time, a connection's end) hold after
at most `REST_SECONDS`. Does not: keep what is closed, or in a transaction.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REST_SECONDS: Final = 1.0


class Resting:
    """The connections at rest.

    Args:
        give_back: gives a connection back to its pool.

    Attributes:
        wanted: how many wait for a connection of the pool just now.
    """

    def __init__(self, give_back: Callable[[Any], Awaitable[None]]) -> None:
        self._give_back = give_back
        self._connections: list[Any] = []
        self._timer: asyncio.TimerHandle | None = None
        self._going: set[asyncio.Future[None]] = set()
        self.wanted = 0

    def __len__(self) -> int:
        return len(self._connections)

    def take(self) -> Any | None:
        """Give the connection that was used last; None when there is none."""
        while self._connections:
            connection = self._connections.pop()
            if not _is_closed(connection):
                return connection
            self._send_back(connection)
        return None

    def put(self, connection: Any) -> bool:
        """Keep a connection at hand; False: it belongs back to the pool now."""
        if self.wanted or not _sound(connection):
            return False
        self._connections.append(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(REST_SECONDS, self._disperse)
        return True

    def _disperse(self) -> None:
        self._timer = None
        for connection in self._connections:
            self._send_back(connection)
        self._connections.clear()

    def _send_back(self, connection: Any) -> None:
        going = asyncio.ensure_future(self._give_back(connection))
        self._going.add(going)
        going.add_done_callback(self._gone)

    def _gone(self, going: asyncio.Future[None]) -> None:
        self._going.discard(going)
        if not going.cancelled():
            going.exception()  # a connection that could not be given back is closed: there is nobody to tell

    def drop(self) -> None:
        """Forget them: their pool ends them."""
        self._connections.clear()

    async def empty(self) -> None:
        """Give all of them back."""
        if self._timer is not None:
            self._timer.cancel()
        self._disperse()
        if self._going:
            await asyncio.wait(set(self._going))


def _is_closed(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # it was lost, and asyncpg has taken it back already
        return True


def _sound(connection: Any) -> bool:
    """Whether a connection can be used again as it is."""
    return not _is_closed(connection) and not connection.is_in_transaction()
