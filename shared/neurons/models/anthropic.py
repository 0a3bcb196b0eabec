"""Anthropic's Messages API. The answer is the input of a tool that the model must use, so that the schema holds.

Source: Anthropic's API reference, "Messages" and "Streaming messages", version 2023-06-01.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from shared.neurons.models.provider import Answer, ProviderFault
from shared.neurons.models.streams import EventStreams

if TYPE_CHECKING:
    from shared.neurons.models.provider import Completion

_VERSION: Final = "2023-06-01"
_TOOL: Final = "answer"
_OVERLOADED: Final = frozenset({"overloaded_error", "rate_limit_error"})


class Anthropic:
    """Anthropic's models.

    Args:
        url: The API's address, for example `https://api.anthropic.com`.
        api_key: The key.
        seconds: How long a whole answer may take.
    """

    name = "anthropic"

    def __init__(self, url: str, api_key: str, seconds: float) -> None:
        self._streams = EventStreams(url, {"x-api-key": api_key, "anthropic-version": _VERSION}, seconds)

    async def complete(self, completion: Completion) -> Answer:
        """Ask a model once."""
        parts: list[str] = []
        usage: dict[str, Any] = {}
        reason: str | None = None
        ended = False
        async for event in self._streams.events("/v1/messages", _body(completion)):
            kind = event.get("type")
            if kind == "error":
                raise _told((event.get("error") or {}).get("type", ""))
            if kind == "message_start":
                usage.update((event.get("message") or {}).get("usage") or {})
            elif kind == "content_block_delta":
                parts.append((event.get("delta") or {}).get("partial_json") or "")
            elif kind == "message_delta":
                reason = (event.get("delta") or {}).get("stop_reason") or reason
                usage.update(event.get("usage") or {})
            elif kind == "message_stop":
                ended = True
        if reason == "refusal":
            raise ProviderFault("refused", "the model would not answer", billed=True)
        if not ended or reason == "max_tokens":
            raise ProviderFault("cut-off", reason or "the stream ended early", billed=True)
        return Answer("".join(parts), usage.get("input_tokens"), usage.get("output_tokens"))

    async def close(self) -> None:
        """Close every connection."""
        await self._streams.close()


def _told(kind: str) -> ProviderFault:
    if kind in _OVERLOADED:
        return ProviderFault("limited", kind, billed=True)
    return ProviderFault("unavailable", "an error in the stream", billed=True)


def _body(completion: Completion) -> dict[str, Any]:
    return {
        "model": completion.model,
        "system": completion.instructions,
        "messages": [{"role": message.role, "content": message.text} for message in completion.messages],
        "max_tokens": completion.maximum_tokens,
        "temperature": 0,
        "stream": True,
        "tools": [{"name": _TOOL, "description": "Gives the answer.", "input_schema": completion.schema}],
        "tool_choice": {"type": "tool", "name": _TOOL},
    }
