"""Objects in a local folder: written beside their place, synced, then renamed into it."""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from shared.diskspace import is_full
from shared.objects.keys import validated
from shared.objects.store import ObjectMissingError, ObjectsFullError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterator
    from datetime import datetime

_CHUNK: Final = 256 * 1024
_TEMPORARY: Final = ".partial-"


class DirectoryObjects:
    """A store in a folder, 0700.

    Args:
        folder: made when it is not there.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def _path(self, key: str) -> Path:
        # Parts of a key never begin with a dot, so nothing can name a parent or a temporary file.
        return self._folder / validated(key)

    async def put(
        self, key: str, chunks: bytes | AsyncIterable[bytes], *, media_type: str = "application/octet-stream"
    ) -> int:
        """Keep an object; it is on the disk, whole, when this returns. The media type is not kept."""
        del media_type
        with _a_full_disk_told():
            return await self._put(self._path(key), chunks)

    async def _put(self, path: Path, chunks: bytes | AsyncIterable[bytes]) -> int:
        temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
        file = await asyncio.to_thread(_create, temporary)
        try:
            with file:
                if isinstance(chunks, bytes):
                    await asyncio.to_thread(file.write, chunks)
                else:
                    async for chunk in chunks:
                        await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(_sync, file)
                size = file.tell()
            await asyncio.to_thread(_publish, temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return size

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """The object's bytes."""
        path = self._path(key)
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ObjectMissingError(key) from None
        with file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk

    async def exists(self, key: str) -> bool:
        """Whether there is an object under that key."""
        return await asyncio.to_thread(self._path(key).is_file)

    async def delete(self, key: str) -> None:
        """Remove the object; none there is no error. Folders stay."""
        await asyncio.to_thread(_remove, self._path(key))

    async def below(self, prefix: str) -> AsyncIterator[str]:
        """The keys below a prefix, in their order."""
        for key in await asyncio.to_thread(self._below, validated(prefix)):
            yield key

    def _below(self, prefix: str) -> list[str]:
        return sorted(
            str((Path(folder) / name).relative_to(self._folder))
            for folder, _, names in os.walk(self._folder / prefix)
            for name in names
            if not name.startswith(_TEMPORARY)
        )

    async def tidy(self, prefix: str, before: datetime) -> int:
        """Remove half-written files below a prefix, last written before that moment; how many they were."""
        return await asyncio.to_thread(self._tidy, validated(prefix), before.timestamp())

    def _tidy(self, prefix: str, before: float) -> int:
        rests = [path for path in (self._folder / prefix).rglob(f"{_TEMPORARY}*") if _written_before(path, before)]
        for path in rests:
            _remove(path)
        return len(rests)

    async def check(self) -> None:
        """Raise OSError when the folder cannot be written."""
        await asyncio.to_thread(self._check)

    def _check(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise PermissionError(f"the folder of objects, {self._folder}, cannot be written")


@contextmanager
def _a_full_disk_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise ObjectsFullError from error
        raise


def _create(temporary: Path) -> BinaryIO:
    temporary.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _publish(temporary: Path, path: Path) -> None:
    """Rename, and sync the folder so that the name is on the disk as well."""
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written_before(path: Path, before: float) -> bool:
    """Whether a file was last written before a moment; one that was finished meanwhile was not."""
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return
