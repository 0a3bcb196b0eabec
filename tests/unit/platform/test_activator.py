"""From zero to many and back: the activator and its rules over a manual clock and scripted instances."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from knative.platform.activator import HOLD_SECONDS, UNREADY_SECONDS, Deployment, Unready
from knative.platform.scaling import Load, Scale, expendable, start_pause, wanted
from knative.platform.upstream import Pool
from shared.clock import ManualClock
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from knative.platform.activator import Seat


class Scripted:
    """An instance that does what the test says."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pool = Pool("/nowhere")
        self.got_ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.stops = 0
        self.unready: Unready | None = None

    async def ready(self) -> bool:
        return await self.got_ready

    async def ended(self) -> int:
        return await asyncio.shield(self.end)

    async def stop(self) -> None:
        self.stops += 1
        if not self.got_ready.done():
            self.got_ready.set_result(False)
        if not self.end.done():
            self.end.set_result(0)

    def crash(self) -> None:
        if not self.got_ready.done():
            self.got_ready.set_result(False)
        if not self.end.done():
            self.end.set_result(-9)


class Launches:
    """Starts scripted instances, ready at once unless told otherwise."""

    def __init__(self, *, ready: bool = True) -> None:
        self.made: list[Scripted] = []
        self.ready = ready
        self.fail = False

    def launch(self, deployment: str, number: int) -> Scripted:
        if self.fail:
            raise OSError("no more processes")
        instance = Scripted(number)
        if self.ready:
            instance.got_ready.set_result(True)
        self.made.append(instance)
        return instance

    @property
    def alive(self) -> list[Scripted]:
        return [one for one in self.made if not one.end.done()]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


def deployment(scale: Scale, *, ready: bool = True) -> tuple[Deployment, Launches, ManualClock]:
    clock = ManualClock()
    launches = Launches(ready=ready)
    return Deployment("f", scale, launches, clock), launches, clock


async def test_from_zero_to_one_and_back() -> None:
    d, launches, clock = deployment(Scale(idle_seconds=60))
    d.tend()
    assert launches.made == []
    seat = await d.acquire()
    assert len(launches.alive) == 1
    clock.advance(120)
    d.tend()
    assert len(launches.alive) == 1  # it serves
    seat.release()
    clock.advance(59)
    d.tend()
    assert len(launches.alive) == 1
    clock.advance(1)
    d.tend()
    await until(lambda: not d.slots)
    assert launches.made[0].stops == 1
    assert d.crashes == 0


async def test_requests_are_held_until_the_instance_is_ready() -> None:
    d, launches, _ = deployment(Scale(concurrency=2, maximum=1), ready=False)
    waiting = [asyncio.ensure_future(d.acquire()) for _ in range(5)]
    await settle()
    assert (d.held, len(launches.made)) == (5, 1)
    launches.made[0].got_ready.set_result(True)
    await settle()
    served = [one for one in waiting if one.done()]
    assert served == waiting[:2]  # in their order, no more than the concurrency
    served[0].result().release()
    await settle()
    assert waiting[2].done()
    assert not waiting[3].done()
    for one in waiting:
        one.cancel()


async def test_it_grows_by_concurrency_up_to_its_maximum_and_shrinks_to_its_minimum() -> None:
    d, launches, clock = deployment(Scale(minimum=1, maximum=3, concurrency=2, idle_seconds=10))
    d.tend()
    await settle()
    assert len(launches.alive) == 1
    waiting = [asyncio.ensure_future(d.acquire()) for _ in range(20)]
    await settle()
    assert len(launches.alive) == 1  # a moment's patience
    clock.advance(1)
    d.tend()
    await settle()
    assert len(launches.alive) == 3
    assert d.held == 14
    while waiting:
        for one in [one for one in waiting if one.done()]:
            one.result().release()
            waiting.remove(one)
        await settle()
    clock.advance(10)
    d.tend()
    await until(lambda: len(d.slots) == 1)
    assert len(launches.alive) == 1


async def test_work_gathers_so_that_others_become_idle() -> None:
    d, _, clock = deployment(Scale(minimum=0, maximum=2, concurrency=2, idle_seconds=10))
    seats = [asyncio.ensure_future(d.acquire()) for _ in range(4)]
    await settle()
    clock.advance(1)
    d.tend()
    await settle()
    assert d.count("ready") == 2
    for one in seats:
        one.result().release()
    for _ in range(12):
        seat = await d.acquire()
        clock.advance(1)
        seat.release()
        d.tend()
        await settle()
    assert d.count("ready") == 1


async def test_too_many_held_requests_are_refused() -> None:
    d, _, _ = deployment(Scale(concurrency=1, maximum=1, queue=3), ready=False)
    waiting = [asyncio.ensure_future(d.acquire()) for _ in range(3)]
    await settle()
    with pytest.raises(Problem) as caught:
        await d.acquire()
    assert (caught.value.status, caught.value.headers["retry-after"]) == (503, "1")
    for one in waiting:
        one.cancel()
    await settle()
    assert d.held == 0


async def test_a_request_is_not_held_for_ever() -> None:
    d, _, clock = deployment(Scale(maximum=1), ready=False)
    waiting = asyncio.ensure_future(d.acquire())
    await settle()
    clock.advance(HOLD_SECONDS)
    d.tend()
    with pytest.raises(Problem) as caught:
        await waiting
    assert caught.value.status == 503


async def test_who_waits_is_told_what_the_function_lacks_when_it_has_said_so_for_a_while() -> None:
    d, launches, clock = deployment(Scale(maximum=1), ready=False)
    waiting = asyncio.ensure_future(d.acquire())
    await settle()
    launches.made[0].unready = Unready("A database has no space left.", 30.0)
    d.tend()
    clock.advance(UNREADY_SECONDS - 0.1)
    d.tend()
    await settle()
    assert d.held == 1  # it may be over in a moment
    clock.advance(0.1)
    d.tend()
    for refused in (waiting, d.acquire()):  # who waited, and who comes now
        with pytest.raises(Problem, match="f is not ready: A database has no space left") as caught:
            await refused
        assert (caught.value.slug, caught.value.status) == ("unavailable", 503)
        assert caught.value.headers["retry-after"] == "30"
    assert (d.refused, len(launches.made)) == (2, 1)
    launches.made[0].unready = None
    launches.made[0].got_ready.set_result(True)  # the same instance: it was not given up
    await settle()
    (await d.acquire()).release()


async def test_an_outage_that_passes_refuses_nobody() -> None:
    d, launches, clock = deployment(Scale(maximum=1), ready=False)
    waiting = asyncio.ensure_future(d.acquire())
    await settle()
    for said in (Unready("A database does not answer.", 1.0), None) * 3:
        launches.made[0].unready = said
        d.tend()
        clock.advance(UNREADY_SECONDS - 0.1)
        d.tend()
    launches.made[0].got_ready.set_result(True)
    (await waiting).release()
    assert d.refused == 0


async def test_who_is_ready_serves_though_another_instance_lacks_something() -> None:
    d, launches, clock = deployment(Scale(concurrency=1, maximum=2))
    seat = await d.acquire()
    launches.ready = False
    waiting = asyncio.ensure_future(d.acquire())
    await settle()
    clock.advance(1)  # after a moment's patience another one is started
    d.tend()
    launches.made[1].unready = Unready("A database does not answer.", 1.0)
    for _ in range(2):
        d.tend()
        clock.advance(UNREADY_SECONDS)
    d.tend()
    seat.release()
    (await waiting).release()
    assert d.refused == 0


async def test_a_caller_that_goes_away_gives_its_place_back() -> None:
    d, launches, _ = deployment(Scale(concurrency=1, maximum=1), ready=False)
    first = asyncio.ensure_future(d.acquire())
    second = asyncio.ensure_future(d.acquire())
    await settle()
    launches.made[0].got_ready.set_result(True)
    await until(lambda: d.slots[0].serving == 1)
    first.cancel()  # in the same moment in which it was served
    await settle()
    if not first.cancelled():
        first.result().release()
    seat = await second
    assert d.slots[0].serving == 1
    seat.release()
    assert d.slots[0].serving == 0


async def test_a_crashed_instance_is_started_again_later_each_time() -> None:
    d, launches, clock = deployment(Scale(minimum=1, maximum=1))
    d.tend()
    pauses = []
    for _ in range(5):
        await settle()
        before = clock.monotonic()
        count = len(launches.made)
        launches.made[-1].crash()
        await settle()
        while len(launches.made) == count:
            clock.advance(0.05)
            d.tend()
        pauses.append(clock.monotonic() - before)
    assert pauses == sorted(pauses)
    assert pauses[-1] > 2 * pauses[0]
    assert d.crashes == 5
    clock.advance(60)  # it was sound for long: the next pause is short again
    count = len(launches.made)
    launches.made[-1].crash()
    await settle()
    clock.advance(0.3)
    d.tend()
    assert len(launches.made) == count + 1


async def test_a_function_that_does_not_start_is_refused_with_what_to_do() -> None:
    d, launches, clock = deployment(Scale(), ready=False)
    waiting = asyncio.ensure_future(d.acquire())
    for _ in range(3):
        await settle()
        launches.made[-1].crash()
        await settle()
        clock.advance(5)
        d.tend()
    with pytest.raises(Problem, match="hal9 logs f"):
        await waiting
    launches.ready = True
    clock.advance(30)
    seat = await d.acquire()  # the next start is tried
    seat.release()


@pytest.mark.parametrize(
    ("ready", "said"), [(True, "ended unasked (signal 9)"), (False, "never became ready, and ended (exit code 0)")]
)
async def test_the_log_says_which_instance_died_and_which_was_given_up(
    caplog: pytest.LogCaptureFixture, *, ready: bool, said: str
) -> None:
    d, launches, _ = deployment(Scale(minimum=1), ready=ready)
    d.tend()
    await settle()
    if ready:
        launches.made[0].crash()
    else:
        launches.made[0].got_ready.set_result(False)  # it took too long; it is stopped
    await until(lambda: not d.slots)
    assert f"instance f-0 {said}" in caplog.messages


async def test_a_start_that_the_system_refuses_is_tried_again() -> None:
    d, launches, clock = deployment(Scale())
    launches.fail = True
    waiting = asyncio.ensure_future(d.acquire())
    await settle()
    launches.fail = False
    clock.advance(1)
    d.tend()
    (await waiting).release()


async def test_an_event_stream_keeps_its_instance_but_does_not_count_as_work() -> None:
    d, launches, clock = deployment(Scale(concurrency=1, maximum=1, idle_seconds=5))
    stream = await d.acquire()
    stream.streaming()
    other = await d.acquire()
    other.release()
    clock.advance(60)
    d.tend()
    await settle()
    assert launches.made[0].stops == 0
    stream.release()
    stream.release()
    clock.advance(60)
    d.tend()
    await until(lambda: launches.made[0].stops == 1)


async def test_an_instance_that_broke_off_gets_nothing_until_it_is_known_whether_it_died() -> None:
    d, launches, clock = deployment(Scale(concurrency=2, maximum=1, idle_seconds=5))
    seat = await d.acquire()
    first = launches.made[0]
    first.got_ready = asyncio.get_running_loop().create_future()
    seat.suspect()
    seat.release()
    waiting = asyncio.ensure_future(d.acquire())
    await settle()
    assert not waiting.done()
    first.got_ready.set_result(True)  # it lives
    (await waiting).release()
    first.got_ready = asyncio.get_running_loop().create_future()
    seat = await d.acquire()
    seat.suspect()
    seat.release()
    waiting = asyncio.ensure_future(d.acquire())
    await settle()
    first.crash()  # it does not
    await settle()
    clock.advance(1)
    d.tend()
    (await waiting).release()
    assert len(launches.made) == 2


async def test_closing_refuses_what_waits_and_stops_every_instance() -> None:
    d, launches, _ = deployment(Scale(minimum=2, maximum=2), ready=False)
    d.tend()
    waiting = asyncio.ensure_future(d.acquire())
    await settle()
    closing = asyncio.ensure_future(d.close())
    with pytest.raises(Problem):
        await waiting
    await closing
    assert launches.alive == []
    with pytest.raises(Problem):
        await d.acquire()


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (Load(0, 0, 0, 0.0), 0),
        (Load(0, 0, 1, 0.0), 1),
        (Load(0, 0, 17, 0.0), 3),
        (Load(1, 8, 4, 0.01), 1),
        (Load(1, 8, 4, 0.5), 2),
        (Load(3, 0, 0, 0.0), 3),
        (Load(2, 16, 500, 9.0), 4),
    ],
)
def test_wanted(load: Load, expected: int) -> None:
    assert wanted(load, Scale(maximum=4, concurrency=8)) == expected


def test_expendable_leaves_the_minimum_and_what_serves() -> None:
    scale = Scale(minimum=1, maximum=9, idle_seconds=10)
    assert expendable([0.0, 5.0, None, 3.0], 12.0, scale) == [0]
    assert expendable([0.0, 1.0, 2.0], 100.0, scale) == [0, 1]
    assert expendable([0.0], 100.0, scale) == []
    assert expendable([], 0.0, scale) == []


def test_start_pauses_are_bounded() -> None:
    assert [start_pause(n) for n in range(4)] == [0.0, 0.25, 0.5, 1.0]
    assert start_pause(10_000) == 15.0


class Machine(RuleBasedStateMachine):
    """Any order of requests, endings, crashes and time: nobody is lost, no instance is overfull, none too many."""

    SCALE = Scale(minimum=0, maximum=3, concurrency=2, queue=4, idle_seconds=5)

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.d, self.launches, self.clock = self.run(self._make())
        self.waiting: list[asyncio.Future[Seat]] = []
        self.seats: list[Seat] = []

    async def _make(self) -> tuple[Deployment, Launches, ManualClock]:
        return deployment(self.SCALE, ready=False)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def step(self) -> None:
        self.run(settle())
        for one in [one for one in self.waiting if one.done()]:
            self.waiting.remove(one)
            if not one.cancelled() and one.exception() is None:
                self.seats.append(one.result())

    @rule()
    def ask(self) -> None:
        self.waiting.append(self.loop.create_task(self.d.acquire()))
        self.step()

    @precondition(lambda self: self.seats)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.seats.pop(data.draw(st.integers(0, len(self.seats) - 1))).release()
        self.step()

    @precondition(lambda self: self.seats)
    @rule(data=st.data())
    def break_off(self, data: st.DataObject) -> None:
        self.run(self._suspect(self.seats[data.draw(st.integers(0, len(self.seats) - 1))]))
        self.step()

    async def _suspect(self, seat: Seat) -> None:
        seat.suspect()

    @precondition(lambda self: self.waiting)
    @rule()
    def go_away(self) -> None:
        self.waiting.pop(0).cancel()
        self.step()

    @rule()
    def become_ready(self) -> None:
        for one in self.launches.made:
            if not one.got_ready.done():
                one.got_ready.set_result(True)
        self.step()

    @precondition(lambda self: self.launches.alive)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.launches.alive)).crash()
        self.step()

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 61.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.run(self._tend())
        self.step()

    async def _tend(self) -> None:
        self.d.tend()

    @invariant()
    def no_instance_is_overfull(self) -> None:
        assert all(0 <= slot.serving <= self.SCALE.concurrency for slot in self.d.slots)
        assert sum(slot.serving for slot in self.d.slots) <= len(self.seats)

    @invariant()
    def never_too_many(self) -> None:
        assert self.d.count("starting", "ready", "suspect") <= self.SCALE.maximum
        assert self.d.held <= self.SCALE.queue * self.SCALE.maximum

    @invariant()
    def nobody_waits_beside_a_free_place(self) -> None:
        free = [s for s in self.d.slots if s.state == "ready" and s.serving < self.SCALE.concurrency]
        assert not (free and self.d.held)

    def teardown(self) -> None:
        for one in self.waiting:
            one.cancel()
        self.run(self.d.close())
        assert self.launches.alive == []
        self.loop.close()


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
