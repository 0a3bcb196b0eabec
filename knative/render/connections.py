"""How many connections all instances may open, and what a server of its own for each shard must allow for that.

Promises: what `hal9 pools plan` says of the same deployments has no faults on a server with `max_connections`.
Does not: know servers that are elsewhere (`shared.pools.limits` asks them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.pools import Holder, Plan, Server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knative.description import Deployment


def holders(deployments: Iterable[Deployment], pool_size: int = 0) -> list[Holder]:
    """Give every deployment that has pools.

    Args:
        deployments: with their scale resolved.
        pool_size: instead of what function.toml says; 0 for that.
    """
    return [Holder(one.name, one.scale.max, pool_size or one.connections) for one in deployments if one.connections]


def max_connections(deployments: Iterable[Deployment], pool_size: int = 0) -> int:
    """Give the least `max_connections` that a server of one shard may have."""
    server = Server("shard", (0,), 0)
    return Plan([server], holders(deployments, pool_size)).advice().max_connections[server.name]
