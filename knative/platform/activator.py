"""Holds requests until a function instance can take them, and keeps as many instances as the work needs.

Promises: an instance never gets more requests at a time than its concurrency; held requests are served in their
order, are bounded in number and time, and beyond that are refused with 503 and Retry-After, as they are when the
function has said for a while why it is not ready; an instance that crashes is started again, later each time; an
instance that is stopped is first given what it serves to the end. One deployment's trouble is not another's. Does not:
know HTTP (see `forwarding`) or processes (see `instances`): both are handed in, as is the clock.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from knative.platform.scaling import Load, expendable, start_pause, wanted
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from knative.platform.scaling import Scale
    from knative.platform.upstream import Pool
    from shared.clock import Clock

log = logging.getLogger("hal9.activator")

HOLD_SECONDS: Final = 60.0
"""How long a request is held at most."""

UNREADY_SECONDS: Final = 5.0
"""For how long an instance may say what it lacks before those who wait are told: what passes by itself, such as a
server that is started again, is over by then."""

HOPELESS: Final = 3
"""Failed starts in a row after which requests are refused at once until the next start."""

SOUND_SECONDS: Final = 10.0
"""An instance that lived this long had not failed to start: the pause before its successor begins small again."""


class Unready(NamedTuple):
    """What an instance says of why it is not ready.

    Attributes:
        reason: Sentences for whoever waits for it.
        retry_seconds: When it is worth another try.
    """

    reason: str
    retry_seconds: float


class Instance(Protocol):
    """A running copy of a function."""

    @property
    def number(self) -> int:
        """Tells the instances of a deployment apart; small numbers are used again."""
        ...

    @property
    def pool(self) -> Pool:
        """Connections to it."""
        ...

    @property
    def unready(self) -> Unready | None:
        """What it said last of why it is not ready; None when it said nothing of the kind."""
        ...

    async def ready(self) -> bool:
        """Wait until it answers its readiness probe; False when it ended before, or did not become ready in time."""
        ...

    async def ended(self) -> int:
        """Wait for its end; give its exit code."""
        ...

    async def stop(self) -> None:
        """Let it finish what it serves, then end it; return when it has ended."""
        ...


class Launcher(Protocol):
    """Starts instances."""

    def launch(self, deployment: str, number: int) -> Instance:
        """Start one.

        Raises:
            OSError: It cannot be started.
        """
        ...


class Seat:
    """A place at an instance, for one request."""

    __slots__ = ("_deployment", "_given_back", "_slot", "_streams")

    def __init__(self, deployment: Deployment, slot: Slot) -> None:
        self._deployment = deployment
        self._slot = slot
        self._given_back = False
        self._streams = False

    @property
    def pool(self) -> Pool:
        """The instance's connections."""
        return self._slot.instance.pool

    def release(self) -> None:
        """Give the place back; twice is once."""
        if not self._given_back:
            self._given_back = True
            self._deployment.left(self._slot, streamed=self._streams)

    def suspect(self) -> None:
        """Say that the instance broke off: it gets nothing more until it answers its probe again, or has ended."""
        self._deployment.suspected(self._slot)

    def streaming(self) -> None:
        """Say that the answer is an event stream: it keeps its instance, but is no work any more (as in the host)."""
        if not self._streams:
            self._streams = True
            self._deployment.streams(self._slot)


class Slot:
    """One instance, as its deployment sees it."""

    __slots__ = ("idle_since", "instance", "serving", "started", "state", "streams", "unready_since", "watch")

    def __init__(self, instance: Instance, now: float) -> None:
        self.instance = instance
        self.state = "starting"
        self.serving = 0
        self.streams = 0
        self.started = now
        self.idle_since: float | None = now
        self.unready_since: float | None = None

    def look(self, now: float) -> None:
        """Note since when it has said what it lacks."""
        if self.state != "starting" or self.instance.unready is None:
            self.unready_since = None
        elif self.unready_since is None:
            self.unready_since = now


class Deployment:
    """The instances of one deployment, and the requests that wait for them.

    Args:
        name: The deployment's.
        scale: From `function.toml`.
        launcher: Starts instances.
        clock: Tells the time.
        timeout_seconds: How long an instance may take over an answer's head.
    """

    def __init__(
        self, name: str, scale: Scale, launcher: Launcher, clock: Clock, timeout_seconds: float = 300.0
    ) -> None:
        self.name = name
        self.scale = scale
        self.timeout_seconds = timeout_seconds
        self._launcher = launcher
        self._clock = clock
        self._slots: list[Slot] = []
        self._held: deque[tuple[float, asyncio.Future[Slot]]] = deque()
        self._failures = 0
        self._never_ready = 0
        self._next_start = 0.0
        self._closing = False
        self._background: set[asyncio.Task[None]] = set()
        self.starts = 0
        self.crashes = 0
        self.refused = 0
        self.requests = 0

    # what is seen

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The instances that have not ended."""
        return tuple(self._slots)

    @property
    def held(self) -> int:
        """Requests that wait."""
        return len(self._held)

    def count(self, *states: str) -> int:
        """Count the instances in these states: starting, ready, suspect, failed, draining."""
        return sum(1 for slot in self._slots if slot.state in states)

    # what the proxy calls

    async def acquire(self) -> Seat:
        """Wait for a place at an instance, starting one if need be.

        Raises:
            Problem: 503: too many wait already, none came free in time, or the function does not start.
        """
        self.requests += 1
        if not self._held:
            slot = self._free()
            if slot is not None:
                return self._seat(slot)
        self._admit()
        waiting: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._held.append((self._clock.monotonic(), waiting))
        self.tend()
        try:
            slot = await waiting
        except asyncio.CancelledError:
            self._give_up(waiting)
            raise
        return Seat(self, slot)

    def left(self, slot: Slot, *, streamed: bool = False) -> None:
        """Take back a place."""
        if streamed:
            slot.streams -= 1
        else:
            slot.serving -= 1
        if slot.serving == 0 and slot.streams == 0:
            slot.idle_since = self._clock.monotonic()
        self._serve_held()

    def suspected(self, slot: Slot) -> None:
        """Keep requests from an instance that broke off, until it is known whether it died."""
        if slot.state == "ready" and not self._closing:
            slot.state = "suspect"
            self._spawn(self._clear(slot))

    async def _clear(self, slot: Slot) -> None:
        ready = await slot.instance.ready()
        if ready and slot.state == "suspect":
            slot.state = "ready"
            self._serve_held()

    def streams(self, slot: Slot) -> None:
        """Count a request as a stream from now on."""
        slot.serving -= 1
        slot.streams += 1
        self._serve_held()

    # what the supervisor calls

    def tend(self) -> None:
        """Look at the load: start and stop instances, refuse what waited too long. Called several times a second."""
        if self._closing:
            return
        now = self._clock.monotonic()
        self._expire(now)
        for slot in self._slots:
            slot.look(now)
        if self._held and (unready := self._unready(now)) is not None:
            self._refuse_held(self._is_not_ready(unready), unready.retry_seconds)
        live = self.count("starting", "ready", "suspect")
        oldest = now - self._held[0][0] if self._held else 0.0
        serving = sum(slot.serving for slot in self._slots if slot.state in {"ready", "suspect"})
        target = wanted(Load(live, serving, len(self._held), oldest), self.scale)
        if now >= self._next_start:
            for _ in range(target - live):
                self._start(now)
        self._stop_idle(now)

    async def close(self) -> None:
        """Refuse what waits, and stop every instance."""
        self._closing = True
        self._refuse_held("The platform is stopping.", 1.0)
        for slot in self._slots:
            if slot.state != "draining":
                self._drain(slot)
        while self._background:
            await asyncio.wait(set(self._background))

    # within

    def _admit(self) -> None:
        now = self._clock.monotonic()
        if self._closing:
            raise Problem("draining", detail="The platform is stopping.", headers={"retry-after": "1"})
        if self._hopeless and now < self._next_start:
            self.refused += 1
            pause = math.ceil(self._next_start - now)
            raise Problem("unavailable", detail=self._does_not_start(), headers={"retry-after": str(max(1, pause))})
        if (unready := self._unready(now)) is not None:
            self.refused += 1
            retry = str(max(1, math.ceil(unready.retry_seconds)))
            raise Problem("unavailable", detail=self._is_not_ready(unready), headers={"retry-after": retry})
        if len(self._held) >= self.scale.queue * self.scale.maximum:
            self.refused += 1
            raise Problem("overloaded", headers={"retry-after": "1"})

    @property
    def _hopeless(self) -> bool:
        return self._never_ready >= HOPELESS and not self.count("ready", "starting", "suspect")

    def _unready(self, now: float) -> Unready | None:
        """What keeps the function from being ready, where that has been said for a while; None when it may be soon."""
        if self.count("ready", "suspect"):
            return None
        for slot in self._slots:
            if slot.unready_since is not None and now - slot.unready_since >= UNREADY_SECONDS:
                return slot.instance.unready
        return None

    def _is_not_ready(self, unready: Unready) -> str:
        return f"The function {self.name} is not ready: {unready.reason}"

    def _does_not_start(self) -> str:
        return f"The function {self.name} does not start: see `hal9 logs {self.name}`, then try again."

    def _free(self) -> Slot | None:
        """The first instance with a free place: work gathers, so that the others become idle and go."""
        for slot in self._slots:
            if slot.state == "ready" and slot.serving < self.scale.concurrency:
                return slot
        return None

    def _seat(self, slot: Slot) -> Seat:
        self._occupy(slot)
        return Seat(self, slot)

    def _occupy(self, slot: Slot) -> None:
        slot.serving += 1
        slot.idle_since = None

    def _serve_held(self) -> None:
        while self._held:
            slot = self._free()
            if slot is None:
                return
            _, waiting = self._held.popleft()
            if not waiting.done():
                self._occupy(slot)
                waiting.set_result(slot)

    def _give_up(self, waiting: asyncio.Future[Slot]) -> None:
        """A caller went away: give back what it may have got in the same moment."""
        if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
            self.left(waiting.result())
        else:
            self._held = deque(entry for entry in self._held if entry[1] is not waiting)

    def _expire(self, now: float) -> None:
        while self._held and now - self._held[0][0] >= HOLD_SECONDS:
            _, waiting = self._held.popleft()
            self._refuse(waiting, "No instance came free in time.", 5.0)

    def _refuse_held(self, detail: str, pause: float) -> None:
        while self._held:
            self._refuse(self._held.popleft()[1], detail, pause)

    def _refuse(self, waiting: asyncio.Future[Slot], detail: str, pause: float) -> None:
        if not waiting.done():
            self.refused += 1
            headers = {"retry-after": str(max(1, math.ceil(pause)))}
            waiting.set_exception(Problem("unavailable", detail=detail, headers=headers))

    def _start(self, now: float) -> None:
        taken = {slot.instance.number for slot in self._slots}
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        try:
            instance = self._launcher.launch(self.name, number)
        except OSError:
            log.exception("an instance of %s cannot be started", self.name)
            self._never_ready += 1
            self._failed(now)
            return
        self.starts += 1
        slot = Slot(instance, now)
        self._slots.append(slot)
        self._spawn(self._live(slot))

    async def _live(self, slot: Slot) -> None:
        """Follow an instance from its start to its end."""
        ready = await slot.instance.ready()
        if ready and slot.state == "starting":
            slot.state = "ready"
            slot.idle_since = self._clock.monotonic()
            self._never_ready = 0
            self._serve_held()
        elif not ready and slot.state == "starting":
            slot.state = "failed"
            self._never_ready += 1
            await slot.instance.stop()
        code = await slot.instance.ended()
        self._gone(slot, code)

    def _gone(self, slot: Slot, code: int) -> None:
        self._slots.remove(slot)
        slot.instance.pool.close()
        if slot.state == "draining":
            return
        self.crashes += 1
        ended = "ended unasked" if slot.state != "failed" else "never became ready, and ended"
        log.warning("instance %s-%d %s (%s)", self.name, slot.instance.number, ended, _said(code))
        now = self._clock.monotonic()
        if now - slot.started >= SOUND_SECONDS:
            self._failures = 0
        self._failed(now)
        self.tend()

    def _failed(self, now: float) -> None:
        self._failures += 1
        pause = start_pause(self._failures)
        self._next_start = now + pause
        if self._hopeless:
            self._refuse_held(self._does_not_start(), pause)

    def _stop_idle(self, now: float) -> None:
        ready = [slot for slot in self._slots if slot.state == "ready"]
        if self._held:
            return
        for place in expendable([slot.idle_since for slot in ready], now, self.scale):
            self._drain(ready[place])

    def _drain(self, slot: Slot) -> None:
        slot.state = "draining"
        self._spawn(slot.instance.stop())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


def _said(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
