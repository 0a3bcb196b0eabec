"""Coordinators, their deaths and recovery in any order: nothing is ever half done.

Each coordinator stands still at every point until the machine lets it go on or die, so whatever recovery does, it does
in the middle of somebody else's transaction.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from hypothesis.strategies import data, integers, sampled_from

from shared import chaos
from shared.database import DatabaseSettings
from shared.identifiers import new_id
from shared.settings import load
from shared.shards import Shards
from shared.transactions import Transactions, points, recover
from tests.integration.transactions.ledger import audit, enter, organisation_on
from tests.integration.transactions.stepping import Stepper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from hypothesis.strategies import DataObject

    from knative.platform.servers import Servers

COORDINATORS = 3
EXAMPLES = 12
STEPS = 25


class Interleavings(RuleBasedStateMachine):
    """Payments among three organisations, one on each shard."""

    servers: Servers

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        settings = load(DatabaseSettings, {"HAL9_SHARDS": self.servers.shards_dsn, "HAL9_POOL_STAGGER_SECONDS": "0"})
        self.shards = Shards.open(settings)
        self.running: dict[UUID, Stepper] = {}
        self.acknowledged: set[UUID] = set()
        self.decided: set[UUID] = set()

    def done(self, doing: Callable[[Shards], Awaitable[Any]]) -> Any:
        async def with_shards() -> Any:
            return await doing(self.shards)

        return self.loop.run(with_shards())

    @initialize()
    def open_accounts(self) -> None:
        async def opened(shards: Shards) -> list[UUID]:
            return [await organisation_on(shards, shard) for shard in range(3)]

        self.accounts = self.done(opened)

    @precondition(lambda self: len(self.running) < COORDINATORS)
    @rule(data=data(), takers=integers(1, 2))
    def begin(self, data: DataObject, takers: int) -> None:
        giver = data.draw(sampled_from(range(3)))
        parties = [self.accounts[(giver + number) % 3] for number in range(takers + 1)]
        transfer = new_id()

        def paying(shards: Shards) -> Awaitable[None]:
            return enter(Transactions(shards), parties[0], parties[1:], transfer)

        self.running[transfer] = Stepper(self.servers.shards_dsn, paying)

    @precondition(lambda self: self.running)
    @rule(data=data(), steps=integers(1, 4))
    def go_on(self, data: DataObject, steps: int) -> None:
        transfer = data.draw(sampled_from(sorted(self.running)))
        coordinator = self.running[transfer]
        for _ in range(steps):
            if coordinator.step() == points.DECIDED:
                self.decided.add(transfer)
            if coordinator.over:
                self.ended(transfer, coordinator)
                return

    def ended(self, transfer: UUID, coordinator: Stepper) -> None:
        del self.running[transfer]
        if coordinator.failed is None:
            self.acknowledged.add(transfer)

    @precondition(lambda self: self.running)
    @rule(data=data())
    def kill(self, data: DataObject) -> None:
        transfer = data.draw(sampled_from(sorted(self.running)))
        self.running.pop(transfer).kill()

    @rule()
    def recover(self) -> None:
        self.done(lambda shards: recover(shards, older_than_seconds=0))

    @rule()
    def recover_and_die(self) -> None:
        def die(name: str) -> None:
            if name == points.RECOVERED_ONE:
                raise chaos.Killed

        async def dying(shards: Shards) -> None:
            with chaos.observed(die):
                try:
                    await recover(shards, older_than_seconds=0)
                except chaos.Killed:
                    return

        self.done(dying)

    def teardown(self) -> None:
        for transfer, coordinator in list(self.running.items()):
            coordinator.finish()
            self.ended(transfer, coordinator)
        self.done(lambda shards: recover(shards, older_than_seconds=0))
        books = self.done(lambda _: audit(self.servers, self.accounts))
        self.done(lambda shards: shards.close())
        self.loop.close()
        books.require_sound()
        assert self.acknowledged <= books.transfers.keys()
        assert self.decided <= books.transfers.keys()


def test_no_interleaving_leaves_anything_half_done(servers: Servers) -> None:
    machine = type("OnTheseServers", (Interleavings,), {"servers": servers})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None, phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
