"""Who one is, and one's own sessions: what the door does for whoever is signed in.

Sessions are begun elsewhere: by sign-in, or, until there is one, by the operator's `hal9 sessions begin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.gateway.models import Identity, OwnSession, OwnSessions
from functions.gateway.signedin import elsewhere, of_request, required, session_of, set_cookie
from shared.permissions import PERSON
from shared.problems import Problem
from shared.sessions import (
    RevocationIncompleteError,
    SessionElsewhereError,
    SessionInvalidError,
    SessionPinnedError,
    clearing_cookie,
    setting_cookie,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from starlette.requests import Request

    from functions.gateway.resources import Resources
    from shared.permissions import Principal
    from shared.sessions import Session


def who(request: Request, principal: Principal) -> Identity:
    """Say who asks, by a key or by a session."""
    opened = session_of(request)
    return Identity(
        organisation=principal.org_id,
        region=principal.region,
        subject=principal.subject,
        user=principal.user_id,
        key=principal.key_id,
        roles=sorted(set(principal.roles) - {PERSON}),
        permissions=sorted(principal.scope),
        session=None if opened is None else _view(opened.session, opened.session.ref, None),
    )


async def devices(resources: Resources, request: Request) -> OwnSessions:
    """List one's own sessions in all regions, the one last used first."""
    own = of_request(request).session
    found = await resources.own_sessions().devices(own.org_id, own.user_id)
    return OwnSessions(sessions=[_view(one.session, own.ref, one.used_at) for one in found])


async def end(resources: Resources, request: Request, ref: UUID) -> None:
    """End one of one's own sessions; the present one as well.

    Raises:
        Problem: 404 when one has no such session; 503 when a region did not answer.
    """
    if not await _end(resources, request, of_request(request).session, ref):
        raise no_such_session()


async def end_others(resources: Resources, request: Request) -> None:
    """End all of one's own sessions but the present one, which goes on under a new id.

    Raises:
        Problem: 503 when a region did not answer: the others' sessions may live on there.
    """
    cookie = of_request(request).cookie
    try:
        opened = await resources.own_sessions().revoke_others(cookie)
    except RevocationIncompleteError as error:
        if error.opened is not None:
            set_cookie(request, setting_cookie(error.opened.cookie))
        raise
    except SessionInvalidError:
        raise Problem("session-invalid") from None
    except (SessionElsewhereError, SessionPinnedError) as error:
        raise elsewhere(error.region) from None
    set_cookie(request, setting_cookie(opened.cookie))


async def sign_out(resources: Resources, request: Request) -> None:
    """End the present session, whatever its id: a replaced one signs out too.

    Raises:
        Problem: 503 when a region did not answer: the session may live on there.
    """
    own = required(request).session
    await _end(resources, request, own, own.ref)


async def _end(resources: Resources, request: Request, own: Session, ref: UUID) -> bool:
    """End a session of one's own; whether there was one. The cookie goes when this region has ended the present one."""
    try:
        ended = await resources.own_sessions().revoke_device(own.org_id, own.user_id, ref)
    except RevocationIncompleteError as error:
        if ref == own.ref and own.region not in error.members["regions"]:
            set_cookie(request, clearing_cookie())
        raise
    if ref == own.ref:
        set_cookie(request, clearing_cookie())
    return ended


def no_such_session() -> Problem:
    """Give the problem for what is not there, and for what is somebody else's."""
    return Problem("not-found", detail="You have no such session: list them.")


def _view(session: Session, own: UUID, used_at: datetime | None) -> OwnSession:
    return OwnSession(
        id=session.ref,
        region=session.region,
        device=session.device,
        address=session.address,
        begun_at=session.begun_at,
        ends_at=session.ends_at,
        used_at=used_at,
        current=session.ref == own,
    )
