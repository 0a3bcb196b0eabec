"""Any server that speaks OpenAI's chat completions: vLLM, Ollama, llama.cpp, OpenAI.

Source: the OpenAI API reference, "Create chat completion", with `stream` and `response_format` of type `json_schema`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.neurons.models.provider import Answer, ProviderFault
from shared.neurons.models.streams import EventStreams

if TYPE_CHECKING:
    from shared.neurons.models.provider import Completion


class OpenAi:
    """A server with OpenAI's protocol.

    Args:
        url: Its address with the version, for example `http://127.0.0.1:8080/v1`.
        api_key: Sent as a bearer token; None for a server that asks for none.
        seconds: How long a whole answer may take.
    """

    name = "openai"

    def __init__(self, url: str, api_key: str | None, seconds: float) -> None:
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._streams = EventStreams(url, headers, seconds)

    async def complete(self, completion: Completion) -> Answer:
        """Ask a model once."""
        parts: list[str] = []
        reason: str | None = None
        usage: dict[str, Any] = {}
        async for event in self._streams.events("/chat/completions", _body(completion)):
            usage = event.get("usage") or usage
            for choice in event.get("choices") or ():
                delta = choice.get("delta") or {}
                if delta.get("refusal"):
                    raise ProviderFault("refused", "the model would not answer", billed=True)
                parts.append(delta.get("content") or "")
                reason = choice.get("finish_reason") or reason
        if reason == "content_filter":
            raise ProviderFault("refused", "the provider's filter stopped it", billed=True)
        if reason != "stop":
            raise ProviderFault("cut-off", reason or "the stream ended early", billed=True)
        return Answer("".join(parts), usage.get("prompt_tokens"), usage.get("completion_tokens"))

    async def close(self) -> None:
        """Close every connection."""
        await self._streams.close()


def _body(completion: Completion) -> dict[str, Any]:
    return {
        "model": completion.model,
        "messages": [
            {"role": "system", "content": completion.instructions},
            *({"role": message.role, "content": message.text} for message in completion.messages),
        ],
        "temperature": 0,
        "max_tokens": completion.maximum_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": completion.schema, "strict": False},
        },
    }
