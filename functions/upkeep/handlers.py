"""The events that upkeep takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.upkeep import service, usage
from shared.eventprobe import Told

if TYPE_CHECKING:
    from events import CloudEvent
    from events.subscriber import Delivery, Handler


async def sweep_requested(delivery: Delivery) -> CloudEvent | None:
    """Sweep, and go on until the next tick where the clock is slow."""
    delivery.resources.sweeps.begin()
    await delivery.resources.turn()
    return None


async def usage_recorded(delivery: Delivery) -> CloudEvent | None:
    """Count what was used elsewhere."""
    await usage.record(delivery.resources, delivery.event, delivery.data)
    return None


async def probe_requested(delivery: Delivery) -> CloudEvent | None:
    """Say that a probe was taken, and reply to it."""
    return await service.reply_to_probe(delivery.resources, delivery.event, delivery.data.probe)


async def probe_answered(delivery: Delivery) -> CloudEvent | None:
    """Say that the reply to a probe was taken."""
    await service.tell_of_probe(delivery.resources, delivery.data.probe, Told("answered"))
    return None


HANDLERS: Final[dict[str, Handler]] = {
    "ai.hal9.upkeep.sweep.requested": sweep_requested,
    "ai.hal9.upkeep.usage.recorded": usage_recorded,
    "ai.hal9.upkeep.probe.requested": probe_requested,
    "ai.hal9.upkeep.probe.answered": probe_answered,
}
