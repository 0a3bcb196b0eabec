"""What became of the requests that were simulated: in all, and second by second."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

RESOLUTION: Final = 10_000
"""Latencies are counted in parts of a second this fine: 0.1 ms."""


@dataclass(slots=True)
class Tally:
    """What became of the requests.

    Attributes:
        arrived: all of them.
        answered: with an answer.
        refused: 503, a queue was full.
        timed_out: 504.
        latencies: answered ones but streams, by latency, in parts of a second (`RESOLUTION`).
    """

    arrived: int = 0
    answered: int = 0
    refused: int = 0
    timed_out: int = 0
    latencies: Counter[int] = field(default_factory=Counter)

    def percentile(self, part: float) -> float:
        """Give the latency, in seconds, that this part of the answered requests took at most; 0 without any."""
        rank, seen = math.ceil(part * self.latencies.total()), 0
        for latency in sorted(self.latencies):
            seen += self.latencies[latency]
            if seen >= rank:
                return latency / RESOLUTION
        return 0.0

    def add(self, other: Tally) -> None:
        """Add what became of other requests."""
        self.arrived += other.arrived
        self.answered += other.answered
        self.refused += other.refused
        self.timed_out += other.timed_out
        self.latencies.update(other.latencies)


@dataclass(frozen=True, slots=True)
class Second:
    """What one second was like.

    Attributes:
        second: which.
        ready: pods at its end.
        wanted: pods that the reconciler had asked for.
        activator: whether the activator was in the path.
        concurrency: requests at once, waiting included, on average.
        arrived: requests.
        failed: requests refused or timed out.
        processor: processor seconds that were used.
        p50: of the latencies, in seconds; 0 when nothing was answered.
        p95: the same.
        p99: the same.
    """

    second: int
    ready: int
    wanted: int
    activator: bool
    concurrency: float
    arrived: int
    failed: int
    processor: float
    p50: float
    p95: float
    p99: float


def quantile(ordered: Sequence[float], part: float) -> float:
    """Give the value that this part of sorted values lies at or below; 0 without any."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]
