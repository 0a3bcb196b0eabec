"""Requests for software."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID, uuid4

from shared.client.errors import ApiError, checked
from shared.client.pages import each
from shared.client.transport import IDEMPOTENCY_KEY
from shared.software.projects import (
    Project,
    ProjectAcceptance,
    ProjectOffer,
    ProjectOffering,
    ProjectPage,
    ProjectRequest,
    ProjectState,
    ProjectSummary,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.client.runs import Runs
    from shared.client.transport import Transport
    from shared.neurons.wire import RunEvent


_MOST_IN_VAIN: Final = 12
_NOT_FOUND: Final = 404


class Projects:
    """`/v1/projects`."""

    def __init__(self, transport: Transport, runs: Runs) -> None:
        self._transport = transport
        self._runs = runs

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
        body = checked(ProjectRequest, request=request, language=language, engine=engine)
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

    def watch(self, project_id: UUID | str) -> Iterator[RunEvent]:
        """Give what the neurons do for a project as they do it, until its run has ended.

        The run begins a moment after its project was taken; until then it is waited for.

        Raises:
            ApiError: There is no such project, or its run did not begin.
            UnreachableError: The API did not come back.
        """
        run_id = self.get(project_id).run_id
        for number in range(1, _MOST_IN_VAIN + 1):
            try:
                yield from self._runs.watch(run_id)
            except ApiError as error:
                if error.status != _NOT_FOUND or number == _MOST_IN_VAIN:
                    raise
                self._transport.pause(number, error)
            else:
                return

    def download(self, project_id: UUID | str, path: Path) -> int:
        """Write the archive (tar.gz) of what was made to a file, and give its length in bytes."""
        size = 0
        with self._transport.stream(f"/v1/projects/{UUID(str(project_id))}/archive") as answer, path.open("wb") as file:
            for chunk in answer.iter_bytes():
                size += file.write(chunk)
        return size

    def offer(self, project_id: UUID | str, organisation: UUID | str) -> ProjectOffer:
        """Offer a project to another organisation; whoever may transfer projects there can take it.

        Args:
            project_id: One whose run has ended.
            organisation: The other organisation's id.
        """
        body = checked(ProjectOffering, organisation=UUID(str(organisation)))
        return self._transport.model(ProjectOffer, "POST", f"/v1/projects/{UUID(str(project_id))}/offer", body=body)

    def withdraw(self, project_id: UUID | str) -> None:
        """Take an offer back."""
        self._transport.request("DELETE", f"/v1/projects/{UUID(str(project_id))}/offer")

    def accept(self, project_id: UUID | str, organisation: UUID | str) -> Project:
        """Take a project that an organisation offered; taking it again gives the same project.

        Args:
            project_id: The project.
            organisation: The id of the organisation that offered it.
        """
        body = checked(ProjectAcceptance, organisation=UUID(str(organisation)), project_id=UUID(str(project_id)))
        return self._transport.model(Project, "POST", "/v1/projects/accepted", body=body)
