"""Sessions in one region: what is read, when it ends, what a renewal keeps, what a user sees of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.cache import Cache, CacheUnavailableError
from shared.datakeys import DataKeys, KeysUnavailableError
from shared.datakeys.files import FileMasterKeys
from shared.identifiers import new_id
from shared.problems import Problem
from shared.sessions import (
    COOKIE,
    SessionId,
    SessionInvalidError,
    Sessions,
    SessionSettings,
    SessionSupersededError,
    clearing_cookie,
    session_caches,
    setting_cookie,
)
from shared.sessions.region import Moment
from shared.settings import load
from tests.sessions_fixture import WEST, Regions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path
    from uuid import UUID

    Someone = Callable[[], Awaitable[tuple[UUID, UUID]]]


async def test_a_session_is_what_was_signed_in_in_every_process(regions: Regions, someone: Someone) -> None:
    org_id, user_id = await someone()
    opened = await regions.process().create(
        org_id, user_id, {"developer"}, device="Firefox", address="203.0.113.7", data={"idp": "okta"}
    )
    session = await regions.process().read(opened.cookie)
    assert session == opened.session
    assert (session.org_id, session.user_id, set(session.privileges)) == (org_id, user_id, {"developer"})
    assert (session.device, session.address, session.data) == ("Firefox", "203.0.113.7", {"idp": "okta"})
    assert session.begun_at == regions.clock.now()
    assert session.ends_at == regions.clock.now() + timedelta(hours=12)


async def test_where_a_region_s_master_key_was_lost_nobody_reads_or_begins_a_session_under_another_one(
    regions: Regions, someone: Someone, tmp_path: Path
) -> None:
    org_id, user_id = await someone()
    opened = await regions.process().create(org_id, user_id, {"developer"})
    lost = DataKeys(regions.shards.directory, FileMasterKeys(tmp_path / "lost"))
    with pytest.raises(KeysUnavailableError):
        await regions.process(keys=lost).read(opened.cookie)
    with pytest.raises(KeysUnavailableError):
        await regions.process(keys=lost).create(org_id, user_id, {"developer"})
    assert not (tmp_path / "lost").exists()
    assert await regions.process().read(opened.cookie) == opened.session


async def test_where_nobody_ever_signed_in_an_id_is_not_found_and_no_master_key_made(
    regions: Regions, someone: Someone, tmp_path: Path
) -> None:
    opened = await regions.process().create(*await someone(), {"developer"})
    keys = DataKeys(regions.shards.directory, FileMasterKeys(tmp_path / "new"))
    new = Sessions("us-north", {"us-north": regions.caches[WEST]}, keys, load(SessionSettings, {}))
    assert await new.read(opened.cookie.replace(WEST, "us-north")) is None
    assert not (tmp_path / "new").exists()


async def test_the_cache_knows_neither_the_id_nor_what_a_session_says(regions: Regions, someone: Someone) -> None:
    opened = await regions.process().create(*await someone(), {"developer"}, device="Firefox", data={"secret": "hush"})
    session_id = SessionId.parse(opened.cookie)
    assert session_id is not None
    for name, value in (await regions.values()).items():
        assert session_id.raw not in name + value
        assert b"Firefox" not in value
        assert b"hush" not in value
        assert b"developer" not in value


async def test_a_session_that_is_not_used_ends_by_itself_and_reading_keeps_it(
    regions: Regions, someone: Someone
) -> None:
    sessions = regions.process(HAL9_SESSION_IDLE_SECONDS="600")
    opened = await sessions.create(*await someone(), {"developer"})
    (name,) = await regions.sealed()
    cache = regions.caches[WEST]
    await cache.execute("PEXPIRE", name, 5_000)
    assert await sessions.read(opened.cookie) is not None
    left = await cache.execute("PTTL", name)
    assert isinstance(left, int)
    assert 590_000 < left <= 600_000
    await cache.execute("PEXPIRE", name, 0)
    assert await sessions.read(opened.cookie) is None


async def test_a_session_ends_at_its_time_however_much_it_is_used(regions: Regions, someone: Someone) -> None:
    sessions = regions.process(HAL9_SESSION_SECONDS="3600")
    opened = await sessions.create(*await someone(), {"developer"})
    regions.clock.advance(3599)
    renewed = await sessions.renew(opened.cookie, {"owner"})
    assert await sessions.read(renewed.cookie) is not None
    regions.clock.advance(1)
    assert await sessions.read(renewed.cookie) is None
    assert (await sessions.devices(opened.session.org_id, opened.session.user_id)) == []


async def test_the_cache_s_own_clock_counts_where_none_is_given(regions: Regions, someone: Someone) -> None:
    sessions = Sessions(WEST, regions.caches, regions.keys(), load(SessionSettings, {}))
    opened = await sessions.create(*await someone(), {"developer"})
    time = await regions.caches[WEST].execute("TIME")
    assert isinstance(time, list)
    assert isinstance(time[0], bytes)
    assert abs(opened.session.begun_at.timestamp() - int(time[0])) < 60
    assert await sessions.read(opened.cookie) == opened.session


async def test_an_organisation_may_ask_for_less_time_never_for_more(regions: Regions, someone: Someone) -> None:
    sessions = regions.process(HAL9_SESSION_SECONDS="3600", HAL9_SESSION_IDLE_SECONDS="600")
    who = await someone()
    short = (await sessions.create(*who, (), idle_seconds=60, seconds=120)).session
    long = (await sessions.create(*who, (), idle_seconds=6000, seconds=12000)).session
    assert (short.idle_seconds, short.ends - short.begun) == (60, 120_000_000)
    assert (long.idle_seconds, long.ends - long.begun) == (600, 3_600_000_000)


async def test_a_change_of_privileges_brings_a_new_id(regions: Regions, someone: Someone) -> None:
    sessions = regions.process()
    opened = await sessions.create(*await someone(), {"developer"}, device="Firefox")
    renewed = await sessions.renew(opened.cookie, {"developer", "owner"})
    assert renewed.cookie != opened.cookie
    session = await sessions.read(renewed.cookie)
    assert session is not None
    assert (set(session.privileges), session.ref, session.device) == (
        {"developer", "owner"},
        opened.session.ref,
        "Firefox",
    )
    assert (session.begun, session.ends) == (opened.session.begun, opened.session.ends)


@pytest.mark.parametrize(
    ("before", "after", "old_id"),
    [
        ({"developer"}, {"developer", "owner"}, {"developer"}),
        ({"developer", "owner"}, {"developer"}, {"developer"}),
        ({"owner"}, {"auditor"}, set()),
    ],
)
async def test_the_old_id_reads_for_a_moment_and_never_gives_more_than_both_do(
    regions: Regions, someone: Someone, before: set[str], after: set[str], old_id: set[str]
) -> None:
    sessions = regions.process()
    opened = await sessions.create(*await someone(), before)
    (name,) = await regions.sealed()
    await sessions.renew(opened.cookie, after)
    under_way = await sessions.read(opened.cookie)
    assert under_way is not None
    assert under_way.superseded
    assert under_way.privileges == old_id
    left = await regions.caches[WEST].execute("PTTL", name)
    assert isinstance(left, int)
    assert 0 < left <= 15_000
    for attempt in (
        sessions.renew(opened.cookie, {"owner"}),
        sessions.update(opened.cookie, lambda data: {**data, "a": "b"}),
    ):
        with pytest.raises(SessionSupersededError):
            await attempt
    await regions.caches[WEST].execute("PEXPIRE", name, 0)
    assert await sessions.read(opened.cookie) is None


async def test_of_renewals_at_once_one_wins(regions: Regions, someone: Someone) -> None:
    processes = [regions.process() for _ in range(6)]
    opened = await processes[0].create(*await someone(), {"developer"})
    results = await asyncio.gather(
        *(process.renew(opened.cookie, {"owner"}) for process in processes), return_exceptions=True
    )
    won = [result for result in results if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert sum(isinstance(result, SessionSupersededError) for result in results) == 5
    assert await processes[0].read(won[0].cookie) is not None
    assert len(await processes[0].devices(opened.session.org_id, opened.session.user_id)) == 1


async def test_signing_in_takes_nothing_over_from_the_cookie_that_was_there(regions: Regions, someone: Someone) -> None:
    sessions = regions.process()
    who = await someone()
    planted = await sessions.create(*who, {"developer"})
    opened = await sessions.create(*who, {"owner"}, previous=planted.cookie)
    assert opened.cookie != planted.cookie
    old = await sessions.read(planted.cookie)
    assert old is not None
    assert (old.superseded, set(old.privileges), old.ref) == (True, {"developer"}, planted.session.ref)
    assert [device.session.ref for device in await sessions.devices(*who)] == [opened.session.ref]
    again = await sessions.create(*who, {"owner"}, previous="nonsense")
    assert await sessions.read(again.cookie) is not None


async def test_data_change_under_the_same_id_and_no_change_is_lost(regions: Regions, someone: Someone) -> None:
    sessions = regions.process()
    opened = await sessions.create(*await someone(), {"developer"}, data={"n": "0"})

    def counted(data: Mapping[str, str]) -> dict[str, str]:
        return {**data, "n": str(int(data["n"]) + 1)}

    await asyncio.gather(*(sessions.update(opened.cookie, counted) for _ in range(4)))
    session = await sessions.read(opened.cookie)
    assert session is not None
    assert session.data == {"n": "4"}
    with pytest.raises(ValueError, match="4096 bytes"):
        await sessions.update(opened.cookie, lambda data: {**data, "x": "x" * 5000})


async def test_a_user_sees_the_devices_and_ends_one(regions: Regions, someone: Someone) -> None:
    sessions = regions.process()
    who = await someone()
    phone = await sessions.create(*who, (), device="Phone")
    laptop = await sessions.create(*who, (), device="Laptop")
    await sessions.create(who[0], new_id(), (), device="Somebody else's")
    assert {device.session.device for device in await sessions.devices(*who)} == {"Phone", "Laptop"}
    assert all(abs((one.used_at - regions.clock.now()).total_seconds()) < 60 for one in await sessions.devices(*who))
    assert await sessions.revoke_device(*who, phone.session.ref) is True
    assert await sessions.revoke_device(*who, phone.session.ref) is False
    assert await sessions.revoke_device(who[0], new_id(), laptop.session.ref) is False
    assert await regions.process().read(phone.cookie) is None
    assert await regions.process().read(laptop.cookie) is not None


async def test_signing_out_ends_the_session_and_the_id_that_it_had_before(regions: Regions, someone: Someone) -> None:
    sessions = regions.process()
    opened = await sessions.create(*await someone(), {"developer"})
    renewed = await sessions.renew(opened.cookie, {"owner"})
    await sessions.revoke(opened.cookie)
    assert await sessions.read(opened.cookie) is None
    assert await sessions.read(renewed.cookie) is None
    await sessions.revoke(renewed.cookie)
    await sessions.revoke("nonsense")


async def test_of_too_many_sessions_the_oldest_ends(regions: Regions, someone: Someone) -> None:
    sessions = regions.process(HAL9_SESSIONS_EACH="3")
    who = await someone()
    opened = [await sessions.create(*who, ()) for _ in range(3)]
    await sessions.revoke(opened[1].cookie)
    opened += [await sessions.create(*who, ()) for _ in range(2)]
    alive = [await sessions.read(one.cookie) is not None for one in opened]
    assert alive == [False, False, True, True, True]


async def test_a_key_that_is_rotated_loses_no_session(regions: Regions, someone: Someone) -> None:
    keys = regions.keys()
    sessions, other = regions.process(keys=keys), regions.process()
    who = await someone()
    before = await sessions.create(*who, ())
    await other.read(before.cookie)
    await keys.rotate(who[0], WEST)
    after = await sessions.create(*who, ())
    assert len({value[2:18] for value in (await regions.sealed()).values()}) == 2
    for process in (sessions, other, regions.process()):
        assert await process.read(before.cookie) == before.session
        assert await process.read(after.cookie) == after.session
    renewed = await sessions.renew(before.cookie, {"owner"})
    assert await keys.prune(who[0], before.session.ends_at + timedelta(days=3650)) == 1
    assert await regions.process().read(renewed.cookie) is not None


async def test_a_shredded_organisation_s_sessions_are_unreadable_even_with_the_cache_put_back(
    regions: Regions, someone: Someone
) -> None:
    sessions, told = regions.process(), regions.process()
    who, neighbour = await someone(), await someone()
    mine, other = await sessions.create(*who, ()), await sessions.create(*neighbour, ())
    assert await told.read(mine.cookie) is not None
    backup = await regions.sealed()
    await sessions.shred(who[0])
    assert await told.read(mine.cookie) is None
    await regions.flush()
    for name, value in backup.items():
        await regions.caches[WEST].execute("SET", name, value)
        place = name[: name.index(b":", 9) + 1]
        await regions.caches[WEST].execute("HSET", place + b"devices:" + value[18:50], value[50:66], name[len(place) :])
    assert await told.read(mine.cookie) is None
    assert await regions.process().read(mine.cookie) is None
    assert await told.read(other.cookie) == other.session


async def test_a_cache_that_is_away_signs_nobody_out(regions: Regions, someone: Someone) -> None:
    opened = await regions.process().create(*await someone(), ())
    away = Sessions(WEST, {WEST: Cache("unix:///nowhere/valkey.sock")}, regions.keys(), load(SessionSettings, {}))
    with pytest.raises(CacheUnavailableError):
        await away.read(opened.cookie)


async def test_an_organisation_that_does_not_exist_has_no_sessions(regions: Regions) -> None:
    with pytest.raises(Problem) as caught:
        await regions.process().create(new_id(), new_id(), ())
    assert caught.value.slug == "organisation-unknown"


async def test_a_revocation_while_somebody_signs_in_refuses_them(regions: Regions, someone: Someone) -> None:
    who = await someone()
    sessions = regions.process()
    moment = sessions._home.moment

    async def revoked_after(org_id: UUID, user_id: UUID | None) -> Moment:
        found = await moment(org_id, user_id)
        await regions.process().revoke_user(*who)
        return found

    sessions._home.moment = revoked_after  # type: ignore[method-assign]
    with pytest.raises(SessionInvalidError):
        await sessions.create(*who, ())
    assert await regions.sealed() == {}


def test_the_cookie_is_kept_from_scripts_other_hosts_and_plain_http() -> None:
    given = setting_cookie("us-west.abc")
    assert given.startswith(f"{COOKIE}=us-west.abc; ")
    assert {part.strip() for part in given.split(";")[1:]} == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
    assert "Max-Age=0" in clearing_cookie()


@pytest.mark.parametrize("regions_setting", ["us-east", "us-east=", "us-west=redis://x", "a=redis://x a=redis://y"])
def test_regions_that_are_malformed_are_refused(regions_setting: str) -> None:
    environ = {"HAL9_CACHE_URL": "redis://localhost", "HAL9_SESSION_REGIONS": regions_setting}
    with pytest.raises(ValueError, match="HAL9_SESSION_REGIONS"):
        session_caches(load(SessionSettings, environ))


def test_regions_are_read_from_the_settings() -> None:
    environ = {"HAL9_CACHE_URL": "redis://localhost", "HAL9_SESSION_REGIONS": "us-east=redis://a eu-west=redis://b"}
    assert list(session_caches(load(SessionSettings, environ))) == ["us-west", "us-east", "eu-west"]
    with pytest.raises(ValueError, match="HAL9_CACHE_URL"):
        session_caches(load(SessionSettings, {}))
