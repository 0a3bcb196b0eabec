"""Sessions: who is signed in, sealed in the region's cache, known to the browser by a random id.

    sessions = Sessions(region, caches, DataKeys(...), load(SessionSettings))
    opened = await sessions.create(org_id, user_id, {"developer"}, device="Firefox on Linux", address="203.0.113.7")
    session = await sessions.read(cookie)            # None: sign in again
    opened = await sessions.renew(cookie, {"developer", "owner"})      # a new id: privileges changed
    await sessions.revoke_user(org_id, user_id)      # everywhere, counts from the next read on

A cookie is `<region>.<34 bytes as base64url>`: 2 bytes of place, which say in which slot of the cache the
organisation's sessions are, and a 256-bit random id. The cache knows its HMAC only; the value is sealed with the
organisation's data key of that region (shared.datakeys), bound to organisation, user, region and id.
Promises: whoever reads the cache reads no session and can use none; a value under another's name, of another
organisation or region, changed in any bit, or cut, is no session. One live copy of a session at most, in all regions,
whatever runs at once or dies half-way. A revocation counts from the next read on, in every process and region; when a
region did not answer, it says so. A privilege that was lost is lost at once, one that was won is never the old id's.
What was revoked stays so when a cache comes back with an older state: the directory has it, and tells it to every
history of a cache's data that has not heard it. Does not: survive a cache that loses its data (people sign in again);
stop who can write the cache from putting back what was sealed for the same id before, within the session's lifetime.
"""

from __future__ import annotations

from shared.sessions.cookie import COOKIE, SessionId, clearing_cookie, setting_cookie
from shared.sessions.errors import (
    RevocationIncompleteError,
    RevocationUnkeptError,
    SessionElsewhereError,
    SessionFullError,
    SessionInvalidError,
    SessionPinnedError,
    SessionSupersededError,
)
from shared.sessions.session import Session
from shared.sessions.sessions import Opened, Sessions
from shared.sessions.settings import SessionSettings, session_caches

__all__ = [
    "COOKIE",
    "Opened",
    "RevocationIncompleteError",
    "RevocationUnkeptError",
    "Session",
    "SessionElsewhereError",
    "SessionFullError",
    "SessionId",
    "SessionInvalidError",
    "SessionPinnedError",
    "SessionSettings",
    "SessionSupersededError",
    "Sessions",
    "clearing_cookie",
    "session_caches",
    "setting_cookie",
]
