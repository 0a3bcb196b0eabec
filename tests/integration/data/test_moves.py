"""An organisation moves while it works: nothing is lost or doubled, no reader sees an error, everything comes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import pytest
import pytest_asyncio

from knative.platform.servers import Servers
from knative.platform.servers.postgres import SETTINGS
from shared.chaos import Killed, observed
from shared.clock import SystemClock
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.identifiers import new_id
from shared.placement import (
    RefusedError,
    StuckError,
    catalogue,
    copies,
    fleet,
    hands,
    homes,
    moves,
    points,
    replication,
    residency,
    verification,
)
from shared.placement.mover import Mover
from shared.problems import Problem
from shared.settings import load
from shared.shards import Placement, Shards
from shared.shards.calls import Calls
from tests.disk_fixture import full_disk
from tests.integration.data.test_shard_commands import hal9
from tests.setback import clock_was_set_back
from tests.two_shards import on, two_shards

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from uuid import UUID

    from shared.database import Transaction

    Connection = asyncpg.Connection[asyncpg.Record]

CHECKOUT = Path(__file__).resolve().parents[3]

LATER = """
CREATE TABLE later (
    org_id uuid, "a key" int, moment timestamptz DEFAULT now(), amount numeric, doc json, number bigserial,
    doubled bigint GENERATED ALWAYS AS (number * 2) STORED, PRIMARY KEY (org_id, "a key")
);
CREATE TABLE later_lines (
    org_id uuid, id int, of_key int, note text, PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, of_key) REFERENCES later (org_id, "a key")
);
CREATE TABLE counters (org_id uuid PRIMARY KEY, n bigint NOT NULL);
CREATE SEQUENCE of_several_tables;
CREATE SEQUENCE downwards INCREMENT -1;
CREATE TABLE numbered (
    org_id uuid, number bigint GENERATED ALWAYS AS IDENTITY, up bigint DEFAULT nextval('of_several_tables'),
    down bigint DEFAULT nextval('downwards'), PRIMARY KEY (org_id, number)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON later, later_lines, counters, numbered TO hal9_app;
GRANT USAGE ON SEQUENCE later_number_seq, of_several_tables, downwards TO hal9_app;
"""
"""Tables that no release knows: with a quoted name, a sequence, a generated column, a foreign key, the key alone; with
an identity column, and defaults from sequences that are no table's own."""


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def pair() -> AsyncIterator[Servers]:
    """Two durable shards of this module's own, with tables that nobody told the mover of."""
    async with two_shards(LATER) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def own(pair: Servers) -> AsyncIterator[Shards]:
    shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": pair.shards_dsn, "HAL9_POOL_SIZE": "8"}))
    yield shards
    await shards.close()


def addresses_of(pair: Servers) -> list[str]:
    return pair.shards_admin_dsn.split(",")


class Home(NamedTuple):
    """A shard's row of an organisation."""

    epoch: int
    state: str
    moved_to: int | None
    move_id: UUID | None


async def home_of(shard: Any, org_id: UUID) -> Home | None:
    """What a shard says of an organisation."""
    row = await shard.fetchrow("SELECT epoch, state, moved_to, move_id FROM tenants WHERE org_id = $1", org_id)
    return None if row is None else Home(*row.values())


def mover(pair: Servers, **options: Any) -> Mover:
    return Mover(addresses_of(pair), **options)


class Ledger:
    """Writers that remember what they were told, and readers that look for it."""

    def __init__(self, shards: Shards, org_id: UUID) -> None:
        self.acknowledged: dict[int, int] = {}
        self.over = asyncio.Event()
        self.reads = 0
        self._shards = shards
        self._org_id = org_id
        self._next = 0

    async def write(self) -> None:
        """Insert a row, change an earlier one, and count, in one transaction."""
        while not self.over.is_set():
            self._next += 1
            number, earlier = self._next, self._next // 2

            async def work(tx: Transaction, number: int = number, earlier: int = earlier) -> int:
                await tx.execute(
                    'INSERT INTO later (org_id, "a key", amount, doc) VALUES ($1, $2, $3, $4)',
                    self._org_id, number, number, '{"a": 1}',
                )  # fmt: skip
                changed = await tx.execute(
                    'UPDATE later SET amount = amount + 1 WHERE org_id = $1 AND "a key" = $2', self._org_id, earlier
                )
                await tx.execute(
                    "INSERT INTO counters VALUES ($1, 1) ON CONFLICT (org_id) DO UPDATE SET n = counters.n + 1",
                    self._org_id,
                )
                return int(changed == "UPDATE 1")

            self.acknowledged[number] = await self._shards.run(self._org_id, work)

    async def read(self) -> None:
        """What was acknowledged before a reading is in it."""
        while not self.over.is_set():
            known = len(self.acknowledged)
            async with self._shards.transaction(self._org_id, readonly=True) as tx:
                assert (await tx.fetchval("SELECT n FROM counters WHERE org_id = $1", self._org_id) or 0) >= known
            self.reads += 1

    async def more(self, count: int) -> None:
        """Wait until so many more were acknowledged."""
        enough = len(self.acknowledged) + count
        async with asyncio.timeout(60):
            while len(self.acknowledged) < enough:  # noqa: ASYNC110 - work of other tasks
                await asyncio.sleep(0.002)

    async def check(self) -> None:
        """Everything acknowledged is there once, and nothing else."""
        async with self._shards.transaction(self._org_id, readonly=True) as tx:
            rows = await tx.fetch('SELECT "a key" AS key, amount FROM later WHERE org_id = $1', self._org_id)
            count = await tx.fetchval("SELECT n FROM counters WHERE org_id = $1", self._org_id)
        assert count == len(self.acknowledged)
        assert {row["key"] for row in rows} == set(self.acknowledged)
        assert sum(row["amount"] for row in rows) == sum(self.acknowledged) + sum(self.acknowledged.values())


@asynccontextmanager
async def busy(shards: Shards, org_id: UUID) -> AsyncIterator[Ledger]:
    """Four writers and a reader at work; what they were told is checked at the end."""
    ledger = Ledger(shards, org_id)
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(ledger.write())
        group.create_task(ledger.read())
        try:
            await ledger.more(50)
            yield ledger
            await ledger.more(50)
        finally:
            ledger.over.set()
    assert ledger.reads > 0
    await ledger.check()


async def fresh(shards: Shards) -> tuple[UUID, Placement]:
    org_id = new_id()
    return org_id, await shards.create_organisation(org_id, "us-west")


async def left_over(pair: Servers, org_id: UUID) -> list[str]:
    """What a move that is over has left on the shards besides the home's own rows."""
    found = []
    for number in range(2):
        async with on(pair, number) as shard:
            found += [row["name"] for row in await shard.fetch(
                "SELECT pubname AS name FROM pg_publication UNION ALL SELECT subname FROM pg_subscription"
                " UNION ALL SELECT slot_name FROM pg_replication_slots"
            )]  # fmt: skip
            if await shard.fetchval("SELECT true FROM move_markers WHERE org_id = $1 LIMIT 1", org_id):
                found.append(f"markers on shard {number}")
    return found


async def rows_on(pair: Servers, shard: int, org_id: UUID) -> int:
    async with on(pair, shard) as connection:
        counts = [
            await connection.fetchval(f"SELECT count(*) FROM {table.name} WHERE org_id = $1", org_id)
            for table in await catalogue.tables(connection)
        ]
    return sum(counts)


def killing(name: str) -> Callable[[str], None]:
    """Stand for a kill of the mover at a point."""

    def observer(passed: str) -> None:
        if passed == name:
            raise Killed

    return observer


async def test_a_move_under_load_loses_and_doubles_nothing(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    told: list[tuple[UUID, int]] = []

    async def tell(who: UUID, epoch: int) -> None:
        told.append((who, epoch))
        await own.placements.invalidate(who, "", epoch)

    seen: list[str] = []
    async with busy(own, org_id):
        move = await mover(pair, told=tell, seen=lambda progress: seen.append(progress.what)).move(
            org_id, 1 - first.shard
        )
    assert (move.step, move.target, told) == ("finished", 1 - first.shard, [(org_id, 2)])
    assert (move.rows or 0) > 50
    assert move.pause_ms is not None
    assert "comparing later" in seen
    assert (await own.locate(org_id)).epoch == 2
    # The old copy stands still until it is dropped; the sequence goes on at the new home.
    assert await rows_on(pair, first.shard, org_id) > 0
    assert not await copies.drop(addresses_of(pair))
    async with on(pair, first.shard) as old:
        last = await old.fetchval("SELECT last_value FROM later_number_seq")
        assert await home_of(old, org_id) == Home(1, "moved", 1 - first.shard, move.move_id)
    async with own.transaction(org_id) as tx:
        await tx.execute('INSERT INTO later (org_id, "a key") VALUES ($1, 0)', org_id)
        assert await tx.fetchval('SELECT number FROM later WHERE org_id = $1 AND "a key" = 0', org_id) > last
    async with on(pair, 0) as directory:
        await directory.execute("UPDATE directory.moves SET switched_at = now() - interval '2 hours'")
    assert [one.move_id for one in await copies.drop(addresses_of(pair))] == [move.move_id]
    assert await rows_on(pair, first.shard, org_id) == 0
    assert await left_over(pair, org_id) == []


async def test_numbers_go_on_where_they_were_at_the_new_home(pair: Servers, own: Shards) -> None:
    """From the first one on, in either direction, also where no table owns the sequence."""
    org_id, first = await fresh(own)
    given = []
    for target in (1 - first.shard, first.shard, None):
        async with own.transaction(org_id) as tx:
            row = await tx.fetchrow("INSERT INTO numbered (org_id) VALUES ($1) RETURNING number, up, down", org_id)
        given.append(tuple(row or ()))
        if target is not None:
            assert (await mover(pair).move(org_id, target)).step == "finished"
    assert given == [(1, 1, -1), (2, 2, -2), (3, 3, -3)]


async def test_it_moves_back_while_the_old_copy_is_still_there(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    async with busy(own, org_id):
        for target in (1 - first.shard, first.shard):
            assert (await mover(pair).move(org_id, target)).step == "finished"
    assert (await own.home(org_id)) == Placement(first.shard, "us-west", 3)
    await copies.drop(addresses_of(pair), due=False)
    assert await rows_on(pair, 1 - first.shard, org_id) == 0
    assert await rows_on(pair, first.shard, org_id) > 0


async def test_a_killed_mover_is_taken_up_at_every_point(pair: Servers, own: Shards) -> None:
    """In this process, for every point; tests/chaos kills processes and servers."""
    org_id, first = await fresh(own)
    target = 1 - first.shard
    async with busy(own, org_id) as ledger:
        for name in points.FORWARDS:
            with observed(killing(name)), pytest.raises(Killed):
                await mover(pair).move(org_id, target)
            await ledger.more(3)  # nobody finishes the move, and writers go on
        assert (await mover(pair).move(org_id, target)).step == "finished"
    await copies.drop(addresses_of(pair), due=False)
    assert await left_over(pair, org_id) == []


@pytest.mark.parametrize("name", [points.CLAIMED, points.SUBSCRIBED, points.VERIFIED, points.FENCED, points.ACTIVATED])
async def test_what_was_killed_can_be_cancelled(pair: Servers, own: Shards, name: str) -> None:
    org_id, first = await fresh(own)

    def observer(passed: str) -> None:
        if passed in killed:
            killed.remove(passed)
            raise Killed

    killed = {name, points.UNCLAIMED, points.WIPED}
    async with busy(own, org_id):
        with observed(observer), pytest.raises(Killed):
            await mover(pair).move(org_id, 1 - first.shard)
        for _ in range(3):
            with observed(observer), contextlib.suppress(Killed, RefusedError):
                await mover(pair).cancel(org_id)
        async with on(pair, 0) as directory:
            assert await moves.unfinished(directory, org_id) is None
    assert await own.home(org_id) == first
    assert await rows_on(pair, 1 - first.shard, org_id) == 0
    async with on(pair, 1 - first.shard) as new:
        assert await home_of(new, org_id) is None
    assert await left_over(pair, org_id) == []
    with pytest.raises(RefusedError, match="none is under way"):
        await mover(pair).cancel(org_id)


async def test_a_cut_over_that_the_directory_does_not_know_is_found_and_not_cancelled(
    pair: Servers, own: Shards
) -> None:
    org_id, first = await fresh(own)

    with observed(killing(points.CLOSED)), pytest.raises(Killed):
        await mover(pair).move(org_id, 1 - first.shard)
    assert (await own.locate(org_id)).shard == first.shard  # the directory does not know
    assert await own.home(org_id) == Placement(1 - first.shard, "us-west", 2)
    stranger = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": pair.shards_dsn}))
    try:
        assert await Calls(stranger).call(org_id, "neuron_recall", b"") == []
        async with stranger.transaction(org_id, readonly=True) as tx:
            assert await tx.fetchval("SELECT epoch FROM tenants WHERE org_id = $1", org_id) == 2
    finally:
        await stranger.close()
    about = {"HAL9_SHARDS_ADMIN": pair.shards_admin_dsn, "HAL9_CACHE_URL": pair.cache_url}
    cancelled = await hal9("tenants", "move", str(org_id), "--cancel", **about)
    assert (cancelled.returncode, "had been cut over" in cancelled.stderr) == (1, True), cancelled
    assert f"{org_id} is on shard {1 - first.shard}" in cancelled.stdout
    assert (await own.locate(org_id, at_least=2)).shard == 1 - first.shard


async def test_a_mover_that_wakes_up_behind_a_lifted_fence_does_not_cut_over(pair: Servers, own: Shards) -> None:
    """SIGSTOP of a mover between the last look and the cut-over: whoever waited has lifted its fence."""
    org_id, first = await fresh(own)
    async with on(pair, first.shard) as old, on(pair, 1 - first.shard) as new:
        move_id, fence_id = new_id(), new_id()
        assert await homes.claim(old, org_id, 1, move_id)
        assert await homes.arrive(new, org_id, 2, move_id)
        assert await homes.fence(old, org_id, 1, move_id, fence_id)
        assert await homes.activate(new, org_id, 2, move_id)
        async with own.transaction(org_id) as tx:  # waits for 1.5 s, then lifts it
            await tx.execute("INSERT INTO counters VALUES ($1, 7)", org_id)
        assert not await homes.close(old, org_id, 1, fence_id, 1 - first.shard)
        assert await own.home(org_id) == first
        # A fence that was set again is closed by whoever set it only.
        again = new_id()
        assert await homes.fence(old, org_id, 1, move_id, again)
        assert not await homes.close(old, org_id, 1, fence_id, 1 - first.shard)
        assert not await homes.fence(old, org_id, 1, new_id(), new_id())
        assert await homes.release(old, org_id, 1, move_id)
        assert not await homes.fence(old, org_id, 1, move_id, new_id())
        with pytest.raises(asyncpg.PostgresError, match="no copy of epoch 1"):
            await old.fetchval("SELECT tenant_wipe($1, 1, 10)", org_id)
        assert await homes.retire(new, org_id, 2, move_id)
        assert await homes.forget(new, org_id, 2)


async def test_no_question_behind_the_fence_outlives_the_other_one_s_failure(
    pair: Servers, own: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is used for something else then."""
    org_id, first = await fresh(own)
    tables, waits, ended = catalogue.tables, asyncio.Event(), []

    async def wait(*_: object) -> None:
        waits.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def fail_once(connection: Any) -> Any:
        monkeypatch.setattr(catalogue, "tables", tables)
        await waits.wait()
        raise LookupError("a fault of the old shard")

    def fenced(point: str) -> None:
        if point == points.FENCED:
            monkeypatch.setattr(catalogue, "tables", fail_once)
            monkeypatch.setattr(Mover, "_arrived", wait)

    with observed(fenced), pytest.raises(LookupError, match="a fault of the old shard"):
        await mover(pair).move(org_id, 1 - first.shard)
    assert ended == [True]
    monkeypatch.undo()
    assert await own.home(org_id) == first, "its writers were let go"
    assert (await mover(pair).cancel(org_id)).step == "cancelled"


async def test_a_copy_that_differs_is_found_and_taken_back(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    async with own.transaction(org_id) as tx:
        await tx.execute("INSERT INTO later_lines VALUES ($1, 1, NULL), ($1, 2, NULL)", org_id)

    async with on(pair, 1 - first.shard) as new:
        with observed(killing(points.COPIED)), pytest.raises(Killed):
            await mover(pair).move(org_id, 1 - first.shard)
        await new.execute("DELETE FROM later_lines WHERE org_id = $1 AND id = 2", org_id)
        move = await mover(pair).move(org_id, 1 - first.shard)
    assert (move.step, move.reason) == ("cancelled", "1 rows of public.later_lines differ on the new shard, such as 2")
    assert await own.home(org_id) == first
    assert await rows_on(pair, first.shard, org_id) == 2


async def test_a_table_that_comes_during_a_move_takes_it_back(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)

    async def come() -> None:
        for number in range(2):
            async with on(pair, number) as shard:
                await shard.execute("CREATE TABLE sudden (org_id uuid PRIMARY KEY)")

    with observed(killing(points.COPIED)), pytest.raises(Killed):
        await mover(pair).move(org_id, 1 - first.shard)
    await come()
    move = await mover(pair).move(org_id, 1 - first.shard)
    assert (move.step, "public.sudden" in move.reason) == ("cancelled", True)
    assert (await mover(pair).move(org_id, 1 - first.shard)).step == "finished"
    for number in range(2):
        async with on(pair, number) as shard:
            await shard.execute("DROP TABLE sudden")


async def test_what_may_not_be_moved_is_refused_with_every_reason(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    with pytest.raises(RefusedError, match="no such organisation"):
        await mover(pair).move(new_id(), 1)
    with pytest.raises(RefusedError, match=f"it is on shard {first.shard}"):
        await mover(pair).move(org_id, first.shard)
    with pytest.raises(RefusedError, match="there is no shard 5: there are shard 0"):
        await mover(pair).move(org_id, 5)
    async with on(pair, 0) as directory:
        await directory.execute("UPDATE directory.organisations SET pinned = true WHERE org_id = $1", org_id)
        with pytest.raises(RefusedError, match="it is pinned to the region us-west, and shard"):
            await mover(pair).move(org_id, 1 - first.shard)
        await directory.execute("UPDATE directory.organisations SET pinned = false WHERE org_id = $1", org_id)
        async with on(pair, first.shard) as old:
            await old.execute("CREATE TABLE keyless (org_id uuid)")
            await old.execute("CREATE UNLOGGED TABLE hasty (org_id uuid PRIMARY KEY)")
            with pytest.raises(
                RefusedError,
                match=r"keyless has no primary key with org_id in it; the new shard has no.*hasty is UNLOGGED",
            ):
                await mover(pair).move(org_id, 1 - first.shard)
            for table in ("keyless", "hasty"):
                await old.execute(f"COMMENT ON TABLE {table} IS 'Of the shard. hal9: stays'")
            assert (await mover(pair).move(org_id, 1 - first.shard)).step == "finished"
            await old.execute("DROP TABLE keyless, hasty")
        assert [one.step for one in await moves.listed(directory, 1)] == ["finished"]


async def test_a_disk_without_room_is_left_alone(pair: Servers, own: Shards) -> None:
    """A copy that fills the new shard's disk stops everybody who is there, also when it is taken back."""
    org_id, first = await fresh(own)
    with full_disk(80 * 2**20):
        assert (await mover(pair).move(org_id, 1 - first.shard)).step == "finished"
        async with own.transaction(org_id) as tx:
            await tx.execute(
                "INSERT INTO later_lines (org_id, id, note)"
                " SELECT $1, n, repeat('x', 1000) FROM generate_series(1, 9000) n",
                org_id,
            )
        with pytest.raises(RefusedError, match=r"has no room for it: 9. MB are needed"):
            await mover(pair).move(org_id, first.shard)
    assert (await mover(pair).move(org_id, first.shard)).step == "finished"
    await copies.drop(addresses_of(pair), due=False)


async def test_a_move_that_fills_the_new_shards_disk_is_taken_back_and_the_same_command_goes_on_with_room() -> None:
    """As on another machine: at the beginning there was room, as far as anybody could know."""
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        done = await asyncio.to_thread(
            subprocess.run,
            [
                "unshare", "--user", "--map-root-user", "--mount",
                sys.executable, "-m", "tests.processes.full_shard", folder,
            ],
            cwd=CHECKOUT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["full"]["step"] == "cancelled"
    assert "the disk of the server of shard 1 is full" in said["full"]["reason"]
    nothing = {"subscriptions": 0, "publications": 0, "slots": 0, "rows": 0, "homes": 0}
    assert said["left"] == [nothing | {"rows": 4001, "homes": 1}, nothing]  # the old home has served on
    assert said["room"] == {"step": "finished", "reason": ""}
    assert said["after"][1] == nothing | {"rows": 4002, "homes": 1}


async def test_only_one_mover_is_at_it(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    both = await asyncio.gather(
        mover(pair).move(org_id, 1 - first.shard), mover(pair).move(org_id, 1 - first.shard), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in both) == ["Move", "RefusedError"], both


async def test_a_long_transaction_is_waited_for_and_writers_are_let_go_meanwhile(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    fences = 0

    def observer(passed: str) -> None:
        nonlocal fences
        fences += passed == points.FENCED

    with observed(killing(points.COPIED)), pytest.raises(Killed):
        await mover(pair).move(org_id, 1 - first.shard)
    async with own.transaction(org_id) as slow:
        await slow.execute("INSERT INTO counters VALUES ($1, 1)", org_id)
        with observed(observer):
            moving = asyncio.create_task(mover(pair).move(org_id, 1 - first.shard))
            async with asyncio.timeout(60):
                while fences < 2:  # noqa: ASYNC110 - work of another task
                    await asyncio.sleep(0.01)
        async with own.transaction(org_id) as tx:  # another writer gets through
            await tx.execute('INSERT INTO later (org_id, "a key") VALUES ($1, 1)', org_id)
    assert (await moving).step == "finished"
    async with own.transaction(org_id, readonly=True) as tx:
        assert await tx.fetchval("SELECT n FROM counters WHERE org_id = $1", org_id) == 1


async def test_the_command_moves_shows_and_cleans(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    about = {"HAL9_SHARDS_ADMIN": pair.shards_admin_dsn, "HAL9_CACHE_URL": pair.cache_url}
    done = await hal9("tenants", "move", str(org_id), "--to", str(1 - first.shard), "--retain", "0", **about)
    assert done.returncode == 0, done.stderr
    assert f"{org_id} is on shard {1 - first.shard}, in epoch 2" in done.stdout
    assert "copying tables" in done.stderr
    again = await hal9("tenants", "move", str(org_id), "--to", str(1 - first.shard), **about)
    assert (again.returncode, again.stdout) == (0, done.stdout)  # as after a kill that came just too late
    listed = json.loads((await hal9("tenants", "moves", "--json", **about)).stdout)
    assert (listed[0]["organisation"], listed[0]["step"]) == (str(org_id), "finished")
    assert str(org_id) in (await hal9("tenants", "moves", **about)).stdout
    cleaned = json.loads((await hal9("tenants", "clean", "--json", **about)).stdout)
    assert [one["organisation"] for one in cleaned] == [str(org_id)]
    again = await hal9("tenants", "move", str(org_id), "--to", str(1 - first.shard), **about)
    assert again.stdout.endswith(f"The old copy on shard {first.shard} was dropped.\n")
    nothing = await hal9("tenants", "move", str(org_id), "--cancel", **about)
    assert (nothing.returncode, "none is under way" in nothing.stderr) == (1, True)


@pytest.fixture
def without_logical() -> Iterator[None]:
    before = SETTINGS["wal_level"]
    SETTINGS["wal_level"] = "replica"
    yield
    SETTINGS["wal_level"] = before


@pytest.mark.usefixtures("without_logical")
async def test_servers_that_cannot_replicate_are_named_before_anything_is_done() -> None:
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        made = Servers(Path(folder) / "servers", Path(folder) / "run", shards=2, durable=False)
        await made.start()
        try:
            addresses = made.shards_admin_dsn.split(",")
            await migrate(addresses)
            shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": made.shards_dsn}))
            org_id, first = await fresh(shards)
            await shards.close()
            with pytest.raises(RefusedError, match="wal_level = replica: set it to logical, and restart it"):
                await mover(made).move(org_id, 1 - first.shard)
            async with on(made, first.shard) as old, on(made, 1 - first.shard) as new:
                lacking = await replication.faults(old, new, addresses[first.shard])
                assert await home_of(new, org_id) is None
            assert any("has no password" in one for one in lacking)
        finally:
            await made.stop()


async def test_a_hot_row_is_compared_behind_the_fence(pair: Servers, own: Shards) -> None:
    org_id, _ = await fresh(own)
    async with own.transaction(org_id) as tx:
        await tx.execute("INSERT INTO counters VALUES ($1, 1)", org_id)
    home = (await own.locate(org_id)).shard
    async with on(pair, home) as old, on(pair, 1 - home) as new:
        table = next(one for one in await catalogue.tables(old) if one.name == "public.counters")
        await new.execute("INSERT INTO counters VALUES ($1, 0)", org_id)

        async def written() -> None:  # each time that one waits, somebody writes
            await old.execute("UPDATE counters SET n = n + 1 WHERE org_id = $1", org_id)

        verified = await verification.verify(old, new, table, org_id, written)
        assert verified.hot == {()}
        with pytest.raises(verification.DivergedError):
            await verification.verify_hot(old, new, [verified], org_id)
        n = await old.fetchval("SELECT n FROM counters WHERE org_id = $1", org_id)
        await new.execute("UPDATE counters SET n = $2 WHERE org_id = $1", org_id, n)
        await verification.verify_hot(old, new, [verified], org_id)

        async def nothing() -> None:
            pass

        await new.execute("DELETE FROM counters WHERE org_id = $1", org_id)
        with pytest.raises(verification.DivergedError, match="the only one"):
            await verification.verify(old, new, table, org_id, nothing)


async def test_a_writer_that_waits_for_too_long_is_told_to_come_again(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    async with on(pair, first.shard) as old:
        await old.execute(
            "UPDATE tenants SET state = 'draining', fenced_at = NULL WHERE org_id = $1",
            org_id,  # nobody may lift it
        )
        with pytest.raises(Problem) as caught:
            async with own.transaction(org_id):
                pass
        assert (caught.value.slug, caught.value.headers["Retry-After"]) == ("organisation-moving", "1")
        async with own.transaction(org_id, readonly=True) as tx:  # who reads is not held
            assert await tx.fetchval("SELECT state FROM tenants WHERE org_id = $1", org_id) == "draining"


async def test_a_move_ends_where_it_would_leave_the_region_or_reach_a_shard_that_is_drained(
    pair: Servers, own: Shards
) -> None:
    """Whatever an operator says of shards and pins while it copies: the last look is right before the fence."""
    org_id, first = await fresh(own)
    target = 1 - first.shard
    async with on(pair, 0) as directory:
        await fleet.stands_in(directory, "us-west", [0, 1])
        with observed(killing(points.PUBLISHED)), pytest.raises(Killed):
            await mover(pair).move(org_id, target)
        await fleet.drain(directory, target)
        move = await mover(pair).move(org_id, target)
        assert (move.step, move.reason) == ("cancelled", f"shard {target} (us-west, draining) takes no organisations")
        await fleet.take_back(directory, target)
        with observed(killing(points.COPIED)), pytest.raises(Killed):
            await mover(pair).move(org_id, target)
        # Pinned while it is on its way within the region, it keeps the shard there in the region, too.
        assert await residency.pin(directory, org_id) == "us-west"
        with pytest.raises(RefusedError, match=f"1 organisations on shard {target} are pinned elsewhere"):
            await fleet.stands_in(directory, "eu-central", [target])
        await residency.unpin(directory, org_id)
        await fleet.stands_in(directory, "eu-central", [target])
        with pytest.raises(RefusedError, match=f"it is moving to shard {target}, which stands elsewhere"):
            await residency.pin(directory, org_id)
        await directory.execute("UPDATE directory.organisations SET pinned = true WHERE org_id = $1", org_id)
        move = await mover(pair).move(org_id, target)
        assert (move.step, "it is pinned to the region us-west" in move.reason) == ("cancelled", True)
        assert await own.home(org_id) == first
        await directory.execute("UPDATE directory.organisations SET pinned = false")
        await directory.execute("UPDATE directory.shards SET region = NULL")
    assert await left_over(pair, org_id) == []


async def test_who_has_moved_belongs_to_no_move_any_more(pair: Servers, own: Shards) -> None:
    """A restore of one organisation holds its writers only where no move could do so, too."""
    org_id, first = await fresh(own)
    await mover(pair).move(org_id, 1 - first.shard)
    async with on(pair, 1 - first.shard) as new:
        assert await home_of(new, org_id) == Home(2, "active", None, None)


async def test_on_a_primary_whose_lease_is_over_nothing_is_cut_over(pair: Servers, own: Shards) -> None:
    """It was stopped, its replica took over, it goes on: its row must not send anybody anywhere."""
    org_id, first = await fresh(own)
    with observed(killing(points.VERIFIED)), pytest.raises(Killed):
        await mover(pair).move(org_id, 1 - first.shard)
    async with on(pair, first.shard) as old:
        home = await home_of(old, org_id)
        assert home is not None
        assert home.move_id is not None
        fence_id = new_id()
        assert await homes.fence(old, org_id, 1, home.move_id, fence_id)
        await old.execute("UPDATE primary_lease SET expires_at = '-infinity'")
        try:
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await homes.close(old, org_id, 1, fence_id, 1 - first.shard)
            with pytest.raises(StuckError, match="the lease of this primary is over"):
                await mover(pair, patience_seconds=0.1).move(org_id, 1 - first.shard)
            home = await home_of(old, org_id)
            assert (home.state if home else None) in {"active", "draining"}
        finally:
            await old.execute("UPDATE primary_lease SET expires_at = 'infinity'")
    assert (await mover(pair).move(org_id, 1 - first.shard)).step == "finished"


async def test_a_copy_waits_for_open_transactions_no_longer_than_it_is_told(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    target = 1 - first.shard
    async with on(pair, first.shard) as old:
        async with old.transaction():
            await old.fetchval("SELECT pg_current_xact_id()")
            with pytest.raises(StuckError, match=f"transactions on shard {first.shard} have been open for 0 s"):
                await mover(pair, patience_seconds=0.1).move(org_id, target)
            # Whoever waits there lets go when it is cancelled.
            waiting = asyncio.create_task(mover(pair).move(org_id, target))
            async with on(pair, 0) as directory, asyncio.timeout(60):
                while not waiting.done():
                    await moves.ask_to_cancel(directory, org_id)
                    await asyncio.sleep(0.05)
        assert (await waiting).step == "cancelled"
    assert await left_over(pair, org_id) == []


async def test_a_cancelled_move_lets_the_old_shard_go_though_the_new_one_is_away(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    while first.shard != 0:  # where the directory is, which cannot be away
        org_id, first = await fresh(own)
    with observed(killing(points.COPIED)), pytest.raises(Killed):
        await mover(pair).move(org_id, 1)
    addresses = pair.shards_admin_dsn.split(",")
    links = list(addresses)
    addresses[1] = addresses[1].replace("port=", "port=1")
    with pytest.raises(StuckError, match=f"Shard {first.shard} has let go of it and keeps no log for it"):
        await Mover(addresses, links=links, patience_seconds=0.1).cancel(org_id)
    async with on(pair, first.shard) as old:
        assert await old.fetchval("SELECT count(*) FROM pg_replication_slots") == 0
        assert await home_of(old, org_id) == Home(1, "active", None, None)
    assert (await mover(pair).cancel(org_id)).step == "cancelled"
    assert await left_over(pair, org_id) == []


async def test_without_its_log_a_copy_is_taken_back(pair: Servers, own: Shards) -> None:
    """A replica took over from the old shard's primary, and has no slot: what was written since cannot come through."""
    org_id, first = await fresh(own)
    with observed(killing(points.COPIED)), pytest.raises(Killed):
        await mover(pair).move(org_id, 1 - first.shard)
    async with on(pair, 0) as directory:
        move = await moves.unfinished(directory, org_id)
    assert move is not None
    superuser = await asyncpg.connect(pair.postgres[first.shard].dsn("postgres"))
    async with asyncio.timeout(60):
        while await replication.kept(superuser, replication.name_of(move.move_id)):
            with contextlib.suppress(asyncpg.ObjectInUseError):  # the new shard comes again at once
                await superuser.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots")
                await superuser.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    await superuser.close()
    async with own.transaction(org_id) as tx:
        await tx.execute("INSERT INTO counters VALUES ($1, 1)", org_id)
    move = await mover(pair).move(org_id, 1 - first.shard)
    assert (move.step, move.reason) == ("cancelled", "the old shard's server did not keep the log for the copy")
    assert await left_over(pair, org_id) == []
    assert (await mover(pair).move(org_id, 1 - first.shard)).step == "finished"
    async with own.transaction(org_id, readonly=True) as tx:
        assert await tx.fetchval("SELECT n FROM counters WHERE org_id = $1", org_id) == 1


async def test_a_copy_that_cannot_go_on_after_a_crash_is_taken_back(pair: Servers, own: Shards) -> None:
    """kill -9 of the new shard's server after a table's slot was dropped, before it was on disk that the table is done.

    Found by killing it again and again; here its catalogue is set to what is then there.
    """
    org_id, first = await fresh(own)
    with observed(killing(points.COPIED)), pytest.raises(Killed):
        await mover(pair).move(org_id, 1 - first.shard)
    superuser = await asyncpg.connect(pair.postgres[1 - first.shard].dsn("postgres"))
    await superuser.execute("UPDATE pg_subscription_rel SET srsubstate = 'f' WHERE srrelid = 'later_lines'::regclass")
    await superuser.close()
    move = await mover(pair).move(org_id, 1 - first.shard)
    assert (move.step, move.reason) == ("cancelled", "the new shard's server ended suddenly and lost a table's state")
    assert await left_over(pair, org_id) == []
    assert (await mover(pair).move(org_id, 1 - first.shard)).step == "finished"


async def test_whoever_lost_a_move_to_somebody_else_is_told_so(pair: Servers, own: Shards) -> None:
    """A rebalance is cancelled while its next move just begins: no fault of the program's."""
    org_id, first = await fresh(own)
    with observed(killing(points.PLANNED)), pytest.raises(Killed):
        await mover(pair).move(org_id, 1 - first.shard)
    async with on(pair, 0) as directory:
        move = await moves.unfinished(directory, org_id)
        assert move is not None
        await moves.note(directory, move, "cancelled")
        with pytest.raises(RefusedError, match="somebody else has"):
            await moves.note(directory, move, "publishing")


async def test_an_outage_is_counted_from_when_it_began(pair: Servers, own: Shards) -> None:
    """However long the copying took before."""
    org_id, first = await fresh(own)

    class Later(SystemClock):
        seconds = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.seconds

    clock, lost = Later(), list[str]()

    def observer(passed: str) -> None:
        if passed == points.COPIED and not lost:
            lost.append(passed)
            clock.seconds = 1000.0
            raise ConnectionResetError

    with observed(observer):
        move = await mover(pair, clock=clock).move(org_id, 1 - first.shard)
    assert (lost, move.step) == ([points.COPIED], "finished")


async def test_a_table_that_is_still_being_copied_counts_as_going_on(pair: Servers, own: Shards) -> None:
    """One that is large takes for longer than a server may be silent."""
    org_id, first = await fresh(own)
    async with own.transaction(org_id) as tx:
        await tx.execute("INSERT INTO later_lines SELECT $1, n, NULL FROM generate_series(1, 5) AS n", org_id)
    async with on(pair, 1 - first.shard) as new, on(pair, 1 - first.shard) as holding:
        await new.execute(
            "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN IF NEW.id = 3 THEN PERFORM pg_advisory_xact_lock(3); END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER held BEFORE INSERT ON later_lines FOR EACH ROW EXECUTE FUNCTION held();"
            "ALTER TABLE later_lines ENABLE ALWAYS TRIGGER held"
        )
        await holding.execute("SELECT pg_advisory_lock(3)")
        with observed(killing(points.SUBSCRIBED)), pytest.raises(Killed):
            await mover(pair).move(org_id, 1 - first.shard)
        async with on(pair, 0) as directory:
            move = await moves.unfinished(directory, org_id)
        assert move is not None
        seen: list[replication.Copying] = []
        async with asyncio.timeout(60):
            while not seen or seen[-1].rows < 2:
                seen.append(await replication.copying(new, replication.name_of(move.move_id)))
                await asyncio.sleep(0.01)
        assert seen[-1].progress > replication.Copying(seen[-1].ready, 0, 0, seen[-1].copied, 1).progress
        await holding.execute("SELECT pg_advisory_unlock(3)")
        assert (await mover(pair).move(org_id, 1 - first.shard)).step == "finished"
        await new.execute("DROP FUNCTION held() CASCADE")


async def test_copies_that_cannot_be_dropped_keep_no_others(pair: Servers, own: Shards) -> None:
    kept, _ = await fresh(own)
    org_id, _ = await fresh(own)
    for one in (kept, org_id):
        move = await mover(pair).move(one, 1 - (await own.locate(one)).shard, retain_seconds=0)
    async with on(pair, 0) as directory:
        first, second = await moves.retained(directory, due=True)
    async with on(pair, first.source) as old:
        await old.execute(f'CREATE PUBLICATION "{replication.name_of(first.move_id)}"')
        with pytest.raises(StuckError, match=f"1 old copies are dropped, others are not: .*{first.org_id} has not"):
            await copies.drop(addresses_of(pair))
        await old.execute(f'DROP PUBLICATION "{replication.name_of(first.move_id)}"')
    addresses = pair.shards_admin_dsn.split(",")
    assert second.move_id == move.move_id
    assert [one.org_id for one in await copies.drop(addresses)] == [kept]


async def test_servers_that_write_values_otherwise_hold_the_same_rows(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    async with own.transaction(org_id) as tx:
        await tx.execute('INSERT INTO later (org_id, "a key") VALUES ($1, 1)', org_id)
    superuser = await asyncpg.connect(pair.postgres[1 - first.shard].dsn("postgres"))
    try:
        await superuser.execute("ALTER DATABASE hal9 SET datestyle TO 'SQL, DMY'")
        assert (await mover(pair).move(org_id, 1 - first.shard)).step == "finished"
    finally:
        await superuser.execute("ALTER DATABASE hal9 RESET datestyle")
        await superuser.close()


async def test_a_call_follows_an_organisation_that_is_held_again_and_again(pair: Servers, own: Shards) -> None:
    """Several moves in a row: the home that was just found is held once more before the call gets there."""
    org_id, first = await fresh(own)
    held: list[Placement] = []

    class Overtaken(Shards):
        async def home(self, org_id: UUID) -> Placement:
            found = await super().home(org_id)
            if len(held) < 2:
                held.append(found)
                await hold()
            return found

    async def hold() -> None:
        async with on(pair, first.shard) as old:  # by a mover that died long ago: whoever waits lifts it
            await old.execute(
                "UPDATE tenants SET state = 'draining', fence_id = org_id, fenced_at = now() - interval '1 minute'"
                " WHERE org_id = $1",
                org_id,
            )

    shards = Overtaken.open(load(DatabaseSettings, {"HAL9_SHARDS": pair.shards_dsn}))
    try:
        await hold()
        await Calls(shards).value(org_id, "neuron_enter", "source", "", "")
    finally:
        await shards.close()
    assert held == [first, first]


async def test_a_fence_of_before_the_clock_was_set_back_is_lifted(pair: Servers, own: Shards) -> None:
    org_id, first = await fresh(own)
    async with on(pair, first.shard) as old:
        await old.execute(
            "UPDATE tenants SET state = 'draining', fence_id = org_id, fenced_at = clock_timestamp() WHERE org_id = $1",
            org_id,
        )
    await clock_was_set_back(pair, first.shard, org_id)
    async with own.transaction(org_id) as tx:
        assert await tx.fetchval("SELECT state FROM tenants WHERE org_id = $1", org_id) == "active"


async def test_a_host_that_hangs_keeps_nobody_from_the_primary(pair: Servers, short_folder: Path) -> None:
    server = pair.postgres[1]
    hanging = socket.socket(socket.AF_UNIX)
    hanging.bind(str(short_folder / ".s.PGSQL.5432"))
    hanging.listen()
    parts = dict(parse_qsl(urlsplit(server.dsn("hal9_owner")).query))
    address = (
        f"postgresql://hal9_owner@/hal9?host={short_folder}%2C{parts['host']}&port=5432%2C{parts['port']}"
        "&target_session_attrs=read-write"
    )
    try:
        async with hands.connected(address) as connection:
            assert await connection.fetchval("SHOW port") == parts["port"]
    finally:
        hanging.close()
