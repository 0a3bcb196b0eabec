"""One branch: an organisation's transaction that is prepared first and finished when the home has decided."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import asyncpg

from shared import deadlines
from shared.chaos import point
from shared.problems import Problem, register
from shared.transactions import points
from shared.transactions.decisions import SETTINGS

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from shared.database import Database, Transaction
    from shared.shards import Shards
    from shared.transactions.naming import Gid

_FINISH_SECONDS: Final = 10.0
_PREPARE_SECONDS: Final = 15.0
"""What PREPARE may take for whoever has no deadline: it waits for a replica, which may be away."""
_ROLL_BACK_SECONDS: Final = 1.0
"""What is rolled back is so on the server itself at once; for a replica nobody has to wait."""
_NONE_LEFT: Final = frozenset({"55000", "53200"})
"""SQLSTATEs of PREPARE TRANSACTION where max_prepared_transactions is 0, or reached."""
_NOT_REPLICATED: Final = "A database's replica does not answer: try again later; nothing was changed by the request."

register(
    "transactions-unavailable",
    503,
    "A database takes no more prepared transactions",
    "Try again later; nothing was changed by the request. Who runs the platform must raise max_prepared_transactions.",
)


class Branch:
    """A branch on its way from open to prepared to finished.

    Args:
        shards: Where its organisation is found.
        gid: Its name.
    """

    def __init__(self, shards: Shards, gid: Gid) -> None:
        self._shards = shards
        self._block: AbstractAsyncContextManager[Transaction] | None = None
        self._tx: Transaction | None = None
        self._preparing = False
        self.gid = gid

    async def open(self) -> Transaction:
        """Begin: under its organisation's row-level security and epoch fence.

        Its connection is kept to its end. Whoever waits for the locks of what is prepared may hold all others.
        """
        block = self._shards.transaction(self.gid.org_id, two_phase=True)
        self._tx = await block.__aenter__()
        self._block = block
        await self._tx.execute(SETTINGS)
        return self._tx

    async def prepare(self) -> None:
        """Prepare: from now on it survives everything, and holds its locks.

        Raises:
            Problem: 503 `transactions-unavailable`; 504 `deadline-exceeded`. It may be prepared all the same, as it is
                on the server itself before it waits for a replica: whoever rolls back ends it.
            asyncpg.PostgresError: It cannot be prepared.
        """
        assert self._tx is not None  # noqa: S101 - it was opened
        left = deadlines.remaining()
        if left is not None and left <= 0:
            raise Problem("deadline-exceeded")
        self._preparing = True
        try:
            # The server's own timer is off by now.
            status = await self._tx.execute(
                f"PREPARE TRANSACTION '{self.gid}'", timeout=deadlines.remaining(_PREPARE_SECONDS)
            )
        except TimeoutError as error:
            if left is not None and left <= _PREPARE_SECONDS:
                raise Problem("deadline-exceeded") from error
            raise Problem("transactions-unavailable", detail=_NOT_REPLICATED, headers={"Retry-After": "1"}) from error
        except asyncpg.PostgresError as error:
            if error.sqlstate in _NONE_LEFT:
                raise Problem("transactions-unavailable", headers={"Retry-After": "1"}) from error
            raise
        if status != "PREPARE TRANSACTION":
            # Somebody swallowed a statement's error: the server has rolled it back.
            raise asyncpg.InFailedSQLTransactionError("a branch had failed before its end: nothing was prepared")
        point(points.PREPARED_ONE)

    async def commit(self) -> None:
        """Commit what is prepared; what recovery has committed meanwhile is no error."""
        await self._finish("COMMIT", _FINISH_SECONDS)
        point(points.COMMITTED_ONE)

    async def roll_back(self) -> None:
        """Roll back what is open or prepared."""
        try:
            if self._preparing:
                await self._finish("ROLLBACK", _ROLL_BACK_SECONDS)
        finally:
            await self.close()

    async def close(self) -> None:
        """Give the connection back; what is open and not prepared is rolled back."""
        block, self._block, self._tx = self._block, None, None
        if block is not None:
            with contextlib.suppress(Exception):
                await block.__aexit__(None, None, None)

    async def _finish(self, how: str, seconds: float) -> None:
        if self._tx is not None:
            try:
                await _finished(self._tx, self.gid, how, seconds)
            except TimeoutError:
                raise  # it is finished on the server itself, whose replica is away, or that hangs
            except (asyncpg.InterfaceError, asyncpg.PostgresConnectionError, OSError):
                pass
            else:
                return
        # What is prepared holds the fence, so its organisation cannot have left the shard that it is prepared on.
        placement = await self._shards.home(self.gid.org_id)
        await finish(self._shards.database(placement.shard), self.gid, how)


async def finish(database: Database, gid: Gid, how: str) -> bool:
    """Finish a prepared branch; False when there is none of that name, or somebody else is just finishing it.

    Args:
        database: The shard that it is prepared on, for the role that prepared it.
        gid: Its name.
        how: `COMMIT` or `ROLLBACK`.
    """
    async with database.connection() as connection:
        return await _finished(connection, gid, how, _FINISH_SECONDS)


async def _finished(connection: Transaction, gid: Gid, how: str, seconds: float) -> bool:
    try:
        await connection.execute(f"{how} PREPARED '{gid}'", timeout=seconds)
    except (asyncpg.UndefinedObjectError, asyncpg.ObjectNotInPrerequisiteStateError):
        return False
    return True
