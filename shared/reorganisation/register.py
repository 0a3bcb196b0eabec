"""The directory's rows of organisations that are split or merged, for the role that owns it.

Promises: an organisation that is being merged opens to nobody: its keys end in the transaction that says so, and none
is made after it (`shared.apikeys.create`). Does not: move; tell the processes that remember keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any


@dataclass(frozen=True, slots=True)
class Entry:
    """An organisation's row.

    Attributes:
        org_id: Its id.
        slug: Its name, if it has one.
        region: Where its data stay.
        pinned: They may be nowhere else.
        tier: Its tier.
        split_from: The organisation that it was split from.
        merged_into: The organisation that it becomes part of, or is.
        closed: The merge is done.
    """

    org_id: UUID
    slug: str | None
    region: str
    pinned: bool
    tier: str
    split_from: UUID | None
    merged_into: UUID | None
    closed: bool

    def __str__(self) -> str:
        return self.slug or str(self.org_id)


async def look(directory: Connection, org_ids: Iterable[UUID]) -> dict[UUID, Entry]:
    """Give the rows of those organisations that there are."""
    rows = await directory.fetch(
        "SELECT org_id, slug, region, pinned, tier, split_from, merged_into, closed_at IS NOT NULL AS closed"
        " FROM directory.organisations WHERE org_id = ANY ($1)",
        list(org_ids),
    )
    return {row["org_id"]: Entry(**row) for row in rows}


async def merging(directory: Connection, org_id: UUID) -> set[UUID]:
    """Give the organisations that are just becoming part of one."""
    rows = await directory.fetch(
        "SELECT org_id FROM directory.organisations WHERE merged_into = $1 AND closed_at IS NULL", org_id
    )
    return {row["org_id"] for row in rows}


async def shut(directory: Connection, giver: UUID, taker: UUID) -> list[UUID] | None:
    """Let nobody into an organisation any more, as it becomes part of another, and end its keys.

    Returns:
        All keys that it ever had; None when it stays as it was: either has become part of some other one meanwhile,
        or a third one is becoming part of the giver.
    """
    async with directory.transaction():
        # Both rows, in one order: of two that want to become part of each other, one does. Whoever wants to become part
        # of the giver locks the giver's row, too, so that the look for such a one below is exact. And whoever makes a
        # key holds the row until the key can be seen here.
        await directory.execute(
            "SELECT 1 FROM directory.organisations WHERE org_id = ANY ($1) ORDER BY org_id FOR UPDATE", [giver, taker]
        )
        done = await directory.execute(
            "UPDATE directory.organisations o SET merged_into = $2, merging_at = coalesce(o.merging_at, now())"
            "  FROM directory.organisations t"
            " WHERE o.org_id = $1 AND t.org_id = $2 AND t.merged_into IS NULL AND coalesce(o.merged_into, $2) = $2"
            "  AND NOT EXISTS"
            "   (SELECT 1 FROM directory.organisations x WHERE x.merged_into = $1 AND x.closed_at IS NULL)",
            giver, taker,
        )  # fmt: skip
        return await end_keys(directory, giver) if done == "UPDATE 1" else None


async def end_keys(directory: Connection, org_id: UUID) -> list[UUID]:
    """End every key of an organisation; gives all that it ever had."""
    rows = await directory.fetch(
        "UPDATE directory.api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE org_id = $1 RETURNING key_id",
        org_id,
    )
    return [row["key_id"] for row in rows]


async def close(directory: Connection, org_id: UUID) -> None:
    """Note that an organisation has become part of another."""
    await directory.execute(
        "UPDATE directory.organisations SET closed_at = coalesce(closed_at, now())"
        " WHERE org_id = $1 AND merged_into IS NOT NULL",
        org_id,
    )
