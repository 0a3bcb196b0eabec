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

from starlette.responses import Response, StreamingResponse

from functions.gateway import bookmarks
from functions.gateway.streams import ADMITTED_SCOPE, while_admitted
from shared.function.outgoing import Outgoing, Unreachable, address_of
from shared.problems import MEDIA_TYPE, Problem
from shared.telemetry import logger, span

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request

    from shared.clock import Clock
    from shared.function import Call
    from shared.function.outgoing import Header, Incoming
    from shared.permissions import Principal
    from shared.tokens import Issuer

PASSED_IN: Final = frozenset(
    {
        "accept",
        "accept-language",
        "content-encoding",
        "content-length",
        "content-type",
        "hal9-bookmark",
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

_LONGEST_SECONDS: Final = 300.0
_TOKEN_SECONDS: Final = 30.0
_MOST_TOKENS: Final = 4096
_READ_WHOLE_BYTES: Final = 65_536
_UNAUTHORIZED: Final = 401
_FIRST_FAULT: Final = 400
_log = logger(__name__)


def forward_to(deployment: str, function: str) -> Callable[[Call], Awaitable[Response]]:
    """Give the handler that passes a call on to a deployment of a function."""

    async def handler(call: Call) -> Response:
        forwarder: Forwarder = call.resources.forwarder
        response = await forwarder.forward(call, deployment, function)
        await bookmarks.keep(call, response)
        return response

    return handler


class Forwarder:
    """Sends requests to deployments (HAL9_FUNCTION_URL), over connections that it keeps.

    Args:
        issuer: Signs the tokens.
        clock: Says when a token is too old to be used again.
    """

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._connections: dict[str, Outgoing] = {}
        self._tokens: OrderedDict[tuple[str, str, Principal], tuple[float, str]] = OrderedDict()

    async def forward(self, call: Call, deployment: str, function: str) -> Response:
        """Pass a call on and give the answer, streaming.

        Raises:
            Problem: 502 or 504.
        """
        with span(f"forward {call.operation.name}", kind="client", deployment=deployment):
            try:
                upstream = await self._send(call, deployment, function)
                return await self._answer(call, upstream, deployment)
            except TimeoutError as error:
                raise Problem("deadline-exceeded", 504, "The request took too long: ask for less at once.") from error
            except Unreachable as error:
                _log.warning("a function does not answer", deployment=deployment, error=str(error))
                raise _unreachable() from error

    async def _send(self, call: Call, deployment: str, function: str) -> Incoming:
        request = call.request
        headers = [(name, value) for name, value in request.headers.raw if name.decode("latin-1") in PASSED_IN]
        headers.append((b"authorization", b"Bearer " + self._token(call, function).encode("ascii")))
        if (bookmark := bookmarks.carried(request)) is not None:
            headers.append((bookmarks.HEADER.encode(), bookmark.encode("ascii")))
        connections = self._connections.get(deployment)
        if connections is None:
            connections = self._connections[deployment] = Outgoing(address_of(deployment))
        content = request.stream() if _has_body(request) else None
        return await connections.open(request.method, _target(request), headers, content, seconds=_LONGEST_SECONDS)

    def _token(self, call: Call, function: str) -> str:
        """Give a token for that function and the call's one permission: the last one while it is young."""
        permission = call.operation.permission or ""
        wanted = (function, permission, call.principal)
        now = self._clock.now().timestamp()  # by which it is verified: a clock that was set makes another one
        known = self._tokens.get(wanted)
        if known is not None and 0 <= now - known[0] < _TOKEN_SECONDS:
            return known[1]
        token = self._issuer.mint(function, call.principal, [permission])
        self._tokens[wanted] = (now, token)
        self._tokens.move_to_end(wanted)
        if len(self._tokens) > _MOST_TOKENS:
            self._tokens.popitem(last=False)
        return token

    async def _answer(self, call: Call, upstream: Incoming, deployment: str) -> Response:
        """Turn a function's answer into ours: whole when it is short, else piece by piece."""
        if _is_our_fault(upstream):
            await upstream.close()
            _log.error("a function's answer is no good", deployment=deployment, status=upstream.status)
            raise _unreachable()
        length = upstream.header("content-length")
        response: Response
        if length.isdecimal() and int(length) <= _READ_WHOLE_BYTES:
            response = Response(await upstream.read(_READ_WHOLE_BYTES), upstream.status)
        else:
            chunks = upstream.chunks()
            if call.operation.streaming:
                chunks = while_admitted(chunks, call.request.scope[ADMITTED_SCOPE], self._clock)
            response = StreamingResponse(chunks, upstream.status)
        response.raw_headers = _headers_back(upstream.raw_headers)
        return response

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        for connections in self._connections.values():
            await connections.close()


def _target(request: Request) -> str:
    """Give path and query as they were asked for: no encoding is changed on the way."""
    raw: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode("ascii")
    query: bytes = request.scope.get("query_string", b"")
    return (raw.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")


def _has_body(request: Request) -> bool:
    headers = request.headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _headers_back(headers: Sequence[Header]) -> list[Header]:
    named = {name.strip().lower() for key, value in headers if key == b"connection" for name in value.split(b",")}
    return [
        (key, value)
        for key, value in headers
        if key.decode("latin-1") not in KEPT_BACK and key not in named and not key.startswith(b"x-hal9-")
    ]


def _is_our_fault(upstream: Incoming) -> bool:
    """Whether an answer is not to be shown: the parts do not trust each other, or no function made it."""
    if upstream.status == _UNAUTHORIZED:
        return True
    return upstream.status >= _FIRST_FAULT and not upstream.header("content-type").startswith(MEDIA_TYPE)


def _unreachable() -> Problem:
    return Problem("upstream-unreachable", 502, "A part of the platform did not answer: try again in a moment.")
