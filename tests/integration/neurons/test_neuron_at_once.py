"""Steps that are worked on before they are claimed: one transaction, the same promises."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import pytest
from pydantic import BaseModel, ConfigDict

from events import catalogue, subscriber
from events.catalogue.neuron import StepFailed
from functions.neuron import handlers, points
from functions.neuron.settings import NeuronSettings
from functions.neuron.transitions import Origin
from functions.upkeep import service
from functions.upkeep.resources import UpkeepSettings
from functions.upkeep.store import Store as UpkeepStore
from shared import deadlines
from shared.chaos import Killed, observed
from shared.neurons import Complete
from shared.problems import Problem
from tests.integration.neurons.test_neuron_money import Priced
from tests.processes.office import Office
from tests.processes.tally import TALLY, Count

if TYPE_CHECKING:
    from collections.abc import Callable

    from events import CloudEvent
    from knative.platform.servers import Servers
    from shared.neurons import Process, Result, Work
    from shared.shards import Shards

STEP = "ai.hal9.neuron.step.requested"


def counting_by(work: Callable[[Work[Any]], Result[Any]], **members: Any) -> Process:
    """The tally, with another counter."""
    bodies = tuple(
        msgspec.structs.replace(body, work=work, **members) if body.name == "counter" else body for body in TALLY.bodies
    )
    return msgspec.structs.replace(TALLY, bodies=bodies)


def unhurried(shards: Shards) -> Office:
    """Give an office that claims no step before its work is done, however slow the machine is."""
    return Office(shards, unclaimed_seconds=60.0, settings=NeuronSettings(lease_seconds=600))


def stripped(event: CloudEvent) -> CloudEvent:
    """A request as the release before sent it."""
    return event.with_extensions(process=None)


async def counted(office: Office, org_id: Any, *lines: str) -> tuple[Any, CloudEvent]:
    """Start a run and do everything up to the request for its first counter."""
    run = await office.start(org_id, *lines)
    while True:
        await office.fetch(org_id)
        for event in office.waiting:
            if event.type == STEP and catalogue.parse(event).path == "/line0/word0":
                office.waiting.remove(event)
                return run, event
        await office.deliver(office.waiting.pop())


def passing(name: str, office: Office, event: CloudEvent) -> tuple[asyncio.Task[None], asyncio.Event]:
    """Deliver an event in a task of its own, and say when it passes a point."""
    passed = asyncio.Event()

    def look(point: str) -> None:
        if point == name:
            passed.set()

    with observed(look):
        return asyncio.create_task(office.deliver(event)), passed


async def step_of(office: Office, org_id: Any, run: Any, path: str = "/line0/word0") -> Any:
    """One step as the run shows it."""
    return next(step for step in (await office.runs.show(org_id, run.id)).tree if step.path == path)


async def told(office: Office, org_id: Any, run: Any, step_id: Any) -> list[tuple[str, Any]]:
    """What the stream has said of a step so far: types and data."""
    return [
        (row["type"], row["data"])
        for row in await office.store.events(org_id, run.id, 0, 1000)
        if row["step_id"] == step_id
    ]


async def test_a_step_that_needs_only_its_input_is_one_round_trip_and_tells_the_same(
    shards: Shards, organisation: Any
) -> None:
    org_id, office = await organisation(), unhurried(shards)
    run, event = await counted(office, org_id, "abc de")
    assert event.extensions["process"] == "tally"
    assert catalogue.parse(event).input == {"word": "abc"}
    before = office.store.round_trips
    await office.deliver(event)
    assert office.store.round_trips - before == 1
    step = await step_of(office, org_id, run)
    assert (step.state, step.engine, step.epoch) == ("completed", "builtin", 0)
    assert step.created_at <= step.started_at <= step.finished_at
    assert [kind for kind, _ in await told(office, org_id, run, step.id)] == [
        "step.requested", "step.started", "step.completed",
    ]  # fmt: skip
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).output["letters"] == 5


async def test_it_tells_what_a_claimed_step_tells(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), unhurried(shards)
    told_of = []
    for change in (lambda event: event, stripped):
        run, event = await counted(office, org_id, "abc de")
        before = office.store.round_trips
        await office.deliver(change(event))
        step = await step_of(office, org_id, run)
        told_of.append((office.store.round_trips - before, await told(office, org_id, run, step.id)))
        await office.settle(org_id)
    (at_once, one), (claimed, other) = told_of
    assert (at_once, claimed) == (1, 2)
    assert one == other


class Older(BaseModel):
    """What the release before took a word for."""

    model_config = ConfigDict(extra="forbid")
    text: str


async def test_what_one_release_cannot_read_is_left_to_the_other(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    work = TALLY.body("counter").work
    assert work is not None
    older = Office(shards, processes=(counting_by(work, input=Older),))
    run, event = await counted(office, org_id, "abc de")
    for sent in (event, stripped(event)):
        await older.deliver(sent)
        assert older.waiting == [sent]  # again, please
        older.waiting.clear()
    await office.deliver(event)
    assert (await step_of(office, org_id, run)).state == "completed"
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).output["letters"] == 5


async def test_duplicates_may_work_twice_and_write_once(shards: Shards, organisation: Any) -> None:
    meet, calls = threading.Barrier(3, timeout=20), []

    def together(work: Work[Any]) -> Result[Any]:
        calls.append(work.path)
        if len(calls) <= 3:
            meet.wait()
        return Complete(Count(letters=len(work.input.word)))

    org_id = await organisation()
    office = Office(shards, processes=(counting_by(together),), settings=NeuronSettings(lease_seconds=600))
    run, event = await counted(office, org_id, "abc")
    # Three processes: each of them works before any has completed, unless it comes so late that it must claim.
    await asyncio.gather(*(office.deliver(event) for _ in range(3)))
    assert calls == ["/line0/word0"] * 3
    await office.settle(org_id)
    done = await office.runs.show(org_id, run.id)
    assert (done.state, done.output["letters"], done.steps) == ("completed", 3, 3)
    step = await step_of(office, org_id, run)
    assert [kind for kind, _ in await told(office, org_id, run, step.id)].count("step.completed") == 1
    await office.deliver(event)
    assert len(calls) == 4
    assert (await office.runs.show(org_id, run.id)).finished_at == done.finished_at


async def test_work_that_lasts_is_claimed_before_it_ends(shards: Shards, organisation: Any) -> None:
    go = threading.Event()
    calls = []

    def slow(work: Work[Any]) -> Result[Any]:
        calls.append(work.path)
        assert go.wait(30)
        return Complete(Count(letters=len(work.input.word)))

    org_id, office = await organisation(), Office(shards, processes=(counting_by(slow),))
    run, event = await counted(office, org_id, "abc")
    working, claimed = passing(points.CLAIM_COMMITTED, office, event)
    try:
        await asyncio.wait_for(claimed.wait(), 20)
        assert (await step_of(office, org_id, run)).state == "running"
        before = office.store.round_trips
        await office.deliver(stripped(event))  # somebody has it: nothing to do
        assert (office.store.round_trips - before, len(calls)) == (1, 1)
    finally:
        go.set()
    await working
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).output["letters"] == 3
    assert len(calls) == 1


async def test_work_that_lasts_for_a_run_that_has_ended_is_given_up(shards: Shards, organisation: Any) -> None:
    go, begun = threading.Event(), threading.Event()

    def slow(work: Work[Any]) -> Result[Any]:
        begun.set()
        assert go.wait(30)
        return Complete(Count(letters=len(work.input.word)))

    org_id, office = await organisation(), Office(shards, processes=(counting_by(slow),))
    run, event = await counted(office, org_id, "abc")
    await office.store.cancel(org_id, Origin(office.source), run.id, "tester")
    working = asyncio.ensure_future(office.runtime.work(org_id, Origin(office.source), catalogue.parse(event), "tally"))
    try:
        assert await asyncio.wait_for(working, 20) == "stale"  # although the work itself goes on
        assert begun.is_set()
    finally:
        go.set()
    assert (await step_of(office, org_id, run)).state == "cancelled"


async def test_what_may_cost_money_is_claimed_first(shards: Shards, organisation: Any) -> None:
    org_id, engine = await organisation(), Priced(hold=asyncio.Event())
    office = Office(shards, engine=engine)
    run, event = await counted(office, org_id, "thinkhard")
    assert event.extensions["process"] == "tally"
    working, reserved = passing(points.RESERVED, office, event)
    assert engine.hold is not None
    await asyncio.wait_for(reserved.wait(), 20)
    assert (await step_of(office, org_id, run)).state == "running"
    await office.deliver(event)
    engine.hold.set()
    await working
    await office.settle(org_id)
    assert ((await office.runs.show(org_id, run.id)).state, len(engine.asked)) == ("completed", 1)


async def test_who_dies_over_it_each_time_ends_as_a_dead_letter(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), unhurried(shards)
    run, event = await counted(office, org_id, "abc")

    def kill(name: str) -> None:
        if name == points.WORKED:
            raise Killed(name)

    for _ in range(3):
        with observed(kill), pytest.raises(Killed):
            await office.deliver(event)
    assert (await step_of(office, org_id, run)).state == "requested"
    data = catalogue.parse(event)
    undelivered = catalogue.new(
        StepFailed(run_id=run.id, step_id=data.step_id, epoch=data.epoch, phase=0, reason="nobody survives it"),
        id=f"{event.id}/failed", subject=str(run.id), org_id=org_id, source="/regions/us-west/functions/upkeep",
    )  # fmt: skip
    await office.deliver(undelivered)
    await office.deliver(event)  # too late
    ended = await office.runs.show(org_id, run.id)
    assert (ended.state, ended.code) == ("failed", "undelivered")


async def test_only_a_first_try_with_a_small_input_is_carried(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run, event = await counted(office, org_id, "abc")
    data = catalogue.parse(event)
    assert await office.store.claim(org_id, Origin(office.source), run.id, data.step_id, 0, 0, 10.0)
    resources: Any = SimpleNamespace(
        shards=shards, publisher=office, relay=office.relay, store=UpkeepStore(shards, office.source),
        settings=UpkeepSettings(region="us-west"),
    )  # fmt: skip
    await service.sweep(resources, 20.0)
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).output["letters"] == 3
    carried = {
        (step.path, step.epoch, step.phase): "process" in event.extensions
        for event in office.log
        if event.type == STEP and (step := catalogue.parse(event)) and step.run_id == run.id
    }
    assert carried == {
        ("/", 0, 0): True,
        ("/line0", 0, 0): True,
        ("/line0/word0", 0, 0): True,
        ("/line0/word0", 1, 0): False,
        ("/line0", 0, 1): False,
        ("/", 0, 1): False,
    }
    _, event = await counted(office, org_id, "a" * 20_000)
    assert "process" not in event.extensions
    assert catalogue.parse(event).input is None
    await office.deliver(event)
    await office.settle(org_id)


async def test_a_request_that_names_what_is_not_there_is_done_as_any_other(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run, event = await counted(office, org_id, "abc")
    for name, data in (("unheard-of", {"word": "abc"}), ("tally", {"word": 7})):
        found = office.runtime._carried(name, catalogue.parse(event).model_copy(update={"input": data}))
        assert found is None
    await office.deliver(event.with_extensions(process="unheard-of"))
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).output["letters"] == 3


@pytest.mark.parametrize("brief", [True, False])
async def test_only_a_brief_body_runs_without_a_thread(shards: Shards, organisation: Any, brief: bool) -> None:
    where = []

    def count(work: Work[Any]) -> Result[Any]:
        where.append(threading.get_ident())
        return Complete(Count(letters=len(work.input.word)))

    org_id, office = await organisation(), Office(shards, processes=(counting_by(count, brief=brief),))
    _, event = await counted(office, org_id, "abc")
    await office.deliver(event)
    assert (where == [threading.get_ident()]) is brief


async def test_what_cannot_be_completed_is_delivered_again(shards: Shards, organisation: Any) -> None:
    def fail(work: Work[Any]) -> Result[Any]:
        raise RuntimeError(f"a bug that {work.path} brings out")

    org_id, office = await organisation(), Office(shards, processes=(counting_by(fail),))
    run, event = await counted(office, org_id, "abc")
    delivery = subscriber.Delivery(event, catalogue.parse(event), office, "neuron")
    await handlers.HANDLERS[event.type](delivery)
    assert ((await office.runs.show(org_id, run.id)).code) == "body-error"
    assert [kind for kind, _ in await told(office, org_id, run, (await step_of(office, org_id, run)).id)] == [
        "step.requested", "step.started", "step.failed",
    ]  # fmt: skip


async def test_an_organisation_that_moves_is_waited_for(shards: Shards, servers: Servers, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run, event = await counted(office, org_id, "abc")
    shard = (await shards.locate(org_id)).shard
    owner = await asyncpg.connect(servers.shards_admin_dsn.split(",")[shard])
    try:
        await owner.execute("UPDATE tenants SET state = 'draining' WHERE org_id = $1", org_id)
        with deadlines.deadline(0.2), pytest.raises(Problem) as moving:
            await office.deliver(event)
        assert moving.value.slug in {"organisation-moving", "deadline-exceeded"}
        await owner.execute("UPDATE tenants SET state = 'active' WHERE org_id = $1", org_id)
    finally:
        await owner.close()
    assert (await step_of(office, org_id, run)).state == "requested"
    await office.deliver(event)
    assert (await step_of(office, org_id, run)).state == "completed"
