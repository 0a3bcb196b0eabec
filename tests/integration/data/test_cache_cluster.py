"""A cluster of three Valkey: commands, scripts, redirections, a node that dies; sessions and cached look-ups on it."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from knative.platform.servers.valkey import program
from shared import deadlines
from shared.cache import Cache, CacheError, CacheUnavailableError, Script
from shared.cache.cluster import ClusterCache, key_slot
from shared.caching import Cached, Coding, Loaded, Memory, Remote
from shared.datakeys import DataKeys
from shared.datakeys.files import FileMasterKeys
from shared.identifiers import new_id
from shared.ratelimits import Limit, Limiter
from shared.sessions import SessionId, Sessions, SessionSettings
from shared.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.shards import Shards

NODES = 3
ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Three nodes, without replicas."""

    def __init__(self, folder: Path) -> None:
        ports = free_ports(2 * NODES)
        self.ports, self.buses = ports[:NODES], ports[NODES:]
        self.nodes = [Cache(f"redis://127.0.0.1:{port}") for port in self.ports]
        self.url = f"redis://127.0.0.1:{self.ports[0]}?cluster=1"
        self._folder = folder
        self.processes = [self._start(number) for number in range(NODES)]

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        folder = self._folder / str(number)
        folder.mkdir(exist_ok=True)
        options = {
            "port": self.ports[number], "cluster-port": self.buses[number], "bind": "127.0.0.1", "dir": folder,
            "cluster-enabled": "yes", "cluster-require-full-coverage": "no", "save": "", "logfile": folder / "log",
        }  # fmt: skip
        return subprocess.Popen(
            [program(), *(str(part) for key, value in options.items() for part in (f"--{key}", value))]
        )

    async def form(self) -> Cluster:
        for number, node in enumerate(self.nodes):
            await self.until(lambda node=node: self.answers(node))  # type: ignore[misc]
            first, last = 16384 * number // NODES, 16384 * (number + 1) // NODES - 1
            await node.execute("CLUSTER", "ADDSLOTSRANGE", first, last)
            for port, bus in zip(self.ports[:number], self.buses[:number], strict=True):
                await node.execute("CLUSTER", "MEET", "127.0.0.1", port, bus)
        await self.until(self.whole)
        return self

    async def answers(self, node: Cache) -> bool:
        with suppress(CacheUnavailableError):
            await node.ping()
            return True
        return False

    async def whole(self) -> bool:
        infos = [await node.execute("CLUSTER", "INFO") for node in self.nodes]
        return all(
            b"cluster_state:ok" in info and b"assigned:16384" in info for info in infos if isinstance(info, bytes)
        )

    @staticmethod
    async def until(holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(30):
            while not await holds():  # noqa: ASYNC110 - what is waited for is other processes
                await asyncio.sleep(0.01)

    async def identity(self, number: int) -> str:
        found = await self.nodes[number].execute("CLUSTER", "MYID")
        assert isinstance(found, bytes)
        return found.decode()

    async def stop(self) -> None:
        for node in self.nodes:
            await node.close()
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cluster() -> AsyncIterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        found = Cluster(Path(folder))
        try:
            yield await found.form()
        finally:
            await found.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def cache(cluster: Cluster) -> AsyncIterator[Cache]:
    found = Cache.at(cluster.url)
    assert isinstance(found, ClusterCache)
    yield found
    await found.close()


def test_a_key_s_slot_is_that_of_its_hash_tag() -> None:
    # From the Redis cluster specification.
    assert key_slot("123456789") == 0x31C3
    assert key_slot("{user1000}.following") == key_slot("{user1000}.followers") == key_slot("user1000")
    assert key_slot("foo{}{bar}") != key_slot("bar")
    assert key_slot("foo{{bar}}zap") == key_slot("{bar")
    assert key_slot(b"foo{bar}{zap}") == key_slot("bar")


async def test_every_command_goes_where_its_key_is(cluster: Cluster, cache: Cache) -> None:
    names = [f"{new_id()}" for _ in range(60)]
    await asyncio.gather(*(cache.execute("SET", name, name) for name in names))
    assert [await cache.execute("GET", name) for name in names] == [name.encode() for name in names]
    held = [await node.execute("DBSIZE") for node in cluster.nodes]
    assert all(isinstance(count, int) and count > 0 for count in held)
    replies = await cache.pipeline([("GET", names[0]), ("LPUSH", names[1], "x"), ("GET", names[2]), ("PING",)])
    assert (replies[0], replies[2], replies[3]) == (names[0].encode(), names[2].encode(), "PONG")
    assert isinstance(replies[1], CacheError)
    assert [await cache.run(ADD, [f"n:{name}"], [2]) for name in names[:9]] == [2] * 9
    with pytest.raises(CacheError) as caught:
        await cache.execute("MGET", "a", "b")
    assert caught.value.code == "CROSSSLOT"


async def test_a_server_that_is_no_cluster_says_so(servers: Servers, cluster: Cluster) -> None:
    alone = ClusterCache(f"{servers.cache_url}&cluster=1")
    alone._nodes[alone._seed] = Cache(servers.cache_url)
    with pytest.raises(CacheError, match="cluster support disabled"):
        await alone.execute("GET", "a")
    await alone.close()


async def test_slots_that_move_are_followed_before_and_after(cluster: Cluster, cache: Cache) -> None:
    name = f"{{{new_id()}}}"
    slot = key_slot(name)
    source = slot * NODES // 16384
    target = (source + 1) % NODES
    assert await cache.execute("SET", f"{name}:old", "1") == "OK"
    await cluster.nodes[target].execute("CLUSTER", "SETSLOT", slot, "IMPORTING", await cluster.identity(source))
    await cluster.nodes[source].execute("CLUSTER", "SETSLOT", slot, "MIGRATING", await cluster.identity(target))
    # ASK: what is not there any more is where it goes, what is still there is there.
    assert await cache.execute("SET", f"{name}:new", "2") == "OK"
    assert await cluster.nodes[source].execute("EXISTS", f"{name}:old") == 1
    assert await cache.execute("GET", f"{name}:new") == b"2"
    assert await cache.execute("GET", f"{name}:old") == b"1"
    await cluster.nodes[source].execute(
        "MIGRATE", "127.0.0.1", cluster.ports[target], "", 0, 5000, "KEYS", f"{name}:old"
    )
    for node in (target, source):
        await cluster.nodes[node].execute("CLUSTER", "SETSLOT", slot, "NODE", await cluster.identity(target))
    # MOVED, once; afterwards it is known.
    assert await cache.execute("GET", f"{name}:old") == b"1"
    assert isinstance(cache, ClusterCache)
    assert cache._slots[slot] == ("127.0.0.1", cluster.ports[target])
    assert await cache.run(ADD, [f"{name}:old"], [1]) == 2


async def test_limits_cached_look_ups_and_sessions_work_on_a_cluster(
    cluster: Cluster, cache: Cache, shards: Shards, organisation: Callable[[], Awaitable[UUID]], tmp_path: Path
) -> None:
    organisations = [await organisation() for _ in range(6)]  # of several slots
    limits = [
        (Limit("key", 0.001, 1), f"{{{organisations[0]}}}:key"),
        (Limit("org", 0.001, 2), f"{{{organisations[0]}}}:org"),
    ]
    assert [(await Limiter(cache).take(limits)).allowed for _ in range(2)] == [True, False]
    keys = DataKeys(shards.directory, FileMasterKeys(tmp_path))
    sessions = Sessions("us-west", {"us-west": cache}, keys, load(SessionSettings, {}))
    for org_id in organisations:
        user_id = new_id()
        opened = await sessions.create(org_id, user_id, {"developer"})
        renewed = await sessions.renew(opened.cookie, {"owner"})
        old, session = await sessions.read(opened.cookie), await sessions.read(renewed.cookie)
        assert session == renewed.session
        assert old is not None
        assert old.superseded
        assert [one.session.ref for one in await sessions.devices(org_id, user_id)] == [opened.session.ref]
        await sessions.update(renewed.cookie, lambda data: {**data, "a": "b"})
        await sessions.revoke(renewed.cookie)
        assert await sessions.read(renewed.cookie) is None
        other = await sessions.create(org_id, user_id, ())
        await sessions.revoke_user(org_id, user_id)
        assert await sessions.read(other.cookie) is None
        assert SessionId.parse(other.cookie) is not None


async def test_an_invalidation_reaches_who_listens_at_another_node(cluster: Cluster) -> None:
    values: dict[str, Any] = {"now": Loaded(1, "old")}

    async def look_up(org_id: UUID, key: str) -> Loaded[str]:
        return values["now"]  # type: ignore[no-any-return]

    org_id, made = new_id(), []
    for port in cluster.ports:
        own = Cache.at(f"redis://127.0.0.1:{port}?cluster=1")
        remote, memory = Remote(own), Memory(10_000)
        cached = Cached("names", look_up, Coding(str.encode, bytes.decode), memory=memory, remote=remote)
        remote.start()
        made.append((own, remote, memory, cached))

    async def all_hear() -> bool:
        return all(remote.hears for _, remote, _, _ in made)

    async def all_dropped() -> bool:
        return not any(len(memory) for _, _, memory, _ in made)

    await Cluster.until(all_hear)
    assert [await cached.get(org_id) for *_, cached in made] == ["old"] * 3
    values["now"] = Loaded(2, "new")
    assert await made[0][3].invalidate(org_id, "", 2)
    await Cluster.until(all_dropped)
    assert [await cached.get(org_id) for *_, cached in made] == ["new"] * 3
    for own, remote, _, _ in made:
        await remote.stop()
        await own.close()


async def test_a_node_that_hangs_is_waited_for_by_those_who_want_something_of_it(cluster: Cluster) -> None:
    patient = Cache.at(cluster.url, seconds=120)
    names = {key_slot(name) * NODES // 16384: name for name in (f"h{number}" for number in range(200))}
    for name in names.values():
        await patient.execute("SET", name, "1")
    hanging = 0  # the one whose address the client was given
    cluster.processes[hanging].send_signal(signal.SIGSTOP)
    try:
        with deadlines.deadline(0.1), pytest.raises(CacheUnavailableError):
            await patient.execute("GET", names[hanging])
        async with asyncio.timeout(60):  # half of what the client itself would wait for the one that hangs
            assert [await patient.execute("GET", names[number]) for number in (1, 2)] == [b"1", b"1"]
            assert await patient.execute("PING") == "PONG"
            _, writer = await patient.stream()
        assert writer.get_extra_info("peername")[1] in cluster.ports[1:]
        writer.close()
    finally:
        cluster.processes[hanging].send_signal(signal.SIGCONT)
    assert await patient.execute("GET", names[hanging]) == b"1"
    await patient.close()


async def test_a_node_that_died_is_unavailable_for_its_slots_only_until_it_is_back(
    cluster: Cluster, cache: Cache
) -> None:
    names = {key_slot(name) * NODES // 16384: name for name in (f"k{number}" for number in range(200))}
    for name in names.values():
        await cache.execute("SET", name, "1")
    lost = 0  # the one whose address the client was given
    cluster.processes[lost].kill()
    cluster.processes[lost].wait()
    with pytest.raises(CacheUnavailableError):
        await cache.execute("GET", names[lost])
    for number in (1, 2):
        assert await cache.execute("GET", names[number]) == b"1"
    cluster.processes[lost] = cluster._start(lost)

    async def back() -> bool:
        with suppress(CacheUnavailableError):
            return await cache.execute("SET", names[lost], "2") == "OK"
        return False

    await cluster.until(back)
    assert await cache.execute("GET", names[lost]) == b"2"
