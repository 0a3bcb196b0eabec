"""Weighted fair turns in front of the neurons: who has had little goes first, whatever order the broker delivers in.

Nothing here waits for a time: requests are delivered by hand, and what was begun is counted.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from events import catalogue
from events.subscriber import Delivery
from functions.neuron import handlers
from functions.neuron.settings import NeuronSettings
from functions.neuron.store import WAITING_AT_MOST
from functions.neuron.transitions import Origin
from functions.neuron.turns import Turns
from shared.clock import ManualClock
from shared.database import ShardUnavailableError
from shared.identifiers import new_id
from tests.processes.office import Office

if TYPE_CHECKING:
    from uuid import UUID

    from events import CloudEvent
    from shared.shards import Shards

ALWAYS = NeuronSettings(lease_seconds=10.0, backlog_seconds=-1.0)
"""There is a backlog, however young a request is."""


async def organisation(shards: Shards, tier: str) -> UUID:
    org_id = new_id()
    await shards.create_organisation(org_id, "us-west", tier=tier)
    return org_id


async def neighbours(shards: Shards, *tiers: str) -> list[UUID]:
    """Organisations on one shard: a turn looks at one shard, and these tests count turns."""
    found = [await organisation(shards, tiers[0])]
    where = (await shards.locate(found[0])).shard
    for tier in tiers[1:]:
        while (await shards.locate(one := await organisation(shards, tier))).shard != where:
            pass
        found.append(one)
    return found


async def office(shards: Shards, org_id: UUID, **more: Any) -> Office:
    """An office whose every turn looks at the shard of that organisation."""
    made = Office(shards, settings=ALWAYS, **more)
    here = (await shards.locate(org_id)).shard
    asked = made.store.waiting

    async def waiting(shard: int, executor: str) -> Any:
        # Other tests of this session leave steps behind that nobody does.
        return [one for one in await asked(here, executor) if one.org_id in made.orders]

    made.store.waiting = waiting  # type: ignore[method-assign]
    return made


async def begin(made: Office, org_id: UUID, runs: int) -> list[CloudEvent]:
    """Start runs, and give the requests of their first steps as the broker would deliver them."""
    made.orders[org_id] = None
    for _ in range(runs):
        await made.start(org_id, "a")
    made.waiting.clear()
    await made.fetch(org_id)
    return [event for event in made.waiting if event.type == "ai.hal9.neuron.step.requested"]


async def deliver(made: Office, event: CloudEvent) -> None:
    await handlers.step_requested(Delivery(event, catalogue.parse(event), made, "neuron"))


async def begun(shards: Shards, *organisations: UUID) -> Counter[UUID]:
    """How many first steps of each organisation were begun."""
    counts: Counter[UUID] = Counter()
    for org_id in organisations:
        counts[org_id] = await shards.run(
            org_id,
            lambda tx: tx.fetchval("SELECT count(*) FROM steps WHERE path = '/' AND started_at IS NOT NULL"),
            readonly=True,
        )
    return counts


async def test_a_quiet_neighbour_is_served_in_the_next_turn_though_its_request_is_behind_all_others(
    shards: Shards,
) -> None:
    noisy, quiet = await neighbours(shards, "free", "enterprise")
    made = await office(shards, noisy)
    flood = await begin(made, noisy, 20)
    for event in flood[:10]:
        await deliver(made, event)
    assert await begun(shards, noisy, quiet) == {noisy: 10, quiet: 0}
    [late] = await begin(made, quiet, 1)
    await deliver(made, flood[10])
    assert await begun(shards, noisy, quiet) == {noisy: 11, quiet: 1}, "the same delivery served both"
    had = made.turns._shares._start(quiet)
    await deliver(made, late)
    assert made.turns._shares._start(quiet) == pytest.approx(had), "a request that finds nothing to do costs no turn"
    assert await begun(shards, noisy, quiet) == {noisy: 11, quiet: 1}, "its own request found nothing to do"


async def test_two_that_always_wait_share_turns_by_the_weights_of_their_tiers(shards: Shards) -> None:
    free, paying = await neighbours(shards, "free", "enterprise")
    made = await office(shards, free)
    flood = await begin(made, free, 12)
    await begin(made, paying, 100)
    for event in flood[:10]:
        await deliver(made, event)
    counts = await begun(shards, free, paying)
    assert counts[free] == 10
    assert 8 * 10 - 8 <= counts[paying] <= 8 * 10


async def test_no_tier_starves_another(shards: Shards) -> None:
    free, starter, paying = await neighbours(shards, "free", "starter", "enterprise")
    made = await office(shards, free)
    await begin(made, free, 5)
    await begin(made, starter, 8)
    flood = await begin(made, paying, 30)
    for event in flood[:24]:
        await deliver(made, event)
    counts = await begun(shards, free, starter, paying)
    assert counts[paying] >= 24
    assert counts[free] >= 3
    assert counts[starter] >= 6


async def test_without_a_backlog_nobody_is_looked_for(shards: Shards) -> None:
    noisy, quiet = await neighbours(shards, "free", "enterprise")
    made = await office(shards, noisy)
    flood = await begin(made, noisy, 1)
    await begin(made, quiet, 1)
    made.turns = Turns(made.store, made.runtime, made.clock, 3600.0, made.relay.after_commit)

    async def looked(shard: int, executor: str) -> Any:
        pytest.fail(f"nobody waits for {executor}: there is no backlog")

    made.store.waiting = looked  # type: ignore[method-assign]
    await deliver(made, flood[0])
    assert await begun(shards, noisy, quiet) == {noisy: 1, quiet: 0}


async def test_what_somebody_else_does_meanwhile_is_passed_over_once_and_not_charged(
    shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy, quiet = await neighbours(shards, "free", "enterprise")
    made = await office(shards, noisy)
    flood = await begin(made, noisy, 2)
    await begin(made, quiet, 1)
    whole, tried = made.runtime.work, []

    async def taken(org_id: UUID, *rest: Any) -> str:
        tried.append(org_id)
        return "dropped" if org_id == quiet else await whole(org_id, *rest)

    await deliver(made, flood[0])
    await begin(made, quiet, 1)
    monkeypatch.setattr(made.runtime, "work", taken)
    await deliver(made, flood[1])
    assert tried == [quiet, noisy]
    assert made.turns._shares.next([noisy, quiet]) == quiet


async def test_others_trouble_does_not_keep_the_delivered_step_from_being_done(
    shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy, quiet = await neighbours(shards, "free", "enterprise")
    made = await office(shards, noisy)
    flood = await begin(made, noisy, 2)
    await begin(made, quiet, 1)
    await deliver(made, flood[0])
    await begin(made, quiet, 1)
    whole = made.runtime.work

    async def broken(org_id: UUID, *rest: Any) -> str:
        if org_id == quiet:
            raise ConnectionError
        return await whole(org_id, *rest)

    monkeypatch.setattr(made.runtime, "work", broken)
    await deliver(made, flood[1])
    assert (await begun(shards, noisy))[noisy] == 2


async def test_a_shard_that_does_not_answer_is_left_alone_and_the_step_is_done(shards: Shards) -> None:
    [noisy] = await neighbours(shards, "free")
    made, asked = await office(shards, noisy), []
    clock = ManualClock()
    made.turns = Turns(made.store, made.runtime, clock, -1e12, made.relay.after_commit)
    flood = await begin(made, noisy, 5)

    async def away(shard: int, executor: str) -> Any:
        asked.append(shard)
        if shard == 1:
            raise ShardUnavailableError
        return []

    made.store.waiting = away  # type: ignore[method-assign]
    for event in flood[:4]:
        await deliver(made, event)
    assert asked == [1, 2, 0, 2]
    clock.advance(60)
    asked.clear()
    await deliver(made, flood[4])
    assert (asked, (await begun(shards, noisy))[noisy]) == ([0], 5)
    made.turns._asked = 0
    await made.turns._serve_others(noisy, Origin(made.source), "neuron-l4")
    assert asked[-1] == 1, "it is asked again after a while"


async def test_the_look_finds_each_organisation_wherever_it_begins_and_no_more_than_it_should(shards: Shards) -> None:
    several = await neighbours(shards, *["free"] * 5)
    made = Office(shards)
    for org_id in several:
        await begin(made, org_id, 2)
    where = (await shards.locate(several[0])).shard
    for _ in range(5):
        found = [one.org_id for one in await made.store.waiting(where, "neuron-l4")]
        assert len(found) == len(set(found)) <= WAITING_AT_MOST
        if len(found) < WAITING_AT_MOST:
            assert set(several) <= set(found)
    async with shards.database(where).connection() as connection:
        rows = await connection.fetch("SELECT org_id FROM neuron_waiting('neuron-l4', $1, 2)", max(several))
    assert len(rows) == 2
