"""A process that writes events and relays them, started to be killed by tests/integration/events/test_relay_kills.py.

Usage: `sender.py ORGANISATION BROKER EVENT_ID...`; HAL9_SHARDS and HAL9_CHAOS_KILL come from the environment.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any
from uuid import UUID

from events import catalogue, outbox
from events.broker import BrokerConnection
from events.catalogue.neuron import RunCancelled
from events.publisher import Publisher
from events.relay import Relay
from shared.database import DatabaseSettings
from shared.settings import load
from shared.shards import Shards


async def main(org_id: UUID, broker: str, event_ids: list[str]) -> None:
    """Write, commit, relay."""
    shards = Shards.open(load(DatabaseSettings))
    relay = Relay(shards, Publisher(BrokerConnection(broker), lambda: "a-token"))
    source = catalogue.source("neuron")

    async def write(tx: Any) -> None:
        data = RunCancelled(run_id=org_id, process="test")
        made = [catalogue.new(data, id=one, subject=None, org_id=org_id, source=source) for one in event_ids]
        await outbox.add(tx, *made)

    await shards.run(org_id, write)
    relay.after_commit(org_id)
    await relay.close()


if __name__ == "__main__":
    asyncio.run(main(UUID(sys.argv[1]), sys.argv[2], sys.argv[3:]))
