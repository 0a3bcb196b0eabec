"""Start-time fair queueing: shares by weight, and nothing saved up by waiting for nothing."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.fairness import FairShares


def serve(shares: FairShares[str], waiting: dict[str, int], turns: int) -> list[str]:
    """Serve flows that always wait, by weight."""
    served = []
    for _ in range(turns):
        flow = shares.next(waiting)
        shares.charge(flow, waiting[flow])
        served.append(flow)
    return served


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=8)
)
def test_flows_that_always_wait_are_served_by_weight(waiting: dict[str, int]) -> None:
    rounds = 6
    counts = Counter(serve(FairShares(), waiting, rounds * sum(waiting.values())))
    for flow, weight in waiting.items():
        assert abs(counts[flow] - rounds * weight) <= 1


@given(st.integers(1, 500), st.sampled_from([1, 2, 4, 8]))
def test_one_that_comes_anew_is_served_in_the_second_turn_at_latest(before: int, weight: int) -> None:
    shares: FairShares[str] = FairShares()
    serve(shares, {"noisy": 1}, before)
    assert "quiet" in serve(shares, {"noisy": 1, "quiet": weight}, 2)


def test_a_pause_saves_nothing_up() -> None:
    shares: FairShares[str] = FairShares()
    serve(shares, {"a": 1, "b": 1}, 2)
    serve(shares, {"a": 1}, 1000)
    assert Counter(serve(shares, {"a": 1, "b": 1}, 100)) == {"a": 50, "b": 50}


def test_what_costs_more_comes_less_often() -> None:
    shares: FairShares[str] = FairShares()
    served: Counter[str] = Counter()
    for _ in range(120):
        flow = shares.next(["dear", "cheap"])
        shares.charge(flow, 1, 5.0 if flow == "dear" else 1.0)
        served[flow] += 1
    assert served == {"dear": 20, "cheap": 100}


def test_a_turn_that_came_to_nothing_is_given_back() -> None:
    shares: FairShares[str] = FairShares()
    serve(shares, {"a": 1, "b": 4}, 10)
    first = shares.next(["a", "b"])
    shares.charge(first, 4)
    shares.give_back(first, 4)
    shares.give_back("nobody", 1)
    assert shares.next(["a", "b"]) == first


def test_memory_is_bounded_and_nobody_is_nobody() -> None:
    shares: FairShares[int] = FairShares(remembered=10)
    for flow in range(100):
        shares.charge(flow, 1)
    assert len(shares._finish) == 10
    with pytest.raises(ValueError, match="empty"):
        shares.next([])
