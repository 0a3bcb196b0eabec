"""Events a second through the cluster's Broker, from one publisher to one subscriber, against the local platform's.

Eight events are under way at a time, as from a function's outbox.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from tests.performance.cluster.benchmark import ClusterBenchmark
from tests.performance.cluster.kube import apply, until
from tests.performance.cluster.local_broker import events_per_second
from tests.performance.cluster.requesting import ask
from tests.performance.results import Figure

if TYPE_CHECKING:
    from tests.performance.cluster.benchmark import Bench
    from tests.performance.cluster.requesting import Way

_NAME: Final = "default"


def measure(bench: Bench) -> list[Figure]:
    """Publish, and wait until the subscriber has counted everything."""
    stage = bench.stage
    apply(_broker(stage.namespace))
    address = stage.until_ready("broker", _NAME)["status"]["address"]
    stage.apply("lean", least=1, broker=address["url"], audience=address.get("audience", ""))
    stage.until_ready("trigger", "lean")
    way = stage.way("lean")
    _round(way, 10)
    rates = []
    for number in range(bench.rounds(3, 1)):
        rates.append(_round(way, bench.rounds(400, 50)))
        bench.say(f"round {number + 1}: {rates[-1]:.0f} events a second")
    local = events_per_second(bench.rounds(3, 1), bench.rounds(400, 50))
    return [
        Figure("through the Broker, best round", max(rates), "1/s"),
        Figure("through the local platform's broker, best round", local, "1/s"),
        Figure("Broker against local", max(rates) / local, "x"),
    ]


def _asked(way: Way, path: str) -> dict[str, Any]:
    status, body = asyncio.run(ask(way.at(path)))
    if status != 200:
        raise RuntimeError(f"{path} is answered with {status}: {body[:300]!r}")
    document: dict[str, Any] = json.loads(body)
    return document


def _round(way: Way, events: int) -> float:
    before = _asked(way, "/count")["events"]
    began = _asked(way, f"/publish?events={events}")["began"]
    counted = until("every event at the subscriber", lambda: _all(way, before + events), 120)
    rate: float = events / (counted["last"] - began)
    return rate


def _all(way: Way, events: int) -> dict[str, Any] | None:
    counted = _asked(way, "/count")
    return counted if counted["events"] >= events else None


def _broker(namespace: str) -> list[dict[str, Any]]:
    """Give a Broker of the in-memory channel, and a Trigger to `lean`."""
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "config-br-default-channel",
        "namespace": "knative-eventing",
    }
    subscriber = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "lean"}
    return [
        {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Broker",
            "metadata": {
                "name": _NAME,
                "namespace": namespace,
                "annotations": {"eventing.knative.dev/broker.class": "MTChannelBasedBroker"},
            },
            "spec": {"config": config},
        },
        {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Trigger",
            "metadata": {"name": "lean", "namespace": namespace},
            "spec": {"broker": _NAME, "subscriber": {"ref": subscriber, "uri": "/events"}},
        },
    ]


BENCHMARK = ClusterBenchmark("broker-events", "Events a second through the Broker", measure)
