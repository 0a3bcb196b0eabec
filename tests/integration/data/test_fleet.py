"""Shards are added, emptied and removed; organisations are placed where they may be, and nowhere else."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.placement import RefusedError, fleet, residency
from shared.problems import Problem
from shared.settings import load
from shared.shards import SLOTS, Shard, Shards, SlotMap, Topology, topology
from tests.integration.data.test_shard_commands import hal9
from tests.own_servers import own_servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knative.platform.servers import Servers

    Connection = asyncpg.Connection[asyncpg.Record]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def own() -> AsyncIterator[Servers]:
    """Four servers of this module's own, of which three are shards."""
    async with own_servers(4, durable=False) as made:
        admin = made.shards_admin_dsn.split(",")
        await migrate(admin[:3])
        await migrate(admin)
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def directory(own: Servers) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(own.postgres[0].dsn("hal9_owner"))
    yield connection
    await connection.close()


def opened(own: Servers) -> Shards:
    return Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": own.shards_dsn, "HAL9_POOL_SIZE": "2"}))


async def test_a_shard_is_added_emptied_and_removed(own: Servers, directory: Connection) -> None:
    before = await topology.read(directory)
    assert [one.number for one in before.shards] == [0, 1, 2]
    added = await hal9("shards", "add", "--region", "eu-central", "--json", HAL9_SHARDS_ADMIN=own.shards_admin_dsn)
    assert json.loads(added.stdout) == {"number": 3, "region": "eu-central", "state": "active"}, added.stderr
    grown = await topology.read(directory)
    moved = [new for old, new in zip(before.slots.owners, grown.slots.owners, strict=True) if old != new]
    assert (set(moved), len(moved)) == ({3}, SLOTS // 4)
    shards = opened(own)
    try:
        homes = Counter[int]()
        for _ in range(40):
            homes[(await shards.create_organisation(new_id(), "eu-central")).shard] += 1
        assert set(homes) == {0, 1, 2, 3}
        drained = await hal9("shards", "drain", "3", HAL9_SHARDS_ADMIN=own.shards_admin_dsn)
        assert drained.returncode == 0, drained.stderr
        refused = await hal9("shards", "remove", "3", HAL9_SHARDS_ADMIN=own.shards_admin_dsn)
        assert refused.returncode == 1
        assert f"{homes[3]} organisations are at home there" in refused.stderr
        with pytest.raises(RefusedError, match="drain 3 --cancel` takes it back"):
            await fleet.add(directory, 3, "eu-central", addresses=4)
    finally:
        await shards.close()
    shards = opened(own)  # a process that was started since
    try:
        assert {(await shards.create_organisation(new_id(), "us-west")).shard for _ in range(40)} == {0, 1, 2}
    finally:
        await shards.close()
    assert set((await topology.read(directory)).slots.owners) == {0, 1, 2}
    # Whoever lived there is gone.
    await directory.execute("DELETE FROM directory.organisations WHERE shard = 3")
    emptied = await asyncpg.connect(own.postgres[3].dsn("hal9_owner"))
    with pytest.raises(RefusedError, match=f"{homes[3]} copies are left there"):
        await fleet.remove(directory, emptied, 3)
    await emptied.execute("DELETE FROM tenants")
    await emptied.close()
    removed = await hal9("shards", "remove", "3", HAL9_SHARDS_ADMIN=own.shards_admin_dsn)
    assert removed.returncode == 0, removed.stderr
    with pytest.raises(RefusedError, match="was removed"):
        await fleet.drain(directory, 3)
    with pytest.raises(RefusedError, match="it is there"):
        await fleet.add(directory, 3, "eu-central", addresses=4)


async def test_what_cannot_be_is_refused_with_every_reason(own: Servers, directory: Connection) -> None:
    with pytest.raises(RefusedError, match="the next one is shard 4; HAL9_SHARDS_ADMIN names 4 addresses"):
        await fleet.add(directory, 7, "eu-central", addresses=4)
    connection = await asyncpg.connect(own.postgres[0].dsn("hal9_owner"))
    with pytest.raises(RefusedError, match=r"holds the directory; .*drain 0"):
        await fleet.remove(directory, connection, 0)
    await connection.close()
    with pytest.raises(RefusedError, match="there are shards 0 to 3"):
        await fleet.drain(directory, 9)
    with pytest.raises(RefusedError, match="not being drained"):
        await fleet.take_back(directory, 1)


async def test_the_last_shard_that_takes_organisations_is_not_drained(directory: Connection) -> None:
    for number in (0, 1):
        await fleet.drain(directory, number)
    with pytest.raises(RefusedError, match="no other shard"):
        await fleet.drain(directory, 2)
    for number in (0, 1):
        await fleet.take_back(directory, number)
    counts = (await topology.read(directory)).slots.counts()
    assert set(counts) == {0, 1, 2}
    assert max(counts.values()) - min(counts.values()) <= 2


async def test_who_is_pinned_to_a_region_is_placed_there_or_not_at_all(own: Servers, directory: Connection) -> None:
    await fleet.stands_in(directory, "eu-central", [1])
    await fleet.stands_in(directory, "us-west")  # the others
    shards = opened(own)
    try:
        for _ in range(12):
            placement = await shards.create_organisation(new_id(), "eu-central", pinned=True)
            assert (placement.shard, placement.region) == (1, "eu-central")
        org_id = new_id()
        with pytest.raises(Problem) as caught:
            await shards.create_organisation(org_id, "ap-south", pinned=True)
        assert (caught.value.slug, caught.value.status) == ("residency", 409)
        assert "pinned to the region ap-south" in caught.value.detail
        assert "shard 1 (eu-central, active)" in caught.value.detail
        with pytest.raises(Problem, match="organisation-unknown"):
            await shards.locate(org_id)
        await fleet.drain(directory, 1)
        with pytest.raises(Problem, match="residency"):  # whoever knew it before asks again
            await shards.create_organisation(new_id(), "eu-central", pinned=True)
    finally:
        await shards.close()
    shards = opened(own)
    try:
        with pytest.raises(Problem, match="residency"):
            await shards.create_organisation(new_id(), "eu-central", pinned=True)
        # Who is not pinned goes elsewhere.
        placement = await shards.create_organisation(org_id, "eu-central")
        assert placement.shard in {0, 2}
    finally:
        await shards.close()
    await fleet.take_back(directory, 1)
    with pytest.raises(RefusedError, match="stands in us-west: move it"):
        await residency.pin(directory, org_id, "eu-central")
    assert await residency.pin(directory, org_id, "us-west") == "us-west"
    with pytest.raises(RefusedError, match="1 organisations on shard"):
        await fleet.stands_in(directory, "ap-south", [placement.shard])
    await residency.unpin(directory, org_id)
    await fleet.stands_in(directory, "us-west", [placement.shard])


async def test_the_refusal_of_a_pinned_organisation_reaches_who_asked(own: Servers) -> None:
    done = await hal9(
        "organisations", "create", "acme", "--region", "mars", "--pin", "--json", HAL9_SHARDS_ADMIN=own.shards_admin_dsn
    )
    assert done.returncode == 1
    detail = json.loads(done.stdout)["problem"]["detail"]
    assert "pinned to the region mars, where no shard takes organisations" in detail


async def test_who_makes_an_organisation_is_told_that_it_is_not_in_its_region(
    own: Servers, directory: Connection
) -> None:
    await fleet.stands_in(directory, "us-west")  # those of which nobody has said it yet
    environment = {"HAL9_SHARDS_ADMIN": own.shards_admin_dsn}
    away = await hal9("organisations", "create", "away", "--region", "mars", "--json", **environment)
    assert (away.returncode, json.loads(away.stdout)["region"]) == (0, "mars")
    assert away.stderr.startswith("No shard of the region mars takes organisations: away is on shard")
    near = await hal9("organisations", "create", "near", "--region", "us-west", "--json", **environment)
    assert (near.returncode, near.stderr) == (0, "")


def test_a_move_may_go_where_the_organisation_may_be() -> None:
    known = Topology(
        [Shard(0, "us-west"), Shard(1, "eu-central"), Shard(2, "eu-central", "draining"), Shard(3)], SlotMap.even(2)
    )
    assert known.refusal(1, "us-west", pinned=False) is None
    assert "pinned to the region us-west, and shard 1 (eu-central" in str(known.refusal(1, "us-west", pinned=True))
    assert "pinned to the region us-west, and shard 3 (region not said" in str(known.refusal(3, "us-west", pinned=True))
    assert "takes no organisations" in str(known.refusal(2, "eu-central", pinned=True))
    assert "there is no shard 4" in str(known.refusal(4, "us-west", pinned=False))
