"""The runtime's ledger: journal first, then the budget, then the call."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

from functions.neuron import points
from functions.neuron.lease import LeaseLost
from shared.chaos import point
from shared.identifiers import new_id
from shared.neurons import BudgetExhausted, Reply, Unbilled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from uuid import UUID

    from functions.neuron.store import Store
    from functions.neuron.transitions import Claim


def journal_key(
    kind: str, org_id: UUID, origin_id: UUID, path: str, generation: int, revision: int, *request: str | int
) -> bytes:
    """Give the journal's key: a hash over what makes a call the same call, in this run and in its replays.

    The epoch is not part of it: a step that runs again after a crash finds what its earlier try has paid for. The
    revision is: a step that was sent back thinks anew.
    """
    parts = json.dumps([kind, str(org_id), str(origin_id), path, generation, revision, *request]).encode()
    return hashlib.sha256(parts).digest()


async def _finished(settling: Coroutine[Any, Any, None]) -> None:
    """Finish also when the caller is cancelled, then let the cancellation through.

    Money must not be left half counted.
    """
    task = asyncio.ensure_future(settling)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


class JournalLedger:
    """The ledger of one claimed step (see `shared.neurons.ledger`).

    Args:
        store: Journal and budgets.
        claim: The step.
    """

    def __init__(self, store: Store, claim: Claim) -> None:
        self._store = store
        self._claim = claim

    async def call(
        self, request: str, most_microdollars: int, make: Callable[[], Awaitable[Reply]], most_tokens: int = 0
    ) -> Reply:
        """Make a call once in the life of this revision of the step.

        Raises:
            BudgetExhausted: A cap does not hold the call; a replay, which has nothing to spend, did not find it.
            LeaseLost: Somebody else does the step now.
            Unbilled: From `make`.
        """
        claim = self._claim
        key = journal_key(
            "model",
            claim.held.org_id,
            claim.origin_id,
            claim.path,
            claim.generation,
            claim.revision,
            claim.phase,
            request,
        )
        known = await self._store.recall(claim.held.org_id, key)
        if known is not None:
            return Reply(known[0], 0, known[1], journalled=True)
        if claim.replay:
            raise BudgetExhausted("run")
        reservation = new_id()
        verdict = await self._store.reserve(claim.held, reservation, most_microdollars, most_tokens)
        if verdict == "lost":
            raise LeaseLost
        if verdict != "held":
            raise BudgetExhausted(verdict)
        point(points.RESERVED)
        reply = await self._made(reservation, most_microdollars, most_tokens, key, make)
        point(points.CALLED)
        tokens = most_tokens if reply.tokens is None else reply.tokens
        await _finished(self._settle(reservation, reply.cost_microdollars, tokens, key, reply.model, reply.text))
        point(points.SETTLED)
        return reply

    async def _made(
        self, reservation: UUID, most: int, tokens: int, key: bytes, make: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        try:
            return await make()
        except Unbilled:
            await _finished(self._settle(reservation, 0, 0, key, "", None))
            raise
        except (Exception, asyncio.CancelledError):
            await _finished(self._settle(reservation, most, tokens, key, "", None))
            raise

    async def _settle(
        self, reservation: UUID, cost: int, tokens: int, key: bytes, model: str, answer: str | None
    ) -> None:
        await self._store.settle(self._claim.held, reservation, cost, tokens, self._claim.path, key, model, answer)
