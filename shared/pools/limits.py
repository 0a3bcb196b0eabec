"""Reading what servers allow, from the servers themselves.

Promises: any role may ask; shards that are on the same server are found to be, since they share its connections.
Does not: look behind a pooler other than PgBouncer's transaction mode, which passes these questions on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import asyncpg

from shared.database import hosts
from shared.pools.plan import Server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_SECONDS: Final = 10.0
_LIMITS: Final = """
SELECT pg_postmaster_start_time() AS started, current_setting('port') AS port,
       current_setting('max_connections')::int AS max_connections,
       current_setting('superuser_reserved_connections')::int AS superuser_reserved,
       current_setting('reserved_connections')::int AS reserved,
       (SELECT count(*) FROM pg_stat_activity
         WHERE datname IS NOT NULL AND usename NOT IN ('hal9_app', 'hal9_owner')
           AND pid <> pg_backend_pid())::int AS others
"""


class LimitsUnreadableError(Exception):
    """A server did not say what it allows; the text names the shard."""


async def read(dsns: Sequence[str], *, seconds: float = _SECONDS) -> list[Server]:
    """Ask the servers of all shards.

    Args:
        dsns: addresses in shard order, for any role.
        seconds: that one shard may take.

    Raises:
        LimitsUnreadableError: one does not answer.
    """
    rows = await asyncio.gather(*(_ask(number, dsn, seconds) for number, dsn in enumerate(dsns)))
    servers: dict[tuple[datetime, str], list[int]] = {}
    for number, row in enumerate(rows):
        servers.setdefault((row["started"], row["port"]), []).append(number)
    return [
        Server(
            name=_name(shards),
            shards=tuple(shards),
            max_connections=rows[shards[0]]["max_connections"],
            superuser_reserved=rows[shards[0]]["superuser_reserved"],
            reserved=rows[shards[0]]["reserved"],
            others=rows[shards[0]]["others"],
        )
        for shards in servers.values()
    ]


def _name(shards: Sequence[int]) -> str:
    return f"server of shard{'s' if len(shards) > 1 else ''} {', '.join(map(str, shards))}"


async def _ask(number: int, dsn: str, seconds: float) -> asyncpg.Record:
    try:
        async with asyncio.timeout(seconds):
            connection = await hosts.connect(dsn, server_settings={"application_name": "hal9-pools"})
            try:
                row = await connection.fetchrow(_LIMITS)
            finally:
                await connection.close()
    except TimeoutError as error:
        raise LimitsUnreadableError(f"shard {number} gave no answer within {seconds:g} s") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise LimitsUnreadableError(f"shard {number} does not answer: {type(error).__name__}: {error}") from error
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return row
