"""What is deleted from the store, and what must stay.

Every moment of the last days can be restored: so what was made in them stays, the newest backup before them, and all
that these stand on; and of each archive the WAL from where the oldest of these begins. The newest good backup always
stays.
Promises: a manifest goes before its files, and a difference before what it stands on: cut off anywhere, nothing is
listed that cannot be restored. What cannot be read is left: it may be another platform's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from shared.backup import archive, exports
from shared.backup.archive import PARTIAL, SEGMENT
from shared.backup.errors import BackupError
from shared.backup.route import FOREVER, first_leg, route
from shared.backup.shard import begin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from shared.backup.manifest import Backup
    from shared.backup.repository import Repository

_UNFINISHED: Final = timedelta(hours=24)
"""A backup without a manifest, and an archive that no backup needs, are left for so long: it may be in the making."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted."""

    backups: tuple[UUID, ...]
    unfinished: tuple[UUID, ...]
    segments: int


async def prune(repository: Repository, keep: timedelta, now: datetime, tell: Callable[[str], None]) -> Pruned:
    """Delete what is not needed to restore any moment of the last `keep`.

    Args:
        repository: The store.
        keep: How far back.
        now: The present moment.
        tell: Hears of each backup that goes.
    """
    listed = await repository.backups()
    good = {one.id: one.backup for one in listed if one.fault is None and one.backup is not None}
    kept = needed(good, now - keep)
    gone = [backup for backup_id, backup in sorted(good.items(), reverse=True) if backup_id not in kept]
    for backup in gone:
        tell(f"deleting {backup.id} of {backup.point_at.isoformat()}")
        await repository.remove(backup.id)
    unfinished = await repository.unfinished(now - _UNFINISHED)
    for backup_id in unfinished:
        await repository.remove(backup_id)
    await repository.tidy(now - _UNFINISHED)
    await exports.prune(repository, await repository.exports(now - max(keep, _UNFINISHED)))
    everyone = [one.backup for one in listed if one.backup is not None and one.backup not in gone]
    segments = await _prune_archives(repository, everyone, now - max(keep, _UNFINISHED))
    return Pruned(tuple(one.id for one in gone), tuple(unfinished), segments)


def needed(good: Mapping[UUID, Backup], since: datetime) -> set[UUID]:
    """The backups that restoring any moment since then takes."""
    before = [one for one in good.values() if one.consistent_at < since]
    kept = {one.id for one in good.values() if one.consistent_at >= since}
    if before:
        kept.add(max(before, key=lambda one: one.consistent_at).id)
    for backup_id in list(kept):
        backup = good[backup_id]
        while backup.parent is not None:
            kept.add(backup.parent)
            backup = good[backup.parent]
    return kept


async def _prune_archives(repository: Repository, kept: Sequence[Backup], since: datetime) -> int:
    """Delete the WAL before the oldest place that a restore begins at; whole archives when none leads through them."""
    parts = [part for backup in kept for part in backup.shards]
    begins = [(first_leg(part), part.segment_bytes) for part in parts]
    for part in {part.archive: part for part in parts}.values():
        begins += [(leg, part.segment_bytes) for leg in (await route(repository, part, FOREVER))[1:]]
    first: dict[str, tuple[int, int]] = {}
    for leg, size in begins:
        first[leg.archive] = min(first.get(leg.archive, (leg.lsn, size)), (leg.lsn, size))
    deleted = 0
    dropped: dict[str, bool] = {}
    async for name in repository.below("wal"):
        _, archive_id, file = name.split("/")
        if archive_id in first:
            lsn, size = first[archive_id]
            old = SEGMENT.fullmatch(file.removesuffix(PARTIAL)) is not None and begin_of(file, size) + size <= lsn
        else:
            if archive_id not in dropped:
                dropped[archive_id] = await _over(repository, archive_id, since)
            old = dropped[archive_id]
        if old:
            await repository.delete(name)
            deleted += 1
    return deleted


async def _over(repository: Repository, archive_id: str, since: datetime) -> bool:
    """Whether an archive that no backup needs has received nothing since then."""
    try:
        status = await archive.read_status(repository, archive_id)
    except BackupError:
        return False
    return status is not None and status.at < since
