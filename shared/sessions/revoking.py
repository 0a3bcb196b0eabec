"""Revocation in all regions.

A user's and an organisation's sessions are made void up to a moment that is later than the beginning of each of them in
every region; a single device's session is removed where it is, after every region was told to let it arrive no more, so
that it cannot slip away in a move. The directory has it before the caches do (`shared.sessions.ended`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from shared.cache import CacheError, CacheUnavailableError
from shared.database import ShardUnavailableError
from shared.sessions import ended
from shared.sessions.errors import RevocationIncompleteError, RevocationUnkeptError
from shared.sessions.session import State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from uuid import UUID

    from shared.sessions.region import Region

T = TypeVar("T")


class Voided(NamedTuple):
    """What was made void.

    Attributes:
        until: What began until this moment is void, in every region that answered.
        before: The latest moment that somebody else had made things void until, in any of them.
        silent: The regions that did not answer.
    """

    until: int
    before: int
    silent: frozenset[str]


async def revoke_everywhere(regions: Mapping[str, Region], org_id: UUID, user_id: UUID | None) -> None:
    """Make void all sessions of a user, or of the organisation.

    Raises:
        RevocationIncompleteError: Some regions did not answer; the others are done.
        RevocationUnkeptError: The directory does not have it; the regions that answered are done.
    """
    while True:
        voided = await void_everywhere(regions, org_id, user_id)
        if voided.silent:
            raise RevocationIncompleteError(sorted(voided.silent))
        if voided.before < voided.until:
            return
        # Somebody else was faster, and may have begun a session after their moment, which is later than ours.


async def void_everywhere(regions: Mapping[str, Region], org_id: UUID, user_id: UUID | None) -> Voided:
    """Make void all sessions of a user, or of the organisation, once, in all regions that answer.

    Raises:
        RevocationUnkeptError: They are void, but the directory does not have it.
    """
    moments, silent = await _each(regions, lambda region: region.moment(org_id, user_id))
    # A session may have begun a microsecond after the moment that was void before.
    latest = max((max(now, void + 1, begun) for now, void, begun in moments.values()), default=0)
    kept = not moments or await _kept(regions, org_id, user_id, latest)
    reached = {name: regions[name] for name in moments}
    before, failed = await _each(reached, lambda region: region.void(org_id, user_id, latest))
    if not kept:
        raise RevocationUnkeptError
    return Voided(latest, max(before.values(), default=0), silent | failed)


async def _kept(regions: Mapping[str, Region], org_id: UUID, user_id: UUID | None, latest: int) -> bool:
    """Write to the directory what is void; False when it does not answer: the caches can still be told."""
    what = ended.Ended("void", ended.ALL if user_id is None else user_id.bytes, latest)
    try:
        await next(iter(regions.values())).note(org_id, what)
    except ShardUnavailableError:
        return False
    return True


async def revoke_device(regions: Mapping[str, Region], org_id: UUID, user_id: UUID, ref: UUID) -> bool:
    """End one session; whether there was one.

    Raises:
        RevocationIncompleteError: Some regions did not answer, or the directory did not where it is, so that it has not
            ended there; the others are done.
    """
    _, silent = await _each(regions, lambda region: region.bar(org_id, ref))
    ended, failed = await _each(regions, lambda region: _end(regions, region, org_id, user_id, ref))
    if silent or failed:
        raise RevocationIncompleteError(sorted(silent | failed))
    return any(ended.values())


async def _end(regions: Mapping[str, Region], region: Region, org_id: UUID, user_id: UUID, ref: UUID) -> bool:
    """End a session in one region, whatever it becomes meanwhile."""
    while (found := await region.find(org_id, user_id, ref)) is not None:
        digest, value, session = found
        if session is not None and session.state is State.MOVING and session.target in regions:
            # Whoever completes it later must find it decided. If it has arrived already, it is ended there.
            await regions[session.target].cancel(session)
        await region.note(org_id, ended.Ended("device", user_id.bytes + ref.bytes), session)
        if await region.remove(org_id, user_id, ref, digest, value):
            return bool(value)
    return False


async def _each(
    regions: Mapping[str, Region], work: Callable[[Region], Awaitable[T]]
) -> tuple[dict[str, T], frozenset[str]]:
    """Do something in all regions at once: what came of it, and where the cache, or the directory, did not answer."""

    async def one(region: Region) -> T:
        return await work(region)

    answers = await asyncio.gather(*(one(region) for region in regions.values()), return_exceptions=True)
    done: dict[str, T] = {}
    silent = set()
    for name, answer in zip(regions, answers, strict=True):
        if isinstance(answer, CacheUnavailableError | CacheError | ShardUnavailableError):
            silent.add(name)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            done[name] = answer
    return done, frozenset(silent)
