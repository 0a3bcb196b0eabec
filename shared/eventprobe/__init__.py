"""Whether events get from one end to the other: what those who see a probe's events on their way tell who sent them.

    async with hearing(dsn, probe) as heard:
        ...                                   # publish the probe's event
        first = await heard.get()             # Told("received", "")

A probe is an event of no organisation. Who takes it, and who takes the reply to it, says so by a notification on a
shard (LISTEN and NOTIFY), which needs no table, leaves nothing behind, and is seen at once.

Promises: what was told after `hearing` began is heard, in its order. Does not: send anything, keep what nobody hears.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

What = Literal["taken", "refused", "received", "answered", "undelivered"]
"""The broker took the event, or did not; a function took it, then the reply to it; one of both became a dead letter."""

CHANNEL: Final = "hal9_event_probe"
SHARD: Final = 0
"""The shard that it is told on."""

_LONGEST: Final = 1000
"""Characters of a text: a notification holds less than 8000 bytes."""


class Connection(Protocol):
    """A connection to that shard."""

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """What was seen of a probe.

    Attributes:
        what: see `What`.
        text: of what was refused or could not be delivered: where to, and why; else empty.
    """

    what: What
    text: str = ""


@dataclass(slots=True)
class Report:
    """How it went, as whoever sent the event says it.

    Attributes:
        seconds: after which the event was `taken` by the Broker, `received` by a function, and its reply `answered`.
        refused: why the Broker did not take it; empty when it did, or has not said so.
        undelivered: what became a dead letter, and why; empty when nothing did.
        outbox_pending: events that wait for the Broker, on all shards.
        outbox_oldest_seconds: for how long the oldest of them has.
        dead_letters: of the last hour, of all organisations.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    refused: str = ""
    undelivered: str = ""
    outbox_pending: int = 0
    outbox_oldest_seconds: float = 0.0
    dead_letters: int = 0


async def tell(connection: Connection, probe: str, told: Told) -> None:
    """Tell what was seen of a probe to whoever hears.

    Args:
        connection: to the shard `SHARD`.
        probe: its id.
        told: what was seen.
    """
    text = json.dumps({"probe": probe, "what": told.what, "text": told.text[:_LONGEST]})
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, text)


@asynccontextmanager
async def hearing(dsn: str, probe: str) -> AsyncIterator[asyncio.Queue[Told]]:
    """Hear what is told of a probe, for as long as the context is open.

    Args:
        dsn: of the shard itself: a pooler of transactions passes no notifications on.
        probe: its id.

    Raises:
        OSError, asyncpg.PostgresError: The shard does not answer.
    """
    import asyncpg

    heard: asyncio.Queue[Told] = asyncio.Queue()

    def take(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        document = json.loads(str(payload))
        if document["probe"] == probe:
            heard.put_nowait(Told(document["what"], document["text"]))

    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.add_listener(CHANNEL, take)
        yield heard
    finally:
        await connection.close(timeout=5)
