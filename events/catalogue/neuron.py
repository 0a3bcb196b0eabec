"""Events of runs and steps. Money is integer micro-dollars."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from events.catalogue import EventData, event_type


class RunLimits(EventData):
    """Caps of one run; what is left out is the process's default."""

    cost_microdollars: int | None = Field(None, ge=0)
    revisions_per_step: int | None = Field(None, ge=0)
    revisions_per_run: int | None = Field(None, ge=0)
    deadline_seconds: float | None = Field(None, gt=0)


class BackwardSignal(EventData):
    """A fault that a later step found in what an earlier one made."""

    blame_step: str = Field(
        max_length=1000, description="Path of the step to blame, absolute or relative to the sender."
    )
    contract_path: str = Field(
        "", max_length=1000, description="JSON pointer (RFC 6901) into the blamed step's output."
    )
    diagnostic: str = Field(max_length=16_000)
    severity: Literal["error", "warning"] = "error"
    hint: str = Field("", max_length=4000)


@event_type("ai.hal9.neuron.run.requested")
class RunRequested(EventData):
    """A run of a process is asked for; `run_id` makes asking twice the same run."""

    run_id: UUID
    process: str = Field(min_length=1, max_length=100)
    input: dict[str, Any]
    limits: RunLimits = RunLimits()
    engine: Literal["builtin", "model"] | None = None


@event_type("ai.hal9.neuron.run.completed")
class RunCompleted(EventData):
    """A run is done."""

    run_id: UUID
    process: str
    output: Any
    engine: Literal["model", "builtin", "repaired"] = "builtin"
    cost_microdollars: int = Field(0, ge=0)
    replay_of: UUID | None = Field(None, description="The run that this one replayed, at no cost.")


@event_type("ai.hal9.neuron.run.failed")
class RunFailed(EventData):
    """A run will not be done."""

    run_id: UUID
    process: str
    reason: str
    code: str = "failed"
    output: Any = Field(None, description="What there is even so, such as a project that did not verify.")
    cost_microdollars: int = Field(0, ge=0)
    replay_of: UUID | None = None


@event_type("ai.hal9.neuron.run.cancelled")
class RunCancelled(EventData):
    """A run was cancelled by whoever may."""

    run_id: UUID
    process: str
    reason: str = "cancelled"
    cost_microdollars: int = Field(0, ge=0)
    replay_of: UUID | None = None


@event_type("ai.hal9.neuron.step.requested")
class StepRequested(EventData):
    """A step is to be done by the executor that the extension `executor` names."""

    run_id: UUID
    step_id: UUID
    epoch: int = Field(ge=0, description="Goes up with every new try; answers to earlier ones are dropped.")
    phase: int = Field(0, ge=0)
    body: str = Field(description="Name of the neuron's body.")
    path: str = Field("/", max_length=2000, description="Place of the step in the run's tree.")
    input: Any = Field(
        None,
        description="For delegated executors, and where the extension `process` names the step's process; "
        "otherwise it is read from the shard.",
    )
    deadline: dt.datetime | None = Field(None, description="When a delegated step is given up.")


@event_type("ai.hal9.neuron.step.answered")
class StepAnswered(EventData):
    """What a delegated executor answers."""

    run_id: UUID
    step_id: UUID
    epoch: int = Field(ge=0)
    outcome: Literal["completed", "backward", "failed"]
    output: Any = Field(None, description="Its output; with signals, the report that stands when they come to nothing.")
    signals: tuple[BackwardSignal, ...] = ()
    reason: str | None = Field(None, max_length=4000, description="Why it failed.")
    code: str = Field("failed", max_length=100, description="The same for machines.")
    engine: Literal["model", "builtin", "repaired"] = "builtin"
    cost_microdollars: int = Field(0, ge=0)


@event_type("ai.hal9.neuron.step.failed")
class StepFailed(EventData):
    """A step's event ended in the dead letters, so that nobody will do it."""

    run_id: UUID
    step_id: UUID
    epoch: int = Field(ge=0)
    phase: int = Field(0, ge=0)
    reason: str
