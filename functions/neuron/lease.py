"""The lease of a step: kept while the step is worked on, and taken late for a step that is begun without a claim."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from shared import deadlines
from shared.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from functions.neuron.store import Store
    from functions.neuron.transitions import Claim

_log = logger(__name__)

UNCLAIMED_SECONDS: Final = 0.1
"""For how long a step may be worked on before it is claimed: what duplicates may do for nothing, and what nobody who
watches a run would see running."""


class LeaseLost(Exception):  # noqa: N818 - a state of affairs: somebody else does the step now
    """The step is no longer this process's: what it does further is for nothing."""


class Lease:
    """Keeps a lease while its block runs; cancels the block's task when the lease is lost.

    A block may begin without a claim: then the step is claimed as soon as the block has lasted for a moment.

    Args:
        store: Where the lease is.
        seconds: How long it is.
        claim: Claims the step.
        unclaimed_seconds: How long the block may last before it is claimed.

    Attributes:
        claim: The claim, once there is one.
    """

    def __init__(
        self,
        store: Store,
        seconds: float,
        claim: Callable[[], Awaitable[Claim | None]],
        unclaimed_seconds: float = UNCLAIMED_SECONDS,
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._unclaimed_seconds = unclaimed_seconds
        self._take = claim
        self._lost = False
        self._owner: asyncio.Task[Any] | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._taking: asyncio.Task[None] | None = None
        self._renewal: asyncio.Task[None] | None = None
        self.claim: Claim | None = None

    async def take(self) -> Claim | None:
        """Claim the step unless it is claimed: None when it is not to be had."""
        if self.claim is None:
            self.claim = await self._take()
        return self.claim

    async def __aenter__(self) -> None:
        self._owner = asyncio.current_task()
        third, loop = self._seconds / 3, asyncio.get_running_loop()
        if self.claim is None:
            self._handle = loop.call_later(min(self._unclaimed_seconds, third), self._begin_taking)
        else:
            self._handle = loop.call_later(third, self._begin, self.claim)

    def _begin_taking(self) -> None:
        self._taking = asyncio.get_running_loop().create_task(self._taken())

    async def _taken(self) -> None:
        try:
            with deadlines.no_deadline():
                claim = await self.take()
        except Exception as error:  # noqa: BLE001 - a shard that is away now may be back later
            _log.warning("step not claimed", error=type(error).__name__)
            self._handle = asyncio.get_running_loop().call_later(self._seconds / 3, self._begin_taking)
            return
        if claim is None:
            self._lose()
        else:
            self._handle = asyncio.get_running_loop().call_later(self._seconds / 3, self._begin, claim)

    def _lose(self) -> None:
        self._lost = True
        if self._owner is not None:
            self._owner.cancel()

    def _begin(self, claim: Claim) -> None:
        # A task only for work that lasts: most steps are done before the first renewal is due.
        self._renewal = asyncio.get_running_loop().create_task(self._renew(claim))

    async def _renew(self, claim: Claim) -> None:
        with deadlines.no_deadline():
            while True:
                try:
                    kept = await self._store.renew(claim.held, self._seconds)
                except Exception as error:  # noqa: BLE001 - a shard that is away now may be back for the next renewal
                    _log.warning("lease not renewed", error=type(error).__name__)
                    kept = True
                if not kept:
                    self._lose()
                    return
                await asyncio.sleep(self._seconds / 3)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        owner, self._owner = self._owner, None
        if self._taking is not None:
            # Not cancelled: a claim that is made and not known would keep the step until its lease has run out.
            await asyncio.wait([self._taking])
            self._taking.result()
        if self._handle is not None:
            self._handle.cancel()
        if self._renewal is not None:
            self._renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewal
        if self._lost:
            if kind is not None and issubclass(kind, asyncio.CancelledError) and owner is not None:
                owner.uncancel()
            raise LeaseLost from error
