"""Two durable shards for a module that breaks them, or moves organisations between them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from shared.database.migrations import migrate
from tests.own_servers import own_servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knative.platform.servers import Servers


@asynccontextmanager
async def two_shards(tables: str) -> AsyncIterator[Servers]:
    """Start two durable ones, migrated.

    Args:
        tables: SQL of what is there beside HAL9's own; the owner of the tables runs it on both.
    """
    async with own_servers(2, durable=True) as made:
        await migrate(made.shards_admin_dsn.split(","))
        for server in made.postgres:
            connection = await asyncpg.connect(server.dsn("hal9_owner"))
            await connection.execute(tables)
            await connection.close()
        yield made
