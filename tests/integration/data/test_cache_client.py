"""The cache's client against a real Valkey: commands, scripts, sharing, restarts, silence."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from knative.platform.servers import Valkey
from shared import deadlines
from shared.cache import Cache, CacheError, CacheUnavailableError, Script
from shared.identifiers import new_id
from tests.valkey_fixture import own_valkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knative.platform.servers import Servers

ADD = Script("return {redis.call('INCRBY', KEYS[1], ARGV[1]), ARGV[2]}")


@pytest.fixture
def name() -> str:
    return f"test:{new_id()}"


@pytest_asyncio.fixture(loop_scope="session")
async def own() -> AsyncIterator[Valkey]:
    """A server of this test's own, to do harm to."""
    async with own_valkey() as server:
        yield server


async def test_replies_of_every_kind(cache: Cache, name: str) -> None:
    assert await cache.execute("SET", name, b"\r\n\x00\xff", "EX", 60) == "OK"
    assert await cache.execute("GET", name) == b"\r\n\x00\xff"
    assert await cache.execute("TTL", name) == 60
    assert await cache.execute("GET", f"{name}:none") is None
    assert await cache.execute("MGET", name, f"{name}:none") == [b"\r\n\x00\xff", None]
    assert await cache.execute("SET", name, "ü", "GET", "EX", 1) == b"\r\n\x00\xff"


async def test_a_refused_command_is_an_error_and_the_connection_goes_on(cache: Cache, name: str) -> None:
    await cache.execute("SET", name, "text", "EX", 60)
    with pytest.raises(CacheError) as caught:
        await cache.execute("LPUSH", name, "x")
    assert caught.value.code == "WRONGTYPE"
    assert await cache.execute("GET", name) == b"text"


async def test_a_pipeline_is_one_round_trip_with_a_reply_for_each(cache: Cache, name: str) -> None:
    replies = await cache.pipeline([("SET", name, "1", "EX", 60), ("NONSENSE",), ("INCR", name)])
    assert (replies[0], replies[2]) == ("OK", 2)
    assert isinstance(replies[1], CacheError)


async def test_a_script_is_sent_once(cache: Cache, name: str) -> None:
    script = Script(f"-- {name}\n{ADD.source}")
    assert await cache.execute("SCRIPT", "EXISTS", script.sha) == [0]
    assert await cache.run(script, [name], [5, "x"]) == [5, b"x"]
    assert await cache.execute("SCRIPT", "EXISTS", script.sha) == [1]
    assert await cache.run(script, [name], [5, "x"]) == [10, b"x"]
    with pytest.raises(CacheError):
        await cache.run(Script("return redis.call('LPUSH', KEYS[1], 1)"), [name])
    await cache.execute("DEL", name)


async def test_many_tasks_share_a_connection_without_mixing_replies(servers: Servers, name: str) -> None:
    cache = Cache(servers.cache_url)
    before = await cache.execute("INFO", "clients")

    async def own(number: int) -> None:
        for turn in range(20):
            value = f"{number}:{turn}".encode()
            assert await cache.execute("ECHO", value) == value

    await asyncio.gather(*(own(number) for number in range(50)))
    after = await cache.execute("INFO", "clients")
    assert isinstance(before, bytes)
    assert isinstance(after, bytes)
    assert after.split()[2] == before.split()[2]
    await cache.close()


async def test_a_cancelled_caller_does_not_shift_the_replies(cache: Cache) -> None:
    for number in range(50):
        task = asyncio.create_task(cache.execute("ECHO", f"cancelled {number}"))
        await asyncio.sleep(0)
        task.cancel()
        assert await cache.execute("ECHO", str(number)) == str(number).encode()


async def test_the_next_command_after_a_restart_connects_anew(own: Valkey) -> None:
    cache = Cache(own.url)
    assert await cache.run(ADD, ["n"], [1, "x"]) == [1, b"x"]
    assert own.process is not None
    own.process.kill()
    own.process.wait()
    with pytest.raises(CacheUnavailableError) as caught:
        await cache.ping()
    assert caught.value.status == 503
    await own.start()
    assert await cache.run(ADD, ["n"], [1, "x"]) == [1, b"x"]
    await cache.close()


async def test_a_server_that_is_silent_is_given_up(own: Valkey) -> None:
    cache, other = Cache(own.url, seconds=1), Cache(own.url)
    identity = await cache.execute("CLIENT", "ID")
    await other.execute("CLIENT", "PAUSE", 60_000, "WRITE")
    with pytest.raises(CacheUnavailableError):
        await cache.execute("SET", "name", "too late")
    await other.execute("CLIENT", "UNPAUSE")
    assert await cache.execute("SET", "name", "again") == "OK"
    assert await cache.execute("CLIENT", "ID") != identity
    await cache.close()
    await other.close()


async def test_the_deadline_ends_the_wait_and_leaves_the_connection_to_others(own: Valkey) -> None:
    cache, other = Cache(own.url, seconds=60), Cache(own.url)
    identity = await cache.execute("CLIENT", "ID")
    await other.execute("CLIENT", "PAUSE", 60_000, "WRITE")
    with deadlines.deadline(0.05), pytest.raises(CacheUnavailableError):
        await cache.execute("SET", "name", "too late")
    await other.execute("CLIENT", "UNPAUSE")
    assert await cache.execute("CLIENT", "ID") == identity
    await cache.close()
    await other.close()


async def test_what_is_not_a_cache_is_unavailable(short_folder: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    path = short_folder / f"{new_id().hex[-8:]}.sock"
    async with await asyncio.start_unix_server(serve, str(path)):
        with pytest.raises(CacheUnavailableError):
            await Cache(f"unix://{path}").ping()


async def test_credentials_and_the_database_go_first(own: Valkey, short_folder: Path) -> None:
    administrator = Cache(own.url)
    await administrator.execute("ACL", "SETUSER", "hal", "on", ">op:en sesame", "~*", "+@all")
    await administrator.execute("CONFIG", "SET", "requirepass", "s3cret")
    path = str(own.socket)
    for address in (f"unix://hal:op%3Aen%20sesame@{path}?db=3", f"unix://:s3cret@{path}?db=3"):
        cache = Cache(address)
        assert await cache.execute("SET", "where", "three") == "OK"
        info = await cache.execute("CLIENT", "INFO")
        assert isinstance(info, bytes)
        assert b" db=3 " in info
        await cache.close()
    with pytest.raises(CacheError, match="WRONGPASS"):
        await Cache(f"unix://hal:wrong@{path}").ping()
    with pytest.raises(CacheError, match="NOAUTH"):
        await Cache(f"unix://{path}").ping()
    await administrator.close()


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="HAL9_CACHE_URL must begin with"):
        Cache("http://localhost")
