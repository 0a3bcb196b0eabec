"""A fourth shard is added to three and filled, as it is typed; a shard is emptied and removed; residency holds."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from knative.platform.servers import Servers
from shared.chaos import Killed, observed
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.placement import hands, moves, points, rebalancing
from shared.placement.mover import Mover
from shared.settings import load
from shared.shards import Shards
from tests.integration.data.test_shard_commands import hal9

if TYPE_CHECKING:
    from uuid import UUID

ORGANISATIONS = 16


async def homes(shards: Shards, organisations: list[UUID]) -> Counter[int]:
    found = Counter[int]()
    for number, org_id in enumerate(organisations):
        found[(await shards.home(org_id)).shard] += 1
        async with shards.transaction(org_id, readonly=True) as tx:
            said = await tx.fetchval("SELECT event_id FROM inbox WHERE org_id = $1", org_id)
        assert said == str(number)
    return found


async def test_a_shard_is_added_and_filled_then_emptied_and_removed() -> None:
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        made = Servers(Path(folder) / "servers", Path(folder) / "run", shards=2, durable=False)
        await made.start()
        await migrate(made.shards_admin_dsn.split(","))
        await made.stop()
        made = Servers(Path(folder) / "servers", Path(folder) / "run", shards=3, durable=False)
        await made.start()
        try:
            admin = made.shards_admin_dsn.split(",")
            await migrate(admin)
            await _grow_and_shrink(made, admin)
        finally:
            await made.stop()
        again = Servers(Path(folder) / "servers", Path(folder) / "run")
        assert len(again.postgres) == 3, "a shard that was there is forgotten"


async def _grow_and_shrink(made: Servers, admin: list[str]) -> None:
    shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": made.shards_dsn, "HAL9_POOL_SIZE": "2"}))
    about = {"HAL9_SHARDS_ADMIN": made.shards_admin_dsn, "HAL9_CACHE_URL": ""}
    organisations = [new_id() for _ in range(ORGANISATIONS)]
    for number, org_id in enumerate(organisations):
        await shards.create_organisation(org_id, "us-west")
        async with shards.transaction(org_id) as tx:
            await tx.execute("INSERT INTO inbox VALUES ($1, 'test', 'test', $2)", org_id, str(number))
    nothing = json.loads((await hal9("shards", "rebalance", "--plan", "--json", **about)).stdout)
    off = len(nothing["moves"])  # what chance has spread unevenly over two
    assert (await hal9("shards", "add", "--region", "us-west", **about)).returncode == 0
    planned = json.loads((await hal9("shards", "rebalance", "--json", **about)).stdout)
    assert len(planned["moves"]) <= -(-ORGANISATIONS // 3) + off
    assert planned["rows"] == len(planned["moves"])
    assert planned["bytes"] > 0
    assert planned["seconds"] > 0
    shown = await hal9("shards", "rebalance", "--plan", "--per-minute", "1", **about)
    assert f"{len(planned['moves'])} of {ORGANISATIONS} organisations would move" in shown.stdout
    directory = await asyncpg.connect(admin[0])
    try:
        await _cancelled(directory, admin)
        applied = await hal9("shards", "rebalance", "--apply", "--retain", "0", **about)
        assert applied.returncode == 0, applied.stdout + applied.stderr
        spread = await homes(shards, organisations)
        assert max(spread.values()) - min(spread[number] for number in range(3)) <= 1
        # Empty it again.
        pinned = organisations[[(await shards.home(org_id)).shard for org_id in organisations].index(2)]
        assert (await hal9("tenants", "pin", str(pinned), **about)).returncode == 0
        assert (await hal9("shards", "drain", "2", **about)).returncode == 0
        stuck = json.loads((await hal9("shards", "rebalance", "--json", **about)).stdout)["stuck"]
        assert stuck == [str(pinned)]  # nobody has said where the others stand
        assert (await hal9("shards", "region", "0", "us-west", **about)).returncode == 0
        assert (await hal9("shards", "rebalance", "--apply", "--retain", "0", **about)).returncode == 0
        assert (await homes(shards, organisations))[2] == 0
        assert (await shards.home(pinned)).shard == 0
        assert (await hal9("tenants", "clean", **about)).returncode == 0
        removed = await hal9("shards", "remove", "2", **about)
        assert removed.returncode == 0, removed.stderr
    finally:
        await directory.close()
        await shards.close()


async def _cancelled(directory: asyncpg.Connection[asyncpg.Record], admin: list[str]) -> None:
    """A plan that was cut off goes on, as many moves as one says; one that is cancelled leaves nothing half made."""

    def observer(passed: str) -> None:
        if passed == points.COPIED:
            raise Killed

    wanted = (await rebalancing.plan(directory, admin)).wanted
    await rebalancing.begin(directory, wanted)
    mover = Mover(admin)
    with observed(observer), pytest.raises(Killed):
        await anext(rebalancing.apply(admin, mover))
    assert len(await moves.planned(directory)) == len(wanted)
    done = [move async for move in rebalancing.apply(admin, mover, at_most=1)]
    assert [(move.org_id, move.step) for move in done] == [(wanted[0].org_id, "finished")]
    with observed(observer), pytest.raises(Killed):
        await anext(rebalancing.apply(admin, mover))
    async with hands.connected(admin[0]) as another:  # who is at it is told of, and passed by
        await hands.lock(another, wanted[1].org_id)
        left = [move async for move in rebalancing.apply(admin, mover, at_most=1)]
    assert [(move.org_id, move.step) for move in left] == [(wanted[1].org_id, "copying")]
    ended = await rebalancing.cancel(directory, mover)
    assert {(move.org_id, move.step) for move in ended} == {(one.org_id, "cancelled") for one in wanted[1:]}
    assert await moves.planned(directory) == []
    assert [move async for move in rebalancing.apply(admin, mover)] == []
