"""The archiver: receives every shard's WAL all the time, and makes backups, room and restore tests by the clock.

Promises: what a shard acknowledged is in the store within `HAL9_BACKUP_WAL_SECONDS` and a moment; a shard that does
not answer is tried again, and does not keep the others waiting; whatever fails is logged and counted, and stops
nothing.
Does not: run twice over one shard (the second one finds the slot taken, says so, and waits for its turn).
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

import asyncpg

from shared.backup import programs
from shared.backup.archive import Spool, received, receiving
from shared.backup.errors import BackupError
from shared.backup.shard import ensured_slot, mark, slot
from shared.datakeys import KeysUnavailableError
from shared.telemetry import counter, gauge, logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from shared.backup.creating import Places
    from shared.backup.sealing import DataKey
    from shared.backup.settings import BackupSettings
    from shared.backup.shard import Connection, Shard

_LOOK_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 5.0
_CLOCK_SECONDS: Final = 30.0
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
    "hal9_backup_gaps_total", "Archives that ended because a server removed WAL that nobody took.", ("shard",)
)

Duty = tuple[str, "Callable[[], Awaitable[None]]"]


class Archiver:
    """Archives all shards.

    Args:
        places: What to archive, and where to.
        settings: How often.
        data_key: What seals the WAL of this process.
        duties: What else is done by the clock, one after the other: a name, and what does it when it is due.
        after: Is called after each look at the clock: writes the metrics, for instance.
    """

    def __init__(
        self,
        places: Places,
        settings: BackupSettings,
        data_key: DataKey,
        duties: Sequence[Duty] = (),
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._places = places
        self._settings = settings
        self._data_key = data_key
        self._duties = duties
        self._after = after
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` end after what is being written."""
        self._stopping.set()

    async def run(self) -> None:
        """Archive until `stop`."""
        async with asyncio.TaskGroup() as group:
            for shard in self._places.shards:
                group.create_task(self._keep_receiving(shard))
            group.create_task(self._keep_duties())

    async def _pause(self, seconds: float) -> None:
        """Wait, or return at once when it is to stop."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        waiting = asyncio.ensure_future(self._places.clock.sleep(seconds))
        await asyncio.wait({stopping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for one in (stopping, waiting):
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
            before = await slot(connection)
            held = await ensured_slot(connection, shard.number)
            if before is not None and before.archive != held.archive:
                _gaps.add(str(shard.number))
                _log.error("the archive has a gap: the next backup is a full one", shard=shard.number)
            spool = Spool(self._places.spool, held.archive, self._places.repository, self._data_key)
            command, environment = receiving(shard, held, spool)
            process = await programs.start(command, environment)
            if process.stderr is None:
                raise AssertionError  # it was asked for
            saying = asyncio.ensure_future(process.stderr.read())
            try:
                await self._watch(shard, connection, spool, process)
            finally:
                await programs.end(process, signal.SIGINT)
                said = await saying
            if not self._stopping.is_set():
                programs.require_success(command[0], process.returncode or 1, said)
            await spool.keep()

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
                    _archived.set(reached.at.timestamp(), str(shard.number))
                due = self._places.clock.monotonic() + self._settings.wal_seconds
            await self._pause(_LOOK_SECONDS)

    async def _keep_duties(self) -> None:
        while not self._stopping.is_set():
            for what, duty in self._duties:
                try:
                    await duty()
                except _FAULTS as error:
                    _failures.add(what)
                    _log.error("a duty of the archiver failed", what=what, error=str(error))
            self._after()
            await self._pause(_CLOCK_SECONDS)
