"""Cached look-ups in two levels: this process's memory, then the region's cache, then whoever knows.

    placements = Cached("placement", load, Coding(encode, decode), remote=Remote(cache), memory=Memory(2**20))
    placement = await placements.get(org_id, "")
    await placements.invalidate(org_id, "", version)     # after the commit that made `version`

Every value has a version, which whoever knows gives it (an epoch, a row's counter) and which only rises.
Promises: no older value takes the place of a newer one, in no level and whatever is late; an invalidation reaches every
process that listens, and one that does not hear drops what it has and keeps nothing until it hears again; one load at a
time for each key and process; memory is bounded by bytes; keys carry the organisation. When the cache is away or slow a
breaker leaves it alone: look-ups cost more then, and are right.
Does not: write through; invalidate when a process dies between its commit and `invalidate` (the time to live bounds
that).
"""

from __future__ import annotations

from shared.caching.breaker import Breaker
from shared.caching.cached import Cached, Coding, Loaded
from shared.caching.guarded import Guarded
from shared.caching.memory import Memory
from shared.caching.remote import Remote

__all__ = ["Breaker", "Cached", "Coding", "Guarded", "Loaded", "Memory", "Remote"]
