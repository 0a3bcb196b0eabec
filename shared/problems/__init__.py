"""Problem documents (RFC 9457): the one way in which HAL9 says over HTTP that something went wrong.

Promises: every slug is registered once, with its status, its title and a sentence on what to do; the same document
comes out whoever makes it; no internals are in it.
Does not: log, or turn unknown exceptions into problems (`shared.function` and the host do that, and tell the client
nothing but the trace).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:hal9:problem:"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of every problem with one slug.

    Attributes:
        slug: the last part of the problem's `type`, stable for ever.
        status: the HTTP status that it is usually answered with.
        title: a short sentence that is the same for each occurrence.
        remedy: what whoever gets it should do; for the reference.
    """

    slug: str
    status: int
    title: str
    remedy: str


_KINDS: dict[str, Kind] = {}


def register(slug: str, status: int, title: str, remedy: str) -> Kind:
    """Make a slug known.

    Raises:
        ValueError: the slug is known already with another meaning.
    """
    kind = Kind(slug, status, title, remedy)
    if _KINDS.setdefault(slug, kind) != kind:
        raise ValueError(f"the problem {slug!r} is registered already with another meaning: choose another slug")
    return kind


def registered() -> Mapping[str, Kind]:
    """Give every slug that is known so far, in the order of registration."""
    return dict(_KINDS)


class Problem(Exception):  # noqa: N818 - RFC 9457's own term
    """Something went wrong in a way that the client may know of.

    Args:
        slug: a registered slug; `type` becomes `urn:hal9:problem:<slug>`.
        status: the HTTP status; None takes the registered one.
        detail: one sentence on this occurrence that says what to do, and holds no internals and no secret.
        title: replaces the registered title.
        headers: further response headers, such as Retry-After.
        members: RFC 9457 extension members, JSON values.

    A slug that nobody registered still gives a plain document, because a fault must not hide another one; the suite
    finds such slugs in the source.
    """

    def __init__(
        self,
        slug: str,
        status: int | None = None,
        detail: str | None = None,
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        kind = _KINDS.get(slug) or Kind(slug, 500, slug.replace("-", " ").capitalize(), "Look it up in the reference.")
        self.slug = slug
        self.status = kind.status if status is None else status
        self.title = kind.title if title is None else title
        self.detail = kind.remedy if detail is None else detail
        self.headers: dict[str, str] = dict(headers or {})
        self.members: dict[str, Any] = members
        super().__init__(slug, self.status, self.detail)

    def __str__(self) -> str:
        return f"{self.status} {self.slug}: {self.detail}"

    def document(self) -> dict[str, Any]:
        """Give the problem document's members, RFC 9457's own ones first."""
        own = {"type": TYPE_PREFIX + self.slug, "title": self.title, "status": self.status, "detail": self.detail}
        return {**self.members, **own} if own.keys() & self.members.keys() else {**own, **self.members}

    def encode(self) -> bytes:
        """Give the document as it goes over the wire (UTF-8 JSON)."""
        return json.dumps(self.document(), ensure_ascii=False, separators=(",", ":"), default=str).encode(
            "utf-8", "backslashreplace"
        )


def problem_response(problem: Problem) -> Response:
    """Give the Starlette response that carries the problem, with its headers."""
    from starlette.responses import Response

    return Response(problem.encode(), problem.status, {**problem.headers, "cache-control": "no-store"}, MEDIA_TYPE)


register("bad-request", 400, "The request is malformed", "Send a request that is well-formed HTTP/1.1.")
register(
    "body-malformed",
    400,
    "The body is not well-formed JSON",
    "Send one JSON text in UTF-8 (RFC 8259), with no duplicate member names.",
)
register(
    "event-malformed",
    400,
    "This is no valid CloudEvent",
    "Correct every fault that `errors` names (CloudEvents 1.0.2), then send it again.",
)
register(
    "event-too-large",
    413,
    "The event is too large",
    "Send less data; put what is large somewhere and send its address.",
)
register(
    "event-refused",
    422,
    "This event can never be taken",
    "Do not send it again unchanged; `detail` and `errors` say what is wrong.",
)
register(
    "credentials-missing",
    401,
    "No credentials",
    "Send an API key in the header `Authorization: Bearer ...`; a function behind the gateway wants a token there.",
)
register(
    "credentials-invalid",
    401,
    "The credentials are not valid",
    "Send an API key that is neither revoked nor expired; to a function behind the gateway, a new token for it.",
)
register(
    "permission-missing", 403, "Not allowed", "Ask an owner of your organisation for a role that has this permission."
)
register("route-unknown", 404, "There is nothing at this path", "Look up the path in the API reference.")
register(
    "not-found", 404, "There is no such thing", "Check the identifier; things of other organisations are not visible."
)
register(
    "method-not-allowed",
    405,
    "The path does not take this method",
    "Use one of the methods that the Allow header names.",
)
register(
    "request-timeout",
    408,
    "The request came too slowly",
    "Send the whole request within the time that the server allows.",
)
register("conflict", 409, "The request contradicts the present state", "Read the state again, then decide anew.")
register("body-too-large", 413, "The body is too large", "Send a smaller body.")
register("uri-too-long", 414, "The address is too long", "Send a shorter path and query.")
register("media-type-unsupported", 415, "The body's media type is not supported", "Send the body as application/json.")
register("expectation-failed", 417, "The expectation cannot be met", "Send no Expect header but `100-continue`.")
register(
    "body-invalid",
    422,
    "The body breaks the rules of this operation",
    "Correct every fault that `errors` names, then send it again.",
)
register(
    "query-invalid",
    422,
    "The query breaks the rules of this operation",
    "Correct every fault that `errors` names, then send it again.",
)
register("headers-too-large", 431, "The header is too large", "Send fewer and shorter header fields.")
register("rate-limited", 429, "Too many requests", "Wait for as long as Retry-After says, then try again.")
register(
    "internal", 500, "Something went wrong on our side", "Try again later; if it goes on, tell us the trace identifier."
)
register("method-unimplemented", 501, "The method is not implemented", "Use one of the methods in the API reference.")
register("upstream-unreachable", 502, "A part of the platform did not answer", "Try again in a moment.")
register("overloaded", 503, "Too many requests at once", "Wait for as long as Retry-After says, then try again.")
register("draining", 503, "This instance is going away", "Send the request again: another instance takes it.")
register(
    "not-ready",
    503,
    "Something that is needed does not answer",
    "Wait for as long as Retry-After says, then try again.",
)
register(
    "unavailable", 503, "This is not available at the moment", "Wait for as long as Retry-After says, then try again."
)
register("deadline-exceeded", 504, "The request took too long", "Try again; ask for less at once if it goes on.")
register("http-version-unsupported", 505, "The HTTP version is not supported", "Use HTTP/1.1.")
