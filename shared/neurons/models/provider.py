"""What a provider of language models does: one completion under a JSON Schema, streamed, whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model is asked.

    Attributes:
        model: The provider's name of the model.
        instructions: The system prompt.
        messages: The conversation; the last turn is the user's.
        schema: The JSON Schema that the answer must satisfy.
        maximum_tokens: The most that the answer may have.
    """

    model: str
    instructions: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    maximum_tokens: int

    def serialised(self) -> str:
        """Give everything that decides the answer as text, the same way every time: the journal's key rests on it."""
        parts = [self.model, self.instructions, [[m.role, m.text] for m in self.messages], self.schema]
        return json.dumps([*parts, self.maximum_tokens], sort_keys=True, separators=(",", ":"))

    def most_input_tokens(self) -> int:
        """Give a bound on the tokens of the question: no tokeniser makes more tokens than there are bytes."""
        return len(self.serialised().encode()) + _FRAMING_TOKENS


_FRAMING_TOKENS = 1024
"""What a provider adds around a conversation (roles, the tool that carries the schema)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, whole.

    Attributes:
        text: JSON, as far as the model kept to the schema.
        input_tokens: As the provider counted them; None when it did not say.
        output_tokens: The same.
    """

    text: str
    input_tokens: int | None
    output_tokens: int | None


class ProviderFault(Exception):  # noqa: N818 - what the provider did
    """A call gave no answer.

    Attributes:
        kind: `refused` (the model would not), `limited` (429, overloaded), `unavailable` (no connection, 5xx),
            `timed-out`, `cut-off` (the stream ended early, or the answer hit its limit), `malformed` (no protocol that
            we know), `rejected` (4xx: the request, the key or the model's name is wrong).
        billed: Whether the provider may have charged for it.
        retry_after: Seconds that the provider asks to wait, None when it does not say.
    """

    def __init__(self, kind: str, detail: str, *, billed: bool, retry_after: float | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.billed = billed
        self.retry_after = retry_after

    @property
    def passing(self) -> bool:
        """Whether the same call may do better in a moment."""
        return self.kind in {"limited", "unavailable"}


class Provider(Protocol):
    """Someone who has models."""

    name: str

    async def complete(self, completion: Completion) -> Answer:
        """Ask a model once.

        Raises:
            ProviderFault: There is no answer; says why, and whether it may cost.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def status_fault(status: int, retry_after: str | None) -> ProviderFault:
    """Say what an HTTP status other than 200 means. The body is left out: it may repeat the prompt or the key."""
    wait = float(retry_after) if retry_after is not None and retry_after.replace(".", "", 1).isdigit() else None
    if status in {429, 529, 503}:
        return ProviderFault("limited", f"status {status}", billed=False, retry_after=wait)
    if status >= 500:
        return ProviderFault("unavailable", f"status {status}", billed=True, retry_after=wait)
    return ProviderFault("rejected", f"status {status}", billed=False)
