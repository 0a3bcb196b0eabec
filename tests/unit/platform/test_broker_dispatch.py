"""The broker's deliveries over a manual clock and a real store: retries, replies, dead letters, restarts, hostility."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import CloudEvent
from knative.platform.broker.dispatch import DEAD_LETTERS, Dispatcher, Trigger
from knative.platform.broker.hostile import Hostile
from knative.platform.broker.rules import Outcome, Policy
from knative.platform.broker.store import Store, StoreError, StoreFullError
from shared.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path


class Subscribers:
    """Answers attempts by script: the outcomes of a trigger in their order, the last one for ever."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.scripts: dict[str, list[Outcome]] = defaultdict(lambda: [Outcome(202)])
        self.seen: list[tuple[str, CloudEvent, float]] = []
        self.gate: asyncio.Event | None = None
        self.running = 0
        self.most_running = 0

    async def attempt(self, trigger: Trigger, event: CloudEvent) -> Outcome:
        self.seen.append((trigger.key, event, self.clock.monotonic()))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        if self.gate is not None:
            await self.gate.wait()
        self.running -= 1
        script = self.scripts[trigger.key]
        return script.pop(0) if len(script) > 1 else script[0]

    def ids(self, key: str) -> list[str]:
        return [event.id for seen, event, _ in self.seen if seen == key]


def trigger(key: str, type_: str, policy: Policy | None = None, parallel: int = 16) -> Trigger:
    return Trigger(
        key, key, key, lambda event: event.type == type_, policy=policy or Policy(retry=3), parallel=parallel
    )


SINK = Trigger(DEAD_LETTERS, "upkeep", "upkeep", lambda _: True, "/dead-letters", Policy(endless=True))


def event(number: int = 1, type_: str = "a", data: bytes | None = None) -> CloudEvent:
    return CloudEvent(id=str(number), source="/test", type=type_, data=data)


class Broker:
    """A dispatcher with its store, clock and scripted subscribers."""

    def __init__(
        self, folder: Path, triggers: Sequence[Trigger], hostile: str = "", sink: Trigger | None = SINK
    ) -> None:
        self.clock = ManualClock()
        self.subscribers = Subscribers(self.clock)
        self.store = Store(folder)
        self.dispatcher = Dispatcher(triggers, sink, self.store, self.subscribers, self.clock, Hostile.parse(hostile))

    async def until(self, condition: Callable[[], bool], *, advance: float = 0.0) -> None:
        """Let the broker run until the condition holds, moving its clock in small steps if wished."""
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)
                if advance:
                    self.clock.advance(advance)

    @property
    def idle(self) -> bool:
        return self.dispatcher.status()["queued"] == 0 and not self.store.pending()

    async def stop(self) -> None:
        await self.dispatcher.stop(1.0)
        self.store.close()


@contextlib.asynccontextmanager
async def broker(
    folder: Path, triggers: Sequence[Trigger], hostile: str = "", sink: Trigger | None = SINK
) -> AsyncIterator[Broker]:
    made = Broker(folder, triggers, hostile, sink)
    await made.dispatcher.start()
    try:
        yield made
    finally:
        await made.stop()


async def test_an_event_goes_to_every_matching_subscription_and_no_other(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a"), trigger("y", "a"), trigger("z", "b")]) as b:
        await b.dispatcher.publish([event(1, data=b'{"n": 1}')])
        await b.until(lambda: b.idle)
        assert b.subscribers.ids("x") == b.subscribers.ids("y") == ["1"]
        assert b.subscribers.ids("z") == []
        assert b.subscribers.seen[0][1] == event(1, data=b'{"n": 1}')


async def test_an_event_that_nobody_wants_is_accepted_and_forgotten(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a")]) as b:
        await b.dispatcher.publish([event(1, "other")])
        assert b.idle
        assert b.dispatcher.status()["unmatched"] == 1


@pytest.mark.parametrize("status", [404, 408, 409, 429, 500, 502, 503, 504, None])
async def test_a_retried_code_is_retried_with_backoff_until_it_is_taken(tmp_path: Path, status: int | None) -> None:
    policy = Policy(retry=5, backoff="exponential", delay_seconds=1.0)
    async with broker(tmp_path, [trigger("x", "a", policy)]) as b:
        b.subscribers.scripts["x"] = [Outcome(status), Outcome(status), Outcome(status), Outcome(202)]
        await b.dispatcher.publish([event()])
        await b.until(lambda: b.idle, advance=0.25)
        times = [when for _, _, when in b.subscribers.seen]
        pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert len(times) == 4
        assert all(pause >= least for pause, least in zip(pauses, [1, 2, 4], strict=True))
        assert b.dispatcher.status()["dead_letters"] == 0


@pytest.mark.parametrize("status", [301, 400, 401, 403, 405, 413, 422])
async def test_another_code_is_a_dead_letter_at_once(tmp_path: Path, status: int) -> None:
    async with broker(tmp_path, [trigger("x", "a")]) as b:
        b.subscribers.scripts["x"] = [Outcome(status, "because")]
        await b.dispatcher.publish([event()])
        await b.until(lambda: b.idle)
        assert b.subscribers.ids("x") == ["1"]
        (letter,) = [seen for key, seen, _ in b.subscribers.seen if key == DEAD_LETTERS]
        assert letter.extensions["knativeerrorcode"] == status
        assert letter.extensions["knativeerrordata"] == "because"
        assert letter.extensions["knativeerrordest"] == "http://x/events"


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)], ids=["forwards", "backwards"])
async def test_a_pause_is_as_long_as_it_was_meant_though_the_clock_is_set(tmp_path: Path, jump: timedelta) -> None:
    async with broker(tmp_path, [trigger("x", "a", Policy(retry=2, delay_seconds=8.0))]) as b:
        b.subscribers.scripts["x"] = [Outcome(503), Outcome(202)]
        await b.dispatcher.publish([event()])
        await b.until(lambda: b.dispatcher.status()["triggers"]["x"]["waiting"])
        b.clock._now += jump
        await b.until(lambda: b.idle, advance=0.5)
        (first, _, began), (second, _, ended) = b.subscribers.seen
        assert (first, second) == ("x", "x")
        assert 8.0 <= ended - began < 1800.0


async def test_retries_end_in_a_dead_letter(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a", Policy(retry=2, delay_seconds=1.0))]) as b:
        b.subscribers.scripts["x"] = [Outcome(503)]
        await b.dispatcher.publish([event()])
        await b.until(lambda: b.idle, advance=0.5)
        assert len(b.subscribers.ids("x")) == 3
        assert b.subscribers.ids(DEAD_LETTERS) == ["1"]


async def test_retry_after_is_honoured(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a", Policy(retry=2, delay_seconds=0.1))]) as b:
        b.subscribers.scripts["x"] = [Outcome(429, retry_after=60.0), Outcome(202)]
        await b.dispatcher.publish([event()])
        await b.until(lambda: b.idle, advance=5.0)
        times = [when for _, _, when in b.subscribers.seen]
        assert times[1] - times[0] >= 60.0


async def test_a_reply_is_published(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a"), trigger("y", "b")]) as b:
        b.subscribers.scripts["x"] = [Outcome(200, reply=event(2, "b"))]
        await b.dispatcher.publish([event(1)])
        await b.until(lambda: b.idle and bool(b.subscribers.ids("y")))
        assert b.subscribers.ids("y") == ["2"]


async def test_the_same_id_is_delivered_again(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a")]) as b:
        await b.dispatcher.publish([event(1), event(1)])
        await b.until(lambda: b.idle)
        assert b.subscribers.ids("x") == ["1", "1"]


async def test_a_sink_that_fails_gets_the_dead_letter_until_it_takes_it(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a")]) as b:
        b.subscribers.scripts["x"] = [Outcome(400)]
        b.subscribers.scripts[DEAD_LETTERS] = [Outcome(None)] * 12 + [Outcome(422)] * 3 + [Outcome(202)]
        await b.dispatcher.publish([event()])
        await b.until(lambda: b.idle, advance=5.0)
        assert len(b.subscribers.ids(DEAD_LETTERS)) == 16


async def test_without_a_sink_dead_letters_wait_for_one(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a")], sink=None) as b:
        b.subscribers.scripts["x"] = [Outcome(400)]
        await b.dispatcher.publish([event()])
        await b.until(lambda: b.dispatcher.status()["dead_letters_not_taken"] == 1)
    async with broker(tmp_path, [trigger("x", "a")]) as b:
        await b.until(lambda: b.idle)
        assert b.subscribers.ids(DEAD_LETTERS) == ["1"]


async def test_attempts_at_a_time_are_bounded_for_each_subscription(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a", parallel=3)]) as b:
        b.subscribers.gate = asyncio.Event()
        await b.dispatcher.publish([event(n) for n in range(20)])
        await b.until(lambda: b.subscribers.running == 3)
        b.subscribers.gate.set()
        await b.until(lambda: b.idle)
        assert b.subscribers.most_running == 3
        assert sorted(map(int, b.subscribers.ids("x"))) == list(range(20))


async def test_what_was_not_settled_is_delivered_after_a_restart(tmp_path: Path) -> None:
    first = Broker(tmp_path, [trigger("x", "a")])
    await first.dispatcher.start()
    first.subscribers.gate = asyncio.Event()
    await first.dispatcher.publish([event(n) for n in range(5)])
    await first.until(lambda: first.subscribers.running == 5)
    # kill -9: nothing of it is stopped in an orderly way; a second broker opens the same file
    async with broker(tmp_path, [trigger("x", "a")]) as b:
        await b.until(lambda: b.idle)
        assert sorted(b.subscribers.ids("x")) == ["0", "1", "2", "3", "4"]
    first.subscribers.gate.set()
    await first.stop()


async def test_attempts_made_count_over_a_restart(tmp_path: Path) -> None:
    policy = Policy(retry=2, delay_seconds=100.0)
    async with broker(tmp_path, [trigger("x", "a", policy)]) as b:
        b.subscribers.scripts["x"] = [Outcome(503)]
        await b.dispatcher.publish([event()])
        await b.until(lambda: [p.attempts for p in b.store.pending()] == [1])
    async with broker(tmp_path, [trigger("x", "a", policy)]) as b:
        b.subscribers.scripts["x"] = [Outcome(503)]
        await b.until(lambda: b.idle, advance=50.0)
        assert len(b.subscribers.ids("x")) == 2


async def test_deliveries_of_a_subscription_that_is_no_more_are_dropped(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a", Policy(delay_seconds=1000))]) as b:
        b.subscribers.scripts["x"] = [Outcome(503)]
        await b.dispatcher.publish([event()])
        await b.until(lambda: [p.attempts for p in b.store.pending()] == [1])
    async with broker(tmp_path, [trigger("y", "a")]) as b:
        assert b.idle


async def test_hostile_every_delivery_many_times(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a"), trigger("y", "a")], "duplicate=3,reorder=1,delay=2,seed=7") as b:
        await b.dispatcher.publish([event(n) for n in range(10)])
        await b.until(lambda: b.idle, advance=0.1)
        for key in ("x", "y"):
            assert sorted(b.subscribers.ids(key)) == sorted(str(n) for n in range(10) for _ in range(3))
            assert b.subscribers.ids(key) != sorted(b.subscribers.ids(key))


async def test_hostile_failures_are_retried(tmp_path: Path) -> None:
    async with broker(tmp_path, [trigger("x", "a", Policy(retry=50, delay_seconds=0.01))], "fail=0.5,seed=1") as b:
        await b.dispatcher.publish([event(n) for n in range(30)])
        await b.until(lambda: b.idle, advance=5.0)
        seen = b.subscribers.ids("x")
        assert set(seen) == {str(n) for n in range(30)}
        assert len(seen) > 30  # some answers were lost after the delivery


async def test_a_full_store_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    store = Store(tmp_path, max_bytes=40 * 4096)
    kept = 0

    async def fill() -> None:
        nonlocal kept
        while kept < 100:
            await store.accept([(b"x" * 10_000, [("t", 0.0)])])
            kept += 1

    with pytest.raises(StoreFullError):
        await fill()
    assert len(store.pending()) == kept > 0
    for pending in store.pending():
        await store.done(pending)
    assert store.pending() == []
    await store.accept([(b"x" * 10_000, [("t", 0.0)])])
    store.close()


async def test_one_write_that_fails_does_not_take_the_others_along(tmp_path: Path) -> None:
    store = Store(tmp_path, max_bytes=40 * 4096)
    results = await asyncio.gather(
        *(store.accept([(b"x" * size, [("t", 0.0)])]) for size in (10, 10_000_000, 20)), return_exceptions=True
    )
    assert [isinstance(result, StoreFullError) for result in results] == [False, True, False]
    assert len(store.pending()) == 2
    store.close()


async def test_a_store_of_another_version_says_what_to_do(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "broker.sqlite")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreError, match="made by another version"):
        Store(tmp_path)


async def test_a_damaged_store_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "broker.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="move it away"):
        Store(tmp_path)


@settings(max_examples=25, deadline=None)
@given(
    script=st.lists(st.sampled_from([None, 202, 200, 404, 500, 503, 400, 422]), min_size=1, max_size=8),
    hostile=st.sampled_from(["", "duplicate=2", "fail=0.3,seed=5", "reorder=1,delay=1"]),
)
async def test_every_event_ends_taken_or_dead(
    tmp_path_factory: pytest.TempPathFactory, script: list[int | None], hostile: str
) -> None:
    policy = Policy(retry=4, delay_seconds=0.1)
    async with broker(tmp_path_factory.mktemp("broker"), [trigger("x", "a", policy)], hostile) as b:
        b.subscribers.scripts["x"] = [Outcome(status) for status in [*script, 202]]
        await b.dispatcher.publish([event(n) for n in range(4)])
        await b.until(lambda: b.idle, advance=1.0)
        line = b.dispatcher.status()["triggers"]["x"]
        assert line["delivered"] + line["dead"] == 4 * b.dispatcher._hostile.duplicate
        assert len(set(b.subscribers.ids(DEAD_LETTERS))) <= line["dead"]
