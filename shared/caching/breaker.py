"""A circuit breaker: what fails several times in a row is left alone for a while, then tried by one.

Promises: while it is open, at most one caller in `open_seconds` waits for what fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.clock import SystemClock

if TYPE_CHECKING:
    from shared.clock import Clock


class Breaker:
    """Says whether to try.

    Args:
        failures: How many in a row open it.
        open_seconds: How long it stays open before one may try.
        clock: Tells the time.
    """

    def __init__(self, failures: int = 3, open_seconds: float = 1.0, clock: Clock | None = None) -> None:
        self._most = failures
        self._open_seconds = open_seconds
        self._clock = clock or SystemClock()
        self._failures = 0
        self._try_at = 0.0

    @property
    def open(self) -> bool:
        """Whether it is left alone."""
        return self._failures >= self._most

    def allows(self) -> bool:
        """Whether the caller may try; of those who ask while it is open, one may when its time is over."""
        if not self.open:
            return True
        now = self._clock.monotonic()
        if now < self._try_at:
            return False
        self._try_at = now + self._open_seconds
        return True

    def succeeded(self) -> None:
        """It worked: everybody may try."""
        self._failures = 0

    def failed(self) -> None:
        """It did not."""
        self._failures += 1
        if self.open:
            self._try_at = self._clock.monotonic() + self._open_seconds
