"""The hosts of one PostgreSQL: a primary and its replicas, named by one address, and which of them takes writes.

The address is libpq's (PostgreSQL manual, 34.1.1.3): lists of hosts and ports in the query, their commas written `%2C`,
since a comma separates the shards in HAL9_SHARDS:

    postgresql://hal9_app@/hal9?host=db-a%2Cdb-b&port=5432%2C5432&target_session_attrs=read-write

Promises: a connection is to the primary, whichever host that is by now; a host that hangs delays it by a quarter of a
second, not by its time-out. Does not: promote (`shared.replicas`), or spread reads (`shared.replicas.reads`).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import asyncpg

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

HEAD_START_SECONDS: Final = 0.25
"""How long one host is waited for before the next is asked as well (as RFC 8305 does between address families)."""

_latest: dict[str, str] = {}


class HostConnection(asyncpg.Connection):
    """A connection to one of several hosts.

    Attributes:
        host: the address of that one.
    """

    __slots__ = ("host",)
    host: str


class NoSuchHostError(ConnectionError):
    """No host of the address is the primary now, or a replica, if that was asked for."""


def hosts(dsn: str) -> tuple[str, ...]:
    """Give the address of each host by itself; an address that names one host is given as it is."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    names = query.pop("host", "").split(",")
    if len(names) < 2:
        return (dsn,)
    query.pop("target_session_attrs", None)
    ports = query.pop("port", "5432").split(",")
    ports = ports * len(names) if len(ports) == 1 else ports
    if len(ports) != len(names):
        raise ValueError("the address names another number of ports than of hosts")
    return tuple(
        urlunsplit(parts._replace(query=urlencode({"host": name, "port": port, **query}, quote_via=quote, safe="/")))
        for name, port in zip(names, ports, strict=True)
    )


def of_replicas(dsn: str) -> str | None:
    """Give the address for which only replicas count; None when it names one host only."""
    if len(hosts(dsn)) == 1:
        return None
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query)) | {"target_session_attrs": "standby"}
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote, safe="/")))


async def connect(dsn: str, **options: Any) -> Connection:
    """Connect as `asyncpg.connect` does; of several hosts to the primary, or to a replica if a `standby` is asked for.

    Raises:
        NoSuchHostError: none of several hosts is what is asked for.
        OSError, TimeoutError, asyncpg.PostgresError: as asyncpg.connect.
    """
    found = hosts(dsn)
    if len(found) == 1:
        only: Connection = await asyncpg.connect(dsn, **options)
        return only
    options["connection_class"] = HostConnection
    seconds = options.pop("timeout", 60.0)
    first = _latest.get(dsn, found[0])
    async with asyncio.timeout(seconds):
        standby = "target_session_attrs=standby" in dsn
        host, connection = await _race([first, *(host for host in found if host != first)], options, standby=standby)
    _latest[dsn] = host
    return connection


def leave(dsn: str, connection: Any) -> bool:
    """Ask the other hosts first from now on, as the one that `connection` is to refuses writes.

    Such is a primary that was replaced while it was paused: of itself it says that it is one.

    Returns:
        False where they are asked first already, or there are none.
    """
    found = hosts(dsn)
    if len(found) == 1 or connection.host != _latest.get(dsn):
        return False
    _latest[dsn] = found[(found.index(connection.host) + 1) % len(found)]
    return True


async def _race(candidates: list[str], options: dict[str, Any], *, standby: bool) -> tuple[str, Connection]:
    """Ask one host after the other, each with a head start, for the first that is what is asked for."""
    waiting = list(candidates)
    asked: dict[asyncio.Task[Connection], str] = {}
    fault: BaseException | None = None
    try:
        while waiting or asked:
            if waiting:
                host = waiting.pop(0)
                asked[asyncio.create_task(_connected(host, options, standby=standby))] = host
            pause = HEAD_START_SECONDS if waiting else None
            done, _ = await asyncio.wait(asked, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                host = asked.pop(task)
                if (error := task.exception()) is None:
                    return host, task.result()
                if fault is None or isinstance(fault, NoSuchHostError):  # what a server says of itself tells more
                    fault = error
    finally:
        await _give_up(asked)
    raise fault or NoSuchHostError("no host answers")


async def _connected(host: str, options: dict[str, Any], *, standby: bool) -> Connection:
    connection: HostConnection = await asyncpg.connect(host, **options)
    connection.host = host
    # The server says it of itself from version 14 on, and again when it is promoted.
    if (getattr(connection.get_settings(), "in_hot_standby", "off") == "on") != standby:
        connection.terminate()
        raise NoSuchHostError(
            "the hosts that answer are primaries" if standby else "the hosts that answer are replicas"
        )
    return connection


async def _give_up(asked: dict[asyncio.Task[Connection], str]) -> None:
    for task in asked:
        task.cancel()
    for task in asked:
        with contextlib.suppress(BaseException):
            (await task).terminate()
