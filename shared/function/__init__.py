"""What a function is made of: operations behind a plain `async def handle(request) -> Response`.

    function = Function("codegen", operations=[*api.OPERATIONS], resources=Resources)
    handle = function.handle

- `Operation`: one method and path, the permission that it needs, the models of what goes in and out.
- `Call`: one request to an operation: who asks, what they sent, already checked.
- `Function`: finds the operation, authenticates, checks the permission and the body, calls the handler, turns faults
  into problem documents.
- `idempotency_key`: what a request's Idempotency-Key is, if it may be that.
- `Outgoing`: requests to other functions, within the deadline, with the trace (`shared.function.outgoing`).

Promises: `handle` runs unchanged under the stock `functions-framework` command; nothing heavy is imported before it
is needed.
Does not: listen on a socket, or limit how much is done at once (`knative.host` does).
"""

from __future__ import annotations

from shared.function.function import Function, NoResources, Resources
from shared.function.idempotency import idempotency_header, idempotency_key
from shared.function.operation import Call, Handler, Operation, answer

__all__ = [
    "Call",
    "Function",
    "Handler",
    "NoResources",
    "Operation",
    "Resources",
    "answer",
    "idempotency_header",
    "idempotency_key",
]
