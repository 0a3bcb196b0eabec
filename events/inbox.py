"""The inbox: whether a function has seen an event before, in the transaction that does what the event asks for.

    if not await inbox.first(tx, event):
        return          # a duplicate: its effect is there already

Promises: of any number of transactions that commit after `first` said True for the same function, organisation, source
and id, there is exactly one. It does not remember for ever: `forget` takes away what is older than the longest time
that an event can still be delivered again.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from events.cloudevent import CloudEvent
    from shared.database.pool import Transaction
    from shared.shards import Shards

consumer: ContextVar[str] = ContextVar("hal9_event_consumer", default="")
"""The function that takes the event; the subscriber's endpoint sets it. Several may take the same event, each once."""

_FORGET_BATCH = 5000


async def first(tx: Transaction, event: CloudEvent, *, by: str | None = None) -> bool:
    """Note the event as seen; True when it was not before.

    A concurrent transaction with the same event makes this one wait until it is decided.

    Args:
        tx: The transaction that does what the event asks for.
        event: One that names its organisation.
        by: The function that takes it; the one that is handling an event when None.

    Raises:
        ValueError: The event names no organisation.
    """
    status = await tx.execute(
        "INSERT INTO inbox (org_id, consumer, source, event_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        organisation_of(event),
        consumer.get() if by is None else by,
        event.source,
        event.id,
    )
    return status == "INSERT 0 1"


async def forget(shards: Shards, older_than_seconds: float) -> int:
    """Take away what was seen longer ago, on every shard; gives how many rows."""
    total = 0
    for database in shards.each():
        while True:
            async with database.connection() as connection:
                gone: int = await connection.fetchval(
                    "SELECT inbox_forget(make_interval(secs => $1), $2)", older_than_seconds, _FORGET_BATCH
                )
            total += gone
            if gone < _FORGET_BATCH:
                break
    return total


def organisation_of(event: CloudEvent) -> UUID:
    """Give the organisation that the event belongs to.

    Raises:
        ValueError: It names none.
    """
    if event.orgid is None:
        raise ValueError(f"the event {event.id} of the type {event.type} names no organisation (extension orgid)")
    return UUID(event.orgid)
