"""Recovery: finishes the branches that nobody else finishes, and forgets decisions that nobody needs any more.

Promises: it may run anywhere, at any time, as often as one likes, beside live coordinators and beside itself; a branch
whose home does not answer is left as it is. Does not: guess. What only a person can know (`decide`) is said by one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from shared.chaos import point
from shared.database import ShardUnavailableError, retrying
from shared.problems import Problem
from shared.telemetry import counter, gauge, logger
from shared.transactions import points
from shared.transactions.branch import finish
from shared.transactions.decisions import Resolution, resolution
from shared.transactions.naming import PATTERN, Gid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from shared.database import Transaction
    from shared.shards import Shards

IN_DOUBT_SECONDS: Final = 30.0
"""Something that is prepared for longer needs somebody who looks (docs/runbooks/transactions-in-doubt.md)."""

_YOUNG_SECONDS: Final = 1.0
_AT_MOST: Final = 500
_KEPT_SECONDS: Final = 86_400.0
"""Decisions that were carried out are kept for a day: a shard that comes back as it was a while ago asks again."""

_PREPARED: Final = """
SELECT gid, abs(extract(epoch FROM clock_timestamp() - prepared))::float8 AS age_seconds, owner = current_user AS ours
  FROM pg_prepared_xacts WHERE database = current_database() AND gid ~ $1 ORDER BY prepared
"""
_UNSETTLED: Final = "SELECT org_id, dtx_id FROM dtx_unsettled(make_interval(secs => $1), $2)"
_FORGET: Final = "SELECT dtx_forget(make_interval(secs => $1), $2)"

Outcome = Literal["committed", "rolled-back", "undecided", "gone", "home-away", "home-unknown", "foreign", "failed"]

_log = logger(__name__)
_recovered = counter(
    "hal9_transactions_recovered_total", "Prepared branches that recovery met, by what became of them.", ("outcome",)
)
_count = gauge("hal9_transactions_prepared", "Prepared branches that a sweep found on a shard.", ("shard",))
_oldest = gauge(
    "hal9_transactions_prepared_oldest_seconds",
    "Age of the oldest prepared branch that a sweep left on a shard; 0 when there is none.",
    ("shard",),
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A branch that is prepared.

    Attributes:
        shard: Where.
        gid: Its name.
        age_seconds: How long, by that shard's clock; how far ahead of it, when it was set back since.
        ours: Whether our role has prepared it: no other one can finish it.
    """

    shard: int
    gid: Gid
    age_seconds: float
    ours: bool


class SilentShardsError(ShardUnavailableError):
    """Some shards do not answer, so that not all of it could be done.

    Args:
        done: What was, as `recover` gives it.
        shards: Their numbers.
    """

    def __init__(self, done: Counter[str], shards: Sequence[int]) -> None:
        self.done = done
        self.shards = tuple(shards)
        super().__init__()


async def prepared(shards: Shards, shard: int) -> list[Prepared]:
    """Give what is prepared on a shard, the oldest first.

    Raises:
        ShardUnavailableError: It does not answer.
    """

    async def attempt() -> list[Prepared]:
        async with shards.database(shard).connection() as connection:
            rows = await connection.fetch(_PREPARED, PATTERN)
        return [Prepared(shard, Gid.read(row["gid"]), row["age_seconds"], row["ours"]) for row in rows]

    return await retrying(attempt, idempotent=True)


async def recover(shards: Shards, *, older_than_seconds: float = _YOUNG_SECONDS) -> Counter[str]:
    """Finish what is prepared and decided, or can be decided no more; then settle and forget decisions.

    Args:
        shards: All of them, for the role hal9_app.
        older_than_seconds: Leaves alone what is younger: most of it is just being finished.

    Returns:
        How many branches became what (`Outcome`), and how many decisions were `settled` and `forgotten`; `unsettled`
        are those that could not be noted as settled, which the next pass tries again.

    Raises:
        SilentShardsError: Some do not answer; what is on the others was done, and no decision was settled.
    """
    numbers = range(len(shards))
    # Before what is prepared is listed: whose branches are all absent afterwards has been carried out.
    unsettled = await asyncio.gather(
        *(_unsettled(shards, number, older_than_seconds) for number in numbers), return_exceptions=True
    )
    found = await asyncio.gather(*(prepared(shards, number) for number in numbers), return_exceptions=True)
    done: Counter[str] = Counter()
    left: set[UUID] = set()
    for number, branches in zip(numbers, found, strict=True):
        if isinstance(branches, BaseException):
            continue
        left |= {branch.gid.dtx_id for branch in branches}
        await _finish_all(shards, number, branches, older_than_seconds, done)
    faults = [fault for fault in (*unsettled, *found) if isinstance(fault, BaseException)]
    if any(not isinstance(fault, Problem) for fault in faults):
        raise next(fault for fault in faults if not isinstance(fault, Problem))
    if faults:  # whether a decision was carried out is only known when every shard was asked
        both = zip(numbers, unsettled, found, strict=True)
        silent = [number for number, *asked in both if any(isinstance(one, Problem) for one in asked)]
        raise SilentShardsError(done, silent) from faults[0]
    for number, decisions in zip(numbers, unsettled, strict=True):
        if not isinstance(decisions, BaseException):
            await _settle(shards, number, [key for key in decisions if key[1] not in left], done)
    return done


async def _finish_all(
    shards: Shards, number: int, branches: Sequence[Prepared], older_than_seconds: float, done: Counter[str]
) -> None:
    oldest = 0.0
    for branch in branches:
        outcome: Outcome | None = None
        if branch.age_seconds >= older_than_seconds:
            outcome = await resolve(shards, branch)
            done[outcome] += 1
        if outcome not in {"committed", "rolled-back", "gone"}:
            oldest = max(oldest, branch.age_seconds)
    _count.set(len(branches), str(number))
    _oldest.set(oldest, str(number))


async def resolve(shards: Shards, branch: Prepared) -> Outcome:
    """Finish one branch as its home has decided; what is not decided, or cannot be asked or finished, is left.

    So is what another role has prepared (`foreign`): PostgreSQL lets nobody else finish it.
    """
    try:
        outcome = await _resolved(shards, branch)
    except Exception as error:  # noqa: BLE001 - one branch's trouble must not keep the others from being finished
        _log.warning("branch not finished", gid=str(branch.gid), error=f"{type(error).__name__}: {error}")
        outcome = "failed"
    _recovered.add(outcome)
    if outcome in {"committed", "rolled-back"}:
        _log.info("branch recovered", gid=str(branch.gid), shard=branch.shard, outcome=outcome)
        point(points.RECOVERED_ONE)
    return outcome


async def _resolved(shards: Shards, branch: Prepared) -> Outcome:
    if not branch.ours:
        return "foreign"
    try:
        verdict = await retrying(lambda: resolution(shards, branch.gid.home, branch.gid.dtx_id), idempotent=True)
    except Problem as problem:
        _log.warning("home of a branch cannot be asked", gid=str(branch.gid), problem=problem.slug)
        return "home-unknown" if problem.slug == "organisation-unknown" else "home-away"
    if verdict is Resolution.UNDECIDED:
        return "undecided"
    return await decide(shards, branch, commit=verdict is Resolution.COMMIT)


async def decide(shards: Shards, branch: Prepared, *, commit: bool) -> Outcome:
    """Finish one branch as one says, whatever its home knows.

    Args:
        shards: All of them, for the role that prepared the branch.
        branch: Which.
        commit: Commit it, else roll it back.
    """
    database = shards.database(branch.shard)
    done = await retrying(lambda: finish(database, branch.gid, "COMMIT" if commit else "ROLLBACK"), idempotent=True)
    if not done:
        return "gone"
    return "committed" if commit else "rolled-back"


async def _unsettled(shards: Shards, number: int, older_than_seconds: float) -> list[tuple[UUID, UUID]]:
    """Decisions that nobody has seen carried out yet, of organisations that are on this shard now."""

    async def attempt() -> list[tuple[UUID, UUID]]:
        async with shards.database(number).connection() as connection:
            rows = await connection.fetch(_UNSETTLED, older_than_seconds, _AT_MOST)
        return [(row["org_id"], row["dtx_id"]) for row in rows]

    return await retrying(attempt, idempotent=True)


async def _settle(shards: Shards, number: int, keys: Sequence[tuple[UUID, UUID]], done: Counter[str]) -> None:
    """Note that decisions have been carried out; forget those where that is long ago."""
    for org_id, dtx_id in keys:
        try:
            if (await shards.locate(org_id)).shard != number:  # what an organisation that has moved left behind
                continue
            await shards.run(org_id, partial(_note_settled, org_id=org_id, dtx_id=dtx_id), idempotent=True)
        except Exception as error:  # noqa: BLE001 - one organisation's trouble must not keep the others' from being noted
            _log.warning("decision not settled", dtx=str(dtx_id), error=f"{type(error).__name__}: {error}")
            done["unsettled"] += 1
        else:
            done["settled"] += 1
    if keys:
        async with shards.database(number).connection() as connection:
            done["forgotten"] += await connection.fetchval(_FORGET, _KEPT_SECONDS, _AT_MOST)


async def _note_settled(tx: Transaction, org_id: UUID, dtx_id: UUID) -> None:
    await tx.execute("UPDATE dtx SET settled_at = now() WHERE org_id = $1 AND dtx_id = $2", org_id, dtx_id)
