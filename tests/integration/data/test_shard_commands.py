"""`hal9 shards` and `hal9 migrate`, as they are typed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest

from events import CloudEvent, outbox
from knative.platform.servers import Servers
from shared.database.migrations import migrate
from shared.shards import SLOTS, Shards
from shared.shards.survey import survey
from tests.own_servers import own_servers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CHECKOUT = Path(__file__).parents[3]


async def hal9(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "knative.cli.main", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "COLUMNS": "80", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_shards_are_shown(
    servers: Servers, shards: Shards, organisation: Callable[[], Awaitable[UUID]]
) -> None:
    organisations = [await organisation() for _ in range(6)]
    async with shards.transaction(organisations[0]):
        done = await hal9("shards", "--json", HAL9_SHARDS_ADMIN=servers.shards_admin_dsn)
    assert done.returncode == 0, done.stderr
    reports = json.loads(done.stdout)
    assert [report["shard"] for report in reports] == [0, 1, 2]
    assert sum(report["slots"] for report in reports) == SLOTS
    assert sum(report["tenants"].get("active", 0) for report in reports) >= 6
    held = [one for report in reports for one in report["connections"] if one["application"] == "tests"]
    assert sum(one["in_transaction"] for one in held) >= 1
    for report in reports:
        assert report["error"] is None
        assert report["version"].startswith("18.")
        assert report["size_bytes"] > 1_000_000
        assert 0 < report["connections_used"] <= report["connection_limit"] == 200 - 3 - 5
        assert report["replication"] == []
    table = await hal9("shards", HAL9_SHARDS_ADMIN=servers.shards_admin_dsn)
    assert table.returncode == 0
    assert "…" not in table.stdout, "a column was cut at 80 characters"


async def test_who_holds_the_connections_is_shown_when_all_are_taken() -> None:
    async with own_servers(1, durable=False) as servers, AsyncExitStack() as held:
        admin, app = servers.shards_admin_dsn, servers.shards_dsn
        await migrate([admin])
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                greedy = await asyncpg.connect(app, server_settings={"application_name": "greedy"})
                held.push_async_callback(greedy.close)
        done = await hal9("shards", "list", "--json", HAL9_SHARDS_ADMIN=admin)
        assert done.returncode == 0, done.stdout
        (report,) = json.loads(done.stdout)
        taken = {one["application"]: one["connections"] for one in report["connections"]}
        assert taken["greedy"] == report["connection_limit"]
        refused = await hal9("shards", "list", HAL9_SHARDS_ADMIN=app)  # a role for which the server keeps none
    assert refused.returncode == 1
    assert "GRANT pg_use_reserved_connections TO hal9_owner" in " ".join(refused.stdout.split())


async def test_what_waits_in_the_outbox_is_counted_with_its_age(
    servers: Servers, shards: Shards, organisation: Callable[[], Awaitable[UUID]]
) -> None:
    org_id = await organisation()
    shard = (await shards.locate(org_id)).shard
    before = (await survey(servers.shards_admin_dsn.split(",")))[shard].outbox_pending
    async with shards.transaction(org_id) as tx:
        await tx.execute(
            "INSERT INTO outbox (org_id, id, event_type, event, recorded_at)"
            " VALUES ($1, $1, 'com.example.waits', '', now() - interval '1 hour')",
            org_id,
        )
        later = CloudEvent(id="later", source="/s", type="com.example.later", extensions={"orgid": str(org_id)})
        await outbox.add_later(tx, later, outbox.LONGEST_SECONDS)  # is not late before it is due
    report = (await survey(servers.shards_admin_dsn.split(",")))[shard]
    assert report.outbox_pending == before + 1
    assert report.outbox_oldest_seconds >= 3600
    async with shards.transaction(org_id) as tx:
        await tx.execute("DELETE FROM outbox WHERE org_id = $1", org_id)


async def test_a_shard_that_is_away_is_shown_as_that() -> None:
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        servers = Servers(Path(folder) / "servers", Path(folder) / "run", shards=2, durable=False)
        await servers.start()
        try:
            migrated = await hal9("migrate", "--json", HAL9_SHARDS_ADMIN=servers.shards_admin_dsn)
            assert migrated.returncode == 0, migrated.stderr
            assert {one["shard"] for one in json.loads(migrated.stdout)} == {0, 1}
            assert (await hal9("migrate", "--status", HAL9_SHARDS_ADMIN=servers.shards_admin_dsn)).returncode == 0
            again = await hal9("migrate", HAL9_SHARDS_ADMIN=servers.shards_admin_dsn)
            assert "every shard is up to date" in again.stdout
            await servers.postgres[1].stop()
            done = await hal9("shards", HAL9_SHARDS_ADMIN=servers.shards_admin_dsn)
            assert done.returncode == 1
            assert "shard 1 does not answer" in done.stdout
        finally:
            await servers.stop()


async def test_the_running_platform_is_found_by_its_state(servers: Servers, tmp_path: Path) -> None:
    state = {"shards_admin": servers.shards_admin_dsn.split(",")}
    (tmp_path / "state.json").write_text(json.dumps(state))
    done = await hal9("shards", "--json", HAL9_HOME=str(tmp_path), HAL9_SHARDS_ADMIN="")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["shards", "migrate"])
async def test_without_a_platform_it_says_what_to_do(command: str, tmp_path: Path) -> None:
    done = await hal9(command, HAL9_HOME=str(tmp_path), HAL9_SHARDS_ADMIN="")
    assert done.returncode == 1
    assert "hal9 up" in done.stderr


async def test_the_migrations_are_linted() -> None:
    done = await hal9("migrate", "--lint", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
