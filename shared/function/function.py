"""A function: finds the operation, authenticates, checks, calls the handler, turns faults into problem documents."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from starlette.requests import ClientDisconnect

from shared import deadlines
from shared.function import bodies
from shared.function.brokerproof import BrokerProof, bearer, broker_proof, trusted_verifier
from shared.function.operation import BROKER_ISSUERS, Call
from shared.problems import Problem, problem_response
from shared.telemetry import begin, begun, logger, set_organisation, trace

if TYPE_CHECKING:
    import re
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from shared.function.operation import Operation
    from shared.tokens import Claims, Verifier

    Authenticate = Callable[[Request, Operation], Awaitable[Claims | None]]

_log = logger(__name__)
_NO_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType({})


class Resources(Protocol):
    """What a function opens: pools, clients, relays."""

    async def open(self) -> None:
        """Open everything; must not wait for a server that is away."""

    async def check(self) -> None:
        """Return when every need answers; raise when one does not."""

    async def close(self) -> None:
        """Finish what is under way and close everything."""


class NoResources:
    """The resources of a function that needs none."""

    async def open(self) -> None:
        """Do nothing."""

    async def check(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class Function:
    """The operations of a function behind one `handle`.

    Args:
        name: the function's name, as in function.toml; the audience of the tokens that it takes.
        operations: what it offers.
        resources: the class of what it opens.
        authenticate: replaces the verification of tokens: gives the claims, None for nobody; raises Problem 401.
        fallback: answers what no operation's path matches, instead of 404, unauthenticated.

    Attributes:
        handle: `answer` as a plain function, the only kind of target that functions-framework takes.

    Raises:
        ValueError: two operations have the same method and path.
    """

    def __init__(
        self,
        name: str,
        operations: Iterable[Operation],
        resources: Callable[[], Resources] = NoResources,
        *,
        authenticate: Authenticate | None = None,
        fallback: Callable[[Request], Awaitable[Response]] | None = None,
    ) -> None:
        self.name = name
        self.operations = tuple(operations)
        self.resources: Resources = resources()
        self._routes = _Routes(self.operations)
        self._tokens = TokenAuthentication(name)
        self._authenticate = authenticate or self._tokens
        self._delivered_to = any(operation.issuers == BROKER_ISSUERS for operation in self.operations)
        self._fallback = fallback
        self._opened = False
        self._opening = asyncio.Lock()

        async def handle(request: Request) -> Response:
            return await self.answer(request)

        self.handle = handle

    async def open(self) -> None:
        """Open the resources, once."""
        async with self._opening:
            if not self._opened:
                await self.resources.open()
                self._opened = True

    async def check(self) -> None:
        """Return when every need answers, asked side by side; raise when one does not."""
        if self._delivered_to:
            await asyncio.gather(self._tokens.check_deliveries(), self.resources.check())
        else:
            await self.resources.check()

    async def close(self) -> None:
        """Close the resources, if they are open."""
        async with self._opening:
            if self._opened:
                self._opened = False
                await self.resources.close()

    async def answer(self, request: Request) -> Response:
        """Answer one request. Raises nothing but cancellation."""
        if not begun():
            begin(request.headers.get("traceparent"), request.headers.get("tracestate", ""))
        try:
            if not self._opened:
                await self.open()
            scope = request.scope
            found = self._routes.find(scope["method"], scope["path"])
            if found is None:
                return await self._unmatched(request)
            operation, path = found
            scope["hal9.operation"] = operation
            call = Call(request, operation, path, resources=self.resources)
            if not operation.public:
                call.claims = await self._authorised(request, operation)
            if operation.query is not None:
                call.query = bodies.query_of(request, operation.query)
            if operation.request is not None and not operation.raw_body:
                call.body = await bodies.body_of(request, operation.request)
            return await operation.handler(call)
        except Exception as error:  # noqa: BLE001 - the last place where a fault can become an answer
            return problem_response(problem_of(error))

    async def _unmatched(self, request: Request) -> Response:
        if self._fallback is None:
            raise Problem("route-unknown", 404, "There is nothing at this path: look it up in the API reference.")
        return await self._fallback(request)

    async def _authorised(self, request: Request, operation: Operation) -> Claims:
        claims = await self._authenticate(request, operation)
        if claims is None:
            raise _unauthenticated()
        set_organisation(claims.org_id)
        request.scope["hal9.claims"] = claims  # the host shares out its memory by them
        if operation.permission not in claims.scope:
            raise Problem("permission-missing", 403, f"This needs the permission {operation.permission}.")
        return claims


def problem_of(error: Exception) -> Problem:
    """Give the problem that an exception is answered with; logs it when it is not one already.

    Whatever fails when no time is left counts as the deadline's doing. Nothing of the exception is told.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, ClientDisconnect):
        return Problem("bad-request", 400, "The connection ended before the request was whole: send it again.")
    now, here = deadlines.current(), trace()
    members: dict[str, Any] = {} if here is None else {"trace_id": here.trace_id}
    if now is not None and now.expired:
        _log.warning("deadline exceeded", error=type(error).__name__)
        return Problem("deadline-exceeded", **members)
    _log.exception("unexpected error")
    return Problem("internal", **members)


def _unauthenticated() -> Problem:
    return Problem(
        "credentials-missing",
        401,
        "Send the header `Authorization: Bearer ...` with a valid token.",
        headers={"WWW-Authenticate": "Bearer"},
    )


class TokenAuthentication:
    """Verifies the proof of a request: the broker's where the broker delivers, else a bearer token (HAL9_TRUST).

    Args:
        audience: the name that tokens must be for.
    """

    def __init__(self, audience: str) -> None:
        self._audience = audience
        self._verifier: Verifier | None = None
        self._proof: BrokerProof | None = None

    async def __call__(self, request: Request, operation: Operation) -> Claims | None:
        """Give the claims; None when no proof was sent.

        Raises:
            Problem: 401 when it is not valid; 503 when that cannot be decided now.
        """
        if operation.issuers == BROKER_ISSUERS:
            return await self._broker().claims(request)
        token = bearer(request)
        if token is None:
            return None
        self._verifier = self._verifier or trusted_verifier()
        return self._verifier.verify(token, self._audience, operation.issuers)

    async def check_deliveries(self) -> None:
        """Return when the broker's proof can be verified; raise when it cannot yet."""
        await self._broker().check()

    def _broker(self) -> BrokerProof:
        self._proof = self._proof or broker_proof(self._audience)
        return self._proof


class _Routes:
    """Finds the operation of a method and path: paths without parameters by one look-up, the others in their order."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._fixed: dict[str, dict[str, Operation]] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], dict[str, Operation]]] = {}
        for operation in operations:
            if operation.parameters:
                methods = self._patterns.setdefault(operation.path, (operation.pattern(), {}))[1]
            else:
                methods = self._fixed.setdefault(operation.path, {})
            if methods.setdefault(operation.method, operation) is not operation:
                raise ValueError(f"{operation.name} is there twice")

    def find(self, method: str, path: str) -> tuple[Operation, Mapping[str, str]] | None:
        """Give the operation and the path's parameters; None when nothing is at this path.

        Raises:
            Problem: 405 with Allow when the path is known and the method is not.
        """
        methods, parameters = self._fixed.get(path), _NO_PARAMETERS
        if methods is None:
            for pattern, candidates in self._patterns.values():
                match = pattern.fullmatch(path)
                if match is not None:
                    methods, parameters = candidates, match.groupdict()
                    break
            else:
                return None
        operation = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
        if operation is None:
            allowed = ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))
            raise Problem("method-not-allowed", 405, f"Use one of: {allowed}.", headers={"Allow": allowed})
        return operation, parameters
