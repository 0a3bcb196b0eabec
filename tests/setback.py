"""A database's clock that was an hour ahead and is set back: what it wrote before lies in its future."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import asyncpg

if TYPE_CHECKING:
    from uuid import UUID

    from knative.platform.servers import Servers

AN_HOUR: Final = 3600.0

_MOMENTS: Final = {
    "outbox": ("recorded_at", "claimed_until"),
    "dead_letters": ("received_at", "redriven_at"),
    "runs": ("created_at", "deadline_at"),
    "steps": ("created_at", "started_at", "due_at"),
    "verifications": ("lease_until",),
    "dtx": ("decided_at",),
    "tenants": ("fenced_at",),
}


async def clock_was_set_back(servers: Servers, shard: int, org_id: UUID, seconds: float = AN_HOUR) -> None:
    """Have an organisation's moments on a shard lie so far ahead as if its clock had been ahead until now."""
    connection = await asyncpg.connect(servers.shards_admin_dsn.split(",")[shard])
    try:
        for table, columns in _MOMENTS.items():
            moved = ", ".join(f"{column} = {column} + make_interval(secs => $2)" for column in columns)
            await connection.execute(f"UPDATE {table} SET {moved} WHERE org_id = $1", org_id, seconds)
    finally:
        await connection.close()
