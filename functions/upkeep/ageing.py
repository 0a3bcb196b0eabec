"""Data keys age: each seals for so long, opens for as long as anything that it sealed may be left, and is deleted then.

    await retire(shards.directory, timedelta(days=90))      # seal no more; whoever seals next makes a new key
    await forget(shards.directory, KEPT)                    # superseded so long ago

It needs no master key, and nothing of `shared.datakeys`, which would bring KMS's client along: a key that is retired is
only marked, and the process that seals next has its successor made (`DataKeys.current`), so that an organisation that
nobody uses costs nothing. Source of limited periods of use: NIST SP 800-57 part 1, section 5.3.6; of how much a key may
seal: SP 800-38D, section 8.3.
Promises: a key that is retired opens as before; processes go on sealing with it for as long as they keep it, five
minutes at most; nothing is retired within a day or deleted within 31, whoever calls. Does not: know what was sealed:
its caller says how long that may live.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from shared.database import retrying

if TYPE_CHECKING:
    from shared.database import Database

KEPT: Final = timedelta(days=32)
"""Longer than anything that is sealed may live: sessions do for 31 days at most (`shared.sessions.settings.UNREAD`)."""

_AT_MOST: Final = 1000


async def retire(directory: Database, older_than: timedelta) -> int:
    """Let keys that are older than this seal no more, the oldest first; how many, 1000 at most.

    Raises:
        Problem: 503 `shard-unavailable`.
    """
    return await _called(directory, "SELECT directory.data_keys_retire($1, $2)", older_than)


async def forget(directory: Database, superseded_for: timedelta) -> int:
    """Delete keys that were superseded so long ago; how many, 1000 at most.

    Args:
        directory: The database that holds the directory.
        superseded_for: The longest life of what they sealed, and for how long processes keep a key.

    Raises:
        Problem: 503 `shard-unavailable`.
    """
    return await _called(directory, "SELECT directory.data_keys_forget($1, $2)", superseded_for)


async def _called(directory: Database, statement: str, age: timedelta) -> int:
    async def attempt() -> int:
        async with directory.connection() as connection:
            count: int = await connection.fetchval(statement, age, _AT_MOST)
            return count

    return await retrying(attempt, idempotent=True)
