"""Transactions over several organisations, wherever each of them lies: all of it is done, or nothing.

    transactions = Transactions(shards)

    async def work(branches: Mapping[UUID, Transaction]) -> None:
        await branches[giver].execute("DELETE FROM …")
        await branches[taker].execute("INSERT INTO …")

    await transactions.run(giver, [taker], work)
    await recover(shards)                            # upkeep's sweep does, every few seconds

Two-phase commit with presumed abort. The first organisation is the home: its work and the decision (a row of `dtx`) are
one local transaction. The others' branches are prepared before it commits, and committed after. A branch's name says
whose decision counts, so whoever finds one prepared asks there: a decision means commit; none, and nobody who could
still make it, means abort.

Promises: each branch is under the row-level security and the epoch fence of its organisation; nothing waits for a lock
longer than `LOCK_SECONDS`, as a deadlock over two servers is seen by neither; when `run` returns, all of it is decided
for good, and visible on every shard that answers; what a crash leaves is finished by the first sweep after the shards
are back.
Does not: isolate over shards (a reader may see one branch a moment before the other), or come cheap. It is for an
invariant over organisations that must not be seen broken for long; what may be late goes by events (`events.outbox`).
"""

from __future__ import annotations

from shared.transactions.coordinator import Transactions
from shared.transactions.decisions import LOCK_SECONDS, Resolution, resolution
from shared.transactions.naming import Gid
from shared.transactions.recovery import (
    IN_DOUBT_SECONDS,
    Outcome,
    Prepared,
    SilentShardsError,
    decide,
    prepared,
    recover,
    resolve,
)

__all__ = [
    "IN_DOUBT_SECONDS",
    "LOCK_SECONDS",
    "Gid",
    "Outcome",
    "Prepared",
    "Resolution",
    "SilentShardsError",
    "Transactions",
    "decide",
    "prepared",
    "recover",
    "resolution",
    "resolve",
]
