"""Values in this process's memory, bounded by bytes; the longest unused go first.

Promises: a value never takes the place of one with a higher version. Does not: know when a value was invalidated.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from uuid import UUID

Key: TypeAlias = "tuple[str, UUID, str]"
"""The cache's name, the organisation, and the key."""

OVERHEAD_BYTES: Final = 400
"""What an entry takes beside its value and key, about."""


class Entry(NamedTuple):
    """One value.

    Attributes:
        version: Its version.
        value: The value; None for what is known not to be there.
        fresh_until: By the monotonic clock; afterwards it is looked up again.
        stale_until: Until then it may be served while it is looked up again.
        size: Its bytes.
    """

    version: int
    value: Any
    fresh_until: float
    stale_until: float
    size: int


class Memory:
    """The entries of any number of caches.

    Args:
        limit: Bytes that they take at most, about.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Entry | None:
        """Give an entry, and note that it was used."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        """Keep an entry, unless there is a newer one, or it is larger than the whole memory."""
        known = self._entries.get(key)
        if known is not None and known.version > entry.version:
            return
        self.drop(key)
        size = entry.size + len(key[2]) + OVERHEAD_BYTES
        if size > self._limit:
            return
        self._entries[key] = entry._replace(size=size)
        self.size += size
        while self.size > self._limit:
            _, gone = self._entries.popitem(last=False)
            self.size -= gone.size

    def drop(self, key: Key, below: int | None = None) -> None:
        """Forget an entry; with `below`, only one of a lower version."""
        entry = self._entries.get(key)
        if entry is not None and (below is None or entry.version < below):
            del self._entries[key]
            self.size -= entry.size

    def drop_all(self, name: str) -> None:
        """Forget a cache's entries."""
        for key in [key for key in self._entries if key[0] == name]:
            self.drop(key)
