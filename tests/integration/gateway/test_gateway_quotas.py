"""Quotas at the door: events count, a hard limit refuses them exactly, and a gate refuses and warns before that."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest_asyncio

from shared.cache import Cache
from shared.clock import SystemClock
from shared.identifiers import new_id
from shared.quotas.gates import Gates, Standing
from tests.integration.gateway.stage import DOORWAY, connect
from tests.valkey_fixture import own_valkey

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.integration.gateway.stage import Caller, MakeCaller, Stage

HARD = 10
TIERS = {"HAL9_TIERS": json.dumps({"professional": {"events": HARD}})}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def doors(stage: Stage) -> tuple[Path, Path]:
    """Two instances of a gateway whose tiers allow few events; the second one has no cache."""
    away = {**TIERS, "HAL9_CACHE_URL": f"unix://{stage.folder}/nobody.sock"}
    return await stage.start(DOORWAY, "few-events", TIERS), await stage.start(DOORWAY, "few-events-cacheless", away)


async def publish(client: httpx.AsyncClient, me: Caller, *ids: str, source: str = "/shop") -> httpx.Response:
    events = [{"specversion": "1.0", "id": one, "source": source, "type": "com.example.paid"} for one in ids]
    return await client.post("/v1/events", content=json.dumps(events), headers={**me.header, **BATCH})


def some(count: int) -> list[str]:
    return [str(new_id()) for _ in range(count)]


async def test_events_are_taken_up_to_the_hard_limit_with_and_without_the_cache(
    doors: tuple[Path, Path], caller: MakeCaller, stage: Stage
) -> None:
    me = await caller()
    async with connect(doors[0]) as first, connect(doors[1]) as second:
        requests = [publish((first, second)[number % 2], me, *some(1)) for number in range(40)]
        answers = await asyncio.gather(*requests)
        assert sorted(answer.status_code for answer in answers) == [202] * HARD + [402] * 30
        [refused] = {json.dumps(one.json(), sort_keys=True) for one in answers if one.status_code == 402}
        problem = json.loads(refused)
        assert problem["type"] == "urn:hal9:problem:quota-exceeded"
        assert (problem["meter"], problem["tier"], problem["limit"]) == ("events", "professional", HARD)
        assert problem["violated-policies"] == ["events"]
    mine = [event for event in stage.broker.events if event.orgid == str(me.org_id)]
    assert len(mine) == HARD, "what was refused was not published"


async def test_the_limit_holds_while_the_cache_is_emptied_and_killed(stage: Stage, caller: MakeCaller) -> None:
    me = await caller()
    async with own_valkey() as server:
        socket = await stage.start(DOORWAY, "few-events-lost-cache", {**TIERS, "HAL9_CACHE_URL": server.url})
        cache = Cache(server.url)
        async with connect(socket) as client:
            before = await asyncio.gather(*(publish(client, me, *some(1)) for _ in range(HARD - 4)))
            await Gates(cache, SystemClock()).write(me.org_id, [Standing("events", HARD - 2, HARD)])
            flooding = asyncio.gather(*(publish(client, me, *some(1)) for _ in range(200)))
            await cache.execute("FLUSHALL")
            await server.stop()
            after = await flooding
        await cache.close()
    counts = Counter(answer.status_code for answer in (*before, *after))
    assert counts == {202: HARD, 402: 200 - 4}


async def test_a_batch_is_taken_whole_or_not_at_all_and_counts_once_when_it_is_sent_again(
    doors: tuple[Path, Path], caller: MakeCaller
) -> None:
    me, batch = await caller(), some(6)
    async with connect(doors[0]) as client:
        for _ in range(3):
            assert (await publish(client, me, *batch)).status_code == 202
        assert (await publish(client, me, *some(5))).status_code == 402
        assert (await publish(client, me, *some(4))).status_code == 202
        assert (await publish(client, me, *batch)).status_code == 202, "these are counted already"


async def test_a_gate_warns_refuses_early_and_is_believed_only_for_its_limit(
    doors: tuple[Path, Path], caller: MakeCaller, cache: Cache
) -> None:
    me, gates = await caller(), Gates(cache, SystemClock())
    async with connect(doors[0]) as client:
        assert "quota-warning" not in (await client.get("/v1/keys", headers=me.header)).headers
        await gates.write(me.org_id, [Standing("events", 8, HARD)])
        answer = await client.get("/v1/keys", headers=me.header)
        assert (answer.status_code, answer.headers["quota-warning"]) == (200, '"events";used=8;limit=10')
        await gates.write(me.org_id, [Standing("events", HARD, HARD)])
        refused = await publish(client, me, *some(1))
        assert (refused.status_code, refused.json()["type"]) == (402, "urn:hal9:problem:quota-exceeded")
        assert refused.headers["quota-warning"] == '"events";used=10;limit=10'
        await gates.write(me.org_id, [Standing("events", 5, 5)])
        answer = await publish(client, me, *some(1))
        assert answer.status_code == 202, "the tier allows more than the gate was made for"
        assert "quota-warning" not in answer.headers
