"""The broker's door: takes events over HTTP from whoever has a token for it.

`POST /` takes one event (binary or structured mode) or a batch and answers 202 when all of it is on the disk; without a
token whose audience is `broker`: 401. `GET /status` says what is queued. Malformed: 400, too large: 413, no room: 507,
the disk fails: 503. Memory is bounded: so many bodies at a time, each bounded.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

from events import codec
from events.cloudevent import MalformedEvent
from knative.platform.broker.store import StoreError, StoreFullError
from shared.problems import Problem, register

if TYPE_CHECKING:
    from events.cloudevent import CloudEvent
    from knative.platform.broker.dispatch import Dispatcher
    from knative.platform.http1 import Request, Response
    from shared.tokens import Verifier

AUDIENCE: Final = "broker"
PUBLISHERS: Final = frozenset({"gateway", "platform", "function:*"})
BODIES_AT_ONCE: Final = 16

register(
    "broker-full", 507, "The broker has no room for more events", "Free disk space, or wait until they are delivered."
)


class Ingress:
    """Answers the broker's requests.

    Args:
        dispatcher: Takes the events.
        verifier: Knows whom to believe.
    """

    def __init__(self, dispatcher: Dispatcher, verifier: Verifier) -> None:
        self._dispatcher = dispatcher
        self._verifier = verifier
        self._bodies = asyncio.Semaphore(BODIES_AT_ONCE)

    async def __call__(self, request: Request, response: Response) -> None:
        """Answer one request.

        Raises:
            Problem: It is refused.
        """
        path = request.target.partition(b"?")[0]
        if request.method == b"POST" and path == b"/":
            await self._publish(request)
            response.send(202, [], b"")
        elif request.method in {b"GET", b"HEAD"} and path == b"/status":
            body = json.dumps(self._dispatcher.status()).encode()
            response.send(200, [(b"content-type", b"application/json")], body)
        elif path in {b"/", b"/status"}:
            raise Problem("method-not-allowed", headers={"allow": "POST" if path == b"/" else "GET, HEAD"})
        else:
            raise Problem("route-unknown")

    async def _publish(self, request: Request) -> None:
        self._authenticate(request)
        async with self._bodies:
            body = await request.body(codec.MAX_BATCH_BYTES)
            events = _events(request, body)
            try:
                await self._dispatcher.publish(events)
            except StoreFullError as error:
                raise Problem("broker-full", headers={"retry-after": "5"}) from error
            except StoreError as error:
                raise Problem(
                    "unavailable", detail="The broker cannot keep events.", headers={"retry-after": "2"}
                ) from error

    def _authenticate(self, request: Request) -> None:
        scheme, _, token = (request.header(b"authorization") or b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem("credentials-missing", headers={"www-authenticate": "Bearer"})
        self._verifier.verify(token.strip(), AUDIENCE, PUBLISHERS)


def _events(request: Request, body: bytes) -> tuple[CloudEvent, ...]:
    try:
        return codec.decode_all(request.headers, body)
    except MalformedEvent as error:
        errors = [{"pointer": fault.pointer, "detail": fault.detail} for fault in error.faults]
        if error.too_large:
            raise Problem("body-too-large", errors=errors) from error
        raise Problem("event-malformed", errors=errors) from error
