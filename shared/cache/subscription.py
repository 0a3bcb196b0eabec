"""Messages of a channel (Pub/Sub), over a connection of their own that is made again when it is lost.

Promises: whoever listens is told before the first message that it hears, and as soon as it is known that it does not:
what was said in between is lost, and it must act on that. A connection on which nothing comes for `QUIET_SECONDS`
is asked; one that does not answer is lost.
Does not: keep messages.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Protocol

from shared.cache.client import Cache, CacheUnavailableError
from shared.cache.resp import CacheError, Parser, ProtocolError, encode
from shared.clock import SystemClock
from shared.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.cache.resp import Reply
    from shared.clock import Clock

QUIET_SECONDS: Final = 0.25
_CONNECT_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_READ_BYTES: Final = 65536
_log = logger(__name__)


class Listener(Protocol):
    """What hears the messages. None of its methods may block or raise."""

    def hearing(self) -> None:
        """From now on every message comes."""

    def deaf(self) -> None:
        """Messages are lost from a moment on that is already past."""

    def heard(self, message: bytes) -> None:
        """A message came."""


class Subscription:
    """One channel's messages, for one listener.

    Args:
        cache: Says where the server is.
        channel: The channel.
        listener: Is told.
        clock: Waits between tries to connect.
    """

    def __init__(self, cache: Cache, channel: str, listener: Listener, clock: Clock | None = None) -> None:
        self._cache = cache
        self._channel = channel
        self._listener = listener
        self._clock = clock or SystemClock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen; it takes a moment until `hearing`."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Listen no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                async for reply in self._replies():
                    failures = 0
                    self._take(reply)
            except (OSError, EOFError, TimeoutError, ProtocolError, CacheError, CacheUnavailableError) as error:
                if failures == 0:
                    _log.warning("the cache's messages cannot be heard", error=f"{type(error).__name__}: {error}")
            finally:
                self._listener.deaf()
            await self._clock.sleep(_AGAIN_SECONDS[min(failures, len(_AGAIN_SECONDS) - 1)])
            failures += 1

    def _take(self, reply: Reply) -> None:
        if isinstance(reply, CacheError):
            raise reply
        match reply:
            case [b"subscribe", *_]:
                self._listener.hearing()
            case [b"message", _, bytes(message)]:
                self._listener.heard(message)

    async def _replies(self) -> AsyncIterator[Reply]:
        """Connect and subscribe; give what comes until the connection is lost."""
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await self._cache.stream()
        try:
            writer.write(encode(("SUBSCRIBE", self._channel)))
            parser = Parser()
            asked = False
            while True:
                try:
                    async with asyncio.timeout(QUIET_SECONDS):
                        data = await reader.read(_READ_BYTES)
                except TimeoutError:
                    if asked:
                        raise
                    writer.write(encode(("PING",)))
                    asked = True
                    continue
                if not data:
                    raise EOFError("the server closed the connection")
                asked = False
                for reply in parser.feed(data):
                    yield reply
        finally:
            writer.close()
