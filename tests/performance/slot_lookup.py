"""How long a look-up in the slot map takes; printed as JSON for the benchmarks, goal 300 ns.

Run: python tests/performance/slot_lookup.py
"""

from __future__ import annotations

import json
import sys
import timeit
from uuid import UUID

from shared.shards import SlotMap

LOOKUPS = 500_000


def measure() -> float:
    """Nanoseconds for one look-up of a fresh organisation each time, the best of seven runs."""
    # Organisations that differ, so that nothing is cached by the machine on their behalf.
    organisations = [UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128) for number in range(1000)]
    shard = SlotMap.even(3).shard

    def run() -> None:
        for _ in range(LOOKUPS // len(organisations)):
            for org_id in organisations:
                shard(org_id)

    return min(timeit.repeat(run, number=1, repeat=7)) / LOOKUPS * 1e9


if __name__ == "__main__":
    json.dump({"slot_lookup_nanoseconds": round(measure(), 1)}, sys.stdout)
    sys.stdout.write("\n")
