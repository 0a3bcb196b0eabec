"""Making a backup: every shard's data folder, full or as a difference, and a point that all of them share.

Promises: nothing is listed before all of it is in the store and every shard's WAL up to the shared point is, too; one
that fails leaves nothing, one that is cut off leaves files without a manifest, which nobody restores from and retention
removes. The data
folders go from the servers into the store as streams: no local disk is needed for them.
Does not: stop writes, but for decisions of cross-shard transactions while the point is made (milliseconds).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from shared.backup import manifest, programs
from shared.backup.archive import catch_up, ensured
from shared.backup.errors import BackupError
from shared.backup.manifest import Backup, ShardBackup
from shared.backup.shard import lsn_of, segment_bytes
from shared.backup.tar import Watched
from shared.identifiers import new_id
from shared.tasks import together

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from shared.backup.archive import Status
    from shared.backup.repository import Listed, Repository
    from shared.backup.sealing import DataKey
    from shared.backup.shard import Shard
    from shared.clock import Clock

_MANIFEST: Final = "backup_manifest"
_TELL_SECONDS: Final = 1.0
_LOCK_TIMEOUT: Final = "10s"
_DECISIONS: Final = "SELECT to_regclass('public.dtx') IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Places:
    """What a backup works with.

    Attributes:
        shards: The shards, in order; the first one holds the directory.
        repository: Where it goes.
        spool: A folder for WAL on its way.
        clock: Tells the time.
        patience_seconds: How long an archiver that runs may take to bring WAL into the store.
    """

    shards: Sequence[Shard]
    repository: Repository
    spool: Path
    clock: Clock
    patience_seconds: float


async def create(
    places: Places,
    tell: Callable[[str], None],
    *,
    incremental: bool | None = None,
    chain: int = 7,
    maker: bytes = b"",
) -> Backup:
    """Make a backup.

    Args:
        places: What to back up, and where to.
        tell: Hears of each step, at least once a second while bytes flow.
        incremental: True and False force one kind; None takes a difference where there is something to take it to.
        chain: Differences on top of a full one, at most.
        maker: Who makes it; see `take_away`.

    Raises:
        BackupError: It cannot be made; the text says why, and nothing is listed.
    """
    await places.repository.check()
    begun = places.clock.now()
    data_key = await places.repository.new_key()
    archives = [await _archive(shard, places.repository) for shard in places.shards]
    parent = None if incremental is False else await _parent(places.repository, archives, chain)
    if incremental and parent is None:
        raise BackupError(
            f"There is no backup that a difference could be taken to (a chain has {chain} at most, and an archive that "
            "began anew needs a full one): leave --incremental out."
        )
    backup_id = new_id()
    tell(f"{'a full backup' if parent is None else f'what changed since {parent.id}'} of {len(archives)} shards")
    try:
        await places.repository.write(data_key, _begun_name(backup_id), maker)
        made = await _made(places, tell, data_key, backup_id, archives, parent, begun)
    except BaseException:
        with contextlib.suppress(Exception):  # what failed tells more; retention removes what stays
            await places.repository.remove(backup_id)
        raise
    await places.repository.delete(_begun_name(backup_id))
    return made


async def _made(
    places: Places, tell: Callable[[str], None], data_key: DataKey, backup_id: UUID, archives: Sequence[_Archive],
    parent: Listed | None, begun: datetime,
) -> Backup:  # fmt: skip
    copied = await _copied(places, data_key, backup_id, parent, tell)
    consistent = max(await asyncio.gather(*(_now(shard) for shard in places.shards)))
    tell("a restore point on every shard")
    point = f"hal9_{backup_id.hex}"
    lsns, point_at, locked = await _point(places, point)
    tell("the WAL up to it")
    reached = await asyncio.gather(
        *(
            catch_up(shard, places.repository, data_key, places.spool, places.clock, places.patience_seconds)
            for shard in places.shards
        )
    )
    parts = tuple(_part(number, *each) for number, each in enumerate(zip(archives, copied, lsns, reached, strict=True)))
    made = Backup(
        id=backup_id, kind="full" if parent is None else "incremental", parent=parent.id if parent else None,
        parent_sha256=parent.sha256 if parent else None, region=places.repository.region, begun_at=begun,
        consistent_at=consistent, point=point, point_at=point_at, in_doubt_locked=locked, release=manifest.release(),
        shards=parts,
    )  # fmt: skip
    await places.repository.write(data_key, manifest.manifest_name(backup_id), manifest.encode(made))
    return made


def _begun_name(backup: UUID) -> str:
    return f"{manifest.folder(backup)}/begun"


async def take_away(repository: Repository, maker: bytes) -> list[UUID]:
    """Take away the backups that a maker was cut off at, who is known to be making none; which they were."""
    cut_off = []
    for one in await repository.unfinished():
        with contextlib.suppress(BackupError):  # of others: of a release that noted none, or under another key
            if await repository.read(_begun_name(one)) == maker:
                cut_off.append(one)
    for one in cut_off:
        await repository.remove(one)
    return cut_off


@dataclass(frozen=True, slots=True)
class _Archive:
    id: str
    version: str
    segment_bytes: int


@dataclass(frozen=True, slots=True)
class _Copy:
    base: manifest.File
    manifest: manifest.File
    timeline: int
    start_lsn: int
    stop_lsn: int


async def _archive(shard: Shard, repository: Repository) -> _Archive:
    """See that the shard's WAL is kept from now on."""
    async with shard.connected() as connection:
        held = await ensured(connection, shard.number, repository)
        release: str = await connection.fetchval("SHOW server_version")
        return _Archive(held.archive, release, await segment_bytes(connection))


async def _now(shard: Shard) -> datetime:
    """The shard's own time: moments are told by the servers' clocks."""
    async with shard.connected() as connection:
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return now


async def _parent(repository: Repository, archives: Sequence[_Archive], chain: int) -> Listed | None:
    """The newest backup that a difference can be taken to: of the same servers, in a chain that is not too long."""
    listed = {one.id: one for one in await repository.backups() if one.fault is None}
    for one in sorted(listed.values(), key=lambda one: one.id, reverse=True):
        backup = one.backup
        if backup is not None and [part.archive for part in backup.shards] == [archive.id for archive in archives]:
            return one if _depth(one, listed) < chain else None
    return None


def _depth(one: Listed, listed: dict[UUID, Listed]) -> int:
    """How many differences lie between a backup and its full one, itself counted."""
    depth, backup = 0, one.backup
    while backup is not None and backup.parent is not None:
        depth, backup = depth + 1, listed[backup.parent].backup
    return depth


async def _copied(
    places: Places, data_key: DataKey, backup: UUID, parent: Listed | None, tell: Callable[[str], None]
) -> list[_Copy]:
    """Copy every shard's data folder, all at once; when one fails, the others are given up."""
    with tempfile.TemporaryDirectory(prefix="hal9-backup-") as scratch:
        copying = (_copy(places, data_key, backup, shard, parent, Path(scratch), tell) for shard in places.shards)
        return list(await together(*copying))


async def _copy(
    places: Places, data_key: DataKey, backup: UUID, shard: Shard, parent: Listed | None, scratch: Path,
    tell: Callable[[str], None],
) -> _Copy:  # fmt: skip
    address, environment = programs.connection(shard.address, "hal9_backup")
    command = [
        "pg_basebackup", "-d", address, "-D", "-", "-F", "tar", "-X", "fetch", "-c", "fast", "-w", "-N",
        "--manifest-checksums=SHA256", "-l", f"hal9 {backup}",
    ]  # fmt: skip
    if parent is not None and parent.backup is not None:
        before = scratch / f"{shard.number}.manifest"
        before.write_bytes(await _read(places.repository, parent.backup.shards[shard.number].manifest))
        command += [f"--incremental={before}"]
    try:
        where = f"{manifest.folder(backup)}/{shard.number}"
        async with aclosing(programs.output(command, environment)) as stream:
            watched = Watched(stream, _MANIFEST)
            base = await places.repository.put(
                data_key, f"{where}/base", _counted(watched, shard.number, places.clock, tell)
            )
    except BackupError as error:
        raise BackupError(f"Shard {shard.number}: {error}") from error
    kept = await places.repository.write(data_key, f"{where}/{_MANIFEST}", watched.content)
    [wal] = json.loads(watched.content)["WAL-Ranges"]
    return _Copy(base, kept, int(wal["Timeline"]), lsn_of(wal["Start-LSN"]), lsn_of(wal["End-LSN"]))


async def _read(repository: Repository, file: manifest.File) -> bytes:
    return await repository.read(file.name, file)


async def _counted(chunks: Watched, shard: int, clock: Clock, tell: Callable[[str], None]) -> AsyncIterator[bytes]:
    """Pass bytes on, and say once a second how many."""
    count, told = 0, clock.monotonic()
    async for chunk in chunks:
        yield chunk
        count += len(chunk)
        if clock.monotonic() - told >= _TELL_SECONDS:
            told = clock.monotonic()
            tell(f"shard {shard}: {count / 2**20:.0f} MB copied")
    tell(f"shard {shard}: {count / 2**20:.0f} MB copied, all of it")


async def _point(places: Places, name: str) -> tuple[list[int], datetime, bool]:
    """Create a restore point on every shard while no cross-shard transaction can be decided.

    What was decided before has its participants prepared before their points; what was not has none committed. So what
    recovery finds in doubt after a restore to the points is settled the same way on every shard.

    Returns:
        where it is in each shard's WAL, when it was, and whether there were decisions to hold back.
    """
    async with AsyncExitStack() as stack:
        owners = [await stack.enter_async_context(shard.connected(admin=True)) for shard in places.shards]
        others = [await stack.enter_async_context(shard.connected()) for shard in places.shards]
        locked = False
        for owner in owners:  # in shard order, so that two backups at once cannot wait for each other
            await stack.enter_async_context(owner.transaction())
            locked |= await _held_back(owner)
        try:
            lsns = await asyncio.gather(
                *(other.fetchval("SELECT pg_create_restore_point($1) - '0/0'::pg_lsn", name) for other in others)
            )
        except asyncpg.InsufficientPrivilegeError as error:
            raise BackupError(
                "The role of HAL9_BACKUP_SHARDS may not create restore points: GRANT EXECUTE ON FUNCTION "
                "pg_create_restore_point(text) TO it on every shard."
            ) from error
        at: datetime = await others[0].fetchval("SELECT clock_timestamp()")
    return [int(lsn) for lsn in lsns], at, locked


async def _held_back(owner: asyncpg.Connection[asyncpg.Record]) -> bool:
    """Keep cross-shard transactions from being decided on this shard until the transaction ends."""
    if not await owner.fetchval(_DECISIONS):
        return False
    await owner.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    try:
        await owner.execute("LOCK TABLE public.dtx IN SHARE ROW EXCLUSIVE MODE")
    except asyncpg.LockNotAvailableError as error:
        raise BackupError(
            f"A cross-shard transaction has been held open for {_LOCK_TIMEOUT}: look at `hal9 shards`, then try again."
        ) from error
    return True


def _part(number: int, archive: _Archive, copy: _Copy, lsn: int, reached: Status) -> ShardBackup:
    return ShardBackup(
        shard=number, archive=archive.id, version=archive.version, segment_bytes=archive.segment_bytes,
        timeline=copy.timeline, start_lsn=copy.start_lsn, stop_lsn=copy.stop_lsn, point_lsn=lsn,
        base=copy.base, manifest=copy.manifest, archived_lsn=reached.lsn, archived_at=reached.at,
    )  # fmt: skip
