"""Contenders that wait for servers: each takes its rounds in turns, the median within a round, the best round."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Way = Callable[[], Awaitable[object]]

Name = TypeVar("Name")


async def best_medians(ways: Mapping[Name, Way], rounds: int, calls: int) -> dict[Name, float]:
    """Seconds of a call, for each of the ways."""
    found: dict[Name, float] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name] = min(found.get(name, 1e9), await _median(way, calls))
    return found


async def _median(way: Way, calls: int) -> float:
    seconds = []
    for _ in range(calls):
        begun = time.perf_counter()
        await way()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
