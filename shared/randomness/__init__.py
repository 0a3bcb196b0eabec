"""The one source of randomness: the operating system's for real, a seeded one for a test that must repeat itself.

Promises: `SystemRandomness` is fit for secrets (getrandom(2)). Does not: `SeededRandomness` is predictable by design
and must never make a secret; only tests and simulations build one.
"""

from __future__ import annotations

import os
import random
from typing import Protocol


class Randomness(Protocol):
    """What gives random bytes."""

    def bytes(self, count: int) -> bytes:
        """That many random bytes."""
        ...


class SystemRandomness:
    """The operating system's generator."""

    def bytes(self, count: int) -> bytes:
        """That many bytes, fit for secrets."""
        return os.urandom(count)


class SeededRandomness:
    """The same bytes for the same seed, for tests.

    Args:
        seed: what the sequence follows from.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose; never for secrets

    def bytes(self, count: int) -> bytes:
        """The next bytes of the sequence."""
        return self._random.randbytes(count)


def uniform(randomness: Randomness) -> float:
    """A float in [0, 1) with 53 random bits, from any source; for jitter and sampling."""
    return (int.from_bytes(randomness.bytes(8), "big") >> 11) * 2.0**-53
