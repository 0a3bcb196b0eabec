"""Seats: people of an organisation who signed in within a month (UTC, by the shard's clock).

Promises: somebody counts once a month however often, and wherever, they sign in; who would be one too many is refused,
exactly, however many sign in at once. Does not: give a seat back within the month, nor ask of sessions that go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared.quotas.meters import SEATS
from shared.quotas.problem import exceeded
from shared.quotas.usage import QuotaExceededError, Use, take

if TYPE_CHECKING:
    from uuid import UUID

    from shared.database import Transaction
    from shared.quotas.tiers import Tiers
    from shared.shards import Shards

_SOURCE: Final = "seats"


class Seats:
    """Counts who signs in.

    Args:
        shards: Where uses are counted.
        tiers: What each tier allows.
        sender: `source` of the events that warn (`events.catalogue.source`).
    """

    def __init__(self, shards: Shards, tiers: Tiers, sender: str) -> None:
        self._shards = shards
        self._tiers = tiers
        self._sender = sender

    async def take(self, org_id: UUID, user_id: UUID) -> None:
        """Count a user who signs in.

        Raises:
            Problem: 402 `quota-exceeded`; 404 `organisation-unknown`; 503 when the organisation's shard is away.
        """
        allowance = self._tiers.allowance((await self._shards.locate(org_id)).tier, SEATS)

        async def work(tx: Transaction) -> None:
            month = await tx.fetchval("SELECT usage_period(true)")  # of the same clock as the counter's
            await take(tx, org_id, Use(self._sender, _SOURCE, f"{user_id}/{month}", 1), allowance)

        try:
            await self._shards.run(org_id, work, idempotent=True)
        except QuotaExceededError:
            raise exceeded(allowance) from None
