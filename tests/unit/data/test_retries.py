"""What is retried, how often, and what never is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from shared import deadlines
from shared.clock import ManualClock
from shared.database import CommitUnknownError, ContendedError, ShardUnavailableError, retrying
from shared.randomness import SeededRandomness

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def failing(*errors: BaseException | None) -> tuple[Callable[[], Coroutine[None, None, str]], list[int]]:
    """A transaction that raises these, one after the other, and succeeds at None."""
    tries: list[int] = []

    async def attempt() -> str:
        error = errors[len(tries)]
        tries.append(1)
        if error is not None:
            raise error
        return "done"

    return attempt, tries


async def run(attempt: Callable[[], Coroutine[None, None, str]], *, idempotent: bool = False) -> str:
    clock = ManualClock()
    task = asyncio.create_task(retrying(attempt, idempotent=idempotent, clock=clock, randomness=SeededRandomness(7)))
    while not task.done():
        clock.advance(0.05)
        await asyncio.sleep(0)
    return task.result()


CONTENTION: list[Exception] = [
    asyncpg.SerializationError("x"),
    asyncpg.DeadlockDetectedError("x"),
    asyncpg.LockNotAvailableError("x"),
    asyncpg.InvalidCachedStatementError("x"),
]
LOST: list[Exception] = [
    asyncpg.AdminShutdownError("x"),
    asyncpg.CrashShutdownError("x"),
    asyncpg.CannotConnectNowError("x"),
    asyncpg.TooManyConnectionsError("x"),
    asyncpg.UndefinedFileError("could not open file"),
    asyncpg.PostgresIOError("could not read block"),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.InterfaceError("connection is closed"),
    ConnectionRefusedError("x"),
    FileNotFoundError("no socket"),
]
NEVER = [
    asyncpg.QueryCanceledError("statement timeout"),
    asyncpg.UniqueViolationError("x"),
    asyncpg.ReadOnlySQLTransactionError("a reader that writes"),
    asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
    ValueError("a fault of the caller"),
    TimeoutError("no connection became free"),
]


@pytest.mark.parametrize("error", CONTENTION + LOST, ids=repr)
async def test_what_may_succeed_is_tried_three_times(error: Exception) -> None:
    attempt, tries = failing(error, error, None)
    assert await run(attempt) == "done"
    assert len(tries) == 3


@pytest.mark.parametrize("error", CONTENTION, ids=repr)
async def test_contention_that_lasts_is_a_503_that_says_when_to_come_back(error: Exception) -> None:
    attempt, tries = failing(error, error, error, None)
    with pytest.raises(ContendedError) as caught:
        await run(attempt)
    assert len(tries) == 3
    assert (caught.value.status, caught.value.slug) == (503, "transactions-contended")
    assert caught.value.headers["Retry-After"] == "1"
    assert caught.value.__cause__ is error


async def test_contention_within_an_attempt_is_contention_of_the_whole() -> None:
    attempt, tries = failing(ContendedError(), ContendedError(), None)
    assert await run(attempt) == "done"
    assert len(tries) == 3


@pytest.mark.parametrize("error", LOST, ids=repr)
async def test_a_database_that_stays_away_is_a_503_that_says_when_to_come_back(error: Exception) -> None:
    attempt, tries = failing(error, error, error, None)
    with pytest.raises(ShardUnavailableError) as caught:
        await run(attempt)
    assert len(tries) == 3
    assert caught.value.status == 503
    assert caught.value.headers["Retry-After"] == "1"


@pytest.mark.parametrize("error", NEVER, ids=repr)
async def test_what_would_fail_again_is_tried_once(error: Exception) -> None:
    attempt, tries = failing(error, None)
    with pytest.raises(type(error)):
        await run(attempt)
    assert len(tries) == 1


async def test_an_unknown_outcome_is_retried_only_when_twice_does_no_harm() -> None:
    attempt, tries = failing(CommitUnknownError(), None)
    with pytest.raises(CommitUnknownError):
        await run(attempt)
    assert len(tries) == 1
    attempt, tries = failing(CommitUnknownError(), None)
    assert await run(attempt, idempotent=True) == "done"
    assert len(tries) == 2


async def test_a_deadline_ends_the_tries() -> None:
    now = [0.0]
    attempt, tries = failing(asyncpg.SerializationError("x"), None)
    with deadlines.deadline(1.0, lambda: now[0]):
        now[0] = 1.0
        with pytest.raises(ContendedError):
            await run(attempt)
    assert len(tries) == 1
