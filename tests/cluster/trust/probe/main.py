"""A function that stands in for a real one on a cluster, under its name and description, and does as a test tells it.

It takes events and dead letters by the same proof as every function, keeps them in memory, and answers as the event's
extension `probeanswer` says: statuses, one for each attempt, the last one for all that follow; `reply` answers with an
event. From inside of its pod it publishes, calls other functions and tries connections.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from starlette.responses import JSONResponse, Response

from events import codec
from events.broker import BrokerConnection, publisher_over
from events.publisher import PublisherSettings, Refused, Unpublished
from events.subscriber import event_response
from shared.function import Call, Function, Operation
from shared.function.brokerproof import DEAD_LETTERS, EVENTS
from shared.function.operation import BROKER_ISSUERS
from shared.function.outgoing import Outgoing, address_of
from shared.permissions import Principal
from shared.settings import load
from shared.tokens import Issuer

NAME: Final = Path(__file__).parent.name
_SEEN: Final[dict[str, list[dict[str, Any]]]] = {"events": [], "dead_letters": []}
_ATTEMPTS: Final[Counter[str]] = Counter()
_SECONDS: Final = 4.0


async def take(call: Call) -> Response:
    event = codec.decode(call.request.headers.raw, await call.request.body())
    _ATTEMPTS[event.id] += 1
    by = None if call.claims is None else call.claims.subject
    _SEEN["events"].append({"event": json.loads(codec.to_structured(event)), "by": by})
    answers = str(event.extensions.get("probeanswer", "202")).split()
    answer = answers[min(_ATTEMPTS[event.id], len(answers)) - 1]
    if answer == "reply":
        return event_response(event.with_extensions(probeanswer=None).replace(type="ai.hal9.neuron.step.answered"))
    return Response(b"" if answer == "202" else f"answered {answer}".encode(), int(answer))


async def bury(call: Call) -> Response:
    event = codec.decode(call.request.headers.raw, await call.request.body())
    by = None if call.claims is None else call.claims.subject
    _SEEN["dead_letters"].append({"event": json.loads(codec.to_structured(event)), "by": by})
    return Response(status_code=202)


async def seen(call: Call) -> Response:
    return JSONResponse({**_SEEN, "deployment": os.environ.get("K_SERVICE", NAME)})


async def whoami(call: Call) -> Response:
    assert call.claims is not None
    return JSONResponse({"issuer": call.claims.issuer, "audience": call.claims.audience})


async def publish(call: Call) -> Response:
    settings = load(PublisherSettings)
    connection = BrokerConnection(settings.broker_url)
    try:
        event = codec.from_structured(await call.request.body())
        await publisher_over(connection, settings, Issuer.own()).publish(event)
    except (Refused, Unpublished) as error:
        return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 502)
    finally:
        await connection.close()
    return JSONResponse({}, 202)


async def fetch(call: Call) -> Response:
    """Send a request from here; `function` fills in the address of one and, with `permission`, a token for it."""
    wanted = json.loads(await call.request.body())
    headers = [(name.encode(), value.encode()) for name, value in wanted.get("headers", {}).items()]
    if "sign_for" in wanted:
        principal = Principal(UUID(int=1), "probe", (), frozenset(), "eu-central")
        token = Issuer.own().mint(wanted["sign_for"], principal, ["runs.read"])
        headers.append((b"authorization", f"Bearer {token}".encode()))
    address = address_of(wanted["deployment"]) if "deployment" in wanted else wanted["url"]
    outgoing = Outgoing(address, most_idle=0)
    try:
        reply = await outgoing.request(
            wanted.get("method", "GET"), wanted.get("target", ""), headers, wanted.get("body", "").encode() or None,
            seconds=5 * _SECONDS,
        )  # fmt: skip
    except (OSError, TimeoutError) as error:
        return JSONResponse({"error": type(error).__name__})
    return JSONResponse(
        {"status": reply.status, "headers": reply.headers, "body": reply.body.decode("utf-8", "replace")}
    )


async def connect(call: Call) -> Response:
    wanted = json.loads(await call.request.body())
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(wanted["host"], wanted["port"])
    except TimeoutError:
        return JSONResponse("dropped")
    except OSError as error:
        return JSONResponse(f"failed: {type(error).__name__}")
    writer.close()
    return JSONResponse("open")


function = Function(
    NAME,
    [
        Operation("POST", "/events", EVENTS, take, "x", raw_body=True, issuers=BROKER_ISSUERS),
        Operation("POST", "/dead-letters", DEAD_LETTERS, bury, "x", raw_body=True, issuers=BROKER_ISSUERS),
        Operation("GET", "/probe/whoami", "runs.read", whoami, "x"),
        Operation("GET", "/probe/seen", None, seen, "x", public=True),
        Operation("POST", "/probe/publish", None, publish, "x", public=True, raw_body=True),
        Operation("POST", "/probe/fetch", None, fetch, "x", public=True, raw_body=True),
        Operation("POST", "/probe/connect", None, connect, "x", public=True, raw_body=True),
    ]
    if NAME != "gateway"
    else [
        Operation("GET", "/probe/seen", None, seen, "x", public=True),
        Operation("POST", "/probe/publish", None, publish, "x", public=True, raw_body=True),
        Operation("POST", "/probe/fetch", None, fetch, "x", public=True, raw_body=True),
        Operation("POST", "/probe/connect", None, connect, "x", public=True, raw_body=True),
    ],
)
handle = function.handle
