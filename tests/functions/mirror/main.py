"""A function behind the gateway, for its tests: tells what reached it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

from shared.function import Call, Function, Operation
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def tell(call: Call) -> Response:
    """Tell everything about the request as it came."""
    body = await call.request.body()
    principal = call.principal
    told = {
        "path": call.request.scope["raw_path"].decode(),
        "query": call.request.scope["query_string"].decode(),
        "headers": [[name.decode(), value.decode()] for name, value in call.request.headers.raw],
        "length": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "organisation": str(principal.org_id),
        "subject": principal.subject,
        "scope": sorted(principal.scope),
        "region": principal.region,
        "user": None if principal.user_id is None else str(principal.user_id),
    }
    headers = {"x-hal9-secret": "inside", "server": "mirror", "connection": "x-named", "x-named": "1", "x-kept": "yes"}
    if bookmark := call.request.query_params.get("bookmark"):
        headers["hal9-bookmark"] = bookmark
    return Response(json.dumps(told), 201, headers, "application/json")


async def ticks(call: Call) -> Response:
    """Stream three events, each only when the one before was surely sent; or without end."""
    endless = "endless" in call.request.query_params
    closed = call.request.query_params.get("closed")

    async def events() -> AsyncIterator[bytes]:
        number = 0
        try:
            while endless or number < 3:
                yield f"id: {number}\ndata: tick\n\n".encode()
                number += 1
                await asyncio.sleep(0.01)
        finally:
            if closed:
                with open(closed, "w") as file:  # noqa: ASYNC230, PTH123
                    file.write("closed")

    return StreamingResponse(events(), media_type="text/event-stream")


async def large(call: Call) -> Response:
    """Give a body that is too long to be read whole."""

    async def parts() -> AsyncIterator[bytes]:
        for number in range(64):
            yield bytes([number]) * 16384

    return StreamingResponse(parts(), media_type="application/octet-stream", headers={"content-length": "1048576"})


async def fail(call: Call) -> Response:
    """Answer as the query says."""
    how = call.request.query_params["how"]
    if how == "problem":
        raise Problem("conflict", 409, "It is so already.")
    if how == "untrusting":
        raise Problem("credentials-invalid", 401, "secret-internals")
    if how == "html":
        return Response("<h1>secret-internals</h1>", 500, media_type="text/html")
    raise RuntimeError("secret-internals")


function = Function(
    "mirror",
    [
        Operation("POST", "/v1/mirror/{thing_id}", "runs.create", tell, "Tell."),
        Operation("GET", "/v1/ticks", "runs.read", ticks, "Ticks.", streaming=True),
        Operation("GET", "/v1/large", "runs.read", large, "Large."),
        Operation("GET", "/v1/fail", "runs.read", fail, "Fail."),
        Operation("GET", "/v1/other", "runs.read", tell, "Its token is for another function."),
        Operation("GET", "/v1/guarded", "runs.cancel", tell, "Needs another permission than the gateway believes."),
    ],
)
handle = function.handle
