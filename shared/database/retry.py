"""Which failures of PostgreSQL are worth another try, and how.

A transaction is retried whole, never one of its statements: what it read before may be stale. Three tries, full jitter.
Promises: nothing is retried whose outcome is unknown (a connection lost during COMMIT), unless the caller says that
doing it twice does no harm; a query that ran into its time-out (57014) is never retried.
Does not: wait for a server that is down for long, nor for others that hold the same rows; after the last try it is the
caller's `ShardUnavailableError` or `ContendedError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import asyncpg

from shared import deadlines
from shared.clock import SystemClock
from shared.problems import Problem, register
from shared.randomness import SystemRandomness, uniform

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.clock import Clock
    from shared.randomness import Randomness

T = TypeVar("T")

TRIES: Final = 3
_BASE_SECONDS: Final = 0.02
_CAP_SECONDS: Final = 0.5

# SQLSTATEs after which the same transaction may succeed (PostgreSQL, appendix A).
_CONTENTION: Final = frozenset({"40001", "40P01", "55P03"})
# SQLSTATEs after which another connection may succeed: the server goes down, comes up, or is full.
_CONNECTION: Final = frozenset({"57P01", "57P02", "57P03", "53300"})
# Classes of them: the connection was lost; the server's disk fails, or is gone, so that it will be replaced.
_CONNECTION_CLASSES: Final = ("08", "58")

register(
    "shard-unavailable",
    503,
    "A database does not answer",
    "Wait for as long as Retry-After says, then try again; nothing was changed by the request.",
)
register(
    "shard-full",
    503,
    "A database has no space left",
    "Try again later; nothing was changed by the request. Who runs the platform must give the disk more space.",
)
register(
    "outcome-unknown",
    503,
    "It is not known whether the change was made",
    "Read the state, or send the same request again with the same Idempotency-Key.",
)
register(
    "transactions-contended",
    503,
    "Others hold what the transaction needs",
    "Wait for as long as Retry-After says, then try again; nothing was changed by the request.",
)


class ContendedError(Problem):
    """Others changed, or hold, what the transaction needs (40001, 40P01, 55P03), at each try. Nothing was committed."""

    def __init__(self) -> None:
        super().__init__("transactions-contended", headers={"Retry-After": "1"})


class ShardUnavailableError(Problem):
    """The database cannot be reached, or the connection was lost before COMMIT. Nothing was committed."""

    def __init__(self) -> None:
        super().__init__("shard-unavailable", headers={"Retry-After": "1"})


class CommitUnknownError(Problem):
    """The connection was lost during COMMIT: the transaction is either there as a whole or not at all."""

    def __init__(self) -> None:
        super().__init__("outcome-unknown", headers={"Retry-After": "1"})


def is_contention(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is run again, on the same connection."""
    if isinstance(error, ContendedError):
        return True
    if isinstance(error, asyncpg.PostgresError):
        # A plan that a migration made invalid; asyncpg has forgotten it by now.
        return error.sqlstate in _CONTENTION or isinstance(error, asyncpg.InvalidCachedStatementError)
    return False


def is_connection_lost(error: BaseException) -> bool:
    """Whether the connection is gone or was never made, so that another one may do."""
    if isinstance(error, ShardUnavailableError):
        return True
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state in _CONNECTION or state.startswith(_CONNECTION_CLASSES)
    if isinstance(error, asyncpg.InternalClientError):
        # asyncpg lost the connection between two steps of one statement, and does not know its own state any more.
        return True
    if isinstance(error, asyncpg.InterfaceError):
        # The pool takes a connection back as soon as it is lost, whoever holds it.
        text = str(error)
        return "connection" in text and ("closed" in text or "released back to the pool" in text)
    return isinstance(error, OSError) and not isinstance(error, TimeoutError)


async def retrying(
    attempt: Callable[[], Awaitable[T]],
    *,
    idempotent: bool = False,
    tries: int = TRIES,
    clock: Clock | None = None,
    randomness: Randomness | None = None,
) -> T:
    """Run `attempt` until it succeeds, at most `tries` times, within the deadline.

    Args:
        attempt: one whole transaction, from BEGIN to COMMIT.
        idempotent: doing it twice does no harm, so an unknown outcome is retried, too.
        tries: how often at most.
        clock: waits between the tries.
        randomness: gives the jitter.

    Raises:
        ShardUnavailableError: the database could not be reached.
        ContendedError: others held, or changed, what was needed at each try.
        Problem: 503 `shard-full`.
        CommitUnknownError: the connection was lost during COMMIT and `idempotent` is False.
        asyncpg.PostgresError: one that is not worth a retry.
    """
    clock = clock or SystemClock()
    randomness = randomness or SystemRandomness()
    for number in range(1, tries + 1):
        try:
            return await attempt()
        except asyncpg.DiskFullError as error:
            raise Problem("shard-full", headers={"Retry-After": "30"}) from error
        except Exception as error:
            if not _worth_it(error, idempotent=idempotent):
                raise
            pause = uniform(randomness) * min(_CAP_SECONDS, _BASE_SECONDS * 2.0**number)
            left = deadlines.remaining()
            if number == tries or (left is not None and left <= pause):
                raise _for_the_caller(error) from error
        await clock.sleep(pause)
    raise AssertionError("unreachable")  # the last try returned or raised


def _for_the_caller(error: Exception) -> Exception:
    """What an error that was worth a retry is when there is none left."""
    if is_connection_lost(error):
        return ShardUnavailableError()
    return ContendedError() if is_contention(error) else error


def _worth_it(error: Exception, *, idempotent: bool) -> bool:
    if isinstance(error, CommitUnknownError):
        return idempotent
    return is_contention(error) or is_connection_lost(error)
