"""The archive of one shard's WAL: received by its slot, sealed, kept in the store.

pg_receivewal writes segments into a spool folder; what is complete is put into the store and removed here, what is
being written is put there as it is, again and again, with a status that says up to which moment the archive has
everything.
Promises: the server keeps its WAL until it is in the spool (the slot says so), so that nothing is left out while
nobody takes it; a segment leaves the spool when it is in the store. Two that take at once do no harm: the slot is
one's. An archive is one history without a hole: a server that was promoted, and a spool that was lost before it was in
the store, begin a new one, which the old one names.
Does not: survive the loss of a spool: what was only there is in no archive.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.backup import programs
from shared.backup.errors import BackupError, DamagedError
from shared.backup.shard import (
    APPLICATION,
    Mark,
    begin_of,
    ensured_slot,
    lsn_text,
    mark,
    new_slot,
    oldest_kept,
    segment_bytes,
    slot,
    switch,
    timeline,
    timeline_of,
    written,
)
from shared.strictjson import read_object

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from shared.backup.repository import Repository
    from shared.backup.sealing import DataKey
    from shared.backup.shard import Connection, Shard, Slot
    from shared.clock import Clock

ARCHIVE: Final = re.compile(r"[0-9a-f]{32}")
SEGMENT: Final = re.compile(r"[0-9A-F]{24}")
PARTIAL: Final = ".partial"
HISTORY: Final = re.compile(r"[0-9A-F]{8}\.history")
_PIECE: Final = 1 << 20
_POLL_SECONDS: Final = 0.1
_ARRIVE_SECONDS: Final = 30.0
_WRITTEN: Final = "SELECT write_lsn - '0/0'::pg_lsn FROM pg_stat_replication WHERE pid = $1"


@dataclass(frozen=True, slots=True)
class Status:
    """Up to where an archive has everything.

    Attributes:
        lsn: The place.
        at: What was acknowledged before this moment is in it.
    """

    lsn: int
    at: datetime


def folder(archive: str) -> str:
    """Where an archive is in the store."""
    return f"wal/{archive}"


async def read_status(repository: Repository, archive: str) -> Status | None:
    """Give an archive's status; None when it has none yet."""
    name = f"{folder(archive)}/status"
    if not await repository.exists(name):
        return None
    try:
        document = read_object(await repository.read(name))
        return Status(int(document["lsn"]), datetime.fromisoformat(document["at"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(name) from error


async def name_successor(repository: Repository, data_key: DataKey, archive: str, following: str) -> None:
    """Say of an archive which one was begun in its place; `route` looks whether nothing is missing between them."""
    await repository.write(data_key, f"{folder(archive)}/successor", following.encode())


async def successor(repository: Repository, archive: str) -> str | None:
    """Give the archive that was begun in place of another one; None while that goes on."""
    name = f"{folder(archive)}/successor"
    if not await repository.exists(name):
        return None
    following = (await repository.read(name)).decode()
    if ARCHIVE.fullmatch(following) is None:
        raise DamagedError(name, "it names no archive")
    return following


class Spool:
    """What was received of one archive and is not in the store yet.

    Args:
        path: A folder of its own.
        archive: The archive's id.
        repository: Where it goes.
        data_key: What seals it.
    """

    def __init__(self, path: Path, archive: str, repository: Repository, data_key: DataKey) -> None:
        self.path = path / archive
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.archive = archive
        self.data_key = data_key
        self._repository = repository

    @property
    def size(self) -> int:
        """Bytes that wait here: of the segment that is being written, all that it will have."""
        found = 0
        for path in self.path.iterdir():
            with contextlib.suppress(FileNotFoundError):  # it was completed, or kept
                found += path.stat().st_size
        return found

    @property
    def names(self) -> list[str]:
        """The segments that are here; `<segment>.partial` is one that is being written."""
        return [path.name for path in self.path.iterdir() if SEGMENT.fullmatch(path.name.removesuffix(PARTIAL))]

    def forget_before(self, lsn: int, size: int) -> None:
        """Remove what was begun here and lies before a place: somebody else has taken it.

        Without that, pg_receivewal would go on from there, and ask for what is gone.

        Args:
            lsn: Where the slot goes on.
            size: Of a segment.
        """
        for name in self.names:
            if name.endswith(PARTIAL) and begin_of(name, size) + size <= lsn:
                (self.path / name).unlink()

    def begin_at(self, name: str) -> None:
        """Have pg_receivewal begin with a segment, not where the slot was made: it goes on with the last one here."""
        (self.path / f"{name}{PARTIAL}").touch()

    def forget_begun(self) -> None:
        """Remove what `begin_at` left when nothing came: the server may have the segment no more."""
        for name in self.names:
            path = self.path / name
            if path.stat().st_size == 0:
                path.unlink()

    @property
    def wanted(self) -> Path:
        """A file by which somebody on this machine asks the archiver not to wait until its next upload is due."""
        return self.path / "wanted"

    async def keep(self) -> int:
        """Put what is complete into the store, in its order, and remove it here; how many files that were."""
        complete = sorted(
            path.name for path in self.path.iterdir() if SEGMENT.fullmatch(path.name) or HISTORY.fullmatch(path.name)
        )
        for name in complete:
            await self._put(name)
            await self._repository.delete(f"{folder(self.archive)}/{name}{PARTIAL}")
            (self.path / name).unlink(missing_ok=True)
        return len(complete)

    async def keep_all(self, reached: Mark) -> None:
        """Put into the store what is complete and what is being written, then say how far that reaches.

        Args:
            reached: A place that was received already.
        """
        await self._keep_files()
        document = {"lsn": reached.lsn, "at": reached.at.isoformat()}
        await self._repository.write(self.data_key, f"{folder(self.archive)}/status", json.dumps(document).encode())

    async def close(self) -> None:
        """Put all that is left into the store, and remove the folder: the archive has ended."""
        await self._keep_files()
        await asyncio.to_thread(shutil.rmtree, self.path)

    async def _keep_files(self) -> None:
        await self.keep()
        for path in sorted(self.path.glob(f"*{PARTIAL}")):
            if SEGMENT.fullmatch(path.name.removesuffix(PARTIAL)):
                await self._put(path.name)

    async def _put(self, name: str) -> None:
        try:
            await self._repository.put(self.data_key, f"{folder(self.archive)}/{name}", _pieces(self.path / name))
        except FileNotFoundError:
            return  # it was completed, or somebody else's pass has kept it


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


def receiving(shard: Shard, held: Slot, spool: Spool, *until: str) -> tuple[list[str], dict[str, str]]:
    """Give the command that receives a shard's WAL, and its environment."""
    address, environment = programs.connection(shard.address, APPLICATION)
    command = ["pg_receivewal", "-d", address, "-D", str(spool.path), "-S", held.name, "--no-loop", "-s", "1", "-w"]
    return [*command, *until], environment


async def ensured(connection: Connection, number: int, repository: Repository) -> Slot:
    """Give a server's slot, made now when it has none that its archive can go on with.

    A replica that was promoted may have a slot of the time when it was the primary before: its WAL is of another
    history. So is that of a server whose disk was put back to an earlier state, its slot with it: the archive has more
    than it has written.

    Raises:
        BackupError: None can be made; see `ensured_slot`.
    """
    held = await ensured_slot(connection, number)
    if held.active_pid is not None:
        return held
    now = await timeline(connection)
    names = [name async for name in _segments(repository, held.archive)]
    status = await read_status(repository, held.archive)
    ahead = status is not None and status.lsn > await written(connection)
    if ahead or await _beyond(connection, names) or {timeline_of(name) for name in names} - {now}:
        return await new_slot(connection, number, held)
    return held


async def whole(connection: Connection, held: Slot, spool: Spool, repository: Repository) -> bool:
    """Whether store and spool together reach up to where the slot goes on; a lost spool leaves a hole.

    Nor does the spool go beyond what the server has written: see `ensured`.
    """
    if await _beyond(connection, spool.names):
        return False
    names = [*spool.names, *[name async for name in _segments(repository, held.archive)]]
    size = await segment_bytes(connection)
    ends = [begin_of(name, size) + (0 if name.endswith(PARTIAL) else size) for name in names]
    return not ends or held.restart_lsn - held.restart_lsn % size <= max(ends)


async def _beyond(connection: Connection, names: Sequence[str]) -> bool:
    """Whether segments are there that the server has not begun to write."""
    size, place = await segment_bytes(connection), await written(connection)
    return any(begin_of(name, size) > place for name in names)


async def reach_back(connection: Connection, held: Slot, spool: Spool, repository: Repository) -> None:
    """Have the archive of a server that was promoted begin where its history does.

    A slot keeps the WAL from the last checkpoint on, which may be segments later: between this archive and the one
    before there would be a hole, though the server still has what was written there.
    """
    size, oldest = await segment_bytes(connection), await oldest_kept(connection)
    if oldest is None or begin_of(oldest, size) + size > held.restart_lsn or spool.names:
        return
    if not [name async for name in _segments(repository, held.archive)]:
        spool.begin_at(oldest)


async def _segments(repository: Repository, archive: str) -> AsyncIterator[str]:
    async for path in repository.below(folder(archive)):
        name = path.rpartition("/")[2]
        if SEGMENT.fullmatch(name.removesuffix(PARTIAL)):
            yield name


async def received(connection: Connection, archive: str, wanted: int, clock: Clock) -> bool:
    """Wait until the slot's receiver has written that place into its spool; False while it still catches up.

    Raises:
        BackupError: Nothing at all arrives.
    """
    limit = clock.monotonic() + _ARRIVE_SECONDS
    first: int | None = None
    last = 0
    while clock.monotonic() < limit:
        held = await slot(connection)
        if held is None or held.archive != archive:
            raise BackupError("The slot that fed the archive is gone.")
        if held.active_pid is not None:
            last = int(await connection.fetchval(_WRITTEN, held.active_pid) or 0)
            first = last if first is None else first
        if last >= wanted:
            return True
        await clock.sleep(_POLL_SECONDS)
    if not last or last == first:
        raise BackupError(
            f"pg_receivewal received nothing for {_ARRIVE_SECONDS:.0f} s: it is started anew. Where that goes on, "
            "GRANT pg_read_all_stats TO the role of HAL9_BACKUP_SHARDS on that server: how far it is cannot be seen."
        )
    return False


async def catch_up(
    shard: Shard, repository: Repository, data_key: DataKey, spool: Path, clock: Clock, patience_seconds: float
) -> Status:
    """Bring everything that the shard has acknowledged so far into the store; give up to which moment that reaches.

    Takes the WAL itself when no archiver does; waits for the archiver when one runs.

    Args:
        shard: The shard.
        repository: The store.
        data_key: What seals it.
        spool: The folder of the spools.
        clock: Measures the patience.
        patience_seconds: How long an archiver that runs may take.

    Raises:
        BackupError: It cannot be had; the text says why.
    """
    async with shard.connected() as connection:
        held = await ensured(connection, shard.number, repository)
        reached = await mark(connection)
        await switch(connection)
        own = Spool(spool, held.archive, repository, data_key)
        own.wanted.touch()
        if held.active_pid is None:
            await own.keep()
            own.forget_before(held.restart_lsn, await segment_bytes(connection))
            await _pull(connection, shard, held, own, reached)
            await own.keep_all(reached)
        limit = clock.monotonic() + patience_seconds
        while clock.monotonic() < limit:
            status = await read_status(repository, held.archive)
            if status is not None and status.lsn >= reached.lsn:
                return status
            await clock.sleep(_POLL_SECONDS)
    raise BackupError(
        f"Shard {shard.number}: an archiver holds the slot {held.name}, and its WAL did not arrive in the store within "
        f"{patience_seconds:.0f} s: look at its log (`hal9 logs archiver`). Where it has another HAL9_BACKUPS than "
        "this command, start it (or the platform) with the same."
    )


async def _pull(connection: Connection, shard: Shard, held: Slot, spool: Spool, reached: Mark) -> None:
    """Receive the WAL up to a place."""
    await mark(connection)  # pg_receivewal stops when it was sent something beyond the place that it is given
    command, environment = receiving(shard, held, spool, "--endpos", lsn_text(reached.lsn))
    await programs.run(command, environment)
