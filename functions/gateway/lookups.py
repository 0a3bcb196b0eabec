"""Looking keys up: a small memory in front of the directory.

A row is remembered for `REMEMBERED_SECONDS`. A key that is revoked leaves a mark in the cache, which the door reads in
the same call as the limits: every instance refuses the key from the next request on. Where the cache is away, nothing
remembered is believed.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeVar

from shared import apikeys
from shared.cache import CacheError, CacheUnavailableError
from shared.problems import Problem
from shared.telemetry import logger

if TYPE_CHECKING:
    from uuid import UUID

    from shared.apikeys import ApiKey
    from shared.cache import Cache
    from shared.clock import Clock
    from shared.database import Database

REMEMBERED_SECONDS: Final = 10.0
TOUCHED_SECONDS: Final = 60.0
_MOST: Final = 10_000
_log = logger(__name__)
K = TypeVar("K")
V = TypeVar("V")


def revocation_mark(org_id: UUID, key_id: UUID) -> str:
    """Give the cache's key that says: this API key was revoked just now."""
    return f"hal9:{{{org_id}}}:revoked:{key_id}"


async def mark_revoked(cache: Cache, org_id: UUID, key_id: UUID) -> None:
    """Let every instance know that a key was revoked, for longer than any remembers it.

    Raises:
        CacheError, CacheUnavailableError: It is not known before that time is over.
    """
    await cache.execute("SET", revocation_mark(org_id, key_id), 1, "EX", int(REMEMBERED_SECONDS * 3))


class Lookups:
    """Finds keys by prefix.

    Args:
        directory: The database that holds the keys.
        cache: Takes the marks of revoked keys.
        clock: Says what is too old to be believed.
    """

    def __init__(self, directory: Database, cache: Cache, clock: Clock) -> None:
        self._directory = directory
        self._cache = cache
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()
        self._touched: OrderedDict[UUID, float] = OrderedDict()

    async def find(self, prefix: str, *, fresh: bool = False) -> tuple[ApiKey | None, bool]:
        """Give the key of that prefix, None when there is none, and whether it was read just now.

        Args:
            prefix: What finds it.
            fresh: Read it anew, whatever is remembered. Unknown prefixes are never remembered.
        """
        now = self._clock.monotonic()
        known = self._known.get(prefix)
        if known is not None and not fresh and now - known[0] < REMEMBERED_SECONDS:
            return known[1], False
        key = await apikeys.find(self._directory, prefix)
        if key is None:
            self._known.pop(prefix, None)
        else:
            _remember(self._known, prefix, (now, key))
        return key, True

    async def stands(self, key: ApiKey) -> bool:
        """Say whether a key that was good still is: a revocation is known at once, or after `REMEMBERED_SECONDS`.

        Never raises on account of cache or directory: while that one is away, nobody can revoke a key.
        """
        try:
            if await self._cache.execute("EXISTS", revocation_mark(key.org_id, key.key_id)):
                return False
        except (CacheUnavailableError, CacheError):
            pass  # then the row counts, which is remembered for a few seconds only
        try:
            found, _ = await self.find(key.prefix)
        except Problem:
            return True
        return found is not None and found.active(self._clock.now())

    async def revoked(self, key: ApiKey) -> None:
        """Let every instance know that a key was revoked.

        Forget it here, and mark it for the others for longer than they remember.
        """
        self._known.pop(key.prefix, None)
        try:
            await mark_revoked(self._cache, key.org_id, key.key_id)
        except (CacheUnavailableError, CacheError) as error:
            _log.warning("a revoked key is believed elsewhere for some seconds: the cache is away", error=str(error))

    def due(self, key: ApiKey) -> bool:
        """Say whether it is time to note the key's use again, and count on it being done."""
        now = self._clock.monotonic()
        last = self._touched.get(key.key_id)
        if last is not None and now - last < TOUCHED_SECONDS:
            return False
        _remember(self._touched, key.key_id, now)
        return True


def _remember(into: OrderedDict[K, V], key: K, value: V) -> None:
    into[key] = value
    into.move_to_end(key)
    if len(into) > _MOST:
        into.popitem(last=False)
