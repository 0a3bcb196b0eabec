"""How many instances a deployment should have: Knative's terms, decided from what is seen now.

Promises: pure functions of their arguments, so that every rule is a line in a test. A deployment without work goes to
its minimum after `idle_seconds`; one without instances gets one at its first request; a busy one grows as soon as
somebody waits longer than a moment. Does not: average over windows, as Knative's autoscaler does: on one machine, an
instance is ready in a second, and is stopped only when it has been idle for the whole window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

PATIENCE_SECONDS: Final = 0.15
"""How long the oldest held request waits before a deployment that has instances gets another one."""

FIRST_BACKOFF_SECONDS: Final = 0.25
LAST_BACKOFF_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Scale:
    """What `function.toml` says about a deployment's instances.

    Attributes:
        minimum: Instances that are kept without work.
        maximum: Instances at most.
        concurrency: Requests that one instance serves at a time.
        idle_seconds: Without a request, after which an instance is stopped.
        queue: Requests held at most, for each instance that may exist.
    """

    minimum: int = 0
    maximum: int = 4
    concurrency: int = 8
    idle_seconds: float = 60.0
    queue: int = 32


@dataclass(frozen=True, slots=True)
class Load:
    """What a deployment is doing.

    Attributes:
        instances: That are ready or starting.
        serving: Requests that instances serve.
        held: Requests that wait.
        oldest_seconds: How long the first of them has waited.
    """

    instances: int
    serving: int
    held: int
    oldest_seconds: float


def wanted(load: Load, scale: Scale) -> int:
    """Say how many instances there should be, never fewer than there are: `expendable` says which ones may go."""
    demand = math.ceil((load.serving + load.held) / scale.concurrency)
    if load.instances and load.held and load.oldest_seconds < PATIENCE_SECONDS:
        demand = min(demand, load.instances)
    return max(scale.minimum, min(scale.maximum, max(demand, load.instances)))


def expendable(idle_since: list[float | None], now: float, scale: Scale) -> list[int]:
    """Say which instances may go.

    Args:
        idle_since: For each ready instance, since when it has had nothing to do; None while it serves.
        now: The same clock's time.
        scale: The deployment's.

    Returns:
        Positions in `idle_since`, the longest idle first, so that at least the minimum is left.
    """
    idle = [(since, place) for place, since in enumerate(idle_since) if since is not None]
    old = [place for since, place in sorted(idle) if now - since >= scale.idle_seconds]
    return old[: max(0, len(idle_since) - scale.minimum)]


def start_pause(failures: int) -> float:
    """Give the seconds until the next start after so many failures in a row: doubled each time, bounded."""
    if failures <= 0:
        return 0.0
    return float(min(LAST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(failures - 1, 16)))
