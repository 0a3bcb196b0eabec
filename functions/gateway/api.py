"""The gateway's own routes."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from starlette.responses import Response

from events.codec import MAX_BATCH_EVENTS
from functions.gateway import identity, routes, service
from functions.gateway.eventlimits import MAX_ATTRIBUTE_BYTES, MAX_OWN_EXTENSIONS
from functions.gateway.eventschema import CONSUMES
from functions.gateway.gateway import SECURITY_HEADERS
from functions.gateway.models import Accepted, Identity, OpenApiDocument, OwnSessions
from shared.apikeys.wire import KeyPage, KeyQuery, KeyRequest, NewKeyView
from shared.function import Operation, answer
from shared.function.bodies import refuse_coded

if TYPE_CHECKING:
    from shared.function import Call

REFERENCE: Final = Path(__file__).parent / "reference.html"
_STYLE: Final = re.compile(rb"<style>(.*?)</style>", re.DOTALL)
_PUBLIC_CACHE: Final = "public, max-age=300"
_CLEARED: Final = '"cache", "storage"'
"""What a browser is to forget of this site when its user signs out (W3C Clear Site Data)."""


async def publish(call: Call) -> Response:
    """`POST /v1/events`."""
    refuse_coded(call.request)
    events = await service.publish(call.resources, call.principal, call.request.headers.raw, await call.request.body())
    return answer(Accepted(accepted=len(events)), 202)


async def index(call: Call) -> Response:
    """`GET /v1/keys`."""
    return answer(await service.list_keys(call.resources, call.principal, call.query.cursor, call.query.limit))


async def create(call: Call) -> Response:
    """`POST /v1/keys`."""
    return answer(await service.create_key(call.resources, call.principal, call.body), 201)


async def revoke(call: Call) -> Response:
    """`DELETE /v1/keys/{key_id}`."""
    try:
        key_id = UUID(call.path["key_id"])
    except ValueError:
        raise service.not_found() from None
    await service.revoke_key(call.resources, call.principal, key_id)
    return Response(status_code=204)


async def me(call: Call) -> Response:
    """`GET /v1/me`."""
    return answer(identity.who(call.request, call.principal))


async def sessions(call: Call) -> Response:
    """`GET /v1/me/sessions`."""
    return answer(await identity.devices(call.resources, call.request))


async def end(call: Call) -> Response:
    """`DELETE /v1/me/sessions/{session_id}`."""
    try:
        session_id = UUID(call.path["session_id"])
    except ValueError:
        raise identity.no_such_session() from None
    await identity.end(call.resources, call.request, session_id)
    return Response(status_code=204)


async def end_others(call: Call) -> Response:
    """`DELETE /v1/me/sessions`."""
    await identity.end_others(call.resources, call.request)
    return Response(status_code=204)


async def sign_out(call: Call) -> Response:
    """`POST /v1/me/sign-out`."""
    await identity.sign_out(call.resources, call.request)
    return Response(status_code=204, headers={"Clear-Site-Data": _CLEARED})


async def description(call: Call) -> Response:
    """`GET /openapi.json`."""
    del call
    return Response(routes.document(), headers={"Cache-Control": _PUBLIC_CACHE}, media_type="application/json")


async def page(call: Call) -> Response:
    """`GET /reference`."""
    del call
    content, policy = _reference()
    return Response(
        content, headers={"Cache-Control": _PUBLIC_CACHE, "Content-Security-Policy": policy}, media_type="text/html"
    )


@cache
def _reference() -> tuple[bytes, str]:
    """Give the page, and the policy that allows exactly its own style sheet and nothing else."""
    page = REFERENCE.read_bytes()
    style = _STYLE.search(page)
    digest = base64.b64encode(hashlib.sha256(style[1] if style else b"").digest()).decode("ascii")
    return page, f"{SECURITY_HEADERS['Content-Security-Policy']}; style-src 'sha256-{digest}'"


OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/events",
        "events.publish",
        publish,
        "Publish events",
        responses={202: Accepted, 402: None},
        description=(
            "Takes CloudEvents 1.0 over HTTP: one event in structured mode (`application/cloudevents+json`), a batch "
            "(`application/cloudevents-batch+json`), or one event in binary mode (attributes as `ce-` headers, the "
            "body is the data, in any media type).\n\n"
            "All events of a batch are taken, or none: every fault of every event is named. The answer comes when the "
            "broker has stored them. The extension `orgid` is set from the credentials, whatever the event says. Types "
            "that begin with `ai.hal9.` and sources under `/regions/` are reserved; "
            "`ai.hal9.codegen.project.requested` may be published with the permission `projects.create`.\n\n"
            f"An event has at most {service.MAX_EVENT_BYTES >> 20} MiB of data, {MAX_ATTRIBUTE_BYTES >> 10} KiB of "
            f"attributes (as they are in binary mode) and {MAX_OWN_EXTENSIONS} extensions; a batch has at most "
            f"{MAX_BATCH_EVENTS} events and {service.MAX_BATCH_BYTES >> 20} MiB."
        ),
        tags=("events",),
        raw_body=True,
        consumes=CONSUMES,
    ),
    Operation(
        "GET",
        "/v1/keys",
        "keys.read",
        index,
        "List API keys",
        query=KeyQuery,
        responses={200: KeyPage},
        description="The organisation's keys, newest first, revoked and expired ones as well. Never their secrets.",
        tags=("keys",),
    ),
    Operation(
        "POST",
        "/v1/keys",
        "keys.create",
        create,
        "Create an API key",
        request=KeyRequest,
        responses={201: NewKeyView},
        description="The answer holds the whole key, this once. A key can give away no more than it may do itself.",
        tags=("keys",),
    ),
    Operation(
        "DELETE",
        "/v1/keys/{key_id}",
        "keys.revoke",
        revoke,
        "Revoke an API key",
        responses={204: None, 409: None},
        description="The key is refused from the next request on. Revoking it again changes nothing. A key cannot "
        "revoke itself, nor one that may do more; an organisation's last key with the role `owner` stays.",
        tags=("keys",),
    ),
    Operation(
        "GET",
        "/v1/me",
        "identity.read",
        me,
        "Show who asks, and what they may do",
        responses={200: Identity},
        description="By a session, or by an API key.",
        tags=("identity",),
    ),
    Operation(
        "GET",
        "/v1/me/sessions",
        "sessions.own",
        sessions,
        "List one's own sessions",
        responses={200: OwnSessions, 409: None},
        description="Every browser and device that one is signed in with, in all regions, the one last used first.",
        tags=("identity",),
    ),
    Operation(
        "DELETE",
        "/v1/me/sessions/{session_id}",
        "sessions.own",
        end,
        "End one of one's own sessions",
        responses={204: None, 409: None},
        description="In all regions, from its next request on. A 503 names the regions that did not answer: send the "
        "request again.",
        tags=("identity",),
    ),
    Operation(
        "DELETE",
        "/v1/me/sessions",
        "sessions.own",
        end_others,
        "End all of one's own sessions but this one",
        responses={204: None, 409: None},
        description="In all regions, from their next request on. This one goes on under a new id, which the answer "
        "sets as a cookie, and ends when it would have.",
        tags=("identity",),
    ),
    Operation(
        "POST",
        "/v1/me/sign-out",
        "sessions.own",
        sign_out,
        "Sign out",
        responses={204: None},
        description="Ends this session, and takes its cookie away.",
        tags=("identity",),
    ),
    Operation(
        "GET",
        "/openapi.json",
        None,
        description,
        "This description",
        responses={200: OpenApiDocument},
        description="The OpenAPI 3.1 document of all routes.",
        tags=("reference",),
        public=True,
    ),
    Operation(
        "GET",
        "/reference",
        None,
        page,
        "The API reference as a page",
        responses={200: None},
        produces="text/html",
        tags=("reference",),
        public=True,
    ),
)
