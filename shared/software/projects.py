"""What goes over the wire about requests for software: the models of codegen's API, which the SDK shares.

Money is integer micro-dollars, times are aware UTC, ids are UUIDs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.software.source import EngineName
from shared.software.verification import Check

ProjectState = Literal["running", "completed", "failed", "cancelled"]


def _those_that_are_available(schema: dict[str, Any]) -> None:
    """Name the languages in the JSON Schema; a request for another one is refused with them by codegen."""
    from shared.software.languages import AVAILABLE_LANGUAGES

    schema["enum"] = list(AVAILABLE_LANGUAGES)


class ProjectRequest(BaseModel):
    """The body of `POST /v1/projects`."""

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "request": "A library of temperature conversions: from Celsius to Fahrenheit and back.",
                    "language": "python",
                }
            ]
        },
    )

    request: str = Field(min_length=1, max_length=20_000, description="What is wanted, in plain English.")
    language: str = Field(
        "python",
        min_length=1,
        max_length=32,
        description="The implementation's language.",
        json_schema_extra=_those_that_are_available,
    )
    engine: Literal["builtin", "model"] | None = Field(
        None, description="`builtin` keeps language models out; `model` or nothing takes what each layer has."
    )


class ProjectQuery(BaseModel):
    """The query of `GET /v1/projects`."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    limit: int = Field(50, ge=1, le=200, description="Projects in a page.")
    cursor: str | None = Field(
        None, pattern="^[A-Za-z0-9_-]{30}[AEIMQUYcgkosw048]$", description="`next_cursor` of the page before."
    )
    state: ProjectState | None = Field(None, description="Only projects in this state.")


class _Out(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)


class NotDone(_Out):
    """A clause of the request that nothing implements, and why."""

    text: str
    reason: str


class ProjectResult(_Out):
    """What came of a request: what was built, what was not, and how it was verified."""

    title: str
    kind: str = Field(description="`api`, `command_line` or `library`.")
    built: list[str] = Field(description="The clauses of the request that are implemented.")
    not_done: list[NotDone]
    verified: bool = Field(description="The project's own linter, types and tests passed in the sandbox.")
    checks: list[Check]
    tests_passed: int
    isolation: str = Field(
        description="`namespaces`, else `landlock`, else `process-group`: the strongest that the kernel allows."
    )
    files: int


class ProjectSummary(_Out):
    """A request for software as it stands in a list."""

    id: UUID
    run_id: UUID = Field(description="The run of neurons that makes it: see /v1/runs/{run_id}.")
    request: str
    language: str
    state: ProjectState
    reason: str | None = Field(description="Why it failed or was cancelled.")
    engine: EngineName | None = Field(description="What made it; null while it runs.")
    artefact_id: UUID | None = Field(description="The archive of what was made.")
    cost_microdollars: int
    created_at: datetime
    finished_at: datetime | None


class Project(ProjectSummary):
    """A request for software, with its result once the run has ended."""

    result: ProjectResult | None


class ProjectPage(_Out):
    """A page of projects, newest first."""

    projects: list[ProjectSummary]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last one.")


class ProjectOffering(BaseModel):
    """The body of `POST /v1/projects/{project_id}/offer`."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    organisation: UUID = Field(description="The organisation that may take the project.")


class ProjectOffer(_Out):
    """A project that another organisation may take."""

    project_id: UUID
    organisation: UUID = Field(description="Whose the project is: whoever takes it must name it.")
    offered_to: UUID


class ProjectAcceptance(BaseModel):
    """The body of `POST /v1/projects/accepted`."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    organisation: UUID = Field(description="The organisation that offered the project.")
    project_id: UUID


class Artefact(_Out):
    """What is known of an archive; its bytes are at `/v1/artefacts/{artefact_id}/content`."""

    id: UUID
    run_id: UUID
    media_type: str
    sha256: str = Field(description="Hexadecimal.")
    size: int = Field(description="Bytes.")
    engine: EngineName
    created_at: datetime
