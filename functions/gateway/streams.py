"""Streams that end when whoever asked for them is admitted no more.

A request is admitted once; a stream may live for hours after that. So while one lives, whether its session or key still
stands is asked every `EVERY_SECONDS`. Where that cannot be known of a session several times in a row the stream ends as
well: its client asks again, and is told why.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from shared.clock import Clock

ADMITTED_SCOPE: Final = "hal9.admitted"
"""Where the door leaves what says whether whoever asked still is admitted."""

EVERY_SECONDS: Final = 1.0
_UNKNOWN: Final = 3
"""How often in a row the answer may stay out: a moment's trouble of the cache ends no streams."""


async def while_admitted(
    chunks: AsyncGenerator[bytes], admitted: Callable[[], Awaitable[bool]], clock: Clock
) -> AsyncGenerator[bytes]:
    """Give the chunks of a stream as they come, until it ends or `admitted` says no; then close it."""
    refused = asyncio.ensure_future(_refused(admitted, clock))
    coming = asyncio.ensure_future(anext(chunks, None))
    try:
        while True:
            await asyncio.wait({coming, refused}, return_when=asyncio.FIRST_COMPLETED)
            if refused.done() or (chunk := coming.result()) is None:
                return
            yield chunk
            coming = asyncio.ensure_future(anext(chunks, None))
    finally:
        refused.cancel()
        coming.cancel()
        await asyncio.gather(refused, coming, return_exceptions=True)
        await chunks.aclose()


async def _refused(admitted: Callable[[], Awaitable[bool]], clock: Clock) -> None:
    unknown = 0
    while unknown < _UNKNOWN:
        await clock.sleep(EVERY_SECONDS)
        try:
            if not await admitted():
                return
            unknown = 0
        except Problem:
            unknown += 1
