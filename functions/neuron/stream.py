"""Server-sent events (WHATWG HTML, section 9.2): the live stream of a run.

Promises: each event's `id` is its sequence, so that a client that lost the connection resumes after the last one it saw
(`Last-Event-ID`); a comment every few seconds keeps proxies from closing a quiet stream; the stream ends when the run
has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.clock import Clock
    from shared.neurons.wire import RunEvent

MEDIA_TYPE: Final = "text/event-stream"
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
