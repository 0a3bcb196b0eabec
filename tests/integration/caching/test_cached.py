"""Cached look-ups on a real Valkey: two levels, invalidation everywhere, and a cache that is away, slow or emptied."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from knative.platform.servers import Valkey
from shared import deadlines
from shared.cache import Cache
from shared.caching import Breaker, Cached, Coding, Loaded, Memory, Remote
from shared.clock import ManualClock
from shared.identifiers import new_id
from shared.problems import Problem
from tests.valkey_fixture import own_valkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

TEXT = Coding(str.encode, bytes.decode)


class Source:
    """Whoever knows: values with versions, and who asked. A load can be held."""

    def __init__(self) -> None:
        self.values: dict[tuple[UUID, str], Loaded[str]] = {}
        self.asked = 0
        self.held: asyncio.Event | None = None

    async def load(self, org_id: UUID, key: str) -> Loaded[str]:
        self.asked += 1
        answer = self.values.get((org_id, key), Loaded(0, None))
        if self.held is not None:
            await self.held.wait()
        return answer

    def set(self, org_id: UUID, key: str, value: str | None) -> int:
        version = self.values.get((org_id, key), Loaded(0, None)).version + 1
        self.values[org_id, key] = Loaded(version, value)
        return version


class Process:
    """One process's cache of the source."""

    def __init__(self, url: str, source: Source, clock: ManualClock, name: str = "names", **options: Any) -> None:
        self.cache = Cache(url, 0.25)
        self.memory = Memory(100_000)
        self.remote = Remote(self.cache, Breaker(3, 1.0))
        self.cached = Cached(
            name,
            source.load,
            TEXT,
            memory=self.memory,
            remote=self.remote,
            clock=clock,
            **options,
        )

    async def start(self) -> Process:
        self.remote.start()
        await until(lambda: self.remote.hears)
        return self

    async def stop(self) -> None:
        await self.remote.stop()
        await self.cache.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for is in another process, or on a socket
            await asyncio.sleep(0.001)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def valkey() -> AsyncIterator[Valkey]:
    """A server of these tests' own, to do harm to."""
    async with own_valkey() as server:
        yield server


@asynccontextmanager
async def processes(
    url: str, source: Source, clock: ManualClock, count: int, **options: Any
) -> AsyncIterator[list[Process]]:
    """Processes that hear invalidations."""
    made = [await Process(url, source, clock, **options).start() for _ in range(count)]
    try:
        yield made
    finally:
        for process in made:
            await process.stop()


async def test_a_value_is_loaded_once_for_all_who_wait_and_all_processes(valkey: Valkey) -> None:
    source, org_id = Source(), new_id()
    source.set(org_id, "k", "v")
    async with processes(valkey.url, source, ManualClock(), 2) as (one, two):
        assert set(await asyncio.gather(*(one.cached.get(org_id, "k") for _ in range(50)))) == {"v"}
        assert await two.cached.get(org_id, "k") == "v"
        assert await one.cached.get(org_id, "k") == "v"
    assert source.asked == 1


async def test_keys_of_organisations_and_of_caches_are_apart(valkey: Valkey) -> None:
    source, (mine, foreign) = Source(), (new_id(), new_id())
    other_source = Source()
    source.set(mine, "k", "mine")
    source.set(foreign, "k", "foreign")
    other_source.set(mine, "k", "another cache's")
    clock = ManualClock()
    async with processes(valkey.url, source, clock, 2) as (one, two):
        other = Process(valkey.url, other_source, clock, "others")
        for process in (one, two):
            assert await process.cached.get(mine, "k") == "mine"
            assert await process.cached.get(foreign, "k") == "foreign"
        assert await other.cached.get(mine, "k") == "another cache's"
        await one.cached.invalidate(foreign, "k", source.set(foreign, "k", "changed"))
        assert await one.cached.get(mine, "k") == "mine"
        assert await one.cached.get(foreign, "k") == "changed"
        assert other_source.asked == 1
        await other.stop()


async def test_an_invalidation_reaches_every_process(valkey: Valkey) -> None:
    source, org_id = Source(), new_id()
    source.set(org_id, "k", "old")
    async with processes(valkey.url, source, ManualClock(), 4) as all_of_them:
        for process in all_of_them:
            assert await process.cached.get(org_id, "k") == "old"
        assert await all_of_them[0].cached.invalidate(org_id, "k", source.set(org_id, "k", "new"))
        await until(lambda: all(len(process.memory) == 0 for process in all_of_them))
        for process in all_of_them:
            assert await process.cached.get(org_id, "k") == "new"
        assert source.asked == 2


async def test_what_was_loaded_before_a_change_and_comes_after_it_is_not_kept_in_any_level(valkey: Valkey) -> None:
    source, org_id = Source(), new_id()
    source.set(org_id, "k", "old")
    async with processes(valkey.url, source, ManualClock(), 3) as (slow, deaf, writer):
        source.held = asyncio.Event()
        loading = asyncio.create_task(slow.cached.get(org_id, "k"))
        await deaf.remote.stop()  # it is not told, and its answer is late as well
        late = asyncio.create_task(deaf.cached.get(org_id, "k"))
        await until(lambda: source.asked == 2)
        await writer.cached.invalidate(org_id, "k", source.set(org_id, "k", "new"))
        flights = slow.cached._flights
        await until(lambda: [under_way.floor for _, under_way in flights.notes()] == [2])
        source.held.set()
        assert await loading == "new"
        assert await late == "old"  # it asked before the change
        source.held = None
        for process in (slow, deaf, writer):
            assert await process.cached.get(org_id, "k") == "new"


async def test_an_older_version_never_takes_a_newer_one_s_place_in_the_cache(valkey: Valkey) -> None:
    from shared.caching.remote import Found

    source, key = Source(), ("names", new_id(), "k")
    async with processes(valkey.url, source, ManualClock(), 1) as (one,):
        await one.remote.put(key, Found(5, b"five"), 60_000)
        await one.remote.put(key, Found(4, b"four"), 60_000)
        assert await one.remote.get(key) == Found(5, b"five")
        await one.remote.invalidate(key, 7, 60_000)
        await one.remote.put(key, Found(6, b"six"), 60_000)
        assert await one.remote.get(key) is None
        await one.remote.invalidate(key, 6, 60_000)
        await one.remote.put(key, Found(7, None), 60_000)
        assert await one.remote.get(key) == Found(7, None)
        await one.remote.put(key, Found(10, b"ten:\x00:\n"), 60_000)
        await one.remote.put(key, Found(9, b"nine"), 60_000)
        assert await one.remote.get(key) == Found(10, b"ten:\x00:\n")
        with pytest.raises(ValueError, match="2\\^53"):
            await one.cached.invalidate(key[1], "k", 2**53)


async def test_what_is_not_there_is_remembered_for_a_moment(valkey: Valkey) -> None:
    source, org_id, clock = Source(), new_id(), ManualClock()
    async with processes(valkey.url, source, clock, 1, negative_seconds=5) as (one,):
        assert [await one.cached.get(org_id, "k") for _ in range(3)] == [None] * 3
        assert source.asked == 1
        await one.cached.invalidate(org_id, "k", source.set(org_id, "k", "v"))
        assert await one.cached.get(org_id, "k") == "v"
        await one.cached.invalidate(org_id, "k", source.set(org_id, "k", None))
        assert await one.cached.get(org_id, "k") is None


async def test_what_is_stale_is_served_while_it_is_looked_up_again(valkey: Valkey) -> None:
    source, org_id, clock = Source(), new_id(), ManualClock()
    source.set(org_id, "k", "old")
    async with processes(valkey.url, source, clock, 1, seconds=10, stale_seconds=5) as (one,):
        assert await one.cached.get(org_id, "k") == "old"
        source.set(org_id, "k", "new")
        await one.cache.execute("FLUSHALL")
        clock.advance(12)
        assert await one.cached.get(org_id, "k") == "old"
        await until(lambda: not one.cached._flights)
        assert await one.cached.get(org_id, "k") == "new"
        clock.advance(16)
        await one.cache.execute("FLUSHALL")
        source.set(org_id, "k", "newest")
        assert await one.cached.get(org_id, "k") == "newest"


async def test_a_version_that_is_asked_for_is_not_taken_from_an_older_entry(valkey: Valkey) -> None:
    source, org_id = Source(), new_id()
    source.set(org_id, "k", "old")
    async with processes(valkey.url, source, ManualClock(), 2) as (one, two):
        assert await one.cached.get(org_id, "k") == "old"
        source.set(org_id, "k", "new")  # nobody tells
        assert await one.cached.get(org_id, "k") == "old"
        assert await two.cached.get(org_id, "k", at_least=2) == "new"
        assert await one.cached.get(org_id, "k", at_least=2) == "new"
        assert await one.cached.get(org_id, "k", at_least=3) == "new"


async def test_a_load_that_fails_is_told_to_all_who_wait_and_tried_again(valkey: Valkey) -> None:
    source, org_id = Source(), new_id()
    source.set(org_id, "k", "v")
    failing = True

    async def load(org_id: UUID, key: str) -> Loaded[str]:
        if failing:
            raise LookupError(key)
        return await source.load(org_id, key)

    cached = Cached("names", load, TEXT, memory=Memory(10_000))
    results = await asyncio.gather(*(cached.get(org_id, "k") for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [LookupError] * 3
    failing = False
    assert await cached.get(org_id, "k") == "v"


async def test_a_caller_waits_no_longer_than_its_deadline_and_the_look_up_goes_on(valkey: Valkey) -> None:
    source, org_id = Source(), new_id()
    source.set(org_id, "k", "v")
    source.held = asyncio.Event()
    async with processes(valkey.url, source, ManualClock(), 1) as (one,):
        with deadlines.deadline(0.01), pytest.raises(Problem) as caught:
            await one.cached.get(org_id, "k")
        assert caught.value.slug == "deadline-exceeded"
        waiting = asyncio.create_task(one.cached.get(org_id, "k"))
        source.held.set()
        assert await waiting == "v"
        assert source.asked == 1


async def test_an_entry_of_another_form_is_looked_up_again(valkey: Valkey) -> None:
    source, org_id = Source(), new_id()
    source.set(org_id, "k", "v")
    async with processes(valkey.url, source, ManualClock(), 1) as (one,):
        for foreign in (b"nonsense", b"", b"1:v:\xff", b"1:x:v", b"-1:v:v", b"1" * 30 + b":v:v"):
            one.memory.drop_all("names")
            await one.cache.execute("SET", f"cache:{{{org_id}}}:names:k", foreign)
            assert await one.cached.get(org_id, "k") == "v"
        await one.cache.execute("PUBLISH", "hal9:caching", b"\xff nonsense")
        await one.cache.execute("PUBLISH", "hal9:caching", "names\0no id\0x\0k")
        await one.cached.invalidate(org_id, "k", source.set(org_id, "k", "after"))
        assert await one.cached.get(org_id, "k") == "after"


async def test_a_cache_that_dies_makes_look_ups_slower_and_none_wrong(valkey: Valkey) -> None:
    source, org_id = Source(), new_id()
    source.set(org_id, "k", "1")
    async with processes(valkey.url, source, ManualClock(), 2) as (writer, reader):
        assert [await process.cached.get(org_id, "k") for process in (writer, reader)] == ["1", "1"]
        assert valkey.process is not None
        valkey.process.kill()
        valkey.process.wait()
        await until(lambda: not writer.remote.hears and not reader.remote.hears)
        for number in range(2, 12):
            await writer.cached.invalidate(org_id, "k", source.set(org_id, "k", str(number)))
            assert await reader.cached.get(org_id, "k") == str(number)
        assert len(reader.memory) == 0
        await valkey.start()
        await until(lambda: writer.remote.hearing.now and reader.remote.hearing.now)
        for number in range(12, 20):
            await writer.cached.invalidate(org_id, "k", source.set(org_id, "k", str(number)))
            await until(lambda: all(not len(process.memory) for process in (writer, reader)))
            assert await reader.cached.get(org_id, "k") == str(number)


async def test_what_the_cache_was_not_told_it_is_told_when_it_is_back(valkey: Valkey) -> None:
    """The cache keeps its data here: it is only silent for the writer, as on a broken network."""
    source, org_id = Source(), new_id()
    source.set(org_id, "k", "old")
    async with processes(valkey.url, source, ManualClock(), 2) as (writer, reader):
        assert await reader.cached.get(org_id, "k") == "old"
        good, writer.cache._url = writer.cache._url, writer.cache._url._replace(path="/nowhere")
        await writer.cache.close()
        assert not await writer.cached.invalidate(org_id, "k", source.set(org_id, "k", "new"))
        writer.cache._url = good
        await writer.remote.stop()
        writer.remote.start()
        await until(lambda: len(reader.memory) == 0)
        assert await reader.cached.get(org_id, "k") == "new"


async def test_a_cache_that_is_slow_is_left_alone_by_the_breaker(valkey: Valkey) -> None:
    source, org_id = Source(), new_id()
    source.set(org_id, "k", "1")
    async with processes(valkey.url, source, ManualClock(), 1) as (one,):
        breaker = Breaker(3, 1.0, ManualClock())
        one.remote._breaker = breaker
        other = Cache(valkey.url)
        await other.execute("CLIENT", "PAUSE", 60_000, "ALL")
        try:
            for number in range(2, 7):
                source.set(org_id, "k", str(number))
                one.memory.drop_all("names")
                assert await one.cached.get(org_id, "k") == str(number)
            assert breaker.open
            before = one.cache._connection
            for number in range(7, 107):
                source.set(org_id, "k", str(number))
                assert await one.cached.get(org_id, "k") == str(number)
            assert one.cache._connection is before  # nobody even tried
        finally:
            await other.close()
            assert valkey.process is not None
            valkey.process.kill()
            valkey.process.wait()
            await valkey.start()
