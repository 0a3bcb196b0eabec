"""Instances over time under a step of load, written down for `hal9 capacity check`, and what one instance takes.

Requests wait for a second and use no processor, so that the autoscaler is seen and not the machine's two cores. What is
measured of the cluster before (cold starts, hops) goes into the file; where those benchmarks did not run, what
`knative/capacity/measurements` has.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from knative.capacity.checking import compare, read
from tests.performance.cluster.benchmark import ClusterBenchmark
from tests.performance.cluster.kube import Pods, found, uses_after
from tests.performance.cluster.measured import MADE_BY, measurements, quantiles
from tests.performance.cluster.requesting import Latencies, keep
from tests.performance.cluster.stage import SERVICE
from tests.performance.results import AtLeast, AtMost, Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.performance.cluster.benchmark import Bench
    from tests.performance.cluster.cold_start import ColdStart

OBSERVATION: Final = "cluster-observation.json"
_SERVICE: Final = "lean-step"
_CONCURRENCY: Final = 8
_MOST: Final = 10
_USERS: Final = 40
_WINDOW_SECONDS: Final = 12
_WAIT_SECONDS: Final = 1.0
_BEFORE: Final = 5
_AFTER: Final = 30


def measure(bench: Bench) -> list[Figure]:
    """Let the load rise from nothing to forty requests at a time and fall again; count what is ready each second."""
    stage = bench.stage
    stage.apply(_SERVICE, most=_MOST, concurrency=_CONCURRENCY, window=_WINDOW_SECONDS)
    stage.until_gone(_SERVICE)
    way = stage.way(_SERVICE, f"/wait?seconds={_WAIT_SECONDS:g}")
    middle = bench.rounds(60, 25)
    users = [0] * _BEFORE + [_USERS] * middle + [0] * _AFTER
    with Pods(stage.namespace, f"{SERVICE}={_SERVICE}") as pods:
        begun = time.monotonic()
        ready: list[int] = []
        counting = threading.Thread(target=_count, args=(pods, ready, begun, len(users)))
        counting.start()
        latencies = asyncio.run(
            keep(way, lambda: users[min(len(users) - 1, int(time.monotonic() - begun))], begun + len(users) - _AFTER)
        )
        memory = _memory(stage.namespace)
        counting.join()
    observation = _observation(bench, users, ready, latencies, memory)
    path = bench.out / OBSERVATION
    path.write_text(json.dumps(observation, indent=2) + "\n", encoding="utf-8")
    compared = compare(read(path))
    wanted = _USERS // _CONCURRENCY
    return [
        Figure("instances at most", max(ready), "", AtLeast(wanted)),
        Figure("seconds from the step until as many as it needs", _first(ready, wanted) - _BEFORE, "s"),
        Figure("seconds from the end of the load to zero", _zero(ready, _BEFORE + middle), "s"),
        Figure("requests answered", len(latencies.seconds), ""),
        Figure("requests failed", len(latencies.faults), "", AtMost(0)),
        Figure("p50", latencies.part(0.5), "s"),
        Figure("p95", latencies.part(0.95), "s"),
        Figure("p99", latencies.part(0.99), "s"),
        Figure("working set of an instance's function", memory / 1e6, "MB"),
        Figure("the model's error, instances on average", compared.instances_error, ""),
        Figure("the model's error, as a part of their mean", compared.relative_error, "x"),
    ]


def _count(pods: Pods, ready: list[int], begun: float, seconds: int) -> None:
    """Note at the end of each second how many instances are ready."""
    for second in range(1, seconds + 1):
        time.sleep(max(0.0, begun + second - time.monotonic()))
        ready.append(pods.ready())


def _first(ready: Sequence[int], wanted: int) -> int:
    return next((second for second, count in enumerate(ready) if count >= wanted), len(ready))


def _zero(ready: Sequence[int], after: int) -> int:
    return next((second for second, count in enumerate(ready[after:]) if count == 0), len(ready) - after)


def _memory(namespace: str) -> int:
    """Give the greatest working set of the function's containers."""
    taken = uses_after(time.time(), lambda place: place[0] == namespace and place[2] == "function")
    return max(one.memory for one in taken.values())


def _observation(bench: Bench, users: list[int], ready: list[int], latencies: Latencies, memory: int) -> dict[str, Any]:
    config = found("-n", "knative-serving", "get", "configmap", "config-autoscaler").get("data", {})
    return {
        "format": "hal9.capacity.observation/1",
        "made_by": MADE_BY,
        "deployment": _SERVICE,
        "kind": "wait",
        "settings": {
            "concurrency": _CONCURRENCY,
            "target": _CONCURRENCY,
            "total": _CONCURRENCY,
            "min": 0,
            "max": _MOST,
            "initial": 0,
            "window_seconds": _WINDOW_SECONDS,
            "scale_to_zero_grace_seconds": _seconds(config.get("scale-to-zero-grace-period", "30s")),
            "timeout_seconds": 300,
            "nodes": len(found("get", "nodes")["items"]),
        },
        "load": {"users": users},
        "observed": {
            "ready": ready,
            "answered": len(latencies.seconds),
            "failed": len(latencies.faults),
            "p50_seconds": latencies.part(0.5),
            "p95_seconds": latencies.part(0.95),
            "p99_seconds": latencies.part(0.99),
        },
        "measurements": measurements(bench, {_SERVICE: _function(bench, memory)}),
    }


def _seconds(text: str) -> float:
    """Read Go's duration of whole minutes or seconds."""
    return 60 * float(text[:-1]) if text.endswith("m") else float(text.removesuffix("s"))


def _function(bench: Bench, memory: int) -> dict[str, Any]:
    """Give what the model needs to know of the function that waits."""
    starts: Sequence[ColdStart] = bench.notes.get("cold_starts", ())
    work = {
        "source": f"{MADE_BY}: waits for {_WAIT_SECONDS:g} s by its own clock",
        "processor_seconds": [(0, 0.0001), (1, 0.0003)],
        "wait_seconds": [(0, _WAIT_SECONDS), (1, _WAIT_SECONDS + 0.005)],
    }
    return {
        "start_seconds": quantiles([one.ours for one in starts]) if starts else [(0.0, 0.15), (1.0, 0.4)],
        "memory_bytes": memory,
        "work": {"wait": work},
    }


BENCHMARK = ClusterBenchmark("load-step", "Instances over time under a step of load", measure)
