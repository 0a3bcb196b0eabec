"""The deadline of what is being done: one moment that every wait below it honours.

The host sets it for each request; the database turns it into `statement_timeout`, the outgoing client into its
time-out and into a header for the next function.
Promises: a deadline set inside another never ends later than the outer one; it follows the context into tasks that are
started under it.
Does not: cancel anything by itself. Whoever waits uses `asyncio.timeout(deadlines.remaining(default))`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Deadline:
    """A moment on the monotonic clock.

    Args:
        at: seconds on `monotonic`.
        monotonic: the clock, seconds.
    """

    __slots__ = ("_monotonic", "at")

    def __init__(self, at: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.at = at
        self._monotonic = monotonic

    def remaining(self) -> float:
        """Give the seconds that are left; 0.0 when there are none."""
        return max(0.0, self.at - self._monotonic())

    @property
    def expired(self) -> bool:
        """Whether nothing is left."""
        return self._monotonic() >= self.at

    def __repr__(self) -> str:
        return f"Deadline(remaining={self.remaining():.3f}s)"


_current: ContextVar[Deadline | None] = ContextVar("hal9_deadline", default=None)


def current() -> Deadline | None:
    """Give the deadline of what is being done, None when there is none."""
    return _current.get()


def remaining(default: float | None = None) -> float | None:
    """Give the seconds left, at most `default`; `default` when there is no deadline."""
    now = _current.get()
    if now is None:
        return default
    left = now.remaining()
    return left if default is None else min(left, default)


@contextmanager
def deadline(seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Iterator[Deadline]:
    """Set a deadline for what runs inside, never later than the one outside.

    Args:
        seconds: from now.
        monotonic: the clock, seconds; the same for nested deadlines.
    """
    at = monotonic() + seconds
    outer = _current.get()
    mine = Deadline(at if outer is None else min(at, outer.at), monotonic)
    token = _current.set(mine)
    try:
        yield mine
    finally:
        _current.reset(token)


def enter(now: Deadline | None) -> None:
    """Set the deadline of the present task, for good: for a task that serves one request."""
    _current.set(now)


@contextmanager
def no_deadline() -> Iterator[None]:
    """Lift the deadline for what runs inside: for work that outlives its request, such as a background task."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


async def awaited(work: asyncio.Future[T]) -> T:
    """Wait for work that several callers share, no longer than one's own deadline; the work goes on for the others.

    Raises:
        Problem: 504 `deadline-exceeded`.
    """
    done, _ = await asyncio.wait({work}, timeout=remaining())
    if not done:
        raise Problem("deadline-exceeded")
    return work.result()
