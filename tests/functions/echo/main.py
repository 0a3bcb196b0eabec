"""A small function for the tests of the host: gives back what it gets, slowly or in a stream when it is asked to."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from shared import deadlines
from shared.function import Call, Function, Operation, answer
from shared.problems import Problem
from shared.telemetry import logger, set_organisation, traceparent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_log = logger("echo")


class Words(BaseModel):
    """What goes in and out."""

    model_config = ConfigDict(extra="forbid", strict=True)
    text: str = Field(max_length=1000)
    times: int = Field(default=1, ge=1, le=10)
    more: list[int] = []


class Wish(BaseModel):
    """How it is wanted."""

    model_config = ConfigDict(extra="forbid")
    limit: int = Field(default=10, ge=1, le=100)
    tag: list[str] = []


async def echo(call: Call) -> Response:
    """Give the words back."""
    return answer(Words(text=call.body.text * call.body.times, more=call.body.more[: call.query.limit]))


async def empty(call: Call) -> Response:
    """Read the body and give nothing, as an event's answer does."""
    await call.request.body()
    return Response(status_code=204)


async def size(call: Call) -> Response:
    """Count the bytes of a body that is never held whole."""
    count = 0
    async for chunk in call.request.stream():
        count += len(chunk)
    return Response(str(count), media_type="text/plain")


async def thing(call: Call) -> Response:
    """Give the path's parameter."""
    return Response(call.path["thing_id"], media_type="text/plain")


async def wait(call: Call) -> Response:
    """Wait until a file is there, then note that the work was done to its end."""
    name = call.request.query_params["name"]
    with open(f"{name}.began", "a") as began:  # noqa: ASYNC230, PTH123
        began.write("began\n")
    while not os.path.exists(f"{name}.go"):  # noqa: ASYNC240, ASYNC110, PTH110
        await asyncio.sleep(0.005)
    with open(f"{name}.done", "a") as done:  # noqa: ASYNC230, PTH123
        done.write("done\n")
    return Response(b"waited", media_type="text/plain")


async def ticks(call: Call) -> Response:
    """Stream events without end."""
    name = call.request.query_params.get("name", "")

    async def events() -> AsyncIterator[bytes]:
        number = 0
        try:
            while True:
                left = deadlines.current()
                yield f"id: {number}\ndata: {left}\n\n".encode()
                number += 1
                await asyncio.sleep(0.01)
        finally:
            if name:
                with open(f"{name}.closed", "a") as closed:  # noqa: ASYNC230, PTH123
                    closed.write("closed\n")

    return StreamingResponse(events(), media_type="text/event-stream")


async def flood(call: Call) -> Response:
    """Stream much without end."""
    name = call.request.query_params["name"]

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            with open(f"{name}.closed", "a") as closed:  # noqa: ASYNC230, PTH123
                closed.write("closed\n")

    return StreamingResponse(pieces(), media_type="application/octet-stream")


async def parts(call: Call) -> Response:
    """Stream a body of known parts, or break off in its midst."""
    broken = "broken" in call.request.query_params

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(5):
            if broken and number == 3:
                raise RuntimeError("secret-internals")
            yield f"part {number}\n".encode()

    return StreamingResponse(pieces(), media_type="text/plain")


async def context(call: Call) -> Response:
    """Tell trace and deadline, and log with an organisation."""
    set_organisation("0198c0de-0000-7000-8000-000000000001")
    _log.info("told", api_key="hal9_abcdefghijkl_" + "s" * 43, text="Bearer " + "t" * 30)
    left = deadlines.remaining()
    return Response(f"{traceparent()} {left is not None and 0 < left <= 5}", media_type="text/plain")


async def fail(call: Call) -> Response:
    """Fail in the way that is asked for."""
    if "problem" in call.request.query_params:
        raise Problem("conflict", 409, "It is so already.", thing="x")
    if "split" in call.request.query_params:
        return Response(headers={"x-split": "a\r\nset-cookie: b"})
    raise RuntimeError("secret-internals")


function = Function(
    "echo",
    [
        Operation("POST", "/v1/echo", None, echo, "Echo.", request=Words, query=Wish, public=True),
        Operation("POST", "/empty", None, empty, "Nothing.", public=True, raw_body=True),
        Operation("POST", "/large/{name}", None, empty, "Nothing.", public=True, raw_body=True),
        Operation("POST", "/small", None, empty, "Nothing.", public=True, raw_body=True),
        Operation("POST", "/size", None, size, "Count.", public=True, raw_body=True),
        Operation("GET", "/things/{thing_id}", None, thing, "Thing.", public=True),
        Operation("POST", "/wait", None, wait, "Wait.", public=True),
        Operation("GET", "/ticks", None, ticks, "Ticks.", public=True, streaming=True),
        Operation("GET", "/flood", None, flood, "Flood.", public=True, streaming=True),
        Operation("GET", "/parts", None, parts, "Parts.", public=True),
        Operation("GET", "/context", None, context, "Context.", public=True),
        Operation("POST", "/fail", None, fail, "Fail.", public=True),
        Operation("GET", "/guarded", "things.read", thing, "Guarded."),
    ],
)
handle = function.handle
