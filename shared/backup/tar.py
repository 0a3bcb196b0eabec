"""The tar that pg_basebackup streams: looked through on its way, and unpacked.

Source: POSIX.1-1988 ustar, as PostgreSQL writes it: names of at most 100 bytes, sizes octal or base-256, no
extensions.
"""

from __future__ import annotations

import asyncio
import os
import tarfile
from typing import TYPE_CHECKING, Final

from shared.backup.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_BLOCK: Final = 512


class Watched:
    """A tar's bytes, passed on unchanged; one member is kept.

    Args:
        chunks: The tar.
        member: The name of the member to keep; it must fit into memory.
    """

    def __init__(self, chunks: AsyncIterator[bytes], member: str) -> None:
        self._chunks = chunks
        self._member = member
        self._waiting = bytearray()
        self._left = 0
        self._padding = 0
        self._keeping = False
        self._kept = bytearray()
        self._found = False

    @property
    def content(self) -> bytes:
        """The member's content, once everything has passed.

        Raises:
            BackupError: There is no such member.
        """
        if not self._found:
            raise BackupError(f"The server sent no {self._member}: it must be PostgreSQL 13 or later.")
        return bytes(self._kept)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Pass the bytes on."""
        async for chunk in self._chunks:
            self._look(chunk)
            yield chunk

    def _look(self, chunk: bytes) -> None:
        self._waiting += chunk
        while self._waiting:
            if self._left or self._padding:
                self._skip()
            elif len(self._waiting) < _BLOCK:
                return
            else:
                self._enter(bytes(self._waiting[:_BLOCK]))
                del self._waiting[:_BLOCK]

    def _skip(self) -> None:
        content = min(self._left, len(self._waiting))
        if self._keeping:
            self._kept += self._waiting[:content]
        del self._waiting[:content]
        self._left -= content
        if not self._left:
            padding = min(self._padding, len(self._waiting))
            del self._waiting[:padding]
            self._padding -= padding

    def _enter(self, header: bytes) -> None:
        if not header.strip(b"\0"):  # the blocks of zeros at the end
            return
        member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        self._left = member.size if member.isreg() else 0
        self._padding = -self._left % _BLOCK
        self._keeping = member.name.removeprefix("./") == self._member
        self._found |= self._keeping


async def unpack(chunks: AsyncIterator[bytes], folder: Path) -> None:
    """Unpack a tar into a folder, as it comes; nothing lands outside it.

    Raises:
        OSError: The disk is full, for instance.
        BackupError: The tar has members that a data folder does not have.
    """
    reading, writing = os.pipe()
    unpacking = asyncio.ensure_future(asyncio.to_thread(_unpack, reading, folder))
    try:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            async for chunk in chunks:
                await asyncio.to_thread(_write, pipe.fileno(), chunk)
    except BrokenPipeError:  # the other side gave up; it says why
        await unpacking
        raise
    except BaseException:
        await asyncio.gather(unpacking, return_exceptions=True)
        raise
    await unpacking


def _write(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _unpack(descriptor: int, folder: Path) -> None:
    try:
        with os.fdopen(descriptor, "rb") as pipe, tarfile.open(fileobj=pipe, mode="r|") as tar:
            for member in tar:
                tar.extract(member, folder, filter="data")
            while pipe.read(_BLOCK * 128):  # what comes after the end of a tar is zeros
                pass
    except tarfile.TarError as error:
        raise BackupError(f"A data folder cannot be unpacked: {error}.") from error
    for path, folders, _ in os.walk(folder):
        for name in folders:
            os.chmod(os.path.join(path, name), 0o700)  # noqa: PTH101, PTH118 - thousands of folders
