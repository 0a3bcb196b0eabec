"""Preparing the databases while one of them is lost: with a keeper it is tried again, without one it is said."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Final

import asyncpg
import pytest_asyncio

from tests.own_servers import own_servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from knative.platform.servers import Servers

_LOCK: Final = 0x48414C39
_WAITS: Final = "application_name = 'hal9-migrate' AND query LIKE '%pg_try_advisory_lock%'"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def empty() -> AsyncIterator[Servers]:
    """One server, in which nothing was migrated yet."""
    async with own_servers(1, durable=False) as servers:
        yield servers


async def cut_off(servers: Servers, home: Path, replicas: int) -> tuple[int | None, str]:
    """Prepare, and end its connection while it waits for another migration; give the exit code and what it said."""
    about = {
        "PATH": os.environ["PATH"], "HAL9_HOME": str(home), "HAL9_REGION": "us-west", "HAL9_REPLICAS": str(replicas),
        "HAL9_SHARDS": servers.shards_dsn, "HAL9_SHARDS_ADMIN": servers.shards_admin_dsn,
        "HAL9_DATA_KEYS": f"file://{home}/keys",
    }  # fmt: skip
    command = (sys.executable, "-m", "knative.platform.bootstrap", str(home), "http://127.0.0.1:9000")
    other = await asyncpg.connect(servers.shards_admin_dsn)
    try:
        await other.execute(f"SELECT pg_advisory_lock({_LOCK})")
        child = await asyncio.create_subprocess_exec(*command, env=about, stderr=asyncio.subprocess.PIPE)
        async with asyncio.timeout(60):
            while not await other.fetchval(  # noqa: ASYNC110 - another process's state
                f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {_WAITS}"
            ):
                await asyncio.sleep(0.02)
    finally:
        await other.close()
    async with asyncio.timeout(90):
        _, said = await child.communicate()
    return child.returncode, said.decode()


async def test_with_a_keeper_it_is_tried_again(empty: Servers, tmp_path: Path) -> None:
    code, said = await cut_off(empty, tmp_path, replicas=1)
    assert code == 0, said
    assert "tried again: shard 0 was lost while it was migrated" in said
    assert json.loads((tmp_path / "credentials.json").read_bytes())["slug"] == "demo"


async def test_without_one_it_is_said_in_one_sentence(empty: Servers, tmp_path: Path) -> None:
    code, said = await cut_off(empty, tmp_path, replicas=0)
    assert (code, len(said.splitlines())) == (1, 1)
    assert said.startswith("shard 0 was lost while it was migrated")
