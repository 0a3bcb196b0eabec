"""What codegen opens."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from events import catalogue
from events.broker import BrokerConnection, publisher_over
from events.publisher import PublisherSettings
from events.relay import Relay
from functions.codegen.sandbox import Limits
from shared.clock import Clock, SystemClock
from shared.database import DatabaseSettings
from shared.fairness import Places
from shared.objects import ObjectsSettings, open_objects
from shared.quotas import QuotaSettings, Tiers
from shared.settings import load, setting, settings
from shared.shards import Shards
from shared.tokens import Issuer
from shared.transactions import Transactions

if TYPE_CHECKING:
    from uuid import UUID

    from shared.quotas import Allowance, Meter


@settings
class CodegenSettings:
    """How much a verification may take, and where codegen runs."""

    region: str = setting("HAL9_REGION", "us-west", "Region that this process runs in.")
    verification_seconds: float = setting(
        "HAL9_VERIFICATION_SECONDS", 120.0, "Wall time that each check of a generated project may take.", minimum=1
    )
    verification_memory_bytes: int = setting(
        "HAL9_VERIFICATION_MEMORY_BYTES",
        3 << 30,
        "Address space that each process of a verification may take, in bytes.",
        minimum=64 << 20,
    )
    verifications: int = setting(
        "HAL9_VERIFICATIONS",
        0,
        "Verifications at once in one instance; 0 for as many as the machine has processors. What comes beyond waits, "
        "or goes to another instance.",
        minimum=0,
        maximum=64,
    )
    toolchains: Path | None = setting(
        "HAL9_TOOLCHAINS",
        None,
        "Folder of the toolchains that verify generated projects, one folder for each language; `toolchains` below "
        "Python's prefix, when left out.",
    )

    def limits(self) -> Limits:
        """Give the sandbox's limits."""
        return Limits(wall_seconds=self.verification_seconds, memory_bytes=self.verification_memory_bytes)

    def at_once(self) -> int:
        """Give how many verifications may run at once."""
        return self.verifications or len(os.sched_getaffinity(0))

    def toolchains_folder(self) -> Path:
        """Give the folder of the toolchains."""
        return self.toolchains or Path(sys.prefix) / "toolchains"


class Resources:
    """Shards, objects and the way to the broker, from the environment's settings."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()

    async def open(self) -> None:
        """Open everything; connects at the first use."""
        issuer = Issuer.own(self.clock)
        self.settings = load(CodegenSettings)
        self.source = catalogue.source("codegen", self.settings.region)
        self.tiers = Tiers.of(load(QuotaSettings))
        self.verifying: Places[UUID] = Places(self.settings.at_once())
        self.shards = Shards.open(load(DatabaseSettings), application_name="codegen", clock=self.clock)
        self.transactions = Transactions(self.shards, clock=self.clock)
        self.objects = open_objects(load(ObjectsSettings))
        publishing = load(PublisherSettings)
        self.broker = BrokerConnection(publishing.broker_url)
        self.relay = Relay(self.shards, publisher_over(self.broker, publishing, issuer))

    async def allowance(self, org_id: UUID, meter: Meter) -> Allowance:
        """Give what the organisation's tier allows of a meter.

        Raises:
            Problem: 404 `organisation-unknown`.
        """
        return self.tiers.allowance((await self.shards.locate(org_id)).tier, meter)

    async def check(self) -> None:
        """Ask every shard and the object store for an answer."""
        await self.shards.check()
        await self.objects.check()

    async def close(self) -> None:
        """Publish what was committed, then close everything."""
        await self.relay.close()
        await self.broker.close()
        await self.shards.close()
