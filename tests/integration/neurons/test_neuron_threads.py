"""Who has a turn works at once: no step waits for the thread of another one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pydantic import BaseModel

from functions.neuron.transitions import Origin
from shared.identifiers import new_id
from shared.neurons import L4, Body, Complete, Process, Result, Work
from shared.neurons.wire import RunRequest
from tests.processes.office import Office

if TYPE_CHECKING:
    from shared.shards import Shards

AT_ONCE = 40
"""More than asyncio ever has threads of its own."""

meeting = threading.Barrier(AT_ONCE, timeout=60)


class Nothing(BaseModel):
    """What the step is given, and gives."""


def meet(work: Work[Nothing]) -> Result[Nothing]:
    """Wait until all the others work as well."""
    meeting.wait()
    return Complete(work.input)


MEETING = Process("meeting", "Meets.", "meet", (Body("meet", L4, Nothing, Nothing, "Meets the others.", work=meet),))


async def test_as_many_steps_work_at_once_as_were_let_in(shards: Shards) -> None:
    org_id = new_id()
    await shards.create_organisation(org_id, "us-west", tier="enterprise")
    office = Office(shards, (MEETING,))
    for _ in range(AT_ONCE):
        await office.runs.start(org_id, Origin(office.source), "tester", RunRequest(process="meeting", input={}), None)
    await office.settle(org_id, at_once=AT_ONCE)
    assert office.distinct("ai.hal9.neuron.run.completed") == AT_ONCE
    assert not meeting.broken
