"""Uses: counted once, never beyond the hard limit; rolled up by hour; checked against each other.

The SQL is in the migration that brings the tables (`usage_records`, `usage_hours`, `usage_counters`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import asyncpg

from shared.quotas.meters import METERS
from shared.quotas.problem import exceeded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from shared.database import Transaction
    from shared.quotas.tiers import Allowance
    from shared.shards.calls import Calls

REFUSED: Final = "H9003"
"""The SQLSTATE with which a use beyond the hard limit takes its whole transaction back."""

_TAKE: Final = "SELECT usage_take($1, $2, $3, $4, $5, $6, $7, $8, $9)"


class QuotaExceededError(Exception):
    """The use would pass the hard limit: the transaction that it belongs to is taken back.

    Attributes:
        allowance: The limit.
    """

    def __init__(self, allowance: Allowance) -> None:
        super().__init__(f"beyond {allowance.hard} of {allowance.meter.name} (tier {allowance.tier})")
        self.allowance = allowance


@dataclass(frozen=True, slots=True)
class Use:
    """Something that is used.

    Attributes:
        sender: `source` of the events that warn of it (`events.catalogue.source`).
        source: The function that uses it; with `id` what makes it the same use.
        id: Which use it is.
        amount: How much, in the meter's unit.
    """

    sender: str
    source: str
    id: str
    amount: int


class Counted(NamedTuple):
    """What an organisation has used of one meter in a period; `reserved` is held for what is under way.

    `cap` is a limit of the organisation's own, which goes before its tier's.
    """

    used: int
    reserved: int = 0
    cap: int | None = None


class Hour(NamedTuple):
    """What was used of one meter in one hour."""

    meter: str
    hour: datetime
    amount: int


async def take(tx: Transaction, org_id: UUID, use: Use, allowance: Allowance) -> bool:
    """Count a use in the transaction that uses; False when it was counted before.

    Raises:
        QuotaExceededError: It would pass the hard limit. The transaction is over.
    """
    try:
        counted: bool = await tx.fetchval(_TAKE, org_id, *_arguments(use, allowance))
    except asyncpg.PostgresError as error:
        if error.sqlstate != REFUSED:
            raise
        raise QuotaExceededError(allowance) from None
    return counted


async def take_alone(calls: Calls, org_id: UUID, use: Use, allowance: Allowance) -> bool:
    """Count a use in a transaction of its own, one round trip: for what no transaction of ours uses.

    Raises:
        Problem: 402 `quota-exceeded`, and as `Calls.value`.
    """
    try:
        counted: bool = await calls.value(org_id, "usage_take_alone", *_arguments(use, allowance))
    except asyncpg.PostgresError as error:
        if error.sqlstate != REFUSED:
            raise
        raise exceeded(allowance) from None
    return counted


async def record(tx: Transaction, org_id: UUID, use: Use, allowance: Allowance) -> bool:
    """Count what has happened already, wherever that leads; False when it was counted before."""
    counted: bool = await tx.fetchval(
        "SELECT usage_record($1, $2, $3, $4, $5, $6, $7, $8, $9)", org_id, *_arguments(use, allowance)
    )
    return counted


def _arguments(use: Use, allowance: Allowance) -> tuple[Any, ...]:
    meter = allowance.meter
    return (
        use.sender, meter.name, meter.monthly, use.source, use.id, use.amount, allowance.soft, allowance.hard,
    )  # fmt: skip


async def counted(tx: Transaction, org_id: UUID, month: date | None = None) -> tuple[date, dict[str, Counted]]:
    """Give what an organisation has used in a month, and its levels: the month's first day, and by meter.

    Args:
        tx: A transaction of the organisation.
        org_id: The organisation.
        month: The month's first day (UTC); the present one by the shard's clock when None.
    """
    rows = await tx.fetch("SELECT month, meter, used, reserved, cap FROM usage_counted($1, $2)", org_id, month)
    found = {row["meter"]: Counted(row["used"], row["reserved"], row["cap"]) for row in rows if row["meter"]}
    return rows[0]["month"], {name: found.get(name, Counted(0)) for name in METERS}


async def hours(tx: Transaction, org_id: UUID, most: int) -> Sequence[Hour]:
    """Give what was used in each of the last hours, the newest first; hours without use are left out."""
    rows = await tx.fetch(
        "SELECT meter, hour, sum(amount)::bigint AS amount FROM usage_hours"
        " WHERE org_id = $1 AND hour > date_trunc('hour', now()) - make_interval(hours => $2)"
        " GROUP BY meter, hour ORDER BY hour DESC, meter",
        org_id,
        most,
    )
    return [Hour(row["meter"], row["hour"], row["amount"]) for row in rows]


async def roll_up(tx: Transaction, org_id: UUID) -> int:
    """Add what was not rolled up yet to its hours; gives how many uses that were."""
    rolled: int = await tx.fetchval("SELECT usage_roll_up($1)", org_id)
    return rolled


async def reconcile(tx: Transaction, org_id: UUID) -> dict[str, int]:
    """Set counters to what the uses add up to; gives by how much each was off. Empty is what it should be."""
    rows = await tx.fetch("SELECT meter, off FROM usage_reconcile($1)", org_id)
    return {row["meter"]: row["off"] for row in rows}
