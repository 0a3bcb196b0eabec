"""Takes dead letters into HAL9_HOME/dead, unless a file `refuse` is there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response

from events import codec
from shared.function import Function, Operation
from shared.function.brokerproof import DEAD_LETTERS
from shared.function.operation import BROKER_ISSUERS

if TYPE_CHECKING:
    from shared.function import Call


async def take(call: Call) -> Response:
    """Take a dead letter."""
    home = Path(os.environ["HAL9_HOME"])
    if (home / "refuse").exists():
        return Response(status_code=503)
    event = codec.decode(call.request.headers.raw, await call.request.body())
    descriptor = os.open(home / "dead", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, json.dumps({"id": event.id, **event.extensions}, default=str).encode() + b"\n")
    os.close(descriptor)
    return Response(status_code=202)


function = Function(
    "upkeep",
    [
        Operation(
            "POST",
            "/dead-letters",
            DEAD_LETTERS,
            take,
            "Dead letters.",
            raw_body=True,
            issuers=BROKER_ISSUERS,
        )
    ],
)
handle = function.handle
