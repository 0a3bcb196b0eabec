"""A cache behind a breaker, for what cannot go on without it and must not wait for it either."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from shared.cache import Cache, CacheError, CacheUnavailableError
from shared.caching.breaker import Breaker
from shared.clock import SystemClock
from shared.telemetry import logger

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence

    from shared.cache.resp import Argument, Reply
    from shared.clock import Clock

T = TypeVar("T")
_log = logger(__name__)


class Guarded(Cache):
    """A cache that is left alone for a while when it did not answer several times in a row.

    Promises: while that lasts, one command a second waits for it, every other one fails at once; commands that waited
    together and failed together count as one failure, however many; a server that answers with a refusal (it loads its
    data, it is read-only, it is full) is as one that does not answer.

    Args:
        cache: The cache; a cluster too.
        breaker: Says when to try.
        clock: Tells the time.
    """

    def __init__(self, cache: Cache, breaker: Breaker | None = None, clock: Clock | None = None) -> None:
        self._cache = cache
        self._breaker = breaker or Breaker(clock=clock)
        self._clock = clock or SystemClock()
        self._failed_at = 0.0

    async def execute(self, *command: Argument) -> Reply:
        """Run one command; see `Cache.execute`."""
        return await self._tried(lambda: self._cache.execute(*command))

    async def pipeline(self, commands: Sequence[tuple[Argument, ...]]) -> list[Reply]:
        """Run several commands in one round trip; see `Cache.pipeline`."""
        return await self._tried(lambda: self._cache.pipeline(commands))

    async def stream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection of one's own, whatever the breaker says; see `Cache.stream`."""
        return await self._cache.stream()

    async def close(self) -> None:
        """Close the connection."""
        await self._cache.close()

    async def _tried(self, work: Callable[[], Awaitable[T]]) -> T:
        if not self._breaker.allows():
            raise CacheUnavailableError
        begun = self._clock.monotonic()
        try:
            done = await work()
        except CacheUnavailableError:
            self._failed(begun)
            raise
        except CacheError as error:
            if error.code == "NOSCRIPT":  # a server that answers, and knows no script yet: `run` sends it now
                self._breaker.succeeded()
                raise
            self._failed(begun)
            _log.warning("the cache refused a command", error=str(error))
            raise CacheUnavailableError from error
        self._breaker.succeeded()
        return done

    def _failed(self, begun: float) -> None:
        if begun >= self._failed_at:  # else it waited already when the last one failed
            self._failed_at = self._clock.monotonic()
            self._breaker.failed()
