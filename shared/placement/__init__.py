"""Placement: growing and emptying shards, and moving an organisation from one to another while it works.

    fleet.add(directory, 3, "eu-central")    # a shard takes organisations; `drain` and `remove` are the way back

Promises: an organisation that is pinned to a region is never placed or moved outside it; a change of the shards moves
nobody by itself, it says where new organisations go.
Does not: say where an organisation is (`shared.shards`), or move what lies in the object store: objects are named by
organisation and not by shard, so a move within a region leaves them where they are.
"""

from __future__ import annotations

from shared.placement.refused import RefusedError, StuckError

__all__ = ["RefusedError", "StuckError"]
