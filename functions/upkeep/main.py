"""The target of the function `upkeep`."""

from __future__ import annotations

from events.subscriber import events_operation
from functions.upkeep import api, handlers
from functions.upkeep.resources import Resources
from shared.function import Function

function = Function(
    "upkeep", operations=[*api.OPERATIONS, events_operation("upkeep", handlers.HANDLERS)], resources=Resources
)
handle = function.handle
