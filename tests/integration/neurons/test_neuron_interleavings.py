"""A state machine: random interleavings of deliveries, duplicates, kills, sweeps and cancellations, over real shards.

Whatever happens in between, once everything is delivered at least once and the sweep has run, every run has ended, as a
run without any trouble would have, and every effect is there once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from events import catalogue
from functions.neuron.transitions import Origin
from functions.upkeep import service
from functions.upkeep.resources import UpkeepSettings
from functions.upkeep.store import Store as UpkeepStore
from shared.chaos import Killed, observed
from shared.identifiers import new_id
from shared.neurons.wire import ENDED
from tests.processes.office import Office
from tests.processes.tally import TALLY

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from uuid import UUID

    from events import CloudEvent
    from functions.neuron.transitions import Claim
    from shared.shards import Shards

WORDS = st.sampled_from(["a", "bb", "ccc", "lie", "maybefail", "fail"])
PICKS = st.integers(0, 10**6)  # always drawn from the same range, as what there is to pick from varies with real timing
LINES = st.lists(st.lists(WORDS, max_size=3).map(" ".join), max_size=2)
AN_HOUR = 3600.0


class Interleavings(RuleBasedStateMachine):
    """One organisation, a few runs, and every event that was ever published.

    Each may be delivered at any time, again and again.
    """

    shards: ClassVar[Shards]
    loop: ClassVar[asyncio.AbstractEventLoop]

    def __init__(self) -> None:
        super().__init__()
        self.org_id = new_id()
        self.office = Office(self.shards)
        self.upkeep: Any = SimpleNamespace(
            shards=self.shards,
            publisher=self.office,
            relay=self.office.relay,
            store=UpkeepStore(self.shards, self.office.source),
            settings=UpkeepSettings(region="us-west"),
        )
        self.runs: dict[UUID, tuple[list[str], bool]] = {}
        self.cancelled: set[UUID] = set()
        self.slow: list[tuple[Claim, CloudEvent]] = []
        self.wait(self.shards.create_organisation(self.org_id, "us-west"))

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something on the tests' event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    @property
    def published(self) -> list[CloudEvent]:
        """Every event of the organisation so far, once."""
        return list({event.id: event for event in self.office.log if event.orgid == str(self.org_id)}.values())

    def picked(self, pick: int) -> CloudEvent | None:
        """Any event that was published so far."""
        published = self.published
        return published[pick % len(published)] if published else None

    @rule(lines=LINES, audit=st.booleans())
    def start(self, lines: list[str], audit: bool) -> None:
        """Start a run, at most three."""
        if len(self.runs) == 3:
            return
        run = self.wait(self.office.start(self.org_id, *lines, audit=audit))
        self.runs[run.id] = (lines, audit)

    @rule()
    def publish(self) -> None:
        """Let the relay run."""
        self.wait(self.office.fetch(self.org_id))

    @rule(pick=PICKS)
    def deliver(self, pick: int) -> None:
        """Deliver any event that was ever published: new, a duplicate, or long out of date."""
        event = self.picked(pick)
        if event is not None:
            self.wait(self.office.deliver(event))

    @rule(picks=st.lists(PICKS, min_size=2, max_size=5))
    def deliver_at_once(self, picks: list[int]) -> None:
        """Deliver some events side by side."""
        events = [event for event in map(self.picked, picks) if event is not None]

        async def all_of_them() -> None:
            await asyncio.gather(*(self.office.deliver(event) for event in events))

        self.wait(all_of_them())

    @rule(pick=PICKS, after=st.integers(0, 5))
    def die(self, pick: int, after: int) -> None:
        """Deliver an event to a process that is killed at a point on the way."""
        event = self.picked(pick)
        if event is None:
            return
        left = [after]

        def kill(name: str) -> None:
            if left[0] == 0:
                raise Killed(name)
            left[0] -= 1

        async def deliver() -> None:
            with observed(kill):
                try:
                    await self.office.deliver(event)
                except Killed:
                    return

        self.wait(deliver())

    @rule(pick=PICKS)
    def claim(self, pick: int) -> None:
        """Begin a step, and be slow: whoever waits for it may give it to another."""
        event = self.picked(pick)
        if event is None:
            return
        if event.type == "ai.hal9.neuron.step.requested" and event.extensions["executor"] != "auditor":
            step = catalogue.parse(event)
            claim = self.wait(
                self.office.store.claim(
                    self.org_id, Origin(self.office.source), step.run_id, step.step_id, step.epoch, step.phase, 10.0
                )
            )
            if claim is not None:
                self.slow.append((claim, event))

    @rule(pick=PICKS)
    def come_late(self, pick: int) -> None:
        """Be done with a step that was begun long ago."""
        if not self.slow:
            return
        claim, event = self.slow.pop(pick % len(self.slow))
        origin = Origin(self.office.source, "", event.id, event.source, event.id)

        async def write() -> None:
            answer = await self.office.runtime._answer(TALLY, claim)
            assert answer is not None
            await self.office.runtime._written(TALLY, claim.held, claim.depth, claim.phase, origin, answer)

        self.wait(write())

    @rule(ahead=st.sampled_from([0.0, 20.0, 200.0]))
    def sweep(self, ahead: float) -> None:
        """Let time pass, and the sweep run."""
        self.wait(service.sweep(self.upkeep, ahead))

    @rule(pick=PICKS)
    def cancel(self, pick: int) -> None:
        """Cancel a run, perhaps."""
        if not self.runs:
            return
        run_id = list(self.runs)[pick % len(self.runs)]
        if (
            self.wait(self.office.store.cancel(self.org_id, Origin(self.office.source), run_id, "tester"))
            == "cancelled"
        ):
            self.cancelled.add(run_id)

    @invariant()
    def counts_are_right(self) -> None:
        """Whoever waits, waits for as many children as have not ended."""

        async def wrong() -> int:
            async with self.shards.transaction(self.org_id) as tx:
                found: int = await tx.fetchval(
                    """
                    SELECT count(*) FROM steps s WHERE state = 'waiting' AND pending IS DISTINCT FROM (
                        SELECT count(*) FROM steps c WHERE c.run_id = s.run_id AND c.parent_id = s.id
                        AND c.joined_phase = s.phase AND c.state IN ('requested', 'running', 'waiting', 'delegated'))
                    """
                )
                return found

        assert self.wait(wrong()) == 0

    def teardown(self) -> None:
        """Deliver everything that is left, then look at what became of the runs."""
        self.wait(self.finish())

    async def finish(self) -> None:
        """Let a fair broker and the sweep work until every run has ended."""
        for _ in range(40):
            await self.office.settle(self.org_id)
            shown = [await self.office.runs.show(self.org_id, run_id) for run_id in self.runs]
            if all(run.state in ENDED for run in shown):
                break
            await service.sweep(self.upkeep, 200.0)
        for run in shown if self.runs else []:
            self.ended_as_it_should(run)
        for run_id in self.runs:
            assert sum(event.id == f"{run_id}/ended" for event in self.published) == 1
            await self.said_once(run_id)
        assert await self.office.left(self.org_id) == 0

    def ended_as_it_should(self, run: Any) -> None:
        """A run's end is that of an undisturbed one."""
        lines, audit = self.runs[run.id]
        words = " ".join(lines).split()
        if run.id in self.cancelled:
            assert run.state == "cancelled"
        elif "fail" in words:
            assert (run.state, run.code) == ("failed", "uncountable")
        else:
            lies = {"lie": 99} if not audit else {}
            letters = sum(lies.get(word, len(word)) for word in words if word != "maybefail")
            assert (run.state, run.output["letters"]) == ("completed", letters), run.reason
            assert run.output["audited"] is (audit and bool(lines))

    async def said_once(self, run_id: UUID) -> None:
        """Nothing in the stream was said twice."""
        events = [event async for event in self.office.runs.watch(self.org_id, run_id, 0) if event is not None]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        again = Counter(event.step_id for event in events if event.type in {"step.revised", "step.waiting"})
        done = Counter(event.step_id for event in events if event.type == "step.completed")
        assert all(times <= 1 + again[step] for step, times in done.items())


@pytest.mark.timeout(900)  # thousands of transactions: minutes on a busy machine
async def test_any_interleaving_ends_as_an_undisturbed_run_would(shards: Shards) -> None:
    Interleavings.shards, Interleavings.loop = shards, asyncio.get_running_loop()
    await asyncio.to_thread(
        run_state_machine_as_test,
        Interleavings,
        settings=settings(
            max_examples=40, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
