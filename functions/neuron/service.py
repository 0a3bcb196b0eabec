"""The use cases of runs: start, show, list, cancel, replay, watch."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
from pydantic import ValidationError

from functions.neuron import points
from functions.neuron.transitions import Origin, Start
from shared import cursors
from shared.chaos import point
from shared.identifiers import new_id
from shared.neurons.wire import ENDED, Limits, Run, RunEvent, RunPage, RunRequest, RunSummary, SignalView, StepView
from shared.problems import Problem, register
from shared.quotas import RUNS, exceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from events.catalogue.neuron import RunRequested
    from functions.neuron.store import Store
    from shared.clock import Clock
    from shared.neurons import Process, Registry
    from shared.replicas.lsn import Bookmark

register("process-unknown", 422, "There is no such process", "Name one of the processes that `processes` lists.")
register(
    "input-invalid",
    422,
    "The input does not fit the process",
    "Correct every fault that `errors` names (JSON pointers into `input`), then send it again.",
)
register(
    "idempotency-mismatch",
    409,
    "This Idempotency-Key stands for another request",
    "Use a new key for a new request; the same key only to repeat the very same one.",
)
register("run-ended", 409, "The run has ended", "Read the run: it is in the state that `state` names.")

_ID_BYTES: Final = 16
_STREAM_BATCH: Final = 500
_SHORTEST_POLL: Final = 0.05
_LONGEST_POLL: Final = 0.5
_END_OF_RUN: Final = frozenset(f"run.{state}" for state in ENDED)


class Runs:
    """Runs of an organisation.

    Args:
        store: Where they are.
        registry: The processes that there are.
        clock: Waits between two looks at a run that is watched.
    """

    def __init__(self, store: Store, registry: Registry, clock: Clock) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock

    async def start(self, org_id: UUID, origin: Origin, subject: str, request: RunRequest, key: str | None) -> Run:
        """Start a run.

        Args:
            org_id: Whose run it is.
            origin: Where it comes from.
            subject: Who starts it.
            request: What is to run.
            key: The same key and request is the same run.

        Raises:
            Problem: 422 `process-unknown`, `input-invalid`; 409 `idempotency-mismatch`; 402 `quota-exceeded`.
        """
        process = self._registry.get(request.process)
        if process is None:
            raise Problem(
                "process-unknown", detail=f"There is no process {request.process!r}.", processes=self._registry.names()
            )
        text, faults = _checked_input(process, request.input)
        if faults:
            count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
            raise Problem("input-invalid", detail=f"The input has {count}.", errors=faults)
        run_id = new_id()
        start = _start(process, run_id, text, subject, request.limits, request.engine)
        if key is not None:
            start = _keyed(start, key, request.model_dump_json())
        return await self._started(org_id, origin, start)

    async def _started(self, org_id: UUID, origin: Origin, start: Start) -> Run:
        point(points.START_BEFORE)
        verdict, run_id = await self._store.start(org_id, origin, start)
        point(points.START_COMMITTED)
        if verdict == "mismatch":
            raise Problem("idempotency-mismatch")
        if verdict == "quota":
            raise exceeded(await self._store.allowance(org_id, RUNS))
        return await self.show(org_id, run_id)

    async def start_requested(self, org_id: UUID, origin: Origin, correlation: str | None, data: RunRequested) -> None:
        """Start a run that an event asks for; one that cannot start is born failed, and says so by its event."""
        process = self._registry.get(data.process)
        limits = Limits.model_validate(data.limits.model_dump())
        if process is None:
            fault = ("process-unknown", f"There is no process {data.process!r}.")
            start = _unstartable(data, fault, correlation)
        else:
            text, faults = _checked_input(process, data.input)
            if faults:
                fault = ("input-invalid", "; ".join(f"{each['pointer']}: {each['detail']}" for each in faults)[:4000])
                start = _unstartable(data, fault, correlation)
            else:
                start = _start(process, data.run_id, text, "event", limits, data.engine, correlation)
        point(points.START_BEFORE)
        verdict, _ = await self._store.start(org_id, origin, start)
        if verdict == "quota":
            refusal = exceeded(await self._store.allowance(org_id, RUNS))
            await self._store.start(org_id, origin, _unstartable(data, (refusal.slug, refusal.detail), correlation))
        point(points.START_COMMITTED)

    async def replay(self, org_id: UUID, origin: Origin, subject: str, run_id: UUID, key: str | None = None) -> Run:
        """Start a new run that takes every paid answer out of another run's journal, and has nothing to spend.

        Raises:
            Problem: 404 `not-found`; 422 `process-unknown` when this release no longer has its process,
                `idempotency-mismatch`; 402 `quota-exceeded`.
        """
        found = await self._store.run(org_id, run_id)
        if found is None:
            raise Problem("not-found", detail="There is no such run.")
        row = found[0]
        process = self._registry.get(row["process"])
        if process is None:
            raise Problem(
                "process-unknown", detail=f"The process {row['process']!r} is gone.", processes=self._registry.names()
            )
        body = process.body(process.root)
        start = Start(
            run_id=new_id(), origin_id=row["origin_id"], replay_of=run_id, process=process.name, engine=row["engine"],
            input=row["input"], subject=subject, correlation=None, key=None, request_hash=None, cost_cap=0,
            per_step=row["revisions_per_step"], per_run=row["revisions_per_run"],
            deadline_seconds=row["deadline_seconds"], body=body,
        )  # fmt: skip
        if key is not None:
            start = _keyed(start, key, f"replay {run_id}")
        return await self._started(org_id, origin, start)

    async def bookmark(self, org_id: UUID) -> Bookmark | None:
        """Give what a later `show` or `page` must be given to see everything written until now; None: needs nothing."""
        return await self._store.bookmark(org_id)

    async def show(self, org_id: UUID, run_id: UUID, after: Bookmark | None = None) -> Run:
        """Give a run with its tree.

        Args:
            org_id: Whose.
            run_id: Which.
            after: A replica will do that has got so far; None: only the primary.

        Raises:
            Problem: 404 `not-found`, for another organisation's run as well.
        """
        found = await self._store.run(org_id, run_id, after)
        if found is None:
            raise Problem("not-found", detail="There is no such run.")
        row, tree, signals = found
        return Run(
            **_summary(row).model_dump(),
            input=json.loads(row["input"]),
            output=None if row["output"] is None else json.loads(row["output"]),
            engine=row["made_by"],
            tree=[_step(step) for step in tree],
            signals=[SignalView(**signal) for signal in signals],
            last_event=row["sequence"],
        )

    async def page(
        self,
        org_id: UUID,
        limit: int,
        cursor: str | None,
        process: str | None,
        state: str | None,
        after: Bookmark | None = None,
    ) -> RunPage:
        """Give a page of runs, newest first; `after` as in `show`.

        Raises:
            Problem: 422 `cursor-invalid`.
        """
        before = None if cursor is None else UUID(bytes=cursors.read(cursor, _ID_BYTES))
        rows = await self._store.runs(org_id, limit + 1, before, process, state, after)
        more = len(rows) > limit
        runs = [_summary(row) for row in rows[:limit]]
        return RunPage(runs=runs, next_cursor=cursors.write(runs[-1].id.bytes) if more else None)

    async def cancel(self, org_id: UUID, origin: Origin, run_id: UUID, subject: str) -> Run:
        """Cancel a run; one that is cancelled already stays so.

        Raises:
            Problem: 404 `not-found`; 409 `run-ended` when it was completed or had failed.
        """
        point(points.CANCEL_BEFORE)
        state = await self._store.cancel(org_id, origin, run_id, f"cancelled by {subject}")
        point(points.CANCEL_COMMITTED)
        if state is None:
            raise Problem("not-found", detail="There is no such run.")
        if state != "cancelled":
            raise Problem("run-ended", detail=f"The run has {state} already.", state=state)
        return await self.show(org_id, run_id)

    async def watch(self, org_id: UUID, run_id: UUID, after: int) -> AsyncIterator[RunEvent | None]:
        """Follow a run's events after a sequence, until the run's end; None from time to time when nothing happens.

        It polls: see docs/decisions/0005-neurons.md. A sequence that is not there yet counts as the last one.

        Raises:
            Problem: 404 `not-found`.
        """
        run = await self.show(org_id, run_id)
        after = min(after, run.last_event)
        if run.state in ENDED and after == run.last_event:
            return
        pause = _SHORTEST_POLL
        while True:
            rows = await self._store.events(org_id, run_id, after, _STREAM_BATCH)
            for row in rows:
                after = row["sequence"]
                yield _event(row)
                if row["type"] in _END_OF_RUN:
                    return
            if rows:
                pause = _SHORTEST_POLL
                continue
            yield None
            await self._clock.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_POLL)


def _checked_input(process: Process, document: Any) -> tuple[str, list[dict[str, str]]]:
    """Read a run's input by its root's contract: JSON as the root will see it, and every fault."""
    try:
        model = process.body(process.root).input.model_validate_json(json.dumps(document))
    except ValidationError as error:
        return "", [
            {
                "pointer": "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in fault["loc"]),
                "detail": fault["msg"].removeprefix("Value error, "),
            }
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    return model.model_dump_json(), []


def _start(
    process: Process,
    run_id: UUID,
    text: str,
    subject: str,
    limits: Limits,
    engine: str | None,
    correlation: str | None = None,
) -> Start:
    def chosen(wanted: Any, default: Any) -> Any:
        return default if wanted is None else wanted

    return Start(
        run_id=run_id, origin_id=run_id, replay_of=None, process=process.name, engine=engine, input=text,
        subject=subject, correlation=correlation, key=None, request_hash=None,
        cost_cap=chosen(limits.cost_microdollars, process.cost_microdollars),
        per_step=chosen(limits.revisions_per_step, process.revisions_per_step),
        per_run=chosen(limits.revisions_per_run, process.revisions_per_run),
        deadline_seconds=chosen(limits.deadline_seconds, process.deadline_seconds),
        body=process.body(process.root),
    )  # fmt: skip


def _keyed(start: Start, key: str, request: str) -> Start:
    return msgspec.structs.replace(start, key=key, request_hash=hashlib.sha256(request.encode()).digest())


def _unstartable(data: RunRequested, fault: tuple[str, str], correlation: str | None) -> Start:
    return Start(
        run_id=data.run_id, origin_id=data.run_id, replay_of=None, process=data.process, engine=data.engine,
        input=json.dumps(data.input), subject="event", correlation=correlation, key=None, request_hash=None, cost_cap=0,
        per_step=0, per_run=0, deadline_seconds=0.0, body=None, fault=fault,
    )  # fmt: skip


def _summary(row: asyncpg.Record) -> RunSummary:
    return RunSummary(
        id=row["id"], process=row["process"], state=row["state"], reason=row["reason"], code=row["code"],
        replay_of=row["replay_of"], cost_microdollars=row["spent"], reserved_microdollars=row["reserved"],
        cost_cap_microdollars=row["cost_cap"], steps=row["steps"], revisions=row["revisions"],
        created_at=row["created_at"], finished_at=row["finished_at"], deadline_at=row["deadline_at"],
    )  # fmt: skip


def _step(row: asyncpg.Record) -> StepView:
    return StepView(**{**row, "cost_microdollars": row["cost"]})


def _event(row: asyncpg.Record) -> RunEvent:
    return RunEvent(
        sequence=row["sequence"], type=row["type"], at=row["at"], step_id=row["step_id"], path=row["path"],
        body=row["body"], data={} if row["data"] is None else json.loads(row["data"]),
    )  # fmt: skip
