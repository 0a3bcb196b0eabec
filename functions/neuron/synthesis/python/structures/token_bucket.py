"""A rate limiter: a bucket of tokens that fills at a steady rate."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class TokenBucket:
    """Allows bursts of up to `capacity` and `rate` a second in the long run; begins full.

    Threads may share it.

    Raises:
        ValueError: The capacity or the rate is not above 0.

    Examples:
        >>> bucket = TokenBucket(capacity=2, rate=1.0)
        >>> bucket.acquire(2)
        True
        >>> bucket.acquire()
        False
    """

    def __init__(self, capacity: float, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        if not capacity > 0:
            raise ValueError("The capacity must be greater than 0.")
        if not rate > 0:
            raise ValueError("The rate must be greater than 0.")
        self._capacity = float(capacity)
        self._rate = float(rate)
        self._clock = clock
        self._tokens = self._capacity
        self._filled = clock()
        self._lock = threading.Lock()

    @property
    def capacity(self) -> float:
        """The most tokens that the bucket holds."""
        return self._capacity

    def available(self) -> float:
        """Give how many tokens the bucket holds now."""
        with self._lock:
            return self._refilled()

    def acquire(self, tokens: float = 1) -> bool:
        """Take tokens if that many are there; tell whether they were.

        Raises:
            ValueError: The number is not above 0.
        """
        with self._lock:
            if self._refilled() < self._positive(tokens):
                return False
            self._tokens -= tokens
            return True

    def wait_time(self, tokens: float = 1) -> float:
        """Give the seconds until that many tokens are there; 0 when they are.

        Raises:
            ValueError: The number is not above 0, or more than the bucket ever holds.
        """
        if self._positive(tokens) > self._capacity:
            raise ValueError("The bucket never holds that many tokens.")
        with self._lock:
            return max(0.0, (tokens - self._refilled()) / self._rate)

    def _refilled(self) -> float:
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + max(0.0, now - self._filled) * self._rate)
        self._filled = now
        return self._tokens

    @staticmethod
    def _positive(tokens: float) -> float:
        if not tokens > 0:
            raise ValueError("The number of tokens must be greater than 0.")
        return tokens
