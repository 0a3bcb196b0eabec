"""The sessions of one region: its cache, its keys, and the steps that are atomic there (Lua scripts).

Every key of one organisation begins with `session:{place}:` and so lies in one slot of a cluster. Scripts find the keys
of a session's devices and of its void moments from the value's clear part; they are in the same slot.

Scripts that could give a session ask first whether what ended was told to the history that the server's data have now
(`master_replid`, another one after each start and each promotion of a replica). If not, the directory's rows
(`shared.sessions.ended`) are told once for the organisation, and the script is run again.
"""

from __future__ import annotations

import dataclasses
import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from uuid import UUID

from shared import deadlines
from shared.cache import CacheUnavailableError, Script
from shared.datakeys import KeysUnavailableError
from shared.flights import Flights
from shared.sessions import ended
from shared.sessions.cookie import SessionId
from shared.sessions.sealing import open_session, read_clear, seal_session
from shared.sessions.session import MICROSECONDS, Session, State
from shared.sessions.settings import MOST_SECONDS
from shared.shards.slots import slot
from shared.telemetry import counter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.cache import Cache
    from shared.cache.resp import Argument, Reply
    from shared.clock import Clock
    from shared.datakeys import DataKeys

_FOLDER: Final = Path(__file__).parent / "scripts"
_COMMON: Final = (_FOLDER / "common.lua").read_text(encoding="utf-8")
_PURPOSE: Final = b"hal9 sessions: ids"
_MILLISECONDS: Final = 1000
_REMEMBERED: Final = 10_000
_TOLD_AT_ONCE: Final = 1000
"""Rows in one call, during which the server answers nobody else."""
_TRIES: Final = 8
"""How often a server may have another history each time that it was told."""
REVOKED_SECONDS: Final = 600
"""For how long a revoked device cannot arrive from another region: longer than any move takes that was not seen."""

refused: Final = counter(
    "hal9_sessions_refused_total",
    "Cookies that were no session, by reason: absent, unsealable, ended, void.",
    ("reason",),
)
told_again: Final = counter(
    "hal9_sessions_told_total",
    "Organisations whose ended sessions the directory told to a cache that had not been told.",
)


def _script(name: str) -> Script:
    return Script(_COMMON + (_FOLDER / f"{name}.lua").read_text(encoding="utf-8"))


_READ: Final = _script("read")
_MOMENT: Final = _script("moment")
_CREATE: Final = _script("create")
_SWAP: Final = _script("swap")
_RENEW: Final = _script("renew")
_LEAVE: Final = _script("leave")
_ARRIVE: Final = _script("arrive")
_CANCEL: Final = _script("cancel")
_PEEK: Final = _script("peek")
_REMOVE: Final = _script("remove")
_VOID: Final = _script("void")
_DEVICES: Final = _script("devices")
_TELL: Final = _script("tell")


class Found(NamedTuple):
    """A session as it is in the cache.

    Attributes:
        digest: Of its id.
        value: Its sealed value, to compare with.
        session: What it says.
        now: The cache's time, in microseconds.
    """

    digest: bytes
    value: bytes
    session: Session
    now: int


class Moment(NamedTuple):
    """What an organisation's sessions are void until, in microseconds.

    Attributes:
        now: The cache's time.
        void: The latest moment until which sessions are void: the user's, or anyone's.
        begun: The latest beginning of a session; after `now` where the clock was set back.
    """

    now: int
    void: int
    begun: int


class _Place(NamedTuple):
    """The keys of one organisation's sessions."""

    prefix: bytes

    @classmethod
    def of(cls, number: int) -> _Place:
        return cls(b"session:{%d}:" % number)

    def session(self, digest: bytes) -> bytes:
        return self.prefix + digest

    def devices(self, org_id: UUID, user_id: UUID) -> bytes:
        return self.prefix + b"devices:" + org_id.bytes + user_id.bytes

    def void(self, org_id: UUID) -> bytes:
        return self.prefix + b"void:" + org_id.bytes

    def state(self, org_id: UUID) -> bytes:
        return self.prefix + b"state:" + org_id.bytes

    def move(self, digest: bytes) -> bytes:
        return self.prefix + b"move:" + digest

    def revoked(self, ref: UUID) -> bytes:
        return self.prefix + b"revoked:" + ref.bytes


class Region:
    """One region's sessions.

    Args:
        name: The region's.
        cache: Its cache.
        keys: The organisations' data keys.
        clock: Gives the time; None takes the cache's own, one clock for all processes.
    """

    def __init__(self, name: str, cache: Cache, keys: DataKeys, clock: Clock | None = None) -> None:
        self.name = name
        self._cache = cache
        self._keys = keys
        self._clock = clock
        self._secret: bytes | None = None
        self._void: dict[UUID, int] = {}
        self._telling: Flights[bytes, None, None] = Flights()

    async def digest(self, raw: bytes) -> bytes:
        """What the cache knows of an id: its HMAC-SHA-256 under a secret of the region."""
        if self._secret is None:
            self._secret = await self._keys.masters.mac(self.name, _PURPOSE)
        return hmac.digest(self._secret, raw, "sha256")

    async def _digest_of_new(self, raw: bytes, org_id: UUID) -> bytes:
        """What is to be known of an id that something is written under, for the first time in this region perhaps.

        The region's secret then comes with the key that seals: an organisation that has one already, of which the
        secret was lost, gets no other.
        """
        if self._secret is None:
            await self._keys.current(org_id, self.name)
        return await self.digest(raw)

    async def _digest_of_known(self, raw: bytes) -> bytes | None:
        """What is known of an id that somebody brings; None where nothing was ever sealed here, and so none is known.

        A secret that was lost is not that: who brings an id then is told to come back, not to sign in again.
        """
        try:
            return await self.digest(raw)
        except KeysUnavailableError:
            if await self._keys.any_in(self.name):
                raise
            return None

    async def read(self, session_id: SessionId) -> Found | None:
        """Give the session of an id, and keep it from being idle; None when there is none.

        Raises:
            Problem: 503 `cache-unavailable`, `keys-unavailable`, `shard-unavailable`.
        """
        place, digest = _Place.of(session_id.place), await self._digest_of_known(session_id.raw)
        if digest is None:
            refused.add("absent")
            return None
        reply = await self._run(place, _READ, [place.session(digest)], [self._now(), place.prefix, digest])
        if reply is None:
            refused.add("absent")
            return None
        now, value, void_of_all, void_of_user = cast("list[bytes]", reply)
        session = await self._opened(value, digest, int(void_of_all))
        if session is None:
            refused.add("unsealable")
        elif session.ends <= int(now):
            refused.add("ended")
        elif session.begun <= max(int(void_of_all), int(void_of_user)):
            refused.add("void")
        else:
            return Found(digest, value, session, int(now))
        return None

    async def _run(self, place: _Place, script: Script, keys: Sequence[bytes], arguments: Sequence[Argument]) -> Reply:
        """Run a script that asks whether the server was told what ended; tell it where it was not."""
        for _ in range(_TRIES):
            reply = await self._cache.run(script, keys, arguments)
            if not isinstance(reply, list) or reply[0] != b"untold":
                return reply
            _, history, org = cast("list[bytes]", reply)
            await self._told(place, UUID(bytes=org), history)
        raise CacheUnavailableError

    async def _told(self, place: _Place, org_id: UUID, history: bytes) -> None:
        """Return when the server was told, by whoever came first."""
        key = place.state(org_id) + history
        telling = self._telling.join(key, lambda: None, lambda _: self._tell(place, org_id, history), lambda _: True)
        await deadlines.awaited(telling)

    async def _tell(self, place: _Place, org_id: UUID, history: bytes) -> None:
        """Tell the server what ended in an organisation, unless its data have another history by now."""
        rows = await ended.of(self._keys.directory, org_id)
        keys = [place.state(org_id), place.void(org_id)]
        for start in range(0, len(rows) or 1, _TOLD_AT_ONCE):
            last = start + _TOLD_AT_ONCE >= len(rows)
            told = [part for row in rows[start : start + _TOLD_AT_ONCE] for part in row]
            arguments = [history, place.prefix, REVOKED_SECONDS, "1" if last else "", *told]
            if await self._cache.run(_TELL, keys, arguments) != 1:
                return
        told_again.add()

    async def note(self, org_id: UUID, what: ended.Ended, session: Session | None = None) -> None:
        """Keep in the directory what ends now, for as long as the session, or any, could live.

        Raises:
            Problem: 503 `shard-unavailable`.
        """
        most = MOST_SECONDS if session is None else _kept(session) / _MILLISECONDS
        await ended.note(self._keys.directory, org_id, what, most)

    async def _opened(self, value: bytes, digest: bytes, void_of_all: int = 0) -> Session | None:
        clear = read_clear(value)
        if clear is None:
            return None
        self._heed(clear.org_id, void_of_all)
        key = await self._keys.find(clear.org_id, self.name, clear.key_id)
        return None if key is None else open_session(key, value, digest, self.name)

    def _heed(self, org_id: UUID, void_of_all: int) -> None:
        """Ask for an organisation's keys anew when all of it was revoked: perhaps because they were shredded."""
        if void_of_all > self._void.get(org_id, 0):
            if len(self._void) >= _REMEMBERED:
                self._void.clear()  # costs one more unwrapping for each organisation that was ever revoked
            self._void[org_id] = void_of_all
            self._keys.forget(org_id)

    async def sealed(self, session: Session, digest: bytes) -> bytes:
        """Give a session's value for an id of this region."""
        return seal_session(await self._keys.current(session.org_id, self.name), session, digest)

    async def moment(self, org_id: UUID, user_id: UUID | None) -> Moment:
        """Give until when an organisation's sessions are void, a user's or anyone's."""
        place = _place(org_id)
        user = b"" if user_id is None else user_id.bytes
        keys = [place.void(org_id), place.state(org_id)]
        now, void, void_of_all, begun = cast("list[bytes]", await self._run(place, _MOMENT, keys, [self._now(), user]))
        self._heed(org_id, int(void_of_all))
        return Moment(int(now), int(void), int(begun))

    async def create(self, session: Session, raw: bytes, most: int) -> bool:
        """Put a new session in its place; False when it began too early for a revocation.

        Args:
            session: Its beginning is after `moment`.
            raw: Its id.
            most: How many the user may have; beyond them the oldest ends.
        """
        place, digest = _place(session.org_id), await self._digest_of_new(raw, session.org_id)
        keys = [
            place.session(digest),
            place.devices(session.org_id, session.user_id),
            place.void(session.org_id),
            place.state(session.org_id),
        ]
        value = await self.sealed(session, digest)
        arguments: list[Argument] = [
            value, session.idle_seconds * _MILLISECONDS, session.ref.bytes, digest, most, _kept(session), session.begun,
            session.user_id.bytes, place.prefix,
        ]  # fmt: skip
        return await self._run(place, _CREATE, keys, arguments) == b"created"

    async def swap(self, found: Found, session: Session, milliseconds: int | None = None) -> bool:
        """Replace a session's value by another one; False when it is not as it was found any more.

        Args:
            found: As it was found.
            session: What it is to be.
            milliseconds: Its time to live; None leaves it.
        """
        place, was = _place(session.org_id), found.session
        value = await self.sealed(session, found.digest)
        keys = [place.session(found.digest), place.devices(was.org_id, was.user_id)]
        time_to_live: int | str = "" if milliseconds is None else milliseconds
        arguments: list[Argument] = [found.value, value, was.ref.bytes, found.digest, time_to_live]
        return await self._cache.run(_SWAP, keys, arguments) == 1

    async def renew(self, found: Found, raw: bytes, session: Session, tombstone: Session, milliseconds: int) -> bool:
        """Let a session go on under a new id; False when it is not as it was found any more.

        Args:
            found: As it was found.
            raw: The new id.
            session: What it is to be under the new id.
            tombstone: What the old id is to read for a moment.
            milliseconds: That moment.
        """
        place, digest = _place(session.org_id), await self.digest(raw)
        keys = [
            place.session(found.digest),
            place.session(digest),
            place.devices(session.org_id, session.user_id),
        ]
        arguments: list[Argument] = [
            found.value, await self.sealed(tombstone, found.digest), milliseconds, session.ref.bytes, found.digest,
            digest, await self.sealed(session, digest), session.idle_seconds * _MILLISECONDS,
        ]  # fmt: skip
        return await self._cache.run(_RENEW, keys, arguments) == 1

    async def arrive(self, session: Session, raw: bytes) -> bool:
        """Decide a move to here: the session is here now, or was already; False when it was cancelled, or is void.

        The same for whoever completes it, however often.
        """
        place, digest = _place(session.org_id), await self._digest_of_new(raw, session.org_id)
        keys = [
            place.session(digest),
            place.devices(session.org_id, session.user_id),
            place.void(session.org_id),
            place.move(digest),
            place.revoked(session.ref),
            place.state(session.org_id),
        ]
        arguments: list[Argument] = [
            await self.sealed(session, digest), session.idle_seconds * _MILLISECONDS, session.ref.bytes, digest,
            _kept(session), session.begun, session.user_id.bytes,
        ]  # fmt: skip
        return await self._run(place, _ARRIVE, keys, arguments) == b"arrived"

    async def cancel(self, session: Session) -> None:
        """Decide that a move to here does not happen, unless it has."""
        digest = await self._digest_of_new(session.follower, session.org_id)
        await self._cache.run(_CANCEL, [_place(session.org_id).move(digest)], [_kept(session)])

    async def leave(self, found: Found, tombstone: Session, milliseconds: int) -> bool:
        """Put a tombstone in the place of a session that arrived elsewhere; False when somebody else did."""
        place, session = _place(found.session.org_id), found.session
        value = await self.sealed(tombstone, found.digest)
        keys = [place.session(found.digest), place.devices(session.org_id, session.user_id)]
        arguments: list[Argument] = [found.value, value, milliseconds, session.ref.bytes, found.digest]
        return await self._cache.run(_LEAVE, keys, arguments) == 1

    async def bar(self, org_id: UUID, ref: UUID) -> None:
        """From now on a device does not arrive here, for as long as a move could take."""
        key = _place(org_id).revoked(ref)
        await self._cache.execute("SET", key, "1", "EX", REVOKED_SECONDS)

    async def find(self, org_id: UUID, user_id: UUID, ref: UUID) -> tuple[bytes, bytes, Session | None] | None:
        """Give a device's digest, value and session; None when the user has no such device here.

        The value is empty where it is gone, the session None where it cannot be opened.
        """
        place = _place(org_id)
        reply = await self._cache.run(_PEEK, [place.devices(org_id, user_id)], [place.prefix, ref.bytes])
        if reply is None:
            return None
        digest, value = cast("list[bytes]", reply)
        return digest, value, await self._opened(value, digest)

    async def remove(self, org_id: UUID, user_id: UUID, ref: UUID, digest: bytes, value: bytes) -> bool:
        """End a device's session; False when it is not as it was found any more."""
        place = _place(org_id)
        keys = [place.session(digest), place.devices(org_id, user_id)]
        return await self._cache.run(_REMOVE, keys, [value, ref.bytes, digest]) == 1

    async def void(self, org_id: UUID, user_id: UUID | None, moment: int) -> int:
        """Make void what began until a moment: a user's sessions, or all of the organisation's.

        Returns:
            The latest moment until which they were void before: the user's, or anyone's.
        """
        place = _place(org_id)
        keys = [place.void(org_id)]
        if user_id is not None:
            keys.append(place.devices(org_id, user_id))
        name = "all" if user_id is None else user_id.bytes
        oldest = moment - MOST_SECONDS * MICROSECONDS
        return int(cast("bytes", await self._cache.run(_VOID, keys, [name, moment, oldest, place.prefix])))

    async def devices(self, org_id: UUID, user_id: UUID) -> Sequence[tuple[Session, int]]:
        """Give a user's sessions here, each with when it was last used, in microseconds."""
        place = _place(org_id)
        keys = [place.devices(org_id, user_id), place.void(org_id), place.state(org_id)]
        reply = await self._run(place, _DEVICES, keys, [self._now(), place.prefix, user_id.bytes])
        now, void, *rest = cast("list[Any]", reply)
        found = []
        for digest, value, left in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            session = await self._opened(value, digest)
            if session is None or session.ends <= int(now) or session.begun <= int(void):
                continue
            if session.state in {State.LIVE, State.MOVING}:
                found.append((session, int(now) - (session.idle_seconds * _MILLISECONDS - left) * _MILLISECONDS))
        return found

    def _now(self) -> str:
        return "" if self._clock is None else f"{self._clock.now().timestamp() * MICROSECONDS:.0f}"


def _place(org_id: UUID) -> _Place:
    return _Place.of(slot(org_id))


def _kept(session: Session) -> int:
    """For how many milliseconds what is known of a session must be kept: until it ends, and a little longer."""
    return (session.ends - session.begun) // MICROSECONDS * _MILLISECONDS + REVOKED_SECONDS * _MILLISECONDS


def superseding(session: Session, privileges: frozenset[str]) -> Session:
    """What an old id reads for a moment: never a privilege that the new one lost, nor one that only it has."""
    return dataclasses.replace(session, state=State.SUPERSEDED, privileges=session.privileges & privileges)
