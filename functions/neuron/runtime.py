"""The runtime of steps: claim, work, complete.

    runtime = Runtime(store, registry, engine_of, settings)
    await runtime.work(org_id, origin, data, process) # step.requested
    await runtime.answer(org_id, origin, data)        # step.answered, by a delegated executor

A step is claimed in one transaction, worked on outside any, and completed in another. One that needs nothing but the
input in its request, and may cost nothing, is worked on first, then claimed and completed in one transaction; it is
claimed beforehand as soon as its work turns out to last. Promises: whatever the number and order of deliveries, and
wherever the process dies, a step's completion is written once; a request that cannot be worked on just now raises, so
that it is delivered again; work for a step that somebody else does now is thrown away; nothing is paid for a step that
is not claimed. Does not: know any process or body.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from pydantic import ValidationError
from pydantic_core import to_json

from functions.neuron import points
from functions.neuron.contracts import (
    Answer,
    BrokenRuleError,
    delegated_answer,
    delegated_key,
    described_children,
    given_up,
    json_of,
    plain_output,
    work_of,
)
from functions.neuron.lease import UNCLAIMED_SECONDS, Lease, LeaseLost
from functions.neuron.ledger import JournalLedger
from functions.neuron.transitions import Held
from shared import deadlines
from shared.chaos import point
from shared.neurons import Backward, BudgetExhausted, Builtin, Complete, Fail, Spawn, Thought, Work
from shared.neurons.engine import NoAnswer
from shared.neurons.threads import in_thread
from shared.telemetry import counter, histogram, logger, span

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from events.catalogue.neuron import StepAnswered, StepFailed, StepRequested
    from functions.neuron.settings import NeuronSettings
    from functions.neuron.store import Store
    from functions.neuron.transitions import Claim, Origin
    from shared.neurons import Body, Engine, Ledger, Process, Registry, Reply

_log = logger(__name__)
_steps = counter("hal9_neuron_steps_total", "Steps worked on, by what became of them.", ("outcome",))
_seconds = histogram("hal9_neuron_work_seconds", "Seconds that a body and its engine worked, by layer.", ("layer",))

_RETRY_SECONDS: Final = 2.0


class TryLater(Exception):  # noqa: N818 - what is to be done
    """The step's request must be delivered again.

    Attributes:
        seconds: Not before.
    """

    def __init__(self, seconds: float = _RETRY_SECONDS) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


class Runtime:
    """Runs steps of any process.

    Args:
        store: Where runs are.
        registry: The processes.
        engine_of: The engine configured for a layer.
        settings: Lease and limits.
        unclaimed_seconds: How long a step may be worked on before it is claimed.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        engine_of: Callable[[str], Engine],
        settings: NeuronSettings,
        unclaimed_seconds: float = UNCLAIMED_SECONDS,
    ) -> None:
        self._store = store
        self._registry = registry
        self._engine_of = engine_of
        self._settings = settings
        self._unclaimed_seconds = unclaimed_seconds

    async def work(self, org_id: UUID, origin: Origin, data: StepRequested, process: str | None = None) -> str:
        """Do a step: `done`, or why there was nothing to do (`dropped`, `seen`, `stale`).

        Args:
            org_id: The organisation.
            origin: Where the request comes from.
            data: The request.
            process: The step's process, when the request says that it carries the input of the step's first try.

        Raises:
            TryLater: It cannot be done just now.
        """
        point(points.CLAIM_BEFORE)
        lease = Lease(
            self._store,
            self._settings.lease_seconds,
            lambda: self._claim(org_id, origin, data),
            self._unclaimed_seconds,
        )
        carried = None if process is None else self._carried(process, data)
        try:
            if carried is None:
                verdict = await self._claimed(lease, origin)
            else:
                verdict = await self._at_once(lease, org_id, origin, data, *carried)
        except LeaseLost:
            verdict = "stale"
        except (Exception, asyncio.CancelledError):
            # Whatever it was, the step must not wait for its lease to run out.
            if lease.claim is not None:
                with contextlib.suppress(Exception), deadlines.no_deadline():
                    await asyncio.wait_for(self._store.release(lease.claim.held, origin), 5.0)
            raise
        _steps.add(verdict)
        if verdict == "lost":
            raise TryLater
        return verdict

    async def _claim(self, org_id: UUID, origin: Origin, data: StepRequested) -> Claim | None:
        claim = await self._store.claim(
            org_id, origin, data.run_id, data.step_id, data.epoch, data.phase, self._settings.lease_seconds
        )
        if claim is not None:
            point(points.CLAIM_COMMITTED)
        return claim

    async def _claimed(self, lease: Lease, origin: Origin) -> str:
        """Claim a step, work on it while its lease is kept, then write what came out."""
        claim = await lease.take()
        if claim is None:
            return "dropped"
        process = self._process(claim)
        async with lease:
            answer = await self._answer(process, claim)
        if answer is None:
            verdict = await self._store.delegate(claim.held, origin)
            point(points.COMPLETION_COMMITTED)
            return verdict
        point(points.WORKED)
        return await self._completed(process, claim, origin, answer)

    def _process(self, claim: Claim) -> Process:
        process = self._registry.get(claim.process)
        if process is None:
            # Another release of this function may know it.
            _log.warning("process unknown", process=claim.process)
            raise TryLater
        return process

    async def _completed(self, process: Process, claim: Claim, origin: Origin, answer: Answer) -> str:
        verdict = await self._written(process, claim.held, claim.depth, claim.phase, origin, answer)
        point(points.COMPLETION_COMMITTED)
        return verdict

    def _carried(self, name: str, data: StepRequested) -> tuple[Body[Any, Any], Work[Any]] | None:
        """The body and its work, when they are in the request and nothing about them can cost money."""
        process = self._registry.get(name)
        try:
            body = None if process is None else process.body(data.body)
        except KeyError:
            return None
        if body is None or body.work is None or body.unavailable or data.phase > 0:
            return None
        if body.question is not None and not isinstance(self._engine_of(body.layer), Builtin):
            return None
        try:
            # As JSON again: some types are read from JSON only, and a claimed step's input is JSON as well.
            given = body.input.model_validate_json(to_json(data.input))
        except ValidationError:
            return None
        return body, Work(input=given, run_id=data.run_id, path=data.path)

    async def _at_once(
        self, lease: Lease, org_id: UUID, origin: Origin, data: StepRequested, body: Body[Any, Any], work: Work[Any]
    ) -> str:
        """Work on a step that is not claimed, then claim and complete it in one transaction.

        What is more than a completion is written as that of any claimed step.
        """
        begun = time.perf_counter()
        async with lease:
            with span("neuron.work", body=body.name, path=data.path, phase=0):
                answer = await self._worked(body, work, Builtin(), _NothingToSpend())
        seconds = time.perf_counter() - begun
        _seconds.observe(seconds, body.layer)
        point(points.WORKED)
        output = plain_output(answer) if lease.claim is None else None
        if output is not None:
            point(points.COMPLETION_BEFORE)
            verdict = await self._store.claim_and_complete(
                org_id, origin, data.run_id, data.step_id, data.epoch,
                output, answer.engine, answer.note or None, seconds,
            )  # fmt: skip
            point(points.COMPLETION_COMMITTED)
            return verdict
        claim = await lease.take()
        if claim is None:
            return "dropped"
        return await self._completed(self._process(claim), claim, origin, given_up(claim) or answer)

    async def _answer(self, process: Process, claim: Claim) -> Answer | None:
        """Find what a claimed step answers; None when it must be delegated."""
        try:
            body = process.body(claim.body)
        except KeyError:
            return Answer(Fail(f"the process {process.name} has no neuron {claim.body} any more", "body-unknown"))
        surrender = given_up(claim)
        if surrender is not None:
            return surrender
        if body.unavailable:
            return Answer(Fail(body.unavailable, "unavailable"))
        if body.delegated:
            return await self._recalled(body, claim)
        begun = time.perf_counter()
        with span("neuron.work", body=claim.body, path=claim.path, phase=claim.phase):
            answer = await self._thought_and_done(process, body, claim)
        _seconds.observe(time.perf_counter() - begun, body.layer)
        return answer

    async def _recalled(self, body: Body[Any, Any], claim: Claim) -> Answer | None:
        key = delegated_key(
            claim.held.org_id, claim.origin_id, claim.path, claim.generation, claim.revision, claim.input
        )
        known = await self._store.recall(claim.held.org_id, key)
        if known is None:
            return None
        from events.catalogue.neuron import StepAnswered

        return delegated_answer(body, StepAnswered.model_validate_json(known[0]), None)

    async def _thought_and_done(self, process: Process, body: Body[Any, Any], claim: Claim) -> Answer:
        try:
            work = work_of(process, body, claim)
        except (ValidationError, KeyError) as error:
            # Another release of this function may have written it, and can read it.
            _log.exception("stored work unreadable", body=claim.body)
            raise TryLater from error
        engine = Builtin() if claim.engine == "builtin" else self._engine_of(body.layer)
        return await self._worked(body, work, engine, JournalLedger(self._store, claim))

    async def _worked(self, body: Body[Any, Any], work: Work[Any], engine: Engine, ledger: Ledger) -> Answer:
        """Ask the engine what the body asks, then let the body work."""
        try:
            thought = await self._thought(body, work, engine, ledger)
            if thought is not None:
                work = msgspec.structs.replace(work, thought=thought)
            result = _worker(body)(work) if body.brief else await in_thread(_worker(body), work)
        except (NoAnswer, BudgetExhausted) as error:
            code = "budget-exhausted" if isinstance(error, BudgetExhausted) else "no-engine"
            return Answer(Fail(f"{body.name}: {error}", code))
        except (LeaseLost, TryLater):
            raise
        except Exception as error:  # noqa: BLE001 - a body is pure: it would raise the same again
            _log.exception("body failed", body=body.name)
            return Answer(Fail(f"the neuron {body.name} failed unexpectedly ({type(error).__name__})", "body-error"))
        if isinstance(result, Complete) and not isinstance(result.output, body.output):
            found, wanted = type(result.output).__name__, body.output.__name__
            return Answer(Fail(f"the neuron {body.name} gave a {found}, its contract says {wanted}", "contract"))
        if thought is None:
            return Answer(result)
        return Answer(result, thought.engine, thought.note)

    async def _thought(
        self, body: Body[Any, Any], work: Work[Any], engine: Engine, ledger: Ledger
    ) -> Thought[Any] | None:
        question = body.question(work) if body.question is not None else None
        if question is None:
            return None
        try:
            return await engine.think(question, ledger)
        except (NoAnswer, BudgetExhausted) as without:
            if question.builtin is None:
                raise
            note = str(without)
        except LeaseLost:
            raise
        except Exception as error:
            # An engine's fault may pass: another try, unless the built-in can do without it.
            _log.exception("engine failed", body=body.name)
            if question.builtin is None:
                raise TryLater from error
            note = f"the engine failed ({type(error).__name__})"
        return Thought(await in_thread(question.builtin), "builtin", note=note)

    async def _written(
        self, process: Process, held: Held, depth: int, phase: int, origin: Origin, answer: Answer
    ) -> str:
        """Write a step's answer; one that breaks the rules is written as a failure."""
        result, engine, journal = answer.result, answer.engine, answer.journal
        point(points.COMPLETION_BEFORE)
        try:
            if isinstance(result, Complete):
                output = json_of(result.output)
                return await self._store.complete(held, origin, output, engine, answer.note or None, journal)
            if isinstance(result, Spawn):
                return await self._spawned(process, held, depth, phase, origin, answer, result)
            if isinstance(result, Backward):
                return await self._sent_back(process, held, origin, answer, result)
            output_even_so = None if result.output is None else json_of(result.output)
        except BrokenRuleError as broken:
            result, output_even_so, journal = Fail(str(broken), broken.code), None, None
        return await self._store.fail(held, origin, result.code, result.reason[:4000], output_even_so, engine, journal)

    async def _spawned(
        self, process: Process, held: Held, depth: int, phase: int, origin: Origin, answer: Answer, spawn: Spawn
    ) -> str:
        children = described_children(process, spawn.children, depth, phase, self._settings)
        memo = None if spawn.memo is None else json_of(spawn.memo)
        verdict = await self._store.spawn(
            held, origin, memo, children, answer.engine, answer.note or None, self._settings.max_steps
        )
        if verdict == "too-many-steps":
            raise BrokenRuleError("limit", f"the run would have more than {self._settings.max_steps} steps")
        if verdict == "key-taken":
            raise BrokenRuleError("contract", "a child was spawned under a key that another child has")
        return verdict

    async def _sent_back(
        self, process: Process, held: Held, origin: Origin, answer: Answer, result: Backward[Any]
    ) -> str:
        if not any(signal.severity == "error" for signal in result.signals):
            raise BrokenRuleError("contract", "a backward signal needs at least one error")
        output = None if result.output is None else json_of(result.output)
        return await self._store.backward(
            held, origin, result.signals, output, answer.engine,
            settles=process.exhausted == "settle", journal=answer.journal,
        )  # fmt: skip

    async def answer(self, org_id: UUID, origin: Origin, data: StepAnswered) -> str:
        """Take a delegated step's answer: `done`, or why it does not count (`seen`, `stale`)."""
        row = await self._store.delegated(org_id, data.run_id, data.step_id, data.epoch)
        if row is None:
            return "stale"
        process = self._registry.get(row["process"])
        if process is None:
            raise TryLater
        key = delegated_key(org_id, row["origin_id"], row["path"], row["generation"], row["revision"], row["input"])
        try:
            body = process.body(row["body"])
        except KeyError:
            answer = Answer(Fail(f"the process {process.name} has no neuron {row['body']} any more", "body-unknown"))
        else:
            answer = delegated_answer(body, data, key)
        point(points.ANSWER_BEFORE)
        held = Held(org_id, data.run_id, data.step_id, data.epoch, None)
        verdict = await self._written(process, held, 0, 0, origin, answer)
        point(points.ANSWER_COMMITTED)
        return verdict

    async def undelivered(self, org_id: UUID, origin: Origin, data: StepFailed) -> str:
        """Fail a step whose request ended in the dead letters, unless it has moved on."""
        point(points.UNDELIVERED_BEFORE)
        verdict = await self._store.undelivered(
            org_id, origin, data.run_id, data.step_id, data.epoch, data.phase, data.reason[:4000]
        )
        point(points.UNDELIVERED_COMMITTED)
        return verdict


class _NothingToSpend:
    """The ledger of a step that nobody has claimed: nothing can be paid for it."""

    async def call(
        self, request: str, most_microdollars: int, make: Callable[[], Awaitable[Reply]], most_tokens: int = 0
    ) -> Reply:
        """Refuse.

        Raises:
            BudgetExhausted: Always.
        """
        del request, most_microdollars, make, most_tokens
        raise BudgetExhausted("run")


def _worker(body: Body[Any, Any]) -> Callable[[Work[Any]], Any]:
    if body.work is None:
        raise ValueError(f"the body {body.name} has no work")
    return body.work
