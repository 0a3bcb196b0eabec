"""Whether a pooler stands between us and a server, and whether it is one that we can work behind.

Source: PostgreSQL's protocol, 54.2.1 (BackendKeyData): a server tells its own process id, a pooler one that it made up.
Promises: a pooler in transaction mode is enough for all that functions do: settings are SET LOCAL, locks are the
transaction's, nothing listens. It must keep track of prepared statements, and give each client's its own name on the
server, as PgBouncer does from 1.21 on with `max_prepared_statements`.
Does not: tell transaction mode from session mode, which is as good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.problems import Problem, register

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Connection = Any

_OURS: Final = "SELECT count(*) FROM pg_prepared_statements WHERE starts_with(name, '__asyncpg_')"
_STATEMENT_MODE: Final = "statement pooling mode"  # PgBouncer says so to who begins a transaction, and hangs up

register(
    "pooler-unfit",
    503,
    "The pooler before a database cannot be used",
    "Who runs the platform must set max_prepared_statements and pool_mode = transaction in PgBouncer (1.21 or later), "
    "or name the servers' own addresses in HAL9_SHARDS.",
)


async def is_direct(connection: Connection) -> bool:
    """Whether the server itself is at the other end: what holds a session (its locks, LISTEN) needs that."""
    pid: int = await connection.fetchval("SELECT pg_backend_pid()")
    return pid == connection.get_server_pid()


async def require_fit(connection: Connection) -> None:
    """Refuse a pooler that would mix up the prepared statements of its clients, or takes no transactions.

    Raises:
        Problem: 503 `pooler-unfit`.
    """
    try:
        if await is_direct(connection):
            return
        async with connection.transaction():
            as_we_named_them = await connection.fetchval(_OURS)
    except asyncpg.ConnectionDoesNotExistError as error:
        if _STATEMENT_MODE not in str(error):
            raise
        raise Problem("pooler-unfit") from error
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError) as error:
        raise Problem("pooler-unfit") from error
    if as_we_named_them:
        raise Problem("pooler-unfit")
