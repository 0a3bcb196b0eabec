"""Old copies, dropped by an operator: what moves left on the shards that organisations have left.

    dropped = await copies.drop(addresses)                # those that were kept for long enough
    dropped = await copies.drop(addresses, due=False)     # all

As the role that owns the tables; `shared.placement.leftovers` does the same by the clock, as the application's role.
Promises: a copy is taken away under its organisation's lock, so never under a mover; what stands in the way of one
keeps no other one, and is told at the end. Does not: drop what the organisation has come back to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.placement import hands, moves
from shared.placement.refused import RefusedError, StuckError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.placement.moves import Move

_ROWS: Final = 5000
"""In one transaction."""

_REFUSED: Final = "H9002"
"""SQLSTATE of HAL9's functions where they may not do what is asked."""


async def drop(addresses: Sequence[str], *, due: bool = True) -> list[Move]:
    """Take away what moves left behind: copies that were kept for long enough, or all of them.

    Args:
        addresses: Of the shards in order, for the role that owns the tables; the servers' own, not a pooler's.
        due: Only those that were kept for long enough.

    Returns:
        The moves whose old copies are gone now.

    Raises:
        StuckError: Some could not be taken away; all others are.
    """
    dropped: list[Move] = []
    faults: list[str] = []
    async with hands.connected(addresses[0]) as directory:
        retained = await moves.retained(directory, due=due)
        for source in sorted({move.source for move in retained}):
            try:
                async with hands.connected(addresses[source]) as old:
                    due_here = [move for move in retained if move.source == source]
                    dropped += [move for move in due_here if await _dropped(directory, old, move, faults)]
            except (*hands.AWAY, IndexError) as error:
                faults.append(f"shard {source}: {type(error).__name__}: {error}")
    if faults:
        raise StuckError(f"{len(dropped)} old copies are dropped, others are not: {'; '.join(faults)}")
    return dropped


async def _dropped(directory: Any, old: Any, move: Move, faults: list[str]) -> bool:
    """Take away one old copy, unless a mover is at its organisation or something else is in the way."""
    try:
        await hands.lock(directory, move.org_id)
    except RefusedError:
        return False
    try:
        await _take_away(directory, old, move)
    except StuckError as error:
        faults.append(str(error))
        return False
    finally:
        await hands.unlock(directory, move.org_id)
    return True


async def _take_away(directory: Any, old: Any, move: Move) -> None:
    """Take away the old copy, unless the organisation came back meanwhile, or upkeep has (`leftovers`)."""
    try:
        while await old.fetchval("SELECT tenant_drop_copy($1, $2, $3)", move.org_id, move.epoch, _ROWS):
            pass
    except asyncpg.PostgresError as error:
        if error.sqlstate != _REFUSED:
            raise
        raise StuckError(f"{error}, so its copy on shard {move.source} is not taken away") from error
    await directory.execute(
        "UPDATE directory.moves SET dropped_at = now() WHERE org_id = $1 AND move_id = $2",
        move.org_id, move.move_id,
    )  # fmt: skip
