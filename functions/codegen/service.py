"""The use cases of projects and artefacts: ask for software, take the end of its run, read what came of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import ValidationError

from events import catalogue, inbox, outbox
from events.catalogue.codegen import ProjectCompleted, ProjectFailed
from events.catalogue.neuron import RunCompleted, RunRequested
from functions.codegen import store
from functions.codegen.models import PROCESS, Ending, NewProject, derived_id
from shared import cursors
from shared.chaos import point, register
from shared.identifiers import new_id
from shared.objects import ObjectMissingError, key
from shared.problems import Problem
from shared.problems import register as register_problem
from shared.quotas import RUNS, exceeded
from shared.quotas.usage import QuotaExceededError, Use, take
from shared.software.languages import AVAILABLE_LANGUAGES, unavailable_language
from shared.software.projects import Artefact, NotDone, Project, ProjectPage, ProjectRequest, ProjectResult
from shared.software.source import EngineName

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from events import CloudEvent
    from events.catalogue.neuron import RunCancelled, RunFailed
    from functions.codegen.resources import Resources
    from shared.database.pool import Transaction
    from shared.software.delivery import Delivery
    from shared.software.projects import ProjectState

register_problem(
    "language-unavailable",
    422,
    "That language is not available",
    "Ask for one of the languages that `available` names.",
)
register_problem("project-unknown", 404, "There is no such project", "List your projects to find its id.")
register_problem("artefact-unknown", 404, "There is no such artefact", "Look its id up in the project or the run.")
register_problem(
    "artefact-lost",
    404,
    "The store of objects does not have the artefact's bytes",
    "Ask whoever runs the platform to bring them back: a restored database comes without them. Or ask for it anew.",
)
register_problem("artefact-missing", 409, "There is no archive yet", "Wait until the project's run has ended.")
register_problem(
    "idempotency-key-reused",
    409,
    "That idempotency key stands for another request",
    "Use a new Idempotency-Key for each new request.",
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT_BYTES, _ID_BYTES = 7, 16

_START_BEFORE = register(
    "project.start.before_commit", "A project and its run's event are written, not committed: neither is there after."
)
_START_AFTER = register(
    "project.start.committed", "A project is committed, its run's event not published: the sweep publishes it."
)
_END_BEFORE = register(
    "project.end.before_commit", "A project's end is written, not committed: the event is delivered again."
)
_END_AFTER = register(
    "project.end.committed", "A project's end is committed, not acknowledged: the inbox drops the event's duplicate."
)


def checked(request: ProjectRequest) -> ProjectRequest:
    """Give the request back when it can be served.

    Raises:
        Problem: 422 `language-unavailable`.
    """
    refusal = unavailable_language(request.language)
    if refusal is not None:
        raise Problem("language-unavailable", detail=f"{refusal}.", available=list(AVAILABLE_LANGUAGES))
    return request


async def start(resources: Resources, org_id: UUID, request: ProjectRequest, idempotency_key: str | None) -> Project:
    """Enter a request for software and ask for its run; the same key gives the same project.

    Raises:
        Problem: 422 `language-unavailable`; 409 `idempotency-key-reused`; 402 `quota-exceeded`.
    """
    checked(request)
    project_id = new_id() if idempotency_key is None else derived_id(org_id, "project", idempotency_key)
    return await enter(resources, org_id, request, project_id)


async def enter(
    resources: Resources, org_id: UUID, request: ProjectRequest, project_id: UUID, cause: CloudEvent | None = None
) -> Project:
    """Enter a project under an id, once, together with the event that asks for its run.

    Raises:
        Problem: 409 `idempotency-key-reused` when that id stands for another request; 402 `quota-exceeded`.
    """
    new = NewProject(project_id, new_id(), request.request, request.language, request.engine)
    allowed = await resources.allowance(org_id, RUNS)
    # The run is counted here, so that whoever asks is refused at once; the neuron that starts it finds it counted.
    use = Use(resources.source, "neuron", str(new.run_id), 1)

    async def work(tx: Transaction) -> Project:
        if await store.enter_project(tx, org_id, new, resources.clock.now()):
            await outbox.add(tx, _run_requested(resources, org_id, new, cause))
            await take(tx, org_id, use, allowed)
        point(_START_BEFORE)
        project = await store.project(tx, org_id, project_id)
        chosen = await store.engine_choice(tx, org_id, project_id)
        if project is None:
            raise RuntimeError("a project that was just entered is not there")
        if (project.request, project.language, chosen) != (new.request, new.language, new.engine_choice):
            raise Problem("idempotency-key-reused")
        return project

    try:
        project = await resources.shards.run(org_id, work, idempotent=True)
    except QuotaExceededError as error:
        raise exceeded(error.allowance) from None
    point(_START_AFTER)
    resources.relay.after_commit(org_id)
    return project


def _run_requested(resources: Resources, org_id: UUID, new: NewProject, cause: CloudEvent | None) -> CloudEvent:
    return catalogue.new(
        RunRequested(
            run_id=new.run_id,
            process=PROCESS,
            input={"request": new.request, "language": new.language},
            engine=new.engine_choice,
        ),
        id=f"{new.run_id}/requested",
        subject=str(new.run_id),
        org_id=org_id,
        source=resources.source,
        cause=cause,
        partitionkey=str(new.run_id),
    )


async def end(
    resources: Resources, org_id: UUID, event: CloudEvent, data: RunCompleted | RunFailed | RunCancelled
) -> None:
    """Take the end of a run: note it at its project, and tell it. Runs that are no project's are left alone."""
    ending = _ending(data)

    async def work(tx: Transaction) -> None:
        if not await inbox.first(tx, event):
            return
        project_id = await store.end_project(tx, org_id, data.run_id, ending, resources.clock.now())
        if project_id is not None and ending.state != "cancelled":
            await outbox.add(tx, await _told(resources, tx, org_id, project_id, event))
        point(_END_BEFORE)

    await resources.shards.run(org_id, work, idempotent=True)
    point(_END_AFTER)
    resources.relay.after_commit(org_id)


def _ending(data: RunCompleted | RunFailed | RunCancelled) -> Ending:
    delivery = _delivery(getattr(data, "output", None))
    state: ProjectState = "failed"
    if isinstance(data, RunCompleted):
        state = "completed"
    elif not hasattr(data, "output"):
        state = "cancelled"
    return Ending(
        state=state,
        reason=getattr(data, "reason", None),
        engine=None if delivery is None else delivery.engine,
        artefact_id=None if delivery is None else delivery.verification.artefact_id,
        result=None if delivery is None else _result(delivery),
        cost_microdollars=data.cost_microdollars,
    )


def _delivery(output: Any) -> Delivery | None:
    """Read a run's output; a run that failed early has none."""
    from shared.software.delivery import Delivery  # with the models of specifications: when a run has ended

    try:
        return None if output is None else Delivery.model_validate(output)
    except ValidationError:
        return None


def _result(delivery: Delivery) -> ProjectResult:
    from shared.software.specification import ClauseStatus

    specification, verification = delivery.specification, delivery.verification
    return ProjectResult(
        title=specification.title,
        kind=specification.kind,
        built=[clause.text for clause in specification.clauses if clause.status is ClauseStatus.DONE],
        not_done=[
            NotDone(text=clause.text, reason=clause.reason)
            for clause in specification.clauses
            if clause.status is ClauseStatus.NOT_DONE
        ],
        verified=verification.verified,
        checks=list(verification.checks),
        tests_passed=verification.tests_passed,
        isolation=verification.isolation,
        files=delivery.files,
    )


async def _told(resources: Resources, tx: Transaction, org_id: UUID, project_id: UUID, cause: CloudEvent) -> CloudEvent:
    project = await store.project(tx, org_id, project_id)
    if project is None:
        raise RuntimeError("a project that was just ended is not there")
    return catalogue.new(
        _outcome(project),
        id=f"{project_id}/{project.state}",
        subject=str(project_id),
        org_id=org_id,
        source=resources.source,
        cause=cause,
        partitionkey=str(project.run_id),
    )


def _outcome(project: Project) -> ProjectCompleted | ProjectFailed:
    if project.state != "completed" or project.artefact_id is None or project.result is None:
        return ProjectFailed(
            project_id=project.id, run_id=project.run_id, reason=project.reason or "The run made no project."
        )
    return ProjectCompleted(
        project_id=project.id,
        run_id=project.run_id,
        artefact_id=project.artefact_id,
        language=project.language,
        engine=(project.engine or EngineName.BUILTIN).value,
        verified=project.result.verified,
        not_done=tuple(clause.text for clause in project.result.not_done),
        cost_microdollars=project.cost_microdollars,
    )


async def show(resources: Resources, org_id: UUID, project_id: UUID) -> Project:
    """Give a project.

    Raises:
        Problem: 404 `project-unknown`.
    """
    found = await resources.shards.run(org_id, lambda tx: store.project(tx, org_id, project_id), readonly=True)
    if found is None:
        raise Problem("project-unknown")
    return found


async def page(resources: Resources, org_id: UUID, *, limit: int, cursor: str | None, state: str | None) -> ProjectPage:
    """List projects, newest first.

    Raises:
        Problem: 422 `cursor-invalid`.
    """
    before = None if cursor is None else _read_cursor(cursor)
    found = await resources.shards.run(
        org_id, lambda tx: store.projects(tx, org_id, limit=limit + 1, before=before, state=state), readonly=True
    )
    more = len(found) > limit
    return ProjectPage(projects=found[:limit], next_cursor=_cursor(found[limit - 1]) if more else None)


def _cursor(last: Any) -> str:
    """Write a project's place in the order: 7 bytes of microseconds since 1970, then its id."""
    microseconds = (last.created_at - _EPOCH) // timedelta(microseconds=1)
    return cursors.write(microseconds.to_bytes(_MOMENT_BYTES, "big") + last.id.bytes)


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    place = cursors.read(cursor, _MOMENT_BYTES + _ID_BYTES)
    moment = _EPOCH + timedelta(microseconds=int.from_bytes(place[:_MOMENT_BYTES], "big"))
    return moment, UUID(bytes=place[_MOMENT_BYTES:])


async def artefact(resources: Resources, org_id: UUID, artefact_id: UUID) -> Artefact:
    """Give what is known of an artefact.

    Raises:
        Problem: 404 `artefact-unknown`.
    """
    found = await resources.shards.run(org_id, lambda tx: store.artefact(tx, org_id, artefact_id), readonly=True)
    if found is None:
        raise Problem("artefact-unknown")
    return found


async def content(resources: Resources, org_id: UUID, artefact_id: UUID) -> AsyncIterator[bytes]:
    """Give an artefact's bytes, in pieces, once the first one was read: until then it can still be said that none are.

    Raises:
        Problem: 404 `artefact-lost`.
    """
    pieces = resources.objects.get(object_key(org_id, artefact_id))
    try:
        first = await anext(pieces, b"")
    except ObjectMissingError:
        raise Problem("artefact-lost") from None
    return _following(first, pieces)


async def _following(first: bytes, others: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in others:
        yield piece


def object_key(org_id: UUID, artefact_id: UUID) -> str:
    """Name the object that holds an artefact's bytes."""
    return key(org_id, "artefacts", f"{artefact_id}.tar.gz")
