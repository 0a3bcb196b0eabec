"""What the gateway does itself: take events, and look after API keys."""

from __future__ import annotations

import hashlib
import posixpath
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from events import catalogue, codec
from events.cloudevent import Fault, MalformedEvent
from events.publisher import Refused
from functions.gateway.eventlimits import excesses
from shared import apikeys
from shared.apikeys.wire import KeyPage, KeyView, NewKeyView
from shared.identifiers import new_id
from shared.permissions import ROLES
from shared.problems import Problem, register
from shared.quotas import EVENTS
from shared.quotas.usage import Use, take_alone
from shared.telemetry import traceparent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from events.cloudevent import CloudEvent
    from functions.gateway.resources import Resources
    from shared.apikeys.wire import KeyRequest
    from shared.permissions import Principal

register(
    "event-reserved",
    403,
    "This event is not yours to publish",
    "Use types and sources of your own: `ai.hal9.…` and `/regions/…` belong to HAL9.",
)
register(
    "event-unpublished",
    503,
    "The broker did not take every event",
    "Send all of them again with the same ids: an event that comes twice has its effect once.",
)
register(
    "role-beyond-yours",
    403,
    "A role grants more than you may do",
    "Ask for roles that this key has itself, or use a key with more of them.",
)
register(
    "key-last-owner",
    409,
    "An organisation keeps one key of an owner",
    "Create another key with the role `owner` first, so that nobody locks the organisation out.",
)
register(
    "key-in-use",
    409,
    "A key cannot revoke itself",
    "Create another key, and revoke this one with it, so that you do not lock yourself out.",
)

MAX_EVENT_BYTES: Final = 1 << 20
"""An event's data is at most this long, however it came."""
MAX_BATCH_BYTES: Final = 8 << 20
"""A body is at most this long: a batch, or one event whose data is longer as JSON text than it is."""
_RESERVED_SOURCE: Final = "/regions"
_SCHEME_AND_AUTHORITY: Final = re.compile(r"\A(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?(?://[^/]*)?")


async def publish(
    resources: Resources, principal: Principal, headers: Iterable[codec.Header], body: bytes
) -> Sequence[CloudEvent]:
    """Take one event, or a batch: all of them, or none when one is at fault.

    Args:
        resources: What the gateway opened.
        principal: Who publishes; the events become that organisation's, whatever they say themselves.
        headers: The request's headers.
        body: The request's body.

    Returns:
        The events as they were published; the broker has stored every one of them.

    Raises:
        Problem: 400 for what is no event, 413, 415, 422 for attributes that are too long and data that its type does
            not allow, 403 for reserved types and sources, 402 when the quota does not hold them, 503.
    """
    headers = list(headers)
    events = _decoded(headers, body)
    batch = codec.content_mode(headers) == "batch"
    await _refuse_reserved(resources, principal, events, batch=batch)
    _refuse_wrong_data(events, batch=batch)
    await _count(resources, principal, events)
    stamped = [_stamped(event, principal) for event in events]
    outcomes = await resources.publisher.publish_all(stamped)
    faults = [
        _fault(index, str(outcome), batch=batch)
        for index, outcome in enumerate(outcomes)
        if isinstance(outcome, Refused)
    ]
    if faults:
        raise Problem("event-refused", 422, "The broker does not take these events.", errors=faults)
    if any(outcomes):
        raise Problem("event-unpublished", 503, headers={"Retry-After": "1"})
    return stamped


async def _count(resources: Resources, principal: Principal, events: Sequence[CloudEvent]) -> None:
    """Count the events in the organisation's quota; those that are sent again, because of a 503 say, only once.

    Raises:
        Problem: 402 `quota-exceeded`: none of them is taken.
    """
    named = sorted(f"{len(event.source)} {event.source} {event.id}" for event in events)
    use = Use(resources.source, "gateway", hashlib.sha256("\n".join(named).encode()).hexdigest(), len(events))
    tier = (await resources.shards.locate(principal.org_id)).tier
    await take_alone(resources.calls, principal.org_id, use, resources.tiers.allowance(tier, EVENTS))


def _decoded(headers: Sequence[codec.Header], body: bytes) -> tuple[CloudEvent, ...]:
    try:
        return _read(headers, body)
    except MalformedEvent as error:
        raise _refusal(error) from None


def _read(headers: Sequence[codec.Header], body: bytes) -> tuple[CloudEvent, ...]:
    """Read one event or a batch; no event may be larger than what every function takes.

    `7.0` is the Integer 7 here: CloudEvents takes only the second, JSON Schema, in which this door is described, cannot
    tell them apart, and neither can many who write JSON.
    """
    batch = codec.content_mode(headers) == "batch"
    if len(body) > MAX_BATCH_BYTES:
        raise Problem("event-too-large", 413, f"At most {MAX_BATCH_BYTES} bytes are taken: send less at once.")
    events = codec.decode_all(headers, body, max_bytes=MAX_BATCH_BYTES, whole_numbers=True)
    large = [index for index, event in enumerate(events) if len(event.data or b"") > MAX_EVENT_BYTES]
    detail = f"data is too large: at most {MAX_EVENT_BYTES} bytes are taken"
    faults = [_fault(index, detail, "/data", batch=batch) for index in large]
    faults += [
        _fault(index, excess, pointer, batch=batch)
        for index, event in enumerate(events)
        for pointer, excess in excesses(event)
    ]
    if faults:
        raise Problem("event-too-large" if large else "event-refused", detail=_counted(faults), errors=faults)
    return events


def _refusal(error: MalformedEvent) -> Problem:
    faults = [{"pointer": fault.pointer, "detail": f"{fault.attribute} {fault.detail}"} for fault in error.faults]
    if _is_unsupported_format(error.faults):
        detail = f"Send {codec.STRUCTURED}, {codec.BATCH}, or one event in binary mode."
        accepts = {"Accept": f"{codec.STRUCTURED}, {codec.BATCH}"}
        return Problem("media-type-unsupported", 415, detail, headers=accepts, errors=faults)
    return Problem("event-malformed", 400, _counted(faults), errors=faults)


def _is_unsupported_format(faults: Sequence[Fault]) -> bool:
    return all(fault.attribute == "content-type" for fault in faults)


def _counted(faults: Sequence[object]) -> str:
    return "There is 1 fault." if len(faults) == 1 else f"There are {len(faults)} faults."


async def _refuse_reserved(
    resources: Resources, principal: Principal, events: Sequence[CloudEvent], *, batch: bool
) -> None:
    faults = []
    for index, event in enumerate(events):
        if event.type.startswith(catalogue.OWN_PREFIX) and not await _may_publish(resources, principal, event.type):
            faults.append(_fault(index, f"type {event.type[:100]} is reserved", "/type", batch=batch))
        if _is_reserved(event.source):
            faults.append(_fault(index, "source begins with /regions/, which is reserved", "/source", batch=batch))
    if faults:
        raise Problem("event-reserved", 403, _counted(faults), errors=faults)


async def _may_publish(resources: Resources, principal: Principal, name: str) -> bool:
    known = catalogue.find(name)
    if known is None or known.permission is None:
        return False
    return (await resources.authorizer.allows(principal, known.permission)).allowed


def _is_reserved(source: str) -> bool:
    """Say whether a reader could take a source for one of ours, in whatever spelling (RFC 3986 section 6.2.2)."""
    path = _SCHEME_AND_AUTHORITY.sub("", unquote(source).replace("\\", "/"))
    resolved = "/" + posixpath.normpath("/" + path.partition("?")[0].partition("#")[0]).lstrip("/").casefold()
    return f"{resolved}/".startswith(f"{_RESERVED_SOURCE}/")


def _refuse_wrong_data(events: Sequence[CloudEvent], *, batch: bool) -> None:
    """Hold events of HAL9's own types to their models, so that a customer hears at once what is wrong with them."""
    faults: list[dict[str, str]] = []
    for index, event in enumerate(events):
        if event.type.startswith(catalogue.OWN_PREFIX) and len(faults) < codec.MAX_FAULTS:
            try:
                catalogue.parse(event)
            except MalformedEvent as error:
                faults += [
                    _fault(index, f"{fault.attribute} {fault.detail}", fault.pointer, batch=batch)
                    for fault in error.faults
                ]
    if faults:
        raise Problem("body-invalid", 422, _counted(faults), errors=faults)


def _fault(index: int, detail: str, pointer: str = "", *, batch: bool) -> dict[str, str]:
    return {"pointer": f"/{index}{pointer}" if batch else pointer, "detail": detail}


def _stamped(event: CloudEvent, principal: Principal) -> CloudEvent:
    """Give the event as the organisation's own: `orgid` from the credentials, and a trace if it came with none."""
    return event.with_extensions(orgid=str(principal.org_id), traceparent=event.traceparent or traceparent())


async def create_key(resources: Resources, principal: Principal, wanted: KeyRequest) -> NewKeyView:
    """Make an API key for the principal's organisation.

    Raises:
        Problem: 403 when a role grants more than the principal has.
    """
    roles = tuple(dict.fromkeys(wanted.roles))
    beyond = _beyond(principal, roles)
    if beyond:
        raise Problem("role-beyond-yours", 403, f"This key may not give away: {', '.join(beyond)}.")
    now = resources.clock.now()
    days = wanted.expires_in_days
    new = apikeys.generate(resources.randomness)
    key = await apikeys.create(
        resources.directory,
        principal.org_id,
        new_id(),
        new,
        name=wanted.name,
        roles=roles,
        made_by=principal.subject,
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    return NewKeyView(**KeyView.of(key).model_dump(), key=new.text)


async def list_keys(resources: Resources, principal: Principal, cursor: UUID | None, limit: int) -> KeyPage:
    """Give a page of the organisation's keys, the newest first."""
    found = await apikeys.list_keys(resources.directory, principal.org_id, before=cursor, limit=limit + 1)
    page = found[:limit]
    return KeyPage(keys=[KeyView.of(key) for key in page], next_cursor=page[-1].key_id if len(found) > limit else None)


async def revoke_key(resources: Resources, principal: Principal, key_id: UUID) -> None:
    """End a key of the organisation, at once and everywhere.

    Raises:
        Problem: 404 when the organisation has no such key; 403 when the key may do more than the principal; 409 when
            it is the one in use, or the last one of an owner.
    """
    if key_id == principal.key_id:
        raise Problem("key-in-use")
    key = await apikeys.get(resources.directory, principal.org_id, key_id)
    if key is None:
        raise not_found()
    beyond = _beyond(principal, key.roles)
    if beyond:
        raise Problem("role-beyond-yours", 403, f"This key may not revoke one with: {', '.join(beyond)}.")
    try:
        revoked = await apikeys.revoke(resources.directory, principal.org_id, key_id, resources.clock.now())
    except apikeys.LastOwnerKeyError:
        raise Problem("key-last-owner") from None
    if revoked is None:
        raise not_found()
    await resources.lookups.revoked(revoked)


def _beyond(principal: Principal, roles: Iterable[str]) -> list[str]:
    """Name the roles that grant what none of the principal's does."""
    own = frozenset[str]().union(*(ROLES.get(role, frozenset()) for role in principal.roles))
    return [role for role in roles if not ROLES.get(role, frozenset()) <= own]


def not_found() -> Problem:
    """Give the problem for what is not there, and for what is another organisation's."""
    return Problem("not-found", 404, "There is no such key: check its id.")
