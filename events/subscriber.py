"""The endpoint at which a function takes events: `POST /events`, from the broker only.

    HANDLERS: dict[str, Handler] = {"ai.hal9.neuron.step.requested": step_requested}
    function = Function("neuron", operations=[*OPERATIONS, events_operation("neuron", HANDLERS)], resources=Resources)

    async def step_requested(delivery: Delivery) -> CloudEvent | None: ...

Promises: a handler sees only events that the broker brought (its token, or 401), of a type that it asked for, with data
that its model takes. What it answers is what Knative's brokers understand: 202 with nothing, 200 with one CloudEvent
(the reply), 422 "never", 503 with Retry-After "not yet". It does not deduplicate: the handler asks `inbox.first` in its
transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from starlette.responses import Response

from events import catalogue, codec, inbox
from events.cloudevent import CloudEvent, Fault, MalformedEvent
from shared.clock import SystemClock
from shared.function.brokerproof import EVENTS
from shared.function.operation import BROKER_ISSUERS, Call, Operation
from shared.problems import Problem, register
from shared.telemetry import begin, logger, set_organisation

if TYPE_CHECKING:
    from shared.clock import Clock

_log = logger(__name__)

register("event-postponed", 503, "This event cannot be taken yet", "Send it again after as long as Retry-After says.")

CLOCK_TYPE: Final = "dev.knative.sources.ping"
"""The type of every event of a Knative PingSource (`hal9 render` makes one for each schedule)."""

SCHEDULED_TYPE: Final = "scheduledtype"
"""The extension in which such an event says what it stands for."""

_DEFAULT_RETRY_SECONDS: Final = 1.0


class Never(Exception):  # noqa: N818 - what a handler says
    """Raised by a handler: this event will never be taken (422); it becomes a dead letter.

    Args:
        detail: Why, in one sentence; it is shown to the organisation.
    """

    def __init__(self, detail: str) -> None:
        """Keep the sentence."""
        self.detail = detail
        super().__init__(detail)


class NotYet(Exception):  # noqa: N818 - what a handler says
    """Raised by a handler: deliver the event again later (503 with Retry-After).

    Args:
        seconds: How long to wait at least.
    """

    def __init__(self, seconds: float = _DEFAULT_RETRY_SECONDS) -> None:
        """Keep the time."""
        self.seconds = seconds
        super().__init__(f"not yet; again in {seconds:g} s")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event, delivered to a handler.

    Attributes:
        event: The event.
        data: Its data, an instance of the model that the catalogue has for its type.
        resources: What the function opened.
        function: The function that takes it; the name in its inbox.
    """

    event: CloudEvent
    data: Any
    resources: Any
    function: str

    @property
    def org_id(self) -> UUID:
        """The organisation that the event belongs to.

        Raises:
            ValueError: The type has none.
        """
        return inbox.organisation_of(self.event)


Handler = Callable[[Delivery], Awaitable[CloudEvent | None]]
"""Takes one delivery; gives the reply event, or None. Raises `Never` or `NotYet`."""


def events_operation(name: str, handlers: Mapping[str, Handler], *, clock: Clock | None = None) -> Operation:
    """Give the operation `POST /events` of a function.

    Args:
        name: The function's name.
        handlers: Type of event to handler; every type must be in the catalogue.
        clock: Says when an event's `expirytime` is past.

    Raises:
        ValueError: A type is not in the catalogue.
    """
    unknown = sorted(name for name in handlers if catalogue.find(name) is None)
    if unknown:
        raise ValueError(f"not in the catalogue: {', '.join(unknown)}")
    endpoint = _Endpoint(name, dict(handlers), clock or SystemClock())
    return Operation(
        "POST",
        "/events",
        EVENTS,
        endpoint,
        "Takes one event from the broker.",
        tags=("events",),
        raw_body=True,
        issuers=BROKER_ISSUERS,
    )


class _Endpoint:
    def __init__(self, function: str, handlers: dict[str, Handler], clock: Clock) -> None:
        self._function = function
        self._handlers = handlers
        self._clock = clock

    async def __call__(self, call: Call) -> Response:
        body = await call.request.body()
        try:
            event = _meant(codec.decode(call.request.headers.raw, body))
        except MalformedEvent as error:
            raise malformed(error) from None
        if "traceparent" not in call.request.headers and event.traceparent is not None:
            begin(event.traceparent)
        try:
            return await self._deliver(event, call.resources)
        except Never as never:
            raise Problem("event-refused", detail=never.detail) from never
        except NotYet as later:
            raise Problem("event-postponed", headers={"Retry-After": str(max(1, round(later.seconds)))}) from later

    async def _deliver(self, event: CloudEvent, resources: Any) -> Response:
        handler = self._handlers.get(event.type)
        if handler is None:
            raise Never("This function takes no events of that type.")
        data = self._data(event)
        if self._expired(event):
            _log.info("event expired", event_id=event.id, event_type=event.type)
            return Response(status_code=202)
        token = inbox.consumer.set(self._function)
        try:
            reply = await handler(Delivery(event, data, resources, self._function))
        finally:
            inbox.consumer.reset(token)
        return Response(status_code=202) if reply is None else event_response(reply)

    def _data(self, event: CloudEvent) -> Any:
        try:
            if organisation_needed(event):
                set_organisation(inbox.organisation_of(event))
            return catalogue.parse(event)
        except MalformedEvent as error:
            raise Problem(
                "event-refused", detail="The event's data is not what its type asks for.", errors=_errors(error.faults)
            ) from None
        except ValueError as error:
            raise Never("The event names no organisation.") from error

    def _expired(self, event: CloudEvent) -> bool:
        """Tell whether `expirytime` (a documented extension) is past; one that cannot be read does not count."""
        try:
            expiry = event.replace(time=event.extensions.get("expirytime")).timestamp
        except ValueError:
            return False
        return expiry is not None and expiry <= self._clock.now()


def _meant(event: CloudEvent) -> CloudEvent:
    """Give the event that a Knative clock means: the type of its own events is fixed, ours stands in an extension."""
    meant = event.extensions.get(SCHEDULED_TYPE)
    if event.type != CLOCK_TYPE or not isinstance(meant, str):
        return event
    return event.with_extensions(**{SCHEDULED_TYPE: None}).replace(type=meant)


def organisation_needed(event: CloudEvent) -> bool:
    """Tell whether events of this type belong to an organisation; a customer's own types always do."""
    known = catalogue.find(event.type)
    return known is None or known.tenant


def event_response(event: CloudEvent, status: int = 200) -> Response:
    """Give the response that carries one event in binary mode."""
    headers, body = codec.to_binary(event)
    response = Response(body, status)
    response.raw_headers.extend(headers)
    return response


def malformed(error: MalformedEvent) -> Problem:
    """Give the problem that says all that is wrong with what was sent as an event."""
    slug = "event-too-large" if error.too_large else "event-malformed"
    count = len(error.faults)
    return Problem(
        slug, detail=f"There {'is 1 fault' if count == 1 else f'are {count} faults'}.", errors=_errors(error.faults)
    )


def _errors(faults: tuple[Fault, ...]) -> list[dict[str, str]]:
    return [{"pointer": fault.pointer, "detail": str(fault)} for fault in faults[:100]]
