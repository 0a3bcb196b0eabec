"""The wrapped keys' rows in the directory, seen by their own organisation only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import UUID

import asyncpg

from shared.database import retrying
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from shared.database import Database, Transaction

T = TypeVar("T")


class WrappedKey(NamedTuple):
    """One row: a key's id, and its bytes under the region's master key."""

    key_id: UUID
    wrapped: bytes


async def current(directory: Database, org_id: UUID, region: str) -> WrappedKey | None:
    """Give the key that seals; None when there is none yet."""

    async def work(tx: Transaction) -> WrappedKey | None:
        return await _current(tx, org_id, region)

    return await _run(directory, org_id, work)


async def find(directory: Database, org_id: UUID, region: str, key_id: UUID) -> WrappedKey | None:
    """Give the key of that id, a superseded one too; None when there is none."""
    statement = "SELECT key_id, wrapped FROM directory.data_keys WHERE org_id = $1 AND region = $2 AND key_id = $3"

    async def work(tx: Transaction) -> WrappedKey | None:
        return _row(await tx.fetchrow(statement, org_id, region, key_id))

    return await _run(directory, org_id, work)


async def keep(
    directory: Database, org_id: UUID, region: str, new: WrappedKey, *, instead_of: UUID | None
) -> WrappedKey:
    """Make a key the one that seals, unless somebody else was faster; give the one that seals now.

    Args:
        directory: The database that holds the directory.
        org_id: The organisation.
        region: The region.
        new: The key.
        instead_of: The key that it supersedes; None for an organisation's first one.

    Raises:
        Problem: 404 `organisation-unknown`.
    """

    async def work(tx: Transaction) -> WrappedKey:
        await tx.execute(
            "UPDATE directory.data_keys SET superseded_at = now()"
            " WHERE org_id = $1 AND region = $2 AND key_id = $3 AND superseded_at IS NULL",
            org_id, region, instead_of,
        )  # fmt: skip
        await tx.execute(
            "INSERT INTO directory.data_keys (org_id, region, key_id, wrapped) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING",
            org_id, region, *new,
        )  # fmt: skip
        found = await _current(tx, org_id, region)
        # Nobody but `delete` takes the current key away, and it would have to do so within this transaction.
        return found or new

    try:
        return await _run(directory, org_id, work)
    except asyncpg.ForeignKeyViolationError as error:
        raise Problem("organisation-unknown") from error


async def any_in(directory: Database, region: str) -> bool:
    """Whether any organisation has a key in a region."""

    async def attempt() -> bool:
        async with directory.connection() as connection:
            return bool(await connection.fetchval("SELECT directory.region_has_data_keys($1)", region))

    return await retrying(attempt, idempotent=True)


async def delete(directory: Database, org_id: UUID, *, superseded_before: datetime | None = None) -> int:
    """Delete an organisation's keys of all regions, or only those superseded before a time; how many they were."""
    statement = "DELETE FROM directory.data_keys WHERE org_id = $1 AND ($2::timestamptz IS NULL OR superseded_at < $2)"

    async def work(tx: Transaction) -> int:
        return int((await tx.execute(statement, org_id, superseded_before)).split()[-1])

    return await _run(directory, org_id, work)


async def _current(tx: Transaction, org_id: UUID, region: str) -> WrappedKey | None:
    statement = (
        "SELECT key_id, wrapped FROM directory.data_keys WHERE org_id = $1 AND region = $2 AND superseded_at IS NULL"
    )
    return _row(await tx.fetchrow(statement, org_id, region))


def _row(row: Any) -> WrappedKey | None:
    # asyncpg's own UUID is a subclass that compares slowly.
    return None if row is None else WrappedKey(UUID(bytes=row["key_id"].bytes), row["wrapped"])


async def _run(directory: Database, org_id: UUID, work: Callable[[Transaction], Awaitable[T]]) -> T:
    async def attempt() -> T:
        # A UUID's text holds nothing but hexadecimal digits and hyphens.
        async with directory.transaction(f"SET LOCAL hal9.org_id='{org_id}'") as tx:
            return await work(tx)

    return await retrying(attempt, idempotent=True)
