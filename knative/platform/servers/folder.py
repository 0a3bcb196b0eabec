"""A server's data folder: held by one supervisor at a time, with room on its disk.

Promises: the lock is the kernel's (flock), so that it ends with its holder, however that ends.
Does not: protect against a supervisor on another machine over a network file system.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from typing import TYPE_CHECKING, Final

from knative.platform.room import NEEDED_BYTES
from knative.platform.servers.children import ServerError

if TYPE_CHECKING:
    from pathlib import Path

_DISK_FULL_TEXT: Final = b"No space left on device"


class FolderLock:
    """The right to use a data folder.

    Args:
        folder: the data folder; the lock is the file beside it, `<name>.lock`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder.with_name(folder.name + ".lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock; again by the same holder is no error.

        Raises:
            ServerError: another process holds it.
        """
        if self._descriptor is not None:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise ServerError(
                f"The data folder {self._folder} is in use by the process {holder}. "
                "Stop that platform with `hal9 down`, or set HAL9_HOME to another folder."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def disk_full(folder: Path) -> ServerError:
    """The sentence for a disk that has no room."""
    return ServerError(
        f"The disk that holds {folder} is full: a server needs {NEEDED_BYTES // 2**20} MB to start. "
        "Free some space, or set HAL9_HOME to a folder on another disk, then run `hal9 up` again; "
        "nothing that was saved is lost."
    )


def require_room(folder: Path) -> None:
    """Check that the disk has room for a server to start.

    Raises:
        ServerError: it has not.
    """
    if shutil.disk_usage(folder).free < NEEDED_BYTES:
        raise disk_full(folder)


def failure(name: str, folder: Path, log: Path, offset: int) -> ServerError:
    """Why a server did not start, out of what it logged since `offset`."""
    with log.open("rb") as text:
        text.seek(offset)
        said = text.read(1_000_000)
    if _DISK_FULL_TEXT in said:
        return disk_full(folder)
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if "FATAL" in line or "PANIC" in line]
    reason = lines[0] if lines else (said.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
    return ServerError(f"{name} did not start: {reason.strip()}. Its log is {log}.")
