"""Events around requests for software."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from events.catalogue import EventData, event_type


@event_type("ai.hal9.codegen.project.requested", permission="projects.create")
class ProjectRequested(EventData):
    """Someone asks for software. Customers may publish it; `POST /v1/projects` sends it as well."""

    request: str = Field(min_length=1, max_length=20_000, description="What is wanted, in plain English.")
    language: str = Field("python", min_length=1, max_length=32, description="The implementation's language.")
    engine: Literal["builtin", "model"] | None = Field(
        None, description="`builtin` keeps language models out; None takes what is configured."
    )
    project_id: UUID | None = Field(None, description="The project's id; made from the event's id when it is left out.")


@event_type("ai.hal9.codegen.project.completed")
class ProjectCompleted(EventData):
    """A project was made and verified; its archive can be downloaded."""

    project_id: UUID
    run_id: UUID
    artefact_id: UUID
    language: str
    engine: Literal["model", "builtin", "repaired"] = Field(description="Which engine made it.")
    verified: bool = Field(description="Linter, types and tests passed in the sandbox.")
    not_done: tuple[str, ...] = Field((), description="Clauses of the request that nothing implements.")
    cost_microdollars: int = Field(0, ge=0)


@event_type("ai.hal9.codegen.project.failed")
class ProjectFailed(EventData):
    """A project will not be made, or did not pass its verification."""

    project_id: UUID
    run_id: UUID | None = None
    reason: str = Field(description="One sentence.")
    code: str = Field("failed", description="A stable word for machines.")
