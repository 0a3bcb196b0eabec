"""The row in `tenants` on each of two shards, by which an organisation has one home at every moment.

The old shard's row decides, under its row lock, whoever is killed or stopped for how long:

    old shard                                  new shard
    active, epoch n                            arriving, epoch n + 1       a copy is made
    draining, fence f, epoch n                 active, epoch n + 1         nobody has n + 1, so nobody writes there
    moved to the new shard, epoch n                                        the one moment of the cut-over
    active, epoch n                                                        or: the fence was lifted, nothing moved

`close` succeeds only for the fence that it was set with, and `reopen` only before it: exactly one of the two happens.
Writers get epoch n + 1 from the old row (`moved_to`) or from the directory, both after `close`.
Promises: every function is one round trip, compares before it sets, and may be repeated; none of the steps to a new
home is made on a primary whose lease is over (`shared.replicas`). Does not: wait, but for `drain`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any


async def claim(old: Connection, org_id: UUID, epoch: int, move_id: UUID) -> bool:
    """Let a move fence the organisation, and no other one; a fence that was left is lifted."""
    return await _done(
        old,
        "UPDATE tenants SET move_id = $3, state = 'active', fence_id = NULL, fenced_at = NULL"
        " WHERE org_id = $1 AND epoch = $2 AND state IN ('active', 'draining')",
        org_id, epoch, move_id,
    )  # fmt: skip


async def arrive(new: Connection, org_id: UUID, epoch: int, move_id: UUID) -> bool:
    """Prepare the new shard's row for a copy; not where an organisation of that epoch is at home."""
    return await _done(
        new,
        "INSERT INTO tenants AS t (org_id, epoch, state, move_id) VALUES ($1, $2, 'arriving', $3)"
        " ON CONFLICT (org_id) DO UPDATE SET epoch = $2, state = 'arriving', move_id = $3, moved_to = NULL,"
        " fence_id = NULL, fenced_at = NULL WHERE t.epoch < $2 OR t.state = 'arriving'",
        org_id, epoch, move_id,
    )  # fmt: skip


async def fence(old: Connection, org_id: UUID, epoch: int, move_id: UUID, fence_id: UUID) -> bool:
    """Let nobody begin to write."""
    # One round trip, which waits for no disk: a fence that a crash took away was lifted, and is not closed.
    status = await old.execute(
        "SET LOCAL synchronous_commit = off;"  # noqa: S608 - a UUID and an integer have no text to hide anything in
        f"UPDATE tenants SET state = 'draining', fence_id = '{fence_id}', fenced_at = clock_timestamp()"
        f" WHERE org_id = '{org_id}' AND epoch = {epoch:d} AND move_id = '{move_id}' AND state = 'active'"
        " AND lease_held()"
    )
    return status == "UPDATE 1"


async def drain(old: Connection, org_id: UUID, milliseconds: int, marker: UUID) -> None:
    """Wait until whoever wrote when the fence was set has ended; then write a marker, which is after all of theirs.

    Raises:
        asyncpg.LockNotAvailableError: Somebody did not in time.
    """
    # Not before the fence: those who begin to write would pass by whoever waits for this lock, for ever. One round
    # trip; the marker is of use to nobody but this server, so that no replica is waited for.
    await old.execute(
        f"SET LOCAL lock_timeout = {milliseconds:d};SET LOCAL synchronous_commit = local;"  # noqa: S608 - likewise
        f"SELECT 1 FROM tenants WHERE org_id = '{org_id}' FOR UPDATE;"
        f"INSERT INTO move_markers (org_id, id) VALUES ('{org_id}', '{marker}')"
    )


async def activate(new: Connection, org_id: UUID, epoch: int, move_id: UUID) -> bool:
    """Make the new shard ready. Its commit is waited for, and with it all that replication wrote there before."""
    # Replication commits without waiting for the disk; this commit's place in the log is after all of that.
    return await _done(
        new,
        "UPDATE tenants SET state = 'active' WHERE org_id = $1 AND epoch = $2 AND move_id = $3"
        " AND state IN ('arriving', 'active') AND lease_held()",
        org_id, epoch, move_id,
    )  # fmt: skip


async def close(old: Connection, org_id: UUID, epoch: int, fence_id: UUID, target: int) -> bool:
    """Make the new shard the home, unless the fence was lifted."""
    return await _done(
        old,
        "UPDATE tenants SET state = 'moved', moved_to = $4 WHERE org_id = $1 AND epoch = $2 AND fence_id = $3"
        " AND state = 'draining' AND lease_held()",
        org_id, epoch, fence_id, target,
    )  # fmt: skip


async def closed(old: Connection, org_id: UUID, epoch: int, target: int) -> bool:
    """Say whether `close` was done, and if so make sure that it stays so: its answer may have been lost.

    A commit that was cut off while it waited for a replica is seen on its server, and gone when that replica takes
    over. So this writes the same once more, and waits for the replica.
    """
    return await _done(
        old,
        "UPDATE tenants SET moved_to = $3 WHERE org_id = $1 AND epoch = $2 AND moved_to = $3 AND state = 'moved'"
        " AND lease_held()",
        org_id, epoch, target,
    )  # fmt: skip


async def reopen(old: Connection, org_id: UUID, epoch: int, fence_id: UUID) -> bool:
    """Lift one's fence, unless it was closed."""
    return await _done(
        old,
        "UPDATE tenants SET state = 'active', fence_id = NULL, fenced_at = NULL"
        " WHERE org_id = $1 AND epoch = $2 AND fence_id = $3 AND state = 'draining'",
        org_id, epoch, fence_id,
    )  # fmt: skip


async def release(old: Connection, org_id: UUID, epoch: int, move_id: UUID) -> bool:
    """Give the move up on the old shard, unless it was closed: it can fence no more, and the home stays."""
    return await _done(
        old,
        "UPDATE tenants SET state = 'active', move_id = NULL, fence_id = NULL, fenced_at = NULL"
        " WHERE org_id = $1 AND epoch = $2 AND state IN ('active', 'draining') AND (move_id = $3 OR move_id IS NULL)",
        org_id, epoch, move_id,
    )  # fmt: skip


async def retire(new: Connection, org_id: UUID, epoch: int, move_id: UUID) -> bool:
    """After `release`: what was to become the new home is a copy that may be taken away."""
    return await _done(
        new,
        "UPDATE tenants SET state = 'arriving' WHERE org_id = $1 AND epoch = $2 AND move_id = $3"
        " AND state IN ('arriving', 'active')",
        org_id, epoch, move_id,
    )  # fmt: skip


async def settle(new: Connection, org_id: UUID, epoch: int, move_id: UUID) -> bool:
    """After the move: the new home belongs to no move any more, so that others may hold its writers."""
    return await _done(
        new,
        "UPDATE tenants SET move_id = NULL WHERE org_id = $1 AND epoch = $2 AND move_id = $3 AND state = 'active'",
        org_id, epoch, move_id,
    )  # fmt: skip


async def forget(shard: Connection, org_id: UUID, epoch: int) -> bool:
    """Take away the row of a copy, after the copy: a row by which nobody finds anything any more."""
    return await _done(
        shard,
        "DELETE FROM tenants WHERE org_id = $1 AND epoch = $2 AND state IN ('arriving', 'moved')",
        org_id, epoch,
    )  # fmt: skip


async def _done(shard: Connection, statement: str, *arguments: Any) -> bool:
    status = await shard.execute(statement, *arguments)
    return status.rpartition(" ")[2] == "1"
