"""What queue-proxies counted is summed rightly, whatever pods come and go."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Counter as PrometheusCounter

from knative.deploy.measurements import Tally, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knative.deploy.measurements import Series

QUEUE_PROXY = """\
# HELP revision_app_request_count The number of requests that are routed to user-container
# TYPE revision_app_request_count counter
revision_app_request_count{configuration_name="probe",response_code="200",response_code_class="2xx"} 999
# HELP revision_request_count The number of requests that are routed to queue-proxy
# TYPE revision_request_count counter
revision_request_count{configuration_name="probe",container_name="queue-proxy",namespace_name="hal9",\
pod_name="probe-00001",response_code="200",response_code_class="2xx",revision_name="probe-00001"} 27
revision_request_count{configuration_name="probe",container_name="queue-proxy",namespace_name="hal9",\
pod_name="probe-00001",response_code="500",response_code_class="5xx",revision_name="probe-00001"} 13
# HELP revision_request_latencies The response time in millisecond
# TYPE revision_request_latencies histogram
revision_request_latencies_bucket{response_code="200",response_code_class="2xx",le="5"} 18
revision_request_latencies_bucket{response_code="200",response_code_class="2xx",le="60"} 27
revision_request_latencies_bucket{response_code="200",response_code_class="2xx",le="+Inf"} 27
revision_request_latencies_sum{response_code="200",response_code_class="2xx"} 390
revision_request_latencies_count{response_code="200",response_code_class="2xx"} 27
"""
"""As Knative 1.15 writes it, shortened."""


def test_what_a_queue_proxy_writes_is_read() -> None:
    tally = Tally()
    tally.add("one", read(QUEUE_PROXY), since_its_start=True)
    found = tally.sample()
    assert found.answers == {2: 27, 5: 13}
    assert found.within == ((0.005, 18), (0.06, 27), (math.inf, 27))


def test_before_the_first_request_there_is_nothing() -> None:
    assert read("# TYPE revision_go_alloc gauge\nrevision_go_alloc 1\n") == {}
    assert read("") == {}


def test_what_another_program_writes_in_the_same_format_is_read() -> None:
    registry = CollectorRegistry()
    labels = ["response_code", "response_code_class"]
    PrometheusCounter("revision_request_count", "", labels, registry=registry).labels("404", "4xx").inc(3)
    histogram = Histogram("revision_request_latencies", "", labels, buckets=[5, 10], registry=registry)
    histogram.labels("202", "2xx").observe(7)
    tally = Tally()
    tally.add("one", read(generate_latest(registry).decode()), since_its_start=True)
    assert tally.sample().answers == {4: 3}
    assert tally.sample().within == ((0.005, 0), (0.01, 1), (math.inf, 1))


def counters(requests: int) -> Mapping[Series, float]:
    return {("2xx", "200", ""): requests}


def answered(tally: Tally) -> int:
    return tally.sample().answers.get(2, 0)


def test_a_pod_that_was_there_before_counts_from_its_first_look() -> None:
    tally = Tally()
    tally.add("old", counters(1000), since_its_start=False)
    assert answered(tally) == 0
    tally.add("old", counters(1007), since_its_start=False)
    assert answered(tally) == 7


def test_a_counter_that_begins_anew_is_no_step_back() -> None:
    tally = Tally()
    tally.add("one", counters(50), since_its_start=True)
    tally.add("one", counters(4), since_its_start=True)
    assert answered(tally) == 54


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20), st.booleans()), max_size=40),
)
def test_every_request_of_every_pod_is_counted_once(steps: list[tuple[str, int, bool]]) -> None:
    """Pods answer, are looked at at any time, and some begin anew right after a look."""
    tally, stands, looked = Tally(), Counter[str](), 0
    pending = Counter[str]()
    for pod, requests, restarts in steps:
        stands[pod] += requests
        pending[pod] += requests
        tally.add(pod, counters(stands[pod]), since_its_start=True)
        looked += pending.pop(pod)
        assert answered(tally) == looked
        if restarts:
            stands[pod] = 0
            tally.add(pod, counters(0), since_its_start=True)
