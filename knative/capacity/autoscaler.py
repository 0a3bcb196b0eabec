"""Knative's autoscaler (KPA) as Serving v0.42.2 has it: metric windows, stable and panic mode, burst capacity.

Promises: the decisions of pkg/autoscaler/scaling/autoscaler.go over the windows of
pkg/autoscaler/aggregation/bucketing.go, for the same numbers (tests/unit/capacity/autoscaler holds it to what the real
packages decided). Does not: know pods; bounds, scale to zero and the activator are `knative.capacity.revision`'s.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

TICK_SECONDS: Final = 2
"""Between two decisions: tickInterval in multiscaler.go."""

_PRECISION: Final = 1e6
_STARTED_BEFORE: Final = 1e-3  # an autoscaler is made a moment before its first decision


@dataclass(frozen=True, slots=True)
class AutoscalerSettings:
    """What `config-autoscaler` and a revision's annotations say, resolved (kpa/resources/decider.go).

    Attributes:
        target: requests at once that one pod should have: the annotation, or containerConcurrency, times utilisation.
        total: requests at once that one pod can have.
        burst_capacity: target-burst-capacity; -1 keeps the activator in the path, 0 takes it out.
        max_scale_up_rate: how many times the ready pods may be wanted in one decision.
        max_scale_down_rate: to which part of the ready pods one decision may go down.
        window_seconds: the stable window.
        panic_window_percentage: the panic window, in percent of the stable one.
        panic_threshold: panic begins when the panic window's load wants that many times the ready pods.
        scale_down_delay_seconds: how long a lower load must last.
        activation_scale: pods at least, once it is not zero.
        scale_to_zero_grace_seconds: how long the activator is in the path before the last pod goes.
    """

    target: float
    total: float
    burst_capacity: float = 211.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    window_seconds: int = 60
    panic_window_percentage: float = 10.0
    panic_threshold: float = 2.0
    scale_down_delay_seconds: int = 0
    activation_scale: int = 0
    scale_to_zero_grace_seconds: float = 30.0

    @property
    def panic_window_seconds(self) -> int:
        """The panic window, as resources/metric.go rounds it: whole seconds, at least one."""
        return max(1, math.floor(self.window_seconds * self.panic_window_percentage / 100 + 0.5))


class Window:
    """The average over the last seconds: TimedFloat64Buckets with a granularity of one second.

    Args:
        seconds: how many.
    """

    def __init__(self, seconds: int) -> None:
        self._size = seconds
        self._buckets = [0.0] * seconds
        self._total = 0.0
        self._first: int | None = None
        self._last: int | None = None

    def is_empty(self, now: float) -> bool:
        """Whether nothing was recorded for longer than the window."""
        return self._last is None or int(now) - self._last > self._size

    def record(self, now: float, value: float) -> None:
        """Add a value to the second `now`; the seconds that were left out count as zero."""
        second = int(now)
        if self._last is None or second - self._last >= self._size:
            self._first = second
            self._buckets = [0.0] * self._size
            self._total = 0.0
            self._last = second
        elif second > self._last:
            for passed in range(self._last + 1, second + 1):
                self._total -= self._buckets[passed % self._size]
                self._buckets[passed % self._size] = 0.0
            self._last = second
        self._buckets[second % self._size] += value
        self._total += value

    def average(self, now: float) -> float:
        """Give the average of the valid seconds, rounded down to six digits."""
        if self._last is None or self._first is None:
            return 0.0
        behind = int(now) - self._last
        if behind >= self._size:
            return 0.0
        total = self._total
        for passed in range(self._last + 1, int(now) + 1):
            total -= self._buckets[passed % self._size]
        valid = min(self._last - self._first + 1, self._size - max(0, behind))
        return math.floor(total / valid * _PRECISION) / _PRECISION


class _Delay:
    """The greatest of the decisions within the delay: aggregation/max, in steps of one decision."""

    def __init__(self, seconds: float) -> None:
        self._size = math.ceil(seconds / TICK_SECONDS)
        self._maxima: deque[tuple[int, int]] = deque()

    def greatest(self, now: float, value: int) -> int:
        index = int(now) // TICK_SECONDS
        while self._maxima and value >= self._maxima[-1][1]:
            self._maxima.pop()
        while self._maxima and index - self._maxima[0][0] >= self._size:
            self._maxima.popleft()
        if self._maxima and self._maxima[-1][0] == index:
            value = max(value, self._maxima.pop()[1])
        self._maxima.append((index, value))
        return self._maxima[0][1]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the autoscaler wants.

    Attributes:
        pods: how many, before the revision's bounds.
        excess_burst_capacity: below zero the activator goes into the path.
    """

    pods: int
    excess_burst_capacity: int


class Autoscaler:
    """The autoscaler of one revision.

    Args:
        settings: how it decides.
        ready: pods that are ready when it begins.
        now: when it begins, in seconds.
    """

    def __init__(self, settings: AutoscalerSettings, ready: int, now: float = 0.0) -> None:
        self._settings = settings
        self._stable = Window(settings.window_seconds)
        self._panic = Window(settings.panic_window_seconds)
        self._delay = _Delay(settings.scale_down_delay_seconds) if settings.scale_down_delay_seconds > 0 else None
        # It begins in panic with more than one pod, so that a restart of the autoscaler does not scale down.
        self._panic_since: float | None = now - _STARTED_BEFORE if ready > 1 else None
        self._panic_pods = ready

    def record(self, now: float, concurrency: float) -> None:
        """Take the average number of requests at once during the last second."""
        self._stable.record(now, concurrency)
        self._panic.record(now, concurrency)

    def observed(self, now: float) -> tuple[float, float]:
        """Give the averages of the stable and the panic window."""
        return self._stable.average(now), self._panic.average(now)

    def decide(self, now: float, ready: int) -> Decision | None:
        """Decide as `autoscaler.Scale` does; None when there is nothing to go by.

        Args:
            now: in seconds.
            ready: pods that are ready.
        """
        if self._stable.is_empty(now):
            return None
        settings = self._settings
        stable, panic = self.observed(now)
        pods = max(1, ready)
        wanted, panic_wanted = math.ceil(stable / settings.target), math.ceil(panic / settings.target)
        least, most = math.floor(pods / settings.max_scale_down_rate), math.ceil(settings.max_scale_up_rate * pods)
        desired = self._activated(min(max(wanted, least), most), wanted)
        panic_desired = self._activated(min(max(panic_wanted, least), most), panic_wanted)
        self._switch(now, over_threshold=panic_wanted / pods >= settings.panic_threshold)
        if self._panic_since is not None:
            self._panic_pods = max(self._panic_pods, desired, panic_desired)
            desired = self._panic_pods
        if self._delay is not None:
            desired = self._delay.greatest(now, desired)
        return Decision(desired, self._excess(ready, panic))

    def _activated(self, desired: int, wanted: int) -> int:
        scale = self._settings.activation_scale
        return scale if scale > 1 and wanted > 0 and scale > desired else desired

    def _switch(self, now: float, *, over_threshold: bool) -> None:
        if over_threshold:
            self._panic_since = now
        elif self._panic_since is not None and self._panic_since + self._settings.window_seconds < now:
            self._panic_since = None
            self._panic_pods = 0

    def _excess(self, ready: int, panic: float) -> int:
        burst = self._settings.burst_capacity
        if burst == 0:
            return 0
        if burst < 0:
            return -1
        return math.floor(ready * self._settings.total - burst - panic)
