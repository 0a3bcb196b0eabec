"""What an attacker can do to a cookie, and to the cache: none of it is a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from shared.clock import ManualClock
from shared.datakeys import DataKeys
from shared.identifiers import new_id
from shared.keys import base64url
from shared.sessions import Opened, SessionElsewhereError, SessionId, SessionInvalidError, Sessions
from shared.shards import slot
from tests.sessions_fixture import EAST, WEST, Regions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Someone = Callable[[], Awaitable[tuple[UUID, UUID]]]

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def flipped(cookie: str, position: int) -> str:
    """Another letter at a position of the id."""
    start = cookie.index(".") + 1 + position
    other = ALPHABET[ALPHABET.index(cookie[start]) ^ 32]
    return cookie[:start] + other + cookie[start + 1 :]


def left_over_bits(cookie: str) -> str:
    """The same bytes by another text: the last letter's unused bits are set."""
    return cookie[:-1] + ALPHABET[ALPHABET.index(cookie[-1]) | 1]


COOKIES: dict[str, Callable[[str], str]] = {
    "empty": lambda cookie: "",
    "no id": lambda cookie: "us-west.",
    "no region": lambda cookie: cookie[cookie.index(".") :],
    "only the id": lambda cookie: cookie[cookie.index(".") + 1 :],
    "another place": lambda cookie: flipped(cookie, 0),
    "a bit of the id": lambda cookie: flipped(cookie, 20),
    "its last whole letter": lambda cookie: flipped(cookie, 44),
    "left-over bits": left_over_bits,
    "padding": lambda cookie: cookie + "==",
    "cut": lambda cookie: cookie[:-1],
    "longer": lambda cookie: cookie + "A",
    "blank before": lambda cookie: " " + cookie,
    "line feed after": lambda cookie: cookie + "\n",
    "two cookies": lambda cookie: cookie + "," + cookie,
    "percent-encoded": lambda cookie: cookie.replace(".", "%2e"),
    "upper-case region": lambda cookie: cookie.replace("us-west", "US-WEST"),
    "unknown region": lambda cookie: cookie.replace("us-west", "mars"),
    "a region that is a path": lambda cookie: cookie.replace("us-west", "../us-west"),
    "a place beyond the slots": lambda cookie: "us-west." + base64url.encode(b"\xff\xff" + bytes(32)),
    "wildcards": lambda cookie: "us-west." + "*" * 46,
    "NUL": lambda cookie: cookie[:-1] + "\x00",
    "not ASCII": lambda cookie: cookie[:-1] + "é",
    "digits of another script": lambda cookie: cookie[:-1] + "\u0663",
    "very long": lambda cookie: cookie * 10_000,
}


@pytest.mark.parametrize("change", COOKIES.values(), ids=COOKIES)
async def test_a_cookie_that_was_changed_is_no_session(
    regions: Regions, someone: Someone, change: Callable[[str], str]
) -> None:
    sessions = regions.process()
    opened = await sessions.create(*await someone(), {"owner"})
    assert await sessions.read(change(opened.cookie)) is None
    with pytest.raises(SessionInvalidError):
        await sessions.renew(change(opened.cookie), {"owner"})
    await sessions.revoke(change(opened.cookie))
    assert await sessions.move(change(opened.cookie)) is None
    assert await sessions.read(opened.cookie) == opened.session


async def test_an_id_of_another_region_is_not_found_under_this_one_s_name(regions: Regions, someone: Someone) -> None:
    east = await regions.process(EAST).create(*await someone(), {"owner"})
    sessions = regions.process()
    await sessions.create(*await someone(), {"owner"})  # the region has a key
    with pytest.raises(SessionElsewhereError):
        await sessions.read(east.cookie)
    assert await sessions.read(east.cookie.replace(EAST, WEST)) is None


class Stage:
    """A victim's session, and one of the attacker's, who can write the cache."""

    def __init__(self, regions: Regions, sessions: Sessions, victim: Opened, own: Opened) -> None:
        self.regions, self.sessions, self.victim, self.own = regions, sessions, victim, own
        self.cache = regions.caches[WEST]
        self.names: dict[UUID, bytes] = {}
        self.values: dict[UUID, bytes] = {}

    async def look(self) -> Stage:
        """Note where the two are, and what is there."""
        for name, value in (await self.regions.sealed()).items():
            ref = UUID(bytes=value[50:66])
            self.names[ref], self.values[ref] = name, value
        return self

    @property
    def name(self) -> bytes:
        """The key of the attacker's session."""
        return self.names[self.own.session.ref]

    async def put(self, value: bytes) -> None:
        """Replace the attacker's value."""
        await self.cache.execute("SET", self.name, value, "EX", 60)

    async def claim(self, value: bytes) -> None:
        """Make the devices say what a value does, so that only the seal can refuse it."""
        place = self.name[: self.name.index(b":", 9) + 1]
        await self.cache.execute("HSET", place + b"devices:" + value[18:50], value[50:66], self.name[len(place) :])


@pytest.fixture(params=["neighbour", "same organisation"])
async def stage(request: pytest.FixtureRequest, regions: Regions, someone: Someone) -> Stage:
    sessions = regions.process()
    victim, own = await someone(), await someone()
    if request.param == "same organisation":
        own = (victim[0], new_id())
    one = await sessions.create(*victim, {"owner"}, data={"note": "the victim's"})
    return await Stage(regions, sessions, one, await sessions.create(*own, {"reader"})).look()


def changed(start: int, end: int) -> Callable[[bytes, bytes], bytes]:
    """One bit of each byte of a part is flipped."""
    return lambda victim, own: own[:start] + bytes(byte ^ 1 for byte in own[start:end]) + own[end:]


def exchanged(start: int, end: int) -> Callable[[bytes, bytes], bytes]:
    """A part is the victim's."""
    return lambda victim, own: own[:start] + victim[start:end] + own[end:]


VALUES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "the victim's value": lambda victim, own: victim,
    "the victim's seal under one's own clear part": lambda victim, own: own[:70] + victim[70:],
    "one's own seal under the victim's clear part": lambda victim, own: victim[:70] + own[70:],
    "the victim's organisation": exchanged(18, 34),
    "the victim's user": exchanged(34, 50),
    "the victim's ref": exchanged(50, 66),
    "the victim's key and organisation": exchanged(2, 34),
    "the victim's nonce": exchanged(70, 82),
    "another version": changed(0, 1),
    "a tombstone": lambda victim, own: own[:1] + b"S" + own[2:],
    "a moving one": lambda victim, own: own[:1] + b"M" + own[2:],
    "one that is gone": lambda victim, own: own[:1] + b"G" + own[2:],
    "an unknown state": lambda victim, own: own[:1] + b"X" + own[2:],
    "another key id": changed(2, 18),
    "another organisation": changed(18, 34),
    "another user": changed(34, 50),
    "another ref": changed(50, 66),
    "a longer idle time": lambda victim, own: own[:66] + (86_400).to_bytes(4, "big") + own[70:],
    "no idle time": lambda victim, own: own[:66] + bytes(4) + own[70:],
    "endless idle time": lambda victim, own: own[:66] + b"\xff" * 4 + own[70:],
    "another nonce": changed(70, 82),
    "the first bit of the text": changed(82, 83),
    "the tag": lambda victim, own: own[:-16] + bytes(byte ^ 1 for byte in own[-16:]),
    "without a byte": lambda victim, own: own[:-1],
    "with one more": lambda victim, own: own + b"\x00",
    "only the clear part": lambda victim, own: own[:70],
    "no text": lambda victim, own: own[:82],
    "no tag": lambda victim, own: own[:-16],
    "empty": lambda victim, own: b"",
    "one byte": lambda victim, own: b"\x01",
    "zeroes": lambda victim, own: bytes(len(own)),
    "plain text": lambda victim, own: own[:82] + b"\x98\x00\xcf" + bytes(32),
}


@pytest.mark.parametrize("change", VALUES.values(), ids=VALUES)
async def test_a_value_that_was_changed_is_no_session(stage: Stage, change: Callable[[bytes, bytes], bytes]) -> None:
    value = change(stage.values[stage.victim.session.ref], stage.values[stage.own.session.ref])
    if value == stage.values[stage.own.session.ref]:  # the organisation is the same, so that nothing was exchanged
        assert await stage.sessions.read(stage.own.cookie) == stage.own.session
        return
    for claimed in (False, True):
        if claimed and len(value) >= 70:
            await stage.claim(value)
        await stage.put(value)
        for process in (stage.sessions, stage.regions.process()):
            assert await process.read(stage.own.cookie) is None
        with pytest.raises(SessionInvalidError):
            await stage.sessions.renew(stage.own.cookie, {"owner"})
        assert await stage.sessions.move(stage.own.cookie) is None


@pytest.mark.parametrize(
    "command",
    [("HSET", "a", "b"), ("LPUSH", "a"), ("SADD", "a"), ("SETBIT", 0, 1), ("ZADD", 1, "a")],
    ids=["hash", "list", "set", "bits", "sorted set"],
)
async def test_a_key_of_another_kind_is_no_session(stage: Stage, command: tuple[Any, ...]) -> None:
    await stage.cache.execute("DEL", stage.name)
    await stage.cache.execute(command[0], stage.name, *command[1:])
    assert await stage.sessions.read(stage.own.cookie) is None


async def test_devices_of_another_kind_are_no_session(stage: Stage) -> None:
    value = stage.values[stage.own.session.ref]
    devices = stage.name[: stage.name.index(b":", 9) + 1] + b"devices:" + value[18:50]
    await stage.cache.execute("SET", devices, "x")
    assert await stage.sessions.read(stage.own.cookie) is None


async def test_a_live_value_that_comes_again_after_the_renewal_is_no_session(stage: Stage) -> None:
    renewed = await stage.sessions.renew(stage.own.cookie, ())
    await stage.put(stage.values[stage.own.session.ref])
    assert await stage.sessions.read(stage.own.cookie) is None
    assert await stage.sessions.read(renewed.cookie) is not None


async def test_a_value_sealed_under_another_region_s_key_is_no_session(regions: Regions, someone: Someone) -> None:
    who = await someone()
    east = await regions.process(EAST).create(*who, {"owner"})
    west = await regions.process().create(*who, {"owner"})
    (name,) = await regions.sealed()
    (value,) = (await regions.sealed(EAST)).values()
    await regions.caches[WEST].execute("SET", name, value)
    place = name[: name.index(b":", 9) + 1]
    await regions.caches[WEST].execute("HSET", place + b"devices:" + value[18:50], value[50:66], name[len(place) :])
    assert await regions.process().read(west.cookie) is None
    assert await regions.process(EAST).read(east.cookie) == east.session


async def test_two_organisations_with_the_same_ids_share_nothing(regions: Regions, someone: Someone) -> None:
    """The same user, device and even random id in both: nothing of one is read, listed or ended through the other."""
    (mine, user_id), (foreign, _) = await someone(), await someone()
    sessions = regions.process()
    own = await sessions.create(mine, user_id, {"owner"}, device="mine")
    other = await sessions.create(foreign, user_id, {"reader"}, device="foreign")
    assert [one.session.device for one in await sessions.devices(mine, user_id)] == ["mine"]
    assert [one.session.device for one in await sessions.devices(foreign, user_id)] == ["foreign"]
    assert await sessions.revoke_device(foreign, user_id, own.session.ref) is False
    await sessions.revoke_user(foreign, user_id)
    assert await sessions.read(own.cookie) == own.session
    assert await sessions.read(other.cookie) is None
    await sessions.revoke_organisation(foreign)
    assert await sessions.read(own.cookie) == own.session
    session_id = SessionId.parse(own.cookie)
    assert session_id is not None
    twin = SessionId(WEST, slot(foreign).to_bytes(2, "big") + session_id.raw[2:])
    assert await sessions.read(twin.text) is None or slot(foreign) == slot(mine)


async def test_an_organisation_s_key_opens_nothing_of_another_one(regions: Regions, someone: Someone) -> None:
    """As by a fault in the look-up of keys: the seal says whose it is, too."""
    (mine, user_id), (foreign, _) = await someone(), await someone()
    keys = regions.keys()
    sessions = regions.process(keys=keys)
    own = await sessions.create(mine, user_id, {"owner"})
    wrong = await keys.current(foreign, WEST)

    class Confused(DataKeys):
        async def find(self, org_id: UUID, region: str, key_id: UUID) -> Any:
            return wrong

    confused = Confused(regions.shards.directory, regions.masters, clock=ManualClock())
    assert await regions.process(keys=confused).read(own.cookie) is None
    assert await sessions.read(own.cookie) == own.session
