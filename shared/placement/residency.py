"""Pins: an organisation that may not leave its region.

Promises: an organisation is pinned only where it is already and stays, so that none is pinned to a region that it is
not in, or is just leaving.
Does not: move it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.placement.refused import RefusedError

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any


async def pin(directory: Connection, org_id: UUID, region: str | None = None) -> str:
    """Pin an organisation to a region; give the region.

    Args:
        directory: As the role that owns it.
        org_id: The organisation.
        region: Its own when left out.

    Raises:
        RefusedError: There is no such organisation, or its shard does not stand in that region, or a move takes it to
            one that does not.
    """
    async with directory.transaction():
        row = await directory.fetchrow(
            "SELECT o.region, o.shard, s.region AS stands_in FROM directory.organisations o"
            " LEFT JOIN directory.shards s ON s.shard = o.shard WHERE o.org_id = $1 FOR UPDATE OF o",
            org_id,
        )
        if row is None:
            raise RefusedError(f"{org_id} is not pinned", ["there is no such organisation"])
        wanted: str = region or row["region"]
        if row["stands_in"] != wanted:
            where = row["stands_in"] or "a region that nobody has said (`hal9 shards region`)"
            raise RefusedError(
                f"{org_id} is not pinned to {wanted}",
                [f"it is on shard {row['shard']}, which stands in {where}: move it to a shard in {wanted} first"],
            )
        # A move that begins after this look finds the pin; one that was there before would take it along.
        leaving = await directory.fetchval(
            "SELECT m.target FROM directory.moves m JOIN directory.shards s ON s.shard = m.target"
            " WHERE m.org_id = $1 AND m.step NOT IN ('finished', 'cancelled') AND s.region IS DISTINCT FROM $2",
            org_id, wanted,
        )  # fmt: skip
        if leaving is not None:
            raise RefusedError(
                f"{org_id} is not pinned to {wanted}",
                [f"it is moving to shard {leaving}, which stands elsewhere: cancel the move, or wait until it is over"],
            )
        await directory.execute(
            "UPDATE directory.organisations SET region = $2, pinned = true WHERE org_id = $1", org_id, wanted
        )
    return wanted


async def unpin(directory: Connection, org_id: UUID) -> None:
    """Let an organisation leave its region.

    Raises:
        RefusedError: There is no such organisation.
    """
    status = await directory.execute("UPDATE directory.organisations SET pinned = false WHERE org_id = $1", org_id)
    if status != "UPDATE 1":
        raise RefusedError(f"{org_id} is not unpinned", ["there is no such organisation"])
