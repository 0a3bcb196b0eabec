"""The architect (L4): plain English in, a verified project out.

Phase 0 reads the request into a specification (a language model may, the built-in grammar always can) and sets the
designers to work. Phase 1 joins what they and their implementers made and asks for its verification. Phase 2 delivers.
Faults that the verifier finds go to the steps that are to blame; the architect sees only what is left when the caps on
revisions are reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from shared.neurons.body import Body
from shared.neurons.engine import Question
from shared.neurons.results import Child, Complete, Fail, Spawn
from shared.neurons.signals import Signal
from shared.software.delivery import Delivery, SoftwareRequest
from shared.software.designs import DesignerInput, DesignerOutput
from shared.software.languages import unavailable_language
from shared.software.source import EngineName, SourceFile, SourceTree, foremost
from shared.software.specification import Specification
from shared.software.verification import Verification, VerificationInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.neurons.body import Work
    from shared.neurons.results import Outcome, Result

DESIGNERS: Final = {"api": "api-designer", "database": "database-designer", "tests": "test-designer"}
VERIFIER: Final = "verifier"
_DEADLINE_SECONDS: Final = 300.0


class Reading(BaseModel):
    """What the request was read into: a specification, or the sentence that says why there can be none."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    specification: Specification | None = None
    refusal: str = ""


class Plan(BaseModel):
    """What the architect keeps from phase to phase."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    specification: Specification
    engine: EngineName = EngineName.BUILTIN
    files: int = 0


INSTRUCTIONS: Final = """You turn a customer's request for software into its specification, as JSON.
Name entities in the singular and fields in snake_case, as the request names them. A reference field is named after what
it refers to. Derive types from names and from what is said. Put every business rule into `rules`, every computed date
into `derivations`, every life cycle into a state machine. Give an HTTP service its conventional endpoints. Copy the
request into `request` unchanged. List every clause of the request in `clauses` with its text unchanged, and with JSON
pointers to what implements it; a clause that nothing implements is not_done, with a reason for the customer. Claim
nothing that the specification does not hold. If the request asks for nothing that software can keep or compute, leave
`specification` null and say so in `refusal`."""


def question(work: Work[SoftwareRequest]) -> Question[Reading] | None:
    """Ask for the specification, in phase 0 only."""
    if work.phase != 0:
        return None
    request = work.input.request
    signals = "\n".join(f"- {signal.contract_path or '/'}: {signal.diagnostic}" for signal in work.signals)
    faults = f"\n\nYour last specification led to these faults:\n{signals}" if signals else ""
    return Question(
        answer=Reading,
        instructions=INSTRUCTIONS,
        prompt=f"The request:\n{request}{faults}",
        builtin=lambda: read(request),
        check=lambda answer: _unfaithful(answer, request),
    )


def read(request: str) -> Reading:
    """Read a request with the built-in grammar."""
    from functions.neuron import reading  # only this layer needs the grammar, at its first request

    try:
        return Reading(specification=reading.read(request))
    except reading.UnreadableError as error:
        return Reading(refusal=str(error))


def _unfaithful(answer: Reading, request: str) -> Sequence[Signal]:
    """Find where a specification does not stand for the request: clauses that are not in it, or that overlap."""
    if answer.specification is None:
        missing = "" if answer.refusal else "there is neither a specification nor a refusal"
        return [Signal(blame_step=".", contract_path="/refusal", diagnostic=missing)] if missing else []
    if answer.specification.request != request:
        return [
            Signal(
                blame_step=".",
                contract_path="/specification/request",
                diagnostic="the request was changed",
                hint="Copy the request unchanged.",
            )
        ]
    return [
        Signal(
            blame_step=".",
            contract_path=f"/specification/clauses/{i}",
            diagnostic=f"{clause.text!r} does not stand at {clause.start}..{clause.end} of the request",
        )
        for i, clause in enumerate(answer.specification.clauses)
        if request[clause.start : clause.end] != clause.text
    ]


def architect(work: Work[SoftwareRequest]) -> Result[Delivery]:
    """Do one phase of the architect's work."""
    if work.phase == 0:
        return _plan(work)
    plan = work.memo
    if not isinstance(plan, Plan):
        return Fail("The architect lost its plan between two phases.", code="plan-lost")
    return _verify(work, plan) if work.phase == 1 else _deliver(work, plan)


def _plan(work: Work[SoftwareRequest]) -> Result[Delivery]:
    refusal = unavailable_language(work.input.language)
    if refusal is not None:
        return Fail(f"{refusal}.", code="language-unavailable")
    answer = work.thought.value if work.thought is not None else read(work.input.request)
    if not isinstance(answer, Reading) or answer.specification is None:
        reason = answer.refusal if isinstance(answer, Reading) else "The request could not be read."
        return Fail(reason, code="request-unreadable")
    specification = answer.specification
    task = DesignerInput(specification=specification, language=work.input.language)
    bodies = {**DESIGNERS, **({"frontend": "frontend-designer"} if specification.pages else {})}
    engine = EngineName(work.thought.engine) if work.thought is not None else EngineName.BUILTIN
    return Spawn(
        [Child(key=key, body=body, input=task, optional=key == "frontend") for key, body in bodies.items()],
        memo=Plan(specification=specification, engine=engine),
    )


def _verify(work: Work[SoftwareRequest], plan: Plan) -> Result[Delivery]:
    designs = [child for child in work.children.values() if isinstance(child.output, DesignerOutput)]
    try:
        tree = _joined(designs)
    except ValueError as error:
        return Fail(f"What the designers' implementers wrote does not fit together: {error}", code="tree-conflict")
    engine = foremost([plan.engine, *(file.engine for file in tree.files)])
    return Spawn(
        [Child(key="verification", body=VERIFIER, input=VerificationInput(language=work.input.language, tree=tree))],
        memo=plan.model_copy(update={"engine": engine, "files": len(tree.files)}),
    )


def _joined(designs: Iterable[Outcome]) -> SourceTree:
    """Put the designers' trees together; a file that names no step gets its designer's."""
    trees = []
    for child in designs:
        if isinstance(child.output, DesignerOutput):
            files = tuple(_signed(file, child.path) for file in child.output.tree.files)
            trees.append(SourceTree(files=files))
    return SourceTree.join(trees)


def _signed(file: SourceFile, step: str) -> SourceFile:
    return file if file.step else file.model_copy(update={"step": step})


def _deliver(work: Work[SoftwareRequest], plan: Plan) -> Result[Delivery]:
    verification = work.children["verification"].output
    if not isinstance(verification, Verification):
        return Fail("The verification gave no report.", code="unverified")
    delivery = Delivery(
        specification=plan.specification, verification=verification, engine=plan.engine, files=plan.files
    )
    if verification.verified:
        return Complete(delivery)
    failed = ", ".join(check.name for check in verification.checks if not check.passed) or "the checks"
    return Fail(f"The project was written, but {failed} did not pass.", code="unverified", output=delivery)


ARCHITECT: Final = Body(
    name="architect",
    layer="l4",
    input=SoftwareRequest,
    output=Delivery,
    summary="Reads a request into a specification, sets designers to work, has the result verified and delivers it.",
    work=architect,
    question=question,
    memo=Plan,
)

VERIFICATION: Final = Body(
    name=VERIFIER,
    layer="codegen",
    input=VerificationInput,
    output=Verification,
    summary="Runs the project's own linter, types and tests in a sandbox.",
    deadline_seconds=_DEADLINE_SECONDS,
)
