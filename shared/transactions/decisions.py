"""Decisions: the rows of `dtx` on a home's shard, and the lock that says that one may still be made.

A transaction's home holds the advisory lock of its id from before anything is prepared until it has committed or not.
The lock is the local transaction's own (`pg_advisory_xact_lock`), so it needs no session and goes through a pooler, and
the server lets it go when the coordinator or its connection dies. Whoever has it and then looks finds the decision, or
knows that there will never be one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import asyncpg

from shared.transactions.naming import lock_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from shared.database import Transaction
    from shared.shards import Shards

LOCK_SECONDS: Final = 2.0
"""How long a statement of a branch waits for a lock; then the whole transaction is tried again."""

SETTINGS: Final = f"SET LOCAL lock_timeout={int(LOCK_SECONDS * 1000)};SET LOCAL synchronous_commit=on"
"""Of every branch. Whatever the tiers pay for: a decision that a failover lost would leave the others committed."""


class Resolution(StrEnum):
    """What is to become of a branch that is prepared."""

    COMMIT = "commit"
    ABORT = "abort"
    UNDECIDED = "undecided"
    """Its home is still at work."""


async def begin(tx: Transaction, dtx_id: UUID) -> None:
    """Say in the home's transaction that it is at work on this one, until it ends."""
    await tx.execute(f"{SETTINGS};SELECT pg_advisory_xact_lock({lock_key(dtx_id)})")


async def write(tx: Transaction, home: UUID, dtx_id: UUID, others: Sequence[UUID]) -> None:
    """Write the decision; it is made when the home's transaction commits."""
    await tx.execute("INSERT INTO dtx (org_id, dtx_id, participants) VALUES ($1, $2, $3)", home, dtx_id, list(others))


async def resolution(shards: Shards, home: UUID, dtx_id: UUID, *, wait: bool = False) -> Resolution:
    """Find out what was decided.

    Args:
        shards: Where the home is found, at its present place: the fence refuses any other.
        home: The organisation that decides.
        dtx_id: The transaction.
        wait: Wait for a home that is still at work, for at most `LOCK_SECONDS`.

    Raises:
        Problem: as `Shards.transaction`: nobody knows before the home's shard is back.
    """
    function = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    try:
        async with shards.transaction(home) as tx:
            await tx.execute(SETTINGS)
            if await tx.fetchval(f"SELECT {function}({lock_key(dtx_id)})") is False:
                return Resolution.UNDECIDED
            # A statement of its own: its snapshot is younger than the lock.
            made = await tx.fetchval(
                "SELECT EXISTS (SELECT 1 FROM dtx WHERE org_id = $1 AND dtx_id = $2)", home, dtx_id
            )
    except asyncpg.LockNotAvailableError:
        return Resolution.UNDECIDED
    return Resolution.COMMIT if made else Resolution.ABORT
