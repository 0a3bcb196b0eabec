"""A door without locks: says who answers, streams, publishes events, calls the worker."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from starlette.responses import JSONResponse, Response, StreamingResponse

from shared.function import Call, Function, Operation
from shared.keys import PrivateKey
from shared.tokens import Issuer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def who(call: Call) -> Response:
    """Say which process answers, and what it knows."""
    return JSONResponse({"pid": os.getpid(), "environment": dict(os.environ)})


async def ticks(call: Call) -> Response:
    """Stream without end."""

    async def events() -> AsyncIterator[bytes]:
        number = 0
        while True:
            yield f"data: {number}\n\n".encode()
            number += 1
            await asyncio.sleep(0.01)

    return StreamingResponse(events(), media_type="text/event-stream")


async def size(call: Call) -> Response:
    """Count a body."""
    return Response(str(len(await call.request.body())))


async def publish(call: Call) -> Response:
    """Give the broker what came, with our token."""
    token = Issuer(PrivateKey.load(Path(os.environ["HAL9_IDENTITY_KEY"]))).mint("broker")
    headers = {name: value for name, value in call.request.headers.items() if name.startswith(("ce-", "content-type"))}
    transport = httpx.AsyncHTTPTransport(uds=os.environ["HAL9_BROKER_URL"].removeprefix("unix:"))
    async with httpx.AsyncClient(transport=transport, timeout=20) as client:
        answered = await client.post(
            "http://broker/", headers={**headers, "authorization": f"Bearer {token}"}, content=await call.request.body()
        )
    return Response(answered.content, answered.status_code)


async def work(call: Call) -> Response:
    """Call the worker through the activator."""
    socket = os.environ["HAL9_FUNCTION_URL"].removeprefix("unix:").replace("{deployment}", "worker")
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=socket), timeout=30) as client:
        answered = await client.get(f"http://worker/work?{call.request.url.query}")
    return Response(answered.content, answered.status_code)


function = Function(
    "gateway",
    [
        Operation("GET", "/who", None, who, "Who.", public=True),
        Operation("GET", "/ticks", None, ticks, "Ticks.", public=True, streaming=True),
        Operation("POST", "/size", None, size, "Size.", public=True, raw_body=True),
        Operation("POST", "/publish", None, publish, "Publish.", public=True, raw_body=True),
        Operation("GET", "/work", None, work, "Work.", public=True),
    ],
)
handle = function.handle
