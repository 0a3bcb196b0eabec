"""Quotas on real shards: a hard limit holds exactly whatever the cache does, and a use counts once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from click.testing import CliRunner

from events import catalogue
from events.catalogue.upkeep import UsageRecorded
from events.subscriber import Delivery
from functions.neuron.transitions import Origin
from functions.upkeep import handlers, usage
from knative.cli.main import main
from shared.cache import Cache
from shared.clock import ManualClock, SystemClock
from shared.database.migrations import read as migrations
from shared.identifiers import new_id
from shared.neurons import Reply, Thought
from shared.problems import Problem
from shared.quotas import COST, EVENTS, RUNS, STORAGE, TIERS, QuotaSettings, Tiers
from shared.quotas import usage as uses
from shared.quotas.gates import GATE_SECONDS, Gates, Standing, gate, read, warning
from shared.quotas.usage import QuotaExceededError, Use, take
from shared.settings import SettingsError
from shared.shards.calls import Calls
from shared.shards.organisations import change_tier, organisation_id
from tests.processes.office import Office

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.neurons import Ledger, Question
    from shared.quotas import Allowance
    from shared.shards import Shards

    Organisation = Callable[[], Awaitable[UUID]]

SENDER = "/regions/us-west/functions/upkeep"


def tiers(**limits: int) -> Tiers:
    return Tiers({"professional": limits})


def allowed(meter: Any, hard: int) -> Allowance:
    return tiers(**{meter.name: hard}).allowance("professional", meter)


def a_use(amount: int = 1, name: str | None = None) -> Use:
    return Use(SENDER, "test", name or str(new_id()), amount)


def upkeep(shards: Shards, cache: Cache, limits: Tiers) -> Any:
    clock = SystemClock()
    return SimpleNamespace(shards=shards, clock=clock, tiers=limits, gates=Gates(cache, clock), source=SENDER)


async def used(shards: Shards, org_id: UUID) -> dict[str, int]:
    """What counts, of the meters of which anything does."""
    _, counted = await shards.run(org_id, lambda tx: uses.counted(tx, org_id), readonly=True)
    return {name: one.used for name, one in counted.items() if one.used}


async def sent(shards: Shards, org_id: UUID) -> list[dict[str, Any]]:
    """The events of quotas that wait in the outbox."""
    rows = await shards.run(
        org_id,
        lambda tx: tx.fetch("SELECT event FROM outbox WHERE event_type LIKE '%quota%' ORDER BY recorded_at"),
        readonly=True,
    )
    return [json.loads(row["event"]) for row in rows]


@pytest.mark.parametrize("amount", [1, 3])
async def test_a_hard_limit_holds_exactly_under_two_hundred_at_once(
    shards: Shards, organisation: Organisation, amount: int
) -> None:
    org_id, calls, hard = await organisation(), Calls(shards), 100

    outcomes = await asyncio.gather(
        *(uses.take_alone(calls, org_id, a_use(amount), allowed(EVENTS, hard)) for _ in range(200)),
        return_exceptions=True,
    )
    refused = [one for one in outcomes if isinstance(one, Problem)]
    assert {(problem.status, problem.slug) for problem in refused} == {(402, "quota-exceeded")}
    taken = outcomes.count(True)
    assert (taken, len(refused)) == (hard // amount, 200 - taken)
    assert await used(shards, org_id) == {"events": taken * amount}


async def test_a_use_counts_once_whoever_tells_it_how_often(shards: Shards, organisation: Organisation) -> None:
    org_id, calls, use = await organisation(), Calls(shards), a_use(7)
    told = await asyncio.gather(*(uses.take_alone(calls, org_id, use, allowed(EVENTS, 10)) for _ in range(20)))
    assert Counter(told) == {True: 1, False: 19}
    assert await used(shards, org_id) == {"events": 7}


async def test_what_is_rolled_back_was_never_used(shards: Shards, organisation: Organisation) -> None:
    org_id, use = await organisation(), a_use(5)

    async def broken(tx: Any) -> None:
        await take(tx, org_id, use, allowed(STORAGE, 10))
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await shards.run(org_id, broken)
    assert await used(shards, org_id) == {}
    assert await shards.run(org_id, lambda tx: take(tx, org_id, use, allowed(STORAGE, 10)))
    with pytest.raises(QuotaExceededError):
        await shards.run(org_id, lambda tx: take(tx, org_id, a_use(6), allowed(STORAGE, 10)))
    assert await used(shards, org_id) == {"storage": 5}


async def test_the_warning_and_the_limit_are_told_once_each(shards: Shards, organisation: Organisation) -> None:
    org_id, calls = await organisation(), Calls(shards)
    for _ in range(10):
        await uses.take_alone(calls, org_id, a_use(), allowed(EVENTS, 10))
    events = await sent(shards, org_id)
    assert [event["type"].rsplit(".", 1)[1] for event in events] == ["warned", "reached"]
    assert [event["data"]["used"] for event in events] == [8, 10]
    for event in events:
        catalogue.parse(_event(event))


def _event(document: dict[str, Any]) -> Any:
    from events import codec

    return codec.from_structured(json.dumps(document).encode(), max_bytes=1 << 20)


async def test_runs_are_counted_where_they_start_and_refused_at_the_limit(
    shards: Shards, organisation: Organisation
) -> None:
    org_id, office = await organisation(), Office(shards, limits={"runs": 3})
    for key in ("one", "two", "two", "three"):
        run = await office.start(org_id, "a", key=key)
    with pytest.raises(Problem) as refused:
        await office.start(org_id, "a", key="four")
    assert (refused.value.status, refused.value.members["meter"], refused.value.members["limit"]) == (402, "runs", 3)
    assert (await office.start(org_id, "a", key="three")).id == run.id, "what is there already is given again"
    assert await used(shards, org_id) == {"runs": 3}
    assert await office.runs.page(org_id, 10, None, None, None)
    count = await shards.run(org_id, lambda tx: tx.fetchval("SELECT count(*) FROM runs"), readonly=True)
    assert count == 3, "a refused run leaves nothing behind"


async def test_two_hundred_runs_at_once_against_a_limit_of_twenty(shards: Shards, organisation: Organisation) -> None:
    org_id, office = await organisation(), Office(shards, limits={"runs": 20})
    outcomes = await asyncio.gather(*(office.start(org_id, "a") for _ in range(200)), return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, Problem)]
    assert {problem.slug for problem in refused} == {"quota-exceeded"}
    assert (len(outcomes) - len(refused), len(refused)) == (20, 180)
    assert await used(shards, org_id) == {"runs": 20}


async def test_a_run_that_an_event_asks_for_is_born_failed_at_the_limit(
    shards: Shards, organisation: Organisation
) -> None:
    from events.catalogue.neuron import RunRequested

    org_id, office = await organisation(), Office(shards, limits={"runs": 0})
    data = RunRequested(run_id=new_id(), process="tally", input={"lines": ["a"]})
    await office.runs.start_requested(org_id, Origin(office.source), None, data)
    run = await office.runs.show(org_id, data.run_id)
    assert (run.state, run.code) == ("failed", "quota-exceeded")
    assert await used(shards, org_id) == {}


@dataclass
class Talker:
    """An engine whose answers use tokens.

    Attributes:
        tokens: Of an answer; None when the provider does not count them.
        fault: Raised instead of an answer.
    """

    tokens: int | None = 40
    fault: Exception | None = None

    async def think(self, question: Question[Any], ledger: Ledger) -> Thought[Any]:
        """Answer with the number of letters of the word in the prompt."""

        async def make() -> Reply:
            if self.fault is not None:
                raise self.fault
            letters = len(question.prompt.split()[-1].rstrip("?"))
            return Reply(f'{{"letters": {letters}}}', 3, "scripted/1", tokens=self.tokens)

        reply = await ledger.call(question.prompt, 10, make, 100)
        return Thought(question.answer.model_validate_json(reply.text), "model", reply.model)


async def test_tokens_are_held_then_counted_and_the_hard_limit_holds_at_once(
    shards: Shards, organisation: Organisation
) -> None:
    org_id, office = await organisation(), Office(shards, engine=Talker(), limits={"model_tokens": 399})
    await asyncio.gather(*(office.start(org_id, "thinkhard") for _ in range(20)))
    await office.settle(org_id, at_once=20)
    runs = (await office.runs.page(org_id, 50, None, None, None)).runs
    reasons = {run.reason for run in runs if run.state == "failed"}
    completed = sum(run.state == "completed" for run in runs)
    assert 3 <= completed <= 8, "three at once are held, and each gives back what it did not use"
    assert all("model tokens" in (reason or "") for reason in reasons), reasons
    assert await used(shards, org_id) == {"runs": 20, "model_tokens": 40 * completed, "cost": 3 * completed}
    _, counted = await shards.run(org_id, lambda tx: uses.counted(tx, org_id), readonly=True)
    assert counted["model_tokens"].reserved == counted["cost"].reserved == 0


@pytest.mark.parametrize("talker", [Talker(tokens=None), Talker(fault=RuntimeError("cut off"))])
async def test_tokens_that_nobody_counted_count_in_full(
    shards: Shards, organisation: Organisation, talker: Talker
) -> None:
    org_id, office = await organisation(), Office(shards, engine=talker)
    await office.start(org_id, "think")
    await office.settle(org_id)
    assert (await used(shards, org_id))["model_tokens"] == 100


async def test_hours_add_up_to_the_counters_however_many_roll_up_at_once(
    shards: Shards, cache: Cache, organisation: Organisation
) -> None:
    org_id, office = await organisation(), Office(shards, engine=Talker())
    resources = upkeep(shards, cache, Tiers())
    await asyncio.gather(*(office.start(org_id, "thinkhard") for _ in range(8)))
    await asyncio.gather(office.settle(org_id), *(usage.roll_up(resources) for _ in range(4)))
    done = await usage.roll_up(resources)
    assert (done["off"], done["failed"]) == (0, 0)
    shown = await usage.show(resources, org_id, None, 24)
    summed: Counter[str] = Counter()
    for hour in shown.hours:
        summed[hour.meter] += hour.amount
    assert summed == await used(shards, org_id) == {"runs": 8, "model_tokens": 320, "cost": 24}
    again = await usage.roll_up(resources)
    assert again["uses"] == 0


async def test_a_counter_that_was_changed_by_hand_is_set_right(
    shards: Shards, cache: Cache, organisation: Organisation
) -> None:
    org_id, calls = await organisation(), Calls(shards)
    await uses.take_alone(calls, org_id, a_use(3), allowed(EVENTS, 10))
    await shards.run(org_id, lambda tx: tx.execute("UPDATE usage_counters SET used = 9 WHERE org_id = $1", org_id))
    await usage.roll_up(upkeep(shards, cache, Tiers()))
    assert await used(shards, org_id) == {"events": 3}


async def test_what_is_used_elsewhere_is_told_by_an_event_and_counts_beyond_the_limit(
    shards: Shards, cache: Cache, organisation: Organisation
) -> None:
    org_id = await organisation()
    resources = upkeep(shards, cache, tiers(browser_minutes=10))
    data = UsageRecorded(meter="browser_minutes", amount=12)
    event = catalogue.new(data, id="session-1", subject=None, org_id=org_id, source=catalogue.source("browser"))
    for _ in range(3):
        await handlers.usage_recorded(Delivery(event, data, resources, "upkeep"))
    assert await used(shards, org_id) == {"browser_minutes": 12}
    assert [one["type"].rsplit(".", 1)[1] for one in await sent(shards, org_id)] == ["warned", "reached"]


async def test_usage_is_shown_with_limits_states_and_what_nothing_counts_yet(
    shards: Shards, cache: Cache, organisation: Organisation
) -> None:
    org_id, calls = await organisation(), Calls(shards)
    resources = upkeep(shards, cache, tiers(events=10, runs=5))
    await uses.take_alone(calls, org_id, a_use(8), allowed(EVENTS, 10))
    shown = await usage.show(resources, org_id, None, 0)
    meters = {one.meter: one for one in shown.meters}
    assert (shown.tier, shown.month, shown.hours) == ("professional", datetime.now(UTC).strftime("%Y-%m"), [])
    assert [name for name, one in meters.items() if not one.metered] == ["browser_minutes"]
    assert (meters["events"].used, meters["events"].soft, meters["events"].hard) == (8, 8, 10)
    assert [meters[name].state for name in ("events", "runs")] == ["warned", "within"]
    assert meters["storage"].begins_anew_at is None
    assert meters["runs"].begins_anew_at is not None
    earlier = await usage.show(resources, org_id, "2020-02", 0)
    assert not any(one.used for one in earlier.meters)
    for wrong in ("2020-13", "2999-01"):
        with pytest.raises(Problem, match="month-invalid"):
            await usage.show(resources, org_id, wrong, 0)


async def test_gates_follow_postgresql_and_a_lost_cache_changes_nothing(
    shards: Shards, cache: Cache, organisation: Organisation, tmp_path: Any
) -> None:
    org_id, calls = await organisation(), Calls(shards)
    resources = upkeep(shards, cache, tiers(events=5))
    for _ in range(5):
        await uses.take_alone(calls, org_id, a_use(), allowed(EVENTS, 5))
    await usage.roll_up(resources)
    value = await cache.execute("GET", gate(org_id))
    assert isinstance(value, bytes)
    [standing] = read(value)
    assert (standing, standing.closed) == (Standing("events", 5, 5), True)
    assert warning([standing]) == '"events";used=5;limit=5'
    left = await cache.execute("PTTL", gate(org_id))
    assert isinstance(left, int)
    assert 0 < left <= GATE_SECONDS * 1000
    await cache.execute("DEL", gate(org_id))
    with pytest.raises(Problem, match="quota-exceeded"):
        await uses.take_alone(calls, org_id, a_use(), allowed(EVENTS, 5))
    away = Cache(f"unix://{tmp_path}/nobody.sock", 0.2)
    assert not await Gates(away, SystemClock()).write(org_id, [standing])
    assert await uses.take_alone(calls, org_id, a_use(), allowed(EVENTS, 6)), "a tier that allows more opens at once"
    await away.close()


async def test_a_gate_ends_with_its_month_and_what_is_no_gate_says_nothing(cache: Cache) -> None:
    org_id, clock = new_id(), ManualClock(datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC))
    assert await Gates(cache, clock).write(org_id, [Standing("runs", 9, 10), Standing("events", 1, 10)])
    left = await cache.execute("PTTL", gate(org_id))
    assert isinstance(left, int)
    assert 0 < left <= 10_000
    assert read(b'[["runs", 9, 10]]') == (Standing("runs", 9, 10),)
    for nothing in (None, b"", b"{", b"[1]", b'[["horses", 1, 2]]', b'[["runs", "x", 2]]', b"7"):
        assert read(nothing) == ()


async def test_archives_from_before_uses_were_counted_count_as_well(
    shards: Shards, servers: Servers, cache: Cache, organisation: Organisation
) -> None:
    org_id = await organisation()
    where = (await shards.locate(org_id)).shard
    insert = (
        "INSERT INTO artefacts (org_id, artefact_id, run_id, media_type, sha256, size, engine, created_at)"
        " VALUES ($1, $2, $2, 'x', repeat('0', 64), $3, 'builtin', now())"
    )
    async with shards.transaction(org_id) as tx:
        for size in (30, 12):
            await tx.execute(insert, org_id, new_id(), size)
    [file] = (one for one in migrations() if one.name == "storage_used")
    admin = await asyncpg.connect(servers.shards_admin_dsn.split(",")[where])
    for _ in range(2):
        await admin.execute(file.sql)
    await admin.close()
    assert await used(shards, org_id) == {"storage": 42}
    await usage.roll_up(upkeep(shards, cache, Tiers()))
    assert await used(shards, org_id) == {"storage": 42}  # a counter that was off would be set right


async def test_the_operators_command_changes_a_tier_and_takes_it_out_of_the_cache(
    shards: Shards, servers: Servers, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = f"tier-{new_id().hex[-8:]}"
    org_id = organisation_id(slug)
    await shards.create_organisation(org_id, "us-west", slug=slug)
    known = f"cache:{{{org_id}}}:placement:"
    await cache.execute("SET", known, b"1:v:1 1 us-west professional")
    monkeypatch.setenv("HAL9_SHARDS_ADMIN", servers.shards_admin_dsn)
    monkeypatch.setenv("HAL9_CACHE_URL", servers.cache_url)

    def run(*command: str) -> Any:
        return CliRunner().invoke(main, ["organisations", "tier", *command])

    changed = await asyncio.to_thread(run, slug, "free", "--json")
    assert json.loads(changed.output) == {"slug": slug, "tier": "free", "before": "professional"}
    assert await cache.execute("EXISTS", known) == 0
    said = await asyncio.to_thread(run, slug, "starter")
    assert "(before: free)" in said.output
    assert (await asyncio.to_thread(run, "nobody-of-that-name", "free")).exit_code == 1
    assert (await asyncio.to_thread(run, slug, "gold")).exit_code == 2


def test_what_is_wrong_with_the_setting_of_tiers_is_named_whole() -> None:
    given = {"free": {"runs": -1, "horses": 3}, "gold": {}, "starter": 7}
    with pytest.raises(SettingsError) as wrong:
        Tiers.of(QuotaSettings(tiers=json.dumps(given)))
    assert len(wrong.value.faults) == 4
    for text in ("{", "[]"):
        with pytest.raises(SettingsError, match="HAL9_TIERS"):
            Tiers.of(QuotaSettings(tiers=text))
    chosen = Tiers.of(QuotaSettings(tiers='{"free": {"runs": 7}}', organisation_cap=9))
    assert [chosen.allowance("free", meter).hard for meter in (RUNS, COST)] == [7, 9]
    assert chosen.allowance("starter", RUNS).hard == TIERS["starter"]["runs"]


async def test_a_tier_is_changed_by_the_operator_only(
    shards: Shards, servers: Servers, organisation: Organisation
) -> None:
    from shared.database import DatabaseSettings
    from shared.settings import load
    from shared.shards import Shards as AllShards

    org_id = await organisation()
    admin = AllShards.open(load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_admin_dsn}))
    assert (await admin.locate(org_id)).tier == "professional"
    assert await change_tier(admin.directory, org_id, "free") == "professional"
    assert await change_tier(admin.directory, new_id(), "free") is None
    fresh = AllShards.open(load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn}))
    assert (await fresh.locate(org_id)).tier == "free"
    assert Tiers().allowance("free", RUNS).hard < Tiers().allowance("standard", RUNS).hard
    for opened in (admin, fresh):
        await opened.close()
