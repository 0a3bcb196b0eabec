"""Who asks, and when."""

from __future__ import annotations

import random
import statistics

import pytest

from knative.capacity.arrivals import Closed, Open, trace


def test_open_arrivals_are_poisson() -> None:
    source = Open(lambda _: 200, random.Random(4))
    counts = [len(source.until(second, second + 1)) for second in range(2000)]
    assert statistics.fmean(counts) == pytest.approx(200, rel=0.01)
    assert statistics.variance(counts) == pytest.approx(200, rel=0.1)


def test_they_are_in_order_and_within_their_second() -> None:
    moments = Open(lambda _: 500, random.Random(4)).until(7, 8)
    assert moments == sorted(moments)
    assert 7 <= moments[0] <= moments[-1] < 8


def test_a_rate_follows_its_trace() -> None:
    recorded = trace([3, 4])
    assert [recorded(second) for second in (0, 1, 2)] == [3, 4, 0]
    assert Open(recorded, random.Random(1)).until(5, 6) == []


def test_people_ask_as_often_as_the_interactive_law_says() -> None:
    """Throughput = people / (thinking + answering)."""
    users, think, service = 100, 2.0, 0.5
    source = Closed(lambda _: users, think, random.Random(6))
    count, under_way = 0, list[float]()
    part = source.part_seconds
    for number in range(int(400 / part)):
        begin = number * part
        done = [end for end in under_way if end < begin + part]
        under_way = [end for end in under_way if end >= begin + part]
        source.answered(done)
        moments = source.until(begin, begin + part)
        count += len(moments)
        under_way += [moment + service for moment in moments]
        assert len(under_way) <= users
    assert count / 400 == pytest.approx(users / (think + service), rel=0.05)


def test_people_come_and_go() -> None:
    source = Closed(lambda second: 50 if second < 10 else 5, 0.5, random.Random(6))
    part = source.part_seconds
    per_second = []
    for second in range(30):
        asked = 0
        for number in range(int(1 / part)):
            moments = source.until(second + number * part, second + (number + 1) * part)
            source.answered(moments)
            asked += len(moments)
        per_second.append(asked)
    assert statistics.fmean(per_second[2:10]) == pytest.approx(100, rel=0.25)
    assert statistics.fmean(per_second[12:]) == pytest.approx(10, rel=0.35)
