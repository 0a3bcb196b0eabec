"""Budgets, journal and replays: what is paid once, what is never paid twice, and what cannot be paid."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from functions.neuron.ledger import JournalLedger
from functions.neuron.settings import NeuronSettings
from functions.neuron.transitions import Origin
from shared.neurons import BudgetExhausted, Reply, Thought, Unbilled
from shared.problems import Problem
from tests.processes.office import Office, answered

if TYPE_CHECKING:
    from uuid import UUID

    from shared.neurons import Ledger, Question
    from shared.shards import Shards

PRICE = 100


@dataclass
class Priced:
    """An engine that pays for each answer, and remembers what it was asked.

    Attributes:
        price: What an answer costs.
        most: What is reserved for it.
        asked: Every prompt that was paid for.
        faults: Raised instead of an answer, once for each.
        hold: What an answer waits for.
    """

    price: int = PRICE
    most: int = PRICE
    asked: list[str] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def think(self, question: Question[Any], ledger: Ledger) -> Thought[Any]:
        """Answer with the number of letters of the word in the prompt."""

        async def make() -> Reply:
            if self.faults:
                raise self.faults.pop()
            if self.hold is not None:
                await self.hold.wait()
            self.asked.append(question.prompt)
            letters = len(question.prompt.split()[-1].rstrip("?"))
            return Reply(f'{{"letters": {letters}}}', self.price, "scripted/1")

        reply = await ledger.call(question.prompt, self.most, make)
        return Thought(question.answer.model_validate_json(reply.text), "model", reply.model)


async def budget(office: Office, org_id: UUID) -> tuple[int, int, int]:
    """What the organisation has spent and holds, and how many reservations there are."""
    async with office.shards.transaction(org_id) as tx:
        [row] = await tx.fetch("SELECT coalesce(sum(spent), 0), coalesce(sum(reserved), 0) FROM budgets")
        return int(row[0]), int(row[1]), await tx.fetchval("SELECT count(*) FROM reservations")


async def test_fifty_runs_at_once_against_a_cap_that_fits_ten(shards: Shards, organisation: Any) -> None:
    org_id, engine = await organisation(), Priced()
    office = Office(shards, engine=engine, cap=10 * PRICE + PRICE // 2)
    runs = await asyncio.gather(*(office.start(org_id, "thinkhard") for _ in range(50)))
    await office.settle(org_id, at_once=50)
    ended = [await office.runs.show(org_id, run.id) for run in runs]
    assert sorted(run.state for run in ended) == ["completed"] * 10 + ["failed"] * 40
    assert {run.code for run in ended} == {None, "budget-exhausted"}
    assert len(engine.asked) == 10
    assert sum(run.cost_microdollars for run in ended) == 10 * PRICE
    assert await budget(office, org_id) == (10 * PRICE, 0, 0)


async def test_a_cap_that_is_raised_or_lowered_is_in_force_at_once(shards: Shards, organisation: Any) -> None:
    org_id, states = await organisation(), []
    for cap in (1, 1, 2, 1, 3):
        office = Office(shards, engine=Priced(), cap=cap * PRICE)
        run = await office.start(org_id, "thinkhard")
        await office.settle(org_id)
        states.append((await office.runs.show(org_id, run.id)).state)
    assert states == ["completed", "failed", "completed", "failed", "completed"]


async def test_the_cap_of_a_run_holds_while_its_steps_spend_at_once(shards: Shards, organisation: Any) -> None:
    org_id, engine = await organisation(), Priced()
    office = Office(shards, engine=engine)
    run = await office.start(org_id, " ".join(f"think{n}" for n in range(30)), cost_microdollars=4 * PRICE)
    await office.settle(org_id, at_once=30)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.cost_microdollars, run.reserved_microdollars) == ("completed", 4 * PRICE, 0)
    assert len(engine.asked) == 4
    engines = [step.engine for step in run.tree if step.body == "counter"]
    assert (engines.count("model"), engines.count("builtin"), run.engine) == (4, 26, "model")
    assert {step.note for step in run.tree if step.engine == "builtin" and step.body == "counter"} == {
        "the run's budget does not hold another call"
    }


async def test_a_replay_costs_nothing_asks_nobody_and_gives_the_same(shards: Shards, organisation: Any) -> None:
    org_id, engine = await organisation(), Priced()
    office = Office(shards, engine=engine, duplicates=3)
    first = await office.start(org_id, "thinkhard lie think", "thinkhard", audit=True)
    await office.settle(org_id)
    first = await office.runs.show(org_id, first.id)
    assert (first.state, first.cost_microdollars, len(engine.asked)) == ("completed", 3 * PRICE, 3)
    office.auditor = lambda event: pytest.fail("a replay asked the auditor again")
    replayed = await office.runs.replay(org_id, Origin(office.source), "tester", first.id)
    assert replayed.replay_of == first.id
    await office.settle(org_id)
    replayed = await office.runs.show(org_id, replayed.id)
    assert (replayed.state, replayed.output, replayed.engine) == (first.state, first.output, first.engine)
    assert (replayed.cost_microdollars, len(engine.asked), replayed.revisions) == (0, 3, first.revisions)
    again = await office.runs.replay(org_id, Origin(office.source), "tester", replayed.id)
    await office.settle(org_id)
    again = await office.runs.show(org_id, again.id)
    assert (again.state, again.output, again.replay_of, again.cost_microdollars) == (
        "completed", first.output, replayed.id, 0,
    )  # fmt: skip
    assert await budget(office, org_id) == (3 * PRICE, 0, 0)


async def test_a_replay_may_be_asked_for_with_a_key(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    first, second = await office.start(org_id, "a"), await office.start(org_id, "b")
    origin = Origin(office.source)
    replays = [await office.runs.replay(org_id, origin, "tester", first.id, "key") for _ in range(3)]
    assert len({replay.id for replay in replays}) == 1
    with pytest.raises(Problem) as refused:
        await office.runs.replay(org_id, origin, "tester", second.id, "key")
    assert refused.value.slug == "idempotency-mismatch"


async def test_a_replay_of_what_was_cut_off_cannot_spend(shards: Shards, organisation: Any) -> None:
    org_id, engine = await organisation(), Priced()
    office = Office(shards, engine=engine)
    first = await office.start(org_id, "thinkhard")
    await office.runs.cancel(org_id, Origin(office.source), first.id, "tester")
    replayed = await office.runs.replay(org_id, Origin(office.source), "tester", first.id)
    await office.settle(org_id)
    replayed = await office.runs.show(org_id, replayed.id)
    assert (replayed.state, replayed.code, engine.asked) == ("failed", "budget-exhausted", [])


async def test_a_replay_asks_the_delegate_only_for_what_the_journal_does_not_know(
    shards: Shards, organisation: Any
) -> None:
    org_id, office = await organisation(), Office(shards, duplicates=2)
    office.auditor = lambda event: None
    first = await office.start(org_id, "a b", audit=True)
    await office.settle(org_id)
    await office.runs.cancel(org_id, Origin(office.source), first.id, "tester")
    office.auditor = None
    replayed = await office.runs.replay(org_id, Origin(office.source), "tester", first.id)
    await office.settle(org_id)
    replayed = await office.runs.show(org_id, replayed.id)
    assert (replayed.state, replayed.output["audited"]) == ("completed", True)


async def test_a_replay_does_not_repeat_what_failed_outside_of_the_run(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards, duplicates=2)
    office.auditor = lambda event: answered(event, outcome="failed", code="storage-full", reason="no space left")
    first = await office.start(org_id, "a b", audit=True)
    await office.settle(org_id)
    first = await office.runs.show(org_id, first.id)
    assert (first.state, first.code) == ("failed", "storage-full")
    assert "no space left" in (first.reason or "")
    office.auditor = None
    replayed = await office.runs.replay(org_id, Origin(office.source), "tester", first.id)
    await office.settle(org_id)
    assert (await office.runs.show(org_id, replayed.id)).state == "completed"


@pytest.mark.parametrize(("fault", "spent"), [(Unbilled("429"), PRICE), (TimeoutError("no answer"), PRICE + 150)])
async def test_a_call_in_doubt_counts_in_full_and_an_unbilled_one_not_at_all(
    shards: Shards, organisation: Any, fault: Exception, spent: int
) -> None:
    org_id, engine = await organisation(), Priced(most=150, faults=[fault])
    office = Office(shards, engine=engine)
    run = await office.start(org_id, "thinkhard")
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    # The engine's fault passed, so that the second try has its answer.
    assert (run.state, run.cost_microdollars) == ("completed", spent)
    assert await budget(office, org_id) == (spent, 0, 0)


async def test_the_built_in_takes_over_from_an_engine_that_fails(shards: Shards, organisation: Any) -> None:
    org_id, engine = await organisation(), Priced(faults=[TimeoutError("with a secret")])
    office = Office(shards, engine=engine)
    run = await office.start(org_id, "think")
    await office.settle(org_id)
    run = await office.runs.show(org_id, run.id)
    [step] = [step for step in run.tree if step.body == "counter"]
    assert (run.state, step.engine, step.note) == ("completed", "builtin", "the engine failed (TimeoutError)")


async def test_money_held_by_a_lost_step_counts_as_spent_until_its_caller_says_otherwise(
    shards: Shards, organisation: Any
) -> None:
    org_id, engine = await organisation(), Priced(hold=asyncio.Event(), most=500)
    office = Office(shards, engine=engine, settings=NeuronSettings(lease_seconds=1000))
    run = await office.start(org_id, "thinkhard")
    working = asyncio.create_task(office.settle(org_id))
    await reached(lambda: budget(office, org_id), (0, 500, 1))
    await office.runs.cancel(org_id, Origin(office.source), run.id, "tester")
    assert await budget(office, org_id) == (500, 0, 1)
    assert engine.hold is not None
    engine.hold.set()
    await working
    assert await budget(office, org_id) == (PRICE, 0, 0)
    run = await office.runs.show(org_id, run.id)
    assert (run.state, run.cost_microdollars) == ("cancelled", PRICE)


async def test_two_tries_of_one_step_pay_once(shards: Shards, organisation: Any) -> None:
    org_id, office = await organisation(), Office(shards)
    run = await office.start(org_id, "a")
    await office.fetch(org_id)
    [event] = office.waiting
    claim = await office.store.claim(org_id, Origin(office.source), run.id, run.tree[0].id, 0, 0, 10.0)
    assert claim is not None
    assert event.extensions["executor"] == "neuron-l4"

    async def make() -> Reply:
        return Reply("answer", 7, "m")

    ledger = JournalLedger(office.store, claim)
    first = await ledger.call("request", 10, make)
    second = await ledger.call("request", 10, make)
    assert (first.journalled, second.journalled, second.text, second.cost_microdollars) == (False, True, "answer", 0)
    assert (await office.runs.show(org_id, run.id)).cost_microdollars == 7
    with pytest.raises(BudgetExhausted):
        await ledger.call("other", 10**9, make)


async def reached(look: Any, wanted: Any) -> None:
    """Wait until what is looked at is what is wanted."""
    async with asyncio.timeout(20):
        while (found := await look()) != wanted:
            assert found is not None
            await asyncio.sleep(0.02)
