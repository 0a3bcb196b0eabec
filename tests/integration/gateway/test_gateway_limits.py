"""Limits at the door: shared by all instances, and what happens without the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.integration.gateway.stage import DOORWAY, connect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.gateway.stage import MakeCaller, Stage

NARROW = {
    "HAL9_LIMIT_KEY_PER_SECOND": "0.01",
    "HAL9_LIMIT_KEY_BURST": "5",
    "HAL9_LIMIT_ORGANISATION_PER_SECOND": "0.01",
    "HAL9_LIMIT_ORGANISATION_BURST": "8",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def narrow(stage: Stage) -> tuple[Path, Path]:
    """Two instances of a gateway that lets little through."""
    return await stage.start(DOORWAY, "narrow-a", NARROW), await stage.start(DOORWAY, "narrow-b", NARROW)


async def test_a_key_is_limited_over_all_instances(narrow: tuple[Path, Path], caller: MakeCaller) -> None:
    me = await caller()
    statuses = []
    async with connect(narrow[0]) as first, connect(narrow[1]) as second:
        for _ in range(4):
            for client in (first, second):
                answer = await client.get("/v1/keys", headers=me.header)
                statuses.append(answer.status_code)
    assert statuses == [200] * 5 + [429] * 3
    assert answer.json()["type"] == "urn:hal9:problem:rate-limited"
    assert 90 <= int(answer.headers["retry-after"]) <= 100
    assert '"key";r=0' in answer.headers["ratelimit"]
    assert answer.headers["ratelimit-policy"] == '"key";q=5;w=500, "organisation";q=8;w=800, "route";q=100000;w=1'
    assert answer.json()["violated-policies"] == ["key"]


async def test_a_route_is_limited_for_an_organisation_and_leaves_it_the_others(
    stage: Stage, caller: MakeCaller
) -> None:
    narrow = {"HAL9_LIMIT_ROUTE_PER_SECOND": "0.01", "HAL9_LIMIT_ROUTE_BURST": "2"}
    me = await caller()
    mine = await caller(org_id=me.org_id)
    async with connect(await stage.start(DOORWAY, "narrow-route", narrow)) as client:
        answers = [await client.get("/v1/keys", headers=one.header) for one in (me, mine, me)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[-1].json()["violated-policies"] == ["route"]
        other = await client.delete(f"/v1/keys/{mine.key_id}", headers=me.header)
        assert other.status_code == 204


async def test_an_organisations_keys_are_limited_together(narrow: tuple[Path, Path], caller: MakeCaller) -> None:
    me = await caller()
    mine = await caller(org_id=me.org_id)
    other = await caller()
    async with connect(narrow[0]) as client:
        statuses = [(await client.get("/v1/keys", headers=me.header)).status_code for _ in range(5)]
        statuses += [(await client.get("/v1/keys", headers=mine.header)).status_code for _ in range(5)]
        assert statuses == [200] * 8 + [429] * 2
        assert (await client.get("/v1/keys", headers=other.header)).status_code == 200


async def test_what_was_refused_is_not_charged(narrow: tuple[Path, Path], caller: MakeCaller) -> None:
    me = await caller()
    async with connect(narrow[0]) as client:
        answers = [await client.get("/v1/keys", headers=me.header) for _ in range(9)]
    waits = [int(answer.headers["retry-after"]) for answer in answers if answer.status_code == 429]
    assert len(waits) == 4
    assert max(waits) <= 100, "one request's wait, however many were refused before"
    assert '"organisation";r=3' in answers[-1].headers["ratelimit"]


async def test_without_the_cache_each_instance_limits_by_itself_and_believes_nothing_remembered(
    stage: Stage, caller: MakeCaller
) -> None:
    away = {**NARROW, "HAL9_CACHE_URL": f"unix://{stage.folder}/nobody.sock"}
    sockets = [await stage.start(DOORWAY, f"cacheless-{name}", away) for name in "ab"]
    me = await caller()
    async with connect(sockets[0]) as here, connect(sockets[1]) as there:
        for client in (here, there):
            statuses = [(await client.get("/v1/keys", headers=me.header)).status_code for _ in range(7)]
            assert statuses == [200] * 5 + [429] * 2
        owner = await caller()
        victim = await caller("viewer", org_id=owner.org_id)
        for client in (here, there):
            assert (await client.get("/v1/keys", headers=victim.header)).status_code == 200
        assert (await here.delete(f"/v1/keys/{victim.key_id}", headers=owner.header)).status_code == 204
        for client in (there, here):
            assert (await client.get("/v1/keys", headers=victim.header)).status_code == 401


async def test_without_the_directory_nobody_comes_in_and_nobody_is_told_more(stage: Stage, caller: MakeCaller) -> None:
    me = await caller()
    away = {"HAL9_SHARDS": f"postgresql://hal9_app@/hal9?host={stage.folder}&port=1", "HAL9_CONNECT_SECONDS": "0.5"}
    async with connect(await stage.start(DOORWAY, "lost", away, path="/healthz/live")) as client:
        assert (await client.get("/healthz/ready")).status_code == 503
        refused = await client.get("/v1/keys", headers=me.header)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:hal9:problem:shard-unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await client.get("/v1/keys")).status_code == 401
        assert (await client.get("/nothing", headers=me.header)).status_code == 404
        assert (await client.get("/openapi.json")).status_code == 200
