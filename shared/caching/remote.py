"""The second level: the region's cache, behind a breaker, and the messages that invalidate.

An entry is `version:kind:value`, kind `v` for a value, `n` for what is known not to be there, `-` for an invalidation,
which stays as long as a value would. Scripts keep the highest version.
Promises: none of its calls raises on account of the cache, or takes longer than the cache's time-out; what is malformed
is as if it were not there.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from uuid import UUID

from shared.cache import CacheError, CacheUnavailableError, Script
from shared.cache.subscription import Subscription
from shared.caching.breaker import Breaker
from shared.telemetry import counter, gauge, logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from shared.cache import Cache
    from shared.cache.resp import Argument
    from shared.caching.memory import Key
    from shared.clock import Clock

T = TypeVar("T")
CHANNEL: Final = "hal9:caching"
_MOST_UNTOLD: Final = 10_000
_FOLDER: Final = Path(__file__).parent
_PUT: Final = Script((_FOLDER / "put.lua").read_text(encoding="utf-8"))
_INVALIDATE: Final = Script((_FOLDER / "invalidate.lua").read_text(encoding="utf-8"))
_ENTRY: Final = re.compile(rb"(\d{1,16}):([vn-]):(.*)", re.DOTALL)
_log = logger(__name__)
_hears = gauge("hal9_caching_hears", "1 while this process hears invalidations; it trusts its memory only then.")
_away = counter("hal9_caching_away_total", "Look-ups that went without the shared cache, because it was away or slow.")


class Found(NamedTuple):
    """What the cache has: a version, and the encoded value; None for what is known not to be there."""

    version: int
    value: bytes | None


class Hearing:
    """Who is to be told of invalidations: several caches over one subscription."""

    def __init__(self) -> None:
        self.now = False
        self.listeners: list[Listening] = []
        self.resume: Callable[[], None] = lambda: None

    def hearing(self) -> None:
        """From now on every invalidation comes."""
        self.now = True
        _hears.set(1)
        self.resume()

    def deaf(self) -> None:
        """Invalidations were missed."""
        self.now = False
        _hears.set(0)
        for listener in self.listeners:
            listener.deaf()

    def heard(self, message: bytes) -> None:
        """An invalidation: name, organisation, version and key."""
        try:
            name, org_id, version, key = message.decode().split("\0", 3)
            place = (name, UUID(org_id), key)
            number = int(version)
        except ValueError:
            _log.warning("a message in the channel of invalidations is none")
            return
        for listener in self.listeners:
            listener.invalidated(place, number)


class Listening:
    """What a cache does when it is told."""

    def deaf(self) -> None:
        """Invalidations were missed."""
        raise NotImplementedError

    def invalidated(self, key: Key, version: int) -> None:
        """What is older than this version is void."""
        raise NotImplementedError


class Remote:
    """The region's cache as a second level.

    Args:
        cache: The cache, with a short time-out of its own: what a look-up waits for it at most.
        breaker: Leaves it alone when it fails.
        clock: Waits between tries to subscribe.
    """

    def __init__(self, cache: Cache, breaker: Breaker | None = None, clock: Clock | None = None) -> None:
        self._cache = cache
        self._breaker = breaker or Breaker(clock=clock)
        self.hearing = Hearing()
        self.hearing.resume = self._tell_again
        self._subscription = Subscription(cache, CHANNEL, self.hearing, clock)
        self._untold: dict[Key, tuple[int, int]] = {}
        self._telling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen for invalidations."""
        self._subscription.start()

    async def stop(self) -> None:
        """Listen no more."""
        await self._subscription.stop()
        if self._telling is not None:
            self._telling.cancel()

    @property
    def hears(self) -> bool:
        """Whether every invalidation comes, and comes soon."""
        return self.hearing.now and not self._breaker.open

    async def get(self, key: Key) -> Found | None:
        """Give what the cache has; None for nothing, an invalidation, or no answer."""
        reply = await self._guarded(self._cache.execute("GET", _name(key)))
        match = _ENTRY.fullmatch(reply) if isinstance(reply, bytes) else None
        if match is None or match[2] == b"-":
            return None
        return Found(int(match[1]), match[3] if match[2] == b"v" else None)

    async def put(self, key: Key, found: Found, milliseconds: int) -> None:
        """Keep a value, unless there is a newer one."""
        kind, value = (b"n", b"") if found.value is None else (b"v", found.value)
        entry = b"%d:%b:%b" % (found.version, kind, value)
        await self._guarded(self._cache.run(_PUT, [_name(key)], [found.version, entry, milliseconds]))

    async def invalidate(self, key: Key, version: int, milliseconds: int) -> bool:
        """Make void what is older, here and in every process that listens; whether the cache answered."""
        message = "\0".join((key[0], str(key[1]), str(version), key[2]))
        arguments: list[Argument] = [version, milliseconds, CHANNEL, message]
        told = await self._guarded(self._cache.run(_INVALIDATE, [_name(key)], arguments), always=True) == 1
        if not told and len(self._untold) < _MOST_UNTOLD:
            self._untold[key] = (max(version, self._untold.get(key, (0, 0))[0]), milliseconds)
        return told

    async def forget(self, key: Key) -> bool:
        """Take an entry away, for a change that gave the value no new version; whether the cache answered.

        What processes keep in memory stays until it is not fresh any more.
        """
        return await self._guarded(self._cache.execute("DEL", _name(key)), always=True) is not None

    def _tell_again(self) -> None:
        """What the cache was not told while it was away, it is told now."""
        if self._untold and (self._telling is None or self._telling.done()):
            self._telling = asyncio.get_running_loop().create_task(self._tell_all())

    async def _tell_all(self) -> None:
        for key, (version, milliseconds) in list(self._untold.items()):
            del self._untold[key]
            if not await self.invalidate(key, version, milliseconds):
                return

    async def _guarded(self, call: Coroutine[Any, Any, T], *, always: bool = False) -> T | None:
        """Wait for the cache, if the breaker allows it; None for no answer."""
        if not (self._breaker.allows() or always):
            _away.add()
            call.close()
            return None
        try:
            reply = await call
        except (CacheUnavailableError, CacheError):
            self._breaker.failed()
            _away.add()
            return None
        self._breaker.succeeded()
        return reply


def _name(key: Key) -> str:
    """The cache's key; the organisation is its hash tag."""
    return f"cache:{{{key[1]}}}:{key[0]}:{key[2]}"
