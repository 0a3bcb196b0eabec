"""Requests that another site's page made a browser send, with the cookie of whoever is signed in here (CSRF).

Source: OWASP, Cross-Site Request Forgery Prevention (Fetch Metadata, then the origin); W3C Fetch Metadata Request
Headers. What changes something is taken only from a page of our own: Sec-Fetch-Site says so, or, from browsers that do
not send it, Origin. A request with neither is refused. `SameSite=Lax` on the cookie is the second wall, not the only
one: a neighbouring host of the same site passes it.
Does not: concern requests with an API key, which no browser sends by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from shared.problems import Problem, register

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

register(
    "cross-site-request",
    403,
    "The request does not come from a page of this site",
    "Send it from a page of this site: browsers say so in Sec-Fetch-Site and Origin. A program uses an API key.",
)

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN: Final = frozenset({"same-origin", "none"})
"""`none`: no page at all made the browser send it, but its user."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def refuse_cross_site(request: Request, origins: Collection[str]) -> None:
    """Refuse what changes something and does not surely come from a page of our own.

    Args:
        request: A request that comes with a session's cookie.
        origins: The public origins of this door, `https://app.example.com`; when empty, that of the request's Host.
            For browsers that do not send Sec-Fetch-Site: those that do know themselves whether a page is of this door,
            and one of a neighbouring host is refused though it be listed.

    Raises:
        Problem: 403 `cross-site-request`.
    """
    if request.method in _SAFE:
        return
    site, origin = request.headers.getlist("sec-fetch-site"), request.headers.getlist("origin")
    # Only a browser that says which site it was needs not be asked for the origin: it may be `null` then.
    own = site[0] in _OWN if site else bool(origin) and _is_ours(origin[0], request, origins)
    if not own or len(site) > 1 or len(origin) > 1:
        raise Problem("cross-site-request")


def _is_ours(origin: str, request: Request, origins: Collection[str]) -> bool:
    if origins:
        return origin in origins
    host = request.headers.get("host", "").lower()
    if not host:
        return False
    local = urlsplit(f"//{host}").hostname in _LOOPBACK
    return origin == f"https://{host}" or (local and origin == f"http://{host}")
