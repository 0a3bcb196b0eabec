"""The archiver: receives every shard's WAL all the time, and makes backups, room and restore tests by the clock.

Promises: what a shard acknowledged is in the store within `HAL9_BACKUP_WAL_SECONDS` and a moment; a shard that does
not answer is tried again, and does not keep the others waiting; whatever fails is logged and counted, and stops
nothing. While the store takes nothing, or not fast enough, the WAL waits on the servers, and no more than
`HAL9_BACKUP_SPOOL_MEGABYTES` of each shard here.
Does not: run twice over one shard (the second one finds the slot taken, says so, and waits for its turn).
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

import asyncpg

from shared.backup import programs
from shared.backup.archive import Spool, ensured, name_successor, reach_back, received, receiving, whole
from shared.backup.errors import BackupError
from shared.backup.shard import mark, new_slot, segment_bytes, slot
from shared.datakeys import KeysUnavailableError
from shared.telemetry import counter, gauge, logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from shared.backup.creating import Places
    from shared.backup.sealing import DataKey
    from shared.backup.settings import BackupSettings
    from shared.backup.shard import Connection, Shard, Slot

_LOOK_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 5.0
_CLOCK_SECONDS: Final = 30.0
_TELL_SECONDS: Final = 5.0
_FAULTS: Final = (
    BackupError,
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    KeysUnavailableError,
)

_log = logger(__name__)
_archived = gauge(
    "hal9_backup_archived_timestamp_seconds",
    "The moment up to which a shard's WAL is in the store, in seconds since 1970.",
    ("shard",),
)
_failures = counter("hal9_backup_failures_total", "What the archiver tried and could not do.", ("what",))
_segments = counter("hal9_backup_segments_total", "WAL segments that were put into the store.", ("shard",))
_gaps = counter(
    "hal9_backup_gaps_total",
    "Archives that ended: a server was promoted, removed WAL that nobody took, or what was taken was lost.",
    ("shard",),
)

Duty = tuple[str, "Callable[[], Awaitable[None]]"]


class Archiver:
    """Archives all shards.

    Args:
        places: What to archive, and where to.
        settings: How often.
        data_key: What seals the WAL of this process.
        duties: What else is done by the clock, one after the other: a name, and what does it when it is due.
        tell: Is called every few seconds: writes the metrics, for instance.
    """

    def __init__(
        self,
        places: Places,
        settings: BackupSettings,
        data_key: DataKey,
        duties: Sequence[Duty] = (),
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._places = places
        self._settings = settings
        self._data_key = data_key
        self._duties = duties
        self._tell = tell
        self._stopping = asyncio.Event()
        self._archives: dict[int, str] = {}
        self._heirs: set[str] = set()
        self._reached: set[int] = set()
        self._anew = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether every shard has been archived since the start."""
        return len(self._reached) == len(self._places.shards)

    def stop(self) -> None:
        """Let `run` end after what is being written."""
        self._stopping.set()

    async def run(self) -> None:
        """Archive until `stop`."""
        async with asyncio.TaskGroup() as group:
            for shard in self._places.shards:
                group.create_task(self._keep_receiving(shard))
            group.create_task(self._keep_duties())
            group.create_task(self._keep_telling())

    async def _pause(self, seconds: float, *events: asyncio.Event) -> None:
        """Wait, or return at once when it is to stop, or something happens."""
        happening = [asyncio.ensure_future(event.wait()) for event in (self._stopping, *events)]
        waiting = asyncio.ensure_future(self._places.clock.sleep(seconds))
        await asyncio.wait({waiting, *happening}, return_when=asyncio.FIRST_COMPLETED)
        for one in (waiting, *happening):
            one.cancel()

    async def _keep_receiving(self, shard: Shard) -> None:
        while not self._stopping.is_set():
            try:
                await self._receive(shard)
            except _FAULTS as error:
                _failures.add("archive")
                _log.error("WAL is not archived", shard=shard.number, error=str(error))
                await self._pause(_AGAIN_SECONDS)

    async def _receive(self, shard: Shard) -> None:
        """Archive one shard until it is to stop, or something fails."""
        async with shard.connected() as connection:
            held, spool = await self._going_on(connection, shard)
            kept = await spool.keep()  # before more is taken: the store may be down
            _segments.add(str(shard.number), by=kept)
            spool.forget_before(held.restart_lsn, await segment_bytes(connection))
            if held.archive in self._heirs:
                await reach_back(connection, held, spool, self._places.repository)
            command, environment = receiving(shard, held, spool)
            process = await programs.start(command, environment)
            if process.stderr is None:
                raise AssertionError  # it was asked for
            saying = asyncio.ensure_future(process.stderr.read())
            bounding = asyncio.ensure_future(self._bound(shard, spool, process))
            try:
                await self._watch(shard, connection, spool, process)
            finally:
                bounding.cancel()
                await programs.end(process, signal.SIGINT)
                said = await saying
            if not self._stopping.is_set():
                programs.require_success(command[0], process.returncode or 1, said)
            await spool.keep()

    async def _going_on(self, connection: Connection, shard: Shard) -> tuple[Slot, Spool]:
        """Give the slot that feeds the shard's archive, and what was received of it: of a new one where a hole is.

        Only who fed the old archive names the new one as its successor: whether a server is the old one's heir, or a
        copy of a backup, the servers do not tell.
        """
        repository = self._places.repository
        before = await slot(connection)
        known = self._archives.get(shard.number, before.archive if before is not None else "")
        held = await ensured(connection, shard.number, repository)
        spool = Spool(self._places.spool, held.archive, repository, self._data_key)
        spool.forget_begun()
        if held.active_pid is None and not await whole(connection, held, spool, repository):
            held = await new_slot(connection, shard.number, held)
            spool = Spool(self._places.spool, held.archive, repository, self._data_key)
        if known and known != held.archive:
            await Spool(self._places.spool, known, repository, self._data_key).close()
            await name_successor(repository, self._data_key, known, held.archive)
            self._heirs.add(held.archive)
            _gaps.add(str(shard.number))
            _log.error("a new archive begins: the next backup is a full one", shard=shard.number, archive=held.archive)
            self._anew.set()
        self._archives[shard.number] = held.archive
        return held, spool

    async def _bound(self, shard: Shard, spool: Spool, process: asyncio.subprocess.Process) -> None:
        """Receive no more when too much waits for the store: the server keeps it."""
        most = self._settings.spool_megabytes * 2**20
        while spool.size <= most:
            await self._places.clock.sleep(_LOOK_SECONDS)
        _failures.add("spool")
        _log.error("the store does not take WAL as fast as it is written", shard=shard.number, waiting=spool.size)
        await programs.end(process, signal.SIGINT)

    async def _watch(
        self, shard: Shard, connection: Connection, spool: Spool, process: asyncio.subprocess.Process
    ) -> None:
        due = 0.0
        while process.returncode is None and not self._stopping.is_set():
            kept = await spool.keep()
            if kept:
                _segments.add(str(shard.number), by=kept)
            if self._places.clock.monotonic() >= due or spool.wanted.exists():
                spool.wanted.unlink(missing_ok=True)
                reached = await mark(connection)
                if await received(connection, spool.archive, reached.lsn, self._places.clock):
                    await spool.keep_all(reached)
                    self._reached.add(shard.number)
                    _archived.set(reached.at.timestamp(), str(shard.number))
                due = self._places.clock.monotonic() + self._settings.wal_seconds
            await self._pause(_LOOK_SECONDS)

    async def _keep_duties(self) -> None:
        while not self._stopping.is_set():
            self._anew.clear()
            for what, duty in self._duties:
                try:
                    await duty()
                except _FAULTS as error:
                    _failures.add(what)
                    _log.error("a duty of the archiver failed", what=what, error=str(error))
            await self._pause(_CLOCK_SECONDS, self._anew)

    async def _keep_telling(self) -> None:
        """Tell on while a duty takes its time."""
        while not self._stopping.is_set():
            self._tell()
            await self._pause(_TELL_SECONDS)
        self._tell()
