"""Migrations: numbered SQL files, brought to every shard under a lock, forwards only.

    await migrate(admin_dsns)            # `hal9 migrate`
    await status(admin_dsns)             # `hal9 migrate --status`

`shard/` is run on every shard, `directory/` on the first one only, before it. A file is one transaction; one that
must not be (CREATE INDEX CONCURRENTLY) begins with `-- hal9: no-transaction` and holds a single statement.
Promises: nothing is run anywhere until every shard's ledger was found right: an applied file that was changed, is
missing, or has a new one before it, is refused. Two runs at once do the work once. A lock that is not had within
seconds is given up, then tried again.
Does not: go back. A release's migrations must leave the release before it working (expand, then contract); the linter
knows the usual faults.
"""

from __future__ import annotations

from shared.database.migrations.files import LedgerError, Migration, MigrationError, ShardAwayError, read
from shared.database.migrations.runner import Applied, ShardStatus, migrate, status

__all__ = [
    "Applied",
    "LedgerError",
    "Migration",
    "MigrationError",
    "ShardAwayError",
    "ShardStatus",
    "migrate",
    "read",
    "status",
]
