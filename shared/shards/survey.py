"""How the shards are doing: sizes, tenants, slots, what waits in the outbox, replication, who holds connections.

Promises: reads statistics only, with the owner's role; a shard that does not answer is a row that says so, not an
error; each shard is asked within `seconds`. Does not: judge (alerts do), or look at an organisation's rows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.database import hosts
from shared.shards.slots import SLOTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

_SERVER: Final = """
SELECT current_setting('server_version') AS version,
       pg_database_size(current_database()) AS size_bytes,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int
           - current_setting('reserved_connections')::int AS connection_limit,
       (SELECT greatest(extract(epoch FROM max(now() - xact_start)), 0)::float8 FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()) AS oldest_transaction_seconds,
       (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()) AS prepared,
       (SELECT coalesce(max(abs(extract(epoch FROM now() - prepared))), 0)::float8 FROM pg_prepared_xacts
         WHERE database = current_database()) AS oldest_prepared_seconds
"""
_CONNECTIONS: Final = """
SELECT application_name, count(*) AS connections,
       count(*) FILTER (WHERE state = 'active') AS active,
       count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS in_transaction
  FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
 GROUP BY application_name ORDER BY application_name
"""
_REPLICATION: Final = """
SELECT coalesce(nullif(application_name, ''), 'replica') AS name, state,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint AS lag_bytes,
       -- What archives the log replays nothing, so that its lag in time says nothing.
       CASE WHEN application_name <> 'hal9_archive' THEN coalesce(extract(epoch FROM replay_lag), 0)::float8 END
           AS lag_seconds,
       sync_state IN ('sync', 'quorum') AS synchronous
  FROM pg_stat_replication
UNION ALL
SELECT slot_name, 'inactive slot', pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint, NULL, false
  FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL
 ORDER BY 1
"""
_TENANTS: Final = "SELECT state, count(*) AS tenants FROM tenants GROUP BY state"
OUTBOX: Final = """
SELECT count(*) AS pending, greatest(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8
           AS oldest_seconds
  FROM outbox
 WHERE recorded_at <= clock_timestamp() OR claimed_until IS DISTINCT FROM recorded_at
    OR recorded_at > clock_timestamp() + interval '10 minutes'
"""
"""What waits: all but what is to be sent later (see events.outbox). Rows that a clock which was set back has left in
the future wait, too; nobody knows for how long."""

_SLOTS: Final = "SELECT shard, count(*) AS slots FROM directory.slots GROUP BY shard"
_SHARDS: Final = "SELECT shard, region, state FROM directory.shards"


@dataclass(frozen=True, slots=True)
class Connections:
    """What one deployment (application_name) holds on a shard."""

    application: str
    connections: int
    active: int
    in_transaction: int


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica, or a slot that holds back the log.

    Attributes:
        name: the replica's, or the slot's.
        state: as PostgreSQL says it.
        lag_bytes: of the log that it is behind.
        lag_seconds: None when nobody reads the slot.
        synchronous: whether commits wait for it, but for those of tiers that do not.
    """

    name: str
    state: str
    lag_bytes: int
    lag_seconds: float | None
    synchronous: bool = False


@dataclass(frozen=True, slots=True)
class ShardReport:
    """One shard.

    Attributes:
        shard: its number.
        error: why it did not answer; None when it did, and the rest is set.
        version: PostgreSQL's.
        size_bytes: of the database on disk.
        tenants: how many organisations, by state (active, draining, moved).
        slots: how many of the 16384 are its own; None when the directory did not answer.
        region: where it stands; None when nobody has said, or the directory did not answer.
        placement: whether it takes organisations: active, draining, removed; `unknown` to the directory when it was
            not added yet.
        outbox_pending: events that wait for the broker.
        outbox_oldest_seconds: the age of the oldest of them.
        connection_limit: connections that roles other than superusers may hold.
        connections: who holds them.
        oldest_transaction_seconds: the age of the oldest open transaction.
        prepared: prepared transactions (two-phase commit).
        oldest_prepared_seconds: the age of the oldest of them; over 30 s somebody should look.
        replication: replicas and slots, with their lag.
        generation: of its primary: one more with each promotion that HAL9 did.
    """

    shard: int
    error: str | None = None
    version: str = ""
    size_bytes: int = 0
    tenants: dict[str, int] = field(default_factory=dict)
    slots: int | None = None
    region: str | None = None
    placement: str = "unknown"
    outbox_pending: int = 0
    outbox_oldest_seconds: float = 0.0
    connection_limit: int = 0
    connections: tuple[Connections, ...] = ()
    oldest_transaction_seconds: float = 0.0
    prepared: int = 0
    oldest_prepared_seconds: float = 0.0
    replication: tuple[Replica, ...] = ()
    generation: int = 1

    @property
    def connections_used(self) -> int:
        """Connections held altogether."""
        return sum(one.connections for one in self.connections)


async def survey(admin_dsns: Sequence[str], *, seconds: float = 5.0) -> list[ShardReport]:
    """Ask every shard, in parallel.

    Args:
        admin_dsns: addresses for the role hal9_owner, in shard order.
        seconds: that one shard may take.
    """
    asked = await asyncio.gather(*(_ask(number, dsn, seconds) for number, dsn in enumerate(admin_dsns)))
    directory = asked[0][1] if asked else _Directory()
    return [
        ShardReport(
            number,
            slots=directory.slots.get(number, 0) if directory.slots else None,
            region=directory.regions.get(number),
            placement=directory.states.get(number, "unknown"),
            **row,
        )
        for number, (row, _) in enumerate(asked)
    ]


_TAKEN: Final = (
    "all its connections are taken, and it keeps none for hal9_owner: end some, set its reserved_connections to 5, and "
    "GRANT pg_use_reserved_connections TO hal9_owner"
)


@dataclass(slots=True)
class _Directory:
    """What the directory says, by the shard's number."""

    slots: dict[int, int] = field(default_factory=dict)
    regions: dict[int, str | None] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)


async def _ask(number: int, dsn: str, seconds: float) -> tuple[dict[str, Any], _Directory]:
    try:
        async with asyncio.timeout(seconds):
            connection = await hosts.connect(dsn, server_settings={"application_name": "hal9-shards"})
            try:
                directory = await _directory(connection) if number == 0 else _Directory()
                return await _read(connection), directory
            finally:
                await connection.close()
    except asyncpg.TooManyConnectionsError:
        return {"error": _TAKEN}, _Directory()
    except TimeoutError:
        return {"error": f"no answer within {seconds:g} s"}, _Directory()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return {"error": f"{type(error).__name__}: {error}"}, _Directory()


async def _directory(connection: Connection) -> _Directory:
    slots = {row["shard"]: row["slots"] for row in await connection.fetch(_SLOTS)}
    if sum(slots.values()) != SLOTS:
        raise asyncpg.InterfaceError(f"the directory has {sum(slots.values())} slots instead of {SLOTS}")
    rows = await connection.fetch(_SHARDS)
    return _Directory(
        slots, {row["shard"]: row["region"] for row in rows}, {row["shard"]: row["state"] for row in rows}
    )


async def _read(connection: Connection) -> dict[str, Any]:
    server = await connection.fetchrow(_SERVER)
    assert server is not None  # noqa: S101 - a SELECT without FROM has one row
    row: dict[str, Any] = dict(server)
    row["connections"] = tuple(Connections(*one.values()) for one in await connection.fetch(_CONNECTIONS))
    row["replication"] = tuple(Replica(*one.values()) for one in await connection.fetch(_REPLICATION))
    row["tenants"] = {one["state"]: one["tenants"] for one in await connection.fetch(_TENANTS)}
    if await connection.fetchval("SELECT to_regclass('outbox') IS NOT NULL"):
        outbox = await connection.fetchrow(OUTBOX)
        assert outbox is not None  # noqa: S101 - an aggregate has one row
        row["outbox_pending"], row["outbox_oldest_seconds"] = outbox["pending"], outbox["oldest_seconds"]
    if await connection.fetchval("SELECT to_regclass('primary_lease') IS NOT NULL"):
        row["generation"] = await connection.fetchval("SELECT generation FROM primary_lease")
    return row
