"""Reserving: of what is used for a while, the most is counted before, and what it came to afterwards.

    if await reserve(tx, org_id, Use(sender, "browser", task_id, 10), allowance): ...      # ten minutes at most
    await settle(tx, org_id, "browser", task_id, 4)                                        # it was four

For the browser's minutes: uses at once cannot pass the hard limit together. Promises: both count once, however often
they are told; a correction counts in the month in which the most was counted. Whoever dies between the two has used all
that was reserved. Does not: call anybody off whose time is over.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from shared.quotas.usage import take

if TYPE_CHECKING:
    from uuid import UUID

    from shared.database import Transaction
    from shared.quotas.tiers import Allowance
    from shared.quotas.usage import Use

_SETTLE: Final = """
WITH held AS (
    SELECT meter, period, amount FROM usage_records WHERE org_id = $1 AND source = $2 AND event_id = $3
), noted AS (
    INSERT INTO usage_records (org_id, source, event_id, meter, period, amount)
    SELECT $1, $2, $4, meter, period, $5::bigint - amount FROM held ON CONFLICT DO NOTHING
    RETURNING meter, period, amount
), counted AS (
    UPDATE usage_counters c SET used = c.used + noted.amount FROM noted
    WHERE c.org_id = $1 AND c.meter = noted.meter AND c.period = noted.period
)
SELECT (SELECT count(*) FROM held) AS held, (SELECT count(*) FROM noted) AS noted
"""


async def reserve(tx: Transaction, org_id: UUID, use: Use, allowance: Allowance) -> bool:
    """Count the most that a use can come to; False when it was reserved before.

    Raises:
        QuotaExceededError: It would pass the hard limit. The transaction is over.
    """
    return await take(tx, org_id, dataclasses.replace(use, id=_held(use.id)), allowance)


async def settle(tx: Transaction, org_id: UUID, source: str, use_id: str, amount: int) -> bool:
    """Count what a use came to in the place of what was reserved; False when it was settled before.

    Args:
        tx: A transaction of the organisation.
        org_id: The organisation.
        source: The function that uses it.
        use_id: Which use it is, as it was reserved.
        amount: What it came to; more than was reserved counts as well, as it has happened.

    Raises:
        LookupError: Nothing was reserved for it.
        ValueError: The amount is negative.
    """
    if amount < 0:
        raise ValueError(f"nobody uses {amount}")
    row = await tx.fetchrow(_SETTLE, org_id, source, _held(use_id), f"{use_id}/settled", amount)
    if row is None or not row["held"]:
        raise LookupError(f"nothing was reserved for {source} {use_id}")
    return bool(row["noted"])


def _held(use_id: str) -> str:
    return f"{use_id}/reserved"
