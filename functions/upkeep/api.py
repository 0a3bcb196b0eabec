"""The HTTP routes of upkeep: dead letters, and the sink that the broker sends them to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from starlette.responses import Response

from events import codec
from events.cloudevent import MalformedEvent
from events.subscriber import malformed
from functions.upkeep import service, usage
from shared.deadletters import DeadLetterDetail, DeadLetterPage, DeadLetterQuery
from shared.function import Operation, answer
from shared.function.brokerproof import DEAD_LETTERS
from shared.function.operation import BROKER_ISSUERS
from shared.problems import Problem
from shared.quotas.wire import Usage, UsageQuery

if TYPE_CHECKING:
    from shared.function import Call

_TAGS: Final = ("events",)


async def sink(call: Call) -> Response:
    """Take an event that could not be delivered."""
    try:
        event = codec.decode(call.request.headers.raw, await call.request.body())
    except MalformedEvent as error:
        raise malformed(error) from None
    await service.keep(call.resources, event)
    return Response(status_code=202)


async def page(call: Call) -> Response:
    """List dead letters."""
    query: DeadLetterQuery = call.query
    return answer(await service.page(call.resources, call.principal.org_id, query.limit, query.cursor))


async def show(call: Call) -> Response:
    """Show a dead letter."""
    return answer(await service.show(call.resources, call.principal.org_id, _letter_id(call)))


async def redrive(call: Call) -> Response:
    """Send a dead letter's event again."""
    return answer(await service.redrive(call.resources, call.principal.org_id, _letter_id(call)), 202)


async def used(call: Call) -> Response:
    """Show what the organisation uses."""
    query: UsageQuery = call.query
    return answer(await usage.show(call.resources, call.principal.org_id, query.month, query.hours))


def _letter_id(call: Call) -> UUID:
    try:
        return UUID(call.path["letter_id"])
    except ValueError:
        raise Problem("not-found", detail="There is no such dead letter.") from None


OPERATIONS: Final = (
    Operation(
        "POST", "/dead-letters", DEAD_LETTERS, sink, "Takes one event that could not be delivered.",
        raw_body=True, issuers=BROKER_ISSUERS, tags=_TAGS, responses={202: None},
    ),
    Operation(
        "GET", "/v1/events/dead-letters", "events.read", page, "List dead letters",
        query=DeadLetterQuery, responses={200: DeadLetterPage}, tags=_TAGS,
        description="Events of the organisation that could not be delivered, newest first.",
    ),
    Operation(
        "GET", "/v1/events/dead-letters/{letter_id}", "events.read", show, "Show a dead letter with its event",
        responses={200: DeadLetterDetail}, tags=_TAGS,
    ),
    Operation(
        "POST", "/v1/events/dead-letters/{letter_id}/redrive", "events.redrive", redrive, "Send a dead letter again",
        responses={202: DeadLetterDetail}, tags=_TAGS,
        description="Publishes the event again, with the same id: whoever has taken it meanwhile drops it.",
    ),
    Operation(
        "GET", "/v1/usage", "usage.read", used, "Show what the organisation uses, and what its tier allows",
        query=UsageQuery, responses={200: Usage}, tags=("usage",),
        description="Each meter with its use in the month (UTC), the level of its warning (80 %) and its hard limit. "
        "What is used counts at once. At a hard limit, requests that would use more are refused with 402 "
        "`quota-exceeded`; from the warning on, answers carry the header `Quota-Warning`.",
    ),
)  # fmt: skip
