"""Steps and their contracts: stored JSON becomes a body's work, and what the body answers becomes what is stored.

Promises: what breaks a contract or a limit is told apart (`BrokenRuleError`), so that it becomes the step's failure.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from functions.neuron.ledger import journal_key
from shared.neurons import Backward, Complete, Fail, Outcome, Signal, Work

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from events.catalogue.neuron import StepAnswered
    from functions.neuron.settings import NeuronSettings
    from functions.neuron.transitions import Claim
    from shared.neurons import Body, Child, Process, Result

_KEY: Final = re.compile(r"[a-z0-9._-]{1,64}")
_NUL: Final = "\\u0000"
_MAX_JSON: Final = 8_000_000
_MAX_DELEGATED_JSON: Final = 900_000
"""A delegated step's input travels in its event, and an event holds 1 MiB."""


class Answer(msgspec.Struct, frozen=True):
    """What is to be written of a step."""

    result: Result[Any]
    engine: str = "builtin"
    note: str = ""
    journal: tuple[bytes, str] | None = None


class BrokenRuleError(Exception):
    """What a step answered breaks a rule; it is written as a failure.

    Attributes:
        code: The failure's.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def work_of(process: Process, body: Body[Any, Any], claim: Claim) -> Work[Any]:
    """Read a claim as its body's work.

    Raises:
        ValidationError: What is stored does not fit the contracts.
        KeyError: A child's body is no longer in the process.
    """
    children: dict[str, Outcome] = {row[0]: outcome_of(row, process.body(row[2])) for row in claim.children}
    memo: Any = claim.memo
    if memo is not None and body.memo is not None:
        memo = body.memo.model_validate_json(memo)
    return Work(
        input=body.input.model_validate_json(claim.input),
        phase=claim.phase,
        children=children,
        signals=tuple(Signal.model_validate_json(text) for text in claim.signals),
        revision=claim.revision,
        memo=memo,
        run_id=claim.held.run_id,
        path=claim.path,
    )


def outcome_of(row: Sequence[Any], body: Body[Any, Any]) -> Outcome:
    """A child's row of a claim as its parent's body sees it."""
    key, path, name, output, engine, failure, exhausted, leftover = row
    return Outcome(
        key=key,
        path=path,
        body=name,
        output=None if output is None else body.output.model_validate_json(output),
        engine=engine,
        exhausted=exhausted,
        signals=tuple(Signal.model_validate(signal) for signal in json.loads(leftover)) if leftover else (),
        failure=failure,
    )


def given_up(claim: Claim) -> Answer | None:
    """What is to be written of a step that was tried too often."""
    if claim.attempts <= claim.max_attempts:
        return None
    return Answer(Fail(f"given up after {claim.max_attempts} attempts", "attempts-exhausted"))


def plain_output(answer: Answer) -> str | None:
    """The JSON of an answer that does no more than complete its step; None of any other."""
    if not isinstance(answer.result, Complete):
        return None
    try:
        return json_of(answer.result.output)
    except BrokenRuleError:
        return None


def described_children(
    process: Process, children: Sequence[Child], depth: int, phase: int, limits: NeuronSettings
) -> list[dict[str, Any]]:
    """Check children against the rules, and describe them for the store.

    Raises:
        BrokenRuleError: They break one.
    """
    keys = [child.key for child in children]
    if not keys or len(set(keys)) != len(keys) or not all(_KEY.fullmatch(key) for key in keys):
        raise BrokenRuleError("contract", "children need keys of [a-z0-9._-], each its own")
    if len(keys) > limits.max_children:
        raise BrokenRuleError("limit", f"more than {limits.max_children} children at once")
    if depth + 1 > limits.max_depth:
        raise BrokenRuleError("limit", f"the tree would be deeper than {limits.max_depth}")
    if phase + 1 > limits.max_phases:
        raise BrokenRuleError("limit", f"more than {limits.max_phases} phases of one step")
    return [_described_child(process, child) for child in children]


def _described_child(process: Process, child: Child) -> dict[str, Any]:
    try:
        body = process.body(child.body)
    except KeyError:
        raise BrokenRuleError("contract", f"the process {process.name} has no neuron {child.body}") from None
    if not isinstance(child.input, body.input):
        raise BrokenRuleError("contract", f"the child {child.key} was given a {type(child.input).__name__}")
    return {
        "key": child.key,
        "body": body.name,
        "executor": body.executor,
        "delegated": body.delegated,
        "optional": child.optional,
        "input": json_of(child.input, _MAX_DELEGATED_JSON if body.delegated else _MAX_JSON),
        "max_attempts": body.attempts,
        "deadline_seconds": body.deadline_seconds,
    }


def json_of(model: object, limit: int = _MAX_JSON) -> str:
    """A model as JSON that every reader on the way takes.

    Raises:
        BrokenRuleError: It is no model, not what its own model says, too large, or holds U+0000.
    """
    if not isinstance(model, BaseModel):
        raise BrokenRuleError("contract", f"a {type(model).__name__} came out, not a model")
    try:
        text = model.model_dump_json(warnings="error")
    except (PydanticSerializationError, ValueError) as error:
        name = type(model).__name__
        raise BrokenRuleError("contract", f"a {name} cannot be written as JSON by its own contract") from error
    if len(text) > limit:
        raise BrokenRuleError("limit", f"a {type(model).__name__} of {len(text)} characters is too large")
    if _NUL in text and _NUL in text.replace("\\\\", ""):
        raise BrokenRuleError("contract", f"a {type(model).__name__} holds U+0000")
    return text


def delegated_key(org_id: UUID, origin_id: UUID, path: str, generation: int, revision: int, request: str) -> bytes:
    """Give the journal's key of a delegated step's answer."""
    return journal_key("delegated", org_id, origin_id, path, generation, revision, request)


def delegated_answer(body: Body[Any, Any], data: StepAnswered, key: bytes | None) -> Answer:
    """Read a delegated executor's answer against the contract.

    A failure is not kept for replays: it lay outside of what was asked (a full disk, no tools), and may be gone then.
    """
    journal = None if key is None or data.outcome == "failed" else (key, data.model_dump_json())
    try:
        output = None if data.output is None else body.output.model_validate(data.output)
        signals = tuple(Signal.model_validate(signal.model_dump()) for signal in data.signals)
    except ValidationError:
        return Answer(Fail(f"{body.executor} answered what {body.name}'s contract does not allow", "contract"))
    result: Result[Any]
    if data.outcome == "backward":
        result = Backward(signals, output)
    elif data.outcome == "failed":
        result = Fail(data.reason or "failed", data.code, output)
    elif output is None:
        result = Fail(f"{body.executor} answered without an output", "contract")
    else:
        result = Complete(output)
    return Answer(result, data.engine, journal=journal)
