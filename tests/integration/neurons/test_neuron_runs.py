"""Runs from start to end, through handlers and shards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from events import catalogue
from events.catalogue.neuron import RunRequested
from functions.neuron.settings import NeuronSettings
from functions.neuron.transitions import Origin
from shared.identifiers import new_id
from shared.neurons.wire import RunRequest
from shared.problems import Problem
from tests.processes.office import Office
from tests.processes.tally import TALLY

if TYPE_CHECKING:
    from shared.shards import Shards


async def test_a_tree_over_three_layers_completes(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "one two", "three", audit=True)
    assert (run.state, [step.path for step in run.tree]) == ("running", ["/"])
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.output, run.engine) == (
        "completed",
        {"letters": 11, "audited": True, "failures": {}},
        "builtin",
    )
    assert {step.path: (step.executor, step.state) for step in run.tree} == {
        "/": ("neuron-l4", "completed"),
        "/line0": ("neuron-l3", "completed"),
        "/line0/word0": ("neuron-l2", "completed"),
        "/line0/word1": ("neuron-l2", "completed"),
        "/line1": ("neuron-l3", "completed"),
        "/line1/word0": ("neuron-l2", "completed"),
        "/audit": ("auditor", "completed"),
    }
    assert run.steps == 7
    [ended] = [event for event in office.log if event.type == "ai.hal9.neuron.run.completed"]
    assert ended.extensions["correlationid"] == str(run.id)


@pytest.mark.parametrize("seed", range(4))
async def test_every_delivery_tripled_in_any_order_makes_each_effect_once(
    shards: Shards, organisation: Any, seed: int
) -> None:
    org_id, office = await organisation(), Office(shards, duplicates=3, seed=seed)
    run = await office.start(org_id, "a lie here", "and there maybefail", audit=True)
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.revisions) == ("completed", 1)
    assert run.output["letters"] == len("aliehereandtheremaybefail") - len("maybefail")
    assert run.output["audited"]
    [signal] = run.signals
    assert (signal.blame_step, signal.from_step, signal.contract_path) == ("/line0/word1", "/audit", "/letters")
    assert {step.path: step.revision for step in run.tree if step.revision} == {"/line0/word1": 1}
    assert office.distinct("ai.hal9.neuron.run.completed") == 1
    assert await office.left(org_id) == 0


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("fine fail fine", "uncountable", "/line0/word1: this word cannot be counted"),
        ("boom", "body-error", "/line0/word0: the neuron counter failed unexpectedly (RuntimeError)"),
        ("wrong", "contract", "/line0/word0: the neuron counter gave a Word, its contract says Count"),
        ("nul", "contract", "/line0/word0: a Count holds U+0000"),
        ("surrogate", "contract", "/line0/word0: a Count cannot be written as JSON by its own contract"),
        ("mistyped", "contract", "/line0/word0: a Count cannot be written as JSON by its own contract"),
        ("stranger", "contract", "/line0/word0: the process tally has no neuron nobody"),
        ("twice", "contract", "/line0/word0: children need keys of [a-z0-9._-], each its own"),
        ("wide", "limit", "/line0/word0: more than 64 children at once"),
        ("deep", "limit", "/line0/word0/deeper/deeper/deeper/deeper/deeper/deeper: the tree would be deeper than 8"),
        ("endless", "limit", "/line0/word0: more than 32 phases of one step"),
        (
            "thinkhard",
            "no-engine",
            "/line0/word0: counter: this step needs a language model and none is configured for its layer",
        ),
    ],
)
async def test_what_a_body_does_wrong_fails_the_run_with_a_reason(
    shards: Shards, organisation: Any, line: str, code: str, reason: str
) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, line, "other line")
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.code, run.reason) == ("failed", code, reason)
    assert all(step.state in {"completed", "failed", "cancelled"} for step in run.tree)
    [failed] = [event for event in office.log if event.type == "ai.hal9.neuron.run.failed"]
    assert code in str(failed.data)
    assert "secret" not in str(run)


async def test_a_run_makes_at_most_so_many_steps(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards, settings=NeuronSettings(max_steps=5))
    run = await office.start(org_id, "a b", "c d")
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.code, run.steps) == ("failed", "limit", 5)


async def test_an_optional_child_may_fail(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "maybefail good")
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.output["letters"]) == ("completed", 4)
    assert {step.path: step.state for step in run.tree}["/line0/word0"] == "failed"


async def test_exhausted_revisions_settle_with_the_report_and_fail_with_the_output(
    shards: Shards, organisation: Any
) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "a liar", audit=True, revisions_per_step=2)
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.code, run.reason, run.revisions) == ("failed", "not-audited", "the books are wrong", 2)
    assert run.output == {"letters": 100, "audited": False, "failures": {}}
    assert [signal.revision for signal in run.signals] == [1, 2]


async def test_the_cap_of_the_run_holds_over_all_its_steps(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "liar liar liar", audit=True, revisions_per_run=5, revisions_per_step=100)
    await office.settle(org_id)
    assert (await office.runs.show(org_id, run.id)).revisions == 3


async def test_a_process_that_fails_when_exhausted_fails(shards: Shards, organisation: Any) -> None:
    strict = msgspec.structs.replace(TALLY, exhausted="fail")
    org_id, office = await organisation(), Office(shards, processes=(strict,))
    run = await office.start(org_id, "liar", audit=True, revisions_per_step=1)
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.code, run.reason) == (
        "failed",
        "revisions-exhausted",
        "/audit: sent back too often: liar was miscounted",
    )


async def test_a_step_may_blame_those_above_it(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "blame", "b c", revisions_per_step=2)
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.code, run.revisions) == ("failed", "revisions-exhausted", 2)
    assert {signal.blame_step for signal in run.signals} == {"/"}


async def test_cancelling_stops_every_step_and_says_so_once(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards, duplicates=3)
    run = await office.start(org_id, "a b c")
    for _ in range(3):
        run = await office.runs.cancel(org_id, Origin(office.source), run.id, "tester")
    assert (run.state, run.reason, {step.state for step in run.tree}) == (
        "cancelled",
        "cancelled by tester",
        {"cancelled"},
    )
    await office.settle(org_id)
    assert office.distinct("ai.hal9.neuron.run.cancelled") == 1
    done = await office.start(org_id)
    await office.settle(org_id)
    with pytest.raises(Problem) as refused:
        await office.runs.cancel(org_id, Origin(office.source), done.id, "tester")
    assert (refused.value.slug, refused.value.members["state"]) == ("run-ended", "completed")


async def test_another_organisations_run_is_like_one_that_is_not_there(shards: Shards, organisation: Any) -> None:
    mine, yours, office = await organisation(), await organisation(), Office(shards)
    run = await office.start(mine, "a")
    told = []
    for org_id, run_id in ((yours, run.id), (yours, new_id()), (mine, new_id())):
        for use in (
            office.runs.show(org_id, run_id),
            office.runs.cancel(org_id, Origin(office.source), run_id, "x"),
            office.runs.replay(org_id, Origin(office.source), "x", run_id),
        ):
            with pytest.raises(Problem) as refused:
                await use
            told.append((refused.value.status, refused.value.document()))
    assert all(each == told[0] for each in told)
    assert told[0][0] == 404
    assert (await office.runs.page(yours, 50, None, None, None)).runs == []
    assert (await office.runs.show(mine, run.id)).state == "running"


async def test_the_same_idempotency_key_is_the_same_run(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    first, *others = await asyncio.gather(*(office.start(org_id, "a b", key="k1") for _ in range(8)))
    assert {run.id for run in others} == {first.id}
    with pytest.raises(Problem) as refused:
        await office.start(org_id, "something else", key="k1")
    assert refused.value.slug == "idempotency-mismatch"
    other_org = await organisation()
    assert (await office.start(other_org, "a b", key="k1")).id != first.id
    assert len((await office.runs.page(org_id, 50, None, None, None)).runs) == 1


async def test_pages_are_stable_while_runs_are_added(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    ids = [(await office.start(org_id)).id for _ in range(7)]
    page = await office.runs.page(org_id, 3, None, None, None)
    found = [run.id for run in page.runs]
    await office.start(org_id)
    while page.next_cursor is not None:
        page = await office.runs.page(org_id, 3, page.next_cursor, "tally", "running")
        found += [run.id for run in page.runs]
    assert found == ids[::-1]
    for cursor in ("x", "!!!!", "é", "AAAA"):
        with pytest.raises(Problem) as refused:
            await office.runs.page(org_id, 3, cursor, None, None)
        assert refused.value.slug == "cursor-invalid"


async def test_input_is_refused_with_every_fault(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    request = RunRequest(process="tally", input={"lines": [1, "a", None], "extra": True})
    with pytest.raises(Problem) as refused:
        await office.runs.start(org_id, Origin(office.source), "x", request, None)
    assert {fault["pointer"] for fault in refused.value.members["errors"]} == {"/lines/0", "/lines/2", "/extra"}
    with pytest.raises(Problem) as unknown:
        await office.runs.start(org_id, Origin(office.source), "x", RunRequest(process="nope", input={}), None)
    assert (unknown.value.slug, unknown.value.members["processes"]) == ("process-unknown", ["tally"])


async def test_the_stream_resumes_where_it_was_and_ends_with_the_run(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "one two", audit=True)
    seen: list[Any] = []

    async def follow() -> None:
        seen.extend([event async for event in office.runs.watch(org_id, run.id, 0) if event is not None])

    follower = asyncio.create_task(follow())
    await office.settle(org_id)
    await follower
    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
    assert (seen[0].type, seen[-1].type) == ("run.started", "run.completed")
    again = [event async for event in office.runs.watch(org_id, run.id, seen[4].sequence) if event is not None]
    assert again == seen[5:]
    assert (await office.runs.show(org_id, run.id)).last_event == seen[-1].sequence


async def test_a_run_asked_for_by_an_event_answers_by_an_event(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards, duplicates=3)
    for process, lines, expected in (
        ("tally", ["a bc"], "completed"),
        ("tally", [1], "failed"),
        ("nope", [], "failed"),
    ):
        run_id = new_id()
        data = RunRequested(run_id=run_id, process=process, input={"lines": lines})
        event = catalogue.new(
            data,
            id=f"{run_id}/requested",
            subject=str(run_id),
            org_id=org_id,
            source="/test",
            correlationid="project-7",
        )
        await office.publish_all([event])
        await office.settle(org_id)
        assert (await office.runs.show(org_id, run_id)).state == expected
        [ended] = [each for each in office.log if each.id == f"{run_id}/ended"]
        assert (ended.type, ended.extensions["correlationid"]) == (f"ai.hal9.neuron.run.{expected}", "project-7")
