"""What the way through ingress, activator and queue-proxy adds to a request, against the function alone.

Latency: one request after another, in turns over the ways. Processor time: the kubelets' accounts of the containers,
for many requests at once through the whole way.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from tests.performance.cluster.benchmark import ClusterBenchmark
from tests.performance.cluster.kube import uses_after
from tests.performance.cluster.requesting import Latencies, send
from tests.performance.results import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.performance.cluster.benchmark import Bench
    from tests.performance.cluster.requesting import Way

_SYSTEM: Final = "knative-serving"
_AT_ONCE: Final = 8
_FUNCTION_PORT: Final = 8080
_QUEUE_PROXY_PORT: Final = 8012


def measure(bench: Bench) -> list[Figure]:
    """Latency of the three ways, processor time of everything on the longest one."""
    bench.stage.apply("lean", least=1)
    bench.say("one request after another")
    ways = {
        "function alone": bench.stage.way_beside(_FUNCTION_PORT),
        "and queue-proxy": bench.stage.way_beside(_QUEUE_PROXY_PORT),
        "and ingress, activator": bench.stage.way("lean"),
    }
    found = {name: Latencies() for name in ways}
    for _ in range(bench.rounds(20, 2)):
        for name, way in ways.items():
            part = asyncio.run(send(way, requests=50, connections=1))
            found[name].seconds += part.seconds
            found[name].faults += part.faults
    if any(one.faults for one in found.values()):
        raise RuntimeError(f"requests failed: { {name: one.faults[:3] for name, one in found.items()} }")
    bench.notes["latencies"] = {name: one.part(0.5) for name, one in found.items()}
    figures = []
    for name, one in found.items():
        figures += [
            Figure(f"{name}, p50", one.part(0.5) * 1000, "ms"),
            Figure(f"{name}, p95", one.part(0.95) * 1000, "ms"),
        ]
    spent = _processor(bench, ways["and ingress, activator"])
    bench.notes["processor"] = spent
    return [*figures, *(Figure(f"processor, {name}", seconds * 1e6, "us") for name, seconds in spent.items())]


def _processor(bench: Bench, way: Way) -> Mapping[str, float]:
    """Seconds of processor for a request, by what spends it."""
    bench.say("processor time of many requests")
    count = bench.rounds(20_000, 2000)

    def wanted(place: tuple[str, str, str]) -> bool:
        return place[0] == bench.stage.namespace or (place[0] == _SYSTEM and _role(place) != "")

    before = uses_after(time.time(), wanted)
    found = asyncio.run(send(way, requests=count, connections=_AT_ONCE))
    after = uses_after(time.time(), wanted)
    if found.faults:
        raise RuntimeError(f"{len(found.faults)} of {count} requests failed: {sorted(set(found.faults))}")
    spent: dict[str, float] = {}
    for place, use in after.items():
        if place in before:
            role = _role(place)
            spent[role] = spent.get(role, 0.0) + (use.processor - before[place].processor) / count
    return spent


def _role(place: tuple[str, str, str]) -> str:
    """Name what a container is to a request; empty when it has no part in it."""
    _, pod, container = place
    if container in {"function", "queue-proxy"}:
        return container
    if pod.startswith("activator-"):
        return "activator"
    ingress = ("tiny-ingress", "3scale-kourier", "istio-ingressgateway", "envoy-")
    return "ingress" if pod.startswith(ingress) else ""


BENCHMARK = ClusterBenchmark(
    "request-cost", "A request through ingress and queue-proxy against the function alone", measure
)
