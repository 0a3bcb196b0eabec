"""A cache that comes back with an older state brings nothing back that ended since, and signs nobody else out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.cache import Cache, CacheError
from shared.database import Database
from shared.datakeys import DataKeys
from shared.sessions import (
    Opened,
    RevocationIncompleteError,
    RevocationUnkeptError,
    SessionElsewhereError,
    Sessions,
    SessionSettings,
    ended,
)
from shared.sessions.region import told_again
from shared.settings import load
from tests.sessions_fixture import EAST, WEST, Regions
from tests.valkey_fixture import own_valkey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    Someone = Callable[[], Awaitable[tuple[UUID, UUID]]]
    End = Callable[[Regions, Opened], Awaitable[object]]


async def end_device(regions: Regions, opened: Opened) -> object:
    session = opened.session
    return await regions.process().revoke_device(session.org_id, session.user_id, session.ref)


async def lose_a_privilege(regions: Regions, opened: Opened) -> object:
    return await regions.process().renew(opened.cookie, {"reader"})


async def sign_in_again(regions: Regions, opened: Opened) -> object:
    session = opened.session
    return await regions.process().create(session.org_id, session.user_id, {"reader"}, previous=opened.cookie)


ENDS: dict[str, End] = {
    "device": end_device,
    "signs out": lambda regions, opened: regions.process().revoke(opened.cookie),
    "user": lambda regions, opened: regions.process().revoke_user(opened.session.org_id, opened.session.user_id),
    "organisation": lambda regions, opened: regions.process().revoke_organisation(opened.session.org_id),
    "others": lambda regions, opened: regions.process().revoke_others(opened.cookie),
    "from elsewhere": lambda regions, opened: regions.process(EAST).revoke_user(
        opened.session.org_id, opened.session.user_id
    ),
    "renewed": lose_a_privilege,
    "signed in again": sign_in_again,
    "moved": lambda regions, opened: regions.process(EAST).move(opened.cookie),
}


async def another_history(cache: Cache) -> None:
    """What the promotion of a replica does: the data stay, and have another history from now on."""
    await cache.execute("REPLICAOF", "127.0.0.1", 1)
    await cache.execute("REPLICAOF", "NO", "ONE")


async def state(cache: Cache) -> list[tuple[bytes, bytes]]:
    """All keys of sessions as they are; none of them may end by itself before the test does."""
    names: Any = await cache.execute("KEYS", "session:*")
    return [(name, value) for name in names if isinstance(value := await cache.execute("DUMP", name), bytes)]


async def put_back(cache: Cache, kept: list[tuple[bytes, bytes]]) -> None:
    """Give a cache the state that it had, as a replica would have it that lagged."""
    await cache.execute("FLUSHALL")
    for name, value in kept:
        await cache.execute("RESTORE", name, 3_600_000, value)
    await another_history(cache)


async def reads(sessions: Sessions, cookie: str) -> bool:
    """Whether a cookie is a session that may do something here."""
    try:
        session = await sessions.read(cookie)
    except SessionElsewhereError:
        return False
    return session is not None


async def test_what_ended_is_dead_after_a_kill_and_a_start_from_an_older_snapshot(
    regions: Regions, someone: Someone
) -> None:
    async with own_valkey() as server:
        own = Cache(server.url)
        own_regions = Regions({**regions.caches, WEST: own}, regions.shards, regions.masters, regions.clock, {})
        opened = {how: await own_regions.process().create(*await someone(), {"owner"}) for how in ENDS}
        other = await own_regions.process().create(*await someone(), {"owner"})
        lived = await own_regions.sealed()
        assert await own.execute("SAVE") == "OK"
        for how, end in ENDS.items():
            await end(own_regions, opened[how])
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        await own.close()
        await server.start()
        assert await own_regions.sealed() == lived, "all of them are there, as they were"
        process = own_regions.process()
        assert {how: await reads(process, one.cookie) for how, one in opened.items()} == dict.fromkeys(ENDS, False)
        assert await reads(process, other.cookie)
        await own.close()


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_what_ended_is_not_listed_nor_taken_elsewhere_when_an_older_replica_was_promoted(
    regions: Regions, someone: Someone, end: End
) -> None:
    west, east = regions.process(), regions.process(EAST)
    opened, other = await west.create(*await someone(), {"owner"}), await west.create(*await someone(), {"owner"})
    kept = await state(regions.caches[WEST])
    await end(regions, opened)
    await put_back(regions.caches[WEST], kept)
    here = [one.session.privileges for one in await west.devices(opened.session.org_id, opened.session.user_id)]
    assert frozenset({"owner"}) not in here or end is ENDS["moved"]
    assert not await reads(west, opened.cookie)
    assert await east.move(opened.cookie) is None
    assert await reads(west, other.cookie)


async def test_a_revoked_device_arrives_nowhere_after_its_bar_was_lost(regions: Regions, someone: Someone) -> None:
    west, east = regions.process(), regions.process(EAST)
    opened = await west.create(*await someone(), {"owner"})
    kept = await state(regions.caches[WEST])
    await east.revoke_device(opened.session.org_id, opened.session.user_id, opened.session.ref)
    await regions.caches[EAST].execute("FLUSHALL")
    await another_history(regions.caches[EAST])
    await put_back(regions.caches[WEST], kept)
    assert await east.move(opened.cookie) is None


async def test_who_was_not_revoked_stays_signed_in_and_the_directory_is_asked_once(
    regions: Regions, someone: Someone
) -> None:
    org_id, user_id = await someone()
    opened = [await regions.process().create(org_id, user_id, {"owner"}) for _ in range(10)]
    await regions.process().revoke(opened[0].cookie)
    process, cache = regions.process(), regions.caches[WEST]
    await another_history(cache)
    told = sum(told_again._values.values())
    found = await asyncio.gather(*(process.read(one.cookie) for one in opened * 5))
    assert [session is not None for session in found] == [False, *[True] * 9] * 5
    assert sum(told_again._values.values()) == told + 1
    await cache.execute("CONFIG", "RESETSTAT")
    assert await regions.process().read(opened[1].cookie) is not None
    info = await cache.execute("INFO", "commandstats")
    assert isinstance(info, bytes)
    assert b"cmdstat_evalsha:calls=1," in info, "one round trip for a session"
    assert sum(told_again._values.values()) == told + 1, "another process need not tell again"


async def test_many_that_ended_are_told_in_parts_and_none_is_left_out(
    regions: Regions, someone: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.sessions.region._TOLD_AT_ONCE", 2)
    org_id, user_id = await someone()
    opened = [await regions.process().create(org_id, user_id, {"owner"}) for _ in range(6)]
    kept = await state(regions.caches[WEST])
    for one in opened[:5]:
        await regions.process().revoke(one.cookie)
    await put_back(regions.caches[WEST], kept)
    assert [await reads(regions.process(), one.cookie) for one in opened] == [*[False] * 5, True]


async def test_a_revocation_of_all_ends_sessions_while_the_directory_is_away_and_says_that_it_is_not_kept(
    regions: Regions, someone: Someone
) -> None:
    org_id, user_id = await someone()
    west = regions.process()
    opened = await west.create(org_id, user_id, {"owner"})
    nowhere = Database("postgresql://hal9_app@/hal9?host=/nowhere", connect_seconds=0.5)
    cut_off = Sessions(
        WEST, regions.caches, DataKeys(nowhere, regions.masters, clock=regions.clock), load(SessionSettings, {}),
        clock=regions.clock,
    )  # fmt: skip
    with pytest.raises(RevocationUnkeptError):
        await cut_off.revoke_user(org_id, user_id)
    assert await west.read(opened.cookie) is None
    again = await west.create(org_id, user_id, {"owner"})
    with pytest.raises(RevocationIncompleteError) as incomplete:
        await cut_off.revoke_device(org_id, user_id, again.session.ref)
    assert incomplete.value.members["regions"] == [WEST]
    assert await west.read(again.cookie) is not None, "one session is ended when that is kept, or not at all"
    await nowhere.close()


async def test_what_could_not_live_any_more_is_forgotten(regions: Regions, someone: Someone) -> None:
    org_id, user_id = await someone()
    directory = regions.shards.directory
    await ended.note(directory, org_id, ended.Ended("device", b"1" * 32), seconds=-1)
    assert await ended.of(directory, org_id) == []
    kept = ended.Ended("void", user_id.bytes, 7)
    await ended.note(directory, org_id, kept, seconds=60)
    await ended.note(directory, org_id, kept._replace(moment=5), seconds=1)
    assert await ended.of(directory, org_id) == [kept], "a revocation never becomes an earlier one"
    async with directory.transaction(f"SET LOCAL hal9.org_id='{org_id}'") as tx:
        assert await tx.fetchval("SELECT count(*) FROM directory.ended_sessions") == 1


async def test_a_cache_that_does_not_tell_its_history_serves_no_session(someone: Someone, regions: Regions) -> None:
    async with own_valkey() as server:
        own = Cache(server.url)
        await own.execute("ACL", "SETUSER", "limited", "on", ">pw", "~*", "+@all", "-info")
        limited = Cache(server.url.replace("unix://", "unix://limited:pw@"))
        sessions = Sessions(WEST, {WEST: limited}, regions.keys(), load(SessionSettings, {}))
        with pytest.raises(CacheError, match="info"):
            await sessions.create(*await someone(), ())
        await limited.close()
        await own.close()


@pytest.mark.parametrize("of_all", [True, False])
async def test_a_clock_that_was_set_back_spares_no_session_of_the_hour_that_comes_again(
    regions: Regions, someone: Someone, *, of_all: bool
) -> None:
    who, west = await someone(), regions.process()
    early = await west.create(*who, ())
    moved = await regions.process(EAST).move((await west.create(*who, ())).cookie)
    assert moved is not None
    regions.clock._now -= timedelta(hours=1)
    late = await west.create(*who, ())
    await (west.revoke_organisation(who[0]) if of_all else west.revoke_user(*who))
    assert [await reads(west, one.cookie) for one in (early, late)] == [False, False]
    assert not await reads(regions.process(EAST), moved.cookie)
    again = await west.create(*who, ())
    assert await reads(west, again.cookie), "and people sign in again at once"
