"""The archiver when things go wrong: a promotion, a spool that was lost, another's hand, a store that takes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import asyncpg
import httpx
import pytest
from conftest import CHECKOUT

from knative.platform.environment import SUPERUSER, as_role
from knative.platform.observing import observed
from knative.platform.servers.aside import aside
from shared.backup import BackupError, BackupSettings, DamagedError, Places, Repository, Shard, choose, create
from shared.backup.archive import Spool, Status, catch_up, read_status, receiving
from shared.backup.archiving import Archiver
from shared.backup.programs import end, run, start
from shared.backup.restoring import fetch, recovered, require_reach
from shared.backup.retention import prune
from shared.backup.shard import lsn_text, mark, segment, segment_bytes, slot
from shared.backup.verification import verify
from shared.datakeys.files import FileMasterKeys
from shared.identifiers import new_id
from shared.objects import ObjectsSettings, open_objects
from shared.replicas import lease
from tests.replicas_fixture import Writer, pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path
    from uuid import UUID

    from conftest import Stage

    from shared.backup import Backup
    from shared.backup.restoring import Target
    from shared.backup.shard import Connection, Slot
    from tests.replicas_fixture import Pair

T = TypeVar("T")


def silent(text: str) -> None:
    del text


async def eventually(look: Callable[[], Awaitable[T | None]]) -> T:
    """Look until there is something, as long as the test may take."""
    while True:
        if (found := await look()) is not None:
            return found
        await asyncio.sleep(0.1)


@asynccontextmanager
async def archiving(environment: dict[str, str]) -> AsyncIterator[list[str]]:
    """Run `hal9 backup archive` meanwhile; give what it says, when it has ended."""
    lines: list[str] = []
    process = subprocess.Popen(  # noqa: ASYNC220 - it starts at once, and is waited for in a thread
        [sys.executable, "-m", "knative.cli.main", "backup", "archive"],
        cwd=CHECKOUT, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield lines
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = await asyncio.to_thread(process.communicate)
        lines += said.splitlines()
    assert process.returncode == 0, said


async def archived(repository: Repository, archive: str, moment: datetime) -> None:
    """Wait until an archive reaches a moment."""

    async def look() -> Status | None:
        status = await read_status(repository, archive)
        return status if status is not None and status.at >= moment else None

    await eventually(look)


async def good(repository: Repository) -> list[Backup]:
    return [one.backup for one in await repository.backups() if one.fault is None and one.backup is not None]


async def backups(repository: Repository, count: int) -> list[Backup]:
    """Wait until there are so many good ones, and give them."""

    async def look() -> list[Backup] | None:
        found = await good(repository)
        return found if len(found) >= count else None

    return await eventually(look)


async def switched(shard: Shard, times: int) -> None:
    """Have a server begin so many WAL segments."""
    async with shard.connected() as connection:
        for _ in range(times):
            await mark(connection)
            await connection.execute("SELECT pg_switch_wal()")


async def held_by(connection: Connection) -> Slot:
    """The slot of a server that has one."""
    found = await slot(connection)
    assert found is not None
    return found


async def ready(archiver: Archiver) -> bool | None:
    return archiver.ready or None


async def given_up(connection: Connection) -> Slot | None:
    """The slot, once nobody takes from it."""
    found = await held_by(connection)
    return found if found.active_pid is None else None


async def take(shard: Shard, connection: Connection, spool: Spool, segments: int = 3) -> None:
    """Receive some WAL into a spool, so that the slot keeps it no longer."""
    command, environment = receiving(shard, await held_by(connection), spool)
    taking = await start(command, environment)
    await switched(shard, segments)
    last, size = (await mark(connection)).lsn, await segment_bytes(connection)
    await eventually(lambda: taken(connection, last - last % size))
    await end(taking)


async def taken(connection: Connection, lsn: int) -> bool | None:
    """Whether a server's slot has gone on to a place: what is before it, the server keeps no longer."""
    return (await held_by(connection)).restart_lsn >= lsn or None


async def without(connection: Connection, names: set[str]) -> bool | None:
    """Whether a server has none of these segments any more."""
    await connection.execute("CHECKPOINT")
    return not names & {row["name"] for row in await connection.fetch("SELECT name FROM pg_ls_waldir()")} or None


async def ids(repository: Repository, target: Target, folder: Path) -> set[UUID]:
    """What the ledger of the one shard has at a moment."""
    await fetch(repository, target, 0, folder, silent)
    async with recovered(folder, 0, target, aside, silent) as address:
        connection = await asyncpg.connect(address)
        try:
            return {row["id"] for row in await connection.fetch("SELECT id FROM ledger")}
        finally:
            await connection.close()


async def beyond_the_first_segment(one: Pair) -> None:
    """Have the primary write segments and forget how to recover from before: a slot that is made now begins here."""
    async with one.shard.superuser(one.shard.primary) as connection:
        for _ in range(3):
            await connection.execute("SELECT pg_logical_emit_message(true, 'test', 'a record')")
            await connection.execute("SELECT pg_switch_wal()")
        await connection.execute("CHECKPOINT")


@pytest.mark.timeout(300)
async def test_after_a_promotion_a_new_archive_and_a_full_backup_begin_by_themselves(tmp_path: Path) -> None:
    store = f"file://{tmp_path}/store"
    objects = open_objects(ObjectsSettings(url=store, s3_endpoint=None))
    repository = Repository(objects, FileMasterKeys(tmp_path / "keys"), "us-west")
    async with pair() as one:
        admin = one.servers.shards_admin_dsn
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HAL9_")}
        environment = kept | {
            "HAL9_HOME": str(tmp_path / "home"), "HAL9_SHARDS_ADMIN": admin,
            "HAL9_BACKUP_SHARDS": as_role(SUPERUSER, admin), "HAL9_BACKUPS": store,
            "HAL9_DATA_KEYS": f"file://{tmp_path}/keys", "HAL9_BACKUP_WAL_SECONDS": "1",
        }  # fmt: skip
        writer = Writer(one.shards, await one.organisation("enterprise"))
        await one.synchronous()
        async with archiving(environment):
            writing = asyncio.create_task(writer.write())

            [first] = await backups(repository, 1)
            await writer.more(20)
            before, known = datetime.now(UTC), (set(writer.acknowledged), set(writer.begun))
            await writer.more(5)
            await archived(repository, first.shards[0].archive, before)
            await one.keeper.promote(0)
            await beyond_the_first_segment(one)
            [_, second] = await backups(repository, 2)
            await writer.more(5)
            after, known_then = datetime.now(UTC), (set(writer.acknowledged), set(writer.begun))
            await writer.more(5)
            await archived(repository, second.shards[0].archive, after)
            assert (second.kind, second.shards[0].timeline) == ("full", first.shards[0].timeline + 1)
            assert second.shards[0].archive != first.shards[0].archive

            await one.synchronous()
            async with one.shard.superuser(one.shard.replica) as connection:
                assert await slot(connection) is None, "the replica would keep its log for nobody"
                await lease.keep_log_for(connection, f"hal9_archive_{first.shards[0].archive}")  # as others' would
            await one.keeper.promote(0)
            [*_, third] = await backups(repository, 3)
            assert third.kind == "full"
            assert third.shards[0].archive != first.shards[0].archive, "two histories would be in one archive"
            await writer.more(5)
            last, known_last = datetime.now(UTC), (set(writer.acknowledged), set(writer.begun))
            await writer.more(5)
            await archived(repository, third.shards[0].archive, last)
            writer.over = True
            await writing
    metrics = (tmp_path / "home" / "archive" / "metrics.prom").read_text()
    assert 'hal9_backup_gaps_total{shard="0"} 2' in metrics
    now = datetime.now(UTC)
    old = await ids(repository, await choose(repository, before, now), tmp_path / "before")
    assert known[0] <= old <= known[1]
    new = await ids(repository, await choose(repository, after, now), tmp_path / "after")
    assert known_then[0] <= new <= known_then[1]

    await prune(repository, timedelta(days=30), now, silent)
    for backup in (second, third):  # as if the moment were before they were made
        await repository.remove(backup.id)
    through = await choose(repository, after, now)
    assert (through.backup.id, len(through.routes[0])) == (first.id, 2)
    assert await ids(repository, through, tmp_path / "through") == new
    newest = await choose(repository, last, now)
    assert len(newest.routes[0]) == 3
    assert known_last[0] <= await ids(repository, newest, tmp_path / "newest") <= known_last[1]

    [_, leg] = through.routes[0]
    size = first.shards[0].segment_bytes
    await verify(repository, first, tmp_path, silent)
    later = f"wal/{leg.archive}/{segment(leg.timeline, leg.lsn + size, size)}"
    await repository.delete(later)
    with pytest.raises(DamagedError, match=f"{later} is damaged: .*not in the store"):
        await verify(repository, first, tmp_path, silent)
    begin = segment(leg.timeline, leg.lsn, size)
    [hole] = [name async for name in repository.below(f"wal/{leg.archive}") if begin in name]
    await repository.delete(hole)
    with pytest.raises(BackupError, match="choose an earlier moment"):
        require_reach(await choose(repository, after, now))


@pytest.mark.timeout(300)
async def test_a_spool_that_was_lost_begins_a_new_archive(stage: Stage, tmp_path: Path) -> None:
    made = await create(stage.places(), silent)
    before = len(await good(stage.repository()))
    shard = stage.shards[1]
    key = await stage.repository().new_key()
    lost = Spool(tmp_path, made.shards[1].archive, stage.repository(), key)
    async with shard.connected() as connection:
        await take(shard, connection, lost)
    assert len(lost.names) > 2, "what is nowhere else"
    async with archiving(stage.environment | {"HAL9_BACKUP_EVERY_HOURS": "24"}) as said:
        newest = (await backups(stage.repository(), before + 1))[-1]
        archives = [[part.archive for part in one.shards] for one in (made, newest)]
        assert archives[0][0::2] == archives[1][0::2]
        assert archives[0][1] != archives[1][1]
        assert newest.kind == "full"
    [told] = [line for line in map(json.loads, said) if "a new archive begins" in line["message"]]
    assert (told["shard"], told["archive"]) == (1, newest.shards[1].archive)
    assert (await verify(stage.repository(), newest, tmp_path, silent)).backup == newest.id


@pytest.mark.timeout(300)
async def test_the_archive_goes_on_where_another_spool_took_it(stage: Stage, tmp_path: Path) -> None:
    """The segment that was begun here is in the store by another's hand, and the server has it no more."""
    await create(stage.places(), silent)
    await stage.write(2)
    shard, places = stage.shards[0], stage.places()
    async with shard.connected() as connection:
        held = await held_by(connection)
        own = Spool(places.spool, held.archive, places.repository, await places.repository.new_key())
        reached = await mark(connection)
        await mark(connection)
        command, environment = receiving(shard, held, own, "--endpos", lsn_text(reached.lsn))
        await run(command, environment)  # leaves the segment that is being written
        assert own.names
        other = Spool(tmp_path, held.archive, places.repository, own.data_key)
        await take(shard, connection, other, 20)  # more than `wal_keep_size`
        await other.keep()
        await eventually(lambda: without(connection, {name.removesuffix(".partial") for name in own.names}))
    status = await catch_up(shard, places.repository, own.data_key, places.spool, places.clock, 60)
    assert status.lsn > reached.lsn


@pytest.mark.timeout(300)
async def test_what_the_store_does_not_take_in_time_waits_on_the_server(stage: Stage, tmp_path: Path) -> None:
    places = stage.places()
    shard = stage.shards[2]
    own = Places([Shard(0, shard.address, shard.admin)], places.repository, tmp_path, places.clock, 60)
    settings = BackupSettings(
        store=None, s3_endpoint=None, shards=None, region="us-west", wal_seconds=1.0, spool_megabytes=64.0, port=0,
        keep_days=1.0, chain=7, every_hours=0.0, test_hours=0.0,
    )  # fmt: skip
    archiver = Archiver(own, settings, await places.repository.new_key())
    running = asyncio.create_task(archiver.run())
    try:
        async with shard.connected() as connection:
            await eventually(lambda: ready(archiver))
            held = await held_by(connection)
            waiting = tmp_path / held.archive / "waiting"
            with waiting.open("wb") as file:
                file.truncate(65 * 2**20)
            assert (await eventually(lambda: given_up(connection))).archive == held.archive
            waiting.unlink()
            reached = await mark(connection)
        await archived(places.repository, held.archive, reached.at)
    finally:
        archiver.stop()
        await running


async def test_what_comes_long_after_the_point_without_a_commit_is_restored_too(stage: Stage, tmp_path: Path) -> None:
    """Recovery to a moment before a later backup's point needs the first commit after it, wherever that is."""
    await create(stage.places(), silent)
    await stage.write(2)
    moment = datetime.now(UTC)

    def load() -> None:
        async def much() -> None:
            connection = await asyncpg.connect(stage.shards[0].address)
            for _ in range(5):
                await connection.execute("SELECT pg_logical_emit_message(false, 'much', repeat('x', 8 * 1024 * 1024))")
            await connection.close()

        asyncio.run(much())

    def tell(step: str) -> None:
        if step == "the WAL up to it":
            thread = threading.Thread(target=load)
            thread.start()
            thread.join()

    await create(stage.places(), tell)
    found = await stage.restored(moment, tmp_path / "home")
    assert {entry.n for entry in stage.written if entry.acknowledged < moment} <= found[0]


async def test_a_backup_that_fails_leaves_nothing(stage: Stage) -> None:
    places = stage.places()
    shards = [*places.shards[:2], Shard(2, places.shards[2].address, places.shards[2].admin.replace("port=", "port=1"))]
    with pytest.raises(BackupError, match="Shard 2 does not answer"):
        await create(Places(shards, places.repository, places.spool, places.clock, 60), silent, incremental=False)
    assert await places.repository.unfinished() == []


@pytest.mark.timeout(300)
async def test_a_backup_that_an_archiver_was_killed_at_is_taken_away_by_the_next_one_and_made(stage: Stage) -> None:
    repository, before = stage.repository(), len(await good(stage.repository()))
    key, cut_off, of_an_operator = await repository.new_key(), new_id(), new_id()
    await repository.write(key, f"sets/{cut_off}/begun", b"archiver")
    await repository.write(key, f"sets/{cut_off}/0/base", b"half of it")
    await repository.write(key, f"sets/{of_an_operator}/begun", b"")
    async with archiving(stage.environment | {"HAL9_BACKUP_EVERY_HOURS": "0.0001"}) as said:
        await backups(repository, before + 1)
    assert [line for line in said if "cut off" in line and str(cut_off) in line]
    assert await repository.unfinished() == [of_an_operator]
    await repository.remove(of_an_operator)


async def test_a_status_that_was_damaged_is_named_and_keeps_no_backup_from_its_point(
    stage: Stage, tmp_path: Path
) -> None:
    made = await create(stage.places(), silent, incremental=False)
    [status] = stage.folder.glob(f"store/*/backup/wal/{made.shards[2].archive}/status")
    whole = status.read_bytes()
    status.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        listed = await stage.hal9("list", "--json")
        [shown] = [one for one in json.loads(listed.stdout) if one["backup"] == str(made.id)]
        assert f"{made.shards[2].archive}/status is damaged" in shown["fault"]
        assert len(await stage.restored(str(made.id), tmp_path / "home")) == 3
        with pytest.raises(DamagedError):
            await stage.restored("latest", tmp_path / "other")
    finally:
        status.write_bytes(whole)


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "2026-02-30T12:00:00Z", "yesterday", "", "2026-03-01T25:00:00Z"]
)
async def test_what_is_no_moment_is_refused(stage: Stage, tmp_path: Path, moment: str) -> None:
    done = await stage.hal9("restore", "--at", moment, "--into", str(tmp_path / "home"))
    assert (done.returncode, "is no moment" in " ".join(done.stderr.split())) == (2, True), done.stderr


async def test_a_restore_test_that_breaks_off_while_it_counts_leaves_evidence(stage: Stage) -> None:
    async with stage.shards[1].connected() as connection:
        await connection.execute("CREATE TABLE broken (n int, m int GENERATED ALWAYS AS (1 / n) VIRTUAL)")
        await connection.execute("INSERT INTO broken VALUES (0)")
        try:
            made = await create(stage.places(), silent)
            done = await stage.hal9("verify", "--restore", str(made.id))
            assert (done.returncode, "division by zero" in done.stderr) == (1, True), done.stderr
            listed = await stage.hal9("list", "--tests", "--json")
            assert listed.returncode == 1
            last = json.loads(listed.stdout)[-1]
            assert (last["backup"], "division by zero" in last["fault"]) == (str(made.id), True)
            [record] = stage.folder.glob(f"store/*/backup/evidence/{last['id']}")
            whole = record.read_bytes()
            record.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            shown = json.loads((await stage.hal9("list", "--tests", "--json")).stdout)
            assert len(shown) == len(json.loads(listed.stdout))
            assert (shown[-1]["id"], "is damaged" in shown[-1]["fault"]) == (last["id"], True)
        finally:
            await connection.execute("DROP TABLE broken")


def test_the_archiver_answers_for_its_metrics_and_its_health() -> None:
    ready = threading.Event()
    with observed(0, lambda: b"hal9_backup_gaps_total 1\n", ready.is_set) as port:
        found = {
            path: httpx.get(f"http://127.0.0.1:{port}{path}")
            for path in ("/metrics", "/healthz/live", "/healthz/ready", "/etc/passwd")
        }
        ready.set()
        later = httpx.get(f"http://127.0.0.1:{port}/healthz/ready")
    assert {path: one.status_code for path, one in found.items()} == {
        "/metrics": 200, "/healthz/live": 200, "/healthz/ready": 503, "/etc/passwd": 404,
    }  # fmt: skip
    assert (found["/metrics"].text, later.status_code) == ("hal9_backup_gaps_total 1\n", 200)
