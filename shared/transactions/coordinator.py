"""The coordinator: opens the branches, has them prepared, decides, has them committed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from shared.chaos import point
from shared.database import CommitUnknownError, ShardUnavailableError, retrying
from shared.identifiers import new_id
from shared.problems import Problem
from shared.telemetry import counter, logger
from shared.transactions import decisions, points
from shared.transactions.branch import Branch
from shared.transactions.decisions import Resolution
from shared.transactions.naming import Gid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    from shared.clock import Clock
    from shared.database import Transaction
    from shared.randomness import Randomness
    from shared.shards import Shards

    Work = Callable[[Mapping[UUID, Transaction]], Awaitable[Any]]

T = TypeVar("T")

_log = logger(__name__)
_ended = counter("hal9_transactions_total", "Transactions over several organisations, by their end.", ("outcome",))


class Transactions:
    """Runs transactions over several organisations.

    Args:
        shards: Where they are, for the role hal9_app: whoever prepared a branch must finish it.
        clock: Waits between the tries.
        randomness: Gives the jitter.
    """

    def __init__(self, shards: Shards, *, clock: Clock | None = None, randomness: Randomness | None = None) -> None:
        self._shards = shards
        self._clock = clock
        self._randomness = randomness
        # Connections are taken by one transaction at a time. Two that hold one each and want another one would wait
        # for each other where the pool is small.
        self._opening = asyncio.Lock()

    async def run(
        self, home: UUID, others: Iterable[UUID], work: Callable[[Mapping[UUID, Transaction]], Awaitable[T]]
    ) -> T:
        """Run `work` in one transaction of all these organisations, and again when PostgreSQL says that this may help.

        Args:
            home: The organisation that decides.
            others: The other ones, at least one.
            work: Gets each organisation's transaction; must have no effect outside them, as it may run up to three
                times. It must neither NOTIFY nor make temporary tables: what did cannot be prepared.

        Raises:
            Problem: as `Shards.transaction`, of any of them; 503 `transactions-unavailable`, `transactions-contended`.
            CommitUnknownError: The home was lost while it committed, and has not come back to tell.
            ValueError: There is no other organisation, or one is named twice.
        """
        organisations = [home, *others]
        if len(organisations) < 2 or len(set(organisations)) < len(organisations):
            raise ValueError("a transaction takes two or more organisations, each once")
        await self._require_room(organisations)

        async def attempt() -> T:
            result: T = await _Attempt(self._shards, self._opening, organisations, work).run()
            return result

        try:
            result = await retrying(attempt, clock=self._clock, randomness=self._randomness)
        except Exception as error:
            _ended.add("unknown" if isinstance(error, CommitUnknownError) else "aborted")
            raise
        _ended.add("committed")
        return result

    async def _require_room(self, organisations: Sequence[UUID]) -> None:
        """Refuse what could never have its connections."""
        placed = [(await self._shards.locate(org_id)).shard for org_id in organisations]
        if any(placed.count(shard) > self._shards.database(shard).pool_size for shard in placed):
            raise Problem(
                "transactions-unavailable",
                detail="The pool has fewer connections than the transaction has branches: raise HAL9_POOL_SIZE.",
            )


class _Attempt:
    """One try, with an id of its own."""

    def __init__(self, shards: Shards, opening: asyncio.Lock, organisations: Sequence[UUID], work: Work) -> None:
        self._shards = shards
        self._opening = opening
        self._home, *self._others = organisations
        self._work = work
        self._dtx_id = new_id()
        self._branches = [Branch(shards, Gid(self._home, self._dtx_id, org_id)) for org_id in self._others]
        self._deciding = False
        """The home's COMMIT is under way, or was: what is prepared may only be rolled back by who has looked."""
        self._result: Any = None

    async def run(self) -> Any:
        try:
            await self._decide()
            point(points.DECIDED)
            await self._in_any_case(branch.commit() for branch in self._branches)
            point(points.COMMITTED)
        except (Exception, asyncio.CancelledError):
            if not self._deciding:
                await self._in_any_case(branch.roll_back() for branch in self._branches)
            raise
        finally:
            await asyncio.gather(*(branch.close() for branch in self._branches))
        return self._result

    async def _decide(self) -> None:
        """Everything up to the decision: when this returns, it is to commit."""
        try:
            await self._decided()
        except Exception as error:
            if not self._deciding:
                raise
            verdict = await self._learned(error)
            if verdict is Resolution.ABORT:
                self._deciding = False
                raise ShardUnavailableError from error
            if verdict is Resolution.UNDECIDED:
                raise CommitUnknownError from error

    async def _decided(self) -> None:
        async with AsyncExitStack() as stack:
            async with self._opening:
                home = await stack.enter_async_context(self._shards.transaction(self._home))
                opened = await _all(branch.open() for branch in self._branches)
            await decisions.begin(home, self._dtx_id)
            point(points.BEGUN)
            self._result = await self._work({self._home: home, **dict(zip(self._others, opened, strict=True))})
            point(points.WORKED)
            await _all(branch.prepare() for branch in self._branches)
            point(points.PREPARED)
            await decisions.write(home, self._home, self._dtx_id, self._others)
            point(points.WRITTEN)
            self._deciding = True

    async def _learned(self, error: Exception) -> Resolution:
        """Ask the home's shard what became of the COMMIT whose answer was lost."""
        try:
            return await retrying(
                lambda: decisions.resolution(self._shards, self._home, self._dtx_id, wait=True), idempotent=True
            )
        except Problem as problem:
            _log.warning("decision not learned", dtx_id=str(self._dtx_id), error=str(error), problem=problem.slug)
            return Resolution.UNDECIDED

    async def _in_any_case(self, finishing: Iterable[Awaitable[None]]) -> None:
        """Finish what can be reached; the rest is recovery's, as nothing hangs on it for the outcome."""
        for result in await asyncio.gather(*finishing, return_exceptions=True):
            if isinstance(result, Exception):
                _log.warning("branch left to recovery", dtx_id=str(self._dtx_id), error=type(result).__name__)
            elif result is not None:
                raise result


async def _all(doing: Iterable[Awaitable[T]]) -> list[T]:
    """Do all of it side by side, each to its end, then raise the first failure."""
    results = await asyncio.gather(*doing, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
