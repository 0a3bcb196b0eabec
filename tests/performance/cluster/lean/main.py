"""Answers, waits, publishes and counts events: what `make bench-cluster` measures a cluster with.

GET  /                    ok
GET  /wait?seconds=1      ok, that much later
POST /publish?events=100  gives so many events to the Broker, eight at a time; says how long it took
POST /events              counts one
GET  /count               how many there were, and when the last one came
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

_PUBLISHED_AT_ONCE = 8
_counted = {"events": 0, "last": 0.0}


async def handle(request: Request) -> Response:
    """Answer one request."""
    path = request.url.path
    if path == "/wait":
        await asyncio.sleep(float(request.query_params["seconds"]))
    elif path == "/events":
        _counted["events"] += 1
        _counted["last"] = time.time()
        return Response(status_code=202)
    elif path == "/count":
        return JSONResponse(_counted)
    elif path == "/publish":
        return JSONResponse(await _publish(int(request.query_params["events"])))
    return PlainTextResponse("ok")


async def _publish(count: int) -> dict[str, float]:

    from events import CloudEvent
    from events.broker import AUDIENCE, BrokerConnection, TokenFile
    from events.publisher import Publisher, PublisherSettings
    from shared.settings import load

    settings = load(PublisherSettings)
    connection = BrokerConnection(settings.broker_url)
    token = _own_token(AUDIENCE) if settings.broker_token is None else TokenFile(settings.broker_token)
    publisher = Publisher(connection, token, seconds=settings.publish_seconds)
    begun = time.time()
    left = iter(range(count))

    async def one_after_the_other() -> None:
        for number in left:
            await publisher.publish(
                CloudEvent(
                    id=f"{begun}/{number}",
                    source="/bench",
                    type="ai.hal9.bench",
                    datacontenttype="application/json",
                    data=b'{"number": 1}',
                )
            )

    await asyncio.gather(*(one_after_the_other() for _ in range(_PUBLISHED_AT_ONCE)))
    ended = time.time()
    await connection.close()
    return {"began": begun, "seconds": ended - begun}


def _own_token(audience: str) -> Callable[[], str]:
    """Give what signs tokens for the local platform's broker."""
    from shared.keys import PrivateKey, TrustSettings
    from shared.settings import load
    from shared.tokens import Issuer

    identity = load(TrustSettings).identity_key
    if identity is None:
        return lambda: "none"  # the Broker asks for no token
    issuer = Issuer(PrivateKey.load(identity))
    return lambda: issuer.mint(audience)
