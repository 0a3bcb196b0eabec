"""The HTTP routes of codegen."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from functions.codegen import archive as archive_format
from functions.codegen import service, transfer
from shared.function import Call, Operation, answer, idempotency_header, idempotency_key
from shared.problems import Problem
from shared.software.projects import (
    Artefact,
    Project,
    ProjectAcceptance,
    ProjectOffer,
    ProjectOffering,
    ProjectPage,
    ProjectQuery,
    ProjectRequest,
)

if TYPE_CHECKING:
    from starlette.responses import Response


async def create(call: Call) -> Response:
    """Take a request for software."""
    project = await service.start(call.resources, call.principal.org_id, call.body, idempotency_key(call))
    return answer(project, 202, {"Location": f"/v1/projects/{project.id}"})


async def index(call: Call) -> Response:
    """List projects."""
    query: ProjectQuery = call.query
    found = await service.page(
        call.resources, call.principal.org_id, limit=query.limit, cursor=query.cursor, state=query.state
    )
    return answer(found)


async def show(call: Call) -> Response:
    """Show a project."""
    project_id = _identifier(call.path["project_id"], "project-unknown")
    return answer(await service.show(call.resources, call.principal.org_id, project_id))


async def archive(call: Call) -> Response:
    """Send the archive of a project."""
    project_id = _identifier(call.path["project_id"], "project-unknown")
    project = await service.show(call.resources, call.principal.org_id, project_id)
    if project.artefact_id is None:
        raise Problem("artefact-missing")
    return await _content(call, project.artefact_id)


async def offer(call: Call) -> Response:
    """Offer a project to another organisation."""
    project_id = _identifier(call.path["project_id"], "project-unknown")
    body: ProjectOffering = call.body
    return answer(await transfer.offer(call.resources, call.principal.org_id, project_id, body.organisation))


async def withdraw(call: Call) -> Response:
    """Take an offer back."""
    from starlette.responses import Response

    project_id = _identifier(call.path["project_id"], "project-unknown")
    await transfer.withdraw(call.resources, call.principal.org_id, project_id)
    return Response(status_code=204)


async def accept(call: Call) -> Response:
    """Take a project that was offered."""
    body: ProjectAcceptance = call.body
    return answer(await transfer.accept(call.resources, call.principal.org_id, body.organisation, body.project_id))


async def artefact(call: Call) -> Response:
    """Show an artefact."""
    artefact_id = _identifier(call.path["artefact_id"], "artefact-unknown")
    return answer(await service.artefact(call.resources, call.principal.org_id, artefact_id))


async def content(call: Call) -> Response:
    """Send an artefact's bytes."""
    return await _content(call, _identifier(call.path["artefact_id"], "artefact-unknown"))


async def _content(call: Call, artefact_id: UUID) -> Response:
    from starlette.responses import StreamingResponse

    org_id = call.principal.org_id
    found = await service.artefact(call.resources, org_id, artefact_id)
    headers = {
        "Content-Length": str(found.size),
        "Content-Disposition": f'attachment; filename="{artefact_id}.tar.gz"',
        "ETag": f'"{found.sha256}"',
    }
    chunks = await service.content(call.resources, org_id, artefact_id)
    return StreamingResponse(chunks, 200, headers, found.media_type)


def _identifier(text: str, slug: str) -> UUID:
    """Read an id; what is none names nothing, exactly as an id that nobody has."""
    try:
        return UUID(text)
    except ValueError:
        raise Problem(slug) from None


OPERATIONS = (
    Operation(
        "POST",
        "/v1/projects",
        "projects.create",
        create,
        "Ask for software",
        request=ProjectRequest,
        responses={202: Project, 402: None},
        headers=idempotency_header("project"),
        description="Starts a run of neurons that turns plain English into a tested project. The answer comes at once; "
        "follow the run at `/v1/runs/{run_id}/events`. The same `Idempotency-Key` gives the same project.",
        tags=("projects",),
    ),
    Operation(
        "GET",
        "/v1/projects",
        "projects.read",
        index,
        "List projects, newest first",
        query=ProjectQuery,
        responses={200: ProjectPage},
        tags=("projects",),
    ),
    Operation(
        "GET",
        "/v1/projects/{project_id}",
        "projects.read",
        show,
        "Show a project and what came of it",
        responses={200: Project},
        tags=("projects",),
    ),
    Operation(
        "GET",
        "/v1/projects/{project_id}/archive",
        "artefacts.read",
        archive,
        "Download what was made, as a tar.gz",
        responses={200: None, 409: None},
        produces=archive_format.MEDIA_TYPE,
        tags=("projects",),
        streaming=True,
    ),
    Operation(
        "POST",
        "/v1/projects/{project_id}/offer",
        "projects.transfer",
        offer,
        "Offer a project to another organisation",
        request=ProjectOffering,
        responses={200: ProjectOffer, 404: None, 409: None},
        description="Whoever may transfer projects there can take it; nothing changes before. A later one replaces it.",
        tags=("projects",),
    ),
    Operation(
        "DELETE",
        "/v1/projects/{project_id}/offer",
        "projects.transfer",
        withdraw,
        "Take an offer back",
        responses={204: None, 404: None},
        tags=("projects",),
    ),
    Operation(
        "POST",
        "/v1/projects/accepted",
        "projects.transfer",
        accept,
        "Take a project that was offered",
        request=ProjectAcceptance,
        responses={200: Project, 402: None, 404: None, 409: None},
        description="The project and its artefacts change hands in one transaction over both organisations; its run "
        "and what it cost stay with who paid for it. Taking it twice gives the same project.",
        tags=("projects",),
    ),
    Operation(
        "GET",
        "/v1/artefacts/{artefact_id}",
        "artefacts.read",
        artefact,
        "Show an artefact",
        responses={200: Artefact},
        tags=("artefacts",),
    ),
    Operation(
        "GET",
        "/v1/artefacts/{artefact_id}/content",
        "artefacts.read",
        content,
        "Download an artefact's bytes",
        responses={200: None},
        produces=archive_format.MEDIA_TYPE,
        tags=("artefacts",),
        streaming=True,
    ),
)
