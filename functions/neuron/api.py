"""The HTTP routes of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from starlette.responses import Response, StreamingResponse

from functions.neuron import stream
from functions.neuron.transitions import Origin
from shared.function import Operation, answer, idempotency_header, idempotency_key
from shared.neurons.wire import ENDED, EventsQuery, Limits, Run, RunEvent, RunPage, RunQuery, RunRequest
from shared.problems import Problem, register
from shared.replicas.lsn import Bookmark
from shared.telemetry import traceparent

if TYPE_CHECKING:
    from functions.neuron.resources import Resources
    from shared.function import Call

register(
    "bookmark-invalid",
    422,
    "The HAL9-Bookmark is not usable",
    "Send one as an answer gave it, or none.",
)

_TAGS: Final = ("runs",)
_BOOKMARK: Final = {
    "type": "string",
    "pattern": r"^[0-9]{1,4}(\.[0-9a-f]{1,16})?$",
    "description": "What an answer to a change gave as `HAL9-Bookmark`: a replica may answer that has got so far."
    " What others changed later may be missing. A shard's number alone stands for the beginning: any replica will do.",
}
_LAST_EVENT_ID: Final = {
    "type": "string",
    "description": "The id of the last event that was seen; goes before `after`.",
}


async def start(call: Call) -> Response:
    """Start a run."""
    resources: Resources = call.resources
    org_id = call.principal.org_id
    run = await resources.runs.start(org_id, _origin(call), call.principal.subject, call.body, idempotency_key(call))
    resources.relay.after_commit(org_id)
    return answer(run, 202, {"Location": f"/v1/runs/{run.id}", **await _bookmark(call)})


async def page(call: Call) -> Response:
    """List runs."""
    query: RunQuery = call.query
    resources: Resources = call.resources
    return answer(
        await resources.runs.page(
            call.principal.org_id, query.limit, query.cursor, query.process, query.state, _after(call)
        )
    )


async def show(call: Call) -> Response:
    """Show a run."""
    resources: Resources = call.resources
    return answer(await resources.runs.show(call.principal.org_id, _run_id(call), _after(call)))


async def cancel(call: Call) -> Response:
    """Cancel a run."""
    resources: Resources = call.resources
    org_id = call.principal.org_id
    run = await resources.runs.cancel(org_id, _origin(call), _run_id(call), call.principal.subject)
    resources.relay.after_commit(org_id)
    return answer(run, headers=await _bookmark(call))


async def replay(call: Call) -> Response:
    """Replay a run."""
    resources: Resources = call.resources
    org_id = call.principal.org_id
    key = idempotency_key(call)
    run = await resources.runs.replay(org_id, _origin(call), call.principal.subject, _run_id(call), key)
    resources.relay.after_commit(org_id)
    return answer(run, 202, {"Location": f"/v1/runs/{run.id}", **await _bookmark(call)})


async def events(call: Call) -> Response:
    """Stream a run's events."""
    resources: Resources = call.resources
    org_id, run_id = call.principal.org_id, _run_id(call)
    seen = call.request.headers.get("last-event-id", "")
    query: EventsQuery = call.query
    after = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 19 else query.after
    run = await resources.runs.show(org_id, run_id)
    if run.state in ENDED and after >= run.last_event:
        # There will be nothing more: 204 tells an EventSource not to come back (WHATWG HTML, section 9.2.3).
        return Response(status_code=204)
    resources.seats.check(org_id)
    after = min(after, run.last_event)
    lines = stream.lines(resources.runs.watch(org_id, run_id, after), resources.clock)
    lines = resources.seats.held(org_id, lines)
    return StreamingResponse(lines, headers={"Cache-Control": "no-store"}, media_type=stream.MEDIA_TYPE)


def _after(call: Call) -> Bookmark | None:
    """The bookmark that the request carries: with one, a replica may answer it."""
    text = call.request.headers.get("hal9-bookmark")
    if text is None:
        return None
    found = Bookmark.read(text)
    if found is None:
        raise Problem("bookmark-invalid")
    return found


async def _bookmark(call: Call) -> dict[str, str]:
    """The header by which a later read sees what was just written; none where only the primary reads."""
    resources: Resources = call.resources
    found = await resources.runs.bookmark(call.principal.org_id)
    return {} if found is None else {"HAL9-Bookmark": str(found)}


def _run_id(call: Call) -> UUID:
    try:
        return UUID(call.path["run_id"])
    except ValueError:
        raise Problem("not-found", detail="There is no such run.") from None


def _origin(call: Call) -> Origin:
    resources: Resources = call.resources
    return Origin(resources.source, traceparent() or "")


def _bodies() -> dict[str, Any]:
    """Describe what `POST /v1/runs` takes: for each process of the catalogue its own input."""
    from functions.neuron.bodies.catalogue import registry

    processes = registry()
    choices = []
    for name in processes.names():
        process = processes.get(name)
        if process is not None:
            body = process.body(process.root).input.model_json_schema()
            choices.append(_choice(name, body))
    return {"application/json": {"title": "RunRequest", "anyOf": choices}}


def _choice(name: str, body: dict[str, Any]) -> dict[str, Any]:
    limits = Limits.model_json_schema()
    engine = RunRequest.model_json_schema()["properties"]["engine"]
    return {
        "title": f"a run of {name}",
        "type": "object",
        "required": ["process", "input"],
        "properties": {"process": {"const": name}, "input": body, "limits": limits, "engine": engine},
        "additionalProperties": False,
    }


OPERATIONS: Final = (
    Operation(
        "POST", "/v1/runs", "runs.create", start, "Start a run",
        request=RunRequest, consumes=_bodies, responses={202: Run, 402: None},
        headers=idempotency_header("run"),
        tags=_TAGS,
        description="Starts a run of a process. With an `Idempotency-Key` header the same request again gives the same"
        " run.",
    ),
    Operation(
        "GET", "/v1/runs", "runs.read", page, "List runs", query=RunQuery, responses={200: RunPage},
        headers={"HAL9-Bookmark": _BOOKMARK}, tags=_TAGS,
    ),
    Operation(
        "GET", "/v1/runs/{run_id}", "runs.read", show, "Show a run with its tree of steps",
        responses={200: Run}, headers={"HAL9-Bookmark": _BOOKMARK}, tags=_TAGS,
    ),
    Operation(
        "POST", "/v1/runs/{run_id}/cancel", "runs.cancel", cancel, "Cancel a run",
        responses={200: Run, 409: None}, tags=_TAGS,
        description="Cancels the run and every step of it. One that is cancelled already stays so; one that has ended"
        " is a 409.",
    ),
    Operation(
        "POST", "/v1/runs/{run_id}/replay", "runs.replay", replay, "Replay a run from its journal",
        responses={202: Run, 402: None}, headers=idempotency_header("run"), tags=_TAGS,
        description="Starts a new run with the same input. Every paid answer comes out of the journal; it can"
        " spend nothing.",
    ),
    Operation(
        "GET", "/v1/runs/{run_id}/events", "runs.read", events, "Follow a run live",
        query=EventsQuery, responses={200: RunEvent, 204: None}, headers={"Last-Event-ID": _LAST_EVENT_ID}, tags=_TAGS,
        streaming=True, produces=stream.MEDIA_TYPE,
        description="Server-sent events, one for each change, until the run ends; resumes after `Last-Event-ID`. 204 "
        "when the run has ended and everything was seen. The data of each is the document described here.",
    ),
)  # fmt: skip
