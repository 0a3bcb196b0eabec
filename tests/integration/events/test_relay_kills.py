"""SIGKILL of a process between commit, publishing and marking: everything is sent, and each effect happens once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from events import inbox
from events.relay import BEFORE_PUBLISH, MARKED, PUBLISHED, sweep

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from conftest import Door

    from events.publisher import Publisher
    from knative.platform.servers import Servers
    from shared.shards import Shards

SENDER = Path(__file__).parent / "sender.py"
ROOT = Path(__file__).parents[3]


async def _send(servers: Servers, door: Door, home: Path, org_id: UUID, kill: str, *event_ids: str) -> int:
    environment = {
        **os.environ,
        "HAL9_SHARDS": servers.shards_dsn,
        "HAL9_HOME": str(home),
        "HAL9_CHAOS_KILL": kill,
        "PYTHONPATH": str(ROOT),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SENDER), str(org_id), door.address, *event_ids, env=environment, cwd=ROOT
    )
    return await asyncio.wait_for(process.wait(), 60)


@pytest.mark.parametrize(("point", "published"), [(BEFORE_PUBLISH, 0), (PUBLISHED, 3), (MARKED, 3)])
async def test_killed_at_every_point(
    point: str,
    published: int,
    servers: Servers,
    shards: Shards,
    organisation: Callable[[], Awaitable[UUID]],
    publisher: Publisher,
    door: Door,
    tmp_path: Path,
) -> None:
    org_id = await organisation()
    wanted = ["a", "b", "c"]
    assert await _send(servers, door, tmp_path, org_id, point, *wanted) == -signal.SIGKILL
    assert len(door.ids) == published
    async with shards.transaction(org_id) as tx:  # what time would do
        await tx.execute("UPDATE outbox SET claimed_until = now() - interval '1 second' WHERE org_id = $1", org_id)
    await sweep(shards, publisher, 0.0)
    assert set(door.ids) == set(wanted)
    effects = []
    for event in door.events:

        async def take(tx: Any, event: Any = event) -> bool:
            return await inbox.first(tx, event, by="receiver")

        if await shards.run(org_id, take):
            effects.append(event.id)
    assert sorted(effects) == wanted
    async with shards.transaction(org_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM outbox WHERE org_id = $1", org_id) == 0


async def test_a_process_that_was_killed_once_gets_past_the_point(
    servers: Servers, organisation: Callable[[], Awaitable[UUID]], door: Door, tmp_path: Path
) -> None:
    org_id = await organisation()
    assert await _send(servers, door, tmp_path, org_id, BEFORE_PUBLISH, "first") == -signal.SIGKILL
    assert await _send(servers, door, tmp_path, org_id, BEFORE_PUBLISH, "second") == 0
    assert "second" in door.ids
