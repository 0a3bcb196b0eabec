"""The cache: Valkey or Redis, for what may be lost (rate limits, sessions' index, cached answers).

    cache = Cache.open(load(CacheSettings))
    await cache.execute("SET", "key", b"value", "EX", 60)
    await cache.run(Script(lua), keys=["{org}:limit"], arguments=[1, 2])

Promises: one connection for each process, which every task shares (commands that are written at once travel at once);
a command ends within its time-out and the deadline; after a restart of the server the next command connects anew.
A `Subscription` (shared.cache.subscription) hears a channel's messages over a connection of its own.
`Cache.at` gives a cluster's (shared.cache.cluster), too, whose commands go where their keys are.
Does not: retry a command, or block (BLPOP). Not redis-py: importing
that costs more CPU than everything else that a lean function does until it is ready
(docs/decisions/0003-data-plane.md).
"""

from __future__ import annotations

from shared.cache.client import Cache, CacheSettings, CacheUnavailableError, Script
from shared.cache.resp import CacheError, ProtocolError

__all__ = ["Cache", "CacheError", "CacheSettings", "CacheUnavailableError", "ProtocolError", "Script"]
