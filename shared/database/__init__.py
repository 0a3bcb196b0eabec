"""PostgreSQL: pools, transactions, what is retried, and migrations.

    database = Database(dsn, settings)
    async with database.transaction("SET LOCAL hal9.org_id = '...'") as connection: ...
    await retrying(attempt)

Promises: settings are only ever SET LOCAL, so that a connection goes back into its pool clean, without a reset (the
largest win that was measured, see docs/decisions/0003-data-plane.md); `statement_timeout` follows the deadline
(shared.deadlines).
Does not: know organisations (`shared.shards`), or allow LISTEN, temporary tables and session settings on pooled
connections.
"""

from __future__ import annotations

from shared.database.pool import Database, DatabaseSettings, Transaction, savepoint
from shared.database.retry import CommitUnknownError, ContendedError, ShardUnavailableError, retrying

__all__ = [
    "CommitUnknownError",
    "ContendedError",
    "Database",
    "DatabaseSettings",
    "ShardUnavailableError",
    "Transaction",
    "retrying",
    "savepoint",
]
