"""Engines: what answers the question that a body may ask.

A body itself is a pure function. Where it needs judgement (to read plain English, to fill a typed hole) it asks a
*question*: a prompt, the pydantic model of the answer, and the built-in answer. The runtime gives the question to the
engine configured for the layer, before it calls the body, and the body finds the answer in `work.thought`. So a body
never knows whether a language model answered, and every artefact can say which engine made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

import msgspec
from pydantic import BaseModel

from shared.neurons.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.neurons.ledger import Ledger
    from shared.neurons.signals import Signal

EngineName = Literal["builtin", "model", "repaired"]
AnswerT = TypeVar("AnswerT", bound=BaseModel)


def _no_faults(_answer: BaseModel) -> Sequence[Signal]:
    return ()


class Question(msgspec.Struct, Generic[AnswerT], frozen=True):
    """What a body wants to know before it works.

    Attributes:
        answer: The contract of the answer: its JSON Schema constrains a model, its validation checks it.
        instructions: The system prompt: role, rules, examples.
        prompt: The task itself.
        builtin: The deterministic answer, always there and offline; None for a body that only a model can serve (then
            no model, or no budget, fails the step).
        check: Faults that the schema cannot see; each with severity `error` sends the answer back for repair.
            `blame_step` of these is `.`.
    """

    answer: type[AnswerT]
    instructions: str
    prompt: str
    builtin: Callable[[], AnswerT] | None
    check: Callable[[AnswerT], Sequence[Signal]] = _no_faults


class Thought(msgspec.Struct, Generic[AnswerT], frozen=True):
    """An engine's answer.

    Attributes:
        value: The answer, valid under the question's contract and check.
        engine: `builtin`; `model`; `repaired` (a model's answer that needed at least one backward signal).
        model: The model's name, empty for the built-in.
        note: Why the built-in took over from a model, empty when it did not.
    """

    value: AnswerT
    engine: EngineName
    model: str = ""
    note: str = ""


class NoAnswer(Exception):  # noqa: N818 - a state of affairs, not a fault of the program
    """No engine could answer: the step fails with this sentence."""


class Engine(Protocol):
    """Answers questions. Implementations: `Builtin` here; the model engine with its providers."""

    async def think(self, question: Question[AnswerT], ledger: Ledger) -> Thought[AnswerT]:
        """Answer a question; calls that cost something go through the ledger.

        Raises:
            NoAnswer: The question has no built-in answer and no model gave a valid one.
            BudgetExhausted: The question has no built-in answer and a cap is reached.
        """
        ...


class Builtin:
    """The engine that is always there: it gives the question's own deterministic answer, for nothing."""

    async def think(self, question: Question[AnswerT], ledger: Ledger) -> Thought[AnswerT]:
        """Give `question.builtin()`."""
        del ledger
        if question.builtin is None:
            raise NoAnswer("this step needs a language model and none is configured for its layer")
        # It may be real work, a grammar for instance: it must not hold up the event loop.
        return Thought(await in_thread(question.builtin), "builtin")
