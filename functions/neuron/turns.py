"""Whose step is worked on next: a delivery is a turn, and weighted fair queueing by tier says whose.

Steps wait in places that are not ours and serve in the order of arrival: a broker, Knative's activator and
queue-proxies. So the order is made where a step is begun. When a request has waited, there is a backlog: then a shard
is asked which organisations have steps that wait for this deployment, and those that have had less than their share are
served first, before the step that was delivered, whose request is used up by the delivery. What is served ahead of its
own request is claimed; when that comes, it finds nothing to do.
Promises: a step of an organisation that has had little is begun when the next turn comes, however many requests of
others are ahead of its own; between organisations that always wait, turns are shared by weight; without a backlog there
is no look and no cost. Whatever is wrong with others' steps or with clocks, the delivered step is worked on.
Does not: look at all shards at each turn (one after the other, none that has just failed to answer), or stop what has
begun.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from events.catalogue.neuron import StepRequested
from functions.neuron.runtime import TryLater
from functions.neuron.transitions import Origin
from shared.fairness import FairShares
from shared.quotas.tiers import weight
from shared.telemetry import counter, logger, set_organisation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from functions.neuron.runtime import Runtime
    from functions.neuron.store import Store
    from functions.neuron.transitions import Waiting
    from shared.clock import Clock

_AHEAD_SECONDS: Final = 10.0
"""For how long a delivery serves others before its own step, which has a time-out."""

_LOOK_SECONDS: Final = 2.0
"""What a look at who waits may take: long enough for a shard that is busy, as that is when turns matter."""

_AWAY_SECONDS: Final = 5.0

_log = logger(__name__)
_turns = counter(
    "hal9_neuron_turns_total", "Turns: steps done by their own request, ahead of it, or nothing to do.", ("step",)
)


class Turns:
    """The turns of one instance.

    Args:
        store: Knows who waits.
        runtime: Works on steps.
        clock: Says how long a request has waited.
        backlog_seconds: From how long on there is a backlog; below 0 there always is one.
        served: Told of each organisation that was served ahead of its request.
    """

    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        clock: Clock,
        backlog_seconds: float,
        served: Callable[[UUID], None],
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._clock = clock
        self._backlog = backlog_seconds
        self._served = served
        self._shares: FairShares[UUID] = FairShares()
        self._asked = 0
        self._away_until: dict[int, float] = {}

    async def work(
        self,
        org_id: UUID,
        origin: Origin,
        data: StepRequested,
        process: str | None,
        *,
        executor: str | None,
        asked_at: datetime | None,
    ) -> str:
        """Serve who goes first, then do the delivered step: as `Runtime.work`.

        Args:
            org_id: The delivered step's organisation.
            origin: Where its request comes from.
            data: Its request.
            process: As `Runtime.work`.
            executor: The deployment that it waits for; None when the request does not say.
            asked_at: When it was asked for; None when the request does not say.

        Raises:
            TryLater: As `Runtime.work`.
        """
        if executor is not None and asked_at is not None:
            waited = (self._clock.now() - asked_at).total_seconds()
            if waited > self._backlog:
                await self._serve_others(org_id, origin, executor)
        share, verdict = await self._weight(org_id), "later"
        self._shares.charge(org_id, share)
        try:
            verdict = await self._runtime.work(org_id, origin, data, process)
        finally:
            if verdict != "done":  # it was served ahead, when it was charged, or somebody else has it
                self._shares.give_back(org_id, share)
        _turns.add("delivered" if verdict == "done" else "nothing")
        return verdict

    async def _serve_others(self, org_id: UUID, origin: Origin, executor: str) -> None:
        until = self._clock.monotonic() + _AHEAD_SECONDS
        passed = {org_id}
        try:
            while self._clock.monotonic() < until:
                others = {one.org_id: one for one in await self._waiting(executor) if one.org_id not in passed}
                first = self._shares.next([org_id, *others])
                if first == org_id:
                    return
                if not await self._serve(others[first], origin):
                    passed.add(first)
        except Exception as error:  # noqa: BLE001 - others' trouble must not keep the delivered step from being done
            _log.warning("nobody served ahead", error=type(error).__name__)
        finally:
            set_organisation(org_id)

    async def _waiting(self, executor: str) -> list[Waiting]:
        """Ask one shard, another one each time; one that does not answer is left alone for a while."""
        now, count = self._clock.monotonic(), self._store.shard_count
        order = [(self._asked + step) % count for step in range(1, count + 1)]
        shard = next((one for one in order if self._away_until.get(one, now) <= now), None)
        if shard is None:
            return []
        self._asked = shard
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                return await self._store.waiting(shard, executor)
        except Exception:
            self._away_until[shard] = self._clock.monotonic() + _AWAY_SECONDS
            raise

    async def _serve(self, one: Waiting, origin: Origin) -> bool:
        """Do a step ahead of its request; False when somebody else has it, or nobody can do it just now."""
        share = await self._weight(one.org_id)
        # Charged before it is done, so that this instance's other turns do not go to the same one.
        self._shares.charge(one.org_id, share)
        set_organisation(one.org_id)
        data = StepRequested(
            run_id=one.run_id, step_id=one.step_id, epoch=one.epoch, phase=one.phase, body=one.body, path=one.path
        )
        verdict = "later"
        try:
            with contextlib.suppress(TryLater):  # its own request comes again
                verdict = await self._runtime.work(one.org_id, Origin(origin.source), data)
        finally:
            if verdict != "done":
                self._shares.give_back(one.org_id, share)
        if verdict != "done":
            return False
        _turns.add("ahead")
        self._served(one.org_id)
        return True

    async def _weight(self, org_id: UUID) -> int:
        return weight(await self._store.tier(org_id))
