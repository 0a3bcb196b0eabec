"""The engine that asks a language model: validate, send back with the faults, and in the end the built-in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from shared.clock import SystemClock
from shared.neurons.engine import Builtin, NoAnswer, Thought
from shared.neurons.ledger import BudgetExhausted, Reply, Unbilled
from shared.neurons.models.provider import Completion, Message, ProviderFault
from shared.neurons.signals import Signal
from shared.telemetry import counter, logger, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.clock import Clock
    from shared.neurons.engine import Question
    from shared.neurons.ledger import Ledger
    from shared.neurons.models.provider import Answer, Provider

AnswerT = TypeVar("AnswerT", bound=BaseModel)

_log = logger(__name__)
_thoughts = counter("hal9_thoughts_total", "Answers to neurons' questions, by the engine that gave them.", ("engine",))
_FENCE: Final = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n?```\s*$", re.DOTALL)
_MOST_FAULTS: Final = 20
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Pricing:
    """What a model costs, in micro-dollars for a million tokens."""

    input_microdollars: int
    output_microdollars: int

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """Give the cost, rounded up: money is never lost by rounding."""
        millionths = input_tokens * self.input_microdollars + output_tokens * self.output_microdollars
        return -(-millionths // 1_000_000)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long the engine tries.

    Attributes:
        maximum_tokens: The most that one answer may have.
        repairs: How often an answer is sent back with its faults.
        tries: How often one call is made in all while the provider says "later".
    """

    maximum_tokens: int = 8192
    repairs: int = 2
    tries: int = 3


class ModelEngine:
    """Answers questions by a language model.

    Args:
        provider: Who has the model.
        model: The provider's name of it.
        pricing: What it costs.
        patience: How often and how long to try.
        clock: Waits between tries.
    """

    def __init__(
        self,
        provider: Provider,
        model: str,
        pricing: Pricing,
        patience: Patience | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._provider = provider
        self._model = model
        self._pricing = pricing
        self._patience = patience or Patience()
        self._clock = clock or SystemClock()

    @property
    def name(self) -> str:
        """The provider and its model."""
        return f"{self._provider.name}/{self._model}"

    async def think(self, question: Question[AnswerT], ledger: Ledger) -> Thought[AnswerT]:
        """Ask the model; then, where that gives nothing valid, the built-in.

        Raises:
            NoAnswer: The model gave no valid answer, and there is no built-in one.
            BudgetExhausted: A cap is reached, and there is no built-in answer.
        """
        try:
            with span("model", model=self.name):
                thought = await self._asked(question, ledger)
        except BudgetExhausted as error:
            if question.builtin is None:
                raise
            thought = await self._fallback(question, ledger, str(error))
        except (ProviderFault, NoAnswer) as error:
            thought = await self._fallback(question, ledger, str(error))
        _thoughts.add(thought.engine)
        return thought

    async def _fallback(self, question: Question[AnswerT], ledger: Ledger, why: str) -> Thought[AnswerT]:
        if question.builtin is None:
            raise NoAnswer(f"{self.name} gave no valid answer ({why}), and this question has no built-in one")
        _log.warning("built-in takes over from a model", model=self.name, reason=why)
        known = await Builtin().think(question, ledger)
        return Thought(known.value, known.engine, note=f"{self.name}: {why}"[:500])

    async def _asked(self, question: Question[AnswerT], ledger: Ledger) -> Thought[AnswerT]:
        messages: tuple[Message, ...] = (Message("user", question.prompt),)
        faults: Sequence[Signal] = ()
        for turn in range(self._patience.repairs + 1):
            reply = await self._called(self._completion(question, messages), ledger)
            value, faults = _read(reply.text, question)
            if value is not None:
                return Thought(value, "model" if turn == 0 else "repaired", model=self.name)
            messages = (*messages, Message("assistant", reply.text or "(nothing)"), Message("user", _complaint(faults)))
        raise NoAnswer(f"{self._patience.repairs + 1} answers broke the contract, the last one: {_first(faults)}")

    def _completion(self, question: Question[Any], messages: tuple[Message, ...]) -> Completion:
        schema = question.answer.model_json_schema()
        return Completion(self._model, question.instructions, messages, schema, self._patience.maximum_tokens)

    async def _called(self, completion: Completion, ledger: Ledger) -> Reply:
        """Make one call through the ledger; again while the provider says "later"."""
        most_input = completion.most_input_tokens()
        most = self._pricing.cost(most_input, completion.maximum_tokens)
        most_tokens = most_input + completion.maximum_tokens
        pause = _FIRST_PAUSE_SECONDS
        for left in reversed(range(self._patience.tries)):
            try:
                return await ledger.call(
                    completion.serialised(), most, lambda: self._made(completion, most), most_tokens
                )
            except _UnbilledFault as error:
                fault = error.fault
            except ProviderFault as error:
                fault = error
            if not fault.passing or left == 0:
                raise fault
            await self._clock.sleep(min(fault.retry_after or pause, _LONGEST_PAUSE_SECONDS))
            pause *= 2
        raise ProviderFault("unavailable", "no try was allowed", billed=False)

    async def _made(self, completion: Completion, most: int) -> Reply:
        try:
            answer = await self._provider.complete(completion)
        except ProviderFault as fault:
            if fault.billed:
                raise
            raise _UnbilledFault(fault) from fault
        return Reply(answer.text, min(self._cost(answer, most), most), self.name, tokens=_tokens(answer))

    def _cost(self, answer: Answer, most: int) -> int:
        """Give what an answer cost; one whose tokens were not counted cost the most that it can."""
        if answer.input_tokens is None or answer.output_tokens is None:
            return most
        return self._pricing.cost(answer.input_tokens, answer.output_tokens)

    async def close(self) -> None:
        """Close the provider's connections."""
        await self._provider.close()


def _tokens(answer: Answer) -> int | None:
    if answer.input_tokens is None or answer.output_tokens is None:
        return None
    return answer.input_tokens + answer.output_tokens


class _UnbilledFault(Unbilled):
    def __init__(self, fault: ProviderFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def _read(text: str, question: Question[AnswerT]) -> tuple[AnswerT | None, Sequence[Signal]]:
    """Read an answer; None with the faults when it breaks the contract or the check."""
    fenced = _FENCE.match(text)
    try:
        value = question.answer.model_validate_json(fenced[1] if fenced else text)
    except ValidationError as error:
        return None, [
            Signal(
                blame_step=".",
                contract_path="".join(f"/{part}" for part in fault["loc"])[:1000],
                diagnostic=fault["msg"][:2000],
            )
            for fault in error.errors(include_url=False, include_input=False, include_context=False)[:_MOST_FAULTS]
        ]
    except RecursionError:
        return None, [Signal(blame_step=".", diagnostic="the answer is nested too deep")]
    found = [signal for signal in question.check(value) if signal.severity == "error"]
    return (None, found) if found else (value, ())


def _complaint(faults: Sequence[Signal]) -> str:
    listed = [
        {
            "path": signal.contract_path or "/",
            "fault": signal.diagnostic,
            **({"hint": signal.hint} if signal.hint else {}),
        }
        for signal in faults[:_MOST_FAULTS]
    ]
    return (
        "That answer was refused. Give the whole answer again with these faults mended, and nothing else:\n"
        + json.dumps(listed, ensure_ascii=False)
    )


def _first(faults: Sequence[Signal]) -> str:
    return f"{faults[0].contract_path or '/'}: {faults[0].diagnostic}"[:300] if faults else "no fault was named"
