"""A set of points on a line, kept as intervals."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class IntervalSet:
    """Keeps half-open intervals [start, end), merging those that overlap or touch.

    Raises:
        ValueError: An interval does not end after its start.

    Examples:
        >>> intervals = IntervalSet([(1, 3), (2, 5)])
        >>> intervals.intervals()
        [(1, 5)]
        >>> intervals.remove(2, 3)
        >>> intervals.intervals()
        [(1, 2), (3, 5)]
        >>> 2.5 in intervals
        False
    """

    def __init__(self, intervals: Iterable[tuple[float, float]] = ()) -> None:
        self._intervals: list[tuple[float, float]] = []
        for start, end in intervals:
            self.add(start, end)

    def add(self, start: float, end: float) -> None:
        """Add an interval; it becomes one with those that it overlaps or touches.

        Raises:
            ValueError: The end is not after the start.
        """
        _check(start, end)
        apart = [known for known in self._intervals if known[1] < start or end < known[0]]
        met = [known for known in self._intervals if not (known[1] < start or end < known[0])]
        merged = (min(start, *(s for s, _ in met)), max(end, *(e for _, e in met))) if met else (start, end)
        self._intervals = sorted([*apart, merged])

    def remove(self, start: float, end: float) -> None:
        """Take an interval out, cutting those that it overlaps.

        Raises:
            ValueError: The end is not after the start.
        """
        _check(start, end)
        pieces = [piece for s, e in self._intervals for piece in ((s, min(e, start)), (max(s, end), e))]
        self._intervals = [(s, e) for s, e in pieces if s < e]

    def overlaps(self, start: float, end: float) -> bool:
        """Tell whether an interval has points in common with the set.

        Raises:
            ValueError: The end is not after the start.
        """
        _check(start, end)
        return any(s < end and start < e for s, e in self._intervals)

    def intervals(self) -> list[tuple[float, float]]:
        """List the intervals in order; they neither overlap nor touch."""
        return list(self._intervals)

    def union(self, other: IntervalSet) -> IntervalSet:
        """Give what is in this set or in the other."""
        return IntervalSet([*self._intervals, *other.intervals()])

    def intersection(self, other: IntervalSet) -> IntervalSet:
        """Give what is in both sets."""
        common = [(max(a, c), min(b, d)) for a, b in self._intervals for c, d in other.intervals()]
        return IntervalSet([(start, end) for start, end in common if start < end])

    def difference(self, other: IntervalSet) -> IntervalSet:
        """Give what is in this set and not in the other."""
        left = IntervalSet(self._intervals)
        for start, end in other.intervals():
            left.remove(start, end)
        return left

    def total_length(self) -> float:
        """Add the lengths of the intervals."""
        return sum(end - start for start, end in self._intervals)

    def __contains__(self, point: float) -> bool:
        at = bisect_right(self._intervals, point, key=lambda interval: interval[0]) - 1
        return at >= 0 and point < self._intervals[at][1]

    def __len__(self) -> int:
        return len(self._intervals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntervalSet) and self._intervals == other.intervals()

    __hash__ = None  # type: ignore[assignment]  # a set that changes has no hash


def _check(start: float, end: float) -> None:
    if not start < end:
        raise ValueError("The end must be after the start.")
