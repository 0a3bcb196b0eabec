"""A shard with a replica and its keeper, for tests that stop, kill and promote its servers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from knative.platform.keeper import Keeper
from knative.platform.servers import Servers
from knative.platform.servers.children import orphans
from shared.database import CommitUnknownError, DatabaseSettings, ShardUnavailableError, hosts
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.settings import load
from shared.shards import Shards

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from knative.platform.servers import Postgres, Replicated
    from shared.database import Transaction

LEDGER = """
CREATE TABLE ledger (org_id uuid, id uuid, PRIMARY KEY (org_id, id));
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON ledger TO hal9_app USING (org_id = current_setting('hal9.org_id', true)::uuid);
GRANT SELECT, INSERT ON ledger TO hal9_app;
"""


@dataclass
class Pair:
    """One shard with a replica.

    Attributes:
        servers: its servers, and a cache.
        keeper: keeps them.
        shards: as a function sees it.
    """

    servers: Servers
    keeper: Keeper
    shards: Shards

    @property
    def shard(self) -> Replicated:
        """Its two servers."""
        return self.servers.replicated[0]

    async def organisation(self, tier: str) -> UUID:
        """A fresh organisation of that tier."""
        org_id = new_id()
        await self.shards.create_organisation(org_id, "us-west", tier=tier)
        return org_id

    async def until(self, condition: Callable[[], Any], seconds: float = 90.0) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - what is waited for are other processes
                await asyncio.sleep(0.02)

    async def synchronous(self) -> None:
        """Wait until commits wait for the replica."""
        await self.until(lambda: not self.shard.record.alone and not self.shard.record.apart)

    async def written(self, org_id: UUID) -> set[UUID]:
        """What the primary's ledger holds."""
        rows = await persistently(lambda: self.shards.run(org_id, _all, readonly=True))
        return {row["id"] for row in rows}


async def _all(tx: Transaction) -> list[asyncpg.Record]:
    return await tx.fetch("SELECT id FROM ledger")


async def persistently(attempt: Callable[[], Any]) -> Any:
    """Try until the shard is there."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(ShardUnavailableError):
                return await attempt()
            await asyncio.sleep(0.05)


def signal_all(server: Postgres, number: signal.Signals) -> list[int]:
    """Send a signal to every process of a server; give which they are."""
    found = orphans(server.folder)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return found


@dataclass
class Writer:
    """Writes to one organisation's ledger until it is told to stop, and remembers what it was told.

    Attributes:
        shards: where it writes.
        org_id: the organisation.
        begun: what it began to write: whatever is in the ledger is one of these.
        acknowledged: what was committed, as the database said.
        over: whether it was told to stop.
    """

    shards: Shards
    org_id: UUID
    begun: list[UUID] = field(default_factory=list)
    acknowledged: list[UUID] = field(default_factory=list)
    over: bool = False

    async def write(self) -> None:
        """Write."""
        while not self.over:
            one = new_id()
            self.begun.append(one)

            async def insert(tx: Transaction, one: UUID = one) -> None:
                await tx.execute("INSERT INTO ledger VALUES ($1, $2)", self.org_id, one)

            try:
                await self.shards.run(self.org_id, insert)
            except (ShardUnavailableError, CommitUnknownError):
                await asyncio.sleep(0.05)
            else:
                self.acknowledged.append(one)

    async def more(self, count: int) -> None:
        """Wait until that many more were acknowledged."""
        enough = len(self.acknowledged) + count
        async with asyncio.timeout(90):
            while len(self.acknowledged) < enough:  # noqa: ASYNC110 - work of another task
                await asyncio.sleep(0.01)


@asynccontextmanager
async def pair(*, kept: bool = True) -> AsyncIterator[Pair]:
    """Start one; with `kept` its keeper runs."""
    with tempfile.TemporaryDirectory(prefix="hal9-", ignore_cleanup_errors=True) as folder:
        servers = Servers(Path(folder) / "servers", Path(folder) / "run", shards=1, replicas=1)
        await servers.start()
        keeping: asyncio.Task[None] | None = None
        shards = Shards.open(
            load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_STAGGER_SECONDS": "0"})
        )
        try:
            keeper = Keeper(servers.replicated)
            await keeper.start()
            await migrate([servers.shards_admin_dsn])
            connection = await hosts.connect(servers.shards_admin_dsn)
            await connection.execute(LEDGER)
            await connection.close()
            keeping = asyncio.create_task(keeper.run()) if kept else None
            yield Pair(servers, keeper, shards)
        finally:
            if keeping is not None:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
            await shards.close()
            await servers.stop()
