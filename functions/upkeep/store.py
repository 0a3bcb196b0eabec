"""What the sweep asks the shards.

Functions of the database that the neurons' migration brings (shard/0003_neurons.sql).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.identifiers import new_id
from shared.shards.calls import Calls

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from events.catalogue.neuron import RunRequested
    from shared.shards import Shards

_DUE = "SELECT org_id, run_id, step_id, epoch FROM neuron_due($1, $2)"


@dataclass(frozen=True, slots=True)
class Due:
    """Something that nobody moved on in time.

    Attributes:
        org_id: The organisation.
        run_id: The run.
        step_id: The step; None when it is the run's own deadline that has passed.
        epoch: The step's epoch.
    """

    org_id: UUID
    run_id: UUID
    step_id: UUID | None
    epoch: int | None


class Store:
    """Overdue runs and steps on the shards.

    Args:
        shards: Where they are.
        source: `source` of the events that moving them on sends: those of a neuron.
    """

    def __init__(self, shards: Shards, source: str) -> None:
        self._shards = shards
        self._calls = Calls(shards)
        self._source = source

    async def due(self, shard: int, ahead_seconds: float, at_most: int) -> tuple[datetime, list[Due]]:
        """What is overdue on a shard, by that shard's clock: the moment that was looked at, and ids.

        Args:
            shard: Its number.
            ahead_seconds: Looks so far into the future.
            at_most: Runs, and steps, at most.
        """
        async with self._shards.database(shard).connection() as connection:
            moment: datetime = await connection.fetchval(
                "SELECT clock_timestamp() + make_interval(secs => $1)", ahead_seconds
            )
            rows = await connection.fetch(_DUE, moment, at_most)
        # What an organisation that has moved left behind is none of ours.
        here = [Due(**row) for row in rows if (await self._shards.locate(row["org_id"])).shard == shard]
        return moment, here

    async def move_on(self, due: Due, moment: datetime) -> str:
        """Deal with something overdue: `retried`, `reminded`, `failed`, or `stale` when somebody else has.

        `shortened` is a lease that only a clock which was set back since can have given: its holder is to renew it.
        """
        if due.step_id is None:
            [row] = await self._calls.call(due.org_id, "neuron_overdue", self._source, "", "", due.run_id, moment)
        else:
            [row] = await self._calls.call(
                due.org_id, "neuron_expire", self._source, "", "", due.run_id, due.step_id, due.epoch, moment
            )
        verdict: str = row[0]
        return verdict

    async def not_started(self, org_id: UUID, cause: str, data: RunRequested, correlation: str | None) -> str:
        """Enter a run whose request could not be delivered as failed, so that whoever asked for it hears of it.

        `same` when it was started after all, by a duplicate of the request.
        """
        reason = "its request could not be delivered to the neurons"
        [row] = await self._calls.call(
            org_id, "neuron_start", self._source, "", cause,
            data.run_id, data.run_id, None, data.process, data.engine, json.dumps(data.input), "event", correlation,
            None, None, 0, 0, 0, 0.0, new_id(), "", "", False, 1, 0.0, "undelivered", reason,
        )  # fmt: skip
        verdict: str = row["verdict"]
        return verdict
