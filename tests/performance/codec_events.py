"""What reading and writing an event costs, against the CloudEvents SDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from events import codec
from tests.performance.benchmark import Benchmark
from tests.performance.processor import per_call
from tests.performance.results import AtLeast, Figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.performance.benchmark import Conditions

ATTRIBUTES = {
    "specversion": "1.0",
    "id": "0198c1de-7a31-7c55-b3f5-3a1c0f2d4e5f/1/0/requested",
    "source": "/regions/us-west/functions/neuron",
    "type": "ai.hal9.neuron.step.requested",
    "subject": "0198c1de-7a31-7c55-b3f5-3a1c0f2d4e60",
    "time": "2026-01-02T03:04:05.678901Z",
    "orgid": "0198c1de-7a31-7c55-b3f5-3a1c0f2d4e61",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "executor": "neuron-l3",
}
DATA = {
    "run_id": "0198c1de-7a31-7c55-b3f5-3a1c0f2d4e60",
    "step_id": "0198c1de-7a31-7c55-b3f5-3a1c0f2d4e62",
    "process": "software",
    "path": "/api/python",
    "body": "api-designer",
    "epoch": 1,
    "phase": 0,
}


def measure(conditions: Conditions) -> list[Figure]:
    """Microseconds of CPU for each event, ours and the SDK's in turns."""
    calls = _calls()
    ours: dict[str, float] = {}
    sdk: dict[str, float] = {}
    for _ in range(conditions.rounds(3)):
        peer = conditions.peers.run("codec_sdk", {"attributes": ATTRIBUTES, "data": DATA, "rounds": 3})
        for name, call in calls.items():
            ours[name] = min(ours.get(name, 1e9), per_call(call, 3) / 1000)
        for name, value in peer.items():
            sdk[name] = min(sdk.get(name, 1e9), value)
    found = []
    for name, peer_name, goal in (
        ("read binary", "read binary", AtLeast(10)),
        ("write binary", "write binary", AtLeast(10)),
        ("read structured", "read structured", AtLeast(10)),
        ("write structured", "write structured", AtLeast(10)),
        ("read binary and parse its data", "read binary", None),
    ):
        found.append(Figure(name, ours[name], "us"))
        if name == peer_name:
            found.append(Figure(f"{name}, SDK", sdk[name], "us"))
        found.append(Figure(f"{name}: times faster than the SDK", sdk[peer_name] / ours[name], "x", goal))
    return found


def _calls() -> dict[str, Callable[[], object]]:
    body = json.dumps(DATA).encode()
    headers = [(b"host", b"neuron"), (b"content-type", b"application/json")]
    headers += [(f"ce-{name}".encode(), value.encode()) for name, value in ATTRIBUTES.items()]
    event = codec.decode(headers, body)
    structured = codec.to_structured(event)
    return {
        "read binary": lambda: codec.decode(headers, body),
        "write binary": lambda: codec.to_binary(event),
        "read structured": lambda: codec.from_structured(structured),
        "write structured": lambda: codec.to_structured(event),
        "read binary and parse its data": lambda: json.loads(codec.decode(headers, body).data or b""),
    }


BENCHMARK = Benchmark("codec", "one CloudEvent with JSON data in and out", measure)
