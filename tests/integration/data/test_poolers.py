"""Behind PgBouncer in transaction mode: everything that functions do works; what cannot is refused, with what to do.

They run where there is a PgBouncer of 1.21 or later: on PATH, or named by HAL9_TEST_PGBOUNCER (tests/pgbouncer/build
makes one where Debian's source packages are).
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from knative.platform.servers.children import spawn, unprivileged
from shared import chaos
from shared.database import DatabaseSettings
from shared.database.migrations import MigrationError, migrate
from shared.identifiers import new_id
from shared.problems import Problem
from shared.settings import load
from shared.shards import Shards
from shared.transactions import Transactions, points, recover
from tests.integration.transactions import ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from knative.platform.servers import Servers

PROGRAM = os.environ.get("HAL9_TEST_PGBOUNCER") or shutil.which("pgbouncer")
SERVER_CONNECTIONS = 2
CONFIGURATION = """
[databases]
{databases}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = 6432
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
max_client_conn = 1000
default_pool_size = {connections}
max_prepared_statements = {statements}
"""


def version() -> tuple[int, ...]:
    if PROGRAM is None:
        return ()
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"PgBouncer (\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else ()


pytestmark = pytest.mark.skipif(version() < (1, 21), reason="there is no PgBouncer 1.21 or later")


def configured(servers: Servers, folder: Path, statements: int, mode: str) -> Path:
    folder.mkdir()
    databases = [f"shard{n} = host={one.run} port={one.port} dbname=hal9" for n, one in enumerate(servers.postgres)]
    (folder / "users").write_text('"hal9_app" ""\n"hal9_owner" ""\n')
    file = folder / "pgbouncer.ini"
    file.write_text(
        CONFIGURATION.format(
            databases="\n".join(databases),
            folder=folder,
            connections=SERVER_CONNECTIONS,
            statements=statements,
            mode=mode,
        )
    )
    return file


@asynccontextmanager
async def pgbouncer(
    servers: Servers, folder: Path, *, statements: int = 100, mode: str = "transaction"
) -> AsyncIterator[str]:
    """A PgBouncer before all shards; the addresses through it, for the role hal9_app."""
    assert PROGRAM is not None
    file = configured(servers, folder, statements, mode)
    log = folder / "log"
    process = spawn([PROGRAM, str(file)], folder, log, unprivileged(), signal.SIGKILL)
    host = quote(str(folder), safe="/")
    dsns = [f"postgresql://hal9_app@/shard{n}?host={host}&port=6432" for n in range(len(servers.postgres))]
    try:
        async with asyncio.timeout(20):
            while not (folder / ".s.PGSQL.6432").exists():
                assert process.poll() is None, log.read_text()
                await asyncio.sleep(0.02)
        yield ",".join(dsns)
    finally:
        process.kill()
        process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pooled(servers: Servers, short_folder: Path) -> AsyncIterator[str]:
    await ledger.create_tables(servers)
    async with pgbouncer(servers, short_folder / "pgbouncer") as dsns:
        yield dsns
    await ledger.drop_tables(servers)


@asynccontextmanager
async def opened(dsns: str, **environ: str) -> AsyncIterator[Shards]:
    settings = load(DatabaseSettings, {"HAL9_SHARDS": dsns, "HAL9_POOL_STAGGER_SECONDS": "0", **environ})
    shards = Shards.open(settings, application_name="behind-pgbouncer")
    try:
        yield shards
    finally:
        await shards.close()


async def test_many_instances_share_few_connections_and_see_their_own_rows_only(servers: Servers, pooled: str) -> None:
    async with opened(pooled) as shards:
        await shards.check()
        accounts = [await ledger.account_on(shards, 0) for _ in range(30)]
    held = 0

    async def instance(org_id: UUID) -> None:
        nonlocal held
        async with opened(pooled, HAL9_POOL_SIZE="1") as shards:
            for _ in range(4):
                async with shards.transaction(org_id) as tx:
                    seen = await tx.fetch("SELECT org_id FROM accounts")
                    await tx.execute("UPDATE accounts SET balance = balance + 1 WHERE org_id = $1", org_id)
                assert [row["org_id"] for row in seen] == [org_id]
            held = max(held, await backends(servers))

    await asyncio.gather(*(instance(org_id) for org_id in accounts))
    assert 0 < held <= SERVER_CONNECTIONS
    books = await ledger.audit(servers, accounts)
    assert set(books.accounts.values()) == {ledger.OPENING_BALANCE + 4}


async def backends(servers: Servers) -> int:
    connection = await asyncpg.connect(servers.shards_admin_dsn.split(",")[0])
    try:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'behind-pgbouncer'"
        count: int = await connection.fetchval(query)
        return count
    finally:
        await connection.close()


async def test_a_session_belongs_to_nobody_whoever_had_the_server_s_before(pooled: str) -> None:
    async with opened(pooled) as shards:
        org_id = await ledger.account_on(shards, 1)
        async with shards.transaction(org_id) as tx:
            assert await tx.fetchval("SELECT count(*) FROM accounts") == 1
        async with shards.database(1).connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM accounts") == 0
            assert await connection.fetchval("SELECT current_setting('hal9.org_id')") == str(UUID(int=0))


async def test_a_transaction_over_shards_goes_through_and_is_recovered(servers: Servers, pooled: str) -> None:
    async with opened(pooled) as shards:
        accounts = [await ledger.account_on(shards, shard) for shard in range(3)]
        await ledger.pay(Transactions(shards), accounts[0], accounts[1:], new_id())

        def dying(name: str) -> None:
            if name == points.DECIDED:
                raise chaos.Killed

        with chaos.observed(dying), pytest.raises(chaos.Killed):
            await ledger.pay(Transactions(shards), accounts[1], [accounts[0], accounts[2]], new_id())
        assert (await recover(shards, older_than_seconds=0))["committed"] == 2
        books = await ledger.audit(servers, accounts)
        books.require_sound()
        assert len(books.transfers) == 2


@pytest.mark.parametrize(("statements", "mode"), [(0, "transaction"), (100, "statement")])
async def test_a_pooler_that_mixes_up_statements_or_takes_no_transaction_is_refused_at_the_start(
    servers: Servers, short_folder: Path, statements: int, mode: str
) -> None:
    folder = short_folder / f"unfit-{mode}"
    async with pgbouncer(servers, folder, statements=statements, mode=mode) as dsns, opened(dsns) as shards:
        with pytest.raises(Problem) as caught:
            await shards.check()
        assert (caught.value.slug, caught.value.status) == ("pooler-unfit", 503)
        assert "max_prepared_statements and pool_mode = transaction" in caught.value.detail


async def test_migrations_are_refused_through_a_pooler(pooled: str) -> None:
    with pytest.raises(MigrationError, match="HAL9_SHARDS_ADMIN the server's own address"):
        await migrate([dsn.replace("hal9_app", "hal9_owner") for dsn in pooled.split(",")])
