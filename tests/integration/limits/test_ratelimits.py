"""GCRA: the script in the cache against the same algorithm in Python, and against what a limit means."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.cache import Cache
from shared.clock import ManualClock
from shared.identifiers import new_id
from shared.ratelimits import Limit, Limiter, LocalLimiter
from shared.ratelimits.limiter import LOOK_AGAIN_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = st.builds(
    Limit,
    name=st.just("x"),
    per_second=st.sampled_from([0.1, 0.5, 1.0, 3.0, 7.0, 100.0, 1e6]),
    burst=st.integers(1, 6),
)


def fresh(name: str = "a") -> str:
    return f"hal9:{{{new_id()}}}:{name}"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limits=st.lists(LIMITS, min_size=1, max_size=3),
    pauses=st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.3, 1.0, 2.0, 20.0]), min_size=1, max_size=25),
)
async def test_the_script_and_python_agree(cache: Cache, limits: list[Limit], pauses: list[float]) -> None:
    clock = ManualClock()
    shared, local = Limiter(cache, clock), LocalLimiter(clock)
    asked = [(limit, f"{fresh()}:{index}") for index, limit in enumerate(limits)]
    for pause in pauses:
        clock.advance(pause)
        ours, theirs = await shared.take(asked), local.take(asked)
        assert ours.shared
        assert (ours.allowed, list(ours.states)) == (theirs.allowed, list(theirs.states))
        assert ours.headers() == theirs.headers()


async def test_a_burst_passes_then_the_steady_rate(cache: Cache) -> None:
    clock = ManualClock()
    limiter, asked = Limiter(cache, clock), [(Limit("key", 2.0, 5), fresh())]
    assert [(await limiter.take(asked)).allowed for _ in range(6)] == [True] * 5 + [False]
    refused = await limiter.take(asked)
    assert refused.headers()["Retry-After"] == "1"
    clock.advance(0.5)
    assert (await limiter.take(asked)).allowed
    assert not (await limiter.take(asked)).allowed
    clock.advance(3600)
    assert [(await limiter.take(asked)).allowed for _ in range(6)] == [True] * 5 + [False]


async def test_a_clock_that_is_set_back_refuses_for_one_interval_not_for_as_long(cache: Cache) -> None:
    clock = ManualClock()
    asked = [(Limit("key", 2.0, 5), fresh())]
    limiters = Limiter(cache, clock), LocalLimiter(clock)
    for _ in range(3):
        assert (await limiters[0].take(asked)).allowed
        assert limiters[1].take(asked).allowed
    clock._now -= timedelta(hours=1)
    for _ in range(3):  # nobody knows what was used in the hour that comes again: as if all of the burst
        verdicts = await limiters[0].take(asked), limiters[1].take(asked)
        assert [verdict.allowed for verdict in verdicts] == [False, False]
        assert [verdict.headers()["Retry-After"] for verdict in verdicts] == ["1", "1"]
    clock.advance(0.5)
    assert (await limiters[0].take(asked)).allowed
    assert limiters[1].take(asked).allowed
    assert not (await limiters[0].take(asked)).allowed
    assert not limiters[1].take(asked).allowed


async def test_over_a_long_time_no_more_than_the_rate_and_one_burst_pass(cache: Cache) -> None:
    clock = ManualClock()
    limiter, asked = Limiter(cache, clock), [(Limit("key", 10.0, 3), fresh())]
    passed = 0
    for _ in range(400):
        passed += (await limiter.take(asked)).allowed
        clock.advance(0.01)
    assert passed in (42, 43)


async def test_when_one_limit_refuses_none_is_charged(cache: Cache) -> None:
    clock = ManualClock()
    limiter = Limiter(cache, clock)
    wide, narrow = (Limit("wide", 0.01, 10), fresh()), (Limit("narrow", 0.01, 1), fresh())
    assert (await limiter.take([wide, narrow])).allowed
    for _ in range(20):
        assert not (await limiter.take([wide, narrow])).allowed
    verdict = await limiter.take([wide])
    assert verdict.states[0][1].remaining == 8


async def test_requests_at_once_are_counted_once_each(cache: Cache) -> None:
    limiters = [Limiter(cache) for _ in range(4)]
    asked = [(Limit("key", 0.001, 37), fresh())]
    verdicts = await asyncio.gather(*(limiters[number % 4].take(asked) for number in range(200)))
    assert sum(verdict.allowed for verdict in verdicts) == 37


async def test_a_state_is_forgotten_when_it_says_nothing_any_more(cache: Cache) -> None:
    key = fresh()
    await Limiter(cache).take([(Limit("key", 2.0, 5), key)])
    left = await cache.execute("PTTL", key)
    assert isinstance(left, int)
    assert 0 < left <= 502


async def test_values_are_looked_up_on_the_way(cache: Cache) -> None:
    limiter, tag = Limiter(cache), new_id()
    mark, gate = f"hal9:{{{tag}}}:mark", f"hal9:{{{tag}}}:gate"
    asked = [(Limit("key", 1.0, 5), f"hal9:{{{tag}}}:rate")]
    assert (await limiter.take(asked, [mark, gate])).found == (None, None)
    await cache.execute("SET", gate, b"closed")
    assert (await limiter.take(asked, [mark, gate])).found == (None, b"closed")
    assert (await limiter.take(asked)).found == ()


async def test_what_refused_is_named(cache: Cache) -> None:
    limiter = Limiter(cache)
    wide, narrow = (Limit("wide", 0.01, 10), fresh()), (Limit("narrow", 0.01, 1), fresh())
    assert (await limiter.take([wide, narrow])).violated() == []
    assert (await limiter.take([wide, narrow])).violated() == ["narrow"]


async def test_without_the_cache_this_process_limits_alone_and_looks_again(cache: Cache, short_folder: Path) -> None:
    clock = ManualClock()
    away = Cache(f"unix://{short_folder}/nobody.sock", 0.2)
    limiter, asked = Limiter(away, clock), [(Limit("key", 0.01, 3), fresh())]
    verdicts = [await limiter.take(asked, ["mark"]) for _ in range(5)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 3 + [False] * 2
    assert not any(verdict.shared or verdict.found != (None,) for verdict in verdicts)
    limiter._cache = cache
    assert not (await limiter.take(asked)).shared, "the cache is left alone for a moment"
    clock.advance(LOOK_AGAIN_SECONDS)
    assert (await limiter.take(asked)).shared
    await away.close()


def test_what_is_remembered_locally_is_bounded() -> None:
    local = LocalLimiter(ManualClock(), remembered=10)
    for number in range(100):
        local.take([(Limit("key", 1.0, 1), str(number))])
    assert len(local._arrivals) == 10


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_a_limit_that_lets_nothing_through_is_a_mistake(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="rate"):
        Limit("key", rate, burst)
