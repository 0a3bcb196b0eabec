"""Leases, deadlines and dead letters: whatever nobody moved on is moved on, and no run hangs."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from events import catalogue, deadletters
from events.catalogue.neuron import RunRequested
from events.catalogue.upkeep import ProbeRequested
from events.publisher import Unpublished
from events.subscriber import Delivery
from functions.neuron.settings import NeuronSettings
from functions.neuron.transitions import Origin
from functions.upkeep import handlers, service
from functions.upkeep.resources import UpkeepSettings
from functions.upkeep.store import Due
from functions.upkeep.store import Store as UpkeepStore
from shared.eventprobe import hearing
from shared.identifiers import new_id
from shared.problems import Problem
from shared.settings import described
from tests.processes.office import Office, answered
from tests.setback import AN_HOUR, clock_was_set_back

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from events import CloudEvent
    from knative.platform.servers import Servers
    from shared.neurons.wire import Run
    from shared.shards import Shards


def upkeep(office: Office) -> Any:
    """What the function upkeep opens, over the office."""
    return SimpleNamespace(
        shards=office.shards,
        publisher=office,
        relay=office.relay,
        store=UpkeepStore(office.shards, office.source),
        settings=UpkeepSettings(region="us-west"),
    )


async def claimed(office: Office, org_id: UUID, run: Any) -> Any:
    """Claim the run's root and leave it."""
    claim = await office.store.claim(
        org_id, Origin(office.source), run.id, run.tree[0].id, 0, 0, office.settings.lease_seconds
    )
    assert claim is not None
    return claim


async def test_a_lost_lease_is_given_to_another_and_the_lost_ones_work_is_dropped(
    shards: Shards, organisation: Any
) -> None:
    org_id, office = await organisation(), Office(shards, duplicates=2)
    run = await office.start(org_id, "a b")
    await office.fetch(org_id)
    claim = await claimed(office, org_id, run)
    await office.settle(org_id)  # its own request finds that somebody has it
    assert (await office.runs.show(org_id, run.id)).state == "running"
    await service.sweep(upkeep(office), AN_HOUR / 2)
    await office.settle(org_id)
    done = await office.runs.show(org_id, run.id)
    assert (done.state, done.output["letters"], done.tree[0].epoch) == ("completed", 2, 1)
    late = await office.store.complete(claim.held, Origin(office.source), '{"letters": 7}', "builtin", None)
    assert late == "stale"
    assert (await office.runs.show(org_id, run.id)).output["letters"] == 2


async def test_who_lost_a_lease_cannot_write_while_another_works(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "a b")
    first = await claimed(office, org_id, run)
    await service.sweep(upkeep(office), AN_HOUR / 2)
    second = await office.store.claim(org_id, Origin(office.source), run.id, run.tree[0].id, 1, 0, 10.0)
    assert second is not None
    origin = Origin(office.source)
    stale = msgspec.structs.replace(first.held, epoch=1)
    for held in (first.held, stale):
        assert await office.store.complete(held, origin, '{"letters": 7}', "builtin", None) == "stale"
        assert await office.store.spawn(held, origin, None, [], "builtin", None, 10) == "stale"
        assert await office.store.fail(held, origin, "x", "y") == "stale"
        assert not await office.store.release(held, origin)
        assert not await office.store.renew(held, 10.0)
        assert await office.store.reserve(held, new_id(), 1, 0) == "lost"
    assert await office.store.complete(second.held, origin, '{"letters": 8}', "builtin", None) == "done"
    assert (await office.runs.show(org_id, run.id)).output == {"letters": 8}


async def test_what_was_renewed_meanwhile_is_left_alone(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "a")
    claim = await claimed(office, org_id, run)
    store = upkeep(office).store
    due = Due(org_id, run.id, claim.held.step_id, 0)
    now = datetime.now(UTC)
    assert await store.move_on(due, now) == "stale"
    assert await store.move_on(Due(org_id, run.id, claim.held.step_id, 1), now + timedelta(hours=1)) == "stale"
    assert await store.move_on(Due(org_id, run.id, None, None), now) == "stale"
    assert await store.move_on(due, now + timedelta(hours=1)) == "retried"
    assert await store.move_on(due, now + timedelta(hours=1)) == "stale"


async def test_a_lease_that_is_renewed_is_kept(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards, settings=NeuronSettings(lease_seconds=0.3))
    run = await office.start(org_id, "a")
    claim = await claimed(office, org_id, run)
    assert await office.store.renew(claim.held, AN_HOUR)
    await asyncio.sleep(0)
    assert (await service.sweep(upkeep(office), 60.0))["retried"] == 0
    await service.sweep(upkeep(office), AN_HOUR - 1)
    assert (
        not await office.store.renew(claim.held, AN_HOUR) or (await office.runs.show(org_id, run.id)).tree[0].epoch == 0
    )


async def test_a_claim_that_is_given_back_can_be_claimed_by_the_same_request(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "a")
    claim = await claimed(office, org_id, run)
    assert await office.store.release(claim.held, Origin(office.source))
    assert not await office.store.release(claim.held, Origin(office.source))
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).state == "completed"


async def test_work_that_crashes_every_time_is_given_up(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "a")
    resources = upkeep(office)
    for epoch in range(12):
        claim = await office.store.claim(
            org_id, Origin(office.source), run.id, run.tree[0].id, epoch, 0, office.settings.lease_seconds
        )
        assert claim is not None
        await service.sweep(resources, AN_HOUR / 2)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.code, run.reason) == ("failed", "attempts-exhausted", "given up after 12 attempts")


async def test_a_delegate_that_does_not_answer_is_asked_again_then_given_up(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    asked: list[CloudEvent] = []
    office.auditor = asked.append
    run = await office.start(org_id, "a", audit=True)
    await office.settle(org_id)
    for _ in range(3):
        assert (await office.runs.show(org_id, run.id)).state == "running"
        await service.sweep(upkeep(office), 60.0)
        await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.code) == ("failed", "attempts-exhausted")
    assert [catalogue.parse(event).epoch for event in asked] == [0, 1, 2]


async def test_a_late_answer_of_a_delegate_is_dropped(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    asked: list[CloudEvent] = []
    office.auditor = asked.append
    run = await office.start(org_id, "abc", audit=True)
    await office.settle(org_id)
    await service.sweep(upkeep(office), 60.0)
    await office.settle(org_id)
    first, second = asked
    await office.publish_all([answered(first, outcome="completed", output={"honest": False, "found": 3})])
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).state == "running"
    await office.publish_all([answered(second, outcome="completed", output={"honest": True, "found": 3})] * 3)
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).output["audited"] is True


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"outcome": "completed", "output": {"honest": "perhaps"}}, "contract"),
        ({"outcome": "completed"}, "contract"),
        ({"outcome": "backward", "output": None}, "contract"),
        ({"outcome": "failed", "reason": "the sandbox is gone", "code": "sandbox"}, "sandbox"),
    ],
)
async def test_an_answer_that_breaks_the_contract_fails_the_step(
    shards: Shards, organisation: Any, members: dict[str, Any], code: str
) -> None:
    org_id, office = await organisation(), Office(shards)
    office.auditor = lambda event: answered(event, **members)
    run = await office.start(org_id, "a", audit=True)
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.code) == ("failed", code)


async def test_a_run_that_is_not_done_by_its_deadline_fails(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    office.auditor = lambda event: None
    run = await office.start(org_id, "a", audit=True, deadline_seconds=90)
    other = await office.start(org_id, "a", audit=True, deadline_seconds=9000)
    await office.settle(org_id)
    await service.sweep(upkeep(office), 100.0)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.code) == ("failed", "deadline")
    assert (await office.runs.show(org_id, other.id)).state == "running"
    await office.settle(org_id)
    assert office.distinct("ai.hal9.neuron.run.failed") == 1


async def test_a_request_that_nobody_took_is_sent_again(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "a")
    await office.fetch(org_id)
    lost, office.waiting = office.waiting, []
    await service.sweep(upkeep(office), 60.0)
    await office.fetch(org_id)
    assert [event for event in office.waiting if event.orgid == str(org_id)] == []
    await service.sweep(upkeep(office), 300.0)
    assert [event.id for event in office.waiting if event.orgid == str(org_id)] == [event.id for event in lost]
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).state == "completed"


async def test_a_request_that_became_a_dead_letter_fails_its_step_and_is_kept(
    shards: Shards, organisation: Any
) -> None:
    org_id, other_org, office = await organisation(), await organisation(), Office(shards, duplicates=3)
    resources = upkeep(office)
    answer = Problem("shard-full").encode()
    run = await office.start(org_id, "a b", "maybegone c")
    await office.fetch(org_id)
    while office.waiting:
        event = office.waiting.pop(0)
        if event.type == "ai.hal9.neuron.step.requested" and catalogue.parse(event).path == "/line0/word1":
            said = base64.b64encode(answer).decode()
            dead = event.with_extensions(
                knativeerrordest="http://neuron-l2", knativeerrorcode="503", knativeerrordata=said
            )
            await service.keep(resources, dead)
        else:
            await office.deliver(event)
        await office.fetch(org_id)
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.code) == ("failed", "undelivered")
    assert run.reason == (
        "/line0/word1: its request could not be delivered to http://neuron-l2: the status 503 "
        "(A database has no space left)"
    )
    page = await service.page(resources, org_id, 10, None)
    [letter] = page.dead_letters
    detail = await service.show(resources, org_id, letter.id)
    assert (detail.destination, detail.error_code, detail.error) == ("http://neuron-l2", 503, answer.decode())
    assert "knativeerrordest" not in detail.event
    assert (detail.event["type"], detail.event["orgid"]) == ("ai.hal9.neuron.step.requested", str(org_id))
    for use in (service.show, service.redrive):
        with pytest.raises(Problem) as refused:
            await use(resources, other_org, letter.id)
        assert refused.value.slug == "not-found"
    redriven = await service.redrive(resources, org_id, letter.id)
    assert redriven.redriven_at is not None
    await office.settle(org_id)  # the run has ended: the request finds nothing to do
    assert (await office.runs.show(org_id, run.id)).state == "failed"
    assert office.distinct("ai.hal9.neuron.run.failed") == 1


async def test_a_request_that_reached_nobody_is_sent_again_and_its_run_completes(
    shards: Shards, organisation: Any
) -> None:
    org_id, office = await organisation(), Office(shards)
    resources = upkeep(office)
    run, request = await started_and_lost(office, org_id)
    for _ in range(3):  # the sink may be told of one failure several times
        await service.keep(resources, request.with_extensions(knativearrivaltime="2026-01-01T00:00:00Z"))
    await office.settle(org_id)
    assert (await office.left(org_id), (await office.runs.show(org_id, run.id)).state) == (1, "running")
    [letter] = (await service.page(resources, org_id, 10, None)).dead_letters
    assert (letter.destination, letter.error_code, letter.attempts) == (deadletters.NOWHERE, None, 1)
    assert letter.redriven_at is not None
    assert letter.redriven_at > datetime.now(UTC)
    await pass_pause(shards, org_id)
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).state == "completed"


async def started_and_lost(office: Office, org_id: UUID) -> tuple[Run, CloudEvent]:
    """Start a run, and take the request of its one step away before anybody gets it."""
    run = await office.start(org_id, "a b")
    await office.fetch(org_id)
    [request] = office.waiting
    office.waiting.clear()
    return run, request


async def pass_pause(shards: Shards, org_id: UUID) -> float:
    """Let the pause of a letter that is sent again be over, as time would; give its seconds."""
    async with shards.transaction(org_id) as tx:
        await tx.execute(
            "UPDATE outbox SET claimed_until = now() - interval '1 s' WHERE org_id = $1 AND claimed_until > now()",
            org_id,
        )
        before: float = await tx.fetchval(
            "SELECT extract(epoch FROM redriven_at - received_at)::float8 FROM dead_letters"
            " WHERE org_id = $1 AND redriven_at > now()",
            org_id,
        )
        await tx.execute("UPDATE dead_letters SET redriven_at = now() WHERE org_id = $1", org_id)
    return before


async def test_what_reaches_nobody_is_sent_again_a_few_times_only_later_each_time(
    shards: Shards, organisation: Any
) -> None:
    org_id, office = await organisation(), Office(shards)
    resources = upkeep(office)
    run, request = await started_and_lost(office, org_id)
    asked = catalogue.new(
        RunRequested(run_id=new_id(), process="tally", input={"lines": ["a"]}),
        id="asked", subject=None, org_id=org_id, source="/t",
    )  # fmt: skip
    for lost in (request, asked):
        await service.keep(resources, lost)
        pauses = []
        for _ in deadletters.PAUSES:
            pauses.append(await pass_pause(shards, org_id))
            await office.fetch(org_id)
            assert [event.id for event in office.waiting] == [lost.id], "sent again, and nothing has failed"
            await service.keep(resources, office.waiting.pop())
        assert pauses == list(deadletters.PAUSES)
        await office.settle(org_id)
    page = await service.page(resources, org_id, 10, None)
    assert {letter.attempts for letter in page.dead_letters} == {1 + len(deadletters.PAUSES)}
    runs = (await office.runs.page(org_id, 9, None, None, None)).runs
    assert {one.id: (one.state, one.code) for one in runs} == {
        run.id: ("failed", "undelivered"),
        catalogue.parse(asked).run_id: ("failed", "undelivered"),
    }
    reason = (await office.runs.show(org_id, run.id)).reason
    assert reason == "its request could not be delivered to anybody: the broker failed"


async def test_a_dead_letter_of_work_that_goes_on_harms_nobody(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "a b")
    await office.fetch(org_id)
    [request] = office.waiting
    claim = await claimed(office, org_id, run)
    await service.keep(upkeep(office), request.with_extensions(knativeerrordest="http://neuron-l4"))
    office.waiting.clear()
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).state == "running"
    await office.store.release(claim.held, Origin(office.source))
    office.waiting.append(request)
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).state == "completed"


async def test_who_sent_a_probe_hears_what_became_of_it(shards: Shards, servers: Servers) -> None:
    resources, name = upkeep(Office(shards)), "0f" * 16
    event = catalogue.new(ProbeRequested(probe=name), id=name, subject=name, org_id=None, source="/probe")
    letter = event.with_extensions(knativeerrordest="http://neuron/events", knativeerrorcode=401, knativeerrordata="no")
    async with hearing(servers.shards_dsn.split(",")[0], name) as heard:
        reply = await service.reply_to_probe(resources, event, name)
        await handlers.probe_answered(Delivery(reply, catalogue.parse(reply), resources, "upkeep"))
        await service.keep(resources, letter)
        told = [await heard.get() for _ in range(3)]
    assert [(one.what, one.text) for one in told] == [
        ("received", ""),
        ("answered", ""),
        ("undelivered", "ai.hal9.upkeep.probe.requested to http://neuron/events: 401 no"),
    ]
    assert (reply.id, reply.orgid) == (f"{name}/answered", None)


async def test_one_organisations_trouble_does_not_stop_the_sweep_of_the_others(
    shards: Shards, organisation: Any
) -> None:
    office = Office(shards)
    organisations = [await organisation() for _ in range(4)]
    runs = [await office.start(org_id, "a") for org_id in organisations]
    for org_id, run in zip(organisations, runs, strict=True):
        await claimed(office, org_id, run)

    class Grumbling(UpkeepStore):
        async def move_on(self, due: Any, moment: Any) -> str:
            if due.org_id == organisations[0]:
                raise ConnectionError
            return await super().move_on(due, moment)

    resources = upkeep(office)
    resources.store = Grumbling(shards, office.source)
    done = await service.sweep(resources, AN_HOUR / 2)
    assert (done["error"], done["retried"] >= 3) == (1, True)


async def test_what_could_not_be_published_is_published_by_the_sweep(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)

    class Away:
        async def publish_all(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
            return [Unpublished("the broker is away")] * len(events)

    run = await office.start(org_id, "a")
    from events.relay import Relay

    await Relay(shards, Away()).drain(org_id)
    assert await office.left(org_id) == 1
    resources = upkeep(office)
    assert (await service.sweep(resources, 0.001))["published"] >= 1
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).state == "completed"


async def test_a_run_whose_request_became_a_dead_letter_has_failed_unless_it_was_started(
    shards: Shards, organisation: Any
) -> None:
    org_id, office = await organisation(), Office(shards)
    resources = upkeep(office)
    requests = []
    for number in range(2):
        run_id = new_id()
        data = RunRequested(run_id=run_id, process="tally", input={"lines": ["a"]})
        requests.append(
            catalogue.new(
                data, id=f"{run_id}/requested", subject=None, org_id=org_id, source="/t", correlationid=f"c{number}"
            )
        )
    lost, late = requests
    await office.publish_all([late])
    await office.settle(org_id)
    for request in (lost, late, lost):
        await service.keep(resources, request.with_extensions(knativeerrordest="http://neuron-l4"))
    await office.publish_all([lost])  # a redrive finds that the run has failed
    await office.settle(org_id)
    states = {run.id: (run.state, run.code) for run in (await office.runs.page(org_id, 9, None, None, None)).runs}
    assert states == {
        catalogue.parse(lost).run_id: ("failed", "undelivered"),
        catalogue.parse(late).run_id: ("completed", None),
    }
    [failed] = [event for event in office.log if event.type == "ai.hal9.neuron.run.failed"]
    assert failed.extensions["correlationid"] == "c0"


async def set_back(servers: Servers, shards: Shards, org_id: UUID) -> None:
    """Have what the organisation has by now be of a clock that was an hour ahead."""
    await clock_was_set_back(servers, (await shards.locate(org_id)).shard, org_id)


async def due_of(shards: Shards, org_id: UUID, ahead_seconds: float = 0.0) -> list[Due]:
    """What a sweep finds of the organisation."""
    shard = (await shards.locate(org_id)).shard
    _, found = await upkeep(Office(shards)).store.due(shard, ahead_seconds, 1000)
    return [due for due in found if due.org_id == org_id]


async def test_a_request_of_before_the_clock_was_set_back_is_sent_again(
    servers: Servers, shards: Shards, organisation: Any
) -> None:
    org_id, office = await organisation(), Office(shards)
    run, request = await started_and_lost(office, org_id)
    assert await due_of(shards, org_id) == []
    await set_back(servers, shards, org_id)
    [due] = await due_of(shards, org_id)
    assert due.step_id == run.tree[0].id
    done = await service.sweep(upkeep(office))
    assert done["reminded"] >= 1
    assert await due_of(shards, org_id) == [], "it is of this clock now"
    await office.fetch(org_id)
    assert [event.id for event in office.waiting if event.orgid == str(org_id)] == [request.id]
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).state == "completed"


async def test_a_lease_of_before_the_clock_was_set_back_is_kept_by_who_lives_and_taken_from_the_dead(
    servers: Servers, shards: Shards, organisation: Any
) -> None:
    (alive, dead), office = [await organisation() for _ in range(2)], Office(shards)
    claims = {}
    for org_id in (alive, dead):
        run, _ = await started_and_lost(office, org_id)
        claims[org_id] = await claimed(office, org_id, run)
        assert await due_of(shards, org_id) == []
        await set_back(servers, shards, org_id)
    assert (await service.sweep(upkeep(office)))["shortened"] >= 2
    for org_id in (alive, dead):
        assert await due_of(shards, org_id) == []
    assert await office.store.renew(claims[alive].held, AN_HOUR / 12)
    assert [due.epoch for due in await due_of(shards, dead, 121.0)] == [0]
    assert await due_of(shards, alive, 121.0) == []
    await service.sweep(upkeep(office), 121.0)
    await office.settle(dead)
    [done] = (await office.runs.page(dead, 9, None, None, None)).runs
    assert done.state == "completed"
    assert not await office.store.renew(claims[dead].held, 10.0)
    assert await office.store.renew(claims[alive].held, 10.0)


async def test_the_longest_lease_there_may_be_is_not_taken_for_one_of_a_clock_that_was_set_back(
    shards: Shards, organisation: Any
) -> None:
    org_id, office = await organisation(), Office(shards)
    [longest] = [one.maximum for _, one in described(NeuronSettings) if one.env == "HAL9_NEURON_LEASE_SECONDS"]
    assert longest is not None
    run, _ = await started_and_lost(office, org_id)
    claim = await claimed(office, org_id, run)
    assert await office.store.renew(claim.held, longest)
    assert await due_of(shards, org_id) == []
    assert await upkeep(office).store.move_on(Due(org_id, run.id, claim.held.step_id, 0), datetime.now(UTC)) == "stale"


async def test_deadlines_may_lie_as_far_ahead_as_they_like(servers: Servers, shards: Shards, organisation: Any) -> None:
    """Also those of before the clock was set back: what was asked of others is answered all the same."""
    org_id, office = await organisation(), Office(shards)
    asked: list[CloudEvent] = []
    office.auditor = asked.append
    run = await office.start(org_id, "a", audit=True, deadline_seconds=86_400)
    await office.settle(org_id)
    await set_back(servers, shards, org_id)
    assert await due_of(shards, org_id) == []
    [step] = [step for step in (await office.runs.show(org_id, run.id)).tree if step.state == "delegated"]
    assert await upkeep(office).store.move_on(Due(org_id, run.id, step.id, 0), datetime.now(UTC)) == "stale"
    await office.publish_all([answered(asked[0], outcome="completed", output={"honest": True, "found": 1})])
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).state == "completed"
