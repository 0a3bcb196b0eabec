"""What organisations use, and how much of it their tier allows: meters, tiers, and the hard limit that holds exactly.

    from shared.quotas.usage import Use, take

    allowance = tiers.allowance(placement.tier, RUNS)
    async with shards.transaction(org_id) as tx:
        ...                                   # what uses it
        await take(tx, org_id, use, allowance)

A use is one row on the organisation's shard, unique by (source, id), written in the transaction that uses: done twice
it is counted once, rolled back it was never there. The same statement adds it to the organisation's counter, or refuses
where that would pass the hard limit: so no number of requests at once, and no state of the cache, lets more through.
What is used outside such a transaction is told by the event `ai.hal9.upkeep.usage.recorded`, which upkeep enters the
same way, but never refuses: it has happened.
The cache holds gates (`shared.quotas.gates`): what PostgreSQL said last, for an early refusal and for the warning in
answers. A gate is only ever a copy, lives for minutes, and is written anew by upkeep.
Promises: without the cache, or with an empty one, every answer is the same, only dearer.
Does not: know prices, or send bills.
"""

from __future__ import annotations

from shared.quotas.meters import BROWSER_MINUTES, COST, EVENTS, METERS, MODEL_TOKENS, RUNS, SEATS, STORAGE, Meter
from shared.quotas.problem import exceeded
from shared.quotas.tiers import TIERS, Allowance, QuotaSettings, Tiers

__all__ = [
    "BROWSER_MINUTES",
    "COST",
    "EVENTS",
    "METERS",
    "MODEL_TOKENS",
    "RUNS",
    "SEATS",
    "STORAGE",
    "TIERS",
    "Allowance",
    "Meter",
    "QuotaSettings",
    "Tiers",
    "exceeded",
]
