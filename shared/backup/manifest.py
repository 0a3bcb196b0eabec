"""What a backup is: its manifest, and the names of everything in the store.

    sets/<id>/manifest                     one JSON document; written last: what has none is no backup
    sets/<id>/begun                        empty; by it others see that a backup is being made
    sets/<id>/<shard>/base                 a tar of the shard's data folder, as pg_basebackup sends it
    sets/<id>/<shard>/backup_manifest      PostgreSQL's own manifest, which the next incremental one needs
    wal/<archive>/<segment>                a WAL segment; `<segment>.partial` is the one that is being written
    wal/<archive>/status                   up to which moment the archive has everything
    wal/<archive>/<timeline>.history       PostgreSQL's own, of a server that was promoted: where it left the one before
    wal/<archive>/successor                the archive that was begun in its place

Each archive is the WAL of one server since its slot was made, and has an id of its own: servers that were copied from
one template share a system identifier, and a restored server goes on in a history of its own.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Literal
from uuid import UUID

from shared.backup.errors import DamagedError
from shared.strictjson import read_object

FORMAT: Final = 1
Kind = Literal["full", "incremental"]


@dataclass(frozen=True, slots=True)
class File:
    """A sealed stream in the store.

    Attributes:
        name: Where it is.
        stored: Bytes in the store.
        sha256: Of these, hexadecimal.
        plain: Bytes of what was sealed.
    """

    name: str
    stored: int
    sha256: str
    plain: int


@dataclass(frozen=True, slots=True)
class ShardBackup:
    """One shard's part of a backup.

    Attributes:
        shard: Its number.
        archive: The id of the archive that has its WAL.
        version: PostgreSQL's, such as `18.6`.
        segment_bytes: The size of a WAL segment.
        timeline: The history that it belongs to.
        start_lsn: Where a restore begins to read the WAL.
        stop_lsn: Where the copy is consistent; no moment before that can be restored from it.
        point_lsn: Of the restore point.
        base: The tar of the data folder.
        manifest: PostgreSQL's manifest of it.
        archived_lsn: Up to where the archive had everything when the backup was made; None in those of early releases.
        archived_at: What was acknowledged before this moment is before that, and a commit that comes after it.
    """

    shard: int
    archive: str
    version: str
    segment_bytes: int
    timeline: int
    start_lsn: int
    stop_lsn: int
    point_lsn: int
    base: File
    manifest: File
    archived_lsn: int | None = None
    archived_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup of all shards and the directory.

    Attributes:
        id: Its id; a UUIDv7, so that ids sort by time.
        kind: `full`, or `incremental` on top of its parent.
        parent: The id of the backup that it is the difference to.
        parent_sha256: Of the parent's stored manifest, so that a chain cannot be put together anew.
        region: Whose master key wrapped its key.
        begun_at: When it began.
        consistent_at: From this moment on it can be restored to any time that the archives reach.
        point: The name of the restore point on every shard.
        point_at: When that was.
        in_doubt_locked: Whether decisions of cross-shard transactions stood still at the point.
        release: HAL9's.
        shards: The parts, in shard order; the first one holds the directory.
    """

    id: UUID
    kind: Kind
    parent: UUID | None
    parent_sha256: str | None
    region: str
    begun_at: datetime
    consistent_at: datetime
    point: str
    point_at: datetime
    in_doubt_locked: bool
    release: str
    shards: tuple[ShardBackup, ...]

    @property
    def stored(self) -> int:
        """Bytes in the store."""
        return sum(part.base.stored + part.manifest.stored for part in self.shards)

    @property
    def plain(self) -> int:
        """Bytes of the data folders that were copied."""
        return sum(part.base.plain for part in self.shards)


def release() -> str:
    """HAL9's version; an image has no metadata of it, and is told by HAL9_RELEASE."""
    try:
        return version("hal9")
    except PackageNotFoundError:
        return os.environ.get("HAL9_RELEASE", "unknown")


def folder(backup: UUID) -> str:
    """Where a backup's files are."""
    return f"sets/{backup}"


def manifest_name(backup: UUID) -> str:
    """Where a backup's manifest is."""
    return f"sets/{backup}/manifest"


def encode(backup: Backup) -> bytes:
    """Give a manifest as it is stored."""
    return json.dumps({"format": FORMAT, **asdict(backup)}, default=str, indent=1).encode()


def decode(raw: bytes, what: str) -> Backup:
    """Read what `encode` wrote.

    Raises:
        DamagedError: It is nothing of the kind, or of a later release.
    """
    try:
        document = read_object(raw)
        if document.pop("format") != FORMAT:
            raise DamagedError(what, "its format is another release's")
        return _backup(document)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(what, f"it is no manifest ({type(error).__name__})") from error


def _backup(document: dict[str, Any]) -> Backup:
    parent = document["parent"]
    return Backup(
        **document
        | {
            "id": UUID(document["id"]),
            "parent": None if parent is None else UUID(parent),
            **{name: datetime.fromisoformat(document[name]) for name in ("begun_at", "consistent_at", "point_at")},
            "shards": tuple(_shard(part) for part in document["shards"]),
        }
    )


def _shard(document: dict[str, Any]) -> ShardBackup:
    at = document.get("archived_at")
    return ShardBackup(
        **document
        | {
            "base": File(**document["base"]),
            "manifest": File(**document["manifest"]),
            "archived_at": None if at is None else datetime.fromisoformat(at),
        }
    )
