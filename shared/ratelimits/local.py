"""The same algorithm in this process's memory: for when the cache is away, and as the script's oracle in tests."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from shared.clock import SystemClock
from shared.ratelimits.limit import MICROSECONDS, Limit, State, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.clock import Clock


class LocalLimiter:
    """Limits within one process; remembers a bounded number of keys, forgetting the longest unused.

    Args:
        clock: Gives the time; its wall clock, as the cache's is.
        remembered: How many keys are kept at most.
    """

    def __init__(self, clock: Clock | None = None, remembered: int = 10_000) -> None:
        self._clock = clock or SystemClock()
        self._most = remembered
        self._arrivals: OrderedDict[str, int] = OrderedDict()

    def take(self, asked: Sequence[tuple[Limit, str]]) -> Verdict:
        """Charge one request to each (limit, key), or to none.

        Args:
            asked: Limits with the keys that they are counted by.
        """
        now = round(self._clock.now().timestamp() * MICROSECONDS)
        arrivals = [self._arrival(limit, key, now) for limit, key in asked]
        waits = [
            arrival + limit.interval - limit.burst * limit.interval - now
            for (limit, _), arrival in zip(asked, arrivals, strict=True)
        ]
        allowed = all(wait <= 0 for wait in waits)
        states = []
        for (limit, key), arrival, wait in zip(asked, arrivals, waits, strict=True):
            ahead = arrival - now
            if allowed:
                ahead += limit.interval
                self._keep(key, now + ahead)
            remaining = max(0, (limit.burst * limit.interval - ahead) // limit.interval)
            states.append((limit, State(remaining, max(0, wait), ahead)))
        return Verdict(allowed, states, shared=False)

    def _arrival(self, limit: Limit, key: str, now: int) -> int:
        """The theoretical arrival time; never further ahead than a burst, though the clock was set back since."""
        arrival, most = max(self._arrivals.get(key, 0), now), now + limit.burst * limit.interval
        if arrival > most:
            self._keep(key, most)
        return min(arrival, most)

    def _keep(self, key: str, arrival: int) -> None:
        self._arrivals[key] = arrival
        self._arrivals.move_to_end(key)
        if len(self._arrivals) > self._most:
            self._arrivals.popitem(last=False)
