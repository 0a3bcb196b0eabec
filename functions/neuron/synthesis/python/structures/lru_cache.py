"""A cache that forgets what was not used for longest."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LRUCache(Generic[K, V]):
    """Keeps at most `capacity` values; a further one takes the place of the least recently used.

    Getting and putting both count as use. Every operation takes constant time.

    Raises:
        ValueError: The capacity is below 1.

    Examples:
        >>> cache: LRUCache[str, int] = LRUCache(2)
        >>> cache.put("a", 1)
        >>> cache.put("b", 2)
        >>> cache.get("a")
        1
        >>> cache.put("c", 3)
        >>> "b" in cache
        False
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("The capacity must be at least 1.")
        self._capacity = capacity
        self._values: OrderedDict[K, V] = OrderedDict()
        self._hits = 0
        self._misses = 0

    @property
    def capacity(self) -> int:
        """The most values that are kept."""
        return self._capacity

    @property
    def hits(self) -> int:
        """How often `get` found its key."""
        return self._hits

    @property
    def misses(self) -> int:
        """How often `get` did not find its key."""
        return self._misses

    def get(self, key: K, default: V | None = None) -> V | None:
        """Give the value of a key, which thereby counts as used; `default` when there is none."""
        if key not in self._values:
            self._misses += 1
            return default
        self._hits += 1
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: K, value: V) -> None:
        """Keep a value under a key, in the place of an earlier one or of the least recently used."""
        if key in self._values:
            self._values.move_to_end(key)
        elif len(self._values) == self._capacity:
            self._values.popitem(last=False)
        self._values[key] = value

    def delete(self, key: K) -> bool:
        """Forget a key; tell whether it was there."""
        if key not in self._values:
            return False
        del self._values[key]
        return True

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()

    def keys(self) -> list[K]:
        """List the keys, the least recently used first."""
        return list(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values
