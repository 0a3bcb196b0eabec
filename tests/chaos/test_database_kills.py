"""kill -9 of a PostgreSQL while transactions run: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from knative.platform.servers import Servers
from shared.database import Database, ShardUnavailableError
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.shards import Shards
from tests.writers import Writers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from shared.database import Transaction

PAIRS = """
CREATE TABLE pairs (org_id uuid, id uuid, half int, PRIMARY KEY (org_id, id, half));
ALTER TABLE pairs ENABLE ROW LEVEL SECURITY;
ALTER TABLE pairs FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON pairs TO hal9_app USING (org_id = current_setting('hal9.org_id', true)::uuid);
GRANT SELECT, INSERT ON pairs TO hal9_app;
"""
KILLS = 5


@pytest_asyncio.fixture(loop_scope="session")
async def durable() -> AsyncIterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        servers = Servers(Path(folder) / "servers", Path(folder) / "run", shards=1, durable=True)
        await servers.start()
        try:
            await migrate([servers.shards_admin_dsn])
            connection = await asyncpg.connect(servers.shards_admin_dsn)
            await connection.execute(PAIRS)
            await connection.close()
            yield servers
        finally:
            await servers.stop()


async def restart(servers: Servers) -> None:
    (server,) = servers.postgres
    async with asyncio.timeout(30):
        while server.alive:  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.005)
    await server.start()


def victims(servers: Servers) -> tuple[int, list[int]]:
    """The postmaster, and the backends that it serves."""
    (server,) = servers.postgres
    assert server.process is not None
    parent = server.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    names = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return parent, [pid for pid, name in names.items() if b"hal9_app" in name]


async def _rows(shards: Shards, org_id: UUID) -> list[asyncpg.Record]:
    """What is there, as soon as the server has recovered."""
    async with asyncio.timeout(30):
        while True:
            try:
                async with shards.transaction(org_id, readonly=True) as tx:
                    return await tx.fetch("SELECT id, count(*) AS halves FROM pairs GROUP BY id")
            except ShardUnavailableError:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("who", ["the postmaster", "a backend"])
async def test_what_was_acknowledged_survives(durable: Servers, who: str) -> None:
    shards = Shards([Database(durable.shards_dsn)])
    org_id = new_id()
    await shards.create_organisation(org_id, "us-west")

    async def enter(pair: UUID) -> None:
        """Write a pair; every second one may be tried again when its outcome is unknown."""

        async def both(tx: Transaction) -> None:
            for half in (1, 2):
                await tx.execute("INSERT INTO pairs VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", org_id, pair, half)

        await shards.run(org_id, both, idempotent=len(writers.acknowledged) % 2 == 0)

    writers = Writers(enter, insist=False)

    async def kill() -> None:
        for _ in range(KILLS):
            await writers.more(40)
            postmaster, backends = victims(durable)
            os.kill(postmaster if who == "the postmaster" else backends[0], signal.SIGKILL)
            if who == "the postmaster":
                await restart(durable)
        writers.over.set()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(writers.write())
            group.create_task(kill())
        rows = await _rows(shards, org_id)
    finally:
        await shards.close()
    assert {row["halves"] for row in rows} == {2}
    assert writers.acknowledged <= {row["id"] for row in rows}
    # What is there beyond that had an unknown outcome, and its writer was told so.
    assert len(rows) - len(writers.acknowledged) <= writers.refused
