"""One pool of connections to one PostgreSQL, opened at the first use, and transactions on it."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg

from shared import deadlines
from shared.database import hosts
from shared.database.opening import Openings
from shared.database.pooler import require_fit
from shared.database.resting import Resting
from shared.database.retry import CommitUnknownError, ShardUnavailableError, is_connection_lost
from shared.problems import Problem, register
from shared.settings import setting, settings
from shared.telemetry import counter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from asyncpg.pool import PoolConnectionProxy

    Transaction: TypeAlias = PoolConnectionProxy[asyncpg.Record]
    """What runs statements inside a transaction: asyncpg's `execute`, `fetch`, `fetchrow`, `fetchval`."""
else:
    Transaction = Any

_MAX_STATEMENT_MILLISECONDS: Final = 60_000
_TIMER_SECONDS: Final = 0.05
_COMMIT_SECONDS: Final = 1.0
"""What a commit has at least, as one that is given up may have been made or not."""

READ_ONLY: Final = "SET TRANSACTION READ ONLY;"
"""What the prelude of a transaction begins with that only reads."""

register(
    "pool-exhausted",
    503,
    "All connections to a database are in use",
    "Wait for as long as Retry-After says, then try again; nothing was changed by the request.",
)

_exhausted = counter("hal9_pool_exhausted_total", "Requests that got no connection while others had them all.")


@settings
class DatabaseSettings:
    """How a process uses its databases."""

    shards: str = setting(
        "HAL9_SHARDS",
        doc="Addresses of the shards in shard order, separated by commas, for the role hal9_app: "
        "postgresql://hal9_app@host/hal9,… The first one also holds the directory.",
        secret=True,
    )
    pool_size: int = setting(
        "HAL9_POOL_SIZE",
        4,
        "Connections to each shard that one instance may hold; `hal9 pools plan` says how many the servers allow. In a "
        "cluster it is what function.toml says as `connections`.",
        minimum=1,
        maximum=100,
    )
    asynchronous_tiers: str = setting(
        "HAL9_ASYNCHRONOUS_TIERS",
        "free",
        "Tiers whose writes are acknowledged when the primary has them, separated by commas; those of all others when "
        "a replica has them too, where there are replicas.",
    )
    pool_idle_seconds: float = setting(
        "HAL9_POOL_IDLE_SECONDS", 60.0, "Seconds after which an unused connection is closed.", minimum=0
    )
    connect_seconds: float = setting(
        "HAL9_CONNECT_SECONDS", 5.0, "Seconds that connecting to a shard may take.", minimum=0.1
    )
    pool_wait_seconds: float = setting(
        "HAL9_POOL_WAIT_SECONDS",
        10.0,
        "Seconds that a request waits for a connection while others have them all; then it is refused (503).",
        minimum=0.1,
    )
    pool_openings: int = setting(
        "HAL9_POOL_OPENINGS", 2, "Connections that one instance opens at the same time.", minimum=1, maximum=100
    )
    pool_stagger_seconds: float = setting(
        "HAL9_POOL_STAGGER_SECONDS",
        0.1,
        "An instance opens its first connection after a random part of these seconds, so that instances that start "
        "together do not all connect in one moment; 0 for at once.",
        minimum=0,
        maximum=10,
    )


async def _no_reset(connection: Any) -> None:
    """A transaction leaves nothing behind (SET LOCAL only), so there is nothing to reset: one round trip less."""
    del connection


class Database:
    """One PostgreSQL.

    Args:
        dsn: its address, `postgresql://role@host/database`, or `?host=/folder&port=number` for a Unix socket.
        pool_size: connections at most.
        idle_seconds: after which an unused connection is closed.
        connect_seconds: that connecting may take.
        wait_seconds: that somebody waits for a connection while others have them all.
        application_name: what the server shows for its connections (pg_stat_activity).
        openings: what the databases of one process share when they connect; its own when None.

    Attributes:
        replicated: whether the address names replicas (`shared.database.hosts`).
    """

    def __init__(
        self,
        dsn: str,
        *,
        pool_size: int = 4,
        idle_seconds: float = 60.0,
        connect_seconds: float = 5.0,
        wait_seconds: float = 10.0,
        application_name: str = "hal9",
        openings: Openings | None = None,
    ) -> None:
        self._dsn = dsn
        self.replicated = len(hosts.hosts(dsn)) > 1
        self._pool_size = pool_size
        self._idle_seconds = idle_seconds
        self._connect_seconds = connect_seconds
        self._wait_seconds = wait_seconds
        self._application_name = application_name
        self._openings = openings or Openings()
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening: asyncio.Lock | None = None
        self._resting = Resting(self._given_back)
        self._fit = False

    @property
    def pool_size(self) -> int:
        """Connections at most."""
        return self._pool_size

    async def _given_back(self, connection: Transaction) -> None:
        if self._pool is not None:
            await self._pool.release(connection)

    async def _opened(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._pool is not None:
            return self._pool
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self._pool is None:
                connect: Any = self._openings.connect
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=0,
                    max_size=self._pool_size,
                    max_inactive_connection_lifetime=self._idle_seconds,
                    max_queries=0x7FFFFFFF,
                    connect=connect,
                    reset=_no_reset,
                    timeout=self._connect_seconds,
                    server_settings={"application_name": self._application_name[:63]},
                )
        return self._pool

    def connection(self) -> AbstractAsyncContextManager[Transaction]:
        """A connection outside any transaction, for single statements that need none and set nothing.

        Raises:
            ShardUnavailableError: the server cannot be reached, or the connection was lost.
            Problem: 503 `pool-exhausted` when no connection became free in `wait_seconds`; 504 `deadline-exceeded` when
                none did before the deadline, or a statement took too long.
        """
        return _Borrowed(self._opened, self._resting, self._acquired)

    @asynccontextmanager
    async def transaction(
        self, prelude: str = "", expected: str | None = None, *, two_phase: bool = False
    ) -> AsyncIterator[Transaction]:
        """A transaction: committed at the end of the block, rolled back when it raises.

        Args:
            prelude: statements that travel with BEGIN in one round trip, without parameters: the caller vouches that
            no text from
                outside is in them.
            expected: the status that the prelude's last statement must have, such as `SELECT 1`.
            two_phase: the caller ends it (PREPARE TRANSACTION), see `shared.transactions`; what is still open at the
                end of the block is rolled back.

        Raises:
            UnexpectedPreludeError: the prelude's status is another.
            ShardUnavailableError: the server cannot be reached, or the connection was lost before COMMIT.
            CommitUnknownError: the connection was lost during COMMIT.
            Problem: 504 `deadline-exceeded`.
        """
        async with self.connection() as connection:
            begun = False
            try:
                status = await _begin(connection, prelude)
                begun = True
                _require(status, expected)
                yield connection
            except asyncpg.ReadOnlySQLTransactionError as error:
                if prelude.startswith(READ_ONLY):  # a reader that writes: a fault of the program
                    await _roll_back(connection)
                    raise
                raise await self.left(connection) from error
            except BaseException:
                if not (two_phase and begun) or _is_open(connection):
                    await _roll_back(connection)
                raise
            if not two_phase:
                await _commit(connection)
            elif _is_open(connection):
                await _roll_back(connection)

    async def _acquired(self, pool: asyncpg.Pool[asyncpg.Record]) -> Transaction:
        self._resting.wanted += 1
        try:
            return await pool.acquire(timeout=deadlines.remaining(self._wait_seconds))
        except TimeoutError as error:
            deadline = deadlines.current()
            if deadline is not None and deadline.expired:
                raise Problem("deadline-exceeded") from error
            if pool.get_size() - pool.get_idle_size() >= self._pool_size:
                _exhausted.add()
                raise Problem("pool-exhausted", headers={"Retry-After": "1"}) from error
            raise ShardUnavailableError from error  # it was connecting that took too long
        finally:
            self._resting.wanted -= 1

    async def ping(self) -> None:
        """Ask the server for an answer, over a pooled connection; the first time also whether a pooler is in between.

        Raises:
            ShardUnavailableError: it does not answer.
            Problem: 503 `pooler-unfit`.
        """
        async with self.connection() as connection:
            if self._fit:
                await connection.execute("SELECT 1")
            else:
                await require_fit(connection)
                self._fit = True

    def of_replicas(self) -> Database | None:
        """A pool of connections to the replicas that the address names; None when it names none."""
        dsn = hosts.of_replicas(self._dsn)
        if dsn is None:
            return None
        return Database(
            dsn,
            pool_size=self._pool_size,
            idle_seconds=self._idle_seconds,
            connect_seconds=self._connect_seconds,
            wait_seconds=self._wait_seconds,
            application_name=self._application_name,
        )

    async def left(self, connection: Transaction) -> ShardUnavailableError:
        """Leave a server that is no primary any more: this connection, and those at rest, would go on to reach it.

        Those in use find out by themselves: their commits may be from before.

        Returns:
            what is to be raised.
        """
        first = self.replicated and hosts.leave(self._dsn, connection)
        connection.terminate()
        if first:
            await self._resting.empty()
            if self._pool is not None:
                await self._pool.expire_connections()
        return ShardUnavailableError()

    def abandon(self) -> None:
        """Close every connection at once, also those that hang; the next use opens new ones."""
        pool, self._pool = self._pool, None
        self._resting.drop()
        if pool is not None:
            pool.terminate()

    async def close(self) -> None:
        """Close the pool: wait for what is in use, at most five seconds; a server that is gone hears nothing of it."""
        if self._pool is None:
            return
        await self._resting.empty()
        pool, self._pool = self._pool, None
        try:
            await asyncio.wait_for(pool.close(), 5.0)
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError):  # TimeoutError is an OSError
            pool.terminate()


class _Borrowed:
    """A connection, from the pool and back. A generator in its place costs a short statement a tenth of its time."""

    __slots__ = ("_acquire", "_connection", "_open", "_pool", "_resting")

    def __init__(
        self,
        opened: Callable[[], Awaitable[asyncpg.Pool[asyncpg.Record]]],
        resting: Resting,
        acquire: Callable[[asyncpg.Pool[asyncpg.Record]], Awaitable[Transaction]],
    ) -> None:
        self._open = opened
        self._resting = resting
        self._acquire = acquire

    async def __aenter__(self) -> Transaction:
        try:
            self._pool = await self._open()
            connection = None if _over() else self._resting.take()
            if connection is None:
                connection = await self._acquire(self._pool)
        except Exception as error:
            _tell(error)
            raise
        self._connection: Transaction = connection
        return connection

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None and self._resting.put(self._connection):
            return
        try:
            await self._pool.release(self._connection)
        except Exception as lost:
            _tell(lost)
            raise
        if isinstance(error, Exception):
            _tell(error)


def _tell(error: Exception) -> None:
    """Raise in an error's place what it means to who asked the database; return when it means nothing else."""
    if isinstance(error, ShardUnavailableError):
        return
    if is_connection_lost(error):
        raise ShardUnavailableError from error
    if isinstance(error, asyncpg.QueryCanceledError) and _over():
        raise Problem("deadline-exceeded") from error


class UnexpectedPreludeError(Exception):
    """The statements that travel with BEGIN did not find what the caller expected; the transaction was rolled back."""


async def _begin(connection: Transaction, prelude: str) -> str:
    """Send BEGIN and the prelude; the status of its last statement."""
    return await connection.execute(f"BEGIN;SET LOCAL statement_timeout={statement_timeout()};{prelude}")


def _require(status: str, expected: str | None) -> None:
    if expected is not None and status != expected:
        raise UnexpectedPreludeError(status)


def statement_timeout() -> int:
    """Milliseconds for the next statements: what the deadline leaves, at least 1, at most a minute.

    Raises:
        Problem: 504 `deadline-exceeded` when nothing is left.
    """
    left = deadlines.remaining()
    if left is None:
        return _MAX_STATEMENT_MILLISECONDS
    if left <= 0:
        raise Problem("deadline-exceeded")
    return max(1, min(_MAX_STATEMENT_MILLISECONDS, int(left * 1000)))


def _over() -> bool:
    """Whether the deadline has come; the server's timer may be a little ahead of ours."""
    left = deadlines.remaining()
    return left is not None and left < _TIMER_SECONDS


async def _commit(connection: Transaction) -> None:
    try:
        # The server's own timer is off by now, and a commit may wait for a replica that is away.
        async with asyncio.timeout(
            max(_COMMIT_SECONDS, deadlines.remaining(_MAX_STATEMENT_MILLISECONDS / 1000) or 0.0)
        ):
            status = await connection.execute("COMMIT")
    except asyncio.CancelledError:
        connection.terminate()
        raise
    except TimeoutError as error:
        connection.terminate()
        raise CommitUnknownError from error
    except Exception as error:
        if is_connection_lost(error):
            raise CommitUnknownError from error
        raise
    if status != "COMMIT":
        # The caller swallowed a statement's error: the server answered ROLLBACK, and nothing was written.
        raise asyncpg.InFailedSQLTransactionError("the transaction had failed before its end: nothing was committed")


def _is_open(connection: Transaction) -> bool:
    """Whether the server said at last that a transaction is open, or nobody knows."""
    with contextlib.suppress(asyncpg.InterfaceError):  # it was lost, and asyncpg has taken it back already
        return not connection.is_closed() and connection.is_in_transaction()
    return False


async def _roll_back(connection: Transaction) -> None:
    """Roll back, whatever state the connection is in; a connection that cannot is thrown away."""
    if connection.is_closed():
        return
    try:
        await asyncio.shield(asyncio.wait_for(connection.execute("ROLLBACK"), 2.0))
    except BaseException as error:
        connection.terminate()
        if not isinstance(error, Exception):
            raise


@asynccontextmanager
async def savepoint(transaction: Transaction, name: str = "inner") -> AsyncIterator[None]:
    """A part of a transaction that can fail alone (SAVEPOINT): for an expected conflict that the rest survives.

    Args:
        transaction: the open transaction.
        name: an identifier; different ones for nested savepoints.
    """
    if not name.isidentifier() or not name.isascii():
        raise ValueError(f"{name!r} is not an identifier")
    await transaction.execute(f'SAVEPOINT "{name}"')
    try:
        yield
    except BaseException:
        if not transaction.is_closed():
            await transaction.execute(f'ROLLBACK TO SAVEPOINT "{name}"')
        raise
    await transaction.execute(f'RELEASE SAVEPOINT "{name}"')
