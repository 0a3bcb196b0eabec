"""Answers delegated steps of the process `tally`; the word `wait` is never answered, `refuse` is refused for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.subscriber import Delivery, Never, events_operation
from shared.function import Function
from tests.processes.office import answered
from tests.processes.tally import Ledger, audit

if TYPE_CHECKING:
    from events import CloudEvent


async def step_requested(delivery: Delivery) -> CloudEvent | None:
    """Audit."""
    ledger = Ledger.model_validate(delivery.data.input)
    words = " ".join(ledger.lines).split()
    if "refuse" in words:
        raise Never("The auditor refuses.")
    if "wait" in words:
        return None
    outcome, report, signals = audit(ledger)
    return answered(
        delivery.event,
        outcome=outcome,
        output=report.model_dump(),
        signals=[signal.model_dump() for signal in signals],
    )


function = Function(
    "auditor", operations=[events_operation("auditor", {"ai.hal9.neuron.step.requested": step_requested})]
)
handle = function.handle
