"""Identifiers: UUIDv7 (RFC 9562, section 5.7), which sort by the time of their making.

Promises: within one `Identifiers` every id is greater than the one before, also when the clock stands still or steps
back (section 6.2, method 1: a 12-bit counter in rand_a, which borrows from the next millisecond when it overflows);
62 bits are random.
Does not: hide the time of making; where that matters, use a random token.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final
from uuid import UUID

from shared.clock import SystemClock
from shared.randomness import SystemRandomness

if TYPE_CHECKING:
    from shared.clock import Clock
    from shared.randomness import Randomness

_VERSION_AND_VARIANT: Final = (0x7 << 76) | (0b10 << 62)
_COUNTER_BITS: Final = 12
_RANDOM_BITS: Final = 62
# The counter starts in its lower half, so that 2048 ids fit in a millisecond before one is borrowed.
_COUNTER_START_MASK: Final = (1 << (_COUNTER_BITS - 1)) - 1


class Identifiers:
    """A generator of UUIDv7, monotonic within itself; safe to share between threads.

    Args:
        clock: tells the milliseconds.
        randomness: gives the random bits.
    """

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self._clock = clock
        self._randomness = randomness
        self._lock = threading.Lock()
        self._last = 0  # milliseconds << 12 | counter

    def new(self) -> UUID:
        """The next id."""
        random = int.from_bytes(self._randomness.bytes(10), "big")
        milliseconds = int(self._clock.now().timestamp() * 1000)
        start = (milliseconds << _COUNTER_BITS) | ((random >> _RANDOM_BITS) & _COUNTER_START_MASK)
        with self._lock:
            # Same millisecond, or a clock that stepped back: count on from the last id.
            self._last = start if start >> _COUNTER_BITS > self._last >> _COUNTER_BITS else self._last + 1
            stamp = self._last
        return UUID(
            int=(stamp >> _COUNTER_BITS) << 80
            | _VERSION_AND_VARIANT
            | (stamp & ((1 << _COUNTER_BITS) - 1)) << 64
            | random & ((1 << _RANDOM_BITS) - 1)
        )


_DEFAULT: Final = Identifiers(SystemClock(), SystemRandomness())


def new_id() -> UUID:
    """The process's next id: monotonic within the process."""
    return _DEFAULT.new()
