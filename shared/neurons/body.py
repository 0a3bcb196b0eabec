"""Bodies: what a neuron does.

A body is a pure function of its work: the same input, phase, children's outputs and signals give the same result, with
no clock, no randomness and no input or output of its own. That is what makes a crash harmless (the step runs again) and
a replay exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel

from shared.neurons.layers import LAYERS, executor_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from shared.neurons.engine import Question, Thought
    from shared.neurons.results import Outcome, Result
    from shared.neurons.signals import Signal

InputT = TypeVar("InputT", bound=BaseModel)
OutputT = TypeVar("OutputT", bound=BaseModel)


class Work(msgspec.Struct, Generic[InputT], frozen=True):
    """One call of a body.

    Attributes:
        input: An instance of the body's input model.
        phase: 0 at first; one more after every join. Back to 0 in a new revision, back to the joining phase when a
            child is revised.
        children: How the children of the phase just joined, and of all phases before it, ended, by key.
        signals: The backward signals that blame this step, oldest first; empty in revision 0.
        revision: How often this step was sent back by signals.
        memo: What the previous phase left with `Spawn(memo=…)`.
        thought: The engine's answer, when the body asked a question in this phase.
        run_id: The run.
        path: This step's path in the tree: `/` for the root, `/api/python` for a grandchild.
    """

    input: InputT
    phase: int = 0
    children: Mapping[str, Outcome] = msgspec.field(default_factory=dict)
    signals: tuple[Signal, ...] = ()
    revision: int = 0
    memo: Any = None
    thought: Thought[Any] | None = None
    run_id: UUID | None = None
    path: str = "/"

    @property
    def failures(self) -> dict[str, str]:
        """The optional children that failed: key -> reason."""
        return {key: child.failure for key, child in self.children.items() if child.failure is not None}


Worker = Callable[[Work[InputT]], "Result[OutputT]"]
Asker = Callable[[Work[InputT]], "Question[Any] | None"]


class Body(msgspec.Struct, Generic[InputT, OutputT], frozen=True):
    """A neuron: a typed contract and what fulfils it.

    Attributes:
        name: Unique in its process, for example `architect`.
        layer: `l4`, `l3` or `l2`; any other name delegates the step to that function's deployment (then `work` stays
            None).
        input: The contract's input model.
        output: The contract's output model.
        summary: One sentence about what it does.
        work: The built-in engine: work -> result. Runs in a thread, unless it is `brief`.
        question: What to ask an engine before `work` is called in a phase, or None for nothing.
        memo: The model of what `Spawn(memo=…)` carries from phase to phase.
        deadline_seconds: How long a delegated executor has for an answer before the sweep asks again.
        attempts: How often the step is tried in a revision (crashes, lost leases, delegated deadlines) before it fails.
        unavailable: Why this body cannot be used yet; a step that needs it fails with this sentence.
        brief: Whatever its input, `work` takes well under a millisecond. It then runs without a thread: handing work to
            one and waiting for it costs more than that.
    """

    name: str
    layer: str
    input: type[InputT]
    output: type[OutputT]
    summary: str
    work: Worker[InputT, OutputT] | None = None
    question: Asker[InputT] | None = None
    memo: type[BaseModel] | None = None
    deadline_seconds: float = 300.0
    attempts: int = 12
    unavailable: str = ""
    brief: bool = False

    def __post_init__(self) -> None:
        if self.delegated == (self.work is not None) and not self.unavailable:
            raise ValueError(f"the body {self.name!r} on {self.layer!r} needs `work`, unless another function does it")

    @property
    def delegated(self) -> bool:
        """Whether another function does the work."""
        return self.layer not in LAYERS

    @property
    def executor(self) -> str:
        """The deployment that executes it: the value of the event's `executor`."""
        return executor_of(self.layer)
