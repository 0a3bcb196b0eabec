"""Works slowly, takes events, and keeps a journal of what it did in HAL9_HOME/journal."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from starlette.responses import JSONResponse, Response

from events import CloudEvent, codec
from shared.function import Call, Function, Operation
from shared.function.operation import BROKER_ISSUERS


def note(**what: object) -> None:
    """Add a line to the journal, whole or not at all."""
    path = Path(os.environ["HAL9_HOME"]) / "journal"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, json.dumps(what).encode() + b"\n")
    os.close(descriptor)


async def work(call: Call) -> Response:
    """Work for as long as is asked, or until a file is there."""
    gate = call.request.query_params.get("until")
    if gate:
        note(id=gate, type="waiting", pid=os.getpid())
    while gate and not Path(gate).exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.01)
    return JSONResponse({"pid": os.getpid(), "secret": os.environ.get("HAL9_TEST_SECRET")})


async def take(call: Call) -> Response:
    """Take an event; its data says what to do with it."""
    event = codec.decode(call.request.headers.raw, await call.request.body())
    wish = json.loads(event.data or b"{}")
    note(id=event.id, type=event.type, pid=os.getpid())
    if gate := wish.get("until"):
        while not Path(gate).exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.01)
    if "status" in wish:
        return Response("no", wish["status"])
    if wish.get("nonsense"):
        return Response("this is no event")
    if wish.get("reply"):
        headers, body = codec.to_binary(CloudEvent(id=f"{event.id}-done", source="/worker", type="test.done"))
        return Response(body, 200, {name.decode(): value.decode() for name, value in headers})
    return Response(status_code=202)


function = Function(
    "worker",
    [
        Operation("GET", "/work", None, work, "Work.", public=True),
        Operation("POST", "/events", "events.deliver", take, "Events.", raw_body=True, issuers=BROKER_ISSUERS),
    ],
)
handle = function.handle
