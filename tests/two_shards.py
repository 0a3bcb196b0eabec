"""Two durable shards for a module that breaks them, or moves organisations between them."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from knative.platform.servers import Servers
from shared.database.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def two_shards(tables: str) -> AsyncIterator[Servers]:
    """Start them, migrated, and stop them.

    Args:
        tables: SQL of what is there beside HAL9's own; the owner of the tables runs it on both.
    """
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        made = Servers(Path(folder) / "servers", Path(folder) / "run", shards=2, durable=True)
        await made.start()
        try:
            await migrate(made.shards_admin_dsn.split(","))
            for server in made.postgres:
                connection = await asyncpg.connect(server.dsn("hal9_owner"))
                await connection.execute(tables)
                await connection.close()
            yield made
        finally:
            await made.stop()
