"""Makes one attempt at a delivery: POST to the deployment's socket, with the broker's token, in binary mode.

Promises: an answer is read as Knative's broker filter reads it: a 2xx with an empty body is taken, with a CloudEvent it
is a reply, with anything else it failed (502). What goes wrong is an outcome, never an exception.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from events import codec
from events.cloudevent import MalformedEvent
from knative.platform.broker.rules import ERROR_DATA_CHARACTERS, Outcome, retry_after_seconds
from knative.platform.upstream import Pool, UpstreamLost, exchange

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from events.cloudevent import CloudEvent
    from knative.platform.broker.dispatch import Trigger
    from knative.platform.http1 import Headers
    from shared.clock import Clock

MAX_REPLY_BYTES: Final = codec.MAX_EVENT_BYTES + 64 * 1024
TOKEN_SECONDS: Final = 40.0
"""How long a token is used of the 60 s that it lives."""


class SocketCourier:
    """Delivers over the deployments' Unix sockets.

    Args:
        socket: Gives a deployment's socket.
        mint: Makes a token for an audience.
        clock: Tells the time.
    """

    def __init__(self, socket: Callable[[str], Path], mint: Callable[[str], str], clock: Clock) -> None:
        self._socket = socket
        self._mint = mint
        self._clock = clock
        self._pools: dict[str, Pool] = {}
        self._tokens: dict[str, tuple[float, bytes]] = {}

    async def attempt(self, trigger: Trigger, event: CloudEvent) -> Outcome:
        """Deliver once."""
        headers, body = codec.to_binary(event)
        headers = [*headers, (b"authorization", b"Bearer " + self._token(trigger.audience))]
        if event.traceparent is not None:
            headers.append((b"traceparent", event.traceparent.encode()))
        pool = self._pool(trigger.deployment)
        try:
            async with asyncio.timeout(trigger.policy.timeout_seconds):
                status, answered, content = await exchange(
                    pool, b"POST", trigger.path.encode(), headers, body, limit=MAX_REPLY_BYTES
                )
        except TimeoutError:
            return Outcome(None, f"no answer within {trigger.policy.timeout_seconds:g} s")
        except (UpstreamLost, OSError) as error:
            return Outcome(None, str(error))
        return self._read(status, answered, content)

    def _read(self, status: int, headers: Headers, content: bytes) -> Outcome:
        data = content[: ERROR_DATA_CHARACTERS * 4].decode("utf-8", "replace")
        if not 200 <= status < 300:
            wait = next((value for name, value in headers if name == b"retry-after"), None)
            seconds = None if wait is None else retry_after_seconds(wait.decode("latin-1"), self._clock.now())
            return Outcome(status, data, seconds)
        if not content and not any(name == b"ce-specversion" for name, _ in headers):
            return Outcome(status)
        try:
            return Outcome(status, reply=codec.decode(headers, content, max_bytes=MAX_REPLY_BYTES))
        except MalformedEvent as error:
            return Outcome(502, f"the answer must be empty or one CloudEvent: {error}")

    def _pool(self, deployment: str) -> Pool:
        pool = self._pools.get(deployment)
        if pool is None:
            pool = self._pools[deployment] = Pool(str(self._socket(deployment)))
        return pool

    def _token(self, audience: str) -> bytes:
        now = self._clock.now().timestamp()  # by which it is verified: a clock that was set makes another one
        known = self._tokens.get(audience)
        if known is None or not 0 <= now - known[0] <= TOKEN_SECONDS:
            known = self._tokens[audience] = (now, self._mint(audience).encode())
        return known[1]
