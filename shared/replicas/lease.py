"""The lease of a shard's primary: without one that is not over, it accepts no write of an organisation.

The lease is a row of the shard's own database (`primary_lease`), so no shard's failover depends on another one, the
directory's included. Whoever watches the shard (one process: on one machine the supervisor) extends it while the
primary answers; the epoch fence, which every write passes, refuses with 25006 (read_only_sql_transaction) once it is
over. A primary that was paused, resumed, and replaced meanwhile thus refuses by its own clock, whoever talks to it.

Promises: `expires_at` is infinite where nobody watches, and the fence then never refuses. Does not: stop what runs as
the owner's role, which passes no fence; or outwit a clock that is set back on the primary. Where the watcher owns the
processes it ends them first (SIGKILL), and needs the lease only as a second wall.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.replicas.lsn import Lsn, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

LEASE_SECONDS: Final = 8.0
"""How long a primary accepts writes after its watcher was heard for the last time."""

_RENEW: Final = """
UPDATE primary_lease SET generation = $1, expires_at = clock_timestamp() + make_interval(secs => $2)
WHERE generation <= $1
"""
_STANDING: Final = """
SELECT pg_current_wal_flush_lsn()::text AS position,
       max(flush_lsn)::text AS confirmed, coalesce(bool_or(sync_state IN ('sync', 'quorum')), false) AS synchronous
FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'
"""
_HISTORY: Final = "SELECT pg_read_file('pg_wal/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '.history', true)"
"""Of the present timeline: a line for each one before it, with where that one was left (PostgreSQL manual, 25.3.6)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a primary and its replica stand.

    Attributes:
        position: up to where the primary has written its log to disk.
        confirmed: up to where the replica has; None while it does not stream.
        synchronous: whether commits wait for it.
    """

    position: Lsn
    confirmed: Lsn | None
    synchronous: bool


async def renew(connection: Connection, generation: int, seconds: float = LEASE_SECONDS) -> None:
    """Extend the lease of the primary that `connection` is to; nothing before the schema is there.

    Args:
        connection: to the primary, as the owner or a superuser.
        generation: one more with each promotion; never goes back.
        seconds: from now, by the primary's clock.
    """
    try:
        # Not worth waiting for a replica: it is extended a second later anyway.
        async with connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = local")
            await connection.execute(_RENEW, generation, seconds)
    except asyncpg.UndefinedTableError:
        return


async def generation(connection: Connection) -> int:
    """Give the generation of the primary's lease; 1 before the schema is there."""
    try:
        found: int = await connection.fetchval("SELECT generation FROM primary_lease")
    except asyncpg.UndefinedTableError:
        return 1
    return found


async def lift(connection: Connection) -> None:
    """Let the primary go without a lease: nobody watches it any more. Nothing where the schema has none yet."""
    with contextlib.suppress(asyncpg.UndefinedTableError):
        await connection.execute("UPDATE primary_lease SET expires_at = 'infinity' WHERE expires_at <> 'infinity'")


async def standing(connection: Connection, replica: str) -> Standing:
    """Say how the primary stands to the replica of that name (its `application_name`)."""
    row = await connection.fetchrow(_STANDING, replica)
    assert row is not None  # noqa: S101 - an aggregate has one row
    confirmed = row["confirmed"]
    return Standing(parse(row["position"]), None if confirmed is None else parse(confirmed), row["synchronous"])


async def wait_for(connection: Connection, replicas: Sequence[str]) -> None:
    """Let synchronous commits wait for any one of these replicas; for none when there are none. As a superuser."""
    quoted = ", ".join(f'"{name}"' for name in replicas)
    value = f"ANY 1 ({quoted})" if quoted else ""
    await connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{value}'")
    await connection.execute("SELECT pg_reload_conf()")


async def keep_log_for(connection: Connection, slot: str) -> None:
    """Make the slot on a primary that keeps the log for a replica, anew when it has lost some of it. As a superuser."""
    await connection.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
        " WHERE slot_name = $1 AND wal_status = 'lost'",
        slot,
    )
    await connection.execute(
        "SELECT pg_create_physical_replication_slot($1, true)"
        " WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)",
        slot,
    )


async def keep_log_for_none(connection: Connection, slots: Sequence[str]) -> None:
    """Drop those of these slots on a primary that nobody uses, whose replicas are not started. As the owner.

    Else it would keep the log for them, up to `max_slot_wal_keep_size`; a replica that lacks some is copied anew.
    """
    await connection.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
        " WHERE slot_name = ANY($1) AND slot_type = 'physical' AND NOT active",
        list(slots),
    )


async def keep_log_no_more(connection: Connection) -> None:
    """Drop the slots of a server that has become a replica itself: it would keep the log for nobody. As a superuser.

    Those that it has from its time as a primary, for its replica, an archive, moves of organisations, would be there
    again when it is promoted: of an earlier history, taking the places of others, and holding back VACUUM.
    """
    await connection.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND NOT synced"
    )


async def promote(connection: Connection, seconds: int = 30) -> Lsn:
    """Make a primary of the replica that `connection` is to, and give where the old one's history ends in it.

    As a superuser. Whoever calls this has made sure that the old primary accepts nothing any more.

    Raises:
        TimeoutError: it is still a replica after `seconds`.
    """
    if await connection.fetchval("SELECT pg_is_in_recovery()") and not await connection.fetchval(
        "SELECT pg_promote(true, $1)", seconds
    ):
        raise TimeoutError(f"the replica is no primary after {seconds} s")
    history: str | None = await connection.fetchval(_HISTORY)
    if history is None:  # it never was a replica
        return parse(await connection.fetchval("SELECT pg_current_wal_lsn()::text"))
    # Its own position says less: it has written itself since, perhaps more than it lacks.
    return parse(history.strip().splitlines()[-1].split("\t")[1])
