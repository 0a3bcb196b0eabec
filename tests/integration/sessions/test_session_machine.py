"""A state machine over two regions: whatever requests come at once and whoever dies half-way, one copy, never lost.

Two Valkey servers, the real directory, several processes of each region. The model knows for each session only whether
it was ended, what it may do, and every cookie that was ever given for it.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from shared.cache import Cache
from shared.clock import ManualClock
from shared.database import DatabaseSettings
from shared.datakeys.files import FileMasterKeys
from shared.identifiers import new_id
from shared.sessions import (
    Session,
    SessionElsewhereError,
    SessionId,
    SessionInvalidError,
    Sessions,
    SessionSupersededError,
    moving,
)
from shared.sessions.region import Found, superseding
from shared.sessions.session import State
from shared.settings import load
from shared.shards import Shards
from tests.sessions_fixture import EAST, WEST, Regions

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from uuid import UUID

    from knative.platform.servers import Servers

T = TypeVar("T")
REGIONS = st.sampled_from([WEST, EAST])
PRIVILEGES = st.frozensets(st.sampled_from(["reader", "developer", "owner"]))
OTHER = {WEST: EAST, EAST: WEST}


@dataclass
class Known:
    """What the model knows of one session."""

    org_id: UUID
    user_id: UUID
    ref: UUID
    cookie: str
    privileges: frozenset[str]
    ended: bool = False
    cookies: list[str] = field(default_factory=list)


def told(elsewhere: SessionElsewhereError) -> str:
    """The cookie that leads on; there is one when the cookie was shown where it says."""
    assert elsewhere.cookie is not None
    return elsewhere.cookie


async def reach(regions: Regions, cookie: str) -> Session | None:
    """Read a cookie as the door does: where it says, and on from there."""
    return (await followed(regions, cookie))[1]


async def followed(regions: Regions, cookie: str) -> tuple[str, Session | None]:
    """The cookie where a cookie leads to, and what is read there."""
    seen = {cookie}
    while True:
        session_id = SessionId.parse(cookie)
        assert session_id is not None
        try:
            return cookie, await regions.process(session_id.region).read(cookie)
        except SessionElsewhereError as elsewhere:
            cookie = told(elsewhere)
        assert cookie not in seen, "the cookie leads in circles"
        seen.add(cookie)


class Machine(RuleBasedStateMachine):
    """Two regions under requests."""

    loop: asyncio.AbstractEventLoop
    regions: Regions

    sessions = Bundle("sessions")
    stopped = Bundle("stopped")

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Known] = []
        self.run(self.regions.flush())
        self.people = [(self.run(self.organisation()), new_id()) for _ in range(2)]
        self.people += [(self.people[0][0], new_id()), (self.people[1][0], self.people[0][1])]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def organisation(self) -> UUID:
        org_id = new_id()
        await self.regions.shards.create_organisation(org_id, WEST)
        return org_id

    def process(self, known: Known) -> Sessions:
        """Another process of the region where the session's cookie says that it is."""
        return self.regions.process(known.cookie.partition(".")[0])

    @rule(target=sessions, person=st.integers(0, 3), region=REGIONS, privileges=PRIVILEGES)
    def sign_in(self, person: int, region: str, privileges: frozenset[str]) -> Known:
        org_id, user_id = self.people[person]
        opened = self.run(self.regions.process(region).create(org_id, user_id, privileges))
        known = Known(org_id, user_id, opened.session.ref, opened.cookie, privileges, cookies=[opened.cookie])
        self.known.append(known)
        return known

    def follow(self, known: Known, cookie: str, privileges: frozenset[str] | None = None) -> None:
        known.cookie = cookie
        known.cookies.append(cookie)
        known.privileges = known.privileges if privileges is None else privileges

    @rule(known=sessions, privileges=PRIVILEGES)
    def renew(self, known: Known, privileges: frozenset[str]) -> None:
        try:
            opened = self.run(self.process(known).renew(known.cookie, privileges))
        except SessionInvalidError:
            assert known.ended
        else:
            assert not known.ended
            self.follow(known, opened.cookie, privileges)

    @rule(known=sessions, region=REGIONS)
    def move(self, known: Known, region: str) -> None:
        moved = self.run(self.regions.process(region).move(known.cookie))
        assert (moved is None) == known.ended
        if moved is not None and moved.cookie != known.cookie:
            self.follow(known, moved.cookie)

    @rule(known=sessions, steps=st.integers(1, 2))
    def die_in_a_move(self, known: Known, steps: int) -> None:
        """The cookie stays the old one: whoever reads it next finds the new one."""
        self.run(self._die(known, steps))

    async def _die(self, known: Known, steps: int) -> None:
        here = SessionId.parse(known.cookie)
        assert here is not None
        process = self.regions.process(OTHER[here.region])
        source, target = process._regions[here.region], process._regions[OTHER[here.region]]
        found = await source.read(here)
        if found is None:
            assert known.ended
            return
        if not await moving.begin(source, found, target.name, process._randomness):
            return
        moves = await source.read(here)
        assert moves is not None
        if steps == 2:
            await target.arrive(moving.arriving(moves.session, target.name), moves.session.follower)
        known.cookies.append(known.cookie)

    @rule(target=stopped, known=sessions)
    def stop_after_reading(self, known: Known) -> tuple[Known, Found | None]:
        """A process stops (SIGSTOP, a long pause) after it read a session, before it does what it was about to."""
        session_id = SessionId.parse(known.cookie)
        assert session_id is not None
        return known, self.run(self.process(known)._regions[session_id.region].read(session_id))

    @rule(late=stopped, renews=st.booleans())
    def go_on_late(self, late: tuple[Known, Found | None], renews: bool) -> None:
        known, found = late
        if found is None:
            return
        here, there = found.session.region, OTHER[found.session.region]
        process = self.regions.process(here)
        source, target = process._regions[here], process._regions[there]
        if found.session.state is State.MOVING:
            arrived = self.run(moving.complete(source, target, found, 15_000))
            if not known.ended and arrived is not None:
                self.settle(known, [(arrived.text, None)])
        elif found.session.state is State.LIVE and renews:
            follower = SessionId.new(here, known.org_id, process._randomness)
            tombstone = superseding(found.session, found.session.privileges)
            # What is void is void under every id that it is given.
            if self.run(source.renew(found, follower.raw, found.session, tombstone, 15_000)):
                self.follow(known, follower.text)
        elif found.session.state is State.LIVE:
            self.run(moving.begin(source, found, there, process._randomness))

    @rule(known=sessions, seed=st.randoms(use_true_random=False), privileges=PRIVILEGES, ends=st.booleans())
    def at_once(self, known: Known, seed: Any, privileges: frozenset[str], ends: bool) -> None:
        """Renewals, moves both ways, reads, and perhaps the end, all with cookies that were ever given."""
        regions, before = self.regions, known.ended
        requests: list[Callable[[], Coroutine[Any, Any, Any]]] = []
        for cookie in [known.cookie, *known.cookies[-2:]]:
            mover = regions.process(seed.choice([WEST, EAST]))
            renewer = regions.process(cookie.partition(".")[0])
            requests.append(partial(self.attempt, partial(mover.move, cookie), None))
            requests.append(partial(self.attempt, partial(reach, regions, cookie), None))
            requests.append(partial(self.attempt, partial(renewer.renew, cookie, privileges), privileges))
        if ends:
            requests.append(partial(regions.process().revoke_device, known.org_id, known.user_id, known.ref))
        seed.shuffle(requests)
        results = self.run(self.all_of(requests))
        known.ended = before or ends
        if not known.ended:
            self.settle(known, [result for result in results if isinstance(result, tuple)])

    @staticmethod
    async def all_of(requests: list[Callable[[], Coroutine[Any, Any, Any]]]) -> list[Any]:
        return list(await asyncio.gather(*(request() for request in requests)))

    @staticmethod
    async def attempt(work: Callable[[], Coroutine[Any, Any, Any]], privileges: frozenset[str] | None) -> Any:
        """What a request may be answered; a cookie with what was asked for, if there is one."""
        try:
            answer = await work()
        except SessionElsewhereError as elsewhere:
            return None if elsewhere.cookie is None else (elsewhere.cookie, None)
        except (SessionInvalidError, SessionSupersededError):
            return None
        return (answer.cookie, privileges) if hasattr(answer, "cookie") else None

    def settle(self, known: Known, given: list[tuple[str, frozenset[str] | None]]) -> None:
        """Of the cookies that requests at once were given, one is the session's now."""
        for cookie, _ in given:
            if cookie not in known.cookies:
                known.cookies.append(cookie)
        asked = {cookie: privileges for cookie, privileges in given if privileges is not None}
        live = None
        for cookie in known.cookies:
            session = self.run(reach(self.regions, cookie))
            if session is not None and not session.superseded:
                assert session.ref == known.ref
                live = cookie
                assert session.privileges in {known.privileges, *asked.values()}
                privileges = session.privileges
        assert live is not None, "the session was lost"
        known.privileges = privileges
        self.find(known, live)

    def find(self, known: Known, cookie: str) -> None:
        """Follow a cookie to where the session is."""
        self.follow(known, self.run(followed(self.regions, cookie))[0])

    @rule(known=consumes(sessions))
    def sign_out(self, known: Known) -> None:
        self.run(self.process(known).revoke(known.cookie))
        known.ended = True

    @rule(known=sessions, region=REGIONS)
    def revoke_user(self, known: Known, region: str) -> None:
        self.run(self.regions.process(region).revoke_user(known.org_id, known.user_id))
        for one in self.known:
            one.ended = one.ended or (one.org_id, one.user_id) == (known.org_id, known.user_id)

    @rule(person=st.integers(0, 1), region=REGIONS, shred=st.booleans())
    def revoke_organisation(self, person: int, region: str, shred: bool) -> None:
        org_id = self.people[person][0]
        sessions = self.regions.process(region)
        self.run(sessions.shred(org_id) if shred else sessions.revoke_organisation(org_id))
        for one in self.known:
            one.ended = one.ended or one.org_id == org_id

    @rule(person=st.integers(0, 1), region=REGIONS)
    def rotate_the_key(self, person: int, region: str) -> None:
        self.run(self.regions.keys().rotate(self.people[person][0], region))

    @invariant()
    def one_copy_of_each_that_lives_and_none_of_the_others(self) -> None:
        readable: dict[UUID, int] = {}
        for person in dict.fromkeys(self.people):
            for region in (WEST, EAST):
                sessions = self.regions.process(region)
                for session, _ in self.run(self.in_region(sessions, region, person)):
                    assert (session.org_id, session.user_id) == person
                    readable[session.ref] = readable.get(session.ref, 0) + 1
        copies = {ref: count for ref, count in readable.items() if count != 1}
        moving_now = {known.ref for known in self.known if known.ref in copies}
        # Between two steps of a move there is the copy that arrived, and the one that serves nobody any more.
        for ref in moving_now:
            states = self.run(self.states(ref))
            assert sorted(states) == ["L", "M"], states
        assert set(readable) == {known.ref for known in self.known if not known.ended}

    async def in_region(self, sessions: Sessions, region: str, person: tuple[UUID, UUID]) -> Any:
        return await sessions._regions[region].devices(*person)

    async def states(self, ref: UUID) -> list[str]:
        return [
            value[1:2].decode()
            for region in (WEST, EAST)
            for value in (await self.regions.sealed(region)).values()
            if value[50:66] == ref.bytes and value[1:2] in {b"L", b"M"}
        ]

    @invariant()
    def every_cookie_reads_its_own_session_or_none(self) -> None:
        for known in self.known[-4:]:
            for cookie in dict.fromkeys(known.cookies[-3:]):
                session = self.run(reach(self.regions, cookie))
                if known.ended:
                    assert session is None
                elif session is not None:
                    assert (session.org_id, session.user_id, session.ref) == (known.org_id, known.user_id, known.ref)

    @invariant()
    def what_lives_is_never_lost(self) -> None:
        for known in self.known:
            if not known.ended:
                session = self.run(reach(self.regions, known.cookie))
                assert session is not None
                assert session.privileges == known.privileges
                if session.region != known.cookie.partition(".")[0]:
                    self.find(known, known.cookie)


async def close(shards: Shards, caches: dict[str, Cache]) -> None:
    for cache in caches.values():
        await cache.close()
    await shards.close()


def test_whatever_runs_at_once_and_dies_half_way_there_is_one_copy_and_none_is_lost(
    servers: Servers, west_and_east: dict[str, str]
) -> None:
    loop = asyncio.new_event_loop()
    shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn}), application_name="tests")
    caches = {name: Cache(url) for name, url in west_and_east.items()}
    with tempfile.TemporaryDirectory() as folder:
        Machine.loop = loop
        Machine.regions = Regions(caches, shards, FileMasterKeys(Path(folder)), ManualClock(), {})
        try:
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=40,
                    stateful_step_count=20,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            loop.run_until_complete(close(shards, caches))
            loop.close()
