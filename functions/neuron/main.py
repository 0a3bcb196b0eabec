"""The target of the function `neuron`."""

from __future__ import annotations

from events.subscriber import events_operation
from functions.neuron import api, handlers
from functions.neuron.resources import Resources
from shared.function import Function

function = Function(
    "neuron", operations=[*api.OPERATIONS, events_operation("neuron", handlers.HANDLERS)], resources=Resources
)
handle = function.handle
