"""Matches events with subscriptions, and delivers until each was taken or is a dead letter.

Promises: every attempt follows `rules`; a bounded number of attempts runs at a time for each subscription; what was
not settled when the process died is delivered again. Does not: keep an order, nor know HTTP: `Courier` makes attempts.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from events.codec import from_structured, to_structured
from knative.platform.broker.rules import LONGEST_PAUSE_SECONDS, Outcome, Policy, dead_letter, pause
from knative.platform.broker.store import Pending, Routed, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from events.cloudevent import CloudEvent
    from knative.platform.broker.hostile import Hostile
    from knative.platform.broker.store import Store
    from shared.clock import Clock

log = logging.getLogger("hal9.broker")

DEAD_LETTERS: Final = "dead-letters"
"""The key of the dead-letter sink."""

SETTLE_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Trigger:
    """A subscription.

    Attributes:
        key: `deployment/subscription`; stable over restarts, for it is kept with each delivery.
        deployment: To whom.
        audience: The function, for the token.
        path: Where at the function.
        matches: Whether an event passes the filters.
        policy: Retries.
        parallel: Attempts at a time.
    """

    key: str
    deployment: str
    audience: str
    matches: Callable[[CloudEvent], bool]
    path: str = "/events"
    policy: Policy = field(default_factory=Policy)
    parallel: int = 16

    @property
    def destination(self) -> str:
        """What `knativeerrordest` says."""
        return f"http://{self.deployment}{self.path}"


class Courier(Protocol):
    """Makes attempts."""

    async def attempt(self, trigger: Trigger, event: CloudEvent) -> Outcome:
        """Deliver once; what goes wrong is an outcome, not an exception."""
        ...


class _Line:
    """The deliveries of one subscription."""

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self.ready: deque[Pending] = deque()
        self.waiting = 0
        self.running = 0
        self.delivered = 0
        self.failed = 0
        self.dead = 0


class Dispatcher:
    """Delivers what is in the store.

    Args:
        triggers: The subscriptions.
        sink: The dead-letter sink; None keeps dead letters in the store until there is one.
        store: What is to be delivered.
        courier: Makes attempts.
        clock: Tells the time.
        hostile: What is done to deliveries.
    """

    def __init__(
        self,
        triggers: Sequence[Trigger],
        sink: Trigger | None,
        store: Store,
        courier: Courier,
        clock: Clock,
        hostile: Hostile,
    ) -> None:
        self._triggers = tuple(triggers)
        self._store = store
        self._courier = courier
        self._clock = clock
        self._hostile = hostile
        every = [*triggers, sink] if sink is not None else triggers
        self._lines = {trigger.key: _Line(trigger) for trigger in every}
        self._later: list[tuple[float, int, Pending]] = []
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Task[None] | None = None
        self._stopping = False
        self.accepted = 0
        self.unmatched = 0
        self.parked = 0

    async def start(self) -> None:
        """Take up what was left, and begin to deliver."""
        dropped = await self._store.drop_triggers([*self._lines, DEAD_LETTERS])
        if dropped:
            log.warning("%d deliveries of subscriptions that are no more were dropped", dropped)
        for pending in self._store.pending():
            self._enqueue(pending)
        self._timer = asyncio.get_running_loop().create_task(self._keep_time())

    async def publish(self, events: Iterable[CloudEvent]) -> None:
        """Take events, all or none; when this returns, they are on the disk.

        Raises:
            StoreError: They cannot be kept.
        """
        routed = [route for event in events if (route := self._route(event))[1]]
        pendings = await self._store.accept(routed) if routed else []
        for pending in pendings:
            self._enqueue(pending)

    async def stop(self, grace_seconds: float) -> None:
        """Begin no attempt any more, wait for those that run, and leave the rest for the next start."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace_seconds)
        for task in self._tasks:
            task.cancel()

    def status(self) -> dict[str, Any]:
        """Say what is queued, for people and tests."""
        lines = {
            key: {
                "ready": len(line.ready), "waiting": line.waiting, "running": line.running,
                "delivered": line.delivered, "failed_attempts": line.failed, "dead": line.dead,
            }
            for key, line in self._lines.items()
        }  # fmt: skip
        queued = sum(line["ready"] + line["waiting"] + line["running"] for line in lines.values())
        sink = lines.get(DEAD_LETTERS)
        undelivered_dead = sink["ready"] + sink["waiting"] + sink["running"] if sink else self.parked
        return {
            "accepted": self.accepted,
            "unmatched": self.unmatched,
            "queued": queued,
            "dead_letters": sum(line["dead"] for line in lines.values()),
            "dead_letters_not_taken": undelivered_dead,
            "used_bytes": self._store.used_bytes(),
            "triggers": lines,
        }

    # within

    def _route(self, event: CloudEvent) -> Routed:
        self.accepted += 1
        now = self._clock.now().timestamp()
        matching = [trigger for trigger in self._triggers if trigger.matches(event)]
        if not matching:
            self.unmatched += 1
        deliveries = [
            (trigger.key, now + self._hostile.hold_back())
            for trigger in matching
            for _ in range(self._hostile.duplicate)
        ]
        return to_structured(event), deliveries

    def _enqueue(self, pending: Pending) -> None:
        line = self._lines.get(pending.trigger)
        # From here on by the clock that nobody sets.
        wait = min(pending.due - self._clock.now().timestamp(), LONGEST_PAUSE_SECONDS)
        if line is None:  # a dead letter, and no sink
            self.parked += 1
        elif wait > 0:
            line.waiting += 1
            heapq.heappush(self._later, (self._clock.monotonic() + wait, next(self._order), pending))
            self._wake.set()
        else:
            line.ready.append(pending)
            self._pump(line)

    async def _keep_time(self) -> None:
        """Move deliveries to their lines when they are due."""
        while True:
            self._wake.clear()
            now = self._clock.monotonic()
            while self._later and self._later[0][0] <= now:
                pending = heapq.heappop(self._later)[2]
                line = self._lines[pending.trigger]
                line.waiting -= 1
                line.ready.append(pending)
                self._pump(line)
            await self._until(self._later[0][0] - now if self._later else None)

    async def _until(self, seconds: float | None) -> None:
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._wake.wait())]
        if seconds is not None:
            waits.append(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _pump(self, line: _Line) -> None:
        while line.ready and line.running < line.trigger.parallel and not self._stopping:
            place = self._hostile.pick(len(line.ready))
            pending = line.ready[place]
            del line.ready[place]
            line.running += 1
            task = asyncio.get_running_loop().create_task(self._deliver(line, pending))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, line: _Line, pending: Pending) -> None:
        try:
            body = self._store.event(pending)
            if body is not None:
                event = from_structured(body, max_bytes=len(body))
                outcome = await self._attempt(line.trigger, event)
                await self._settle(line, pending, event, outcome)
        except Exception:
            log.exception("delivery %d to %s broke; it is made again after a restart", pending.id, pending.trigger)
        finally:
            line.running -= 1
            self._pump(line)

    async def _attempt(self, trigger: Trigger, event: CloudEvent) -> Outcome:
        lost = self._hostile.lose()
        if lost == "before":
            return Outcome(None, "the hostile broker did not deliver")
        outcome = await self._courier.attempt(trigger, event)
        if lost == "after":
            return Outcome(None, "the hostile broker lost the answer")
        return outcome

    async def _settle(self, line: _Line, pending: Pending, event: CloudEvent, outcome: Outcome) -> None:
        policy = line.trigger.policy
        if outcome.delivered:
            line.delivered += 1
            await self._finish(pending, [outcome.reply] if outcome.reply is not None else [])
            return
        line.failed += 1
        if policy.endless or (outcome.retryable and pending.attempts < policy.retry):
            await self._retry(line, pending, outcome)
        elif not policy.dead_letter:
            await self._finish(pending, [])
        else:
            line.dead += 1
            log.warning(
                "event %s of type %s could not be delivered to %s (%s) and is a dead letter",
                event.id, event.type, line.trigger.key, outcome.status or outcome.data,
            )  # fmt: skip
            letter = dead_letter(event, outcome, line.trigger.destination)
            await self._finish(pending, [], letter)

    async def _retry(self, line: _Line, pending: Pending, outcome: Outcome) -> None:
        wait = pause(line.trigger.policy, pending.attempts, outcome.retry_after)
        pending.attempts += 1
        pending.due = self._clock.now().timestamp() + wait
        try:
            await self._store.later(pending)
        except StoreError as error:  # it is tried again all the same; only a restart would forget how often it was
            log.warning("%s", error)
        self._enqueue(pending)

    async def _finish(self, pending: Pending, replies: list[CloudEvent], letter: CloudEvent | None = None) -> None:
        events = [self._route(reply) for reply in replies]
        if letter is not None:
            due = self._clock.now().timestamp() + self._hostile.hold_back()
            events.append((to_structured(letter), [(DEAD_LETTERS, due)] * self._hostile.duplicate))
        events = [event for event in events if event[1]]
        while True:
            try:
                pendings = await self._store.done(pending, events)
            except StoreError as error:  # the disk is full: what was delivered stays ours to settle
                log.warning("%s", error)
                await self._clock.sleep(SETTLE_PAUSE_SECONDS)
            else:
                break
        for made in pendings:
            self._enqueue(made)
