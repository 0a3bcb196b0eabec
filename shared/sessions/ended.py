"""What ended before its time, kept in the directory: rows that are told again to a cache whose state may be older.

A cache is the record of what lives, and none of what ended: one that comes back from a snapshot, or whose lagging
replica was promoted, knows nothing of what was revoked since. So whoever ends something writes it here first.
Promises: a row is kept for as long as what it ended could still live. Does not: hold what ends by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from shared.database import retrying

if TYPE_CHECKING:
    from uuid import UUID

    from shared.database import Database

ALL: Final = b"all"
_KEEP: Final = (
    "INSERT INTO directory.ended_sessions AS e (org_id, kind, subject, moment, kept_until)"
    " VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5)) ON CONFLICT (org_id, kind, subject) DO UPDATE"
    " SET moment = greatest(e.moment, excluded.moment), kept_until = greatest(e.kept_until, excluded.kept_until)"
)


class Ended(NamedTuple):
    """One thing that ended.

    Attributes:
        kind: `void`, what began until a moment; `device`, one session; `id`, one id of a session that goes on.
        subject: For `void` the user's id, or `ALL`; for `device` the user's id and the session's; for `id` its hash.
        moment: For `void`, in microseconds; else 0.
    """

    kind: Literal["void", "device", "id"]
    subject: bytes
    moment: int = 0


async def note(directory: Database, org_id: UUID, ended: Ended, seconds: float) -> None:
    """Keep what ends now, before the caches are told; forget what could not live any more.

    Args:
        directory: The database that holds the directory.
        org_id: The organisation.
        ended: What ends.
        seconds: For how long it could live at most.

    Raises:
        Problem: 503 `shard-unavailable`.
    """

    async def attempt() -> None:
        # A UUID's text holds nothing but hexadecimal digits and hyphens.
        async with directory.transaction(f"SET LOCAL hal9.org_id='{org_id}'") as tx:
            await tx.execute("DELETE FROM directory.ended_sessions WHERE org_id = $1 AND kept_until < now()", org_id)
            await tx.execute(_KEEP, org_id, *ended, seconds)

    await retrying(attempt, idempotent=True)


async def of(directory: Database, org_id: UUID) -> list[Ended]:
    """Give all that ended in an organisation and could still live otherwise.

    Raises:
        Problem: 503 `shard-unavailable`.
    """
    statement = "SELECT kind, subject, moment FROM directory.ended_sessions WHERE org_id = $1 AND kept_until >= now()"

    async def attempt() -> list[Ended]:
        async with directory.transaction(f"SET LOCAL hal9.org_id='{org_id}'") as tx:
            return [Ended(*row) for row in await tx.fetch(statement, org_id)]

    return await retrying(attempt, idempotent=True)
