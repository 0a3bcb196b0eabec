"""Queues against formulas and a plain simulation; scaling from zero to many and back; nothing lost."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knative.capacity.autoscaler import AutoscalerSettings
from knative.capacity.revision import ACTIVATOR_QUEUE, Revision, RevisionSettings
from knative.capacity.tally import RESOLUTION
from tests.unit.capacity.queues import (
    exponential,
    feed,
    poisson,
    simulated_with_a_calendar,
    sojourn_percentile,
    standing,
)

SHORT = [(0.001, 0.004, True)]


@pytest.mark.parametrize(("servers", "busy"), [(4, 0.8), (2, 0.6), (20, 0.9)])
def test_one_queue_before_all_slots_waits_as_erlang_says(servers: int, busy: float) -> None:
    """Stated error of the model against M/M/c: 6% at the median and the 95th percentile."""
    service = 0.04
    rate = busy * servers / service
    chance = random.Random(11)
    revision = standing(1, servers, chance)
    seconds = int(120_000 / rate)
    feed(revision, poisson(rate, seconds, chance), exponential(service), seconds)
    for part in (0.5, 0.95):
        expected = sojourn_percentile(servers, rate, service, part)
        assert revision.tally.percentile(part) == pytest.approx(expected, rel=0.06)


def test_an_event_loop_waits_as_a_single_server_does() -> None:
    """M/D/1: the mean wait is busy x service / (2 (1 - busy))."""
    busy, service = 0.8, 0.01
    chance = random.Random(3)
    revision = standing(1, 10_000, chance)
    seconds = 2000
    feed(revision, poisson(busy / service, seconds, chance), [(service, 0.0, True)], seconds)
    latencies = revision.tally.latencies
    mean = sum(latency * count for latency, count in latencies.items()) / latencies.total() / RESOLUTION
    assert mean == pytest.approx(service + busy * service / (2 * (1 - busy)), rel=0.05)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 4),
    st.integers(1, 5),
    st.floats(1, 60),
    st.lists(st.tuples(st.floats(0, 0.05), st.floats(0, 0.3), st.just(True)), min_size=1, max_size=6),
)
def test_every_latency_is_that_of_a_plain_simulation(
    seed: int, pods: int, concurrency: int, rate: float, work: list[tuple[float, float, bool]]
) -> None:
    arrivals = poisson(rate, 20, random.Random(seed))
    revision = standing(pods, concurrency, random.Random(seed + 1), burst=-1)
    feed(revision, arrivals, work, 400)
    expected = simulated_with_a_calendar(arrivals, work, pods, concurrency, random.Random(seed + 1))
    assert revision.tally.answered == len(arrivals)
    total = sum(latency * count for latency, count in expected.items())
    found = sum(latency * count for latency, count in revision.tally.latencies.items())
    assert found == pytest.approx(total, abs=2 * len(arrivals))  # one in the last digit of each, by rounding


def scaled(rate: float, *, maximum: int = 100, minimum: int = 0, concurrency: int = 10, window: int = 60) -> Revision:
    autoscaler = AutoscalerSettings(target=0.7 * concurrency, total=concurrency, window_seconds=window)
    revision_settings = RevisionSettings(concurrency, minimum, maximum, max(1, minimum), autoscaler)
    chance = random.Random(int(rate))
    revision = Revision("one", revision_settings, [1.5], chance, processor_seconds=0.001)
    feed(revision, poisson(rate, 240, chance), [(0.001, 0.1, True)], 240)
    return revision


def test_more_load_never_has_fewer_instances_once_it_is_steady() -> None:
    steady = [scaled(rate).seconds[-1].ready for rate in (20, 100, 300, 700, 1500)]
    assert steady == sorted(steady)
    assert steady[0] < steady[-1]


def test_instances_meet_the_load_by_littles_law() -> None:
    revision = scaled(700)
    at_once = sum(second.concurrency for second in revision.seconds[-60:]) / 60
    assert at_once == pytest.approx(700 * 0.101, rel=0.1)
    assert revision.seconds[-1].ready == -(-int(1000 * at_once) // 7000)


def test_it_goes_to_zero_and_the_first_request_waits_for_a_cold_start() -> None:
    autoscaler = AutoscalerSettings(target=7, total=10, window_seconds=60)
    revision = Revision("one", RevisionSettings(10, 0, 10, 1, autoscaler), [1.5], random.Random(1))
    feed(revision, [5.0, 200.25], SHORT, 260)
    ready = [second.ready for second in revision.seconds]
    assert ready[60] == 1
    assert ready[199] == 0
    assert ready[203] == 1
    assert revision.tally.answered == 2
    assert max(revision.tally.latencies) / RESOLUTION == pytest.approx(1.505, abs=0.001)
    assert revision.seconds[200].activator


def test_the_activator_leaves_the_path_when_there_is_capacity_for_a_burst() -> None:
    autoscaler = AutoscalerSettings(target=70, total=100, burst_capacity=211)
    revision = Revision("one", RevisionSettings(100, 5, 5, 5, autoscaler), [1.0], random.Random(1))
    feed(revision, poisson(50, 60, random.Random(2)), SHORT, 60)
    assert not revision.seconds[-1].activator
    always = Revision(
        "one", RevisionSettings(100, 2, 2, 2, autoscaler), [1.0], random.Random(1)
    )  # 2 x 100 - 211 is below zero
    feed(always, poisson(50, 60, random.Random(2)), SHORT, 60)
    assert always.seconds[-1].activator


def test_a_full_queue_refuses() -> None:
    autoscaler = AutoscalerSettings(target=1, total=1)
    revision = Revision("one", RevisionSettings(1, 1, 1, 1, autoscaler), [1.0], random.Random(1))
    feed(revision, poisson(3000, 5, random.Random(2)), [(0.0, 1.0, True)], 5)
    assert revision.waiting == ACTIVATOR_QUEUE
    assert revision.tally.refused == revision.tally.arrived - revision.tally.answered - revision.waiting > 0


def test_what_waits_too_long_is_given_up() -> None:
    autoscaler = AutoscalerSettings(target=1, total=1)
    revision = Revision("one", RevisionSettings(1, 1, 1, 1, autoscaler, timeout_seconds=2), [1.0], random.Random(1))
    feed(revision, [0.1, 0.2, 0.3, 0.4, 0.5], [(0.0, 1.0, True)], 20)
    # Those at 0.3 and 0.4 begin and are cut off at their deadline, which is when the next one begins; 0.5 as well.
    assert (revision.tally.answered, revision.tally.timed_out, revision.waiting) == (2, 3, 0)


class TwoPods:
    def __init__(self) -> None:
        self.room = 2

    def take(self) -> bool:
        if self.room == 0:
            return False
        self.room -= 1
        return True

    def give_back(self) -> None:
        self.room += 1


def test_nodes_that_are_full_take_no_more_pods() -> None:
    autoscaler = AutoscalerSettings(target=1, total=1)
    nodes = TwoPods()
    revision = Revision("one", RevisionSettings(1, 0, 50, 1, autoscaler), [1.0], random.Random(1), nodes=nodes)
    feed(revision, poisson(20, 60, random.Random(2)), [(0.0, 0.5, True)], 60)
    assert max(second.ready for second in revision.seconds) == 2
    assert nodes.room == 0


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    concurrency=st.integers(1, 40),
    least=st.integers(0, 4),
    spare=st.integers(0, 12),
    burst=st.sampled_from([-1.0, 0.0, 20.0, 211.0]),
    window=st.integers(6, 60),
    delay=st.sampled_from([0, 20]),
    rates=st.lists(st.sampled_from([0.0, 2.0, 50.0, 300.0]), min_size=1, max_size=4),
    wait=st.sampled_from([0.002, 0.1, 3.0]),
    timeout=st.sampled_from([1.0, 300.0]),
)
def test_no_request_is_lost_and_no_bound_is_passed(
    seed: int,
    concurrency: int,
    least: int,
    spare: int,
    burst: float,
    window: int,
    delay: int,
    rates: list[float],
    wait: float,
    timeout: float,
) -> None:
    most = max(1, least + spare)
    autoscaler = AutoscalerSettings(
        target=0.7 * concurrency, total=concurrency, burst_capacity=burst, window_seconds=window,
        scale_down_delay_seconds=delay,
    )  # fmt: skip
    revision_settings = RevisionSettings(concurrency, least, most, max(1, least), autoscaler, timeout_seconds=timeout)
    chance = random.Random(seed)
    revision = Revision("one", revision_settings, [0.8, 1.2, 2.9], chance)
    arrivals: list[float] = []
    for part, rate in enumerate(rates):
        arrivals += [30 * part + moment for moment in (poisson(rate, 30, chance) if rate else [])]
    feed(revision, arrivals, [(0.001, wait, True), (0.002, wait, False)], 30 * len(rates) + 5)
    tally = revision.tally
    assert tally.arrived == len(arrivals)
    assert tally.arrived == tally.answered + tally.refused + tally.timed_out + revision.waiting
    assert sum(second.arrived for second in revision.seconds) == len(arrivals)
    assert sum(second.failed for second in revision.seconds) == tally.refused + tally.timed_out
    assert all(second.ready <= most and second.wanted <= most for second in revision.seconds)
    assert all(second.wanted >= least for second in revision.seconds)
    assert all(second.concurrency >= -1e-6 for second in revision.seconds)
