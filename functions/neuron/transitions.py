"""What transitions of runs and steps are told, and what they give: plain values between the use cases and the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.neurons import Body


class Origin(msgspec.Struct, frozen=True):
    """Where a transition comes from: what its events will say.

    Attributes:
        source: The events' `source`.
        trace: `traceparent`, empty for none.
        cause: Id of the event that led to it, empty for none.
        event_source: That event's source, for the inbox; None when no event asked for it.
        event_id: That event's id, for the inbox; None when no event asked for it.
    """

    source: str
    trace: str = ""
    cause: str = ""
    event_source: str | None = None
    event_id: str | None = None


class Held(msgspec.Struct, frozen=True):
    """A step as its holder knows it.

    Attributes:
        org_id: The organisation.
        run_id: The run.
        step_id: The step.
        epoch: The epoch that is worked on.
        token: The lease's token; None for a delegated step, which has none.
    """

    org_id: UUID
    run_id: UUID
    step_id: UUID
    epoch: int
    token: UUID | None


class Claim(msgspec.Struct, frozen=True):
    """A claimed step with everything that its body needs; JSON is still text."""

    held: Held
    process: str
    engine: str | None
    origin_id: UUID
    replay: bool
    body: str
    path: str
    depth: int
    generation: int
    revision: int
    phase: int
    attempts: int
    max_attempts: int
    delegated: bool
    input: str
    memo: str | None
    children: Sequence[tuple[Any, ...]]
    signals: Sequence[str]


class Waiting(msgspec.Struct, frozen=True):
    """A step that waits to be begun: the one of its organisation that has waited longest."""

    org_id: UUID
    run_id: UUID
    step_id: UUID
    epoch: int
    phase: int
    body: str
    path: str


class Start(msgspec.Struct, frozen=True):
    """A run to start.

    Attributes:
        run_id: Its id; starting it twice is starting it once.
        origin_id: Whose journal it uses: its own id, unless it is a replay.
        replay_of: The run that it replays.
        process: The kind of run.
        engine: What the caller allows.
        input: The root's input, JSON.
        subject: Who started it.
        correlation: What the caller wants to find in the run's events.
        key: Idempotency key.
        request_hash: What the key stands for.
        cost_cap: Micro-dollars.
        per_step: Cap on revisions of a step.
        per_run: Cap on revisions of the run.
        deadline_seconds: From now.
        body: The root's body; None when `fault` says why there is none.
        fault: Why the run is born failed: (code, reason).
    """

    run_id: UUID
    origin_id: UUID
    replay_of: UUID | None
    process: str
    engine: str | None
    input: str
    subject: str
    correlation: str | None
    key: str | None
    request_hash: bytes | None
    cost_cap: int
    per_step: int
    per_run: int
    deadline_seconds: float
    body: Body[Any, Any] | None
    fault: tuple[str, str] | None = None
