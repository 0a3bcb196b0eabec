"""What was measured of the cluster so far, in the capacity model's format: hops, cold starts, functions.

What no benchmark measured before is as in `knative/capacity/measurements`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from knative.capacity.measurements import DEFAULT, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.performance.cluster.benchmark import Bench
    from tests.performance.cluster.cold_start import ColdStart

MADE_BY: Final = "make bench-cluster"


def measurements(bench: Bench, functions: Mapping[str, Any]) -> dict[str, Any]:
    """Give the document, with these functions in it."""
    known = load(DEFAULT).model_dump(mode="json")
    return {
        **known,
        "made_by": MADE_BY,
        "hops": _hops(bench, known["hops"]),
        "cold_start": _cold_start(bench, known["cold_start"]),
        "functions": dict(functions),
    }


def _cold_start(bench: Bench, known: dict[str, Any]) -> dict[str, Any]:
    starts: Sequence[ColdStart] = bench.notes.get("cold_starts", ())
    if not starts:
        return known
    return {
        "source": f"{MADE_BY}: {len(starts)} starts of a lean function, one at a time",
        "scheduling_seconds": quantiles([max(0.0, one.scheduling) for one in starts]),
        "container_seconds": quantiles([max(0.0, one.container) + max(0.0, one.unasked) for one in starts]),
        "starts_per_second_and_node": bench.notes.get("starts_per_second", known["starts_per_second_and_node"]),
    }


def _hops(bench: Bench, known: dict[str, Any]) -> dict[str, Any]:
    latencies, processor = bench.notes.get("latencies"), bench.notes.get("processor")
    if not latencies or not processor:
        return known
    alone, proxied, whole = latencies.values()
    ingress_and_activator = max(0.0, whole - proxied)
    return {
        "source": f"{MADE_BY}: medians, one request after another; ingress and activator were told apart by halves",
        "ingress_seconds": ingress_and_activator / 2,
        "activator_seconds": ingress_and_activator / 2,
        "queue_proxy_seconds": max(0.0, proxied - alone),
        "queue_proxy_processor_seconds": processor.get("queue-proxy", known["queue_proxy_processor_seconds"]),
    }


def quantiles(values: Sequence[float]) -> list[tuple[float, float]]:
    """Give what was measured as rising points, as the capacity model takes it."""
    ordered = sorted(values)
    if len(ordered) == 1:
        ordered *= 2
    last = len(ordered) - 1
    return [(number / last, round(value, 4)) for number, value in enumerate(ordered)]
