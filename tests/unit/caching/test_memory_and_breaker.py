"""The memory's bound and order, and the breaker's states."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.caching import Breaker, Memory
from shared.caching.memory import OVERHEAD_BYTES, Entry
from shared.clock import ManualClock

ORGANISATIONS = [UUID(int=number) for number in range(1, 4)]
KEYS = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(ORGANISATIONS), st.sampled_from(["", "x", "y" * 50]))


@given(st.lists(st.tuples(KEYS, st.integers(0, 5), st.integers(0, 2000)), max_size=60))
def test_memory_stays_below_its_limit_and_a_version_never_falls(
    puts: list[tuple[tuple[str, UUID, str], int, int]],
) -> None:
    memory = Memory(4 * OVERHEAD_BYTES)
    for key, version, size in puts:
        before = memory.get(key)
        memory.put(key, Entry(version, object(), 1.0, 1.0, size))
        after = memory.get(key)
        assert memory.size <= 4 * OVERHEAD_BYTES
        assert before is None or after is None or after.version >= before.version
    for name in ("a", "b"):
        memory.drop_all(name)
    assert (memory.size, len(memory)) == (0, 0)


def test_the_longest_unused_goes_first() -> None:
    memory = Memory(2 * OVERHEAD_BYTES + 10)
    one, two, three = (("a", org_id, "") for org_id in ORGANISATIONS)
    for key in (one, two):
        memory.put(key, Entry(1, "x", 1.0, 1.0, 1))
    memory.get(one)
    memory.put(three, Entry(1, "x", 1.0, 1.0, 1))
    assert [memory.get(key) is not None for key in (one, two, three)] == [True, False, True]


def test_only_what_is_older_is_dropped() -> None:
    memory = Memory(10_000)
    key = ("a", ORGANISATIONS[0], "")
    memory.put(key, Entry(3, "x", 1.0, 1.0, 1))
    memory.drop(key, 3)
    assert memory.get(key) is not None
    memory.drop(key, 4)
    assert memory.get(key) is None


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_try_at_a_time() -> None:
    clock = ManualClock()
    breaker = Breaker(3, 1.0, clock)
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()
    for _ in range(2):
        breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert [breaker.allows() for _ in range(3)] == [False] * 3
    clock.advance(1)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.failed()
    assert not breaker.allows()
    clock.advance(1)
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True] * 3
