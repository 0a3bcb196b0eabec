"""Sending to the broker over HTTP, for `events.publisher`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.gateway.forwarding import open_client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from events.codec import Header


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


class BrokerConnection:
    """Connections to the broker, kept.

    Args:
        address: `http://host/path` or `unix:/path/of/a.sock`.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, headers: Sequence[Header], body: bytes, *, timeout: float) -> _Reply:  # noqa: ASYNC109 - events.publisher's interface
        """POST to the broker.

        Raises:
            OSError: It cannot be reached.
            TimeoutError: It does not answer in time.
        """
        import httpx

        if self._client is None:
            self._client = open_client(self._address)
        try:
            answer = await self._client.post("", headers=list(headers), content=body, timeout=timeout)
        except httpx.TimeoutException as error:
            raise TimeoutError from error
        except httpx.TransportError as error:
            raise ConnectionError(type(error).__name__) from error
        return _Reply(answer.status_code, dict(answer.headers), answer.content)

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()
