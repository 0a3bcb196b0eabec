"""Verifying a backup: everything is read as a restore would read it, and nothing is kept.

Promises: each stream's hash is that of the manifest, each chunk is genuine, PostgreSQL's own manifest matches every
file of every data folder (pg_verifybackup, which reads the WAL in it too), and the archived WAL from the backup's
beginning has no gap, also in the archives that were begun after promotions. Does not: start a server; a restore test
does (`evidence`).
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.backup.errors import BackupError, DamagedError
from shared.backup.restoring import require_room, verify_folder
from shared.backup.route import FOREVER, route, segments, wal
from shared.backup.tar import unpack
from shared.diskspace import is_full

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from shared.backup.manifest import Backup, ShardBackup
    from shared.backup.repository import Repository

_MANIFEST: Final = "backup_manifest"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was read.

    Attributes:
        backup: The backup's id.
        stored: Bytes in the store.
        plain: Bytes of data folders.
        segments: WAL segments, over all shards.
        until: The last moment that it can be restored to.
    """

    backup: UUID
    stored: int
    plain: int
    segments: int
    until: datetime


async def verify(
    repository: Repository,
    backup: Backup,
    scratch: Path | None,
    tell: Callable[[str], None],
    following: datetime = FOREVER,
) -> Verified:
    """Verify one backup; what it stands on is verified by itself.

    Args:
        repository: The store.
        backup: The backup.
        scratch: A folder with room for one shard's data folder; None takes the system's.
        tell: Hears of each step.
        following: From when on moments are restored from the next backup: the WAL after that is its own.

    Raises:
        DamagedError: Something is not what it should be.
        ForeignKeyError: It was sealed under another master key.
    """
    count = 0
    until = []
    for part in backup.shards:
        tell(f"shard {part.shard}: {part.base.plain / 2**20:.0f} MB of the {backup.kind} backup {backup.id}")
        await _verify_base(repository, part, scratch)
        legs = await route(repository, part, following)
        until.append(legs[-1].until or backup.point_at)
        names = await segments(repository, part, legs, None)
        tell(f"shard {part.shard}: {len(names)} WAL segments")
        for name in names:
            async for _ in wal(repository, name):
                pass
        count += len(names)
    return Verified(backup.id, backup.stored, backup.plain, count, min(until))


async def _verify_base(repository: Repository, part: ShardBackup, scratch: Path | None) -> None:
    own = await repository.read(part.manifest.name, part.manifest)
    with tempfile.TemporaryDirectory(prefix="hal9-verify-", dir=scratch) as folder:
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        require_room(data, part.base.plain)
        try:
            async with aclosing(repository.get(part.base.name, part.base)) as chunks:
                await unpack(chunks, data)
        except OSError as error:
            if is_full(error):
                raise BackupError(f"The disk that holds {folder} is full: set TMPDIR to a larger one.") from error
            raise
        if (data / _MANIFEST).read_bytes() != own:
            raise DamagedError(part.manifest.name, "it is not the manifest of the data folder beside it")
        await verify_folder(data, part)
        shutil.rmtree(data)
