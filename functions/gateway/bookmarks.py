"""Reading one's own writes: the bookmark that a change gave is kept in the session, and goes with its later reads.

So a replica answers whoever is signed in only when it has got as far (`shared.replicas`). Where the session could not
be changed after the change was done (it is full, has a new id, the cache is away), a cookie of its own carries the
bookmark, for longer than a replica may lag.
Promises: a read of a session sees the session's changes, whichever of their answers came first; of answers that were
under way at once and set the cookie, the one that the browser took last counts. Where that cannot be known, there is no
bookmark, and the primary answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.gateway.signedin import session_of, set_cookie
from shared.problems import Problem
from shared.replicas.lsn import Bookmark
from shared.sessions import SessionElsewhereError, SessionFullError, SessionPinnedError
from shared.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from shared.function import Call

HEADER: Final = "hal9-bookmark"
COOKIE: Final = "__Host-hal9-bookmark"
_SECONDS: Final = 3600
_KEPT: Final = "bookmark"
_log = logger(__name__)


def carried(request: Request) -> str | None:
    """Give the bookmark that a read of a session goes with; None when it has none, or the request its own."""
    opened = session_of(request)
    if opened is None or HEADER in request.headers:
        return None
    known = [opened.session.data.get(_KEPT), request.cookies.get(COOKIE)]
    found = [Bookmark.read(text) for text in known if text is not None]
    first, *rest = found or [None]
    for other in rest:
        first = None if first is None or other is None else first.joined(other)
    return None if first is None else str(first)


async def keep(call: Call, response: Response) -> None:
    """Keep the bookmark of an answer in the session of its request, before the answer goes out."""
    opened = session_of(call.request)
    given = Bookmark.read(response.headers.get(HEADER, ""))
    if opened is None or given is None:
        return
    resources: Any = call.resources
    try:
        await resources.sessions.update(opened.cookie, lambda data: with_bookmark(data, given))
    except (Problem, SessionElsewhereError, SessionFullError, SessionPinnedError) as error:
        _log.warning("a session did not take a bookmark: a cookie carries it", error=type(error).__name__)
        set_cookie(call.request, f"{COOKIE}={given}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={_SECONDS}")


def with_bookmark(data: Mapping[str, str], given: Bookmark) -> dict[str, str]:
    """Give a session's data with a further bookmark; of two shards' none is left, so that the primary answers.

    That stays so: a later one may be of an answer that was under way before the organisation moved, and hides another.
    """
    kept = data.get(_KEPT)
    known = given if kept is None else Bookmark.read(kept)
    joined = None if known is None else known.joined(given)
    return {**data, _KEPT: "" if joined is None else str(joined)}
