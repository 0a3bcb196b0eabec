"""The connections of one mover: to the directory, to the old shard (two), to the new one.

Promises: one mover an organisation at a time, by an advisory lock that ends with its connection; of a primary and its
replicas it is the primary that is reached, whichever that is by now; servers of our own, reached over their socket, are
reached as their superuser where the owner's role may not replicate.
Does not: go through a pooler: the addresses must be the servers' own.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg

from shared.database import hosts
from shared.database.retry import is_connection_lost
from shared.placement.refused import RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a server that is away, or goes away, is met with."""

_SUPERUSER: Final = "postgres"
_LOCKS: Final = 0x6D6F7665  # "move"
_CONNECT_SECONDS: Final = 5.0
_SESSION: Final = {
    "application_name": "hal9-mover",
    "search_path": "public",
    # What a mover commits is on disk, whatever the server does for others; and only what is flushed is replicated.
    "synchronous_commit": "on",
    # Rows are compared as text, which must not depend on what either server, or the role there, was set to.
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
}
_REPLICATES: Final = (
    "SELECT rolsuper OR (rolreplication AND pg_has_role('pg_create_subscription', 'USAGE') AND $1)"
    " FROM pg_roles WHERE rolname = current_user"
)


@dataclass(frozen=True, slots=True)
class Hands:
    """What a mover works with.

    Attributes:
        directory: To the directory; holds the lock.
        old: To the old shard.
        aside: A second one to it, for what waits.
        new: To the new shard.
        link: The address by which the new shard's server reaches the old one's.
    """

    directory: Connection
    old: Connection
    aside: Connection
    new: Connection
    link: str


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Connection]:
    """A connection to one server as the role that owns the tables."""
    connection = await _connect(address)
    try:
        yield connection
    finally:
        await _close(connection)


@asynccontextmanager
async def opened(
    addresses: Sequence[str], links: Sequence[str], org_id: UUID, source: int, target: int
) -> AsyncIterator[Hands]:
    """Everything for one move, under the organisation's lock.

    Args:
        addresses: Of the shards, for the role that owns them.
        links: The same as the servers reach one another.
        org_id: The organisation.
        source: The old shard.
        target: The new one.

    Raises:
        RefusedError: Another mover has the organisation; a shard has no address.
        OSError, TimeoutError, asyncpg.PostgresError: A server does not answer.
    """
    if missing := sorted(number for number in (source, target) if not 0 <= number < len(addresses)):
        names = " and ".join(f"shard {number}" for number in missing)
        raise RefusedError(f"{org_id} is not moved", [f"HAL9_SHARDS_ADMIN has no address of {names}"])
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(connected(addresses[0]))
        await lock(directory, org_id)
        old_address = await replicating(addresses[source])
        new_address = await replicating(addresses[target])
        link = links[source] if addresses[source] == old_address else old_address
        old, aside = [await stack.enter_async_context(connected(old_address)) for _ in range(2)]
        new = await stack.enter_async_context(connected(new_address))
        yield Hands(directory, old, aside, new, link)


async def lock(directory: Connection, org_id: UUID) -> None:
    """Be the only one who moves an organisation, for as long as the connection lasts.

    Raises:
        RefusedError: Somebody else is.
    """
    key = int.from_bytes(org_id.bytes[-4:], "big", signed=True)
    if not await directory.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCKS, key):
        raise RefusedError(f"{org_id} is not moved", ["another mover is at it: `hal9 tenants moves` shows how far"])


async def unlock(directory: Connection, org_id: UUID) -> None:
    """Let others move the organisation."""
    key = int.from_bytes(org_id.bytes[-4:], "big", signed=True)
    await directory.fetchval("SELECT pg_advisory_unlock($1, $2)", _LOCKS, key)


async def replicating(address: str) -> str:
    """The address with a role that may replicate: its own, or over a socket the superuser where the own one may not."""
    async with connected(address) as connection:
        if await connection.fetchval(_REPLICATES, has_password(address)) or not on_socket(address):
            return address
    superuser = _as_superuser(address)
    try:
        async with connected(superuser):
            return superuser
    except asyncpg.PostgresError:
        return address  # what the role lacks is told by `replication.faults`


def unavailable(error: BaseException) -> bool:
    """Whether a server is away: worth another try with other connections."""
    # A primary whose lease is over says that it is read-only: its replica takes over, or has already.
    return is_connection_lost(error) or isinstance(error, (TimeoutError, asyncpg.ReadOnlySQLTransactionError))


def has_password(address: str) -> bool:
    """Whether an address brings a password."""
    parts = urlsplit(address)
    return bool(parts.password or parse_qs(parts.query).get("password"))


def on_socket(address: str) -> bool:
    """Whether a server is reached over a Unix socket: it runs on this machine."""
    parts = urlsplit(address)
    return not parts.hostname and parse_qs(parts.query).get("host", [""])[0].startswith("/")


def _as_superuser(address: str) -> str:
    parts = urlsplit(address)
    return parts._replace(netloc=f"{_SUPERUSER}@").geturl()


async def _connect(address: str) -> Connection:
    return await hosts.connect(address, timeout=_CONNECT_SECONDS, server_settings=_SESSION)


async def _close(connection: Connection) -> None:
    try:
        await connection.close(timeout=2.0)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        connection.terminate()
