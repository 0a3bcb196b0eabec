"""What the model is compared with: formulas, and the plainest simulation there is."""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from typing import TYPE_CHECKING

from knative.capacity.autoscaler import AutoscalerSettings
from knative.capacity.revision import Revision, RevisionSettings
from knative.capacity.tally import RESOLUTION

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from knative.capacity.measurements import Kind


def erlang_c(servers: int, load: float) -> float:
    """The probability that a request waits in M/M/c; `load` is the arrival rate times the mean service time."""
    terms = [load**number / math.factorial(number) for number in range(servers)]
    last = load**servers / math.factorial(servers) / (1 - load / servers)
    return last / (sum(terms) + last)


def sojourn_percentile(servers: int, rate: float, service: float, part: float) -> float:
    """The time in M/M/c, waiting and service, that this part of the requests stays within."""
    load = rate * service
    waits, spare = erlang_c(servers, load), servers - load - 1

    def longer(time: float) -> float:
        own = math.exp(-time / service)
        return own * (1 + waits / spare * (1 - math.exp(-time / service * spare)))

    low, high = 0.0, 1000 * service
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if longer(middle) > 1 - part else (low, middle)
    return low


def exponential(mean: float, count: int = 4096) -> list[Kind]:
    """Requests that take an exponential time, all of it waiting for others."""
    return [(0.0, -mean * math.log(1 - (number + 0.5) / count), True) for number in range(count)]


def standing(pods: int, concurrency: int, chance: random.Random, *, burst: float = 211.0) -> Revision:
    """A revision whose pods are there and stay."""
    autoscaler = AutoscalerSettings(target=concurrency, total=concurrency, burst_capacity=burst)
    settings = RevisionSettings(concurrency, pods, pods, pods, autoscaler, timeout_seconds=1e9)
    return Revision("one", settings, [1.0], chance)


def feed(revision: Revision, arrivals: Sequence[float], work: Sequence[Kind], seconds: int) -> None:
    """Simulate seconds with arrivals that are known beforehand."""
    place = 0
    for second in range(seconds):
        begin = place
        while place < len(arrivals) and arrivals[place] < second + 1:
            place += 1
        revision.begin_second(second)
        revision.serve(arrivals[begin:place], work, float(second), second + 1.0)
        revision.end_second(second)


def poisson(rate: float, seconds: float, chance: random.Random) -> list[float]:
    """Moments of a Poisson process."""
    moments, moment = [], chance.expovariate(rate)
    while moment < seconds:
        moments.append(moment)
        moment += chance.expovariate(rate)
    return moments


def simulated_with_a_calendar(
    arrivals: Sequence[float], work: Sequence[Kind], pods: int, concurrency: int, chance: random.Random
) -> Counter[int]:
    """One queue before all pods, event by event: arrivals, ends of the processor's part, ends."""
    events: list[tuple[float, int, int, str, int]] = [
        (moment, 1, number, "arrival", -1) for number, moment in enumerate(arrivals)
    ]
    heapq.heapify(events)
    free = [(number * 1e-9, pod) for pod in range(pods) for number in range(concurrency)]  # taken in turns
    queue: deque[int] = deque()
    on_loop: list[deque[tuple[int, float, float]]] = [deque() for _ in range(pods)]
    latencies: Counter[int] = Counter()
    order = len(arrivals)
    while events:
        now, _, number, what, pod = heapq.heappop(events)
        if what == "arrival":
            queue.append(number)
        elif what == "processed":
            done, _, rest = on_loop[pod].popleft()
            heapq.heappush(events, (now + rest, 0, done, "end", pod))
            if on_loop[pod]:
                following, processor, _ = on_loop[pod][0]
                heapq.heappush(events, (now + processor, 0, following, "processed", pod))
        else:
            latencies[int((now - arrivals[number]) * RESOLUTION)] += 1
            free.append((now, pod))
        while queue and free:
            order += 1
            slot = min(free)
            free.remove(slot)
            begun = queue.popleft()
            processor, rest, _ = work[int(chance.random() * len(work))]
            on_loop[slot[1]].append((begun, processor, rest))
            if len(on_loop[slot[1]]) == 1:
                heapq.heappush(events, (now + processor, 0, begun, "processed", slot[1]))
    return latencies
