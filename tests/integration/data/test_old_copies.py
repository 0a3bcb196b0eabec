"""What moves left behind is dropped by the clock: when it was kept for long enough, a part at a time, nothing else."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import pytest_asyncio

from functions.upkeep import cleaning
from functions.upkeep.resources import UpkeepSettings
from shared.chaos import Killed, observed
from shared.database import DatabaseSettings
from shared.database.retry import TRIES
from shared.identifiers import new_id
from shared.placement import catalogue, leftovers, points, replication
from shared.placement.leftovers import Dropped, drop_due
from shared.placement.mover import Mover
from shared.settings import load
from shared.shards import Shards
from shared.telemetry.metrics import exposition
from tests.two_shards import on, two_shards

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.database import Database, Transaction
    from shared.placement.moves import Move

    Connection = asyncpg.Connection[asyncpg.Record]

LATER = """
CREATE TABLE later (org_id uuid, id int, PRIMARY KEY (org_id, id));
CREATE TABLE later_lines (org_id uuid, id int, PRIMARY KEY (org_id, id), FOREIGN KEY (org_id, id) REFERENCES later);
GRANT SELECT, INSERT ON later, later_lines TO hal9_app;
"""
"""Tables that no migration knows, of which one refers to the other."""

ROWS = 30
ALL = 10**6
NOTHING = Dropped()


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def pair() -> AsyncIterator[Servers]:
    async with two_shards(LATER) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def own(pair: Servers) -> AsyncIterator[Shards]:
    shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": pair.shards_dsn, "HAL9_POOL_SIZE": "4"}))
    yield shards
    await shards.close()


async def moved(pair: Servers, own: Shards, rows: int = ROWS, *, retain: int = 3600, source: int | None = None) -> Move:
    """An organisation with rows that has moved, from that shard; its old copy is there."""
    topology = await own.topology()
    org_id = new_id()
    while source is not None and topology.place(org_id, "us-west") != source:
        org_id = new_id()
    first = await own.create_organisation(org_id, "us-west")

    async def fill(tx: Transaction) -> None:
        for table in ("later", "later_lines"):
            await tx.execute(f"INSERT INTO {table} SELECT $1, n FROM generate_series(1, $2) n", org_id, rows // 2)

    await own.run(org_id, fill)
    move = await Mover(pair.shards_admin_dsn.split(",")).move(org_id, 1 - first.shard, retain_seconds=retain)
    await without_markers(pair, move)
    return move


async def without_markers(pair: Servers, move: Move) -> None:
    """Take away what the mover wrote: how much that is depends on how fast it was."""
    async with on(pair, move.source) as old:
        await old.execute("DELETE FROM move_markers")


async def rows_on(pair: Servers, shard: int, org_id: UUID) -> tuple[int, str | None]:
    """An organisation's rows on a shard, and its state there."""
    async with on(pair, shard) as connection:
        counts = [
            await connection.fetchval(f"SELECT count(*) FROM {table.name} WHERE org_id = $1", org_id)
            for table in await catalogue.tables(connection)
        ]
        return sum(counts), await connection.fetchval("SELECT state FROM tenants WHERE org_id = $1", org_id)


async def dropped_at(pair: Servers, move: Move) -> object:
    async with on(pair, 0) as directory:
        return await directory.fetchval("SELECT dropped_at FROM directory.moves WHERE move_id = $1", move.move_id)


async def kept_for_long_enough(pair: Servers) -> None:
    """Let the time pass for which copies are kept."""
    async with on(pair, 0) as directory:
        await directory.execute("UPDATE directory.moves SET retain_s = 0")


async def test_a_copy_is_dropped_when_it_was_kept_for_long_enough_and_not_before(pair: Servers, own: Shards) -> None:
    move = await moved(pair, own)
    assert await drop_due(own, at_most_rows=ALL) == NOTHING
    assert await rows_on(pair, move.source, move.org_id) == (ROWS, "moved")
    await kept_for_long_enough(pair)
    assert await drop_due(own, at_most_rows=ALL) == Dropped(copies=1, rows=ROWS)
    assert await rows_on(pair, move.source, move.org_id) == (0, None)
    assert await rows_on(pair, move.target, move.org_id) == (ROWS, "active")
    assert await dropped_at(pair, move) is not None
    assert await drop_due(own, at_most_rows=ALL) == NOTHING
    assert (await own.home(move.org_id)).shard == move.target


@pytest.mark.parametrize("point", [points.COPY_SHRUNK, points.COPY_GONE])
async def test_whoever_dies_while_dropping_is_gone_on_with(pair: Servers, own: Shards, point: str) -> None:
    move = await moved(pair, own, retain=0)

    def dying(name: str) -> None:
        if name == point:
            raise Killed

    with observed(dying), pytest.raises(Killed):
        await drop_due(own, at_most_rows=ALL)
    assert await dropped_at(pair, move) is None
    assert (await drop_due(own, at_most_rows=ALL)).copies == 1
    assert await rows_on(pair, move.source, move.org_id) == (0, None)
    assert await rows_on(pair, move.target, move.org_id) == (ROWS, "active")


async def test_a_round_is_bounded_and_the_next_one_goes_on(
    pair: Servers, own: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_ROWS", 10)
    large, small = await moved(pair, own, retain=0), await moved(pair, own, 2, retain=0)
    assert await drop_due(own, at_most_rows=20) == Dropped(rows=20, left=2)
    assert await rows_on(pair, large.source, large.org_id) == (ROWS - 20, "moved")
    assert await rows_on(pair, small.source, small.org_id) == (2, "moved")
    assert await drop_due(own, at_most_rows=20) == Dropped(copies=2, rows=ROWS - 20 + 2)


async def test_an_organisation_that_came_back_keeps_what_it_has(pair: Servers, own: Shards) -> None:
    there = await moved(pair, own)
    back = await Mover(pair.shards_admin_dsn.split(",")).move(there.org_id, there.source, retain_seconds=3600)
    await kept_for_long_enough(pair)
    assert (await drop_due(own, at_most_rows=ALL)).copies == 2
    assert await rows_on(pair, back.target, there.org_id) == (ROWS, "active")
    assert await rows_on(pair, back.source, there.org_id) == (0, None)


async def test_what_is_still_replicated_is_not_touched_and_keeps_no_other_from_it(pair: Servers, own: Shards) -> None:
    """Deletions that were replicated would reach the new home."""
    held, other = await moved(pair, own, retain=0), await moved(pair, own, retain=0)
    name = replication.name_of(held.move_id)
    async with on(pair, held.source) as old:
        await old.execute(f'CREATE PUBLICATION "{name}" FOR TABLE later')
    assert await drop_due(own, at_most_rows=ALL) == Dropped(copies=1, rows=ROWS, failed=1)
    assert await rows_on(pair, held.source, held.org_id) == (ROWS, "moved")
    assert await rows_on(pair, other.source, other.org_id) == (0, None)
    async with on(pair, held.source) as old:
        await old.execute(f'DROP PUBLICATION "{name}"')
    assert await drop_due(own, at_most_rows=ALL) == Dropped(copies=1, rows=ROWS)


async def test_a_shard_that_is_away_hides_no_copy_of_another_and_is_asked_once(
    pair: Servers, own: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = [await moved(pair, own, retain=0, source=1) for _ in range(2)]
    later = await moved(pair, own, retain=0, source=0)
    monkeypatch.setattr(leftovers, "_COPIES", 1)
    away = f"{pair.shards_dsn.split(',')[0]},postgresql://hal9_app@127.0.0.1:1/hal9"
    without = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": away, "HAL9_POOL_SIZE": "4"}))
    asked: list[int] = []
    database = without.database

    def counting(shard: int) -> Database:
        asked.append(shard)
        return database(shard)

    monkeypatch.setattr(without, "database", counting)
    assert await drop_due(without, at_most_rows=ALL, at_most_seconds=600) == Dropped(copies=1, rows=ROWS, failed=2)
    await without.close()
    assert asked.count(1) <= TRIES, "for the first copy, and for no other one"
    assert await rows_on(pair, later.source, later.org_id) == (0, None)
    assert [await rows_on(pair, one.source, one.org_id) for one in hidden] == [(ROWS, "moved")] * 2
    assert await drop_due(own, at_most_rows=ALL) == Dropped(copies=2, rows=2 * ROWS)


async def test_a_shard_that_hangs_leaves_time_for_the_others(pair: Servers, own: Shards) -> None:
    hidden, later = [await moved(pair, own, retain=0, source=source) for source in (1, 0)]
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # the kernel accepts, nobody answers
        about = {
            "HAL9_SHARDS": f"{pair.shards_dsn.split(',')[0]},postgresql://hal9_app@127.0.0.1:{hanging.getsockname()[1]}/hal9",
            "HAL9_CONNECT_SECONDS": "50", "HAL9_POOL_WAIT_SECONDS": "50",
        }  # fmt: skip
        without = Shards.open(load(DatabaseSettings, about))
        done = await drop_due(without, at_most_rows=ALL, at_most_seconds=12)
        await without.close()
    assert done == Dropped(copies=1, rows=ROWS, failed=1)
    assert await rows_on(pair, later.source, later.org_id) == (0, None)
    assert await rows_on(pair, hidden.source, hidden.org_id) == (ROWS, "moved")
    assert await drop_due(own, at_most_rows=ALL) == Dropped(copies=1, rows=ROWS)


async def test_nothing_more_is_begun_when_the_time_is_over(pair: Servers, own: Shards) -> None:
    move = await moved(pair, own, retain=0)
    assert await drop_due(own, at_most_rows=ALL, at_most_seconds=0) == Dropped(left=1)
    assert await rows_on(pair, move.source, move.org_id) == (ROWS, "moved")
    assert await drop_due(own, at_most_rows=ALL) == Dropped(copies=1, rows=ROWS)


async def test_the_application_can_drop_nothing_but_what_was_left(pair: Servers, own: Shards) -> None:
    move = await moved(pair, own)
    for shard, epoch in ((move.target, move.epoch + 1), (move.target, move.epoch), (move.source, move.epoch + 1)):
        async with own.database(shard).connection() as connection:
            assert await connection.fetchval("SELECT tenant_drop_copy($1, $2, 100)", move.org_id, epoch) is None
    assert await rows_on(pair, move.target, move.org_id) == (ROWS, "active")
    assert await rows_on(pair, move.source, move.org_id) == (ROWS, "moved")
    async with own.directory.connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE directory.moves SET retain_s = 0")


async def test_upkeep_says_what_it_dropped(pair: Servers, own: Shards) -> None:
    def counted() -> dict[str, float]:
        lines = (line.rpartition(" ") for line in exposition().splitlines() if line.startswith("hal9_old_copies"))
        return {name: float(value) for name, _, value in lines}

    await moved(pair, own)
    await kept_for_long_enough(pair)
    resources: Any = SimpleNamespace(shards=own, settings=UpkeepSettings())
    before = counted()
    await cleaning.clean(resources)
    after = counted()
    assert after['hal9_old_copies_total{outcome="dropped"}'] > before.get('hal9_old_copies_total{outcome="dropped"}', 0)
    assert after["hal9_old_copies_rows_total"] >= before["hal9_old_copies_rows_total"] + ROWS
    assert after["hal9_old_copies_due"] == 0
