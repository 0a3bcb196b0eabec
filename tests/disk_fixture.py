"""A full disk, for whoever runs the tests: this process may write no file beyond a size, as if there were no room."""

from __future__ import annotations

import contextlib
import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def full_disk(room_bytes: int = 0) -> Iterator[None]:
    """Let this process, and those that it starts, write no file larger than that (RLIMIT_FSIZE).

    Args:
        room_bytes: What still fits into one file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
