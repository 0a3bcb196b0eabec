"""Sessions between two regions: moved, passed on, revoked everywhere, whoever dies half-way."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.cache import Cache, CacheUnavailableError, Script
from shared.sessions import (
    Opened,
    RevocationIncompleteError,
    SessionElsewhereError,
    SessionId,
    SessionInvalidError,
    SessionPinnedError,
    Sessions,
    SessionSettings,
    moving,
)
from shared.sessions import region as steps
from shared.sessions.region import Found
from shared.settings import load
from tests.sessions_fixture import EAST, WEST, Regions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path
    from uuid import UUID

    from shared.cache.resp import Argument, Reply

    Someone = Callable[[], Awaitable[tuple[UUID, UUID]]]


class Meanwhile(Cache):
    """A cache where something else is done once, right before a script first runs."""

    def __init__(self, url: str, before: Script, done: Callable[[], Awaitable[object]]) -> None:
        super().__init__(url)
        self._before = before
        self._done: Callable[[], Awaitable[object]] | None = done

    async def run(self, script: Script, keys: Sequence[str | bytes], arguments: Sequence[Argument] = ()) -> Reply:
        if script is self._before and self._done is not None:
            done, self._done = self._done, None
            await done()
        return await super().run(script, keys, arguments)


@contextlib.asynccontextmanager
async def interrupted(
    regions: Regions, url: str, before: Script, done: Callable[[], Awaitable[object]]
) -> AsyncIterator[Sessions]:
    """A process that knows the west only, and where something else is done once, right before a script first runs."""
    cache = Meanwhile(url, before, done)
    settings = load(SessionSettings, {})
    yield Sessions(WEST, {WEST: cache}, regions.keys(), settings, clock=regions.clock)
    await cache.close()


async def copies(regions: Regions) -> list[tuple[str, bytes]]:
    """The values that are live or moving, by region and state."""
    return [
        (region, value[1:2])
        for region in (WEST, EAST)
        for value in (await regions.sealed(region)).values()
        if value[1:2] in {b"L", b"M"}
    ]


async def found(sessions: Sessions, cookie: str) -> Found:
    """A session as a region's store has it."""
    session_id = SessionId.parse(cookie)
    assert session_id is not None
    result = await sessions._regions[session_id.region].read(session_id)
    assert result is not None
    return result


async def test_a_session_of_another_region_is_known_by_its_cookie_and_moves_here(
    regions: Regions, someone: Someone
) -> None:
    west, east = regions.process(), regions.process(EAST)
    opened = await west.create(*await someone(), {"developer"}, device="Firefox")
    with pytest.raises(SessionElsewhereError) as caught:
        await east.read(opened.cookie)
    assert (caught.value.region, caught.value.cookie) == (WEST, None)
    moved = await east.move(opened.cookie)
    assert moved is not None
    assert moved.cookie.startswith("us-east.")
    session = await regions.process(EAST).read(moved.cookie)
    assert session is not None
    assert (session.ref, set(session.privileges), session.device) == (opened.session.ref, {"developer"}, "Firefox")
    assert (session.begun, session.ends, session.region) == (opened.session.begun, opened.session.ends, EAST)
    assert await copies(regions) == [(EAST, b"L")]
    assert await east.move(moved.cookie) == moved


async def test_requests_under_way_with_the_old_cookie_are_told_the_new_one_for_a_moment(
    regions: Regions, someone: Someone
) -> None:
    west, east = regions.process(), regions.process(EAST)
    opened = await west.create(*await someone(), ())
    (name,) = await regions.sealed()
    moved = await east.move(opened.cookie)
    assert moved is not None
    with pytest.raises(SessionElsewhereError) as caught:
        await west.read(opened.cookie)
    assert (caught.value.region, caught.value.cookie) == (EAST, moved.cookie)
    assert await east.move(opened.cookie) == moved
    left = await regions.caches[WEST].execute("PTTL", name)
    assert isinstance(left, int)
    assert 0 < left <= 15_000
    await regions.caches[WEST].execute("PEXPIRE", name, 0)
    assert await west.read(opened.cookie) is None
    assert await east.move(opened.cookie) is None


async def test_a_pinned_organisation_s_sessions_are_never_moved_nor_begun_elsewhere(
    regions: Regions, someone: Someone
) -> None:
    west, east = regions.process(), regions.process(EAST)
    who = await someone()
    regions.pins[who[0]] = WEST
    opened = await west.create(*who, ())
    with pytest.raises(SessionPinnedError) as caught:
        await east.move(opened.cookie)
    assert caught.value.region == WEST
    with pytest.raises(SessionPinnedError):
        await east.create(*who, ())
    assert await west.read(opened.cookie) == opened.session
    assert await copies(regions) == [(WEST, b"L")]


async def test_moves_at_once_bring_one_copy(regions: Regions, someone: Someone) -> None:
    opened = await regions.process().create(*await someone(), ())
    moved = await asyncio.gather(*(regions.process(EAST).move(opened.cookie) for _ in range(8)))
    assert len({one.cookie for one in moved if one is not None}) == 1
    assert None not in moved
    assert await copies(regions) == [(EAST, b"L")]


async def half_moved(regions: Regions, opened: Opened, steps: int) -> None:
    """Somebody dies after so many of the three steps of a move to the east."""
    sessions = regions.process(EAST)
    source, target = sessions._regions[WEST], sessions._regions[EAST]
    assert await moving.begin(source, await found(sessions, opened.cookie), EAST, sessions._randomness)
    moves = await found(sessions, opened.cookie)
    if steps >= 2:
        arrived = moving.arriving(moves.session, EAST)
        assert await target.arrive(arrived, moves.session.follower)
    if steps >= 3:
        await moving.complete(source, target, moves, 15_000)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("reader", [WEST, EAST])
async def test_whoever_dies_in_a_move_leaves_a_session_that_the_next_one_finds_whole(
    regions: Regions, someone: Someone, steps: int, reader: str
) -> None:
    opened = await regions.process().create(*await someone(), {"developer"})
    await half_moved(regions, opened, steps)
    process = regions.process(reader)
    if reader == EAST:
        moved = await process.move(opened.cookie)
        assert moved is not None
        cookie = moved.cookie
    else:
        with pytest.raises(SessionElsewhereError) as caught:
            await process.read(opened.cookie)
        assert caught.value.cookie is not None
        cookie = caught.value.cookie
    session = await regions.process(EAST).read(cookie)
    assert session is not None
    assert (session.ref, set(session.privileges)) == (opened.session.ref, {"developer"})
    assert await copies(regions) == [(EAST, b"L")]


async def test_a_completion_that_comes_late_brings_nothing_back(regions: Regions, someone: Someone) -> None:
    """A process stops between having read `moving` and the next step; meanwhile the session arrives and is ended."""
    opened = await regions.process().create(*await someone(), ())
    await half_moved(regions, opened, 1)
    late = regions.process(EAST)
    moves = await found(late, opened.cookie)
    moved = await regions.process(EAST).move(opened.cookie)
    assert moved is not None
    await regions.process(EAST).revoke(moved.cookie)
    await moving.complete(late._regions[WEST], late._regions[EAST], moves, 15_000)
    assert await late.read(moved.cookie) is None
    assert await copies(regions) == []


async def test_a_completion_that_comes_late_undoes_no_renewal(regions: Regions, someone: Someone) -> None:
    opened = await regions.process().create(*await someone(), {"developer"})
    await half_moved(regions, opened, 1)
    late = regions.process(EAST)
    moves = await found(late, opened.cookie)
    moved = await late.move(opened.cookie)
    assert moved is not None
    renewed = await late.renew(moved.cookie, {"owner"})
    await moving.complete(late._regions[WEST], late._regions[EAST], moves, 15_000)
    assert await late.read(renewed.cookie) == renewed.session
    old = await late.read(moved.cookie)
    assert old is None or old.superseded


async def test_a_beginning_that_comes_late_begins_nothing(regions: Regions, someone: Someone) -> None:
    opened = await regions.process().create(*await someone(), {"developer"})
    late = regions.process(EAST)
    live = await found(late, opened.cookie)
    await half_moved(regions, opened, 2)
    assert not await moving.begin(late._regions[WEST], live, EAST, late._randomness)
    moved = await late.move(opened.cookie)
    assert moved is not None
    assert await late.read(moved.cookie) is not None


async def test_a_revoked_device_arrives_nowhere_by_whichever_move(regions: Regions, someone: Someone) -> None:
    """One that the revocation saw stays cancelled when the device's bar is over; one that it did not see is barred."""
    opened = await regions.process().create(*await someone(), ())
    await half_moved(regions, opened, 1)
    late = regions.process(EAST)
    moves = await found(late, opened.cookie)
    await regions.process().revoke_device(opened.session.org_id, opened.session.user_id, opened.session.ref)
    unseen = SessionId.new(EAST, opened.session.org_id, late._randomness)
    assert not await late._regions[EAST].arrive(moving.arriving(moves.session, EAST), unseen.raw)
    (bar,) = [name for name in await regions.values(EAST) if b":revoked:" in name]
    left = await regions.caches[EAST].execute("TTL", bar)
    assert isinstance(left, int)
    assert 590 < left <= 600
    await regions.caches[EAST].execute("DEL", bar)
    await moving.complete(late._regions[WEST], late._regions[EAST], moves, 15_000)
    assert await copies(regions) == []


async def cookie_told(sessions: Sessions, cookie: str) -> str | None:
    """Read a cookie that is no session any more; the one that a tombstone tells."""
    try:
        assert await sessions.read(cookie) is None
    except SessionElsewhereError as elsewhere:
        return elsewhere.cookie
    return None


REVOCATIONS: dict[str, Callable[[Sessions, Opened], Awaitable[object]]] = {
    "one": lambda sessions, opened: sessions.revoke_device(
        opened.session.org_id, opened.session.user_id, opened.session.ref
    ),
    "user": lambda sessions, opened: sessions.revoke_user(opened.session.org_id, opened.session.user_id),
    "organisation": lambda sessions, opened: sessions.revoke_organisation(opened.session.org_id),
    "shred": lambda sessions, opened: sessions.shred(opened.session.org_id),
}


@pytest.mark.parametrize("revoke", REVOCATIONS.values(), ids=REVOCATIONS)
@pytest.mark.parametrize("steps", [0, 1, 2, 3])
@pytest.mark.parametrize("by", [WEST, EAST])
async def test_a_revocation_counts_at_once_in_every_process_and_region_and_in_the_midst_of_a_move(
    regions: Regions,
    someone: Someone,
    revoke: Callable[[Sessions, Opened], Awaitable[object]],
    steps: int,
    by: str,
) -> None:
    who, neighbour = await someone(), await someone()
    processes = [regions.process(region) for region in (WEST, EAST) for _ in range(2)]
    opened, other = await processes[0].create(*who, ()), await processes[0].create(*neighbour, ())
    late = moves = None
    if steps:
        await half_moved(regions, opened, steps)
    if steps in {1, 2}:
        late = regions.process(EAST)
        moves = await found(late, opened.cookie)
    await revoke(regions.process(by), opened)
    if late is not None and moves is not None:
        # Who had begun to complete the move goes on; with the keys shredded it has new ones, and seals with them.
        await moving.complete(late._regions[WEST], late._regions[EAST], moves, 15_000)
    for process in processes[2:]:
        assert await process.move(opened.cookie) is None
    for process in processes[:2]:
        told = await cookie_told(process, opened.cookie)
        # A tombstone may still say where it went, and nothing is there.
        assert told is None or await processes[2].read(told) is None
    assert await processes[0].devices(*who) == []
    assert await processes[0].read(other.cookie) == other.session


async def test_after_a_revocation_people_sign_in_again(regions: Regions, someone: Someone) -> None:
    sessions = regions.process()
    who = await someone()
    for revoke in REVOCATIONS.values():
        opened = await sessions.create(*who, ())
        await revoke(sessions, opened)
        again = await sessions.create(*who, ())
        assert await sessions.read(again.cookie) == again.session
        assert await sessions.read(opened.cookie) is None
        moved = await regions.process(EAST).move(again.cookie)
        assert moved is not None


async def test_a_process_that_still_has_a_shredded_key_begins_sessions_that_others_can_read(
    regions: Regions, someone: Someone
) -> None:
    signing_in = regions.process()
    who = await someone()
    await signing_in.create(*who, ())
    await regions.process().shred(who[0])
    again = await signing_in.create(*who, ())
    assert await regions.process().read(again.cookie) == again.session


async def test_regions_whose_clocks_differ_revoke_what_began_by_the_faster_one(
    regions: Regions, someone: Someone
) -> None:
    who = await someone()
    regions.clock.advance(5)
    fast = await regions.process(EAST).create(*who, ())
    regions.clock._now -= timedelta(seconds=5)
    slow = await regions.process(WEST).create(*who, ())
    ahead = Sessions(WEST, {WEST: regions.caches[WEST]}, regions.keys(), load(SessionSettings, {}), clock=regions.clock)
    assert await ahead.read(slow.cookie) == slow.session
    regions.clock.advance(5)
    await regions.process(WEST).revoke_user(*who)
    regions.clock._now -= timedelta(seconds=5)
    again = await regions.process(WEST).create(*who, ())
    assert await regions.process(WEST).read(again.cookie) == again.session
    assert await regions.process(WEST).read(slow.cookie) is None
    assert await regions.process(EAST).read(fast.cookie) is None


@pytest.mark.parametrize("name", ["one", "user", "organisation"])
async def test_a_region_that_is_away_is_named_and_the_others_are_done(
    regions: Regions, someone: Someone, name: str
) -> None:
    opened = await regions.process().create(*await someone(), ())
    caches = {**regions.caches, EAST: Cache("unix:///nowhere/valkey.sock")}
    sessions = Sessions(WEST, caches, regions.keys(), load(SessionSettings, {}), clock=regions.clock)
    with pytest.raises(RevocationIncompleteError) as caught:
        await REVOCATIONS[name](sessions, opened)
    assert caught.value.members == {"regions": [EAST]}
    assert await regions.process().read(opened.cookie) is None


async def thief(regions: Regions, cookie: str, over: asyncio.Event) -> None:
    """Move a session between the regions for as long as there is one."""
    here = itertools.cycle([regions.process(EAST), regions.process(WEST)])
    while not over.is_set():
        try:
            moved = await next(here).move(cookie)
        except SessionElsewhereError:
            continue
        if moved is None:
            return
        cookie = moved.cookie


async def test_signing_out_while_a_thief_moves_the_session_to_and_fro(regions: Regions, someone: Someone) -> None:
    """However the moves and the revocation meet, nothing is left."""
    for pauses in range(0, 60, 6):
        opened = await regions.process().create(*await someone(), ())
        over = asyncio.Event()
        stealing = asyncio.create_task(thief(regions, opened.cookie, over))
        for _ in range(pauses):
            await asyncio.sleep(0)
        await regions.process(WEST).revoke_device(opened.session.org_id, opened.session.user_id, opened.session.ref)
        over.set()
        await stealing
        assert await copies(regions) == []


async def test_ending_all_others_leaves_one_whatever_moves_or_begins_meanwhile(
    regions: Regions, someone: Someone
) -> None:
    west, east = regions.process(), regions.process(EAST)
    who = await someone()
    mine = await west.create(*who, {"developer"}, device="Laptop", data={"idp": "okta"}, seconds=600, idle_seconds=60)
    begun = await west.create(*who, ())
    arrived = await east.move((await west.create(*who, ())).cookie)
    assert arrived is not None
    # This one's move has begun and nobody goes on with it: for a moment it is in neither region's list of devices.
    assert await moving.begin(west._regions[WEST], await found(west, begun.cookie), EAST, west._randomness)
    colleague = await west.create(who[0], mine.session.ref, ())
    regions.clock.advance(10)
    left = await west.revoke_others(mine.cookie)
    session = await west.read(left.cookie)
    assert session == left.session
    assert (set(session.privileges), session.device, session.data) == ({"developer"}, "Laptop", {"idp": "okta"})
    assert (session.idle_seconds, session.ends_at) == (60, mine.session.ends_at)
    assert [one.session.ref for one in await east.devices(*who)] == [session.ref]
    for ended in (mine, begun):
        assert await west.read(ended.cookie) is None
        assert await east.move(ended.cookie) is None
    assert await east.read(arrived.cookie) is None
    assert await west.read(colleague.cookie) is not None


async def test_ending_all_others_names_a_region_that_is_away_and_goes_on_in_the_present_one(
    regions: Regions, someone: Someone, short_folder: Path
) -> None:
    west = regions.process()
    mine = await west.create(*await someone(), ())
    caches = {WEST: regions.caches[WEST], EAST: Cache(f"unix://{short_folder}/nobody.sock", 0.2)}
    cut_off = Sessions(WEST, caches, regions.keys(), load(SessionSettings, {}), clock=regions.clock)
    with pytest.raises(RevocationIncompleteError) as caught:
        await cut_off.revoke_others(mine.cookie)
    assert caught.value.members["regions"] == [EAST]
    assert caught.value.opened is not None
    assert await west.read(caught.value.opened.cookie) is not None
    assert await west.read(mine.cookie) is None


MEANWHILE = [
    ("the device", "_REMOVE"),
    *((of, step) for of in ("a user", "the organisation") for step in ("_REMOVE", "_MOMENT", "_VOID", "_CREATE")),
]


@pytest.mark.parametrize(("of", "before"), MEANWHILE)
async def test_who_ends_all_others_does_not_outlive_an_operator_s_revocation(
    regions: Regions, someone: Someone, west_and_east: dict[str, str], of: str, before: str
) -> None:
    operator = regions.process(EAST)
    opened = await regions.process().create(*await someone(), ())
    mine = opened.session
    revocations = {
        "a user": lambda: operator.revoke_user(mine.org_id, mine.user_id),
        "the organisation": lambda: operator.revoke_organisation(mine.org_id),
        "the device": lambda: operator.revoke_device(mine.org_id, mine.user_id, mine.ref),
    }
    async with interrupted(regions, west_and_east[WEST], getattr(steps, before), revocations[of]) as west:
        with pytest.raises(SessionInvalidError):
            await west.revoke_others(opened.cookie)
        assert await west.devices(mine.org_id, mine.user_id) == []
        regions.clock.advance(1)
        later = await west.create(mine.org_id, mine.user_id, ())
        assert await west.read(later.cookie) == later.session


@pytest.mark.parametrize("of", ["a user", "the organisation"])
async def test_a_revocation_that_others_overtake_ends_what_they_began_too(
    regions: Regions, someone: Someone, west_and_east: dict[str, str], of: str
) -> None:
    west = Sessions(WEST, {WEST: regions.caches[WEST]}, regions.keys(), load(SessionSettings, {}), clock=regions.clock)
    opened = await west.create(*await someone(), ())
    org_id, user_id = opened.session.org_id, opened.session.user_id

    async def ended_others() -> None:
        regions.clock.advance(1)
        await west.revoke_others(opened.cookie)

    async with interrupted(regions, west_and_east[WEST], steps._VOID, ended_others) as operator:
        await (operator.revoke_user(org_id, user_id) if of == "a user" else operator.revoke_organisation(org_id))
    assert await west.devices(org_id, user_id) == []


async def test_ending_all_others_begins_nothing_where_one_s_own_region_falls_silent(
    regions: Regions, someone: Someone, west_and_east: dict[str, str]
) -> None:
    opened = await regions.process().create(*await someone(), ())

    async def away() -> None:
        raise CacheUnavailableError

    async with interrupted(regions, west_and_east[WEST], steps._MOMENT, away) as west:
        with pytest.raises(RevocationIncompleteError) as caught:
            await west.revoke_others(opened.cookie)
        assert caught.value.members["regions"] == [WEST]
        assert caught.value.opened is None
        assert await west.devices(opened.session.org_id, opened.session.user_id) == []
