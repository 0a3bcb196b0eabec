"""Logical replication of one organisation's rows: a publication and a slot on the old shard, a subscription on the new.

Promises: every function may be repeated; what a killed one left is found by the move's name. Source: PostgreSQL manual,
29 Logical Replication. Does not: replicate definitions, sequences, or what is no organisation's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.placement.hands import has_password

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from shared.placement.catalogue import Table

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

_SETTINGS: Final = """
SELECT current_setting('wal_level') AS wal_level,
       current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots)::int AS slots,
       current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication)::int AS senders,
       current_setting('max_logical_replication_workers')::int AS workers,
       rolsuper, rolreplication, pg_has_role('pg_create_subscription', 'USAGE') AS subscribes
  FROM pg_roles WHERE rolname = current_user
"""
_NEEDED: Final = 2
"""Slots and senders of a move at least: its own, and that of a table that is being copied."""


def name_of(move_id: UUID) -> str:
    """What a move's publication, slot and subscription are called."""
    return f"hal9_move_{move_id.hex}"


async def faults(old: Connection, new: Connection, link: str) -> list[str]:
    """What keeps rows from being replicated from one server to the other; none when nothing does.

    Args:
        old: The server that sends.
        new: The server that receives.
        link: The address by which the receiver reaches the sender.
    """
    sends, receives = await old.fetchrow(_SETTINGS), await new.fetchrow(_SETTINGS)
    assert sends is not None  # noqa: S101 - whoever asks is a role
    assert receives is not None  # noqa: S101 - likewise
    found = []
    if sends["wal_level"] != "logical":
        found.append(f"the old shard's server has wal_level = {sends['wal_level']}: set it to logical, and restart it")
    for what, setting in (("slots", "max_replication_slots"), ("senders", "max_wal_senders")):
        if sends[what] < _NEEDED:
            found.append(
                f"the old shard's server has {sends[what]} of {setting} left: raise it, and restart the server"
            )
    if receives["workers"] < _NEEDED:
        found.append("the new shard's server needs max_logical_replication_workers of 4 or more")
    if not (sends["rolsuper"] or sends["rolreplication"]):
        found.append("the role may not replicate: ALTER ROLE hal9_owner REPLICATION on the old shard's server")
    if not receives["rolsuper"]:
        if not receives["subscribes"]:
            found.append(
                "the role may not subscribe: GRANT pg_create_subscription TO hal9_owner on the new shard's server"
            )
        if not has_password(link):
            found.append("the old shard's address has no password, without which only a superuser may subscribe")
    return found


async def publish(old: Connection, name: str, tables: Sequence[Table], org_id: UUID) -> None:
    """Publish the organisation's rows of every table, and keep the log from now on. Waits for transactions that run."""
    if not await old.fetchval("SELECT EXISTS (SELECT 1 FROM pg_publication WHERE pubname = $1)", name):
        # A UUID has no text in which anything could hide; the names are quoted by the catalogue.
        listed = ", ".join(f"TABLE {table.name} WHERE (org_id = '{org_id}'::uuid)" for table in tables)
        await old.execute(
            f'CREATE PUBLICATION "{name}" FOR {listed}'
            " WITH (publish = 'insert, update, delete', publish_via_partition_root = true)"
        )
    if not await old.fetchval("SELECT EXISTS (SELECT 1 FROM pg_replication_slots WHERE slot_name = $1)", name):
        await old.fetchval("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)


async def published(old: Connection, name: str) -> set[str]:
    """The tables that a publication holds, as SQL has their names."""
    rows = await old.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_publication_tables WHERE pubname = $1", name
    )
    return {row["name"] for row in rows}


async def subscribe(new: Connection, name: str, link: str) -> None:
    """Copy what is published, then follow it. Goes on by itself, whatever happens to whoever asked."""
    if not await subscribed(new, name):
        escaped = link.replace("'", "''")
        await new.execute(
            f'CREATE SUBSCRIPTION "{name}" CONNECTION \'{escaped}\' PUBLICATION "{name}"'
            f" WITH (create_slot = false, slot_name = '{name}', copy_data = true, streaming = off)"
        )


@dataclass(frozen=True, slots=True)
class Copying:
    """How far a subscription is.

    Attributes:
        ready: Tables that are copied and followed.
        tables: All of them.
        errors: How often applying or copying failed.
        copied: Tables that are copied, and may have to catch up.
        rows: That were copied of those that are being copied.
    """

    ready: int
    tables: int
    errors: int
    copied: int
    rows: int

    @property
    def progress(self) -> tuple[int, int, int]:
        """Grows as long as the copying goes on; not by a try that fails where another one did."""
        return self.ready, self.copied, self.rows


async def copying(new: Connection, name: str) -> Copying:
    """How far a subscription is."""
    row = await new.fetchrow(
        "SELECT count(*) FILTER (WHERE r.srsubstate = 'r') AS ready, count(r.srrelid) AS tables,"
        " coalesce(max(e.apply_error_count + e.sync_error_count), 0) AS errors,"
        " count(*) FILTER (WHERE r.srsubstate IN ('f', 's', 'r')) AS copied,"
        " coalesce(sum(c.tuples_processed), 0)::bigint AS rows"
        "  FROM pg_subscription s LEFT JOIN pg_subscription_rel r ON r.srsubid = s.oid"
        "  LEFT JOIN pg_stat_subscription_stats e ON e.subid = s.oid"
        "  LEFT JOIN pg_stat_progress_copy c ON c.relid = r.srrelid AND c.datname = current_database()"
        " WHERE s.subname = $1",
        name,
    )
    assert row is not None  # noqa: S101 - an aggregate has one row
    return Copying(*row.values())


async def lost(old: Connection, new: Connection, name: str) -> bool:
    """Whether the new shard waits for a table's slot that is gone; when that lasts, it always will.

    The server that copies drops a table's slot on the other one in the transaction that says that the table is done,
    whose commit waits for no disk. Ended suddenly then, it has forgotten the one and finds the other no more.
    """
    # The slots' names are PostgreSQL's own.
    rows = await new.fetch(
        "SELECT format('pg_%s_sync_%s_', s.oid, r.srrelid) AS slot FROM pg_subscription s"
        " JOIN pg_subscription_rel r ON r.srsubid = s.oid WHERE s.subname = $1 AND r.srsubstate = 'f'",
        name,
    )
    if not rows:
        return False
    there = [row["slot_name"] for row in await old.fetch("SELECT slot_name FROM pg_replication_slots")]
    return not all(any(one.startswith(row["slot"]) for one in there) for row in rows)


async def kept(old: Connection, name: str) -> bool:
    """Whether the old shard still has the log that the move needs."""
    status = await old.fetchval("SELECT coalesce(wal_status, '') FROM pg_replication_slots WHERE slot_name = $1", name)
    return status is not None and status != "lost"


async def subscribed(new: Connection, name: str) -> bool:
    """Whether the new shard has the subscription."""
    found: bool = await new.fetchval("SELECT EXISTS (SELECT 1 FROM pg_subscription WHERE subname = $1)", name)
    return found


async def unsubscribe(new: Connection, name: str) -> None:
    """End a subscription; what it copied stays."""
    if not await subscribed(new, name):
        return
    await new.execute(f'ALTER SUBSCRIPTION "{name}" DISABLE')
    await new.execute(f'ALTER SUBSCRIPTION "{name}" SET (slot_name = NONE)')
    await new.execute(f'DROP SUBSCRIPTION "{name}"')


async def unpublish(old: Connection, name: str) -> bool:
    """End a publication and let go of the log; False while somebody still reads it: then again a little later."""
    await old.execute(f'DROP PUBLICATION IF EXISTS "{name}"')
    await old.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1", name)
    try:
        await old.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", name
        )
    except asyncpg.ObjectInUseError:
        return False
    return True
