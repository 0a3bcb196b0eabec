"""Moving a session to another region: three steps, each atomic in one cache, any of which may be the last of who began.

1. `begin`, in the source: compare and set, live -> moving. What is sealed now says where it goes and which id it will
   have there, so that everybody who completes it does the same.
2. `Region.arrive`, in the target: the decision, first come: arrived (and the session is there) or cancelled.
3. `Region.leave`, in the source: compare and set, moving -> tombstone, which tells the new cookie for a moment.

Between 1 and 3 the source's copy serves nobody: whoever reads it goes on with 2. While the target does not answer, the
session waits.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from shared.sessions.cookie import SessionId
from shared.sessions.ended import Ended
from shared.sessions.session import State

if TYPE_CHECKING:
    from shared.randomness import Randomness
    from shared.sessions.region import Found, Region
    from shared.sessions.session import Session


async def begin(source: Region, found: Found, target: str, randomness: Randomness) -> bool:
    """Step 1; False when the session is not as it was found any more."""
    follower = SessionId.new(target, found.session.org_id, randomness)
    moving = dataclasses.replace(found.session, state=State.MOVING, target=target, follower=follower.raw)
    return await source.swap(found, moving)


def arriving(moving: Session, region: str) -> Session:
    """What a moving session is to be where it arrives."""
    return dataclasses.replace(moving, state=State.LIVE, region=region, target="", follower=b"")


async def complete(source: Region, target: Region, found: Found, milliseconds: int) -> SessionId | None:
    """Steps 2 and 3; the id in the target, None when the move was cancelled because the session was revoked.

    Args:
        source: Where it comes from.
        target: Where it goes to.
        found: The session, moving.
        milliseconds: How long the tombstone stays.
    """
    moving = found.session
    if not await target.arrive(arriving(moving, target.name), moving.follower):
        await source.remove(moving.org_id, moving.user_id, moving.ref, found.digest, found.value)
        return None
    await source.note(moving.org_id, Ended("id", found.digest), moving)
    await source.leave(found, dataclasses.replace(moving, state=State.GONE), milliseconds)
    return SessionId(target.name, moving.follower)
