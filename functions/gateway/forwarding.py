"""Passing requests on to the functions behind the gateway, and their answers back.

Bodies stream both ways, with back-pressure. Only headers that are known to be harmless and of use go in; whoever asks
is said by a fresh token for that one function and that one permission, never by a header that came from outside. A
function that does not answer is a 502, one that takes too long a 504; a 401 of a function means that the parts do not
trust each other, which is our fault and not the caller's (502).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.responses import StreamingResponse

from shared import deadlines
from shared.problems import MEDIA_TYPE, Problem
from shared.telemetry import logger, span, trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.clock import Clock
    from shared.function import Call
    from shared.permissions import Principal
    from shared.tokens import Issuer

PASSED_IN: Final = frozenset(
    {
        "accept",
        "accept-language",
        "content-encoding",
        "content-length",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "last-event-id",
        "prefer",
        "range",
        "user-agent",
    }
)
"""Request headers that go on to a function; no other does."""

KEPT_BACK: Final = frozenset(
    {
        "alt-svc",
        "connection",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "server",
        "set-cookie",
        "te",
        "trailer",
        "traceparent",
        "transfer-encoding",
        "upgrade",
        "via",
    }
)
"""Response headers that do not go back: hop by hop (RFC 9110 section 7.6.1), or about the function's server.

So do all of `x-hal9-…`.
"""

_CONNECT_SECONDS: Final = 10.0
_LONGEST_SECONDS: Final = 300.0
_TOKEN_SECONDS: Final = 30.0
_MOST_TOKENS: Final = 4096
_IDLE_SECONDS: Final = 30.0
_log = logger(__name__)


def forward_to(deployment: str, function: str) -> Callable[[Call], Awaitable[Response]]:
    """Give the handler that passes a call on to a deployment of a function."""

    async def handler(call: Call) -> Response:
        forwarder: Forwarder = call.resources.forwarder
        return await forwarder.forward(call, deployment, function)

    return handler


class Forwarder:
    """Sends requests to deployments, over connections that it keeps.

    Args:
        template: Where deployments are, with `{deployment}`: `http://…` or `unix:/….sock`.
        issuer: Signs the tokens.
        clock: Says when a token is too old to be used again.
    """

    def __init__(self, template: str, issuer: Issuer, clock: Clock) -> None:
        self._template = template
        self._issuer = issuer
        self._clock = clock
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._tokens: OrderedDict[tuple[str, str, Principal], tuple[float, str]] = OrderedDict()

    async def forward(self, call: Call, deployment: str, function: str) -> Response:
        """Pass a call on and give the answer, streaming.

        Raises:
            Problem: 502 or 504.
        """
        with span(f"forward {call.operation.name}", kind="client", deployment=deployment):
            upstream = await self._send(call, deployment, function)
        headers = _headers_back(upstream.headers.multi_items())
        if _is_our_fault(upstream):
            await upstream.aclose()
            _log.error("a function's answer is no good", deployment=deployment, status=upstream.status_code)
            raise Problem("upstream-unreachable", 502, "A part of the platform did not answer as it should: try again.")
        response = StreamingResponse(_body(upstream), upstream.status_code)
        response.raw_headers = headers
        return response

    async def _send(self, call: Call, deployment: str, function: str) -> httpx.Response:
        import httpx

        request = self._request(call, deployment, function)
        client = self._client(deployment)
        try:
            return await client.send(request, stream=True)
        except httpx.TimeoutException as error:
            if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
                raise Problem("deadline-exceeded", 504, "The request took too long: ask for less at once.") from error
            raise _unreachable() from error
        except httpx.TransportError as error:
            if call.request.method not in {"GET", "HEAD"}:
                raise _unreachable() from error
        # A kept connection may be closed by the other side just as it is used; reading again does no harm.
        try:
            return await client.send(self._request(call, deployment, function), stream=True)
        except httpx.TransportError as error:
            raise _unreachable() from error

    def _request(self, call: Call, deployment: str, function: str) -> httpx.Request:
        import httpx

        request = call.request
        headers = [(name, value) for name, value in request.headers.raw if name.decode("latin-1") in PASSED_IN]
        headers.append((b"authorization", b"Bearer " + self._token(call, function).encode("ascii")))
        here = trace()
        if here is not None:
            headers.append((b"traceparent", here.header().encode("ascii")))
            if here.state:
                headers.append((b"tracestate", here.state.encode("latin-1", "ignore")))
        left = deadlines.remaining(_LONGEST_SECONDS)
        read = None if call.operation.streaming else left
        return self._client(deployment).build_request(
            request.method,
            _target(request),
            headers=headers,
            content=request.stream() if _has_body(request) else None,
            timeout=httpx.Timeout(left, connect=min(left or _CONNECT_SECONDS, _CONNECT_SECONDS), read=read),
        )

    def _token(self, call: Call, function: str) -> str:
        """Give a token for that function and the call's one permission: the last one while it is young."""
        permission = call.operation.permission or ""
        wanted = (function, permission, call.principal)
        now = self._clock.monotonic()
        known = self._tokens.get(wanted)
        if known is not None and now - known[0] < _TOKEN_SECONDS:
            return known[1]
        token = self._issuer.mint(function, call.principal, [permission])
        self._tokens[wanted] = (now, token)
        self._tokens.move_to_end(wanted)
        if len(self._tokens) > _MOST_TOKENS:
            self._tokens.popitem(last=False)
        return token

    def _client(self, deployment: str) -> httpx.AsyncClient:
        client = self._clients.get(deployment)
        if client is None:
            client = self._clients[deployment] = open_client(self._template.replace("{deployment}", deployment))
        return client

    async def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()


def open_client(address: str) -> httpx.AsyncClient:
    """Open connections to one address, `http://…` or `unix:/….sock`; nothing is connected yet."""
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=_IDLE_SECONDS)
    if address.startswith("unix:"):
        transport = httpx.AsyncHTTPTransport(uds=address.removeprefix("unix:"), limits=limits, trust_env=False)
        return httpx.AsyncClient(transport=transport, base_url="http://function", trust_env=False)
    return httpx.AsyncClient(base_url=address, limits=limits, trust_env=False)


def _target(request: Request) -> str:
    """Give path and query as they were asked for: no encoding is changed on the way."""
    raw: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode("ascii")
    query: bytes = request.scope.get("query_string", b"")
    return (raw.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")


def _has_body(request: Request) -> bool:
    headers = request.headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _headers_back(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    named = {name.strip().lower() for key, value in headers if key.lower() == "connection" for name in value.split(",")}
    return [
        (key.lower().encode("latin-1"), value.encode("latin-1"))
        for key, value in headers
        if key.lower() not in KEPT_BACK and key.lower() not in named and not key.lower().startswith("x-hal9-")
    ]


def _is_our_fault(upstream: httpx.Response) -> bool:
    """Whether an answer is not to be shown.

    The parts do not trust each other, or something else than a function failed.
    """
    if upstream.status_code == 401:
        return True
    return upstream.status_code >= 400 and not upstream.headers.get("content-type", "").startswith(MEDIA_TYPE)


async def _body(upstream: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in upstream.aiter_raw():
            yield chunk
    finally:
        await upstream.aclose()


def _unreachable() -> Problem:
    return Problem("upstream-unreachable", 502, "A part of the platform did not answer: try again in a moment.")
