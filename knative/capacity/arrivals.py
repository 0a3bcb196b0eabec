"""Who asks, and when: a rate that may change, or a number of people who think between their requests.

Promises: an open arrival process is exactly Poisson for a rate that is constant within a second; a closed one never has
more requests under way than people. Does not: let anybody try again what was refused, except that people go on.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence


class Arrivals(Protocol):
    """A source of requests."""

    part_seconds: float
    """How far `until` may be asked to look ahead: the ends of what came before must be known."""

    def until(self, begin: float, end: float) -> list[float]:
        """Give the moments from `begin` up to `end` at which requests arrive, in order."""
        ...

    def answered(self, moments: Sequence[float]) -> None:
        """Take the moments at which requests ended."""
        ...


class Open:
    """Requests that come whether earlier ones are answered or not: a Poisson process.

    Args:
        rate: requests a second, in each second.
        chance: where randomness comes from.
    """

    part_seconds = 1.0

    def __init__(self, rate: Callable[[int], float], chance: random.Random) -> None:
        self._rate = rate
        self._chance = chance

    def until(self, begin: float, end: float) -> list[float]:
        """Give the moments within one second."""
        rate = self._rate(int(begin))
        if rate <= 0:
            return []
        draw, log, mean = self._chance.random, math.log, 1 / rate
        moments: list[float] = []
        # The process has no memory, so it may begin anew with every part.
        moment = begin - log(1 - draw()) * mean
        while moment < end:
            moments.append(moment)
            moment -= log(1 - draw()) * mean
        return moments

    def answered(self, moments: Sequence[float]) -> None:
        """Do nothing: nobody waits for an answer before asking again."""


class Closed:
    """People who ask, wait for the answer, think (exponentially), and ask again.

    Args:
        users: how many there are, in each second; who comes first thinks first, who leaves does so while thinking.
        think_seconds: on average.
        chance: where randomness comes from.
    """

    def __init__(self, users: Callable[[int], int], think_seconds: float, chance: random.Random) -> None:
        self.part_seconds = min(1.0, 2.0 ** math.floor(math.log2(max(think_seconds / 20, 0.01))))
        self._users = users
        self._think_seconds = think_seconds
        self._chance = chance
        self._next: list[float] = []
        self._under_way = 0

    def until(self, begin: float, end: float) -> list[float]:
        """Give the moments of a part; who is answered within it asks again after it at the earliest."""
        self._settle(begin)
        moments = []
        while self._next and self._next[0] < end:
            moments.append(max(begin, heapq.heappop(self._next)))
        self._under_way += len(moments)
        return moments

    def answered(self, moments: Sequence[float]) -> None:
        """Let those whose requests ended think."""
        self._under_way -= len(moments)
        for moment in moments:
            heapq.heappush(self._next, moment + self._thought())

    def _settle(self, now: float) -> None:
        """Let people come and go until there are as many as there should be."""
        missing = self._users(int(now)) - len(self._next) - self._under_way
        for _ in range(missing):
            heapq.heappush(self._next, now + self._thought())
        for _ in range(min(-missing, len(self._next))):
            self._next.pop()

    def _thought(self) -> float:
        return self._chance.expovariate(1 / self._think_seconds) if self._think_seconds > 0 else 0.0


def trace(values: Sequence[float]) -> Callable[[int], float]:
    """Give the rate that was recorded for each second; zero after the last."""
    return lambda second: values[second] if second < len(values) else 0.0
