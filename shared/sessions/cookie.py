"""A session's id, as the browser has it.

Promises: one text for each id, and nothing else is read as one; 256 of its bits are random.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from shared.keys import base64url
from shared.shards.slots import SLOTS, slot

if TYPE_CHECKING:
    from uuid import UUID

    from shared.randomness import Randomness

COOKIE: Final = "__Host-hal9-session"
"""The name: `__Host-` keeps it to this host, to all paths, and to HTTPS (RFC 6265bis, 4.1.3.2)."""

RANDOM_BYTES: Final = 32
_PLACE_BYTES: Final = 2
_TEXT: Final = re.compile(r"([a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)\.([A-Za-z0-9_-]{46})")


@dataclass(frozen=True, slots=True)
class SessionId:
    """An id.

    Attributes:
        region: The region whose cache has the session.
        raw: 2 bytes of place, 32 random ones; secret.
    """

    region: str
    raw: bytes = field(repr=False)

    @classmethod
    def new(cls, region: str, org_id: UUID, randomness: Randomness) -> SessionId:
        """Make an id for a session of an organisation."""
        return cls(region, slot(org_id).to_bytes(_PLACE_BYTES, "big") + randomness.bytes(RANDOM_BYTES))

    @classmethod
    def parse(cls, text: str) -> SessionId | None:
        """Read a cookie's value; None for what is none."""
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        try:
            found = cls(match[1], base64url.decode(match[2]))
        except ValueError:
            return None
        return found if found.place < SLOTS else None

    @property
    def place(self) -> int:
        """The slot that its organisation's sessions share, 0 to 16383."""
        return int.from_bytes(self.raw[:_PLACE_BYTES], "big")

    @property
    def text(self) -> str:
        """The cookie's value."""
        return f"{self.region}.{base64url.encode(self.raw)}"


def setting_cookie(text: str) -> str:
    """The header Set-Cookie that gives a browser its session, until the browser is closed or the session ends."""
    return f"{COOKIE}={text}; Path=/; Secure; HttpOnly; SameSite=Lax"


def clearing_cookie() -> str:
    """The header Set-Cookie that takes it away."""
    return f"{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
