"""Who is signed in: the session of a request's cookie.

A session is read from the region's cache at each request, so that a revocation counts from the next one on. One of
another region is moved here, and the answer sets its new cookie. While the cache does not answer nobody is signed out:
requests with a cookie are a 503, at once where that has gone on for a while (`shared.caching.Guarded`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared.problems import Problem, register
from shared.sessions import (
    COOKIE,
    SessionElsewhereError,
    SessionPinnedError,
    SessionSupersededError,
    setting_cookie,
)
from shared.sessions.sessions import Opened

if TYPE_CHECKING:
    from starlette.requests import Request

    from shared.sessions import Sessions

register(
    "session-elsewhere",
    421,
    "The session is another region's",
    "Send the request again, to the region that `region` names, with the cookie that this answer may have set.",
)
register(
    "session-required",
    403,
    "Only who is signed in has sessions",
    "Sign in, and send the session's cookie: an API key has no sessions.",
)

SESSION_SCOPE: Final = "hal9.session"
"""Where the door leaves the session of a request, and its cookie (`Opened`)."""
COOKIES_SCOPE: Final = "hal9.cookies"
"""Where whoever wants a cookie set leaves its header Set-Cookie, for the answer."""


def presented_cookie(request: Request) -> str | None:
    """Give the value of the session's cookie; None when there is none.

    Raises:
        Problem: 401 when there are two: one of them was planted.
    """
    parts = (part.strip().partition("=") for header in request.headers.getlist("cookie") for part in header.split(";"))
    values = [value for name, _, value in parts if name == COOKIE]
    if len(values) > 1:
        raise not_signed_in()
    return values[0] or None if values else None


async def signed_in(sessions: Sessions, request: Request, cookie: str) -> Opened:
    """Give the session of a cookie; it is left in the request's scope, too.

    Raises:
        Problem: 401 `session-invalid`; 421 `session-elsewhere`; 503 when cache, keys or directory do not answer.
    """
    try:
        opened = await _found(sessions, request, cookie)
    except SessionPinnedError as pinned:
        raise elsewhere(pinned.region) from None
    except SessionElsewhereError as moved:
        if moved.cookie is not None:
            set_cookie(request, setting_cookie(moved.cookie))
        raise elsewhere(moved.region) from None
    if opened is None:
        raise not_signed_in()
    request.scope[SESSION_SCOPE] = opened
    return opened


async def _found(sessions: Sessions, request: Request, cookie: str) -> Opened | None:
    try:
        session = await sessions.read(cookie)
    except SessionElsewhereError as there:
        if there.cookie is not None:  # it was here and has left: the browser has a newer cookie, or gets it now
            raise
        opened = await sessions.move(cookie)
        if opened is not None:
            set_cookie(request, setting_cookie(opened.cookie))
        return opened
    return None if session is None else Opened(cookie, session)


def session_of(request: Request) -> Opened | None:
    """Give the session that the door found; None when the request came with an API key."""
    opened: Opened | None = request.scope.get(SESSION_SCOPE)
    return opened


def required(request: Request) -> Opened:
    """Give the session that the door found, whatever its id.

    Raises:
        Problem: 403 `session-required`.
    """
    opened = session_of(request)
    if opened is None:
        raise Problem("session-required")
    return opened


def of_request(request: Request) -> Opened:
    """Give the session that the door found, to change it.

    Raises:
        Problem: 403 `session-required`; 409 `session-superseded`, as a replaced id changes no session.
    """
    opened = required(request)
    if opened.session.superseded:
        raise SessionSupersededError
    return opened


def set_cookie(request: Request, header: str) -> None:
    """Have the answer set a cookie."""
    request.scope.setdefault(COOKIES_SCOPE, []).append(header)


def not_signed_in() -> Problem:
    """Give the problem of a cookie that is no session; which part of it was wrong is not told."""
    return Problem("session-invalid", headers={"WWW-Authenticate": 'Bearer realm="hal9"'})


def elsewhere(region: str) -> Problem:
    """Give the problem of a session that cannot be used here."""
    return Problem("session-elsewhere", region=region)
