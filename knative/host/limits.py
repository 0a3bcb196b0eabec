"""How long a body may be, and how much of bodies an instance holds at once.

Promises: a route's limit is known before its body is read; what all bodies hold beyond what is read ahead of a function
is bounded by the instance's memory, shared so that nobody keeps the others out, and given back to the system when the
last of them is done.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

from shared.problems import Problem

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from knative.description import FunctionDescription

_PART_OF_MEMORY: Final = 6  # a body is held once as it came and once as one piece, and what is made of it is as large
_REST_SECONDS: Final = 1.0


class BodyLimits:
    """The longest body of each path.

    Args:
        description: The function.toml: its routes have limits of their own, all else has the function's.
    """

    def __init__(self, description: FunctionDescription) -> None:
        self._other = description.body_limit_bytes
        self._fixed = {(route.method, route.path): route.body_limit_bytes for route in description.routes}
        self._patterns: list[tuple[str, re.Pattern[str], int]] = [
            (route.method, route.pattern(), route.body_limit_bytes) for route in description.routes if "{" in route.path
        ]
        limits = [self._other, *self._fixed.values()]
        self.least, self.most = min(limits), max(limits)

    def of(self, method: str, path: str) -> int:
        """Give the longest body of a request, in bytes."""
        limit = self._fixed.get((method, path))
        if limit is not None:
            return limit
        for wanted, pattern, of_pattern in self._patterns:
            if wanted == method and pattern.fullmatch(path):
                return of_pattern
        return self._other


class BodyBudget:
    """What long bodies may hold in memory together: a part of the instance's, at least one body of the longest.

    A body takes its whole length at once, or a crowd of them would stop each other half-way. Short ones, which are read
    ahead anyway, take nothing. Whoever holds some already gets more only while a part of what is free is left to
    others: a share that shrinks as the instance fills (dynamic thresholds, Choudhury and Hahne 1998). So bodies that
    stall are in the way of whoever sent them, long before they are in the way of everybody.

    Args:
        memory_bytes: What the instance has.
        longest: The longest body that any path takes, in bytes.
    """

    def __init__(self, memory_bytes: int, longest: int) -> None:
        self.limit = max(memory_bytes // _PART_OF_MEMORY, longest)
        self.held = 0
        self._holders = Counter[str]()

    def take(self, size: int, shares: Mapping[str, float]) -> None:
        """Take room for a body.

        Args:
            size: Its bytes.
            shares: Who holds it, and how much of what is free each may hold when it holds something already; empty
                for the platform's own, which no share binds.

        Raises:
            Problem: 503 `overloaded` with Retry-After: there is not so much room now.
        """
        free = self.limit - self.held
        if size > free:
            raise _overloaded("This instance holds as many large bodies as it can: try again.")
        for holder, part in shares.items():
            held = self._holders[holder]
            if held and held + size > part * free:
                raise _overloaded("This instance holds as many of your large bodies as it can: wait until one is done.")
        self.held += size
        self._holders.update(dict.fromkeys(shares, size))

    def give_back(self, size: int, shares: Mapping[str, float]) -> None:
        """Give room back; when nobody holds any for a moment, the memory goes back to the system."""
        self.held -= size
        for holder in shares:
            self._holders[holder] -= size
            if not self._holders[holder]:
                del self._holders[holder]
        if not self.held:
            asyncio.get_running_loop().call_later(_REST_SECONDS, self._rest)

    def _rest(self) -> None:
        if not self.held:
            _trim()


def _overloaded(detail: str) -> Problem:
    return Problem("overloaded", 503, detail, headers={"Retry-After": "2"})


def _trim() -> None:
    """Have the C library give free memory back: glibc keeps what lies below anything that is in use."""
    import ctypes  # here: most processes never need it

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
