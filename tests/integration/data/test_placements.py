"""Where organisations are, cached for all processes: found once, moved everywhere, never believed where it counts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import pytest_asyncio

from shared.cache import Cache
from shared.caching import Remote
from shared.database import DatabaseSettings
from shared.identifiers import new_id
from shared.problems import Problem
from shared.settings import load
from shared.shards import Placement, Shards
from shared.shards.placement import decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from uuid import UUID

    from knative.platform.servers import Servers


class Process:
    """One process with the cache of placements."""

    def __init__(self, servers: Servers) -> None:
        self.cache = Cache(servers.cache_url)
        self.remote = Remote(self.cache)
        settings = load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_SIZE": "2"})
        self.shards = Shards.open(settings, application_name="tests", placements=self.remote)

    async def start(self) -> Process:
        self.remote.start()
        async with asyncio.timeout(20):
            while not self.remote.hears:  # noqa: ASYNC110 - said by the server
                await asyncio.sleep(0.001)
        return self

    async def stop(self) -> None:
        await self.remote.stop()
        await self.cache.close()
        await self.shards.close()


@pytest_asyncio.fixture(loop_scope="session")
async def both(servers: Servers) -> AsyncIterator[tuple[Process, Process]]:
    one, two = await Process(servers).start(), await Process(servers).start()
    yield one, two
    await one.stop()
    await two.stop()


async def entry(process: Process, org_id: UUID) -> Any:
    return await process.cache.execute("GET", f"cache:{{{org_id}}}:placement:")


async def moved(servers: Servers, org_id: UUID, placement: Placement) -> Placement:
    """Move an organisation, of which only the fence's row is moved: the next shard, the next epoch."""
    shard, epoch = (placement.shard + 1) % 3, placement.epoch + 1
    dsns = servers.shards_admin_dsn.split(",")
    for number, statement in (
        (shard, "INSERT INTO tenants (org_id, epoch) VALUES ($1, $2)"),
        (placement.shard, "UPDATE tenants SET state = 'moved', epoch = $2 WHERE org_id = $1"),
        (0, f"UPDATE directory.organisations SET shard = {shard}, epoch = $2 WHERE org_id = $1"),
    ):
        connection = await asyncpg.connect(dsns[number])
        await connection.execute(statement, org_id, epoch)
        await connection.close()
    return Placement(shard, placement.region, epoch, placement.tier)


async def test_a_placement_is_looked_up_once_for_all_processes(
    both: tuple[Process, Process], organisation: Callable[[], Awaitable[UUID]]
) -> None:
    one, two = both
    org_id = await organisation()
    placement = await one.shards.locate(org_id)
    raw = await entry(one, org_id)
    assert raw == b"1:v:" + encode(placement)
    # What the second process gives is from the cache: this is in no directory.
    await one.cache.execute("SET", f"cache:{{{org_id}}}:placement:", raw.replace(b"us-west", b"mars"))
    assert (await two.shards.locate(org_id)).region == "mars"


async def test_an_organisation_that_moved_is_found_at_once_by_whoever_is_told(
    servers: Servers, both: tuple[Process, Process], organisation: Callable[[], Awaitable[UUID]]
) -> None:
    one, two = both
    org_id = await organisation()
    old = await one.shards.locate(org_id)
    assert await two.shards.locate(org_id) == old
    new = await moved(servers, org_id, old)
    assert await one.shards.placements.invalidate(org_id, "", new.epoch)
    async with asyncio.timeout(20):
        while await two.shards.locate(org_id) != new:  # noqa: ASYNC110 - said by the server
            await asyncio.sleep(0.001)
    assert await one.shards.locate(org_id) == new


async def test_an_organisation_that_moved_unsaid_is_found_by_the_fence_and_then_by_all(
    servers: Servers, both: tuple[Process, Process], organisation: Callable[[], Awaitable[UUID]]
) -> None:
    one, two = both
    org_id = await organisation()
    old = await one.shards.locate(org_id)
    assert await two.shards.locate(org_id) == old
    new = await moved(servers, org_id, old)
    async with one.shards.transaction(org_id) as tx:
        assert await tx.fetchval("SELECT epoch FROM tenants WHERE org_id = $1", org_id) == new.epoch
    assert await one.shards.locate(org_id) == new
    assert await entry(one, org_id) == b"2:v:" + encode(new)
    async with two.shards.transaction(org_id) as tx:
        assert await tx.fetchval("SELECT epoch FROM tenants WHERE org_id = $1", org_id) == new.epoch


async def test_an_organisation_that_is_created_is_found_by_whoever_did_not_find_it(
    both: tuple[Process, Process],
) -> None:
    one, two = both
    org_id = new_id()
    for process in both:
        with pytest.raises(Problem) as caught:
            await process.shards.locate(org_id)
        assert caught.value.slug == "organisation-unknown"
    placement = await one.shards.create_organisation(org_id, "us-west")
    assert await two.shards.locate(org_id) == placement


async def test_without_the_cache_organisations_are_found_as_before(
    servers: Servers, organisation: Callable[[], Awaitable[UUID]]
) -> None:
    org_id = await organisation()
    process = Process(servers)
    process.cache._url = process.cache._url._replace(path="/nowhere")
    process.remote.start()
    first = await process.shards.locate(org_id)
    async with process.shards.transaction(org_id) as tx:
        assert await tx.fetchval("SELECT epoch FROM tenants WHERE org_id = $1", org_id) == first.epoch
    await process.stop()


@pytest.mark.parametrize("raw", [b"", b"x", b"0 1 us-west", b"0 x us-west standard", b"\xff 1 a b", b"0 1 a b c"])
def test_what_is_no_placement_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"unpack|invalid literal|codec"):
        decode(raw)
