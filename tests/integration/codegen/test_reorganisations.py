"""Organisations are split and merged: each project has one owner, whoever is killed when, and nobody else sees any."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import asyncpg
import pytest
import pytest_asyncio

from functions.codegen.reorganising import Projects
from functions.gateway.lookups import revocation_mark
from shared import apikeys, chaos
from shared.clock import ManualClock, SystemClock
from shared.datakeys import DataKeys
from shared.datakeys.files import FileMasterKeys
from shared.identifiers import new_id
from shared.objects.directory import DirectoryObjects
from shared.placement import RefusedError, StuckError, catalogue
from shared.problems import Problem
from shared.quotas import Tiers
from shared.randomness import SystemRandomness
from shared.reorganisation import Reorganiser, points, register
from shared.sessions import Sessions, SessionSettings
from shared.settings import load
from shared.shards.organisations import establish, organisation_id, owner_key
from shared.transactions import points as dtx
from shared.transactions import recover
from tests.integration.codegen.test_transfers import BYTES, has, project_of, stored
from tests.integration.data.test_shard_commands import hal9

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.cache import Cache
    from shared.database import Transaction
    from shared.objects import Objects
    from shared.quotas import Allowance, Meter
    from shared.shards import Shards

SOURCE: Final = "/regions/us-west/functions/codegen"
WEST: Final = "us-west"
OWN: Final = (points.ENTERED, points.SHUT, points.TOLD, points.GONE, points.EMPTY)
KILLS: Final = (points.GONE, dtx.PREPARED, dtx.DECIDED, dtx.COMMITTED)

STAYS: Final = {
    "public.artefacts": "goes with the project of its run; without one it stays, as the run's record",
    "public.budgets": "stays: what was spent is spent by who paid",
    "public.dead_letters": "stays: of runs that were the giver's",
    "public.dtx": "stays: decisions of the giver's",
    "public.inbox": "stays: what its runs have heard",
    "public.journal": "stays: what its runs paid for",
    "public.move_markers": "of moves between shards",
    "public.outbox": "stays, and is published: upkeep goes on with a closed organisation",
    "public.projects": "goes",
    "public.reservations": "stays: money of its runs",
    "public.run_events": "stays with the run",
    "public.runs": "stays: with its cost, and its idempotency keys",
    "public.signals": "stays with the run",
    "public.steps": "stays with the run",
    "public.usage_counters": "storage goes with the archives, what a month has used stays",
    "public.usage_hours": "stays",
    "public.usage_records": "stays; what is stored is a use of its own on both sides",
    "public.verifications": "stays: answers to steps of its runs",
}
"""What becomes of each table's rows of an organisation that is split or merged."""


@dataclass
class Stage:
    """What tests work with; has what `project_of` needs of the function's resources."""

    shards: Shards
    objects: Objects
    directory: asyncpg.Connection[asyncpg.Record]
    tiers: Tiers
    clock: SystemClock
    shut: list[tuple[UUID, Sequence[UUID]]]
    source: str = SOURCE

    async def allowance(self, org_id: UUID, meter: Meter) -> Allowance:
        return self.tiers.allowance((await self.shards.locate(org_id)).tier, meter)

    def reorganiser(self, **options: Any) -> Reorganiser:
        """Another process that splits and merges; no time passes in it but what it waits."""

        async def told(org_id: UUID, keys: Sequence[UUID]) -> None:
            self.shut.append((org_id, keys))

        projects = Projects(self.shards, self.objects, self.tiers, self.source)
        given = {"settle_seconds": 0.0, "patience_seconds": 0.0, **options}
        return Reorganiser(self.directory, self.shards, self.tiers, [projects], shut=told, **given)

    async def made(self, shard: int, *, region: str = WEST, pinned: bool = False) -> UUID:
        """A new organisation on a shard, with a key."""
        slug = await self.name_on(shard)
        org_id = organisation_id(slug)
        await self.shards.create_organisation(org_id, region, slug=slug)
        await self.directory.execute("UPDATE directory.organisations SET pinned = $2 WHERE org_id = $1", org_id, pinned)
        assert await establish(self.shards, slug, region, self.clock, SystemRandomness())
        assert (await self.shards.locate(org_id)).shard == shard
        return org_id

    async def name_on(self, shard: int) -> str:
        """A name that nobody has, of an organisation that would be on a shard."""
        topology = await self.shards.topology()
        while True:
            slug = f"o{new_id().hex[12:]}"
            if topology.place(organisation_id(slug), WEST) == shard:
                return slug

    async def project(self, org_id: UUID, *, ended: bool = True) -> UUID:
        """A project with an archive."""
        return (await project_of(cast("Any", self), org_id, ended=ended))[0]

    async def projects(self, org_id: UUID, count: int) -> list[UUID]:
        return [await self.project(org_id) for _ in range(count)]

    async def has(self, org_id: UUID, project_id: UUID) -> bool:
        return await has(cast("Any", self), org_id, project_id)

    async def stored(self, org_id: UUID) -> int:
        return await stored(cast("Any", self), org_id)

    async def owned(self, org_id: UUID) -> set[UUID]:
        """The projects of an organisation, by its own eyes."""
        rows = await self.shards.run(org_id, lambda tx: tx.fetch("SELECT project_id FROM projects"), readonly=True)
        return {row["project_id"] for row in rows}

    async def active_keys(self, org_id: UUID) -> int:
        """How many of its keys open."""
        keys = await apikeys.list_keys(self.shards.directory, org_id, before=None, limit=10)
        return len([key for key in keys if key.active(self.clock.now())])

    async def archives(self, org_id: UUID) -> int:
        return len([name async for name in self.objects.below(f"{org_id}/artefacts")])

    async def everything(self, *org_ids: UUID) -> list[object]:
        """All of what a refusal must leave as it was."""
        rows = await self.directory.fetch(
            "SELECT o.*, array(SELECT revoked_at FROM directory.api_keys k WHERE k.org_id = o.org_id) AS keys"
            " FROM directory.organisations o WHERE org_id = ANY ($1) ORDER BY org_id",
            list(org_ids),
        )
        count = await self.directory.fetchval("SELECT count(*) FROM directory.organisations")
        there = [await self.owned(row["org_id"]) for row in rows]
        return [count, [tuple(row) for row in rows], there, [await self.archives(row["org_id"]) for row in rows]]


@pytest_asyncio.fixture
async def stage(servers: Servers, shards: Shards, tmp_path: Path) -> AsyncIterator[Stage]:
    directory = await asyncpg.connect(servers.postgres[0].dsn("hal9_owner"))
    yield Stage(shards, DirectoryObjects(str(tmp_path / "objects")), directory, Tiers(), SystemClock(), [])
    await directory.close()


def dying_at(name: str) -> Callable[[str], None]:
    def observer(passed: str) -> None:
        if passed == name:
            raise chaos.Killed

    return observer


async def refusal(doing: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        await doing
    return str(caught.value)


OTHER_SHARD: Final = pytest.mark.parametrize("other", [0, 1], ids=["one shard", "two shards"])


@OTHER_SHARD
async def test_a_part_becomes_an_organisation_of_its_own(stage: Stage, other: int) -> None:
    acme, slug = await stage.made(0, pinned=False), await stage.name_on(other)
    await stage.directory.execute("UPDATE directory.organisations SET tier = 'enterprise' WHERE org_id = $1", acme)
    labs = organisation_id(slug)
    goes, keeps = await stage.projects(acme, 2), await stage.projects(acme, 1)
    plan = await stage.reorganiser().plan_split(acme, slug, goes)
    assert ([thing.id for thing in plan.things["projects"]], plan.size, plan.conflicts) == (goes, 2 * len(BYTES), [])
    assert not await stage.directory.fetchval("SELECT true FROM directory.organisations WHERE org_id = $1", labs)
    done = await stage.reorganiser().split(acme, slug, goes)
    assert (done.taker, done.left) == (labs, [])
    assert (await stage.owned(labs), await stage.owned(acme)) == (set(goes), set(keeps))
    assert (await stage.archives(labs), await stage.archives(acme)) == (2, 1)
    assert (await stage.stored(labs), await stage.stored(acme)) == (2 * len(BYTES), len(BYTES))
    placed = await stage.shards.locate(labs, at_least=1)
    assert (placed.shard, placed.region, placed.tier) == (other, WEST, "enterprise")
    assert not await apikeys.list_keys(stage.shards.directory, labs, before=None, limit=10)
    again = await stage.reorganiser().split(acme, slug, goes)
    assert (again.things["projects"], list(again.gone["projects"])) == ([], goes)
    assert await stage.owned(labs) == set(goes)


@OTHER_SHARD
async def test_an_organisation_becomes_part_of_another_and_is_closed(stage: Stage, other: int) -> None:
    labs, acme = await stage.made(0), await stage.made(other)
    goes, there = await stage.projects(labs, 3), await stage.projects(acme, 1)
    [key] = await apikeys.list_keys(stage.shards.directory, labs, before=None, limit=10)
    done = await stage.reorganiser().merge(labs, acme)
    assert [thing.id for thing in done.things["projects"]] == goes
    assert (await stage.owned(acme), await stage.owned(labs)) == ({*goes, *there}, set())
    assert (await stage.archives(acme), await stage.archives(labs)) == (4, 0)
    assert (await stage.stored(acme), await stage.stored(labs)) == (4 * len(BYTES), 0)
    ended = await apikeys.find(stage.shards.directory, key.prefix)
    assert ended is not None
    assert not ended.active(stage.clock.now())
    assert stage.shut == [(labs, [key.key_id])] * 2
    rows = await register.look(stage.directory, [labs, acme])
    states = {one: (row.merged_into, row.closed) for one, row in rows.items()}
    assert states == {labs: (acme, True), acme: (None, False)}
    assert not (await stage.reorganiser().merge(labs, acme)).things["projects"]
    assert len(stage.shut) == 2, "nothing is done twice"
    late = await stage.project(labs)
    await stage.reorganiser().merge(labs, acme)
    assert await stage.owned(acme) == {*goes, *there, late}


async def test_the_name_of_what_was_merged_is_not_given_again(stage: Stage, servers: Servers) -> None:
    labs, acme = await stage.made(0), await stage.made(1)
    await stage.reorganiser().merge(labs, acme)
    slug = await stage.directory.fetchval("SELECT slug FROM directory.organisations WHERE org_id = $1", labs)
    with pytest.raises(Problem) as caught:
        await establish(stage.shards, slug, WEST, stage.clock, SystemRandomness())
    assert (caught.value.status, caught.value.slug, str(acme) in caught.value.detail) == (
        409,
        "organisation-merged",
        True,
    )
    mine = await stage.projects(acme, 1)
    assert "became part of" in await refusal(stage.reorganiser().split(labs, await stage.name_on(0), mine))
    assert "is taken by an organisation that became part" in await refusal(stage.reorganiser().split(acme, slug, mine))
    assert "became part of" in await refusal(stage.reorganiser().merge(acme, labs))
    about = {"HAL9_SHARDS_ADMIN": servers.shards_admin_dsn, "HAL9_SHARDS": servers.shards_dsn}
    done = await hal9("organisations", "create", slug, **about)
    assert (done.returncode, "its name is not given again" in done.stderr) == (1, True)
    listed = json.loads((await hal9("organisations", "list", "--json", **about)).stdout)
    assert [(one["merged_into"], one["closed"]) for one in listed if one["slug"] == slug] == [(str(acme), True)]


async def test_what_is_in_the_way_of_a_merge_is_named_and_nothing_changes(stage: Stage) -> None:
    labs, acme, far = await stage.made(0), await stage.made(1), await stage.made(1, region="eu-central")
    pinned = await stage.made(0, pinned=True)
    [project] = await stage.projects(labs, 1)
    running = await stage.project(labs, ended=False)

    async def twins(tx: Transaction) -> None:
        await tx.execute(
            "INSERT INTO projects (org_id, project_id, run_id, request, language, created_at, state)"
            " VALUES ($1, $2, $3, 'The same id.', 'python', now(), 'failed')",
            acme, project, new_id(),
        )  # fmt: skip

    await stage.shards.run(acme, twins)
    stage.tiers = Tiers({"professional": {"storage": len(BYTES)}})
    before = await stage.everything(labs, acme, far, pinned)
    said = await refusal(stage.reorganiser().merge(labs, acme))
    assert f"projects that still run: {running}" in said
    assert f"projects of whose ids the other organisation has something: {project}" in said
    assert f"may store {len(BYTES)} bytes" in said
    assert said == f"{labs} is not merged: {'; '.join((await stage.reorganiser().plan_merge(labs, acme)).conflicts)}"
    assert "out of their region" in await refusal(stage.reorganiser().merge(labs, far))
    assert "pin it first" in await refusal(stage.reorganiser().merge(pinned, acme))
    assert "the same organisation" in await refusal(stage.reorganiser().merge(labs, labs))
    assert "there is no organisation" in await refusal(stage.reorganiser().merge(labs, new_id()))
    assert await stage.everything(labs, acme, far, pinned) == before
    assert stage.shut == []


async def test_what_is_in_the_way_of_a_split_is_named_and_nothing_changes(stage: Stage) -> None:
    acme, neighbour = await stage.made(0), await stage.made(1)
    [project], [foreign] = await stage.projects(acme, 1), await stage.projects(neighbour, 1)
    running = await stage.project(acme, ended=False)
    slug = await stage.name_on(1)
    taken = await stage.directory.fetchval("SELECT slug FROM directory.organisations WHERE org_id = $1", neighbour)
    before = await stage.everything(acme, neighbour)
    said = await refusal(stage.reorganiser().split(acme, slug, [project, running, foreign]))
    assert f"has no project {foreign}" in said
    assert f"projects that still run: {running}" in said
    assert f"there is an organisation {taken} already" in await refusal(
        stage.reorganiser().split(acme, taken, [project])
    )
    assert "there is no organisation" in await refusal(stage.reorganiser().split(new_id(), slug, [project]))
    await stage.directory.execute(
        "UPDATE directory.organisations SET region = 'mars', pinned = true WHERE org_id = $1", acme
    )
    assert "where no shard takes organisations" in await refusal(stage.reorganiser().split(acme, slug, [project]))
    await stage.directory.execute(
        "UPDATE directory.organisations SET region = $2, pinned = false WHERE org_id = $1", acme, WEST
    )
    assert await stage.everything(acme, neighbour) == before


async def test_of_two_that_become_part_of_each_other_one_does(stage: Stage, servers: Servers) -> None:
    parties = one, other = await stage.made(0), await stage.made(1)
    both = {*await stage.projects(one, 1), *await stage.projects(other, 1)}
    second = await asyncpg.connect(servers.postgres[0].dsn("hal9_owner"))
    beside = replace(stage, directory=second)
    results = await asyncio.gather(
        stage.reorganiser().merge(one, other), beside.reorganiser().merge(other, one), return_exceptions=True
    )
    await second.close()
    # However the two fell: the second one waits for the first one's rows, and then sees what became of them.
    [done] = [result for result in results if not isinstance(result, BaseException)]
    [refused] = [result for result in results if isinstance(result, BaseException)]
    assert isinstance(refused, RefusedError)
    assert {done.giver, done.taker} == set(parties)
    assert await stage.owned(done.taker) == both


async def test_who_shuts_an_organisation_waits_for_whoever_shuts_the_other(stage: Stage, servers: Servers) -> None:
    one, other = await stage.made(0), await stage.made(1)
    second = await asyncpg.connect(servers.postgres[0].dsn("hal9_owner"))
    async with second.transaction():
        assert await register.shut(second, one, other) is not None
        waiting = asyncio.create_task(register.shut(stage.directory, other, one))
        await waited_for(second.fetchval, waiting)
    await second.close()
    assert await waiting is None
    rows = await register.look(stage.directory, [one, other])
    assert (rows[one].merged_into, rows[other].merged_into) == (other, None)


async def test_nobody_becomes_part_of_one_that_is_becoming_part_of_another(stage: Stage, servers: Servers) -> None:
    """Both orders: whoever comes second is refused, so that neither merge waits for the other for ever."""
    first, middle, last = await stage.made(0), await stage.made(1), await stage.made(0)
    [project] = await stage.projects(first, 1)
    second = await asyncpg.connect(servers.postgres[0].dsn("hal9_owner"))
    async with second.transaction():
        assert await register.shut(second, first, middle) is not None
        waiting = asyncio.create_task(register.shut(stage.directory, middle, last))
        await waited_for(second.fetchval, waiting)
    assert await waiting is None
    await second.close()
    rows = await register.look(stage.directory, [first, middle, last])
    assert [rows[one].merged_into for one in (first, middle, last)] == [middle, None, None]
    assert await stage.active_keys(middle) == 1, "nothing has happened to it"
    await stage.reorganiser().merge(first, middle)
    assert await register.shut(stage.directory, middle, last) is not None
    assert await register.shut(stage.directory, await stage.made(0), middle) is None
    await stage.reorganiser().merge(middle, last)
    assert await stage.owned(last) == {project}


async def waited_for(fetchval: Callable[[str], Awaitable[object]], task: asyncio.Task[Any]) -> None:
    """Wait until a task waits for a lock, or is done; it is asked on another connection."""
    while not task.done() and not await fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.005)


async def test_no_key_is_made_for_an_organisation_that_becomes_part_of_another(stage: Stage, servers: Servers) -> None:
    labs, acme = await stage.made(0), await stage.made(1)
    second = await asyncpg.connect(servers.postgres[0].dsn("hal9_owner"))
    made = partial(owner_key, stage.shards.directory, labs, "late", stage.clock, SystemRandomness())
    assert await made()
    async with second.transaction():
        keys = await register.shut(second, labs, acme)
        making = asyncio.create_task(made())
        await waited_for(second.fetchval, making)
    await second.close()
    with pytest.raises(Problem, match=f"{labs} is part of {acme}") as caught:
        await making
    assert (caught.value.status, caught.value.slug) == (409, "organisation-merged")
    assert keys is not None
    assert (len(keys), await stage.active_keys(labs)) == (2, 0)


async def test_a_key_that_is_just_made_ends_with_the_others(stage: Stage) -> None:
    labs, acme = await stage.made(0), await stage.made(1)
    directory = stage.shards.directory
    async with directory.transaction(f"SET LOCAL hal9.org_id='{labs}'") as making:
        await making.fetchval("SELECT directory.merged_into_held()")
        shutting = asyncio.create_task(register.shut(stage.directory, labs, acme))
        await waited_for(making.fetchval, shutting)
        await making.execute(
            "INSERT INTO directory.api_keys (org_id, key_id, prefix, secret_hash, name, roles)"
            " VALUES ($1, $2, $3, '', 'late', '{owner}')",
            labs, new_id(), str(new_id()),
        )  # fmt: skip
    keys = await shutting
    assert keys is not None
    assert (len(keys), await stage.active_keys(labs)) == (2, 0)


async def test_a_merge_that_is_gone_on_with_waits_anew(stage: Stage) -> None:
    """Sessions let in until they were told to end: however long ago the organisation was shut."""
    labs, acme = await stage.made(0), await stage.made(1)
    with chaos.observed(dying_at(points.SHUT)), pytest.raises(chaos.Killed):
        await stage.reorganiser().merge(labs, acme)
    assert (stage.shut, await stage.active_keys(labs)) == ([], 0)
    await stage.directory.execute(
        "UPDATE directory.organisations SET merging_at = now() - interval '1 hour' WHERE org_id = $1", labs
    )
    clock = ManualClock()
    merging = asyncio.create_task(stage.reorganiser(settle_seconds=90.0, clock=clock).merge(labs, acme))
    while clock.sleepers == 0 and not merging.done():  # noqa: ASYNC110 - work of another task
        await asyncio.sleep(0.001)
    assert not merging.done(), "it waits"
    assert len(stage.shut) == 1
    late = await stage.project(labs)
    clock.advance(89)
    assert clock.sleepers == 1
    clock.advance(1)
    await merging
    assert await stage.owned(acme) == {late}


async def test_requests_that_were_let_in_get_their_time_and_runs_are_waited_for(stage: Stage) -> None:
    labs, acme = await stage.made(0), await stage.made(1)
    [project] = await stage.projects(labs, 1)
    clock = ManualClock()
    late: list[UUID] = []

    async def requested() -> None:
        """What was let in before the keys ended makes a project while the merge waits."""
        while clock.sleepers == 0:  # noqa: ASYNC110 - work of another task
            await asyncio.sleep(0.001)
        late.append(await stage.project(labs, ended=False))
        clock.advance(90)
        while clock.sleepers == 0:  # noqa: ASYNC110 - work of another task
            await asyncio.sleep(0.001)
        clock.advance(61)

    merging = stage.reorganiser(settle_seconds=90.0, patience_seconds=60.0, clock=clock)
    with pytest.raises(StuckError, match=r"runs of .* have not ended"):
        await asyncio.gather(merging.merge(labs, acme), requested())
    assert await stage.owned(labs) == {project, *late}
    assert await stage.active_keys(labs) == 0
    await stage.shards.run(labs, lambda tx: tx.execute("UPDATE projects SET state = 'failed' WHERE state = 'running'"))
    await stage.reorganiser().merge(labs, acme)
    assert await stage.owned(acme) == {project, *late}


@OTHER_SHARD
@pytest.mark.parametrize("point", [*OWN, dtx.PREPARED, dtx.DECIDED, dtx.COMMITTED])
async def test_whoever_dies_at_a_point_is_gone_on_with(stage: Stage, point: str, other: int) -> None:
    labs, acme, stranger = await stage.made(0), await stage.made(other), await stage.made(other)
    slug = await stage.name_on(other)
    all_of_them = set(await stage.projects(labs, 2))
    for doing in (
        partial(stage.reorganiser().split, labs, slug, all_of_them),
        partial(stage.reorganiser().merge, organisation_id(slug), acme),
    ):
        with chaos.observed(dying_at(point)):
            try:
                await doing()
            except chaos.Killed:
                await recover(stage.shards, older_than_seconds=0)
                if point == points.GONE:
                    giver = doing.args[0]
                    assert await stage.archives(giver) == len(await stage.owned(giver)), "its archive goes with each"
        parties = [one for one in (labs, organisation_id(slug), acme) if await is_there(stage, one)]
        found = [one for party in parties for one in await stage.owned(party)]
        assert sorted(found) == sorted(all_of_them)
        assert await stage.owned(stranger) == set()
        await doing()
    assert await stage.owned(acme) == all_of_them
    assert [await stage.archives(one) for one in (labs, organisation_id(slug), acme)] == [0, 0, 2]
    assert await stage.stored(acme) == 2 * len(BYTES)


async def is_there(stage: Stage, org_id: UUID) -> bool:
    return bool(await stage.directory.fetchval("SELECT true FROM directory.organisations WHERE org_id = $1", org_id))


@OTHER_SHARD
async def test_nobody_sees_a_project_twice_and_strangers_see_none(stage: Stage, other: int) -> None:
    labs, acme, stranger = await stage.made(0), await stage.made(other), await stage.made(other)
    goes = set(await stage.projects(labs, 12))
    over = asyncio.Event()
    seen: list[int] = []

    async def watch() -> None:
        while not over.is_set():
            # The taker first: what has gone there the giver has no more at any later moment.
            taken = await stage.owned(acme)
            given = await stage.owned(labs)
            assert not taken & given
            assert not await stage.owned(stranger)
            for project in goes:
                assert not await stage.has(stranger, project)
            seen.append(len(taken))

    watching = asyncio.create_task(watch())
    await stage.reorganiser().merge(labs, acme)
    over.set()
    await watching
    assert len(seen) > 1
    assert await stage.owned(acme) == goes


async def test_the_sum_is_kept_whatever_is_split_merged_and_killed(stage: Stage) -> None:
    chance = random.Random(19)
    whole = [await stage.made(0), await stage.made(1)]
    ledger = {project for one in whole for project in await stage.projects(one, 4)}
    closed: list[UUID] = []
    kills = 0
    for _ in range(14):
        giver = chance.choice(whole)
        there = sorted(await stage.owned(giver))
        slug = await stage.name_on(chance.randrange(2))
        if len(whole) > 2 and chance.random() < 0.5:
            taker = chance.choice([one for one in whole if one != giver])
            doing: partial[Any] = partial(stage.reorganiser().merge, giver, taker)
            whole.remove(giver)
            closed.append(giver)
        else:
            some = chance.sample(there, chance.randint(0, len(there)))
            doing = partial(stage.reorganiser().split, giver, slug, some)
            whole.append(organisation_id(slug))
        with chaos.observed(dying_at(chance.choice([*OWN, *KILLS]))):
            try:
                await doing()
            except chaos.Killed:
                kills += 1
                await recover(stage.shards, older_than_seconds=0)
        await doing()
        found = [project for one in [*whole, *closed] for project in await stage.owned(one)]
        assert len(found) == len(ledger)
        assert set(found) == ledger
        assert not [one for one in closed if await stage.owned(one)]
    sums = [(await stage.stored(one), await stage.archives(one), len(await stage.owned(one))) for one in whole]
    assert [size for size, _, _ in sums] == [len(BYTES) * count for _, _, count in sums]
    assert [archives for _, archives, _ in sums] == [count for _, _, count in sums]
    assert kills > 3


async def test_what_cannot_go_when_its_turn_comes_keeps_no_other_from_it(stage: Stage) -> None:
    acme, slug = await stage.made(0), await stage.name_on(1)
    goes = await stage.projects(acme, 3)

    class Meddled(Projects):
        """Somebody takes one away while another one goes."""

        async def give(self, giver: UUID, taker: UUID, thing: UUID) -> bool:
            if thing == goes[0]:
                await stage.shards.run(
                    acme, lambda tx: tx.execute("DELETE FROM projects WHERE project_id = $1", goes[1])
                )
            return await super().give(giver, taker, thing)

    kind = Meddled(stage.shards, stage.objects, stage.tiers, SOURCE)
    done = await Reorganiser(stage.directory, stage.shards, stage.tiers, [kind]).split(acme, slug, goes)
    assert [f"{goes[1]} is not there any more" in one for one in done.left] == [True]
    assert await stage.owned(done.taker) == {goes[0], goes[2]}


async def test_nothing_goes_to_an_organisation_that_just_becomes_part_of_another(stage: Stage) -> None:
    acme, other, slug = await stage.made(0), await stage.made(1), await stage.name_on(1)
    goes = await stage.projects(acme, 2)

    class Meddled(Projects):
        """Somebody else merges the new organisation while things go there."""

        async def give(self, giver: UUID, taker: UUID, thing: UUID) -> bool:
            assert await register.shut(stage.directory, taker, other) is not None
            return await super().give(giver, taker, thing)

    kind = Meddled(stage.shards, stage.objects, stage.tiers, SOURCE)
    splitting = Reorganiser(stage.directory, stage.shards, stage.tiers, [kind])
    with pytest.raises(StuckError, match="stays where it is"):
        await splitting.split(acme, slug, goes)
    assert (await stage.owned(organisation_id(slug)), await stage.owned(acme)) == ({goes[0]}, {goes[1]})
    await stage.reorganiser().merge(organisation_id(slug), other)
    assert (await stage.owned(other), await stage.owned(acme)) == ({goes[0]}, {goes[1]})


async def test_it_is_decided_of_every_table_what_becomes_of_its_rows(servers: Servers) -> None:
    connection = await asyncpg.connect(servers.postgres[1].dsn("hal9_owner"))
    tables = {table.name for table in await catalogue.tables(connection)}
    await connection.close()
    assert tables == set(STAYS), "decide what a split and a merge do with it, in decision 19 and here"


async def test_the_commands_go_on_after_kill_9(stage: Stage, servers: Servers, cache: Cache, tmp_path: Path) -> None:
    acme, slug = await stage.made(0), await stage.name_on(1)
    goes = await stage.projects(acme, 2)
    about = {
        "HAL9_SHARDS": servers.shards_dsn, "HAL9_SHARDS_ADMIN": servers.shards_admin_dsn,
        "HAL9_CACHE_URL": servers.cache_url, "HAL9_OBJECTS": f"file://{tmp_path}/objects",
        "HAL9_DATA_KEYS": f"file://{tmp_path}/masters", "HAL9_HOME": str(tmp_path / "home"),
    }  # fmt: skip
    splitting = ("organisations", "split", str(acme), "--into", slug, "--projects", ",".join(map(str, goes)), "--json")
    planned = json.loads((await hal9(*splitting, "--plan", **about)).stdout)
    assert (planned["goes"], planned["bytes"]) == ({"projects": list(map(str, goes))}, 2 * len(BYTES))
    for point in (points.ENTERED, points.GONE):
        assert (await hal9(*splitting, **about, HAL9_CHAOS_KILL=point)).returncode == -signal.SIGKILL
    made = await hal9(*splitting, **about)
    assert made.returncode == 0, made.stderr
    presented = apikeys.present(json.loads(made.stdout)["key"])
    assert presented is not None
    labs = organisation_id(slug)
    key = await apikeys.find(stage.shards.directory, presented.prefix)
    assert key is not None
    assert (key.org_id, key.roles, presented.matches(key.secret_hash)) == (labs, ("owner",), True)
    assert (await stage.owned(labs), await stage.owned(acme)) == (set(goes), set())

    keys = DataKeys(stage.shards.directory, FileMasterKeys(tmp_path / "masters"))
    sessions = Sessions(WEST, {WEST: cache}, keys, load(SessionSettings, {}))
    signed_in = await sessions.create(labs, new_id(), ["owner"])
    assert await sessions.read(signed_in.cookie) == signed_in.session

    merging = ("organisations", "merge", slug, "--into", str(acme), "--settle", "0")
    assert (await hal9(*merging, **about, HAL9_CHAOS_KILL=points.SHUT)).returncode == -signal.SIGKILL
    assert f"becoming part of {acme} since 20" in (await hal9("organisations", "list", **about)).stdout
    listed = json.loads((await hal9("organisations", "list", "--json", **about)).stdout)
    [one] = [one for one in listed if one["org_id"] == str(labs)]
    assert (one["merging_at"] is not None, one["closed"]) == (True, False)
    ended = await apikeys.find(stage.shards.directory, presented.prefix)
    assert ended is not None
    assert not ended.active(stage.clock.now()), "its keys end with it, whoever was told"
    for point in (points.TOLD, points.EMPTY):
        assert (await hal9(*merging, **about, HAL9_CHAOS_KILL=point)).returncode == -signal.SIGKILL
        assert await cache.execute("GET", revocation_mark(labs, key.key_id)) == b"1"
        assert await sessions.read(signed_in.cookie) is None
    done = await hal9(*merging, **about)
    assert (done.returncode, done.stdout) == (0, f"{labs} is part of {acme}, and closed: 0 projects went.\n")
    assert (await stage.owned(acme), await stage.owned(labs)) == (set(goes), set())
    refused = await hal9(*merging, "--plan", **about)
    assert (refused.returncode, "0 projects" in refused.stdout) == (0, True)
    refused = await hal9("organisations", "merge", str(acme), "--into", slug, "--plan", **about)
    assert (refused.returncode, "became part of" in refused.stdout) == (1, True)
    someone = ("--user", str(new_id()), "--role", "owner")
    refused = await hal9("sessions", "begin", "--organisation", slug, *someone, **about)
    assert (refused.returncode, "lets nobody in" in refused.stderr) == (1, True)
    refused = await hal9(*merging, **{**about, "HAL9_SHARDS": "postgresql://hal9_app@/hal9?host=/nowhere"})
    assert (refused.returncode, "Traceback" in refused.stderr, "same command again" in refused.stderr) == (
        1,
        False,
        True,
    )
