"""Outbox, relay, sweep and inbox on real shards: what is committed is sent, nothing else, and effects happen once."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from dataclasses import dataclass, field
from random import Random
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from events import CloudEvent, catalogue, codec, deadletters, inbox, outbox
from events.catalogue.neuron import RunCancelled
from events.relay import BEFORE_PUBLISH, MARKED, PUBLISHED, Relay, sweep
from functions.gateway.eventlimits import MAX_ID_LENGTH, MAX_SOURCE_LENGTH, excesses
from shared import chaos
from shared.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from conftest import Door

    from events.publisher import Publisher
    from shared.shards import Shards

Organisation = "Callable[[], Awaitable[UUID]]"


def _event(org_id: UUID, event_id: str, **extensions: Any) -> CloudEvent:
    return catalogue.new(
        RunCancelled(run_id=new_id(), process="test"),
        id=event_id,
        subject="run",
        org_id=org_id,
        source=catalogue.source("neuron"),
        **extensions,
    )


async def _write(shards: Shards, org_id: UUID, *events: CloudEvent) -> None:
    async def work(tx: Any) -> None:
        await outbox.add(tx, *events)

    await shards.run(org_id, work)


@dataclass
class _Ledger:
    """Takes everything, and notes what came together."""

    batches: list[list[str]] = field(default_factory=list)

    async def publish_all(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        self.batches.append([event.id for event in events])
        return [None] * len(events)


async def _left(shards: Shards, org_id: UUID) -> int:
    async with shards.transaction(org_id) as tx:
        count: int = await tx.fetchval("SELECT count(*) FROM outbox WHERE org_id = $1", org_id)
    return count


async def _release(shards: Shards, org_id: UUID) -> None:
    """Let the claims run out: what time would do."""
    async with shards.transaction(org_id) as tx:
        await tx.execute("UPDATE outbox SET claimed_until = now() - interval '1 second' WHERE org_id = $1", org_id)


async def test_after_commit_publishes_in_order_and_leaves_nothing(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    relay = Relay(shards, publisher)
    events = [_event(org_id, f"e{number}", partitionkey="run") for number in range(150)]
    await _write(shards, org_id, *events[:100])
    await _write(shards, org_id, *events[100:])
    relay.after_commit(org_id)
    await relay.close()
    assert door.ids == [event.id for event in events]
    assert door.events == events
    assert await _left(shards, org_id) == 0
    assert door.headers[0][b"authorization"] == b"Bearer a-token"


async def test_what_rolls_back_is_never_sent(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()

    async def fail(tx: Any) -> None:
        await outbox.add(tx, _event(org_id, "never"))
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await shards.run(org_id, fail)
    assert await Relay(shards, publisher).drain(org_id) == 0
    assert door.ids == []


async def test_an_event_without_organisation_or_of_two_is_refused(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]]
) -> None:
    org_id = await organisation()
    async with shards.transaction(org_id) as tx:
        with pytest.raises(ValueError, match="names no organisation"):
            await outbox.add(tx, _event(org_id, "a").with_extensions(orgid=None))
        with pytest.raises(ValueError, match="one organisation"):
            await outbox.add(tx, _event(org_id, "a"), _event(new_id(), "b"))


async def test_an_event_of_another_organisation_cannot_be_written(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]]
) -> None:
    import asyncpg

    mine, theirs = await organisation(), await organisation()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with shards.transaction(mine) as tx:
            await outbox.add(tx, _event(theirs, "stolen"))


async def test_a_broker_that_is_away_costs_nothing_but_time(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    await _write(shards, org_id, _event(org_id, "late"))
    door.answers = [(403, {})]
    relay = Relay(shards, publisher)
    assert await relay.drain(org_id) == 0
    assert await _left(shards, org_id) == 1
    assert (await sweep(shards, publisher, 0.0)).events >= 1
    assert door.ids.count("late") == 1  # the sweep also takes what other tests have left in these shards
    assert await _left(shards, org_id) == 0


async def test_the_publisher_tries_again_while_that_can_help(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    await _write(shards, org_id, _event(org_id, "again"))
    door.answers = [(503, {}), (429, {"retry-after": "0"}), (404, {})]
    assert await Relay(shards, publisher).drain(org_id) == 1
    assert door.ids == ["again"]
    assert len(door.headers) == 4


async def test_what_is_sent_later_waits_and_holds_up_nobody(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    async with shards.transaction(org_id) as tx:
        await outbox.add_later(tx, _event(org_id, "later", partitionkey="run"), outbox.LONGEST_SECONDS)
        await outbox.add_later(tx, _event(org_id, "due"), 0.0)
    assert (await sweep(shards, publisher, 0.0)).failed == 0
    assert (door.ids.count("due"), door.ids.count("later")) == (1, 0)
    await _write(shards, org_id, _event(org_id, "now", partitionkey="run"))
    assert await Relay(shards, publisher).drain(org_id) == 1
    assert (door.ids.count("now"), door.ids.count("later"), await _left(shards, org_id)) == (1, 0, 1)
    await _release(shards, org_id)
    assert await Relay(shards, publisher).drain(org_id) == 1
    assert (door.ids.count("later"), await _left(shards, org_id)) == (1, 0)


async def test_what_the_broker_refuses_becomes_a_dead_letter_and_can_be_redriven(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    event = _event(org_id, "bad")
    door.refuses.add("bad")
    await _write(shards, org_id, event, _event(org_id, "good"))
    assert await Relay(shards, publisher).drain(org_id) == 2
    assert door.ids == ["good"]
    async with shards.transaction(org_id) as tx:
        (letter,) = await deadletters.page(tx, org_id)
        assert (letter.source, letter.event_id, letter.event_type) == (event.source, event.id, event.type)
        assert (letter.subject, letter.destination, letter.error_code) == (event.subject, "broker", 400)
        assert letter.redriven_at is None
        assert await deadletters.find(tx, org_id, letter.id) == (letter, event)
        assert await deadletters.find(tx, org_id, new_id()) is None
    door.refuses.clear()

    async def redrive(tx: Any) -> None:
        assert await deadletters.redrive(tx, org_id, letter.id) is not None

    await shards.run(org_id, redrive)
    assert await Relay(shards, publisher).drain(org_id) == 1
    assert door.ids == ["good", "bad"]
    async with shards.transaction(org_id) as tx:
        found = await deadletters.find(tx, org_id, letter.id)
        assert found is not None
        redriven_at = found[0].redriven_at
        assert redriven_at is not None
        again = await deadletters.add(tx, event, destination="broker", error_code=None, error="x")
        assert again == letter.id
        found = await deadletters.find(tx, org_id, letter.id)
        assert found is not None
        assert (found[0].attempts, found[0].redriven_at) == (2, redriven_at)
        assert redriven_at < found[0].received_at


async def test_a_dead_letter_that_an_earlier_release_kept_has_its_events_subject_where_the_event_is_read(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    event, letter_id = _event(org_id, "early"), new_id()
    async with shards.transaction(org_id) as tx:
        await tx.execute(
            "INSERT INTO dead_letters (org_id, id, source, event_id, event_type, event, destination)"
            " VALUES ($1, $2, $3, $4, $5, $6, 'broker')",
            org_id, letter_id, event.source, event.id, event.type, codec.to_structured(event),
        )  # fmt: skip
        (listed,) = await deadletters.page(tx, org_id)
        for read in (deadletters.find, deadletters.redrive):
            found = await read(tx, org_id, letter_id)
            assert found is not None
            assert (listed.subject, found[0].subject) == (None, event.subject)
    assert await Relay(shards, publisher).drain(org_id) == 1
    assert door.ids == ["early"]


async def test_an_event_whose_attributes_the_broker_finds_too_long_becomes_a_dead_letter(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    await _write(shards, org_id, _event(org_id, "long"))
    door.answers = [(431, {})]
    assert await Relay(shards, publisher).drain(org_id) == 1
    assert len(door.headers) == 1
    async with shards.transaction(org_id) as tx:
        (letter,) = await deadletters.page(tx, org_id)
    assert (letter.event_id, letter.error_code) == ("long", 431)


async def test_large_events_are_claimed_few_at_a_time_and_all_are_sent_in_order(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]]
) -> None:
    org_id, ledger = await organisation(), _Ledger()
    sizes = [1, 3 << 20, 6 << 20, 1, 7 << 20, 1]
    events = [_event(org_id, str(number)).replace(data=b'"' + b"x" * size + b'"') for number, size in enumerate(sizes)]
    await _write(shards, org_id, *events)
    assert await Relay(shards, ledger).drain(org_id) == len(sizes)
    assert ledger.batches == [["0", "1", "2"], ["3", "4", "5"]]
    assert await _left(shards, org_id) == 0


async def test_a_page_of_dead_letters_is_read_without_their_events(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]]
) -> None:
    org_id = await organisation()
    megabyte = json.dumps("x" * (1 << 20)).encode()
    async with shards.transaction(org_id) as tx:
        for number in range(8):
            event = _event(org_id, f"large {number}").replace(data=megabyte)
            await deadletters.add(tx, event, destination="http://codegen/events", error_code=422, error="x")
    tracemalloc.start()
    try:
        async with shards.transaction(org_id) as tx:
            assert len(await deadletters.page(tx, org_id)) == 8
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(megabyte)


async def test_the_longest_names_of_an_event_from_outside_are_kept(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]]
) -> None:
    org_id = await organisation()
    chance = Random(1)  # what PostgreSQL could compress would prove nothing
    event_id = "".join(chr(chance.randrange(0x20000, 0x2A000)) for _ in range(MAX_ID_LENGTH))
    source = "/" + "".join(chance.choices(ascii_letters + digits, k=MAX_SOURCE_LENGTH - 1))
    event = _event(org_id, event_id).replace(source=source)
    assert not list(excesses(event))
    async with shards.transaction(org_id) as tx:
        assert await inbox.first(tx, event, by="codegen")
        await deadletters.add(
            tx, event, destination="http://codegen.hal9.svc.cluster.local/events", error_code=402, error="x"
        )
        assert not await inbox.first(tx, event, by="codegen")


async def test_dead_letters_of_others_do_not_exist(shards: Shards, organisation: Callable[[], Awaitable[UUID]]) -> None:
    mine, theirs = await organisation(), await organisation()
    async with shards.transaction(theirs) as tx:
        letter = await deadletters.add(tx, _event(theirs, "x"), destination="d", error_code=422, error="no")
    async with shards.transaction(mine) as tx:
        assert await deadletters.find(tx, theirs, letter) is None
        assert await deadletters.redrive(tx, theirs, letter) is None
        assert await deadletters.page(tx, theirs) == []


async def test_order_within_a_partition_key_holds_when_one_fails(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    await _write(shards, org_id, *(_event(org_id, f"k{number}", partitionkey="k") for number in range(4)))
    door.answers = [(202, {}), (403, {})]
    relay = Relay(shards, publisher)
    assert await relay.drain(org_id) == 1
    assert door.ids == ["k0"]
    assert await relay.drain(org_id) == 3
    assert door.ids == ["k0", "k1", "k2", "k3"]


async def test_nothing_overtakes_a_claimed_event_with_the_same_partition_key(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    await _write(shards, org_id, _event(org_id, "first", partitionkey="k"))

    def die(name: str) -> None:
        raise chaos.Killed

    with chaos.observed(die), pytest.raises(chaos.Killed):
        await Relay(shards, publisher).drain(org_id)
    await _write(
        shards,
        org_id,
        _event(org_id, "second", partitionkey="k"),
        _event(org_id, "other", partitionkey="o"),
        _event(org_id, "free"),
    )
    assert await Relay(shards, publisher).drain(org_id) == 2
    assert sorted(door.ids) == ["free", "other"]
    await _release(shards, org_id)
    assert await Relay(shards, publisher).drain(org_id) == 2
    assert door.ids[2:] == ["first", "second"]


async def test_two_relays_share_the_work_without_a_duplicate(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    await _write(shards, org_id, *(_event(org_id, f"p{number}") for number in range(250)))
    published = await asyncio.gather(*(Relay(shards, publisher).drain(org_id) for _ in range(4)))
    assert sum(published) == 250
    assert sorted(door.ids) == sorted(f"p{number}" for number in range(250))


class _Receiver:
    """What a function does with an event: its effect and its inbox row in one transaction."""

    def __init__(self, shards: Shards, org_id: UUID) -> None:
        self.shards = shards
        self.org_id = org_id
        self.effects: list[str] = []

    async def take(self, event: CloudEvent) -> None:
        async def work(tx: Any) -> bool:
            return await inbox.first(tx, event, by="receiver")

        if await self.shards.run(self.org_id, work):
            self.effects.append(event.id)


@pytest.mark.parametrize("point", [BEFORE_PUBLISH, PUBLISHED, MARKED])
async def test_killed_between_commit_publish_and_mark_each_effect_happens_once(
    point: str, shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    wanted = [f"{point}-{number}" for number in range(3)]
    await _write(shards, org_id, *(_event(org_id, event_id) for event_id in wanted))

    def die(name: str) -> None:
        if name == point:
            raise chaos.Killed

    with chaos.observed(die), pytest.raises(chaos.Killed):
        await Relay(shards, publisher).drain(org_id)
    await _release(shards, org_id)
    await sweep(shards, publisher, 0.0)
    receiver = _Receiver(shards, org_id)
    for event in door.events:
        await receiver.take(event)
    assert sorted(receiver.effects) == sorted(wanted)
    assert sorted(set(door.ids)) == sorted(wanted)
    assert len(door.ids) == (6 if point == PUBLISHED else 3)
    assert await _left(shards, org_id) == 0


async def test_a_live_claim_is_left_alone_by_the_sweep(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]], publisher: Publisher, door: Door
) -> None:
    org_id = await organisation()
    await _write(shards, org_id, _event(org_id, "claimed"))

    def die(name: str) -> None:
        raise chaos.Killed

    with chaos.observed(die), pytest.raises(chaos.Killed):
        await Relay(shards, publisher).drain(org_id)
    await sweep(shards, publisher, 0.0)
    assert door.ids == []
    await _release(shards, org_id)
    await sweep(shards, publisher, 0.0)
    assert door.ids == ["claimed"]


async def test_the_inbox_takes_an_event_once_for_each_function_also_at_the_same_time(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]]
) -> None:
    org_id, other = await organisation(), await organisation()
    event = _event(org_id, "once")

    async def take(by: str) -> bool:
        async def work(tx: Any) -> bool:
            first = await inbox.first(tx, event, by=by)
            await tx.execute("SELECT pg_sleep(0.01)")
            return first

        return await shards.run(org_id, work)

    answers = await asyncio.gather(*(take(by) for by in ["neuron"] * 6 + ["codegen"] * 6))
    assert sum(answers[:6]) == 1
    assert sum(answers[6:]) == 1
    async with shards.transaction(other) as tx:
        assert await inbox.first(tx, event.with_extensions(orgid=str(other)), by="neuron")


async def test_a_transaction_that_rolls_back_has_not_seen_the_event(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]]
) -> None:
    org_id = await organisation()
    event = _event(org_id, "retry")

    async def fail(tx: Any) -> None:
        assert await inbox.first(tx, event, by="f")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await shards.run(org_id, fail)
    async with shards.transaction(org_id) as tx:
        assert await inbox.first(tx, event, by="f")


async def test_the_inbox_forgets_what_is_old_and_nothing_else(
    shards: Shards, organisation: Callable[[], Awaitable[UUID]]
) -> None:
    org_id = await organisation()
    old, young = _event(org_id, "old"), _event(org_id, "young")
    async with shards.transaction(org_id) as tx:
        assert await inbox.first(tx, young, by="f")
        await tx.execute(
            "INSERT INTO inbox (org_id, consumer, source, event_id, received_at)"
            " VALUES ($1, 'f', $2, 'old', now() - interval '3 days')",
            org_id,
            old.source,
        )
    assert await inbox.forget(shards, 0.0) >= 1
    async with shards.transaction(org_id) as tx:
        assert not await inbox.first(tx, young, by="f")
        assert await inbox.first(tx, old, by="f")
