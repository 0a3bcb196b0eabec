"""HTTP with server-sent events, as Anthropic and OpenAI's protocol stream: bounded, and every failure told apart."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from shared.neurons.models.provider import ProviderFault, status_fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import httpx

_MOST_BYTES: Final = 16 << 20


class EventStreams:
    """Connections to one provider.

    Args:
        url: Its address, up to and with the version's path.
        headers: Sent with each request; they hold the key.
        seconds: How long a whole answer may take.
    """

    def __init__(self, url: str, headers: Mapping[str, str], seconds: float) -> None:
        self._url = url.rstrip("/")
        self._headers = dict(headers)
        self._seconds = seconds
        self._client: httpx.AsyncClient | None = None

    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Send a request and give the JSON of each event of its stream; a `[DONE]` ends it.

        Raises:
            ProviderFault: No connection, another status than 200, no JSON, too much, or too late.
        """
        import asyncio

        try:
            async with asyncio.timeout(self._seconds), self._answer(path, body) as answer:
                async for event in _decoded(answer):
                    yield event
        except TimeoutError:
            raise ProviderFault("timed-out", f"no whole answer in {self._seconds:g} s", billed=True) from None

    @asynccontextmanager
    async def _answer(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[httpx.Response]:
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._seconds, headers=self._headers)
        try:
            async with self._client.stream("POST", f"{self._url}{path}", json=body) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise status_fault(answer.status_code, answer.headers.get("retry-after"))
                yield answer
        except httpx.TimeoutException as error:
            raise ProviderFault("timed-out", type(error).__name__, billed=True) from None
        except httpx.ConnectError as error:
            raise ProviderFault("unavailable", type(error).__name__, billed=False) from None
        except httpx.TransportError as error:
            raise ProviderFault("cut-off", type(error).__name__, billed=True) from None

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()


async def _decoded(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """Read `data:` lines (WHATWG HTML, section 9.2.6); the providers put one JSON object into each."""
    size = 0
    async for line in answer.aiter_lines():
        size += len(line)
        if size > _MOST_BYTES:
            raise ProviderFault("malformed", f"more than {_MOST_BYTES} bytes", billed=True)
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            raise ProviderFault("malformed", "an event that is no JSON", billed=True) from None
        if not isinstance(event, dict):
            raise ProviderFault("malformed", "an event that is no object", billed=True)
        yield event
