"""A queue: what came first goes first."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class Queue(Generic[T]):
    """Gives the item first that was added first; with a `capacity`, it takes no more than that.

    Raises:
        ValueError: The capacity is below 1.
        OverflowError: There are more items than the capacity.

    Examples:
        >>> queue = Queue([1, 2])
        >>> queue.enqueue(3)
        >>> queue.dequeue()
        1
        >>> queue.peek()
        2
    """

    def __init__(self, items: Iterable[T] = (), capacity: int | None = None) -> None:
        if capacity is not None and capacity < 1:
            raise ValueError("The capacity must be at least 1.")
        self._capacity = capacity
        self._items: deque[T] = deque()
        for item in items:
            self.enqueue(item)

    def enqueue(self, item: T) -> None:
        """Add an item at the end.

        Raises:
            OverflowError: The queue is full.
        """
        if len(self._items) == self._capacity:
            raise OverflowError("The queue is full.")
        self._items.append(item)

    def dequeue(self) -> T:
        """Take the first item.

        Raises:
            IndexError: The queue is empty.
        """
        if not self._items:
            raise IndexError("The queue is empty.")
        return self._items.popleft()

    def peek(self) -> T:
        """Give the first item, which stays.

        Raises:
            IndexError: The queue is empty.
        """
        if not self._items:
            raise IndexError("The queue is empty.")
        return self._items[0]

    def clear(self) -> None:
        """Take everything out."""
        self._items.clear()

    def is_empty(self) -> bool:
        """Tell whether nothing is in the queue."""
        return not self._items

    def __len__(self) -> int:
        return len(self._items)
