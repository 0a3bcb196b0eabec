"""The repository: sealed streams by name in a store of objects, and the backups among them.

Promises: nothing lies in the store unsealed; what is read is checked on the way, and its length and hash at the end
where they are known; a backup is listed as good only when its manifest, which is written last, is there and genuine.
Does not: keep two that delete apart (deleting is retention's, once a backup).
"""

from __future__ import annotations

import hashlib
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from shared.backup import manifest
from shared.backup.errors import AbsentError, BackupError, DamagedError, ForeignKeyError
from shared.backup.manifest import Backup, File
from shared.backup.sealing import DataKey, opened, sealed
from shared.datakeys import KeyRefusedError
from shared.objects import ObjectMissingError, ObjectsFullError, ObjectsSettings, key, open_objects
from shared.randomness import SystemRandomness

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator

    from shared.backup.settings import BackupSettings
    from shared.datakeys import MasterKeys
    from shared.objects import Objects
    from shared.randomness import Randomness

PLATFORM: Final = UUID(int=0)
"""Keys of objects begin with an organisation; the nil one is nobody's."""

_FOLDER: Final = "backup"
_CLIENTS: Final = frozenset({"botocore", "boto3", "s3transfer", "urllib3"})
"""Whose errors are the store's: by name, as their classes cost a second to import."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What is known of one backup in the store.

    Attributes:
        id: Its id.
        backup: Its manifest; None when that cannot be read.
        fault: Why it is no good; None when it is.
        sha256: Of the stored manifest, hexadecimal.
    """

    id: UUID
    backup: Backup | None
    fault: str | None
    sha256: str = ""


class Repository:
    """A store of backups.

    Args:
        objects: Where sealed streams lie.
        masters: What wraps their keys.
        region: Whose master key.
        randomness: Gives salts.
    """

    def __init__(
        self, objects: Objects, masters: MasterKeys, region: str, randomness: Randomness | None = None
    ) -> None:
        self._objects = objects
        self._masters = masters
        self.region = region
        self._randomness = randomness or SystemRandomness()
        self._unwrapped: dict[bytes, bytes] = {}

    async def check(self) -> None:
        """Raise BackupError when the store cannot be used."""
        try:
            await self._objects.check()
        except Exception as error:
            raise BackupError(
                f"The store of backups cannot be used ({error}): check HAL9_BACKUPS, and what it takes to get there."
            ) from error

    async def new_key(self) -> DataKey:
        """Make a data key, wrapped by the region's master key.

        Raises:
            KeysUnavailableError: The master key cannot be used.
        """
        raw, wrapped = await self._masters.generate(PLATFORM, self.region)
        return DataKey(wrapped, raw)

    async def put(self, data_key: DataKey, name: str, chunks: AsyncIterable[bytes]) -> File:
        """Seal a stream and keep it; it is in the store, whole, when this returns."""
        digest = hashlib.sha256()
        counted = {"plain": 0, "stored": 0}

        async def plain() -> AsyncIterator[bytes]:
            async for chunk in chunks:
                counted["plain"] += len(chunk)
                yield chunk

        async def stored() -> AsyncIterator[bytes]:
            async for chunk in sealed(data_key, name, plain(), self._randomness):
                counted["stored"] += len(chunk)
                digest.update(chunk)
                yield chunk

        try:
            with _told():
                await self._objects.put(_key(name), stored())
        except ObjectsFullError as error:
            raise BackupError(
                f"The store of backups (HAL9_BACKUPS) is full, at {name}: free some space, or shorten "
                "HAL9_BACKUP_KEEP_DAYS; what was listed before is as it was."
            ) from error
        return File(name, counted["stored"], digest.hexdigest(), counted["plain"])

    async def get(
        self, name: str, expected: File | None = None, digest: hashlib._Hash | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Give a stream. Each piece is genuine; that nothing is missing is known at the end.

        Args:
            name: Its name.
            expected: What a manifest says of it.
            digest: Is fed with what is stored (SHA-256).

        Raises:
            DamagedError: It is not there, is not what was sealed under this name, or not what is expected.
            ForeignKeyError: Another master key wrapped its key.
        """
        digest = hashlib.sha256() if digest is None else digest
        size = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size
            with _told():
                async for chunk in self._objects.get(_key(name)):
                    size += len(chunk)
                    digest.update(chunk)
                    yield chunk

        try:
            async with aclosing(opened(self._unwrap, name, counted())) as plain:
                async for chunk in plain:
                    yield chunk
        except ObjectMissingError:
            raise AbsentError(name) from None
        except KeyRefusedError:
            raise ForeignKeyError(name) from None
        if expected is not None and (size, digest.hexdigest()) != (expected.stored, expected.sha256):
            raise DamagedError(name, "it is an older or a newer one than the manifest names")

    async def read(self, name: str, expected: File | None = None) -> bytes:
        """Give a short stream as a whole; see `get`."""
        return b"".join([chunk async for chunk in self.get(name, expected)])

    async def write(self, data_key: DataKey, name: str, content: bytes) -> File:
        """Keep a short stream; see `put`."""

        async def once() -> AsyncIterator[bytes]:
            yield content

        return await self.put(data_key, name, once())

    async def exists(self, name: str) -> bool:
        """Whether there is something under that name."""
        with _told():
            return await self._objects.exists(_key(name))

    async def delete(self, name: str) -> None:
        """Remove a stream; none there is no error."""
        with _told():
            await self._objects.delete(_key(name))

    async def remove(self, backup: UUID) -> None:
        """Remove a backup, or what there is of one; its manifest first, as none is listed without its files."""
        await self.delete(manifest.manifest_name(backup))
        for name in [name async for name in self.below(manifest.folder(backup))]:
            await self.delete(name)

    async def exports(self, before: datetime) -> list[UUID]:
        """The ids of exports of organisations that were begun before that moment."""
        found = {_id(name) async for name in self.below("exports")}
        return sorted(one for one in found if one is not None and made_at(one) < before)

    async def tidy(self, before: datetime) -> int:
        """Remove half-written streams that were begun before that moment; how many they were."""
        with _told():
            return sum([await self._objects.tidy(_key(kind), before) for kind in ("sets", "wal", "exports")])

    async def below(self, prefix: str) -> AsyncIterator[str]:
        """The names that begin with `prefix/`, in their order."""
        cut = len(_key("x")) - 1
        with _told():
            async for found in self._objects.below(_key(prefix)):
                yield found[cut:]

    async def backups(self) -> list[Listed]:
        """Every backup that has a manifest, the oldest first; those that are not good say why."""
        ids = [_id(name) async for name in self.below("sets") if name.endswith("/manifest")]
        listed = {one.id: one for one in [await self._listed(found) for found in ids if found is not None]}
        return [_whole(one, listed) for one in sorted(listed.values(), key=lambda one: one.id)]

    async def unfinished(self, before: datetime | None = None) -> list[UUID]:
        """The ids under which there are files, but no manifest: a backup that is being made, or was cut off.

        Args:
            before: Only those that were begun before that moment.
        """
        names = [name async for name in self.below("sets")]
        finished = {_id(name) for name in names if name.endswith("/manifest")}
        left = {found for name in names if (found := _id(name)) is not None} - finished
        return sorted(one for one in left if one is not None and (before is None or made_at(one) < before))

    async def unfinished_since(self, moment: datetime) -> list[UUID]:
        """The ids of backups that were begun since then, and are in the making or were cut off."""
        return [one for one in await self.unfinished() if made_at(one) >= moment]

    async def newest_begun(self, making_since: datetime) -> datetime | None:
        """When the newest backup was begun that is good, or is in the making since then; None when there is none."""
        good = [one.id for one in await self.backups() if one.fault is None]
        making = await self.unfinished_since(making_since)
        return max(map(made_at, [*good, *making]), default=None)

    async def _listed(self, backup: UUID) -> Listed:
        name = manifest.manifest_name(backup)
        digest = hashlib.sha256()
        try:
            found = manifest.decode(b"".join([chunk async for chunk in self.get(name, None, digest)]), name)
        except BackupError as error:
            return Listed(backup, None, str(error))
        if found.id != backup:
            return Listed(backup, None, str(DamagedError(name, "it is another backup's")))
        return Listed(backup, found, None, digest.hexdigest())

    async def _unwrap(self, wrapped: bytes) -> bytes:
        if wrapped not in self._unwrapped:
            self._unwrapped[wrapped] = await self._masters.unwrap(wrapped, PLATFORM, self.region)
        return self._unwrapped[wrapped]


def open_repository(settings: BackupSettings, masters: MasterKeys) -> Repository:
    """The repository of the settings.

    Raises:
        BackupError: HAL9_BACKUPS is not set, or is neither file:// nor s3://.
    """
    try:
        objects = open_objects(ObjectsSettings(url=settings.store or "", s3_endpoint=settings.s3_endpoint))
    except ValueError:
        raise BackupError("HAL9_BACKUPS must be file:///folder or s3://bucket/prefix.") from None
    return Repository(objects, masters, settings.region)


@contextmanager
def _told() -> Iterator[None]:
    """Say of what a server of objects refuses that it was the store.

    Raises:
        BackupError: It was boto3 that failed; whatever else fails is passed on.
    """
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _CLIENTS:
            raise
        raise BackupError(
            f"The store of backups refused, or did not answer ({error}): check HAL9_BACKUPS and its credentials."
        ) from error


def _key(name: str) -> str:
    return key(PLATFORM, _FOLDER, *name.split("/"))


def _id(name: str) -> UUID | None:
    """The backup whose file that is."""
    try:
        return UUID(name.split("/")[1])
    except (IndexError, ValueError):
        return None


def made_at(backup: UUID) -> datetime:
    """When a UUIDv7 was made (RFC 9562, section 5.7)."""
    return datetime.fromtimestamp((backup.int >> 80) / 1000, tz=UTC)


def _whole(one: Listed, all_of_them: dict[UUID, Listed]) -> Listed:
    """Look whether everything that a backup stands on is there and is the same as when it was made."""
    child = one
    while one.fault is None and child.backup is not None and child.backup.parent is not None:
        parent = all_of_them.get(child.backup.parent)
        if parent is None or parent.backup is None:
            return Listed(one.id, one.backup, f"It stands on {child.backup.parent}, which is gone or damaged.")
        if parent.sha256 != child.backup.parent_sha256:
            return Listed(one.id, one.backup, f"It stands on {parent.id}, whose manifest was changed afterwards.")
        child = parent
    return one
