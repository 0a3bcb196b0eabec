"""Seats, counted where people sign in; and minutes that are reserved before they are used."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from shared.identifiers import new_id
from shared.problems import Problem
from shared.quotas import BROWSER_MINUTES, SEATS
from shared.quotas import usage as uses
from shared.quotas.reserving import reserve, settle
from shared.quotas.seats import Seats
from shared.quotas.usage import QuotaExceededError, Use
from shared.sessions import Sessions, SessionSettings
from shared.settings import load
from tests.integration.quotas.test_quotas import SENDER, allowed, sent, tiers, used
from tests.sessions_fixture import WEST, Regions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.database import Transaction
    from shared.shards import Shards

    Organisation = Callable[[], Awaitable[UUID]]


def seats(shards: Shards, hard: int) -> Seats:
    return Seats(shards, tiers(seats=hard), SENDER)


async def test_people_are_counted_once_a_month_and_never_one_too_many_however_many_come_at_once(
    shards: Shards, organisation: Organisation
) -> None:
    org_id, people = await organisation(), [new_id() for _ in range(30)]
    outcomes = await asyncio.gather(
        *(seats(shards, 10).take(org_id, user_id) for user_id in people * 3), return_exceptions=True
    )
    refused = [one for one in outcomes if one is not None]
    assert {(one.status, one.slug) for one in refused if isinstance(one, Problem)} == {(402, "quota-exceeded")}
    assert len(refused) == 60
    let_in = {user_id for user_id, outcome in zip(people * 3, outcomes, strict=True) if outcome is None}
    assert len(let_in) == 10
    assert await used(shards, org_id) == {"seats": 10}
    for user_id in let_in:
        await seats(shards, 10).take(org_id, user_id)
    assert await used(shards, org_id) == {"seats": 10}


async def test_at_four_fifths_there_is_a_warning_and_one_more_at_the_limit(
    shards: Shards, organisation: Organisation
) -> None:
    org_id = await organisation()
    told = []
    for _ in range(5):
        await seats(shards, 5).take(org_id, new_id())
        told.append([event["type"].rsplit(".", 1)[1] for event in await sent(shards, org_id)])
    assert told == [[], [], [], ["warned"], ["warned", "reached"]]


async def test_the_next_month_counts_anew(shards: Shards, organisation: Organisation, servers: Servers) -> None:
    org_id, user_id = await organisation(), new_id()
    await seats(shards, 1).take(org_id, user_id)
    shard = (await shards.locate(org_id)).shard
    owner = await asyncpg.connect(servers.postgres[shard].dsn("hal9_owner"))
    for statement in (  # as if it had been a month ago
        "UPDATE usage_records SET event_id = replace(event_id, period::text, '2020-01-01'), period = '2020-01-01'"
        " WHERE org_id = $1",
        "UPDATE usage_counters SET period = '2020-01-01' WHERE org_id = $1",
    ):
        await owner.execute(statement, org_id)
    await owner.close()
    await seats(shards, 1).take(org_id, user_id)
    assert await used(shards, org_id) == {"seats": 1}
    with pytest.raises(Problem, match="quota-exceeded"):
        await seats(shards, 1).take(org_id, new_id())


async def test_who_finds_no_seat_gets_no_session_and_those_that_go_on_do(
    regions: Regions, shards: Shards, organisation: Organisation
) -> None:
    org_id, user_id = await organisation(), new_id()
    sessions = Sessions(
        WEST, regions.caches, regions.keys(), load(SessionSettings, {}), seat=seats(shards, 1).take,
        clock=regions.clock,
    )  # fmt: skip
    first = await sessions.create(org_id, user_id, ())
    again = await sessions.create(org_id, user_id, ())
    with pytest.raises(Problem) as refused:
        await sessions.create(org_id, new_id(), ())
    assert (refused.value.status, refused.value.members["meter"]) == (402, SEATS.name)
    assert [await sessions.read(one.cookie) for one in (first, again)] == [first.session, again.session]
    assert len(await regions.sealed()) == 2


async def run(shards: Shards, org_id: UUID, work: Callable[[Transaction], Awaitable[bool]]) -> Any:
    try:
        return await shards.run(org_id, work)
    except (QuotaExceededError, LookupError) as error:
        return type(error)


async def test_what_is_reserved_holds_the_limit_and_is_settled_once(shards: Shards, organisation: Organisation) -> None:
    org_id, hour = await organisation(), allowed(BROWSER_MINUTES, 60)
    tasks = [str(new_id()) for _ in range(10)]

    async def reserved(task: str) -> Any:
        return await run(shards, org_id, lambda tx: reserve(tx, org_id, Use(SENDER, "browser", task, 10), hour))

    async def settled(task: str, minutes: int) -> Any:
        return await run(shards, org_id, lambda tx: settle(tx, org_id, "browser", task, minutes))

    outcomes = await asyncio.gather(*(reserved(task) for task in tasks * 2))
    assert sorted(map(str, outcomes)) == sorted(map(str, [True] * 6 + [False] * 6 + [QuotaExceededError] * 8))
    assert await used(shards, org_id) == {"browser_minutes": 60}
    held = {task for task, outcome in zip(tasks * 2, outcomes, strict=True) if outcome is True}
    told = await asyncio.gather(*(settled(task, 4) for task in sorted(held) * 2))
    assert sorted(told) == [False] * 6 + [True] * 6
    assert await used(shards, org_id) == {"browser_minutes": 24}
    free = next(task for task in tasks if task not in held)
    assert await settled(free, 4) is LookupError
    assert await reserved(free) is True
    assert await settled(free, 13) is True, "more than was reserved counts: it has happened"
    assert await used(shards, org_id) == {"browser_minutes": 37}
    assert await shards.run(org_id, lambda tx: uses.reconcile(tx, org_id)) == {}
    with pytest.raises(ValueError, match="-1"):
        await settled(free, -1)
