"""The outbox: events that are sent exactly when the transaction that wrote them commits, or a while later.

    async with shards.transaction(org_id) as tx:
        ...
        await outbox.add(tx, event)
    relay.after_commit(org_id)

Promises: an event is in the outbox if and only if the rest of its transaction is in the database; it leaves when the
broker has taken it (or has refused it for good, then it is a dead letter). So it is sent at least once. Publishing is
the relay's and the sweep's work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from events import codec
from events.inbox import organisation_of
from shared.identifiers import new_id

if TYPE_CHECKING:
    from events.cloudevent import CloudEvent
    from shared.database.pool import Transaction

LONGEST_SECONDS: Final = 600.0
"""How far ahead a row's moments can lie, as shard/0028_clock_set_back.sql says, too. What lies further ahead was
written before the shard's clock was set back, and waits for nothing."""

_INSERT = """
    INSERT INTO outbox (org_id, id, event_type, partition_key, event)
    SELECT $1, id, event_type, partition_key, event
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bytea[]) WITH ORDINALITY AS added (id, event_type,
    partition_key, event, place)
    ORDER BY place
"""

_INSERT_LATER = """
    INSERT INTO outbox (org_id, id, event_type, partition_key, event, recorded_at, claimed_until)
    SELECT $1, $2, $3, $4, $5, due, due FROM (SELECT clock_timestamp() + make_interval(secs => $6) AS due) AS later
"""


async def add(tx: Transaction, *events: CloudEvent) -> None:
    """Write events into the outbox of their organisation, in one round trip; they are sent in this order.

    Raises:
        ValueError: An event names no organisation, or they name several.
    """
    if not events:
        return
    organisations = {organisation_of(event) for event in events}
    if len(organisations) > 1:
        raise ValueError("one transaction writes for one organisation")
    await tx.execute(
        _INSERT,
        organisations.pop(),
        [new_id() for _ in events],
        [event.type for event in events],
        [event.partitionkey for event in events],
        [codec.to_structured(event) for event in events],
    )


async def add_later(tx: Transaction, event: CloudEvent, seconds: float) -> None:
    """Write an event into the outbox that a sweep sends, not before so many seconds have passed.

    Its row is one of that moment: until then nothing waits for it, and it counts for nothing that waits.

    Raises:
        ValueError: The event names no organisation, or it is more than `LONGEST_SECONDS`.
    """
    if seconds > LONGEST_SECONDS:
        raise ValueError(f"an event waits for {LONGEST_SECONDS:.0f} s at most, not for {seconds:g}")
    await tx.execute(
        _INSERT_LATER,
        organisation_of(event),
        new_id(),
        event.type,
        event.partitionkey,
        codec.to_structured(event),
        seconds,
    )
