"""Whether a disk has room: what its errors look like when it has none, and a trial for before or after.

    try:
        folder.write(data)
    except OSError as error:
        if is_full(error):
            raise StoreFullError from error
        raise

Promises: a quota and a process's own limit on the size of files count as a full disk: nobody can write more, and what
there is to do is the same. Does not: keep room for anybody; what was there a moment ago may be gone.
"""

from __future__ import annotations

import errno
import os
import tempfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def is_full(error: BaseException) -> bool:
    """Whether an error says that there was no room for what was written."""
    return isinstance(error, OSError) and error.errno in _FULL


def has_room(folder: Path, size: int) -> bool:
    """Whether that many bytes can be written in a folder now.

    It is tried, with a file that is gone afterwards: quotas and limits stand in no figure of the file system.

    Args:
        folder: An existing folder.
        size: Bytes, at least 1.

    Raises:
        OSError: The folder cannot be written for another reason.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if is_full(error):
            return False
        raise
    return True
