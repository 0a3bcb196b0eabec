"""Limits on how often something may be done: the generic cell rate algorithm (GCRA, ITU-T I.371), several at once.

The state is one time for each limit and key, in the cache, changed by one Lua script: all limits pass, or none is
charged. When the cache does not answer in time, every process limits by itself with the same algorithm
(`LocalLimiter`), and looks for the cache again a second later: with n instances that lets through at most n times the
limit, and never nothing. Promises that a limiter never fails a request and never delays it by more than the cache's
time-out.
"""

from __future__ import annotations

from shared.ratelimits.limit import Limit, Verdict
from shared.ratelimits.limiter import Limiter
from shared.ratelimits.local import LocalLimiter

__all__ = ["Limit", "Limiter", "LocalLimiter", "Verdict"]
