"""A queue that gives what is most urgent first."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Generic, TypeVar

T = TypeVar("T")


class PriorityQueue(Generic[T]):
    """Gives the item with the lowest priority first; with `largest_first`, the one with the highest.

    Items of equal priority come out in the order in which they came in.

    Examples:
        >>> queue: PriorityQueue[str] = PriorityQueue()
        >>> queue.push("later", 2)
        >>> queue.push("now", 1)
        >>> queue.pop()
        'now'
        >>> len(queue)
        1
    """

    def __init__(self, *, largest_first: bool = False) -> None:
        self._sign = -1 if largest_first else 1
        self._numbers = itertools.count()
        self._heap: list[tuple[float, int, T]] = []

    def push(self, item: T, priority: float) -> None:
        """Add an item.

        Raises:
            ValueError: The priority is no number.
        """
        if math.isnan(priority):
            raise ValueError("The priority must be a number.")
        heapq.heappush(self._heap, (self._sign * priority, next(self._numbers), item))

    def pop(self) -> T:
        """Take the first item out.

        Raises:
            IndexError: The queue is empty.
        """
        if not self._heap:
            raise IndexError("The queue is empty.")
        return heapq.heappop(self._heap)[2]

    def peek(self) -> T:
        """Give the first item, which stays.

        Raises:
            IndexError: The queue is empty.
        """
        if not self._heap:
            raise IndexError("The queue is empty.")
        return self._heap[0][2]

    def remove(self, item: T) -> bool:
        """Take an item out, the first of several that are equal; tell whether it was there."""
        for entry in sorted(self._heap, key=lambda entry: entry[:2]):
            if entry[2] == item:
                self._heap = [other for other in self._heap if other[1] != entry[1]]
                heapq.heapify(self._heap)
                return True
        return False

    def change_priority(self, item: T, priority: float) -> None:
        """Give an item another priority; it comes after those that have this priority already.

        Raises:
            ValueError: The item is not in the queue, or the priority is no number.
        """
        if not any(entry[2] == item for entry in self._heap):
            raise ValueError("The item is not in the queue.")
        self.push(item, priority)
        oldest = min(entry[1] for entry in self._heap if entry[2] == item)
        self._heap = [entry for entry in self._heap if entry[1] != oldest]
        heapq.heapify(self._heap)

    def clear(self) -> None:
        """Take everything out."""
        self._heap.clear()

    def is_empty(self) -> bool:
        """Tell whether nothing is in the queue."""
        return not self._heap

    def __len__(self) -> int:
        return len(self._heap)

    def __contains__(self, item: object) -> bool:
        return any(entry[2] == item for entry in self._heap)
