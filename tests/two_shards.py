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

    Connection = asyncpg.Connection[asyncpg.Record]


@asynccontextmanager
async def two_shards(tables: str) -> AsyncIterator[Servers]:
    """Start two durable ones, migrated.

    Args:
        tables: SQL of what is there beside HAL9's own; the owner of the tables runs it on both.
    """
    async with own_servers(2, durable=True) as made:
        await migrate(made.shards_admin_dsn.split(","))
        for shard in range(len(made.postgres)):
            async with on(made, shard) as connection:
                await connection.execute(tables)
        yield made


@asynccontextmanager
async def on(pair: Servers, shard: int) -> AsyncIterator[Connection]:
    """Connect to one of them, as the owner of the tables."""
    connection = await asyncpg.connect(pair.postgres[shard].dsn("hal9_owner"))
    try:
        yield connection
    finally:
        await connection.close()
