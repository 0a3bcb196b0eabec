"""Whether the new shard's disk has room for an organisation: a copy that fills it stops everybody who is there.

PostgreSQL cannot say how much room its disk has, and a server whose disk is full cannot even give back what a copy took
that did not end: VACUUM needs some. So it is tried before anything is copied, where the server's data folder can be
reached: on this machine.
Of servers elsewhere nobody knows before; there it is tried, with a table that is gone afterwards, once a copy fails.
Does not: keep the room for the copy.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.diskspace import has_room
from shared.placement import catalogue

if TYPE_CHECKING:
    from uuid import UUID

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

_TIMES: Final = 3
"""What a copy takes while it is made: the rows, their log, and at most as much for indexes."""

_TRIAL: Final = """
CREATE TEMPORARY TABLE move_room ON COMMIT DROP AS SELECT repeat('x', 1000) AS line FROM generate_series(1, 1000)
"""
"""A megabyte: less is had by who deletes a few rows, and is gone in the next moment."""

_LEAST_BYTES: Final = 64 * 2**20
"""What a server needs besides, for the log of everybody else."""


async def fault(old: Connection, new: Connection, org_id: UUID) -> str | None:
    """Why the new shard has no room for the organisation; None when it has, or nobody knows.

    Args:
        old: The shard that has it.
        new: The shard that would get it, over its socket.
        org_id: The organisation.
    """
    try:
        folder = Path(await new.fetchval("SHOW data_directory"))
    except asyncpg.InsufficientPrivilegeError:
        return None
    _, size = (await catalogue.sizes(old, [org_id])).get(org_id, (0, 0))
    wanted = _TIMES * size + _LEAST_BYTES
    try:
        enough = await asyncio.to_thread(has_room, folder, wanted)
    except OSError:  # it is another machine's, or another user's
        return None
    if enough:
        return None
    return (
        f"the disk that holds {folder} has no room for it: {wanted / 2**20:.0f} MB are needed, {_TIMES} times its size "
        f"and {_LEAST_BYTES // 2**20} MB"
    )


async def is_full(server: Connection) -> bool:
    """Whether a server's disk has no room for one more megabyte."""
    try:
        async with server.transaction():
            await server.execute(_TRIAL)
    except asyncpg.DiskFullError:
        return True
    return False
