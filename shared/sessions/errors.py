"""What can be wrong with a session, beyond its not being there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.problems import Problem, register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.sessions.sessions import Opened

register("session-invalid", 401, "You are not signed in", "Sign in again.")
register(
    "session-superseded",
    409,
    "The session goes on under another id",
    "Send the request again with the cookie that an earlier answer set.",
)
register(
    "revocation-incomplete",
    503,
    "Sessions were not revoked in every region",
    "Revoke them again: `regions` names those that did not answer.",
)
register(
    "revocation-unkept",
    503,
    "The sessions have ended, but that is not kept",
    "Revoke them again when the directory answers: a cache that comes back with an older state would not know of it.",
)


class SessionInvalidError(Problem):
    """There is no such session: it never was, has ended, or was revoked."""

    def __init__(self) -> None:
        super().__init__("session-invalid")


class SessionSupersededError(Problem):
    """The id was replaced by a new one; it still reads for a moment, and does nothing else."""

    def __init__(self) -> None:
        super().__init__("session-superseded")


class SessionFullError(ValueError):
    """A session is to hold more than it can."""


class RevocationIncompleteError(Problem):
    """Some regions did not answer, so that sessions may live on there.

    Attributes:
        opened: The caller's own session as it goes on, where all others here were revoked; else None.
    """

    def __init__(self, regions: Sequence[str], opened: Opened | None = None) -> None:
        super().__init__("revocation-incomplete", headers={"Retry-After": "1"}, regions=list(regions))
        self.opened = opened


class RevocationUnkeptError(Problem):
    """The sessions have ended in every region that answered; the directory did not answer, and so does not have it."""

    def __init__(self) -> None:
        super().__init__("revocation-unkept", headers={"Retry-After": "1"})


class SessionElsewhereError(Exception):
    """The session is another region's: pass the request on to it, or move the session here.

    Attributes:
        region: Where it is.
        cookie: Its cookie there, when it moved; None when the presented one is right.
    """

    def __init__(self, region: str, cookie: str | None = None) -> None:
        super().__init__(region)
        self.region = region
        self.cookie = cookie


class SessionPinnedError(Exception):
    """The organisation's data stay in a region: its sessions are never moved out of it, requests are passed on there.

    Attributes:
        region: Which one.
    """

    def __init__(self, region: str) -> None:
        super().__init__(region)
        self.region = region
