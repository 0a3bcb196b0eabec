"""The keys' rows in the directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from shared.database import retrying
from shared.problems import Problem, register

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from uuid import UUID

    from shared.apikeys.key import NewKey
    from shared.database import Database, Transaction

register(
    "organisation-merged",
    409,
    "The organisation is part of another one",
    "Ask the other organisation for what was its; choose another name for a new one.",
)

_COLUMNS: Final = (
    "org_id, key_id, prefix, secret_hash, name, roles, made_by, created_at, expires_at, revoked_at, last_used_at"
)
OPERATOR: Final = "operator"
"""Who makes keys by the platform's own commands."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's row.

    Attributes:
        org_id: The organisation that the key speaks for.
        key_id: The key's id.
        prefix: The part of its text that is not secret.
        secret_hash: SHA-256 of the part that is.
        name: What its makers call it.
        roles: What it may do.
        made_by: Who made it: the subject that asked for it, or `OPERATOR`; None where a release before did not say.
        created_at: When it was made.
        expires_at: When it ends by itself; None for never.
        revoked_at: When it was ended; None if it was not.
        last_used_at: When it was last used, to a minute or so; None for never.
    """

    org_id: UUID
    key_id: UUID
    prefix: str
    secret_hash: bytes = field(repr=False)
    name: str
    roles: tuple[str, ...]
    made_by: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def active(self, now: datetime) -> bool:
        """Say whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class LastOwnerKeyError(Exception):
    """Without this key nobody would own the organisation."""


async def find(directory: Database, prefix: str) -> ApiKey | None:
    """Give the key of that prefix, whoever's it is, revoked and expired ones too; None when there is none."""

    async def attempt() -> Any:
        async with directory.transaction() as tx:
            return await tx.fetchrow(f"SELECT {_COLUMNS} FROM directory.api_key_by_prefix($1)", prefix)  # noqa: S608

    row = await retrying(attempt, idempotent=True)
    return None if row is None else _key(row)


async def create(
    directory: Database,
    org_id: UUID,
    key_id: UUID,
    new: NewKey,
    *,
    name: str,
    roles: Sequence[str],
    made_by: str,
    created_at: datetime,
    expires_at: datetime | None = None,
) -> ApiKey:
    """Keep a new key.

    Args:
        directory: The database that holds the directory.
        org_id: The organisation that it speaks for.
        key_id: Its id.
        new: The key; only its prefix and hash are kept.
        name: What its makers call it.
        roles: What it may do.
        made_by: Who asks for it: a principal's subject, or `OPERATOR`.
        created_at: Now.
        expires_at: When it ends by itself; None for never.

    Raises:
        Problem: 409 `organisation-merged`: it is part of another one, and lets nobody in.
    """
    statement = (
        "INSERT INTO directory.api_keys"  # noqa: S608 - constant text
        " (org_id, key_id, prefix, secret_hash, name, roles, made_by, created_at, expires_at)"
        f" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_COLUMNS}"
    )

    async def attempt() -> Any:
        async with _organisation(directory, org_id) as tx:
            if whole := await tx.fetchval("SELECT directory.merged_into_held()"):
                raise merged(org_id, whole)
            return await tx.fetchrow(
                statement, org_id, key_id, new.prefix, new.secret_hash, name, list(roles), made_by, created_at,
                expires_at,
            )  # fmt: skip

    return _key(await retrying(attempt))


async def list_keys(directory: Database, org_id: UUID, *, before: UUID | None, limit: int) -> list[ApiKey]:
    """Give the organisation's keys, the newest first.

    Args:
        directory: The database that holds the directory.
        org_id: The organisation.
        before: Only keys that are older than this one; None for all.
        limit: At most so many.
    """
    statement = (
        f"SELECT {_COLUMNS} FROM directory.api_keys"  # noqa: S608 - constant text
        " WHERE org_id = $1 AND ($2::uuid IS NULL OR key_id < $2) ORDER BY key_id DESC LIMIT $3"
    )

    async def attempt() -> list[Any]:
        async with _organisation(directory, org_id) as tx:
            return list(await tx.fetch(statement, org_id, before, limit))

    return [_key(row) for row in await retrying(attempt, idempotent=True)]


async def get(directory: Database, org_id: UUID, key_id: UUID) -> ApiKey | None:
    """Give the organisation's key of that id; None when it has no such key."""

    async def attempt() -> Any:
        async with _organisation(directory, org_id) as tx:
            return await tx.fetchrow(
                f"SELECT {_COLUMNS} FROM directory.api_keys WHERE org_id = $1 AND key_id = $2",  # noqa: S608 - constant text
                org_id, key_id,
            )  # fmt: skip

    row = await retrying(attempt, idempotent=True)
    return None if row is None else _key(row)


async def revoke(directory: Database, org_id: UUID, key_id: UUID, at: datetime) -> ApiKey | None:
    """End a key; one that was ended before stays as it is. None when the organisation has no such key.

    Raises:
        LastOwnerKeyError: It is the only one left that opens with the role `owner`, also when two owners revoke each
            other's at once.
    """
    # The rows are locked in one order, and looked at again when another transaction changed them: so one of two that
    # revoke each other sees that it would be the last.
    owners = (
        "SELECT key_id FROM directory.api_keys WHERE org_id = $1 AND 'owner' = ANY(roles) AND revoked_at IS NULL"
        " AND (expires_at IS NULL OR expires_at > $2) ORDER BY key_id FOR UPDATE"
    )
    statement = (
        "UPDATE directory.api_keys SET revoked_at = coalesce(revoked_at, $3)"  # noqa: S608 - constant text
        f" WHERE org_id = $1 AND key_id = $2 RETURNING {_COLUMNS}"
    )

    async def attempt() -> Any:
        async with _organisation(directory, org_id) as tx:
            if [row["key_id"] for row in await tx.fetch(owners, org_id, at)] == [key_id]:
                raise LastOwnerKeyError
            return await tx.fetchrow(statement, org_id, key_id, at)

    row = await retrying(attempt, idempotent=True)
    return None if row is None else _key(row)


async def end(directory: Database, org_id: UUID, key_ids: Sequence[UUID], at: datetime) -> list[UUID]:
    """End keys as the platform's operator, the last one of an owner, too; give those that had not ended before."""

    async def attempt() -> list[UUID]:
        async with _organisation(directory, org_id) as tx:
            rows = await tx.fetch(
                "UPDATE directory.api_keys SET revoked_at = $3"
                " WHERE org_id = $1 AND key_id = ANY ($2) AND revoked_at IS NULL RETURNING key_id",
                org_id, key_ids, at,
            )  # fmt: skip
            return [row["key_id"] for row in rows]

    return await retrying(attempt)


async def touch(directory: Database, org_id: UUID, key_id: UUID, at: datetime) -> None:
    """Note that a key was used."""
    async with _organisation(directory, org_id) as tx:
        await tx.execute(
            "UPDATE directory.api_keys SET last_used_at = greatest(last_used_at, $3) WHERE org_id = $1 AND key_id = $2",
            org_id,
            key_id,
            at,
        )


def merged(organisation: UUID | str, whole: UUID) -> Problem:
    """Give the refusal of what would let somebody into an organisation that is part of another one.

    Args:
        organisation: Its id or its name.
        whole: The other one.
    """
    return Problem(
        "organisation-merged",
        detail=f"{organisation} is part of {whole} now and lets nobody in: its name is not given again.",
    )


def _organisation(directory: Database, org_id: UUID) -> AbstractAsyncContextManager[Transaction]:
    """Begin a transaction that sees the organisation's rows only.

    A UUID's text holds nothing but hexadecimal digits and hyphens.
    """
    return directory.transaction(f"SET LOCAL hal9.org_id='{org_id}'")


def _key(row: Any) -> ApiKey:
    return ApiKey(**{**dict(row), "roles": tuple(row["roles"])})
