"""kill -9 of the mover at every named point, and of either server in a move: one home, nothing lost or doubled."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from knative.platform.servers import Servers
from shared.chaos import observed
from shared.database import DatabaseSettings
from shared.identifiers import new_id
from shared.placement import copies, points
from shared.placement.mover import Mover
from shared.settings import load
from shared.shards import Shards
from tests.integration.data.test_shard_commands import hal9
from tests.two_shards import two_shards
from tests.writers import Writers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from uuid import UUID

    from knative.platform.servers import Postgres
    from shared.database import Transaction

LEDGER = """
CREATE TABLE ledger (org_id uuid, id uuid, PRIMARY KEY (org_id, id));
CREATE TABLE balances (org_id uuid PRIMARY KEY, entries bigint NOT NULL);
GRANT SELECT, INSERT, UPDATE ON ledger, balances TO hal9_app;
"""
BACKWARDS = [points.UNCLAIMED, points.WIPED]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def pair() -> AsyncIterator[Servers]:
    async with two_shards(LEDGER) as made:
        yield made


def entering(shards: Shards, org_id: UUID) -> Callable[[UUID], Awaitable[None]]:
    """Enter a row and count it in one transaction; again, it is neither entered nor counted."""

    async def enter(entry: UUID) -> None:
        async def work(tx: Transaction) -> None:
            new = await tx.execute("INSERT INTO ledger VALUES ($1, $2) ON CONFLICT DO NOTHING", org_id, entry)
            await tx.execute(
                "INSERT INTO balances AS b VALUES ($1, $2) ON CONFLICT (org_id) DO UPDATE SET entries = b.entries + $2",
                org_id,
                int(new == "INSERT 0 1"),
            )

        await shards.run(org_id, work, idempotent=True)

    return enter


@asynccontextmanager
async def working(pair: Servers) -> AsyncIterator[tuple[Shards, UUID, Writers]]:
    """An organisation with three writers; at the end the books are right, on one shard that takes writes."""
    shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": pair.shards_dsn, "HAL9_POOL_SIZE": "4"}))
    org_id = new_id()
    await shards.create_organisation(org_id, "us-west")
    writers = Writers(entering(shards, org_id), insist=True)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(writers.write())
            try:
                await writers.more(20)
                yield shards, org_id, writers
                await writers.more(20)
            finally:
                writers.over.set()
        async with shards.transaction(org_id, readonly=True) as tx:
            entries = {row["id"] for row in await tx.fetch("SELECT id FROM ledger WHERE org_id = $1", org_id)}
            counted = await tx.fetchval("SELECT entries FROM balances WHERE org_id = $1", org_id)
        assert entries == writers.acknowledged
        assert counted == len(entries)
        assert await homes(pair, org_id) == [(await shards.home(org_id)).shard]
    finally:
        await shards.close()


async def homes(pair: Servers, org_id: UUID) -> list[int]:
    """The shards that would take writes of the organisation."""
    found = []
    for number, server in enumerate(pair.postgres):
        connection = await asyncpg.connect(server.dsn("hal9_owner"))
        if await connection.fetchval("SELECT state FROM tenants WHERE org_id = $1", org_id) == "active":
            found.append(number)
        await connection.close()
    return found


async def died(pair: Servers, home: Path, *arguments: str, kill: Sequence[str]) -> bool:
    """Run a command that is killed at the first of the points that it passes and that killed nobody before."""
    done = await hal9(
        "tenants", "move", *arguments,
        HAL9_SHARDS_ADMIN=pair.shards_admin_dsn, HAL9_HOME=str(home), HAL9_CHAOS_KILL=",".join(kill), HAL9_CACHE_URL="",
    )  # fmt: skip
    if done.returncode == -signal.SIGKILL:
        return True
    assert done.returncode == 0, done.stderr
    return False


@pytest.mark.timeout(300)
async def test_a_mover_is_killed_at_every_point_forwards_then_backwards(pair: Servers, tmp_path: Path) -> None:
    async with working(pair) as (shards, org_id, writers):
        first = await shards.locate(org_id)
        there = (str(org_id), "--to", str(1 - first.shard))
        assert await died(pair, tmp_path, *there, kill=[points.VERIFIED])
        kills = 0
        while await died(pair, tmp_path, str(org_id), "--cancel", kill=BACKWARDS):
            kills += 1
            await writers.more(3)
        assert kills == len(BACKWARDS)
        assert (await shards.home(org_id)) == first
        (tmp_path / "chaos" / points.VERIFIED).unlink()
        kills = 0
        while await died(pair, tmp_path, *there, kill=points.FORWARDS):
            kills += 1
            await writers.more(3)  # nobody finishes the move, and who writes waits for 1.5 s at most
        assert kills == len(points.FORWARDS)
        assert (await shards.home(org_id)).shard == 1 - first.shard
        assert writers.refused == 0


@pytest.mark.timeout(300)
async def test_either_server_is_killed_in_the_middle_of_a_move(pair: Servers) -> None:
    async with working(pair) as (shards, org_id, _):
        for name, victim in (
            (points.SUBSCRIBED, "new"), (points.COPIED, "old"), (points.DRAINED, "new"), (points.CLOSED, "old"),
        ):  # fmt: skip
            source = (await shards.home(org_id)).shard
            server = pair.postgres[source if victim == "old" else 1 - source]
            restarts: list[asyncio.Task[None]] = []

            def observer(passed: str, name: str = name, server: Postgres = server) -> None:
                if passed == name and not restarts:  # noqa: B023 - called in this turn of the loop only
                    assert server.process is not None
                    os.kill(server.process.pid, signal.SIGKILL)
                    restarts.append(asyncio.get_running_loop().create_task(_restarted(server)))  # noqa: B023

            with observed(observer):
                move = await Mover(pair.shards_admin_dsn.split(",")).move(org_id, 1 - source, retain_seconds=0)
            assert (len(restarts), move.step) == (1, "finished"), move.reason
            await restarts[0]
            await copies.drop(pair.shards_admin_dsn.split(","))


async def _restarted(server: Postgres) -> None:
    async with asyncio.timeout(30):
        while server.alive:  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.005)
    await server.start()
