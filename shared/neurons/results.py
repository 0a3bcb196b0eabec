"""What a body answers: the output, children to spawn, a backward signal, or a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from shared.neurons.signals import Signal

OutputT = TypeVar("OutputT", bound="BaseModel")


class Complete(msgspec.Struct, Generic[OutputT], frozen=True):
    """The step is done; its parent's count goes down by one.

    Attributes:
        output: An instance of the body's output model.
    """

    output: OutputT


class Child(msgspec.Struct, frozen=True):
    """A step to start under this one.

    Attributes:
        key: The child's name under its parent, unique among all children of that parent in the run:
            `[a-z0-9._-]{1,64}`.
        body: The name of a body of the same process.
        input: An instance of that body's input model.
        optional: A failure of the child does not fail the parent: the parent is joined and finds it in `work.failures`.
    """

    key: str
    body: str
    input: BaseModel
    optional: bool = False


class Spawn(msgspec.Struct, frozen=True):
    """Start children; the body is called again, one phase on, when all of them have ended.

    Attributes:
        children: At least one.
        memo: What the body wants to find again as `work.memo` in the next phase (an instance of the body's memo model).
    """

    children: Sequence[Child]
    memo: BaseModel | None = None


class Backward(msgspec.Struct, Generic[OutputT], frozen=True):
    """Something made earlier is wrong: the blamed steps run again with the signals, and everything that rested on them.

    Attributes:
        signals: At least one with severity `error`.
        output: What this step has to say even so (a report). When the caps on revisions are exhausted and the process
            says `settle`, the step completes with it and its parent finds `child.exhausted`.
    """

    signals: Sequence[Signal]
    output: OutputT | None = None


class Fail(msgspec.Struct, Generic[OutputT], frozen=True):
    """The step cannot be done, and trying again would not help.

    Attributes:
        reason: One sentence for whoever started the run.
        code: A stable word for machines.
        output: What there is even so; a root that fails with an output gives the run that output, with the state
            `failed`.
    """

    reason: str
    code: str = "failed"
    output: OutputT | None = None


Result = Complete[OutputT] | Spawn | Backward[OutputT] | Fail[OutputT]


class Outcome(msgspec.Struct, frozen=True):
    """How a child ended, as its parent sees it at the join.

    Attributes:
        key: The child's key.
        path: The child's path in the tree: what a signal's `blame_step` names.
        body: The name of its body.
        output: Its output (an instance of its body's output model), None when it failed without one.
        engine: Which engine made it: `builtin`, `model` or `repaired`.
        exhausted: It still had signals to send, but the caps on revisions were exhausted; `signals` are those.
        signals: Warnings, and what was left when the caps were exhausted.
        failure: The reason, when it failed (only optional children's failures reach a join).
    """

    key: str
    path: str
    body: str
    output: BaseModel | None
    engine: str = "builtin"
    exhausted: bool = False
    signals: tuple[Signal, ...] = msgspec.field(default=())
    failure: str | None = None
