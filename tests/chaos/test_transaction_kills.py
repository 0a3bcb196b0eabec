"""kill -9 of everybody who takes part in a transaction over organisations, at every named point, and at random.

What was acknowledged is there on every shard; what was not is there as a whole or not at all; nothing stays prepared.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from knative.platform.servers import Servers
from shared import chaos
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.problems import Problem
from shared.settings import load
from shared.shards import Shards
from shared.transactions import Transactions, points, recover
from tests.integration.transactions.ledger import account_on, audit, create_tables, pay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

ROOT = Path(__file__).parents[2]
HOME, FIRST, SECOND = 0, 1, 2
POINTS = [
    points.BEGUN, points.WORKED, points.PREPARED_ONE, points.PREPARED, points.WRITTEN, points.DECIDED,
    points.COMMITTED_ONE, points.COMMITTED, points.RECOVERED_ONE,
]  # fmt: skip
TRANSFERS = 1000
WORKERS = 3


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def durable() -> AsyncIterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        servers = Servers(Path(folder) / "servers", Path(folder) / "run", durable=True)
        await servers.start()
        try:
            await migrate(servers.shards_admin_dsn.split(","))
            await create_tables(servers)
            yield servers
        finally:
            await servers.stop()


def opened(servers: Servers) -> Shards:
    return Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn}), application_name="kills")


def kill(servers: Servers, shard: int) -> None:
    process = servers.postgres[shard].process
    assert process is not None
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


async def restart(servers: Servers, shard: int) -> None:
    server = servers.postgres[shard]
    async with asyncio.timeout(30):
        while server.alive:  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.005)
    await server.start()


async def recovered(servers: Servers) -> None:
    """What upkeep does when everybody is back: more than once, as it would."""
    shards = opened(servers)
    try:
        async with asyncio.timeout(60):
            while (await audit(servers)).prepared:
                with contextlib.suppress(Problem):
                    await recover(shards, older_than_seconds=0)
    finally:
        await shards.close()


async def ledger(servers: Servers, *arguments: object, **environ: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.transactions.ledger", *map(str, arguments),
        cwd=ROOT, env={**os.environ, "HAL9_SHARDS": servers.shards_dsn, **environ},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
async def test_the_coordinator_dies(durable: Servers, point: str, tmp_path: Path) -> None:
    shards = opened(durable)
    try:
        accounts = [await account_on(shards, shard) for shard in range(3)]
    finally:
        await shards.close()
    deaths = {"HAL9_HOME": str(tmp_path)}
    if point == points.RECOVERED_ONE:
        process = await ledger(durable, "--parties", 3, *accounts, HAL9_CHAOS_KILL=points.DECIDED, **deaths)
        await process.communicate()
        process = await ledger(durable, "--recover", HAL9_CHAOS_KILL=point, **deaths)
    else:
        process = await ledger(durable, "--parties", 3, *accounts, HAL9_CHAOS_KILL=point, **deaths)
    said, _ = await process.communicate()
    assert (process.returncode, said) == (-signal.SIGKILL, b"")
    await recovered(durable)
    books = await audit(durable, accounts)
    books.require_sound()
    assert len(books.transfers) == (1 if POINTS.index(point) >= POINTS.index(points.DECIDED) else 0)


@pytest.mark.parametrize("victim", [HOME, FIRST, SECOND], ids=["home", "first", "second"])
@pytest.mark.parametrize("point", POINTS)
async def test_a_server_dies(durable: Servers, point: str, victim: int) -> None:
    shards = opened(durable)
    transactions = Transactions(shards)
    died: list[str] = []

    def killing(name: str) -> None:
        if name == point and not died:
            died.append(name)
            kill(durable, victim)

    def dying(name: str) -> None:
        if name == points.DECIDED:
            raise chaos.Killed

    acknowledged = False
    try:
        accounts = [await account_on(shards, shard) for shard in range(3)]
        transfer = new_id()
        if point == points.RECOVERED_ONE:
            with chaos.observed(dying), pytest.raises(chaos.Killed):
                await pay(transactions, accounts[0], accounts[1:], transfer)
        with chaos.observed(killing), contextlib.suppress(Problem):
            if point == points.RECOVERED_ONE:
                await recover(shards, older_than_seconds=0)
            else:
                await pay(transactions, accounts[0], accounts[1:], transfer)
                acknowledged = True
    finally:
        await shards.close()
    assert died == [point]
    await restart(durable, victim)
    await recovered(durable)
    books = await audit(durable, accounts)
    books.require_sound()
    assert acknowledged <= (transfer in books.transfers)
    if POINTS.index(point) >= POINTS.index(points.DECIDED):
        assert transfer in books.transfers


class Workers:
    """Programs that transfer money until there were enough; killed ones are followed by others."""

    def __init__(self, servers: Servers, accounts: list[UUID]) -> None:
        self._servers = servers
        self._accounts = accounts
        self.running: dict[int, asyncio.subprocess.Process] = {}
        self.acknowledged: set[str] = set()
        self.started = 0

    async def work(self, number: int) -> None:
        """Keep one of them running."""
        while len(self.acknowledged) < TRANSFERS:
            self.started += 1
            process = await ledger(self._servers, "--count", TRANSFERS, "--seed", self.started, *self._accounts)
            self.running[number] = process
            assert process.stdout is not None
            while (line := await process.stdout.readline()).endswith(b"\n"):
                self.acknowledged.add(line.decode().strip())
                if len(self.acknowledged) >= TRANSFERS:
                    self.kill(number)
            await process.wait()

    def kill(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, KeyError):
            self.running[number].kill()

    async def more(self, count: int) -> None:
        """Wait until that many more were acknowledged, or all were."""
        enough = min(len(self.acknowledged) + count, TRANSFERS)
        while len(self.acknowledged) < enough:  # noqa: ASYNC110 - work of other processes
            await asyncio.sleep(0.01)


@pytest.mark.timeout(300)
async def test_a_thousand_transfers_under_random_kills(durable: Servers) -> None:
    chance = random.Random(20)
    shards = opened(durable)
    accounts = [await account_on(shards, number % 3) for number in range(9)]
    workers = Workers(durable, accounts)
    kills = 0

    async def sweep() -> None:
        while len(workers.acknowledged) < TRANSFERS:
            with contextlib.suppress(Problem, asyncpg.PostgresError):
                await recover(shards, older_than_seconds=0.1)
            await asyncio.sleep(0.2)

    async def strike() -> None:
        nonlocal kills
        while len(workers.acknowledged) < TRANSFERS:
            await workers.more(chance.randint(10, 60))
            kills += 1
            victim = chance.randrange(6)
            if victim < 3:
                kill(durable, victim)
                await restart(durable, victim)
            else:
                workers.kill(victim - 3)

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(workers.work(number))
            group.create_task(sweep())
            group.create_task(strike())
    finally:
        await shards.close()
    await recovered(durable)
    books = await audit(durable, accounts)
    books.require_sound()
    assert {str(transfer) for transfer in books.transfers} >= workers.acknowledged
    assert kills >= TRANSFERS // 60
