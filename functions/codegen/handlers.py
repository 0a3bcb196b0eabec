"""The events that codegen takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from events import catalogue
from events.subscriber import Delivery, Handler, Never
from functions.codegen import attempts, service
from functions.codegen.models import PROCESS, VERIFIER, derived_id
from shared.problems import Problem
from shared.software.projects import ProjectRequest

if TYPE_CHECKING:
    from events import CloudEvent
    from events.catalogue.codegen import ProjectRequested
    from events.catalogue.neuron import RunCancelled, RunCompleted, RunFailed, StepRequested


async def project_requested(delivery: Delivery) -> CloudEvent | None:
    """Enter the request; the event's source and id name the project, so that a duplicate finds it there."""
    data: ProjectRequested = delivery.data
    event, org_id = delivery.event, delivery.org_id
    request = ProjectRequest(request=data.request, language=data.language, engine=data.engine)
    project_id = data.project_id or derived_id(org_id, "event", event.source, event.id)
    try:
        await service.enter(delivery.resources, org_id, service.checked(request), project_id, cause=event)
    except Problem as problem:
        # The same event will never do better; beyond a quota it may, next month: then it is sent again by hand.
        if problem.status in {402, 409, 422}:
            raise Never(problem.detail or problem.title) from problem
        raise
    return None


async def step_requested(delivery: Delivery) -> CloudEvent | None:
    """Do a verification that was delegated; the answer is the reply event."""
    step: StepRequested = delivery.data
    if step.body != VERIFIER:
        raise Never(f"Codegen does not know the body {step.body!r}.")
    found = await attempts.answer(delivery.resources, delivery.org_id, step)
    return catalogue.new(
        found,
        id=f"{step.step_id}/{step.epoch}/answered",
        subject=str(step.run_id),
        org_id=delivery.org_id,
        source=delivery.resources.source,
        cause=delivery.event,
        partitionkey=str(step.run_id),
    )


async def run_ended(delivery: Delivery) -> CloudEvent | None:
    """Take the end of a run that makes software."""
    data: RunCompleted | RunFailed | RunCancelled = delivery.data
    if data.process == PROCESS:
        await service.end(delivery.resources, delivery.org_id, delivery.event, data)
    return None


HANDLERS: Final[dict[str, Handler]] = {
    "ai.hal9.codegen.project.requested": project_requested,
    "ai.hal9.neuron.step.requested": step_requested,
    "ai.hal9.neuron.run.completed": run_ended,
    "ai.hal9.neuron.run.failed": run_ended,
    "ai.hal9.neuron.run.cancelled": run_ended,
}
