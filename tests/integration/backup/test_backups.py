"""Backups of three shards while a ledger writes to them: what is restored is what was acknowledged, to the row."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from conftest import LEDGER, NOBODY, Stage

from knative.platform.organisationrestore import restore_organisation
from knative.platform.restoretest import restore_test
from knative.platform.servers.aside import aside
from shared.backup import BackupError, DamagedError, choose, create, evidence
from shared.backup.archive import Spool, catch_up, ensured, read_status, whole
from shared.backup.organisation import Home, Rows, file_pieces, put_back
from shared.backup.retention import prune
from shared.backup.verification import verify
from shared.clock import SystemClock
from shared.database import DatabaseSettings
from shared.database.migrations import migrate
from shared.datakeys.files import FileMasterKeys
from shared.identifiers import new_id
from shared.settings import load
from shared.shards import Shards
from shared.transactions import Gid
from tests.own_servers import own_servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from shared.backup import Backup


CHECKOUT = Path(__file__).parents[3]


def silent(text: str) -> None:
    del text


async def reach(stage: Stage, moment: datetime) -> None:
    """Wait until the archiver has brought everything up to a moment into the store."""
    repository = stage.repository()
    newest = (await choose(repository, "latest", datetime.now(UTC))).backup
    for part in newest.shards:
        for _ in range(600):
            status = await read_status(repository, part.archive)
            if status is not None and status.at >= moment:
                break
            await asyncio.sleep(0.2)
        else:
            pytest.fail("the archiver did not come so far within two minutes")


@pytest.mark.timeout(900)
async def test_three_random_moments_are_restored_to_the_row(
    stage: Stage, archiver: subprocess.Popen[str], tmp_path: Path
) -> None:
    async with stage.writing():
        full = await create(stage.places(), silent, incremental=False)
        await stage.write(50)
        difference = await create(stage.places(), silent)
        await stage.write(50)
    after = datetime.now(UTC)
    await reach(stage, after)
    assert (full.kind, difference.kind, difference.parent) == ("full", "incremental", full.id)
    assert difference.plain < full.plain / 2
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    spans = [(full.consistent_at, difference.consistent_at), (difference.consistent_at, after)]
    moments = [
        begin + (end - begin) * chance.random() for begin, end in [spans[0], spans[1], spans[chance.randrange(2)]]
    ]
    for number, moment in enumerate(moments):
        found = await stage.restored(moment, tmp_path / f"home{number}")
        sure = {entry.n for entry in stage.written if entry.acknowledged < moment}
        possible = {entry.n for entry in stage.written if entry.begun <= moment}
        assert len(found) == 3
        for shard, rows in enumerate(found):
            assert sure <= rows <= possible, f"seed {seed}, {moment}, shard {shard}"
        assert len(possible - sure) <= 2, "the ledger is written by two at a time at most"
    # The server's own archive went on meanwhile, and the new home has one of its own: it begins with a full backup.
    assert not (tmp_path / "home0" / "archive").exists()


@pytest.fixture(scope="module")
async def backup(stage: Stage) -> Backup:
    """A full backup, with its WAL."""
    await stage.write(5)
    made = await create(stage.places(), silent, incremental=False)
    assert made.kind == "full"
    return made


async def test_what_was_made_is_listed_and_verified(stage: Stage, backup: Backup) -> None:
    listed = await stage.hal9("list", "--json")
    assert listed.returncode == 0, listed.stderr
    [shown] = [one for one in json.loads(listed.stdout) if one["backup"] == str(backup.id)]
    assert (shown["fault"], shown["kind"], shown["shards"]) == (None, "full", 3)
    assert shown["until"] >= shown["point_at"]
    table = await stage.hal9("list")
    assert str(backup.id) in table.stdout
    assert "good" in table.stdout
    verified = await stage.hal9("verify", str(backup.id), "--json")
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)[0]["plain"] == backup.plain


async def test_a_killed_backup_is_not_there(stage: Stage, backup: Backup) -> None:
    process = stage.begin("create", "--full")
    assert process.stderr is not None
    while "a restore point" not in (line := await asyncio.to_thread(process.stderr.readline)):
        assert line, "it ended by itself"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    repository = stage.repository()
    before = {one.id for one in await repository.backups()}
    assert backup.id in before
    assert all(one.fault is None for one in await repository.backups())
    [left] = await repository.unfinished()
    assert left not in before
    kept = await prune(repository, timedelta(days=1), datetime.now(UTC), silent)
    assert kept.unfinished == (), "it may be in the making"
    gone = await prune(repository, timedelta(days=3), datetime.now(UTC) + timedelta(hours=25), silent)
    assert (gone.unfinished, gone.backups) == ((left,), ())
    assert await repository.unfinished() == []


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def copied(stage: Stage, folder: Path) -> Path:
    store = folder / "store"
    shutil.copytree(stage.folder / "store", store)
    return store


def stored(store: Path, name: str) -> Path:
    [path] = store.glob(f"*/backup/{name}")
    return path


async def test_what_was_tampered_with_is_refused(stage: Stage, backup: Backup, tmp_path: Path) -> None:
    store = copied(stage, tmp_path)
    repository = stage.repository(store)
    base = stored(store, f"sets/{backup.id}/0/base")
    whole = base.read_bytes()

    async def refused(change: bytes) -> None:
        base.write_bytes(change)
        with pytest.raises(DamagedError):
            await verify(repository, backup, tmp_path, silent)
        base.write_bytes(whole)

    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    await refused(bytes(flipped))
    await refused(whole[:-1])
    await refused(whole[: 1 << 20])
    await refused(stored(store, f"sets/{backup.id}/1/base").read_bytes())
    base.unlink()
    with pytest.raises(DamagedError, match="not in the store"):
        await verify(repository, backup, tmp_path, silent)
    manifest = stored(store, f"sets/{backup.id}/manifest")
    changed = bytearray(manifest.read_bytes())
    changed[-1] ^= 1
    manifest.write_bytes(changed)
    [listed] = [one for one in await repository.backups() if one.id == backup.id]
    assert listed.fault is not None
    assert listed.backup is None


async def test_a_manifest_in_anothers_place_is_refused(stage: Stage, backup: Backup, tmp_path: Path) -> None:
    store = copied(stage, tmp_path)
    repository = stage.repository(store)
    other = next(one.id for one in await repository.backups() if one.id != backup.id)
    stored(store, f"sets/{other}/manifest").write_bytes(stored(store, f"sets/{backup.id}/manifest").read_bytes())
    [listed] = [one for one in await repository.backups() if one.id == other]
    assert "damaged" in (listed.fault or "")


async def test_missing_wal_is_named(stage: Stage, backup: Backup, tmp_path: Path) -> None:
    store = copied(stage, tmp_path)
    archive = backup.shards[1].archive
    names = sorted(path.name for path in store.glob(f"*/backup/wal/{archive}/0*"))
    inside = names[-2]
    stored(store, f"wal/{archive}/{inside}").unlink()
    with pytest.raises(DamagedError, match=f"{archive}/{inside}"):
        await verify(stage.repository(store), backup, tmp_path, silent)


async def test_another_master_key_opens_nothing(stage: Stage, backup: Backup, tmp_path: Path) -> None:
    await FileMasterKeys(tmp_path / "others").generate(NOBODY, "us-west")
    listed = await stage.repository(masters=tmp_path / "others").backups()
    assert all("another master key" in (one.fault or "") for one in listed)
    done = await stage.hal9(
        "restore", "--at", str(backup.id), "--into", str(tmp_path / "home"), HAL9_DATA_KEYS=f"file://{tmp_path}/others"
    )
    assert done.returncode == 1
    assert "another master key" in done.stderr
    assert not (tmp_path / "home").exists()


async def test_where_there_is_no_master_key_none_is_made(stage: Stage, backup: Backup, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    done = await stage.hal9(
        "restore", "--at", str(backup.id), "--into", str(tmp_path / "home"), HAL9_DATA_KEYS=f"file://{absent}"
    )
    assert (done.returncode, "Traceback" in done.stderr, absent.exists()) == (1, False, False), done.stderr
    assert "check HAL9_DATA_KEYS" in done.stderr


async def test_nothing_is_overwritten(stage: Stage, backup: Backup, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    for folder in (tmp_path, stage.folder, tmp_path / "kept"):
        done = await stage.hal9("restore", "--at", str(backup.id), "--into", str(folder))
        assert done.returncode == 1
        assert "never overwrites" in done.stderr
    assert (tmp_path / "kept").read_text() == "mine"


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2001, 1, 1, tzinfo=UTC), "The oldest good backup can be restored to"),
        (datetime(2201, 1, 1, tzinfo=UTC), "has not come yet"),
        ("yesterday", "There is no good backup yesterday"),
    ],
)
async def test_moments_that_cannot_be_had(stage: Stage, backup: Backup, moment: datetime | str, said: str) -> None:
    with pytest.raises(BackupError, match=said):
        await choose(stage.repository(), moment, datetime.now(UTC))


async def test_a_moment_says_its_time_zone(stage: Stage, tmp_path: Path) -> None:
    done = await stage.hal9("restore", "--at", "2026-01-01T00:00:00", "--into", str(tmp_path / "home"))
    assert done.returncode == 2
    assert "time zone" in " ".join(done.stderr.split())


async def test_a_full_disk_is_said_and_leaves_nothing(stage: Stage, backup: Backup, tmp_path: Path) -> None:
    script = (
        f"mount -t tmpfs -o size=24m tmpfs {tmp_path} && "
        f"{sys.executable} -m knative.cli.main backup restore --at {backup.id} --into {tmp_path}/home; "
        f"code=$?; ls -A {tmp_path}; exit $code"
    )
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*namespace, command], env=stage.environment, capture_output=True, text=True, check=False, cwd=CHECKOUT
        )

    if (await asyncio.to_thread(run, f"mount -t tmpfs tmpfs {tmp_path}")).returncode != 0:
        pytest.skip("this machine allows no mounts in a user namespace")
    done = await asyncio.to_thread(run, script)
    assert done.returncode == 1, done.stderr
    assert "is full" in done.stderr
    assert done.stdout.split() == []


async def test_old_backups_go_and_what_newer_ones_need_stays(stage: Stage, tmp_path: Path) -> None:
    await stage.write(5)
    newest = await create(stage.places(), silent, incremental=False)
    repository = stage.repository(copied(stage, tmp_path))
    before = [one.id for one in await repository.backups()]
    assert len(before) > 1
    done = await prune(repository, timedelta(0), datetime.now(UTC) + timedelta(seconds=1), silent)
    assert [one.id for one in await repository.backups()] == [newest.id]
    assert set(done.backups) == set(before) - {newest.id}
    assert done.segments > 0
    assert (await verify(repository, newest, tmp_path, silent)).plain == newest.plain


async def test_what_is_in_doubt_at_the_point_is_settled_alike(stage: Stage, tmp_path: Path) -> None:
    home, other, decided, undecided = (new_id() for _ in range(4))
    sql = {number: f"INSERT INTO ledger VALUES ('{NOBODY}', {2_000_000 + number}, 'branch')" for number in range(2)}
    shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": stage.servers.shards_dsn}))
    for org_id, shard in ((home, 0), (other, 1)):
        await stage.place(org_id, shard)
    application = await asyncpg.connect(stage.servers.shards_dsn.split(",")[1])
    try:
        for number, dtx_id in enumerate((decided, undecided)):
            await application.execute("BEGIN")
            await application.execute(f"SET LOCAL hal9.org_id = '{NOBODY}'")
            await application.execute(sql[number])
            await application.execute(f"PREPARE TRANSACTION '{Gid(home, dtx_id, other)}'")
        async with shards.transaction(home) as tx:
            await tx.execute(
                "INSERT INTO dtx (org_id, dtx_id, participants) VALUES ($1, $2, $3)", home, decided, [other]
            )
        made = await create(stage.places(), silent)
        assert made.in_doubt_locked
        found = await stage.restored(str(made.id), tmp_path / "home")
        assert 2_000_000 in found[1], "it was decided"
        assert 2_000_001 not in found[1], "nobody had decided it, and nobody can any more"
    finally:
        for dtx_id in (decided, undecided):
            await application.execute(f"ROLLBACK PREPARED '{Gid(home, dtx_id, other)}'")
        await application.close()
        await shards.close()


async def test_one_organisation_goes_back_and_the_others_go_on(stage: Stage) -> None:
    mine, other = new_id(), new_id()
    owner = await asyncpg.connect(stage.shards[1].admin)
    shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": stage.servers.shards_dsn}))
    count = {mine: 0, other: 0}

    async def write(org_id: UUID, times: int) -> None:
        for _ in range(times):
            count[org_id] += 1
            async with shards.transaction(org_id) as tx:
                await tx.execute("INSERT INTO ledger VALUES ($1, $2, 'written')", org_id, count[org_id])

    async def rows(org_id: UUID, table: str = "ledger") -> list[tuple[object, ...]]:
        return [tuple(row) for row in await owner.fetch(f"SELECT * FROM {table} WHERE org_id = $1 ORDER BY n", org_id)]

    stop = asyncio.Event()

    async def go_on() -> None:
        while not stop.is_set():
            await write(other, 1)

    try:
        await owner.execute(LEDGER.replace("ledger", "later"))  # as a migration after this release would
        for org_id in (mine, other):
            await stage.place(org_id, 1)
            await write(org_id, 20)
            await owner.execute("INSERT INTO later VALUES ($1, 1, 'kept')", org_id)
        moved = new_id()  # it came from another shard once
        await owner.execute("UPDATE tenants SET move_id = $2 WHERE org_id = $1", mine, moved)
        async with stage.shards[0].connected() as directory:
            await directory.execute(
                "INSERT INTO directory.moves (org_id, move_id, source, target, epoch, step, retain_s)"
                " VALUES ($1, $2, 0, 1, 1, 'finished', 0)",
                mine, moved,
            )  # fmt: skip
        await create(stage.places(), silent)
        await write(mine, 5)
        then, then_later = await rows(mine), await rows(mine, "later")
        moment = datetime.now(UTC)
        await write(mine, 5)
        await owner.execute("UPDATE ledger SET note = 'spoilt' WHERE org_id = $1 AND n < 10", mine)
        await owner.execute("DELETE FROM ledger WHERE org_id = $1 AND n = 12", mine)
        await owner.execute("DELETE FROM later WHERE org_id = $1", mine)
        spoilt, spoilt_later = await rows(mine), await rows(mine, "later")
        going = asyncio.create_task(go_on())
        done = await stage.hal9("restore", "--at", moment.isoformat(), "--org", str(mine), "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (await rows(mine), await rows(mine, "later")) == (then, then_later)
        assert told["tables"]["public.ledger"]["rows"] == len(then) == 25
        assert "public.later" in told["tables"]
        assert "public.tenants" not in told["tables"]
        await write(mine, 1)  # it is open again
        undone = await stage.hal9("restore", "--undo", told["export"], "--json")
        assert undone.returncode == 0, undone.stderr
        assert (await rows(mine), await rows(mine, "later")) == (spoilt, spoilt_later)
        stop.set()
        await going
        assert [row[1] for row in await rows(other)] == list(range(1, count[other] + 1)), "nothing of another's is lost"
        assert await rows(other, "later") != []
        unknown = await stage.hal9("restore", "--at", moment.isoformat(), "--org", str(new_id()))
        assert "There is no organisation" in unknown.stderr
    finally:
        stop.set()
        await owner.execute("DROP TABLE later")
        await owner.close()
        await shards.close()


async def test_a_restore_is_tested_and_leaves_evidence(stage: Stage, tmp_path: Path) -> None:
    org_id = new_id()
    await stage.place(org_id, 2)
    await stage.write(5)
    made = await create(stage.places(), silent)
    done = await stage.hal9("verify", "--restore", str(made.id), "--json", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert left_in(tmp_path) == [], "what was restored for the test is gone"
    for shard in stage.shards:
        [seen] = [one for one in told["tables"] if (one["shard"], one["name"]) == (shard.number, "public.ledger")]
        async with shard.connected() as connection:
            assert seen["rows"] == await connection.fetchval("SELECT count(*) FROM ledger")
            checksum = "SELECT sum(hashtextextended(t::text, 0)::numeric)::text FROM ledger t"
            assert seen["checksum"] == await connection.fetchval(checksum)
    listed = await stage.hal9("list", "--tests", "--json")
    assert listed.returncode == 0, listed.stderr
    assert json.loads(listed.stdout)[-1] == told


async def test_a_restore_test_that_fails_leaves_evidence_too(stage: Stage, backup: Backup, tmp_path: Path) -> None:
    repository = stage.repository(copied(stage, tmp_path))
    target = await choose(repository, str(backup.id), datetime.now(UTC))
    await repository.delete(backup.shards[2].base.name)
    with pytest.raises(DamagedError):
        await restore_test(repository, target, SystemClock(), silent)
    [last] = (await evidence.read(repository))[-1:]
    assert (last.backup, last.tables) == (backup.id, ())
    assert "not in the store" in (last.fault or "")


async def test_who_was_on_a_shard_that_the_backup_has_not_is_missed(stage: Stage, tmp_path: Path) -> None:
    """A shard was added, an organisation moved there, and no backup has been made since."""
    org_id = new_id()
    repository, home = stage.repository(), tmp_path / "home"
    async with stage.shards[0].connected() as directory:
        await directory.execute("INSERT INTO directory.organisations VALUES ($1, 3, 'us-west')", org_id)
        try:
            made = await create(stage.places(), silent)
            target = await choose(repository, str(made.id), datetime.now(UTC))
            with pytest.raises(BackupError, match="1 organisations were on shard 3, of which this backup has nothing"):
                await stage.restored(str(made.id), home)
            assert not home.exists()
            with pytest.raises(BackupError, match="on shard 3"):
                await restore_test(repository, target, SystemClock(), silent)
            assert "on shard 3" in str((await evidence.read(repository))[-1].fault)
        finally:
            await directory.execute("DELETE FROM directory.organisations WHERE org_id = $1", org_id)
    await stage.place(org_id, 1)  # it is elsewhere by now
    with pytest.raises(BackupError, match=f"{org_id} was on shard 3, of which the backup {made.id} has nothing"):
        await restore_organisation(stage.places(), target, org_id, silent)


async def test_shards_of_different_moments_are_told_apart(stage: Stage) -> None:
    org_id = new_id()
    await stage.place(org_id, 2)
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(shard.connected()) for shard in stage.shards]
        assert await evidence.require_homes(connections) > 0
        await connections[2].execute("UPDATE tenants SET epoch = 7 WHERE org_id = $1", org_id)
        try:
            with pytest.raises(BackupError, match=str(org_id)):
                await evidence.require_homes(connections)
        finally:
            await connections[2].execute("UPDATE tenants SET epoch = 1 WHERE org_id = $1", org_id)


async def test_the_archiver_makes_backups_and_tests_restores_by_the_clock(stage: Stage) -> None:
    repository = stage.repository()
    before = len(await repository.backups()), len(await evidence.read(repository))
    process = stage.begin("archive", HAL9_BACKUP_EVERY_HOURS="0.0001", HAL9_BACKUP_TEST_HOURS="0.0001")
    try:
        for _ in range(600):
            if len(await evidence.read(repository)) > before[1]:
                break
            await asyncio.sleep(0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, said
    assert len(await repository.backups()) > before[0]
    last = (await evidence.read(repository))[-1]
    assert (last.fault, {table.shard for table in last.tables}) == (None, {0, 1, 2})
    metrics = (stage.places().spool / "metrics.prom").read_text()
    assert f"hal9_backup_restore_test_timestamp_seconds {int(last.begun_at.timestamp())}" in metrics
    assert 'hal9_backup_archived_timestamp_seconds{shard="2"}' in metrics


async def test_an_organisation_that_moves_is_left_alone(stage: Stage, backup: Backup) -> None:
    org_id = new_id()
    await stage.place(org_id, 2)
    owner = await asyncpg.connect(stage.shards[2].admin)
    try:
        await owner.execute("UPDATE tenants SET move_id = $2 WHERE org_id = $1", org_id, new_id())

        async def nothing(rows: Rows, chunks: AsyncIterator[bytes]) -> None:
            pytest.fail("it was exported")

        with pytest.raises(BackupError, match="moves"):
            await put_back(
                owner, Home(org_id, 2, 1, (new_id(),)), [], lambda _: file_pieces(stage.folder / "none"), nothing
            )
        assert await owner.fetchval("SELECT state FROM tenants WHERE org_id = $1", org_id) == "active"
    finally:
        await owner.close()


async def test_rows_that_came_out_otherwise_change_nothing(stage: Stage, backup: Backup, tmp_path: Path) -> None:
    org_id = new_id()
    await stage.place(org_id, 2)
    owner = await asyncpg.connect(stage.shards[2].admin)
    await owner.execute("INSERT INTO ledger VALUES ($1, 1, 'mine')", org_id)
    (tmp_path / "public.ledger").write_text(f"{org_id}\t7\tforged\n")
    kept: list[str] = []

    async def keep(rows: Rows, chunks: AsyncIterator[bytes]) -> None:
        kept.append(rows.name + str(b"".join([chunk async for chunk in chunks])))

    wanted = [Rows("public", "ledger", ("org_id", "n", "note"), 1, 12345)]
    try:
        with pytest.raises(BackupError, match="nothing was changed"):
            await put_back(owner, Home(org_id, 2, 1), wanted, lambda one: file_pieces(tmp_path / one.name), keep)
        assert await owner.fetchval("SELECT note FROM ledger WHERE org_id = $1", org_id) == "mine"
        assert await owner.fetchval("SELECT state FROM tenants WHERE org_id = $1", org_id) == "active"
        assert any("public.ledger" in one and "mine" in one for one in kept)
    finally:
        await owner.close()


async def test_data_folders_for_other_servers(stage: Stage, backup: Backup, tmp_path: Path) -> None:
    done = await stage.hal9("restore", "--at", "latest", "--prepare", "--into", str(tmp_path / "folders"), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["instructions"] == str(tmp_path / "folders" / "INSTRUCTIONS.txt")
    for number in range(3):
        data = tmp_path / "folders" / f"shard-{number}"
        assert (data / "recovery.signal").exists()
        assert "recovery_target_time" in (data / "postgresql.auto.conf").read_text()
        assert data.stat().st_mode & 0o077 == 0
    async with aside(tmp_path / "folders" / "shard-0", 0, {}) as address:  # as any server does that finds such a folder
        connection = await asyncpg.connect(address)
        assert await connection.fetchval("SELECT count(*) FROM ledger") > 0
        # It may be read a moment before it may be written.
        ended = "DO $$ BEGIN WHILE pg_is_in_recovery() LOOP PERFORM pg_sleep(0.05); END LOOP; END $$"
        await connection.execute(ended, timeout=60)
        await connection.close()


@pytest.mark.parametrize("told", [True, False])
async def test_a_server_whose_disk_was_put_back_begins_a_new_archive(tmp_path: Path, *, told: bool) -> None:
    """By a snapshot of a machine, say: its slot is there, and the archive has WAL of what is no more.

    Also where nobody could say how far the archive reaches, as the disk was full.
    """
    async with own_servers(1, durable=False) as servers:
        await migrate(servers.shards_admin_dsn.split(","))
        stage = Stage(tmp_path, servers)
        stage.places().spool.mkdir(parents=True)
        async with stage.shards[0].connected(admin=True) as owner:
            await owner.execute(LEDGER)
        data, snapshot = servers.postgres[0].folder, tmp_path / "snapshot"
        await create(stage.places(), silent)
        await servers.stop()
        shutil.copytree(data, snapshot)
        await servers.start()
        await stage.write(5)
        before = await create(stage.places(), silent)
        await servers.stop()
        shutil.rmtree(data)
        snapshot.rename(data)
        await servers.start()
        repository, archive = stage.repository(), before.shards[0].archive
        if not told:
            await repository.delete(f"wal/{archive}/status")
        made = await create(stage.places(), silent)
        assert made.kind == "full"
        assert made.shards[0].archive != archive
        assert await stage.restored(str(made.id), tmp_path / "now") == [set()]
        assert await stage.restored(str(before.id), tmp_path / "then") == [{1, 2, 3, 4, 5}]
        async with stage.shards[0].connected() as connection:
            held = await ensured(connection, 0, repository)
            assert held.archive == made.shards[0].archive
            spool = Spool(stage.places().spool, held.archive, repository, await repository.new_key())
            assert await whole(connection, held, spool, repository)
            (spool.path / "0000000100000000000000FF.partial").touch()  # received, and not in the store yet
            assert not await whole(connection, held, spool, repository)


async def test_wal_that_nobody_took_in_time_begins_a_new_archive(stage: Stage) -> None:
    shard = stage.shards[2]
    async with shard.connected() as connection:
        name = await connection.fetchval("SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'hal9%'")
        await connection.execute("SELECT pg_drop_replication_slot($1)", name)
    with pytest.raises(BackupError, match="no backup that a difference could be taken to"):
        await create(stage.places(), silent, incremental=True)
    made = await create(stage.places(), silent)
    assert made.kind == "full"
    key = await stage.repository().new_key()
    places = stage.places()
    status = await catch_up(shard, places.repository, key, places.spool, places.clock, 60)
    assert status.at > made.point_at
