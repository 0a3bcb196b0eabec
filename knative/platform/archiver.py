"""The archiver's process: `python -m knative.platform.archiver`, a child of the supervisor, or `hal9 backup archive`.

Reads what `hal9 backup` reads. Writes its metrics, for a collector of text files, to `metrics.prom` in its spool, and
answers them on HAL9_BACKUP_PORT, when that is set.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from knative.platform.backups import Backups
from knative.platform.home import replace
from knative.platform.observing import observed
from knative.platform.restoretest import restore_test
from shared.backup import BackupError, choose, create, evidence, take_away
from shared.backup.archiving import Archiver
from shared.backup.retention import prune
from shared.backup.shard import slot
from shared.settings import SettingsError
from shared.telemetry import configure_logs, counter, exposition, gauge, logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from knative.platform.home import Home
    from shared.backup import Backup, BackupSettings, Places, Shard

_tested = gauge(
    "hal9_backup_restore_test_timestamp_seconds",
    "When the last restore test that passed was begun, in seconds since 1970; 0 for none.",
)
_MAKING: Final = timedelta(hours=1)
"""A backup without a manifest that is older than this was cut off, or failed."""

_MAKER: Final = b"archiver"
_log = logger(__name__)
_made = counter("hal9_backup_made_total", "Backups that the archiver made.", ("kind",))
_newest = gauge(
    "hal9_backup_newest_timestamp_seconds", "The point of the newest good backup, in seconds since 1970; 0 for none."
)


async def run(places: Places, settings: BackupSettings, home: Home) -> None:
    """Archive until SIGTERM or SIGINT."""
    await places.repository.check()
    # There is one archiver at a time: what has its name was cut off with the one before, and would be waited for.
    for cut_off in await take_away(places.repository, _MAKER):
        _log.warning("a backup that was cut off is taken away", backup=str(cut_off))
    duties = [("backup", _backups(places, settings)), ("test", _tests(places, settings))]
    metrics = home.archive / "metrics.prom"
    archiver = Archiver(
        places, settings, await places.repository.new_key(), duties,
        tell=lambda: replace(metrics, exposition().encode(), 0o644),
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, archiver.stop)
    with contextlib.ExitStack() as stack:
        if settings.port:
            stack.enter_context(observed(settings.port, metrics.read_bytes, lambda: archiver.ready))
        await archiver.run()


def _backups(places: Places, settings: BackupSettings) -> Callable[[], Awaitable[None]]:
    """Make a backup when the newest one is too old, and delete what is not needed any more."""

    async def duty() -> None:
        good = [one.backup for one in await places.repository.backups() if one.fault is None and one.backup is not None]
        newest = max(good, key=lambda one: one.point_at, default=None)
        _newest.set(0.0 if newest is None else newest.point_at.timestamp())
        if not settings.every_hours:
            return
        now = places.clock.now()
        begun = await places.repository.newest_begun(now - _MAKING)
        recent = begun is not None and now - begun < timedelta(hours=settings.every_hours)
        if recent and not await _begun_anew(places, newest, now):
            return
        made = await create(places, lambda text: _log.info("backup", step=text), chain=settings.chain, maker=_MAKER)
        _made.add(made.kind)
        _newest.set(made.point_at.timestamp())
        _log.info("a backup is made", backup=str(made.id), kind=made.kind, stored_bytes=made.stored)
        await prune(
            places.repository, timedelta(days=settings.keep_days), now, lambda text: _log.info("retention", step=text)
        )

    return duty


async def _begun_anew(places: Places, newest: Backup | None, now: datetime) -> bool:
    """Whether a shard's archive is another one than the newest backup's, so that nothing after that can be restored."""
    if newest is None or await places.repository.unfinished_since(now - _MAKING):
        return False  # somebody is making one
    return [part.archive for part in newest.shards] != [await _archive(shard) for shard in places.shards]


async def _archive(shard: Shard) -> str:
    async with shard.connected() as connection:
        held = await slot(connection)
        return "" if held is None else held.archive


def _tests(places: Places, settings: BackupSettings) -> Callable[[], Awaitable[None]]:
    """Test a restore when the last test is too old; one that failed is tried again after an hour."""

    async def duty() -> None:
        tests = await evidence.read(places.repository)
        passed = [one for one in tests if one.fault is None]
        _tested.set(passed[-1].begun_at.timestamp() if passed else 0.0)
        good = [one.backup for one in await places.repository.backups() if one.fault is None and one.backup is not None]
        if not settings.test_hours or not good:
            return
        now, pause = places.clock.now(), timedelta(hours=settings.test_hours)
        since = passed[-1].begun_at if passed else good[0].point_at
        if now - since < pause or (tests and now - tests[-1].begun_at < min(pause, _MAKING)):
            return
        target = await choose(places.repository, "latest", now)
        made = await restore_test(places.repository, target, places.clock, lambda text: _log.info("test", step=text))
        _tested.set(made.begun_at.timestamp())
        _log.info("a restore was tested", evidence=str(made.id), rows=made.rows, seconds=made.seconds)

    return duty


def main() -> int:
    """Run the process; give its exit code."""
    configure_logs(function="archiver")
    try:
        found = Backups()
        asyncio.run(run(found.places(), found.settings, found.home))
    except (BackupError, SettingsError) as error:
        _log.error("the archiver cannot run", error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
