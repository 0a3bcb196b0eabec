"""Requests for software."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid4

from shared.client.pages import each
from shared.client.transport import IDEMPOTENCY_KEY
from shared.software.projects import Project, ProjectPage, ProjectRequest, ProjectState, ProjectSummary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.client.transport import Transport


class Projects:
    """`/v1/projects`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        request: str,
        *,
        language: str = "python",
        engine: Literal["builtin", "model"] | None = None,
        idempotency_key: str | None = None,
    ) -> Project:
        """Ask for software; the answer comes at once, the work goes on.

        Args:
            request: What is wanted, in plain English.
            language: What it is to be written in.
            engine: `builtin` keeps language models out of it.
            idempotency_key: The same key gives the same project; made up when None.
        """
        body = ProjectRequest(request=request, language=language, engine=engine)
        headers = {IDEMPOTENCY_KEY: idempotency_key or str(uuid4())}
        return self._transport.model(Project, "POST", "/v1/projects", body=body, headers=headers)

    def get(self, project_id: UUID | str) -> Project:
        """Show a project and what came of it."""
        return self._transport.model(Project, "GET", f"/v1/projects/{UUID(str(project_id))}")

    def page(self, *, limit: int = 50, cursor: object | None = None, state: ProjectState | None = None) -> ProjectPage:
        """Give one page of projects, the newest first."""
        query = {"limit": limit, "cursor": cursor, "state": state}
        return self._transport.model(ProjectPage, "GET", "/v1/projects", query=query)

    def list(self, *, state: ProjectState | None = None) -> Iterator[ProjectSummary]:
        """Give every project, the newest first."""
        return each(
            lambda cursor: self.page(cursor=cursor, state=state),
            lambda page: page.projects,
            lambda page: page.next_cursor,
        )

    def download(self, project_id: UUID | str, path: Path) -> int:
        """Write the archive (tar.gz) of what was made to a file, and give its length in bytes."""
        size = 0
        with self._transport.stream(f"/v1/projects/{UUID(str(project_id))}/archive") as answer, path.open("wb") as file:
            for chunk in answer.iter_bytes():
                size += file.write(chunk)
        return size
