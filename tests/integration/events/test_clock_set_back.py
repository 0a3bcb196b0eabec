"""What an outbox holds is sent, and counted, though the shard's clock was set back since it was written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest

from events import CloudEvent, deadletters, outbox
from events.relay import LEASE_SECONDS, Relay, sweep
from shared import chaos
from shared.identifiers import new_id
from shared.shards.survey import ShardReport, survey
from tests.setback import clock_was_set_back

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from conftest import Door

    from events.publisher import Publisher
    from knative.platform.servers import Servers
    from shared.shards import Shards

    Organisation = Callable[[], Awaitable[UUID]]


_MANY_ROWS: Final = """
INSERT INTO tenants (org_id, epoch, state) VALUES ('00000000-0000-7000-8000-000000000028', 1, 'active');
INSERT INTO outbox (org_id, id, event_type, event, recorded_at)
SELECT '00000000-0000-7000-8000-000000000028', gen_random_uuid(), 't', '', clock_timestamp()
  FROM generate_series(1, 5000);
INSERT INTO steps (org_id, run_id, id, path, key, body, executor, depth, max_attempts, deadline_seconds, state, input,
                   due_at)
SELECT '00000000-0000-7000-8000-000000000028', gen_random_uuid(), gen_random_uuid(), '/', 'k', 'b', 'e', 0, 1, 1,
       'requested', '{}', clock_timestamp() + interval '2 minutes'
  FROM generate_series(1, 5000);
ANALYZE outbox, steps;
SET LOCAL enable_seqscan = off;
"""


def _event(org_id: UUID, event_id: str, **extensions: Any) -> CloudEvent:
    return CloudEvent(id=event_id, source="/s", type="com.example.e", extensions={"orgid": str(org_id), **extensions})


async def _write(shards: Shards, org_id: UUID, *events: CloudEvent) -> None:
    async with shards.transaction(org_id) as tx:
        await outbox.add(tx, *events)


async def _claim_and_die(shards: Shards, publisher: Publisher, org_id: UUID) -> None:
    def die(name: str) -> None:
        raise chaos.Killed

    with chaos.observed(die), pytest.raises(chaos.Killed):
        await Relay(shards, publisher).drain(org_id)


async def _set_back(servers: Servers, shards: Shards, org_id: UUID) -> None:
    await clock_was_set_back(servers, (await shards.locate(org_id)).shard, org_id)


async def _reported(servers: Servers, shards: Shards, org_id: UUID) -> ShardReport:
    return (await survey(servers.shards_admin_dsn.split(",")))[(await shards.locate(org_id)).shard]


async def test_what_nobody_relayed_before_the_clock_was_set_back_is_swept(
    servers: Servers, shards: Shards, organisation: Organisation, publisher: Publisher, door: Door
) -> None:
    org_id, event_id = await organisation(), new_id().hex
    await _write(shards, org_id, _event(org_id, event_id))
    await _set_back(servers, shards, org_id)
    await sweep(shards, publisher, 3.0)
    assert door.ids.count(event_id) == 1


async def test_what_was_just_written_is_left_to_its_relay(
    shards: Shards, organisation: Organisation, publisher: Publisher, door: Door
) -> None:
    org_id, event_id = await organisation(), new_id().hex
    await _write(shards, org_id, _event(org_id, event_id))
    await sweep(shards, publisher, 600.0)
    assert event_id not in door.ids


async def test_a_claim_of_before_the_clock_was_set_back_holds_nothing(
    servers: Servers, shards: Shards, organisation: Organisation, publisher: Publisher, door: Door
) -> None:
    org_id, first, second = await organisation(), new_id().hex, new_id().hex
    await _write(shards, org_id, _event(org_id, first, partitionkey="k"))
    await _claim_and_die(shards, publisher, org_id)
    await _write(shards, org_id, _event(org_id, second, partitionkey="k"))
    await sweep(shards, publisher, 0.0)
    assert {first, second}.isdisjoint(door.ids), "the claim stands"
    await _set_back(servers, shards, org_id)
    await sweep(shards, publisher, 3.0)
    assert [event_id for event_id in door.ids if event_id in {first, second}] == [first, second]


async def test_what_is_sent_later_waits_and_once_the_clock_was_set_back_waits_for_nothing(
    servers: Servers, shards: Shards, organisation: Organisation, publisher: Publisher, door: Door
) -> None:
    org_id, event_id = await organisation(), new_id().hex
    async with shards.transaction(org_id) as tx:
        await outbox.add_later(tx, _event(org_id, event_id), deadletters.PAUSES[-1])
        with pytest.raises(ValueError, match="600 s at most, not for 3600"):
            await outbox.add_later(tx, _event(org_id, "never"), 3600.0)
    await sweep(shards, publisher, 0.0)
    assert event_id not in door.ids
    await _set_back(servers, shards, org_id)
    await sweep(shards, publisher, 3.0)
    assert door.ids.count(event_id) == 1


def test_no_claim_and_no_pause_is_longer_than_what_counts_as_a_clock_that_was_set_back() -> None:
    assert max(LEASE_SECONDS, *deadletters.PAUSES) < outbox.LONGEST_SECONDS


async def test_what_lies_in_the_future_is_counted_and_is_not_younger_than_now(
    servers: Servers, shards: Shards, organisation: Organisation
) -> None:
    org_id = await organisation()
    before = (await _reported(servers, shards, org_id)).outbox_pending
    await _write(shards, org_id, _event(org_id, "waits"))
    async with shards.transaction(org_id) as tx:
        await outbox.add_later(tx, _event(org_id, "later"), 60.0)
    assert (await _reported(servers, shards, org_id)).outbox_pending == before + 1
    await _set_back(servers, shards, org_id)
    report = await _reported(servers, shards, org_id)
    assert (report.outbox_pending, report.outbox_oldest_seconds >= 0) == (before + 2, True)
    async with shards.transaction(org_id) as tx:
        await tx.execute("DELETE FROM outbox WHERE org_id = $1", org_id)


async def test_a_dead_letter_of_before_the_clock_was_set_back_is_sent_again_when_it_fails_again(
    servers: Servers, shards: Shards, organisation: Organisation
) -> None:
    org_id = await organisation()
    lost = _event(org_id, "lost")

    async def fail() -> bool:
        async with shards.transaction(org_id) as tx:
            letter = await deadletters.add(tx, lost, destination=deadletters.NOWHERE, error_code=400, error="x")
            return await deadletters.retry(tx, letter, lost)

    async def noted() -> tuple[int, int]:
        async with shards.transaction(org_id) as tx:
            (letter,) = await deadletters.page(tx, org_id)
            return letter.attempts, await tx.fetchval("SELECT count(*) FROM outbox WHERE org_id = $1", org_id)

    assert await fail()
    assert await fail()
    assert await noted() == (1, 1), "it waits: told twice, it is sent once"
    await _set_back(servers, shards, org_id)
    assert await fail()
    assert await noted() == (2, 2)


@pytest.mark.parametrize(
    ("function", "arguments", "column"),
    [
        ("outbox_leftovers", {"older_than": "interval '3 s'", "at_most": "100"}, "recorded_at"),
        ("neuron_due", {"p_at": "statement_timestamp()", "p_limit": "100"}, "due_at"),
    ],
)
async def test_the_sweeps_find_the_past_and_the_future_in_their_index(
    servers: Servers, function: str, arguments: dict[str, str], column: str
) -> None:
    """Sequential scans are off, as what other tests have left may make one cheaper: it asks whether an index serves."""
    connection = await asyncpg.connect(servers.shards_admin_dsn.split(",")[0])
    try:
        await connection.execute("BEGIN")
        await connection.execute(_MANY_ROWS)
        body = await connection.fetchval("SELECT prosrc FROM pg_proc WHERE proname = $1", function)
        for name, value in arguments.items():
            body = body.replace(name, value)
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {body}"))
    finally:
        await connection.close()
    assert {found[1] for found in re.finditer(rf"Index Cond: \({column} (<|>)", plan)} == {"<", ">"}, plan
