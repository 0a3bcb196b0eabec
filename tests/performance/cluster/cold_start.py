"""From zero to the first answer, as a client sees it, in its parts.

The client's moments, those of a watch on the pods, and those in the host's own line are of clocks that agree: one
machine's, or machines' that are kept in step. Kubernetes' own times are whole seconds, of no use here.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tests.performance.cluster.benchmark import ClusterBenchmark
from tests.performance.cluster.kube import Pods, start_lines, until
from tests.performance.cluster.requesting import ask
from tests.performance.cluster.stage import SERVICE
from tests.performance.results import AtMost, Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.performance.cluster.benchmark import Bench
    from tests.performance.cluster.requesting import Way

WHOLE_GOAL: Final = 1.2
OURS_GOAL: Final = 0.4
_GOLDEN: Final = 0.618
"""Multiples of it, but for whole ones, spread evenly, however many there are."""


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Seconds, in the order in which they pass.

    Attributes:
        decision: From the request until the pod was made: ingress, activator, autoscaler, two controllers.
        scheduling: Until the pod had a node.
        container: Until the function's process began: sandbox, network, file systems.
        interpreter: Until its first line.
        imports: The host, function.toml, settings, modules.
        open: The resources.
        unasked: Until the first probe: the queue-proxy's container starts after the function's.
        pools: Until the first ready answer: what is left of connecting and fetching keys.
        answer: Until the client had the answer: queue-proxy's probe, activator's probe, the request itself.
    """

    decision: float
    scheduling: float
    container: float
    interpreter: float
    imports: float
    open: float
    unasked: float
    pools: float
    answer: float

    @property
    def whole(self) -> float:
        """What the client waited."""
        return float(sum(getattr(self, one.name) for one in fields(self)))

    @property
    def ours(self) -> float:
        """From the process's start to ready, but for the time in which nobody asks whether it is."""
        return self.interpreter + self.imports + self.open + self.pools


def once(way: Way, namespace: str, service: str) -> ColdStart:
    """Ask a service that is at zero, and take the start of its pod apart.

    Raises:
        RuntimeError: The answer was none, or more than one pod came.
    """
    with Pods(namespace, f"{SERVICE}={service}") as pods:
        asked = time.time()
        status, body = asyncio.run(ask(way))
        answered = time.time()
        if status != 200 or len(pods.seen) != 1:
            raise RuntimeError(f"{service} answered {status} {body[:200]!r} from {len(pods.seen)} pods")
        (pod,) = pods.seen.values()
        line = until("the host's line", lambda: start_lines(namespace, pod.name), 30)
    ready = datetime.fromisoformat(line["time"]).timestamp()
    began = ready - line["seconds"]
    return ColdStart(
        decision=pod.made - asked,
        scheduling=pod.scheduled - pod.made,
        container=began - pod.scheduled,
        interpreter=line["interpreter"],
        imports=line["imports"],
        open=line["open"],
        unasked=line["unasked"],
        pools=line["pools"],
        answer=answered - ready,
    )


def figures(starts: Sequence[ColdStart], *, goals: bool = False) -> list[Figure]:
    """Give the middle of the starts, whole and by part, and the best and the worst whole one."""
    wholes = [one.whole for one in starts]
    middle = statistics.median(wholes)
    parts = [
        Figure(f"  {one.name}", max(0.0, statistics.median(getattr(start, one.name) for start in starts)), "s")
        for one in fields(ColdStart)
    ]
    return [
        Figure("whole, middle", middle, "s", AtMost(WHOLE_GOAL) if goals else None),
        Figure("whole, best", min(wholes), "s"),
        Figure("whole, worst", max(wholes), "s"),
        *parts,
        Figure(
            "ours: process start to ready",
            statistics.median(one.ours for one in starts),
            "s",
            AtMost(OURS_GOAL) if goals else None,
        ),
    ]


def measure(bench: Bench) -> list[Figure]:
    """Start the lean function from zero again and again; then with a volume, as HAL9's own functions have them."""
    starts = _starts(bench, bench.rounds(8, 2))
    bench.notes["cold_starts"] = starts
    mounted = _starts(bench, bench.rounds(4, 1), temporary=True)
    return [
        *figures(starts, goals=True),
        Figure("whole, middle, with a volume", statistics.median(one.whole for one in mounted), "s"),
        Figure("  container, with a volume", statistics.median(one.container for one in mounted), "s"),
    ]


def _starts(bench: Bench, rounds: int, **settings: Any) -> list[ColdStart]:
    stage = bench.stage
    stage.apply("lean", **settings)
    way = stage.way("lean")
    starts = []
    for number in range(rounds):
        stage.until_gone("lean")
        # What ends is still being cleaned up. A client comes at any moment of the kubelet's second, in each of which it
        # looks but once at what became of its containers.
        time.sleep(2.0 + (number * _GOLDEN) % 1.0)
        starts.append(once(way, stage.namespace, "lean"))
        bench.say(f"cold start {number + 1}: {starts[-1].whole:.2f} s, ours {starts[-1].ours:.2f} s")
    return starts


BENCHMARK = ClusterBenchmark("cold-start", "A lean function from zero, as a client sees it", measure)
