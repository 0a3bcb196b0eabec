"""A cache whose values expire."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

K = TypeVar("K")
V = TypeVar("V")


class TTLCache(Generic[K, V]):
    """Keeps each value for its time to live, in seconds.

    With a `capacity`, a further value takes the place of the one that expires first.

    Raises:
        ValueError: The time to live is not above 0, or the capacity is below 1.

    Examples:
        >>> cache: TTLCache[str, int] = TTLCache(ttl=60)
        >>> cache.put("a", 1)
        >>> cache.get("a")
        1
    """

    def __init__(self, ttl: float, capacity: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        if capacity is not None and capacity < 1:
            raise ValueError("The capacity must be at least 1.")
        self._ttl = _positive(ttl)
        self._capacity = capacity
        self._clock = clock
        self._values: dict[K, tuple[V, float]] = {}

    def get(self, key: K, default: V | None = None) -> V | None:
        """Give the value of a key; `default` when there is none, or when it has expired."""
        found = self._values.get(key)
        if found is None:
            return default
        value, expires = found
        if expires <= self._clock():
            del self._values[key]
            return default
        return value

    def put(self, key: K, value: V, ttl: float | None = None) -> None:
        """Keep a value under a key, for `ttl` seconds or for the cache's own time to live.

        Raises:
            ValueError: The time to live is not above 0.
        """
        lasts = self._ttl if ttl is None else _positive(ttl)
        self._values.pop(key, None)
        self.purge()
        if self._capacity is not None and len(self._values) >= self._capacity:
            del self._values[min(self._values, key=lambda known: self._values[known][1])]
        self._values[key] = (value, self._clock() + lasts)

    def delete(self, key: K) -> bool:
        """Forget a key; tell whether it was there and had not expired."""
        known = key in self
        self._values.pop(key, None)
        return known

    def purge(self) -> int:
        """Forget what has expired; tell how much that was."""
        now = self._clock()
        expired = [key for key, (_, expires) in self._values.items() if expires <= now]
        for key in expired:
            del self._values[key]
        return len(expired)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()

    def keys(self) -> list[K]:
        """List the keys that have not expired."""
        now = self._clock()
        return [key for key, (_, expires) in self._values.items() if expires > now]

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, key: object) -> bool:
        return any(known == key for known in self.keys())


def _positive(ttl: float) -> float:
    if not ttl > 0:
        raise ValueError("The time to live must be greater than 0.")
    return ttl
