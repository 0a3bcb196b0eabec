"""Restoring: data folders, brought to one moment on every shard.

A restore takes the newest good backup before the moment (a chain is put together by pg_combinebackup), checks it with
pg_verifybackup, lays the archived WAL beside it, and lets PostgreSQL recover up to the moment.
Promises: the target is not there, or is empty, before; and is whole afterwards, or not there: it is made beside its
place and renamed. The moment is exact on every shard: what was acknowledged before it is there, what began after it is
not.
Does not: write to a server that runs, or know how to start one: whoever calls gives a way to (`Starting`).
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from shared.backup import programs
from shared.backup.archive import PARTIAL
from shared.backup.errors import BackupError, DamagedError
from shared.backup.route import FOREVER, Leg, first_leg, route, segments, wal
from shared.backup.tar import unpack
from shared.diskspace import is_full

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from uuid import UUID

    from shared.backup.manifest import Backup, ShardBackup
    from shared.backup.repository import Repository

WAL: Final = "hal9_wal"
"""The folder in a data folder that holds the archived WAL while it recovers."""

_ROOM: Final = 1.15
"""A data folder needs a little more than its tar has bytes."""

_TELL_SECONDS: Final = 2

_LEAST_SETTINGS: Final = {
    "max_connections setting": "max_connections",
    "max_worker_processes setting": "max_worker_processes",
    "max_wal_senders setting": "max_wal_senders",
    "max_prepared_xacts setting": "max_prepared_transactions",
    "max_locks_per_xact setting": "max_locks_per_transaction",
}


class Starting(Protocol):
    """A way to start a server over a data folder."""

    def __call__(self, folder: Path, number: int, settings: Mapping[str, str]) -> AbstractAsyncContextManager[str]:
        """Start a server for this process alone; give a superuser's address once it takes connections; stop it then.

        Args:
            folder: Its data folder.
            number: Tells servers that run at once apart.
            settings: Further settings.
        """
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """What to restore.

    Attributes:
        chain: The backup, and what it stands on, the full one first.
        at: The moment; None for the backup's own point.
        routes: Each shard's way through the WAL.
        later: Good backups whose point is after the moment: they bound the WAL that it takes.
    """

    chain: tuple[Backup, ...]
    at: datetime | None
    routes: tuple[tuple[Leg, ...], ...]
    later: tuple[Backup, ...] = ()

    @property
    def backup(self) -> Backup:
        """The newest of the chain."""
        return self.chain[-1]

    @property
    def moment(self) -> datetime:
        """The moment that it is restored to."""
        return self.at or self.backup.point_at

    def recovery(self, shard: int) -> dict[str, str]:
        """PostgreSQL's settings that end a shard's recovery there."""
        legs = self.routes[shard]
        wanted = (
            {"recovery_target_name": self.backup.point}
            if self.at is None
            else {"recovery_target_time": self.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")}
        )
        return {
            "restore_command": f'cp "{WAL}/%f" "%p"',
            "recovery_target_action": "promote",
            "recovery_target_timeline": "current" if len(legs) == 1 else str(legs[-1].timeline),
            **wanted,
        }


async def latest(repository: Repository, backup: Backup) -> datetime:
    """The last moment that every shard can be brought to."""
    routes = [await route(repository, part, FOREVER) for part in backup.shards]
    return min(legs[-1].until or backup.point_at for legs in routes)


async def choose(repository: Repository, wanted: datetime | str, now: datetime) -> Target:
    """Find what a restore starts from.

    Args:
        repository: The store.
        wanted: A moment, `latest`, or a backup's id for its own point.
        now: The present moment.

    Raises:
        BackupError: There is no good backup for it; the text says what there is.
    """
    listed = await repository.backups()
    good = {one.id: one.backup for one in listed if one.fault is None and one.backup is not None}
    if not good:
        why = f" ({listed[-1].fault})" if listed else ""
        raise BackupError(f"There is no good backup in the store{why}: see `hal9 backup list`.")
    ordered = [good[each] for each in sorted(good)]
    if wanted == "latest":
        return await _to(repository, _chain(ordered[-1], good), await latest(repository, ordered[-1]))
    if isinstance(wanted, str):
        named = next((one for one in ordered if str(one.id) == wanted), None)
        if named is None:
            raise BackupError(f"There is no good backup {wanted}: see `hal9 backup list`.")
        return Target(_chain(named, good), None, tuple((first_leg(part),) for part in named.shards))
    if wanted > now:
        raise BackupError(f"{wanted.isoformat()} has not come yet.")
    before = [one for one in ordered if one.consistent_at <= wanted]
    if not before:
        raise BackupError(
            f"The oldest good backup can be restored to {ordered[0].consistent_at.isoformat()} and later, "
            f"not to {wanted.isoformat()}."
        )
    later = tuple(one for one in ordered if one.point_at > wanted)
    return await _to(repository, _chain(before[-1], good), wanted, later)


async def _to(
    repository: Repository, chain: tuple[Backup, ...], at: datetime, later: tuple[Backup, ...] = ()
) -> Target:
    return Target(chain, at, tuple([await route(repository, part, at) for part in chain[-1].shards]), later)


def require_reach(target: Target) -> None:
    """Check that every shard's archive has what the moment needs.

    Raises:
        BackupError: One does not; the text says up to when it does.
    """
    if target.at is None:
        return  # a backup is not listed before its own point is archived
    for shard, legs in enumerate(target.routes):
        reached = legs[-1].until or target.backup.point_at
        if target.moment > reached:
            after = min((one.consistent_at for one in target.later if one.consistent_at > target.moment), default=None)
            choices = "" if after is None else f", one from {after.isoformat()} on"
            raise BackupError(
                f"The archive of shard {shard} reaches until {reached.isoformat()}, not until "
                f"{target.moment.isoformat()}: choose an earlier moment{choices}, or --at latest. WAL that was never "
                "archived may still be on the server: start it and its archiver, then try again."
            )


def _chain(backup: Backup, good: Mapping[UUID, Backup]) -> tuple[Backup, ...]:
    chain = [backup]
    while (parent := chain[0].parent) is not None:
        chain.insert(0, good[parent])
    return tuple(chain)


async def fetch(repository: Repository, target: Target, shard: int, folder: Path, tell: Callable[[str], None]) -> None:
    """Make one shard's data folder, ready to recover to the target.

    Args:
        repository: The store.
        target: What to restore.
        shard: The shard's number.
        folder: The data folder; must not exist.
        tell: Hears of each step.

    Raises:
        BackupError: A file is damaged, sealed under another key, missing, or the disk is full.
    """
    parts = [backup.shards[shard] for backup in target.chain]
    require_room(folder.parent, sum(part.base.plain for part in parts) * (1 if len(parts) == 1 else 2))
    try:
        await _fetch_base(repository, target, shard, folder, tell)
        await _fetch_wal(repository, target, shard, folder / WAL, tell)
    except OSError as error:
        if is_full(error):
            raise _full(folder) from error
        raise
    (folder / "recovery.signal").touch(mode=0o600)


async def _fetch_base(
    repository: Repository, target: Target, shard: int, folder: Path, tell: Callable[[str], None]
) -> None:
    unpacked = []
    for number, backup in enumerate(target.chain):
        part = backup.shards[shard]
        place = folder if len(target.chain) == 1 else folder.with_name(f"{folder.name}.{number}")
        _make(place)
        tell(f"shard {shard}: {part.base.plain / 2**20:.0f} MB of the {backup.kind} backup {backup.id}")
        async with aclosing(repository.get(part.base.name, part.base)) as chunks:
            await unpack(chunks, place)
        await verify_folder(place, part)
        unpacked.append(place)
    if len(unpacked) > 1:
        tell(f"shard {shard}: putting {len(unpacked)} backups together")
        await programs.run(["pg_combinebackup", *map(str, unpacked), "-o", str(folder)])
        for place in unpacked:
            shutil.rmtree(place)


async def verify_folder(folder: Path, part: ShardBackup) -> None:
    """Let pg_verifybackup compare an unpacked data folder with PostgreSQL's own manifest of it.

    Raises:
        DamagedError: They differ.
    """
    try:
        await programs.run(["pg_verifybackup", "--quiet", str(folder)])
    except BackupError as error:
        raise DamagedError(part.base.name, str(error)) from error


def _last_lsn(target: Target, shard: int) -> int | None:
    """The place up to which WAL is needed; None for all that there is.

    Recovery ends at the first commit after the moment. A later backup from the same archive knows of one.
    """
    if target.at is None:
        return target.backup.shards[shard].point_lsn
    later = [one.shards[shard] for one in target.later if len(one.shards) > shard]
    places = [
        part.archived_lsn
        for part in later
        if part.archive == target.routes[shard][-1].archive
        and part.archived_lsn is not None
        and part.archived_at is not None
        and part.archived_at > target.at
    ]
    return min(places, default=None)


async def _fetch_wal(
    repository: Repository, target: Target, shard: int, folder: Path, tell: Callable[[str], None]
) -> None:
    """Lay the archived WAL where recovery finds it, from where the backup begins."""
    part, legs = target.backup.shards[shard], target.routes[shard]
    size = part.segment_bytes
    wanted = await segments(repository, part, legs, _last_lsn(target, shard))
    _make(folder)
    require_room(folder, len(wanted) * size)
    tell(f"shard {shard}: {len(wanted)} WAL segments of {size / 2**20:.0f} MB")
    for name in wanted:
        path = folder / name.rpartition("/")[2].removesuffix(PARTIAL)
        await _fetch_file(wal(repository, name), path)
        if path.stat().st_size != size:
            raise DamagedError(name, f"it has not {size} bytes")
    for leg in legs[1:]:
        await _fetch_file(repository.get(leg.history), folder / leg.history.rpartition("/")[2])


async def _fetch_file(chunks: AsyncIterator[bytes], path: Path) -> None:
    with path.open("wb") as file:
        async for chunk in chunks:
            file.write(chunk)


@asynccontextmanager
async def recovered(
    folder: Path, shard: int, target: Target, starting: Starting, tell: Callable[[str], None]
) -> AsyncIterator[str]:
    """Start a server over a fetched data folder, and give a superuser's address once it has recovered to the target.

    The server ends with the context; the folder is then one that any server of its version starts from.

    Raises:
        BackupError: It did not come so far.
    """
    tell(f"shard {shard}: recovering to {target.moment.isoformat()}")
    settings = least_settings(folder) | target.recovery(shard) | {"hot_standby": "off"}
    server = starting(folder, shard, settings)
    telling = asyncio.ensure_future(_tell_on(shard, tell))
    try:
        address = await server.__aenter__()
    finally:
        telling.cancel()
    try:
        yield address
    finally:
        await server.__aexit__(None, None, None)
    if (folder / "recovery.signal").exists():
        raise BackupError(f"Shard {shard} did not finish its recovery; its data folder is {folder}.")
    shutil.rmtree(folder / WAL, ignore_errors=True)


async def _tell_on(shard: int, tell: Callable[[str], None]) -> None:
    seconds = 0
    while True:
        await asyncio.sleep(_TELL_SECONDS)
        seconds += _TELL_SECONDS
        tell(f"shard {shard}: still recovering after {seconds} s")


def least_settings(folder: Path) -> dict[str, str]:
    """The settings that recovery refuses to be below, as the backed-up server had them (pg_controldata)."""
    done = subprocess.run(
        [programs.program("pg_controldata"), str(folder)],
        capture_output=True, text=True, check=False, env={"LC_ALL": "C"},
    )  # fmt: skip
    programs.require_success("pg_controldata", done.returncode, done.stderr.encode())
    read = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    return {name: read[label].strip() for label, name in _LEAST_SETTINGS.items() if label in read}


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700)


def require_free(folder: Path) -> None:
    """Check that nothing would be overwritten.

    Raises:
        BackupError: The folder has something in it, or is a file.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(
            f"{folder} is not empty, and a restore never overwrites anything: name a folder that does not exist."
        )


def require_room(folder: Path, count: int) -> None:
    """Check that the disk has room for that many bytes.

    Raises:
        BackupError: It has not.
    """
    if shutil.disk_usage(folder).free < count * _ROOM:
        raise _full(folder, f" {count * _ROOM / 2**20:.0f} MB are needed.")


def _full(folder: Path, needed: str = "") -> BackupError:
    return BackupError(
        f"The disk that holds {folder} is full.{needed} Free some space, or restore to a folder on another disk; "
        "nothing was restored."
    )
