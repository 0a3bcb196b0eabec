"""The platform's clock: sends the events of `[[schedules]]`, as PingSource does in a cluster.

Promises: each tick is one event with an id of its own, given to the broker; a tick that the broker does not take is
missed, not made up for; ticks do not wait for one another. Does not: read cron expressions (they are for the cluster;
here `every_seconds` counts), or fire for the time that the platform was not running.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from events import CloudEvent
from events.codec import to_binary
from knative.platform.upstream import Pool, UpstreamLost, exchange
from shared.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.clock import Clock

log = logging.getLogger("hal9.clock")


@dataclass(frozen=True, slots=True)
class Tick:
    """One schedule.

    Attributes:
        deployment: Whose.
        name: The schedule's.
        every_seconds: Between two events.
        type: The events'.
        region: For their source.
    """

    deployment: str
    name: str
    every_seconds: float
    type: str
    region: str

    @property
    def source(self) -> str:
        """The source of its events."""
        return f"/regions/{self.region}/schedules/{self.deployment}/{self.name}"


class Schedules:
    """Sends the ticks.

    Args:
        ticks: The schedules.
        broker: The broker's socket.
        mint: Makes a token for the broker.
        clock: Tells the time.
    """

    def __init__(self, ticks: Sequence[Tick], broker: Pool, mint: Callable[[], str], clock: Clock) -> None:
        self._ticks = tuple(ticks)
        self._broker = broker
        self._mint = mint
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to send; the first events come after one period."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(tick)) for tick in self._ticks]

    def stop(self) -> None:
        """Send no more."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, tick: Tick) -> None:
        next_time = self._clock.monotonic()
        while True:
            next_time = max(next_time + tick.every_seconds, self._clock.monotonic())
            await self._clock.sleep(next_time - self._clock.monotonic())
            await self._send(tick)

    async def _send(self, tick: Tick) -> None:
        event = CloudEvent(
            id=str(new_id()),
            source=tick.source,
            type=tick.type,
            subject=tick.name,
            time=self._clock.now().isoformat().replace("+00:00", "Z"),
            datacontenttype="application/json",
            data=b"{}",
        )
        headers, body = to_binary(event)
        headers = [*headers, (b"authorization", b"Bearer " + self._mint().encode())]
        try:
            status, _, _ = await exchange(self._broker, b"POST", b"/", headers, body)
        except (UpstreamLost, OSError) as error:
            log.warning("the tick %s was missed: %s", tick.name, error)
            return
        if not 200 <= status < 300:
            log.warning("the tick %s was missed: the broker answered %d", tick.name, status)
