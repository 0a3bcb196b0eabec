"""A Redis or Valkey Cluster: each command goes to the node that has its key's slot.

Source: Redis cluster specification, "Key distribution model", "Redirection and resharding".
Promises: slots are learned from any node that answers, and anew when a node is lost, which is asked last from then on,
until it answers: commands to others do not wait for one that hangs; `MOVED` and `ASK` are followed;
scripts and commands with a key go where it is, all others (PUBLISH, TIME, PING) to any node; the rest is as with
`Cache`, nothing that may have had its effect is sent twice.
Does not: read from replicas, or split a command whose keys lie in several slots (the server refuses it: give the keys
one hash tag).
"""

from __future__ import annotations

import asyncio
from binascii import crc_hqx
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from shared.cache.client import Cache, CacheUnavailableError
from shared.cache.resp import CacheError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.cache.resp import Argument, Reply

SLOTS: Final = 16384
_REDIRECTIONS: Final = 5
_OF_SCRIPTS: Final = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"})
_KEYLESS: Final = frozenset(
    {"PING", "ECHO", "TIME", "INFO", "PUBLISH", "SCRIPT", "CLUSTER", "CLIENT", "CONFIG", "FLUSHALL", "DBSIZE", "KEYS"}
)
_DOWN: Final = frozenset({"CLUSTERDOWN", "TRYAGAIN", "LOADING", "MASTERDOWN"})

Address: TypeAlias = "tuple[str, int]"


def key_slot(key: str | bytes) -> int:
    """Give a key's slot: CRC16 of its hash tag if it has one, else of all of it."""
    raw = key.encode() if isinstance(key, str) else key
    start = raw.find(b"{")
    end = raw.find(b"}", start + 1)
    if start >= 0 and end > start + 1:
        raw = raw[start + 1 : end]
    return crc_hqx(raw, 0) % SLOTS


class ClusterCache(Cache):
    """A cluster, by the address of any of its nodes, or a name that stands for all of them.

    Args:
        url: See `CacheSettings`.
        seconds: That a command may take, at each node that it is sent to.
    """

    def __init__(self, url: str, seconds: float = 2.0) -> None:
        super().__init__(url, seconds)
        self._seed: Address = (self._url.hostname or "localhost", self._url.port or 6379)
        self._nodes: dict[Address, Cache] = {}
        self._slots: list[Address | None] = []
        self._lost: set[Address] = set()
        self._learning: asyncio.Lock | None = None

    async def execute(self, *command: Argument) -> Reply:
        """Run one command at the node that has its key; see `Cache.execute`."""
        key = _key(command)
        if not self._slots:
            await self._learn()
        address = self._seed_now() if key is None else self._slots[key_slot(key)]
        if address is None:
            self._slots = []
            raise CacheUnavailableError
        asking = False
        for _ in range(_REDIRECTIONS):
            try:
                return await self._at(address, command, asking=asking)
            except CacheUnavailableError:
                self._slots = []  # who has its slots now, the others know
                raise
            except CacheError as error:
                if error.code in _DOWN:
                    self._slots = []
                    raise CacheUnavailableError from error
                if error.code not in {"MOVED", "ASK"}:
                    raise
                address, asking = _target(error, address), error.code == "ASK"
                if not asking:
                    self._moved(error, address)
        raise CacheUnavailableError

    async def pipeline(self, commands: Sequence[tuple[Argument, ...]]) -> list[Reply]:
        """Run several commands at once, each where its key is; see `Cache.pipeline`."""

        async def one(command: tuple[Argument, ...]) -> Reply:
            try:
                return await self.execute(*command)
            except CacheError as error:
                return error

        return list(await asyncio.gather(*map(one, commands)))

    async def stream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection to any node that can be reached: a message reaches all of them."""
        for address in self._known():
            try:
                return await self._node(address).stream()
            except OSError:
                continue
        raise CacheUnavailableError

    async def close(self) -> None:
        """Close all connections."""
        for node in self._nodes.values():
            await node.close()

    async def _at(self, address: Address, command: tuple[Argument, ...], *, asking: bool = False) -> Reply:
        try:
            *_, reply = await self._node(address).pipeline([("ASKING",), command] if asking else [command])
        except CacheUnavailableError:
            self._lost.add(address)
            raise
        self._lost.discard(address)
        if isinstance(reply, CacheError):
            raise reply
        return reply

    def _node(self, address: Address) -> Cache:
        if address not in self._nodes:
            host, port = address
            credentials, at, _ = self._url.netloc.rpartition("@")
            place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            url = self._url._replace(netloc=f"{credentials}{at}{place}", path="", query="")
            self._nodes[address] = Cache(url.geturl(), self._seconds)
        return self._nodes[address]

    def _known(self) -> Iterator[Address]:
        """The nodes, those that have slots first, those that did not answer last."""
        found = dict.fromkeys([*(address for address in self._slots if address), self._seed, *self._nodes])
        yield from sorted(found, key=self._lost.__contains__) if self._lost else found

    def _seed_now(self) -> Address:
        return next(self._known())

    def _moved(self, error: CacheError, address: Address) -> None:
        """One slot is known to be elsewhere; others may be, and tell so in the same way."""
        slot = int(str(error).split()[1])
        if self._slots:
            self._slots[slot] = address

    async def _learn(self) -> None:
        """Ask the nodes, one after the other, who has which slots.

        Raises:
            CacheUnavailableError: None of them answers.
            CacheError: It refused: other credentials are needed, or it is no cluster.
        """
        self._learning = self._learning or asyncio.Lock()
        async with self._learning:
            if self._slots:
                return
            trouble: CacheUnavailableError | CacheError = CacheUnavailableError()
            for address in list(self._known()):
                try:
                    ranges = await self._at(address, ("CLUSTER", "SLOTS"))
                except (CacheUnavailableError, CacheError) as error:
                    trouble = error
                    continue
                self._slots = _owners(cast("list[list[Reply]]", ranges), address[0])
                return
        raise trouble


def _key(command: tuple[Argument, ...]) -> str | bytes | None:
    """A command's first key; None when it has none."""
    name = str(command[0]).upper()
    if name in _KEYLESS:
        return None
    place = 3 if name in _OF_SCRIPTS else 1
    if len(command) <= place or (place == 3 and not int(command[2])):
        return None
    key = command[place]
    return key if isinstance(key, str | bytes) else str(key)


def _target(error: CacheError, asked: Address) -> Address:
    """Where `MOVED slot host:port` points; without a host it is the one that was asked."""
    host, _, port = str(error).split()[2].rpartition(":")
    return host.strip("[]") or asked[0], int(port)


def _owners(ranges: list[list[Reply]], host: str) -> list[Address | None]:
    """The owner of each slot, from the reply to CLUSTER SLOTS."""
    owners: list[Address | None] = [None] * SLOTS
    for first, last, primary, *_replicas in ranges:
        name, port, *_ = cast("list[bytes | int | None]", primary)
        address = (name.decode() if isinstance(name, bytes) and name else host, int(cast("int", port)))
        for slot in range(int(cast("int", first)), int(cast("int", last)) + 1):
            owners[slot] = address
    return owners
