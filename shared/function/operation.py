"""Operations and calls: what a function offers, and one use of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from pydantic import BaseModel
    from starlette.requests import Request

    from shared.permissions import Principal
    from shared.tokens import Claims

REQUEST_ISSUERS: Final = ("gateway", "function:*")
BROKER_ISSUERS: Final = ("broker",)
_TEMPLATE: Final = re.compile(r"\{([a-z_][a-z0-9_]*)(:path)?\}")


class Call(msgspec.Struct):
    """One request to an operation, authenticated and checked.

    Attributes:
        request: the request as it came.
        operation: what is asked for.
        path: the values of the path's parameters, percent-decoded.
        claims: what the token says; None for public operations.
        query: the validated query model; None when the operation has none.
        body: the validated request model; None when the operation has none or takes the raw body.
        resources: what the function opened.
    """

    request: Request
    operation: Operation
    path: Mapping[str, str]
    claims: Claims | None = None
    query: Any = None
    body: Any = None
    resources: Any = None

    @property
    def principal(self) -> Principal:
        """Who asks, and for which organisation.

        Raises:
            LookupError: nobody was authenticated, or the token names no organisation: a fault of the operation's
                declaration, not of the request.
        """
        principal = None if self.claims is None else self.claims.principal()
        if principal is None:
            raise LookupError(f"{self.operation.name} was called for no organisation")
        return principal


Handler = Callable[[Call], Awaitable[Response]]


class Operation(msgspec.Struct, frozen=True):
    """One method of one path.

    Attributes:
        method: upper case.
        path: a template such as `/v1/runs/{run_id}`; `{rest:path}` at the end takes slashes as well.
        permission: what the token's scope must hold, such as `runs.create`; None only for public operations.
        handler: does it.
        summary: one line for the reference.
        request: the model of the JSON body.
        query: the model of the query; a list field takes a repeated parameter.
        responses: the model of each status's body, None for an empty one.
        description: more for the reference, Markdown.
        tags: groups in the reference.
        public: anyone may call it, with no credentials.
        raw_body: the handler reads `call.request` itself; nothing is decoded or checked.
        streaming: the answer may be a stream that lives longer than the deadline, until the client leaves or the
            instance drains. The deadline holds for the handler until it returns its response.
        issuers: whose tokens are taken: `gateway`, `broker`, `platform`, `function:<name>`, `function:*`.
        consumes: for the reference, where `request` does not say it all: each media type of the body with its JSON
            Schema, or a function that gives them when making them would cost a start.
        produces: for the reference: the media type of a successful answer. When it is not JSON, the model in
            `responses` describes one item of a stream, and None stands for bytes.
        headers: for the reference: each request header that the handler reads, with its JSON Schema; a
            `description` in it is the parameter's.
    """

    method: str
    path: str
    permission: str | None
    handler: Handler
    summary: str
    request: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    responses: Mapping[int, type[BaseModel] | None] = msgspec.field(default_factory=dict)
    description: str = ""
    tags: tuple[str, ...] = ()
    public: bool = False
    raw_body: bool = False
    streaming: bool = False
    issuers: tuple[str, ...] = REQUEST_ISSUERS
    consumes: Mapping[str, Mapping[str, Any]] | Callable[[], Mapping[str, Mapping[str, Any]]] = msgspec.field(
        default_factory=dict
    )
    produces: str = "application/json"
    headers: Mapping[str, Mapping[str, Any]] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.public and not self.permission:
            raise ValueError(f"{self.name} names no permission: name one, or say that it is public")
        if not self.path.startswith("/") or self.method != self.method.upper():
            raise ValueError(f"{self.name}: the path begins with / and the method is in upper case")

    @property
    def name(self) -> str:
        """The method and the path's template: a name with few values, for metrics and spans."""
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the path's parameters, in their order."""
        return tuple(match[1] for match in _TEMPLATE.finditer(self.path))

    def pattern(self) -> re.Pattern[str]:
        """Give the expression that matches the operation's paths, one group for each parameter."""
        parts, end = [], 0
        for match in _TEMPLATE.finditer(self.path):
            parts.append(re.escape(self.path[end : match.start()]))
            parts.append(f"(?P<{match[1]}>.+)" if match[2] else f"(?P<{match[1]}>[^/]+)")
            end = match.end()
        return re.compile("".join([*parts, re.escape(self.path[end:])]))


def answer(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Give the response that carries a model as JSON."""
    return Response(model.model_dump_json(by_alias=True), status, headers, "application/json")
