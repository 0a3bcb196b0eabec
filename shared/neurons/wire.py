"""What goes over the wire between those who start runs and the function `neuron`, which the SDK shares.

Money is integer micro-dollars, times are aware UTC, ids are UUIDv7.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

RunState = Literal["running", "completed", "failed", "cancelled"]
StepState = Literal["requested", "running", "waiting", "delegated", "completed", "failed", "cancelled", "superseded"]
EngineChoice = Literal["builtin", "model"]

ENDED: frozenset[str] = frozenset({"completed", "failed", "cancelled"})
"""The states in which a run changes no more."""


class _In(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class _Out(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)


class Limits(_In):
    """Caps of one run; what is left out is the process's default."""

    cost_microdollars: int | None = Field(None, ge=0, le=10**12, description="Hard cap on what the run may spend.")
    revisions_per_step: int | None = Field(None, ge=0, le=100, description="How often signals may send one step back.")
    revisions_per_run: int | None = Field(None, ge=0, le=1000, description="How often in the whole run.")
    deadline_seconds: float | None = Field(None, gt=0, le=86_400, description="The run fails when it is not done then.")


class RunRequest(_In):
    """The body of `POST /v1/runs`."""

    process: str = Field(min_length=1, max_length=100, description="The kind of run, for example `software`.")
    input: dict[str, Any] = Field(description="The input of the process's root neuron.")
    limits: Limits = Field(default_factory=Limits)
    engine: EngineChoice | None = Field(
        None,
        description="`builtin` keeps language models out of the run; `model` or nothing takes what each layer has.",
    )


class RunQuery(_In):
    """The query of `GET /v1/runs`."""

    limit: int = Field(50, ge=1, le=200, description="Runs in a page.")
    cursor: str | None = Field(
        None, pattern="^[A-Za-z0-9_-]{21}[AQgw]$", description="`next_cursor` of the page before."
    )
    process: str | None = Field(None, max_length=100, description="Only runs of this process.")
    state: RunState | None = Field(None, description="Only runs in this state.")


class EventsQuery(_In):
    """The query of `GET /v1/runs/{run_id}/events`."""

    after: int = Field(
        0, ge=0, le=10**18, description="Only events after this sequence; the header Last-Event-ID goes before it."
    )


class SignalView(_Out):
    """A backward signal that sent a step back, or was left when the caps were exhausted."""

    blame_step: str = Field(description="Path of the blamed step.")
    from_step: str = Field(description="Path of the step that found the fault.")
    contract_path: str
    diagnostic: str
    severity: Literal["error", "warning"]
    hint: str
    revision: int = Field(description="The revision of the blamed step that the signal led to.")


class StepView(_Out):
    """One step of a run."""

    id: UUID
    parent_id: UUID | None
    path: str = Field(description="Place in the tree: `/` is the root, `/api/python` a grandchild.")
    body: str = Field(description="Name of the neuron.")
    executor: str = Field(description="The deployment that does it.")
    state: StepState
    phase: int
    epoch: int = Field(description="Goes up with every new try; answers to earlier epochs are dropped.")
    revision: int = Field(description="How often backward signals sent it back.")
    engine: str | None = Field(description="What made its output: builtin, model or repaired.")
    note: str | None = Field(description="Why the built-in took over from a model.")
    failure: str | None
    cost_microdollars: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RunSummary(_Out):
    """A run as it stands in a list."""

    id: UUID
    process: str
    state: RunState
    reason: str | None = Field(description="Why it failed or was cancelled.")
    code: str | None = Field(description="The same for machines.")
    replay_of: UUID | None = Field(description="The run whose journal this run replays, at no cost.")
    cost_microdollars: int = Field(description="Spent so far.")
    reserved_microdollars: int = Field(description="Held for calls under way.")
    cost_cap_microdollars: int
    steps: int = Field(description="Steps made so far, superseded ones as well.")
    revisions: int
    created_at: datetime
    finished_at: datetime | None
    deadline_at: datetime


class Run(RunSummary):
    """A run with its tree."""

    input: Any
    output: Any
    engine: str | None = Field(
        description="`builtin`, `model` or `repaired`: the least built-in of its steps' engines."
    )
    tree: list[StepView] = Field(description="Live steps, parents before children; superseded ones are left out.")
    signals: list[SignalView]
    last_event: int = Field(description="Sequence of the newest event: where a stream may begin.")


class RunPage(_Out):
    """A page of runs, newest first."""

    runs: list[RunSummary]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last one.")


class RunEvent(_Out):
    """One line of a run's live stream; `sequence` is the SSE id."""

    sequence: int
    type: str = Field(
        description="run.started, run.completed, run.failed, run.cancelled; step.requested, step.started, "
        "step.waiting, step.delegated, step.completed, step.failed, step.cancelled, step.superseded, step.revised, "
        "step.retried."
    )
    at: datetime
    step_id: UUID | None = None
    path: str | None = None
    body: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)
