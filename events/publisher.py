"""The publisher: gives events to the broker, as this process.

Promises: what `publish` returned for is persisted by the broker; it tries again with full jitter while that can help,
within the deadline of what is being done and its own; an event that was `Refused` would be refused again. Each request
carries a token for the broker and the event's trace. It remembers nothing: see `events.relay` for
what must survive.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from events import codec
from shared import deadlines
from shared.clock import SystemClock
from shared.randomness import SystemRandomness, uniform
from shared.settings import setting, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from events.cloudevent import CloudEvent
    from shared.clock import Clock
    from shared.randomness import Randomness

_TOKEN_SECONDS: Final = 40.0  # of the 60 that a token lives
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0
_AT_ONCE: Final = 8
# The broker looked at the event and said no: the same event will not do better.
_NEVER: Final = frozenset({400, 413, 415, 422, 431})


@settings
class PublisherSettings:
    """Where events go."""

    broker_url: str = setting(
        "HAL9_BROKER_URL", doc="Address that takes events: http://host/path, or unix:/path/of/a.sock."
    )
    broker_token: Path | None = setting(
        "HAL9_BROKER_TOKEN",
        None,
        "Path of the token that events are sent with, in a cluster; read again when it changes. Without it this "
        "process signs tokens itself, for the local platform's broker.",
    )
    publish_seconds: float = setting(
        "HAL9_PUBLISH_SECONDS",
        10.0,
        "Seconds that giving an event to the broker may take, all tries together.",
        minimum=0.1,
    )


class Refused(Exception):  # noqa: N818 - what the broker said
    """The broker will never take this event.

    Attributes:
        status: Its HTTP status.
        detail: What it said, shortened.
    """

    def __init__(self, status: int, detail: str) -> None:
        """Keep both."""
        self.status = status
        self.detail = detail
        super().__init__(f"the broker refused the event with {status}")


class Unpublished(Exception):  # noqa: N818 - what is the case
    """The broker has not taken the event so far; it may later. The text says why."""


class Reply(Protocol):
    """An HTTP response, as far as it is looked at here."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        ...

    @property
    def body(self) -> bytes:
        """The body."""
        ...


class Sender(Protocol):
    """What sends a request to the broker."""

    async def __call__(self, headers: Sequence[codec.Header], body: bytes, *, timeout: float) -> Reply:  # noqa: ASYNC109 - the whole request's
        """POST to the broker's address. Raises OSError or TimeoutError when there is no answer."""
        ...


class Publisher:
    """Gives events to the broker.

    Args:
        send: Sends one request to the broker.
        token: Gives a token for the broker; called again before the last one runs out, and after a refusal. May raise
            OSError: the event is unpublished then.
        seconds: How long one event may take, all tries together.
        clock: Waits between tries.
        randomness: Spreads those waits.
    """

    def __init__(
        self,
        send: Sender,
        token: Callable[[], str],
        *,
        seconds: float = 10.0,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
    ) -> None:
        self._send = send
        self._mint = token
        self._seconds = seconds
        self._clock = clock or SystemClock()
        self._randomness = randomness or SystemRandomness()
        self._token: tuple[str, float] | None = None

    async def publish(self, event: CloudEvent) -> None:
        """Give one event to the broker.

        Raises:
            Refused: The broker will never take it.
            Unpublished: It was not taken within the time.
        """
        headers, body = codec.to_binary(event)
        if event.traceparent is not None:
            headers.append((b"traceparent", event.traceparent.encode()))
        limit = self._clock.monotonic() + min(deadlines.remaining(self._seconds) or 0.0, self._seconds)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            left = limit - self._clock.monotonic()
            problem, wait = await self._try(headers, body, left) if left > 0 else ("no time is left", None)
            if problem is None:
                return
            delay = max(uniform(self._randomness) * pause, wait or 0.0)
            if wait is _HOPELESS or self._clock.monotonic() + delay >= limit:
                raise Unpublished(problem)
            await self._clock.sleep(delay)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _try(self, headers: Sequence[codec.Header], body: bytes, left: float) -> tuple[str | None, float | None]:
        """Send once: None when it was taken, else what went wrong and how long to wait at least."""
        try:
            authorized = [*headers, (b"authorization", b"Bearer " + self._current_token().encode())]
        except OSError as error:
            return f"there is no token for the broker ({type(error).__name__})", None
        try:
            reply = await self._send(authorized, body, timeout=left)
        except (OSError, TimeoutError) as error:
            return f"the broker does not answer ({type(error).__name__})", None
        if 200 <= reply.status < 300:
            return None, None
        if reply.status in _NEVER:
            raise Refused(reply.status, reply.body[:500].decode("utf-8", "replace"))
        if reply.status in (401, 403):
            self._token = None
            return f"the broker does not let us publish ({reply.status})", _HOPELESS
        return f"the broker answered {reply.status}", _retry_after(reply.headers)

    def _current_token(self) -> str:
        now = self._clock.now().timestamp()  # by which it is verified: a clock that was set makes another one
        if self._token is None or not 0 <= now - self._token[1] < _TOKEN_SECONDS:
            self._token = (self._mint(), now)
        return self._token[0]

    async def publish_all(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        """Give events to the broker; for each None, or why it was not taken.

        Events with the same `partitionkey` go one after the other, and none goes when one before it was not taken; the
        others go side by side.
        """
        lanes: dict[str, list[int]] = {}
        for index, event in enumerate(events):
            lanes.setdefault(f"#{index}" if event.partitionkey is None else f"={event.partitionkey}", []).append(index)
        outcomes: list[Exception | None] = [None] * len(events)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def lane(indices: Sequence[int]) -> None:
            behind: Unpublished | None = None
            for index in indices:
                if behind is None:
                    async with gate:
                        outcomes[index] = await self._outcome(events[index])
                    if isinstance(outcomes[index], Unpublished):
                        behind = Unpublished("an event before it, with the same partition key, was not taken")
                else:
                    outcomes[index] = behind

        await asyncio.gather(*(lane(indices) for indices in lanes.values()))
        return outcomes

    async def _outcome(self, event: CloudEvent) -> Exception | None:
        try:
            await self.publish(event)
        except (Refused, Unpublished) as error:
            return error
        return None


_HOPELESS: Final = float("inf")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After in seconds (RFC 9110, section 10.2.3); a date is not worth the reading."""
    value = headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None
