"""The target of the function `codegen`."""

from __future__ import annotations

from events.subscriber import events_operation
from functions.codegen import api, handlers
from functions.codegen.resources import Resources
from shared.function import Function

function = Function(
    "codegen", operations=[*api.OPERATIONS, events_operation("codegen", handlers.HANDLERS)], resources=Resources
)
handle = function.handle
