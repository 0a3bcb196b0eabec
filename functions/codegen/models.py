"""What codegen's service, store and handlers pass to one another. What goes over the wire is in `shared.software`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from shared.software.projects import ProjectResult, ProjectState
    from shared.software.source import EngineName

PROCESS = "software"
"""The kind of run that makes software."""

VERIFIER = "verifier"
"""The body whose steps are delegated to this function."""

_NAMES = UUID("0b9e35a4-6d33-5d5c-9f0a-3d1b0a4f7d11")


def derived_id(org_id: UUID, *parts: object) -> UUID:
    """Make an id that the same parts of the same organisation always give (UUID version 5)."""
    return uuid5(_NAMES, "/".join([str(org_id), *(str(part) for part in parts)]))


@dataclass(frozen=True, slots=True)
class NewProject:
    """A request for software that is about to be entered."""

    project_id: UUID
    run_id: UUID
    request: str
    language: str
    engine_choice: Literal["builtin", "model"] | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a project's run ended."""

    state: ProjectState
    reason: str | None
    engine: EngineName | None
    artefact_id: UUID | None
    result: ProjectResult | None
    cost_microdollars: int
