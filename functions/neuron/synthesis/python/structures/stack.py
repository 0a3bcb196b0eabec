"""A stack: what came last goes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class Stack(Generic[T]):
    """Gives the item first that was pushed last; with a `capacity`, it takes no more than that.

    Raises:
        ValueError: The capacity is below 1.
        OverflowError: There are more items than the capacity.

    Examples:
        >>> stack = Stack([1, 2])
        >>> stack.push(3)
        >>> stack.pop()
        3
        >>> stack.peek()
        2
    """

    def __init__(self, items: Iterable[T] = (), capacity: int | None = None) -> None:
        if capacity is not None and capacity < 1:
            raise ValueError("The capacity must be at least 1.")
        self._capacity = capacity
        self._items: list[T] = []
        for item in items:
            self.push(item)

    def push(self, item: T) -> None:
        """Put an item on top.

        Raises:
            OverflowError: The stack is full.
        """
        if len(self._items) == self._capacity:
            raise OverflowError("The stack is full.")
        self._items.append(item)

    def pop(self) -> T:
        """Take the topmost item.

        Raises:
            IndexError: The stack is empty.
        """
        if not self._items:
            raise IndexError("The stack is empty.")
        return self._items.pop()

    def peek(self) -> T:
        """Give the topmost item, which stays.

        Raises:
            IndexError: The stack is empty.
        """
        if not self._items:
            raise IndexError("The stack is empty.")
        return self._items[-1]

    def clear(self) -> None:
        """Take everything off."""
        self._items.clear()

    def is_empty(self) -> bool:
        """Tell whether nothing is on the stack."""
        return not self._items

    def __len__(self) -> int:
        return len(self._items)
