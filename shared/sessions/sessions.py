"""The use cases: sign in, read, renew, list, revoke, move."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from shared.identifiers import new_id
from shared.randomness import SystemRandomness
from shared.sessions import moving
from shared.sessions.cookie import SessionId
from shared.sessions.ended import Ended
from shared.sessions.errors import (
    RevocationIncompleteError,
    SessionElsewhereError,
    SessionInvalidError,
    SessionPinnedError,
    SessionSupersededError,
)
from shared.sessions.region import Found, Region, superseding
from shared.sessions.revoking import revoke_device, revoke_everywhere, void_everywhere
from shared.sessions.session import MICROSECONDS, Session, State
from shared.telemetry import counter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
    from uuid import UUID

    from shared.cache import Cache
    from shared.clock import Clock
    from shared.datakeys import DataKeys
    from shared.randomness import Randomness
    from shared.sessions.settings import SessionSettings

_TRIES: Final = 8
"""How often something is begun anew because somebody else changed the session in between."""

_happened = counter(
    "hal9_sessions_total", "Sessions that were created, renewed, moved or revoked, by what happened.", ("what",)
)


class Opened(NamedTuple):
    """A session, and the cookie that the browser is to have."""

    cookie: str
    session: Session


class Device(NamedTuple):
    """A session as its user sees it in a list.

    Attributes:
        session: The session.
        used_at: When it was last used.
    """

    session: Session
    used_at: datetime


class Sessions:
    """The sessions of a region, and what is done to those of others.

    Args:
        region: This process's region.
        caches: The caches of all regions that can be reached, this one among them.
        keys: The organisations' data keys.
        settings: How long sessions last.
        pinned: Gives the only region that an organisation's sessions may be in, None for any.
        seat: Counts a user who signs in, or refuses them; None to count nobody.
        clock: Gives the time; None takes the caches' own.
        randomness: Makes the ids.

    Raises:
        ValueError: The region has no cache.
    """

    def __init__(
        self,
        region: str,
        caches: Mapping[str, Cache],
        keys: DataKeys,
        settings: SessionSettings,
        *,
        pinned: Callable[[UUID], Awaitable[str | None]] | None = None,
        seat: Callable[[UUID, UUID], Awaitable[None]] | None = None,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
    ) -> None:
        if region not in caches:
            raise ValueError(f"the region {region!r} has no cache for sessions")
        self._regions = {name: Region(name, cache, keys, clock) for name, cache in caches.items()}
        self._home = self._regions[region]
        self._keys = keys
        self._settings = settings
        self._pinned = pinned
        self._seat = seat
        self._randomness = randomness or SystemRandomness()

    @property
    def regions(self) -> Collection[str]:
        """The regions that can be reached, this one among them."""
        return self._regions.keys()

    async def create(
        self,
        org_id: UUID,
        user_id: UUID,
        privileges: Iterable[str],
        *,
        device: str = "",
        address: str = "",
        data: Mapping[str, str] | None = None,
        idle_seconds: int | None = None,
        seconds: int | None = None,
        previous: str | None = None,
    ) -> Opened:
        """Begin a session: the user has just signed in.

        Args:
            org_id: The organisation.
            user_id: The user.
            privileges: What the session may do, in the caller's terms.
            device: What the user is to recognise it by.
            address: Where the request came from.
            data: Short texts, 4 KiB together with the rest.
            idle_seconds: Ends it earlier than the settings do.
            seconds: Ends it earlier than the settings do.
            previous: The cookie that the browser had: it is never taken over, and reads for a moment only.

        Raises:
            SessionFullError: The data are too long.
            SessionPinnedError: The organisation's sessions belong to another region.
            SessionInvalidError: The user's sessions were revoked at this moment.
            Problem: 404 `organisation-unknown`; 402 `quota-exceeded`: the organisation has no seat left in this month;
                503 when cache, keys, directory or the organisation's shard do not answer.
        """
        await self._must_be_allowed(org_id, self._home.name)
        if self._seat is not None:
            await self._seat(org_id, user_id)
        idle = min(self._settings.idle_seconds, idle_seconds or self._settings.idle_seconds)
        lasts = min(self._settings.seconds, seconds or self._settings.seconds) * MICROSECONDS
        now, void, _ = await self._home.moment(org_id, user_id)
        begun = max(now, void + 1)
        opened = await self._begin(Session(
            org_id, user_id, new_id(), self._home.name, frozenset(privileges), begun, begun + lasts, idle, device,
            address, data or {},
        ))  # fmt: skip
        if previous is not None:
            await self._supersede(previous)
        return opened

    async def _begin(self, session: Session) -> Opened:
        """Begin a session, unless its user's were made void since the moment that it begins at.

        Raises:
            SessionInvalidError: They were.
            SessionFullError, Problem: As `create`.
        """
        session_id = SessionId.new(self._home.name, session.org_id, self._randomness)
        if not await self._home.create(session, session_id.raw, self._settings.each):
            raise SessionInvalidError  # revoked meanwhile: whether the user may is to be asked again
        _happened.add("created")
        return Opened(session_id.text, session)

    async def read(self, cookie: str) -> Session | None:
        """Give the session of a cookie, and keep it from being idle; None when there is none.

        Raises:
            SessionElsewhereError: It is another region's.
            Problem: 503 when cache, keys or directory do not answer: nobody is signed out by that.
        """
        session_id = self._parsed(cookie)
        if session_id is None:
            return None
        if session_id.region != self._home.name:
            raise SessionElsewhereError(session_id.region)
        found = await self._home.read(session_id)
        if found is None:
            return None
        if found.session.state in {State.MOVING, State.GONE}:
            arrived = await self._followed(found)
            if arrived is None:
                return None
            raise SessionElsewhereError(arrived.region, arrived.text)
        return found.session

    async def current(self, session: Session) -> Session | None:
        """Give a session of this region as it is now, under whichever id; None when it has ended, moved or was revoked.

        Does not keep it from being idle.

        Raises:
            Problem: 503 when cache, keys or directory do not answer.
        """
        found = await self._home.devices(session.org_id, session.user_id)
        return next((one for one, _ in found if one.ref == session.ref), None)

    async def renew(self, cookie: str, privileges: Iterable[str]) -> Opened:
        """Give a session a new id, as its privileges change; the old id reads for a moment, with what both may do.

        Raises:
            SessionInvalidError: There is no such session.
            SessionSupersededError: It has a new id already.
            SessionElsewhereError: It is another region's.
        """
        wanted = frozenset(privileges)
        milliseconds = self._settings.tombstone_seconds * 1000
        for _ in range(_TRIES):
            found = await self._found_live(cookie)
            follower = SessionId.new(self._home.name, found.session.org_id, self._randomness)
            session = dataclasses.replace(found.session, privileges=wanted)
            tombstone = superseding(found.session, wanted)
            await self._home.note(session.org_id, Ended("id", found.digest), session)
            if await self._home.renew(found, follower.raw, session, tombstone, milliseconds):
                _happened.add("renewed")
                return Opened(follower.text, session)
        raise SessionSupersededError

    async def update(self, cookie: str, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> Session:
        """Replace a session's data by what `change` makes of them; privileges are changed by `renew` only.

        It is asked again when somebody else was faster, so that no change is lost.

        Raises:
            SessionFullError: The data are too long now.
            SessionInvalidError: There is no such session.
            SessionSupersededError: It has a new id.
            SessionElsewhereError: It is another region's.
        """
        while True:  # who is not the first has seen another one's change done
            found = await self._found_live(cookie)
            data = dict(change(found.session.data))
            session = dataclasses.replace(found.session, data=data)
            if data == found.session.data or await self._home.swap(found, session):
                return session

    async def move(self, cookie: str) -> Opened | None:
        """Bring a session of another region here; None when there is none.

        Whoever is interrupted half-way leaves a session that the next one who reads it, here or there, finds whole.

        Raises:
            SessionPinnedError: The organisation's sessions stay where they are: pass the request on.
            SessionElsewhereError: It went elsewhere meanwhile, or its id was replaced there: pass the request on.
            Problem: 503 when a region's cache, the keys or the directory do not answer.
        """
        session_id = self._parsed(cookie)
        if session_id is None:
            return None
        for _ in range(_TRIES):
            found = await self._regions[session_id.region].read(session_id)
            if found is None:
                return None
            if session_id.region == self._home.name and found.session.state is State.LIVE:
                return Opened(session_id.text, found.session)
            if found.session.superseded:
                raise SessionElsewhereError(session_id.region)
            if found.session.state is State.LIVE:
                await self._must_be_allowed(found.session.org_id, self._home.name)
                await moving.begin(self._regions[session_id.region], found, self._home.name, self._randomness)
                continue  # whoever began it: what is there now says where it goes
            arrived = await self._followed(found)
            if arrived is None:
                return None
            _happened.add("moved")
            if arrived.region != self._home.name:
                raise SessionElsewhereError(arrived.region, arrived.text)
            session_id = arrived
        raise SessionElsewhereError(session_id.region)

    async def devices(self, org_id: UUID, user_id: UUID) -> Sequence[Device]:
        """Give a user's sessions in all regions, the one last used first.

        Raises:
            Problem: 503 when a region's cache, the keys or the directory do not answer.
        """
        lists = await asyncio.gather(*(region.devices(org_id, user_id) for region in self._regions.values()))
        # One that moves may be in two lists for a moment, or in none.
        found = {session.ref: (session, used) for one in lists for session, used in one}
        latest_first = sorted(found.values(), key=lambda pair: pair[1], reverse=True)
        return [Device(session, _time(used)) for session, used in latest_first]

    async def revoke(self, cookie: str) -> None:
        """End a session, its tombstone too: the user signs out. None there is no error.

        Raises:
            RevocationIncompleteError: A region did not answer.
        """
        session_id = self._parsed(cookie)
        found = None if session_id is None else await self._regions[session_id.region].read(session_id)
        if found is not None:
            await self.revoke_device(found.session.org_id, found.session.user_id, found.session.ref)

    async def revoke_device(self, org_id: UUID, user_id: UUID, ref: UUID) -> bool:
        """End one of a user's sessions, wherever it is; whether there was one.

        Raises:
            RevocationIncompleteError: A region did not answer.
        """
        ended = await revoke_device(self._regions, org_id, user_id, ref)
        if ended:
            _happened.add("revoked")
        return ended

    async def revoke_user(self, org_id: UUID, user_id: UUID) -> None:
        """End all of a user's sessions in an organisation, in all regions.

        Raises:
            RevocationIncompleteError: A region did not answer.
            RevocationUnkeptError: The directory did not; the caches were told.
        """
        await revoke_everywhere(self._regions, org_id, user_id)
        _happened.add("revoked-user")

    async def revoke_others(self, cookie: str) -> Opened:
        """End all sessions of a cookie's user but this one, which goes on under a new id and ends when it would have.

        It ends, all are made void, then it begins anew: so none slips away that is moving, or begins meanwhile, and
        this one does not where somebody else revokes it meanwhile. When that fails in between, its user signs in again.

        Raises:
            SessionInvalidError: There is no such session, or somebody else revoked it meanwhile.
            SessionSupersededError: It has a new id.
            SessionElsewhereError: It is another region's.
            RevocationIncompleteError: A region did not answer; `opened` has this session as it goes on.
        """
        was = await self._ended(cookie)
        voided = await void_everywhere(self._regions, was.org_id, was.user_id)
        if voided.before >= was.begun:
            raise SessionInvalidError
        if self._home.name in voided.silent:
            raise RevocationIncompleteError(sorted(voided.silent))
        await self._must_be_allowed(was.org_id, self._home.name)
        opened = await self._begin(dataclasses.replace(was, ref=new_id(), begun=voided.until + 1))
        if voided.silent:
            raise RevocationIncompleteError(sorted(voided.silent), opened)
        _happened.add("revoked-user")
        return opened

    async def _ended(self, cookie: str) -> Session:
        """End a live session of this region, and give it as it was; of several who do so one has it."""
        while True:
            digest, value, session, _ = await self._found_live(cookie)
            if await self._home.remove(session.org_id, session.user_id, session.ref, digest, value):
                return session

    async def revoke_organisation(self, org_id: UUID) -> None:
        """End all sessions of an organisation, in all regions.

        Raises:
            RevocationIncompleteError: A region did not answer.
            RevocationUnkeptError: The directory did not; the caches were told.
        """
        await revoke_everywhere(self._regions, org_id, None)
        _happened.add("revoked-organisation")

    async def shred(self, org_id: UUID) -> int:
        """Delete an organisation's data keys and end its sessions; how many keys they were.

        Every process that still has a key forgets it with the next session of the organisation that it is shown, or
        when the key's time is over.

        Raises:
            RevocationIncompleteError: A region did not answer; the keys are deleted.
        """
        deleted = await self._keys.shred(org_id)
        await self.revoke_organisation(org_id)
        return deleted

    def _parsed(self, cookie: str) -> SessionId | None:
        session_id = SessionId.parse(cookie)
        return session_id if session_id is not None and session_id.region in self._regions else None

    async def _found_live(self, cookie: str) -> Found:
        """Give a live session of this region, or say why there is none."""
        session_id = self._parsed(cookie)
        if session_id is None:
            raise SessionInvalidError
        if session_id.region != self._home.name:
            raise SessionElsewhereError(session_id.region)
        found = await self._home.read(session_id)
        if found is None:
            raise SessionInvalidError
        if found.session.superseded:
            raise SessionSupersededError
        if found.session.state is not State.LIVE:
            arrived = await self._followed(found)
            if arrived is None:
                raise SessionInvalidError
            raise SessionElsewhereError(arrived.region, arrived.text)
        return found

    async def _followed(self, found: Found) -> SessionId | None:
        """Complete a move that is under way or over; give the id in the other region, None when it was revoked."""
        if found.session.target not in self._regions:
            raise SessionElsewhereError(found.session.target)
        source, target = self._regions[found.session.region], self._regions[found.session.target]
        if found.session.state is State.MOVING:
            return await moving.complete(source, target, found, self._settings.tombstone_seconds * 1000)
        return SessionId(target.name, found.session.follower)

    async def _supersede(self, cookie: str) -> None:
        """Let the session of a cookie end in a moment; none is no error."""
        session_id = self._parsed(cookie)
        if session_id is None:
            return
        region = self._regions[session_id.region]
        found = await region.read(session_id)
        if found is not None and found.session.state is State.LIVE:
            session = found.session
            await region.note(session.org_id, Ended("device", session.user_id.bytes + session.ref.bytes), session)
            tombstone = superseding(session, session.privileges)
            await region.swap(found, tombstone, self._settings.tombstone_seconds * 1000)

    async def _must_be_allowed(self, org_id: UUID, region: str) -> None:
        pin = None if self._pinned is None else await self._pinned(org_id)
        if pin is not None and pin != region:
            raise SessionPinnedError(pin)


def _time(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / MICROSECONDS, UTC)
