"""Connections to the broker over HTTP: what a `Publisher` sends through.

    connection = BrokerConnection(settings.broker_url)
    publisher = publisher_over(connection, settings, issuer)
    ...
    await connection.close()

Promises: nothing is connected before the first event; connections are kept and closed; proxies of the environment are
not used. Does not retry: the publisher does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from events.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from events.codec import Header
    from events.publisher import PublisherSettings
    from shared.clock import Clock
    from shared.tokens import Issuer

_AUDIENCE: Final = "broker"
_IDLE_SECONDS: Final = 60.0


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

    async def __call__(self, headers: Sequence[Header], body: bytes, *, timeout: float) -> _Reply:
        """POST to the broker.

        Raises:
            OSError: It cannot be reached.
            TimeoutError: It does not answer in time.
        """
        import httpx

        if self._client is None:
            self._client = _open(self._address)
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


def _open(address: str) -> httpx.AsyncClient:
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=16, keepalive_expiry=_IDLE_SECONDS)
    if address.startswith("unix:"):
        transport = httpx.AsyncHTTPTransport(uds=address.removeprefix("unix:"), limits=limits, trust_env=False)
        return httpx.AsyncClient(transport=transport, base_url="http://broker", trust_env=False)
    return httpx.AsyncClient(base_url=address, limits=limits, trust_env=False)


def publisher_over(
    connection: BrokerConnection, settings: PublisherSettings, issuer: Issuer, clock: Clock | None = None
) -> Publisher:
    """Give the publisher that sends through a connection with the process's own token."""
    return Publisher(connection, lambda: issuer.mint(_AUDIENCE), seconds=settings.publish_seconds, clock=clock)
