# ruff: noqa: FURB136 - in the hot loops a call of max() costs a tenth of a request
"""One revision: its pods, its queues, the activator, and the reconciler that follows the autoscaler.

Requests are served first come, first served, so the moment at which each one begins and ends is known as soon as it is
assigned (the recursion of Kiefer and Wolfowitz): no calendar of events, about a microsecond a request. In a pod, a
request takes one of `concurrency` slots (queue-proxy's containerConcurrency), then the event loop of the process for
its processor time, then it waits for others (databases, functions) for the rest.

With the activator in the path there is one queue for all pods (its throttler knows how many requests each may have);
without it, requests go round the pods and queue in each one's queue-proxy.

Promises: every request that arrived was answered, refused, timed out, or still waits (`Tally`); pods are never more
than `max`; a cold start is waited for.
Does not: lose time between the reconciler and the network (some 0.1 s of a real cluster), sample the pods' statistics
(Knative does above three pods), or try again what was refused.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from knative.capacity.autoscaler import TICK_SECONDS, Autoscaler, AutoscalerSettings
from knative.capacity.tally import RESOLUTION, Second, Tally, quantile

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from knative.capacity.measurements import Kind

    Work = Sequence[Kind]

ACTIVATOR_QUEUE: Final = 10_000
"""Requests that wait in one activator for a revision: breakerQueueDepth in activator/net/throttler.go."""

POD_QUEUE_FACTOR: Final = 10
"""Requests that wait in a queue-proxy, times containerConcurrency: buildBreaker in queue/sharedmain/main.go."""

_INTERLEAVE: Final = 1e-9  # slots of pods that came together are taken in turns
_SAMPLED: Final = 3  # of so many requests plus one, one tells how long it queued
_SHOWN: Final = 1000  # latencies of a second that its percentiles are taken from


class Placing(Protocol):
    """The nodes' room for pods."""

    def take(self) -> bool:
        """Take room for one pod; False when there is none."""
        ...

    def give_back(self) -> None:
        """Give back what a pod had."""
        ...


class Boundless:
    """Nodes that always have room."""

    def take(self) -> bool:
        """Say that there is room."""
        return True

    def give_back(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class RevisionSettings:
    """A revision, in Knative's terms.

    Attributes:
        concurrency: containerConcurrency.
        min: pods at least.
        max: pods at most.
        initial: pods that are ready at the beginning.
        autoscaler: how it decides.
        timeout_seconds: a request's, from its arrival.
        activators: how many activators the cluster has.
        starts_per_second: pods that the nodes can start, together; infinity when that is no limit.
    """

    concurrency: int
    min: int
    max: int
    initial: int
    autoscaler: AutoscalerSettings
    timeout_seconds: float = 300.0
    activators: int = 1
    starts_per_second: float = math.inf


class Revision:
    """A revision that is simulated, second by second.

    Args:
        name: whose it is.
        settings: in Knative's terms.
        cold_start: draws the seconds from wanting a pod to its being ready.
        chance: where randomness comes from.
        nodes: room for pods.
        processor_seconds: of a request on average, for what is used and paid.

    Attributes:
        tally: what became of the requests.
        seconds: what every second was like.
        queued: how long requests of the last second queued, for a slot and for the event loop; a sample. Those that
            still wait count with what they have waited so far.
        ended: where the ends of requests are noted, for clients that wait for their answer; None when nobody does.
    """

    def __init__(
        self,
        name: str,
        settings: RevisionSettings,
        cold_start: Sequence[float],
        chance: random.Random,
        *,
        nodes: Placing | None = None,
        processor_seconds: float = 0.0,
    ) -> None:
        self.name = name
        self.settings = settings
        self.tally = Tally()
        self.seconds: list[Second] = []
        self.ended: list[float] | None = None
        self.queued: list[float] = []
        self._cold_start = cold_start
        self._chance = chance
        self._nodes = nodes or Boundless()
        self._processor_seconds = processor_seconds
        self._slots: dict[int, list[float]] = {}  # without the activator: when each slot of a pod is free
        self._queues: dict[int, deque[float]] = {}  # without the activator: when what waits in a pod begins
        self._central: list[tuple[float, int]] = []  # with it: (free from, pod) of every slot
        self._loops: list[float] = []  # by pod: when its event loop is free
        self._order: list[int] = []  # pods that are ready, the oldest first
        self._starting: list[float] = []  # when those that start will be ready, the latest wanted last
        self._next_start = 0.0
        self._turn = 0
        self._waiting: list[float] = []
        self._begins: deque[float] = deque()
        self._activator = True
        self._wanted = 0
        self._desired, self._excess = settings.initial, -1
        self._active_since: float | None = 0.0 if settings.initial else None
        self._inactive_since = -math.inf
        self._proxied_since: float | None = -math.inf
        self._autoscaler = Autoscaler(settings.autoscaler, settings.initial)
        self._area = 0.0
        self._carried = 0
        self._joins: defaultdict[int, int] = defaultdict(int)
        self._tails: defaultdict[int, float] = defaultdict(float)
        self._latencies: list[float] = []
        self._queued: list[float] = []
        self._streams = 0
        self._failures_before = 0
        self._arrived_before = 0
        self._answered_before = 0
        for _ in range(min(settings.initial, settings.max)):
            if self._nodes.take():
                self._ready(0.0)
        self._wanted = len(self._order)

    # What others look at.

    @property
    def ready(self) -> int:
        """Pods that are ready."""
        return len(self._order)

    @property
    def waiting(self) -> int:
        """Requests that have no slot yet."""
        return len(self._waiting)

    # A second.

    def begin_second(self, second: int) -> None:
        """Record the second before, decide when it is time, and follow."""
        if second > 0:
            self._report(second)
        if second % TICK_SECONDS == 0:
            self._decide(second)
        self._reconcile(second)
        self._carried += self._joins.pop(second, 0)
        self._area = self._carried + self._tails.pop(second, 0.0)

    def count_anew(self) -> Tally:
        """Begin a new tally, and give the old one; what waits was counted as arrived there."""
        old, self.tally = self.tally, Tally()
        self._failures_before = self._arrived_before = self._answered_before = 0
        return old

    def serve(self, arrivals: Sequence[float], work: Work, begin: float, end: float) -> None:
        """Serve what arrives in a part of a second.

        Args:
            arrivals: moments from `begin` up to `end`, in order.
            work: what requests take.
            begin: where the part begins.
            end: where it ends, at most at the end of the second.
        """
        self.tally.arrived += len(arrivals)
        rest, now = arrivals, begin
        while now < end:
            if not self._order and not self._wanted and (rest or self._waiting):
                self._poke(now if self._waiting else rest[0])
            until = min([end, *(moment for moment in self._starting if now < moment < end)])
            count = bisect_left(rest, until)
            self._serve(rest[:count], work, now, until)
            rest, now = rest[count:], until
            self._become_ready(now)

    def end_second(self, second: int) -> None:
        """Note what the second was like."""
        tally, latencies = self.tally, self._latencies
        tally.latencies.update([int(latency * RESOLUTION) for latency in latencies])
        tally.answered += len(latencies) + self._streams
        self._streams = 0
        shown = sorted(latencies[:: max(1, len(latencies) // _SHOWN)])
        end = second + 1.0
        step = max(1, len(self._waiting) // _SHOWN)
        self.queued = [*self._queued, *(end - arrived for arrived in self._waiting[::step])]
        self._queued = []
        self._latencies = []
        failed = tally.refused + tally.timed_out
        answered = tally.answered - self._answered_before
        self.seconds.append(
            Second(
                second=second,
                ready=len(self._order),
                wanted=self._wanted,
                activator=self._activator,
                concurrency=self._area,
                arrived=tally.arrived - self._arrived_before,
                failed=failed - self._failures_before,
                processor=answered * self._processor_seconds,
                p50=quantile(shown, 0.5),
                p95=quantile(shown, 0.95),
                p99=quantile(shown, 0.99),
            )
        )
        self._failures_before, self._arrived_before = failed, tally.arrived
        self._answered_before = tally.answered

    # The autoscaler and its reconciler (pkg/reconciler/autoscaling/kpa).

    def _report(self, now: int) -> None:
        """What the scraper and the activator tell of the last second; nothing when there is no pod and no request."""
        if self._order or self._area > 0:
            self._autoscaler.record(now, self._area)

    def _decide(self, now: float) -> None:
        decision = self._autoscaler.decide(now, len(self._order))
        if decision is not None:
            self._desired, self._excess = decision.pods, decision.excess_burst_capacity

    def _poke(self, now: float) -> None:
        """The first request at no pod: the activator reports it at once, and the autoscaler decides at once."""
        self._autoscaler.record(now, 1.0)
        self._decide(now)
        self._reconcile(now)

    def _reconcile(self, now: float) -> None:
        """Follow what is desired, within the bounds; see scaler.go and kpa.go."""
        settings = self.settings
        want = max(settings.min, min(settings.max, self._desired))
        if want == 0:
            want = self._to_zero(now)
        else:
            self._apply(now, want)
            if len(self._order) >= max(settings.min, 1) and self._active_since is None:
                self._active_since = now
        serving = want > 0 and self._excess >= 0 and settings.autoscaler.burst_capacity >= 0 and bool(self._order)
        self._put_activator(now, in_path=not serving)

    def _to_zero(self, now: float) -> int:
        """Go to zero when it was active for a window and the activator in the path for the grace period."""
        grace = self.settings.autoscaler.scale_to_zero_grace_seconds
        if self._active_since is not None:
            if now - self._active_since < self.settings.autoscaler.window_seconds:
                self._apply(now, 1)
                return 1
            self._active_since, self._inactive_since = None, now
            return 0
        proxied = -math.inf if self._proxied_since is None else now - self._proxied_since
        if max(proxied, now - self._inactive_since) >= grace:
            self._apply(now, 0)
        return 0

    def _apply(self, now: float, want: int) -> None:
        missing = want - len(self._order) - len(self._starting)
        for _ in range(missing):
            if not self._nodes.take():
                break
            begun = max(now, self._next_start)
            self._next_start = begun + 1 / self.settings.starts_per_second
            self._starting.append(begun + self._chance.choice(self._cold_start))
        for _ in range(-missing):
            self._nodes.give_back()
            if self._starting:
                self._starting.pop()
            else:
                self._remove(self._order.pop())
        self._wanted = want

    def _become_ready(self, now: float) -> None:
        done = sum(moment <= now for moment in self._starting)
        if done:
            self._starting = [moment for moment in self._starting if moment > now]
            for _ in range(done):
                self._ready(now)

    def _ready(self, now: float) -> None:
        pod = len(self._loops)
        self._loops.append(now)
        self._order.append(pod)
        slots = [now + number * _INTERLEAVE for number in range(self.settings.concurrency)]
        if self._activator:
            for slot in slots:
                heapq.heappush(self._central, (slot, pod))
        else:
            self._slots[pod], self._queues[pod] = slots, deque()

    def _remove(self, pod: int) -> None:
        """Take a pod away; what it has begun it ends."""
        if self._activator:
            self._central = [slot for slot in self._central if slot[1] != pod]
            heapq.heapify(self._central)
        else:
            del self._slots[pod], self._queues[pod]

    def _put_activator(self, now: float, *, in_path: bool) -> None:
        if in_path == self._activator:
            return
        self._activator = in_path
        self._proxied_since = now if in_path else None
        if in_path:
            self._central = [(slot, pod) for pod, slots in self._slots.items() for slot in slots]
            heapq.heapify(self._central)
            self._slots, self._queues = {}, {}
            return
        self._slots = {pod: [] for pod in self._order}
        for slot, pod in sorted(self._central):
            self._slots[pod].append(slot)
        self._queues = {pod: deque() for pod in self._order}
        self._central = []

    # Requests.

    def _serve(self, arrivals: Sequence[float], work: Work, begin: float, until: float) -> None:
        if self._activator or not self._order or self._waiting:
            if self._activator:
                self._serve_centrally(arrivals, work, begin, until)
                return
            # What waited at the activator when it left the path goes to the pods first.
            waited, self._waiting = self._waiting, []
            arrivals = [*waited, *arrivals]
        self._serve_in_turn(arrivals, work, begin)

    def _serve_centrally(self, arrivals: Sequence[float], work: Work, begin: float, until: float) -> None:  # noqa: C901 - the hot loop: a call costs as much as a request
        heap, loops, begins, latencies, ended = (
            self._central, self._loops, self._begins, self._latencies, self.ended,
        )  # fmt: skip
        random, kinds, replace = self._chance.random, len(work), heapq.heapreplace
        timeout = self.settings.timeout_seconds
        queued = self._queued
        depth = ACTIVATOR_QUEUE * self.settings.activators
        second = int(begin)
        second_end = second + 1.0
        joins, tails, area = self._joins, self._tails, 0.0
        admitted = len(self._waiting)
        items = [*self._waiting, *arrivals] if admitted else arrivals
        left: list[float] = []
        for number, arrived in enumerate(items):
            if number >= admitted:
                while begins and begins[0] <= arrived:
                    begins.popleft()
                if len(begins) + len(left) >= depth:
                    self.tally.refused += 1
                    if ended is not None:
                        ended.append(arrived)
                    continue
            start = heap[0][0] if heap else math.inf
            if start < arrived:
                start = arrived
            if start >= until or left:
                if until - arrived > timeout:
                    self._time_out(arrived + timeout)
                else:
                    left.append(arrived)
                continue
            if start > arrived:
                if start - arrived > timeout:
                    self._time_out(arrived + timeout)
                    continue
                begins.append(start)
            pod = heap[0][1]
            processor, rest, counts = work[int(random() * kinds)]
            loop = loops[pod]
            loops[pod] = done = (start if start > loop else loop) + processor
            end = done + rest
            if end - arrived > timeout:
                end = arrived + timeout
                self._time_out(end)
            else:
                if counts:
                    latencies.append(end - arrived)
                    if not len(latencies) & _SAMPLED:
                        queued.append(done - processor - arrived)
                else:
                    self._streams += 1
                if ended is not None:
                    ended.append(end)
            replace(heap, (end, pod))
            since = arrived if arrived > begin else begin
            if end < second_end:
                area += end - since
            else:
                area += second_end - since
                last = int(end)
                if last > second + 1:
                    joins[second + 1] += 1
                    joins[last] -= 1
                tails[last] += end - last
        self._waiting = left
        self._area += area + sum([until - (arrived if arrived > begin else begin) for arrived in left])

    def _serve_in_turn(self, arrivals: Sequence[float], work: Work, begin: float) -> None:  # noqa: C901 - as above
        """Round robin over the pods, as an ingress does, each with its own queue."""
        order, slots, queues, loops = self._order, self._slots, self._queues, self._loops
        random, kinds, replace = self._chance.random, len(work), heapq.heapreplace
        timeout = self.settings.timeout_seconds
        queued = self._queued
        depth = POD_QUEUE_FACTOR * self.settings.concurrency
        second = int(begin)
        second_end = second + 1.0
        joins, tails, latencies, ended, area = self._joins, self._tails, self._latencies, self.ended, 0.0
        turn, count = self._turn, len(order)
        for arrived in arrivals:
            turn = turn + 1 if turn + 1 < count else 0
            pod = order[turn]
            mine = slots[pod]
            since = arrived if arrived > begin else begin
            start = mine[0] if mine[0] > since else since
            if start > since:
                queue = queues[pod]
                while queue and queue[0] <= since:
                    queue.popleft()
                if len(queue) >= depth:
                    self.tally.refused += 1
                    if ended is not None:
                        ended.append(arrived)
                    continue
                if start - arrived > timeout:
                    self._time_out(arrived + timeout)
                    continue
                queue.append(start)
            processor, rest, counts = work[int(random() * kinds)]
            loop = loops[pod]
            loops[pod] = done = (start if start > loop else loop) + processor
            end = done + rest
            if end - arrived > timeout:
                end = max(arrived + timeout, start)
                self._time_out(end)
            else:
                if counts:
                    latencies.append(end - arrived)
                    if not len(latencies) & _SAMPLED:
                        queued.append(done - processor - arrived)
                else:
                    self._streams += 1
                if ended is not None:
                    ended.append(end)
            replace(mine, end)
            if end < second_end:
                area += end - since
            else:
                area += second_end - since
                last = int(end)
                if last > second + 1:
                    joins[second + 1] += 1
                    joins[last] -= 1
                tails[last] += end - last
        self._turn = turn
        self._area += area

    def _time_out(self, moment: float) -> None:
        self.tally.timed_out += 1
        if self.ended is not None:
            self.ended.append(moment)
