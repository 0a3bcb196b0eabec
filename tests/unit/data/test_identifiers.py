"""UUIDv7: the layout of RFC 9562, and an order that no clock can break."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.clock import ManualClock
from shared.identifiers import Identifiers, new_id
from shared.randomness import SeededRandomness

EARLIEST = datetime(1970, 1, 2)  # noqa: DTZ001 - Hypothesis adds the zone
LATEST = datetime(2300, 1, 1)  # noqa: DTZ001


class SteppingClock(ManualClock):
    """A clock that an administrator sets, also back."""

    def step(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Ones:
    """The most random of all: every bit set."""

    def bytes(self, count: int) -> bytes:
        return b"\xff" * count


def time_of(identifier: UUID) -> datetime:
    """Give the moment in the first 48 bits (RFC 9562 section 5.7)."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)


@given(seed=st.integers(), moment=st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)))
def test_the_layout_is_that_of_the_rfc(seed: int, moment: datetime) -> None:
    identifier = Identifiers(ManualClock(moment), SeededRandomness(seed)).new()
    assert identifier.version == 7
    assert identifier.variant == RFC_4122
    assert abs(time_of(identifier) - moment) < timedelta(milliseconds=1.001)


@given(seed=st.integers(), steps=st.lists(st.floats(-5, 5) | st.just(0.0), min_size=1, max_size=200))
def test_each_is_greater_than_the_one_before_whatever_the_clock_does(seed: int, steps: list[float]) -> None:
    clock = SteppingClock()
    identifiers = Identifiers(clock, SeededRandomness(seed))
    made = []
    for step in steps:
        clock.step(step)
        made.append(identifiers.new())
    assert made == sorted(set(made), key=lambda identifier: identifier.bytes)


def test_more_than_fit_in_a_millisecond_borrow_from_the_next() -> None:
    identifiers = Identifiers(ManualClock(), Ones())
    made = [identifiers.new() for _ in range(10_000)]
    assert [identifier.bytes for identifier in made] == sorted({identifier.bytes for identifier in made})
    assert time_of(made[-1]) - time_of(made[0]) < timedelta(milliseconds=4)
    assert {identifier.version for identifier in made} == {7}


def test_threads_never_share_one() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id(), range(5000)))
    assert len(set(made)) == 5000
