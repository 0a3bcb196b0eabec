"""Three shards of their own with a ledger on each, a store, and ways to write, back up and restore."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import pytest_asyncio

from knative.platform.environment import SUPERUSER, as_role
from knative.platform.home import Home
from knative.platform.restoration import restore_home
from knative.platform.servers import Servers
from shared.backup import Places, Repository, Shard, choose
from shared.backup.restoring import require_reach
from shared.clock import SystemClock
from shared.database.migrations import migrate
from shared.datakeys.files import FileMasterKeys
from shared.objects import ObjectsSettings, open_objects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

CHECKOUT = Path(__file__).parents[3]
LEDGER = """
CREATE TABLE ledger (org_id uuid NOT NULL, n bigint NOT NULL, note text NOT NULL, PRIMARY KEY (org_id, n));
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger FORCE ROW LEVEL SECURITY;
CREATE POLICY organisation ON ledger TO hal9_app USING (org_id = current_setting('hal9.org_id', true)::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger TO hal9_app;
"""
NOBODY = "00000000-0000-0000-0000-00000000000f"


async def ledger(address: str) -> set[int]:
    """What a shard's ledger has."""
    connection = await asyncpg.connect(address)
    try:
        return {row["n"] for row in await connection.fetch("SELECT n FROM ledger")}
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class Entry:
    """One acknowledged write."""

    n: int
    begun: datetime
    acknowledged: datetime


@dataclass
class Stage:
    """The shards and their store."""

    folder: Path
    servers: Servers
    written: list[Entry] = field(default_factory=list)
    counted: int = 0

    @property
    def masters(self) -> Path:
        return self.folder / "keys"

    @property
    def shards(self) -> list[Shard]:
        return [
            Shard(number, as_role(SUPERUSER, address), address)
            for number, address in enumerate(self.servers.shards_admin_dsn.split(","))
        ]

    def repository(self, store: Path | None = None, masters: Path | None = None) -> Repository:
        objects = open_objects(ObjectsSettings(url=f"file://{store or self.folder / 'store'}", s3_endpoint=None))
        return Repository(objects, FileMasterKeys(masters or self.masters), "us-west")

    def places(self) -> Places:
        return Places(self.shards, self.repository(), self.folder / "home" / "archive", SystemClock(), 120)

    @property
    def environment(self) -> dict[str, str]:
        """For the command, as for servers that are not the platform's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HAL9_")}
        return kept | {
            "HAL9_HOME": str(self.folder / "home"),
            "HAL9_SHARDS_ADMIN": self.servers.shards_admin_dsn,
            "HAL9_BACKUP_SHARDS": ",".join(as_role("hal9_backup", shard.admin) for shard in self.shards),
            "HAL9_BACKUPS": f"file://{self.folder}/store",
            "HAL9_DATA_KEYS": f"file://{self.masters}",
            "HAL9_BACKUP_WAL_SECONDS": "1",
            "HAL9_BACKUP_EVERY_HOURS": "0",
            "HAL9_BACKUP_TEST_HOURS": "0",
        }

    def begin(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "knative.cli.main", "backup", *arguments],
            cwd=CHECKOUT, env=self.environment | environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    async def hal9(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        process = self.begin(*arguments, **environ)
        out, err = await asyncio.to_thread(process.communicate)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    async def write(self, count: int) -> None:
        """Write to every shard in turn, each entry a transaction a shard, and remember when."""
        connections = [await asyncpg.connect(shard.admin) for shard in self.shards]
        try:
            for _ in range(count):
                self.counted += 1
                n = self.counted
                begun = datetime.now(UTC)
                for connection in connections:
                    await connection.execute("INSERT INTO ledger VALUES ($1, $2, repeat('x', 200))", NOBODY, n)
                self.written.append(Entry(n, begun, datetime.now(UTC)))
                await asyncio.sleep(0.005)
        finally:
            for connection in connections:
                await connection.close()

    async def place(self, org_id: UUID, shard: int) -> None:
        """Give an organisation its place."""
        for number, table in (
            (shard, "tenants (org_id, epoch)"),
            (0, "directory.organisations (org_id, shard, region)"),
        ):
            values = "($1, 1)" if number == shard and table.startswith("tenants") else f"($1, {shard}, 'us-west')"
            connection = await asyncpg.connect(self.shards[number].admin)
            await connection.execute(f"INSERT INTO {table} VALUES {values}", org_id)
            await connection.close()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write all the while."""
        stop = asyncio.Event()

        async def on() -> None:
            while not stop.is_set():
                await self.write(20)

        task = asyncio.create_task(on())
        try:
            yield
        finally:
            stop.set()
            await task

    async def restored(self, wanted: datetime | str, home: Path) -> list[set[int]]:
        """Restore everything to a moment; give what each shard's ledger has then."""
        repository = self.repository()
        target = await choose(repository, wanted, datetime.now(UTC))
        require_reach(target)
        await restore_home(repository, target, Home.at(home), self.masters, lambda _: None)
        with tempfile.TemporaryDirectory(prefix="hal9-") as run:
            servers = Servers(Home.at(home).servers, Path(run), durable=False)
            await servers.start()
            try:
                return [await ledger(address) for address in servers.shards_admin_dsn.split(",")]
            finally:
                await servers.stop()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="hal9-") as name:
        folder = Path(name)
        servers = Servers(folder / "servers", folder / "run", durable=False)
        await servers.start()
        try:
            await migrate(servers.shards_admin_dsn.split(","))
            made = Stage(folder, servers)
            for shard in made.shards:
                connection = await asyncpg.connect(shard.admin)
                await connection.execute(LEDGER)
                await connection.close()
            made.places().spool.mkdir(parents=True)
            yield made
        finally:
            await servers.stop()


@pytest.fixture
def archiver(stage: Stage) -> Any:
    """`hal9 backup archive`, beside the test."""
    process = stage.begin("archive")
    yield process
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
