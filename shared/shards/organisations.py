"""Organisations as the platform's operator sees them: make one with its first owner's key, list them.

Promises: an organisation's id follows from its slug, so that making it again finds the same one; one that was cut off
half-way is made whole by the next try; a key is given only where no owner's key works, and shown this once. Does not:
ask who wants it: whoever has the database's addresses is an operator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from shared import apikeys
from shared.apikeys.rows import merged
from shared.database import retrying
from shared.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from shared.clock import Clock
    from shared.database import Database
    from shared.randomness import Randomness
    from shared.shards.shards import Shards

SLUG: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A label of DNS (RFC 1035 section 2.3.1), in lower case."""

_OWNER: Final = ("owner",)
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation's row in the directory; `slug` is None where nobody gave one; `pinned`: never elsewhere.

    `split_from` is whose part it was; `merged_into` what it is becoming part of since `merging_at`, or is when it is
    `closed`.
    """

    org_id: UUID
    slug: str | None
    region: str
    shard: int
    tier: str
    pinned: bool
    created_at: datetime
    split_from: UUID | None = None
    merged_into: UUID | None = None
    merging_at: datetime | None = None
    closed: bool = False


def organisation_id(slug: str) -> UUID:
    """Give the id of the organisation of that name, the same on every platform."""
    return uuid5(NAMESPACE_URL, f"urn:hal9:organisation:{slug}")


async def establish(
    shards: Shards, slug: str, region: str, clock: Clock, randomness: Randomness, *, pinned: bool = False
) -> str | None:
    """Make an organisation, or make one whole; give its owner's new key, None when an owner's key of it works.

    Args:
        shards: The shards; the organisation's own role is enough.
        slug: Its name, of the form `SLUG`.
        region: The region that its data stays in; one that exists keeps its own.
        clock: For the key's beginning.
        randomness: For the key's secret.
        pinned: It may never be anywhere but in its region; one that exists stays as it is.

    Raises:
        Problem: as `establish_with`.
    """
    new = apikeys.generate(randomness)
    return new.text if await establish_with(shards, slug, region, clock, new, pinned=pinned) else None


async def establish_with(
    shards: Shards, slug: str, region: str, clock: Clock, new: apikeys.NewKey, *, pinned: bool = False
) -> bool:
    """Make an organisation, or make one whole, with a key that was made elsewhere: of it only prefix and hash are used.

    Returns:
        whether the key is its owner's now; not when another one of its owner works.

    Raises:
        Problem: 409 `residency`; 409 `organisation-merged`: it is part of another one, and lets nobody in.
    """
    org_id = organisation_id(slug)
    await shards.create_organisation(org_id, region, slug=slug, pinned=pinned)
    await require_open(shards.directory, org_id, slug)
    if await _owned(shards.directory, org_id, clock.now()):
        return False
    now = clock.now()
    await apikeys.create(
        shards.directory, org_id, new_id(), new, name=slug, roles=_OWNER, made_by=apikeys.OPERATOR, created_at=now
    )
    return True


async def owner_key(directory: Database, org_id: UUID, name: str, clock: Clock, randomness: Randomness) -> str:
    """Make another key of an owner; give its text."""
    new = apikeys.generate(randomness)
    await apikeys.create(
        directory, org_id, new_id(), new, name=name, roles=_OWNER, made_by=apikeys.OPERATOR, created_at=clock.now()
    )
    return new.text


async def organisations(directory: Database) -> Sequence[Organisation]:
    """Give every organisation, the newest last.

    Args:
        directory: With the role that owns the tables: the application's sees one organisation at a time.
    """

    async def attempt() -> list[Any]:
        async with directory.connection() as connection:
            return list(
                await connection.fetch(
                    "SELECT org_id, slug, region, shard, tier, pinned, created_at, split_from, merged_into,"
                    " merging_at, closed_at IS NOT NULL AS closed FROM directory.organisations"
                    " ORDER BY created_at, org_id"
                )
            )

    return [Organisation(**dict(row)) for row in await retrying(attempt, idempotent=True)]


async def pinned_region(directory: Database, org_id: UUID) -> str | None:
    """Give the region that an organisation is pinned to; None when it is not, or there is no such organisation.

    Args:
        directory: With any role.
        org_id: The organisation.
    """

    async def attempt() -> str | None:
        async with directory.transaction(f"SET LOCAL hal9.org_id='{org_id}'") as tx:
            region: str | None = await tx.fetchval(
                "SELECT region FROM directory.organisations WHERE org_id = $1 AND pinned", org_id
            )
            return region

    return await retrying(attempt, idempotent=True)


async def change_tier(directory: Database, org_id: UUID, tier: str) -> str | None:
    """Give an organisation another tier; gives the one that it had, None when there is no such organisation.

    Functions believe what they remember for a minute.

    Args:
        directory: With the role that owns the tables.
        org_id: The organisation.
        tier: One of `shared.quotas.TIERS`.
    """

    async def attempt() -> str | None:
        async with directory.connection() as connection:
            had: str | None = await connection.fetchval(
                "WITH had AS (SELECT tier FROM directory.organisations WHERE org_id = $1 FOR NO KEY UPDATE)"
                " UPDATE directory.organisations o SET tier = $2 FROM had WHERE o.org_id = $1 RETURNING had.tier",
                org_id,
                tier,
            )
            return had

    return await retrying(attempt, idempotent=True)


async def require_open(directory: Database, org_id: UUID, slug: str | None = None) -> None:
    """Refuse what would let somebody into an organisation that is part of another one.

    Raises:
        Problem: 409 `organisation-merged`.
    """

    async def attempt() -> UUID | None:
        async with directory.transaction(f"SET LOCAL hal9.org_id='{org_id}'") as tx:
            found: UUID | None = await tx.fetchval(
                "SELECT merged_into FROM directory.organisations WHERE org_id = $1", org_id
            )
            return found

    whole = await retrying(attempt, idempotent=True)
    if whole is not None:
        raise merged(slug or org_id, whole)


async def _owned(directory: Database, org_id: UUID, now: datetime) -> bool:
    """Whether an owner's key works."""
    before: UUID | None = None
    while page := await apikeys.list_keys(directory, org_id, before=before, limit=_PAGE):
        if any("owner" in key.roles and key.active(now) for key in page):
            return True
        before = page[-1].key_id
    return False
