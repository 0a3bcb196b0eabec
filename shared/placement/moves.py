"""Moves, as the directory keeps them.

Promises: an organisation has at most one move that is not over. Does not: move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.placement.refused import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

OVER: Final = frozenset({"finished", "cancelled"})
BEFORE_CUT_OVER: Final = frozenset({"planned", "publishing", "copying", "verifying"})

_COLUMNS: Final = (
    "org_id, move_id, rebalance_id, place, source, target, epoch, step, cancelling, reason, rows, pause_ms, retain_s,"
    " created_at, changed_at, switched_at, dropped_at"
)


@dataclass(frozen=True, slots=True)
class Move:
    """One move.

    Attributes:
        org_id: Who moves.
        move_id: The move.
        rebalance_id: The plan that it is part of; None for one by itself.
        place: Its place in that plan.
        source: The old shard.
        target: The new one.
        epoch: The epoch that it ends; at its new home the organisation has the next.
        step: What it does: `planned`, `publishing`, `copying`, `verifying` (and cutting over), `switched`,
            `finished`; `cancelling`, `cancelled`.
        cancelling: Somebody asked for it to be cancelled.
        reason: Why it was cancelled, or why it did not go on.
        rows: That were compared.
        pause_ms: For how long nobody could write.
        retain_s: How long the old copy is kept.
        created_at: When it was asked for.
        changed_at: When its step changed.
        switched_at: When the directory got the new home.
        dropped_at: When the old copy was taken away.
    """

    org_id: UUID
    move_id: UUID
    rebalance_id: UUID | None
    place: int
    source: int
    target: int
    epoch: int
    step: str
    cancelling: bool
    reason: str
    rows: int | None
    pause_ms: float | None
    retain_s: int
    created_at: datetime
    changed_at: datetime
    switched_at: datetime | None
    dropped_at: datetime | None

    @property
    def over(self) -> bool:
        """Whether nothing is left to do but to drop the old copy."""
        return self.step in OVER


async def add(directory: Connection, move: Sequence[Any]) -> None:
    """Plan a move: org_id, move_id, rebalance_id, place, source, target, epoch, retain_s.

    Raises:
        RefusedError: The organisation has one that is not over.
    """
    try:
        await directory.execute(
            "INSERT INTO directory.moves (org_id, move_id, rebalance_id, place, source, target, epoch, retain_s)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            *move,
        )
    except asyncpg.UniqueViolationError:
        raise RefusedError(f"{move[0]} is not moved", ["another move of it is not over"]) from None


async def unfinished(directory: Connection, org_id: UUID) -> Move | None:
    """The organisation's move that is not over."""
    row = await directory.fetchrow(
        f"SELECT {_COLUMNS} FROM directory.moves WHERE org_id = $1 AND step NOT IN ('finished', 'cancelled')",  # noqa: S608
        org_id,
    )
    return None if row is None else Move(**row)


async def arrived(directory: Connection, org_id: UUID, target: int) -> Move | None:
    """The move that brought the organisation to the shard where it is since; None when it is elsewhere."""
    row = await directory.fetchrow(
        f"SELECT {_COLUMNS} FROM directory.moves m WHERE org_id = $1 AND target = $2 AND step = 'finished'"  # noqa: S608
        " AND EXISTS (SELECT 1 FROM directory.organisations o"
        " WHERE o.org_id = m.org_id AND o.shard = m.target AND o.epoch = m.epoch + 1)",
        org_id, target,
    )  # fmt: skip
    return None if row is None else Move(**row)


async def get(directory: Connection, org_id: UUID, move_id: UUID) -> Move:
    """One move, as it is now."""
    row = await directory.fetchrow(
        f"SELECT {_COLUMNS} FROM directory.moves WHERE org_id = $1 AND move_id = $2",  # noqa: S608
        org_id, move_id,
    )  # fmt: skip
    assert row is not None  # noqa: S101 - moves are never deleted
    return Move(**row)


async def listed(directory: Connection, at_most: int = 200) -> list[Move]:
    """The moves that are not over, and the last ones that are; the newest first."""
    rows = await directory.fetch(
        f"SELECT {_COLUMNS} FROM directory.moves"  # noqa: S608
        " ORDER BY step IN ('finished', 'cancelled'), changed_at DESC LIMIT $1",
        at_most,
    )
    return [Move(**row) for row in rows]


async def planned(directory: Connection) -> list[Move]:
    """The moves of a plan that are not over, in its order."""
    rows = await directory.fetch(
        f"SELECT {_COLUMNS} FROM directory.moves"  # noqa: S608
        " WHERE rebalance_id IS NOT NULL AND step NOT IN ('finished', 'cancelled') ORDER BY rebalance_id, place"
    )
    return [Move(**row) for row in rows]


async def retained(directory: Connection, *, due: bool) -> list[Move]:
    """Moves whose old copy is there yet; with `due` only those that were kept for long enough."""
    rows = await directory.fetch(
        f"SELECT {_COLUMNS} FROM directory.moves WHERE step = 'finished' AND dropped_at IS NULL"  # noqa: S608
        " AND (NOT $1 OR switched_at < now() - make_interval(secs => retain_s)) ORDER BY switched_at",
        due,
    )
    return [Move(**row) for row in rows]


async def ask_to_cancel(directory: Connection, org_id: UUID) -> Move | None:
    """Ask whoever moves the organisation to stop; its move, None when there is none."""
    await directory.execute(
        "UPDATE directory.moves SET cancelling = true WHERE org_id = $1 AND step NOT IN ('finished', 'cancelled')",
        org_id,
    )
    return await unfinished(directory, org_id)


async def note(directory: Connection, move: Move, step: str, **values: Any) -> Move:
    """Note a step, with what is known at it.

    Raises:
        LostMoveError: Somebody else noted another one meanwhile.
    """
    names = "".join(f", {name} = ${number}" for number, name in enumerate(values, 5))
    status = await directory.execute(
        f"UPDATE directory.moves SET step = $4, changed_at = now(){names}"  # noqa: S608 - names are the program's
        " WHERE org_id = $1 AND move_id = $2 AND step = $3",
        move.org_id, move.move_id, move.step, step, *values.values(),
    )  # fmt: skip
    if status != "UPDATE 1":
        raise LostMoveError(move.org_id)
    return await get(directory, move.org_id, move.move_id)


class LostMoveError(RefusedError):
    """Another mover has gone on with the move, or it was cancelled meanwhile.

    Args:
        org_id: Whose.
    """

    def __init__(self, org_id: UUID) -> None:
        super().__init__(f"{org_id} is not moved any further", ["somebody else has: `hal9 tenants moves` shows it"])


async def switch(directory: Connection, move: Move, region: str | None, **known: Any) -> Move:
    """Let the directory know the new home: from now on whoever asks it is sent there.

    Args:
        directory: As the role that owns it.
        move: The move.
        region: The region that the new shard stands in, if anybody said.
        known: What is noted besides: `rows`, `pause_ms`.
    """
    async with directory.transaction():
        await directory.execute(
            "UPDATE directory.organisations SET shard = $2, epoch = $3, region = coalesce($4, region)"
            " WHERE org_id = $1 AND epoch < $3",
            move.org_id, move.target, move.epoch + 1, region,
        )  # fmt: skip
        await directory.execute(
            "UPDATE directory.moves SET switched_at = coalesce(switched_at, now()) WHERE org_id = $1 AND move_id = $2",
            move.org_id, move.move_id,
        )  # fmt: skip
        return await note(directory, move, "switched", **known)
