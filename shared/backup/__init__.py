"""Backups: every shard and the directory, brought back to any moment, sealed with a key that is in no backup.

    backup = await create(Places(shards, repository, spool, clock, patience), tell)
    target = await choose(repository, moment, clock.now())
    await fetch(repository, target, shard, folder, tell)
    async with recovered(folder, shard, target, starting, tell) as address: ...

A backup is a copy of each shard's data folder (pg_basebackup; full, or what changed since another one), and the
archive of its WAL, received by a replication slot all the time. All of it lies sealed in a store of objects
(`sealing`), named by what it is (`manifest`, `repository`).
Promises: a backup is listed when all of it is there; any moment from its end to the archive's end can be restored,
exactly, on all shards; what was tampered with is refused, not restored.
Does not: back up objects (artefacts), caches, or keys; where these are is the operator's to keep.
"""

from __future__ import annotations

from shared.backup.creating import Places, create, take_away
from shared.backup.errors import BackupError, DamagedError, ForeignKeyError
from shared.backup.manifest import Backup
from shared.backup.repository import Repository, open_repository
from shared.backup.restoring import Target, choose, fetch, recovered
from shared.backup.settings import BackupSettings
from shared.backup.shard import Shard

__all__ = [
    "Backup",
    "BackupError",
    "BackupSettings",
    "DamagedError",
    "ForeignKeyError",
    "Places",
    "Repository",
    "Shard",
    "Target",
    "choose",
    "create",
    "fetch",
    "open_repository",
    "recovered",
    "take_away",
]
