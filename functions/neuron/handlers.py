"""The events that neurons take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from events.subscriber import Delivery, Handler, NotYet
from functions.neuron.runtime import TryLater
from functions.neuron.transitions import Origin
from shared.telemetry import traceparent

if TYPE_CHECKING:
    from events import CloudEvent
    from functions.neuron.resources import Resources


async def run_requested(delivery: Delivery) -> CloudEvent | None:
    """Start a run that another function asks for."""
    resources: Resources = delivery.resources
    correlation = delivery.event.extensions.get("correlationid")
    await resources.runs.start_requested(
        delivery.org_id, _origin(delivery), None if correlation is None else str(correlation), delivery.data
    )
    resources.relay.after_commit(delivery.org_id)
    return None


async def step_requested(delivery: Delivery) -> CloudEvent | None:
    """Do a step."""
    resources: Resources = delivery.resources
    process, executor = (delivery.event.extensions.get(name) for name in ("process", "executor"))
    try:
        await resources.turns.work(
            delivery.org_id, _origin(delivery), delivery.data, None if process is None else str(process),
            executor=None if executor is None else str(executor), asked_at=delivery.event.timestamp,
        )  # fmt: skip
    except TryLater as later:
        raise NotYet(later.seconds) from later
    resources.relay.after_commit(delivery.org_id)
    return None


async def step_answered(delivery: Delivery) -> CloudEvent | None:
    """Take a delegated step's answer."""
    resources: Resources = delivery.resources
    try:
        await resources.runtime.answer(delivery.org_id, _origin(delivery), delivery.data)
    except TryLater as later:
        raise NotYet(later.seconds) from later
    resources.relay.after_commit(delivery.org_id)
    return None


async def step_failed(delivery: Delivery) -> CloudEvent | None:
    """Fail a step whose request became a dead letter."""
    resources: Resources = delivery.resources
    await resources.runtime.undelivered(delivery.org_id, _origin(delivery), delivery.data)
    resources.relay.after_commit(delivery.org_id)
    return None


def _origin(delivery: Delivery) -> Origin:
    event = delivery.event
    resources: Resources = delivery.resources
    return Origin(resources.source, traceparent() or "", event.id, event.source, event.id)


HANDLERS: Final[dict[str, Handler]] = {
    "ai.hal9.neuron.run.requested": run_requested,
    "ai.hal9.neuron.step.requested": step_requested,
    "ai.hal9.neuron.step.answered": step_answered,
    "ai.hal9.neuron.step.failed": step_failed,
}
