"""Server-sent events (WHATWG HTML, section 9.2): the live stream of a run.

Promises: each event's `id` is its sequence, so that a client that lost the connection resumes after the last one it saw
(`Last-Event-ID`); a comment every few seconds keeps proxies from closing a quiet stream; the stream ends when the run
has.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from shared.problems import Problem, register

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from shared.clock import Clock
    from shared.neurons.wire import RunEvent

MEDIA_TYPE: Final = "text/event-stream"
register(
    "streams-exhausted",
    429,
    "Too many streams are open",
    "Close one that is no longer read, then open this one again; a stream can be resumed by Last-Event-ID.",
)

KEEP_ALIVE_SECONDS: Final = 15.0
_RETRY: Final = b"retry: 1000\n\n"
_COMMENT: Final = b": still here\n\n"


async def lines(events: AsyncIterator[RunEvent | None], clock: Clock) -> AsyncIterator[bytes]:
    """Write events as a stream.

    Args:
        events: What happens; None says that nothing did.
        clock: Says when a comment is due.
    """
    yield _RETRY
    last = clock.monotonic()
    async for event in events:
        if event is not None:
            yield f"id: {event.sequence}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n".encode()
        elif clock.monotonic() - last >= KEEP_ALIVE_SECONDS:
            yield _COMMENT
        else:
            continue
        last = clock.monotonic()


class Seats:
    """How many streams each organisation may have open in this process, so that none keeps the others out.

    Args:
        each: For one organisation.
    """

    def __init__(self, each: int) -> None:
        self._each = each
        self._taken: Counter[UUID] = Counter()

    def check(self, org_id: UUID) -> None:
        """Return when the organisation may open one more.

        Raises:
            Problem: 429 `streams-exhausted`.
        """
        if self._taken[org_id] >= self._each:
            raise Problem("streams-exhausted", headers={"Retry-After": "5"})

    async def held(self, org_id: UUID, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Give what a stream gives, counted as open until it ends or its reader leaves."""
        self._taken[org_id] += 1
        try:
            async for chunk in stream:
                yield chunk
        finally:
            self._taken[org_id] -= 1
            if not self._taken[org_id]:
                del self._taken[org_id]
