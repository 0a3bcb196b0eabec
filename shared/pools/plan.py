"""The arithmetic: instances times pool against the servers' limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADROOM: Final = 0.8
"""The part of a server's connections that all pools together may hold (docs/decisions/0003-data-plane.md). The rest is
for what the server has not noticed yet: the connections of an instance that was killed in the middle of its statements
stay until those end, while the instance in its place opens its own."""

REVISIONS: Final = 2
"""Revisions that run side by side during a roll-out or a canary; each may scale to the maximum by itself."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds connections.

    Attributes:
        name: a deployment, a job, a person's command.
        instances: at most, of one revision.
        connections: that one instance may hold to each shard.
        rolls_out: two revisions of it may run side by side.
    """

    name: str
    instances: int
    connections: int
    rolls_out: bool = True

    @property
    def steady(self) -> int:
        """Connections to each shard at the greatest scale."""
        return self.instances * self.connections

    @property
    def surge(self) -> int:
        """The same while two revisions run side by side."""
        return self.steady * (REVISIONS if self.rolls_out else 1)


STANDING: Final = (
    Holder("the migrations Job", 1, 1, rolls_out=False),
    Holder("operators' commands", 3, 1, rolls_out=False),
)
"""What connects beside the deployments; the commands are `hal9 shards`, `hal9 migrate` and `hal9 organisations`. Relays
and sweeps use their deployment's own pool, so they add nothing."""


@dataclass(frozen=True, slots=True)
class Server:
    """One PostgreSQL server and what it allows.

    Attributes:
        name: what people call it.
        shards: numbers of the shards that are on it.
        max_connections: its setting.
        superuser_reserved: superuser_reserved_connections.
        reserved: reserved_connections, for members of pg_use_reserved_connections.
        others: connections that somebody else's roles hold on it.
    """

    name: str
    shards: tuple[int, ...]
    max_connections: int
    superuser_reserved: int = 3
    reserved: int = 0
    others: int = 0

    @property
    def limit(self) -> int:
        """Connections that are left to us."""
        return self.max_connections - self.superuser_reserved - self.reserved - self.others


@dataclass(frozen=True, slots=True)
class Use:
    """What one server would have to bear.

    Attributes:
        server: which.
        steady: connections at the greatest scale of everything.
        surge: the same while two revisions of everything run side by side.
    """

    server: Server
    steady: int
    surge: int

    @property
    def most_steady(self) -> int:
        """What is allowed for `steady`."""
        return math.floor(HEADROOM * self.server.limit)

    @property
    def most_surge(self) -> int:
        """What is allowed for `surge`."""
        return self.server.limit

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the server could be exhausted; empty when it could not."""
        name = self.server.name
        found = []
        if self.steady > self.most_steady:
            found.append(
                f"{name}: {self.steady} connections at the greatest scale, more than {self.most_steady} "
                f"({HEADROOM:g} x {self.server.limit})"
            )
        if self.surge > self.most_surge:
            found.append(
                f"{name}: {self.surge} connections while two revisions run side by side, more than {self.most_surge}"
            )
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Advice:
    """What would fit; each of the three alone is enough.

    Attributes:
        connections: the largest pool, the same for every deployment, that fits every server; 0 when not even 1 does.
        max_connections: by server, the least setting that fits the pools as they are.
        pooler_pool: by server, connections that a PgBouncer in front of it may hold to each shard's database
            (`max_db_connections`); 0 when the server is too small even for that.
        pooler_clients: clients that this PgBouncer must take for each shard (`max_client_conn`).
    """

    connections: int
    max_connections: dict[str, int]
    pooler_pool: dict[str, int]
    pooler_clients: int


class Plan:
    """Deployments against servers.

    Args:
        servers: each with its shards.
        holders: every deployment that has pools.
        standing: what connects beside them.
    """

    def __init__(
        self, servers: Sequence[Server], holders: Sequence[Holder], standing: Sequence[Holder] = STANDING
    ) -> None:
        self.servers = tuple(servers)
        self.holders = tuple(holders)
        self.standing = tuple(standing)

    @property
    def uses(self) -> tuple[Use, ...]:
        """What each server would have to bear."""
        return tuple(
            Use(server, len(server.shards) * self.steady, len(server.shards) * self.surge) for server in self.servers
        )

    @property
    def steady(self) -> int:
        """Connections to each shard at the greatest scale of everything."""
        return sum(holder.steady for holder in (*self.holders, *self.standing))

    @property
    def surge(self) -> int:
        """Connections to each shard while two revisions of everything run side by side."""
        return sum(holder.surge for holder in (*self.holders, *self.standing))

    @property
    def faults(self) -> tuple[str, ...]:
        """Why a server could be exhausted; empty when none could."""
        return tuple(fault for use in self.uses for fault in use.faults)

    def advice(self) -> Advice:
        """Say what would fit."""
        beside = sum(holder.steady for holder in self.standing)
        return Advice(
            connections=min((self._largest(server) for server in self.servers), default=0),
            max_connections={use.server.name: _enough(use) for use in self.uses},
            pooler_pool={
                server.name: max(0, math.floor(HEADROOM * server.limit / len(server.shards)) - beside)
                for server in self.servers
            },
            pooler_clients=self.surge,
        )

    def _largest(self, server: Server) -> int:
        """The largest equal pool that fits this server."""
        steady = sum(holder.instances for holder in self.holders)
        surge = sum(holder.instances * (REVISIONS if holder.rolls_out else 1) for holder in self.holders)
        beside = sum(holder.steady for holder in self.standing)
        if not steady:
            return 0
        shards = len(server.shards)
        left_steady = math.floor(HEADROOM * server.limit) // shards - beside
        left_surge = server.limit // shards - beside
        return max(0, min(left_steady // steady, left_surge // surge))


def _enough(use: Use) -> int:
    """The least max_connections that bears the use."""
    limit = max(use.surge, math.ceil(use.steady / HEADROOM))
    while math.floor(HEADROOM * limit) < use.steady:  # 0.8 is no exact number
        limit += 1
    server = use.server
    return limit + server.superuser_reserved + server.reserved + server.others
