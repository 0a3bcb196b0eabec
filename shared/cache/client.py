"""A connection to Valkey or Redis that all tasks of a process share."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qs, unquote, urlsplit

from shared import deadlines
from shared.cache.resp import CacheError, Parser, ProtocolError, Reply, encode
from shared.problems import Problem, register
from shared.settings import setting, settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from urllib.parse import SplitResult

    from shared.cache.resp import Argument

_MAX_PENDING: Final = 10_000
_SCHEMES: Final = frozenset({"redis", "rediss", "valkey", "valkeys", "unix"})
_TLS: Final = frozenset({"rediss", "valkeys"})

register(
    "cache-unavailable",
    503,
    "The cache does not answer",
    "Wait for as long as Retry-After says, then try again.",
)


@settings
class CacheSettings:
    """Where the cache is."""

    url: str = setting(
        "HAL9_CACHE_URL",
        doc="Address of Valkey or Redis: redis://user:password@host:6379/0, rediss:// for TLS, or unix:///path?db=0;"
        " redis://host:6379?cluster=1 for any node of a cluster.",
        secret=True,
    )
    seconds: float = setting("HAL9_CACHE_SECONDS", 2.0, "Seconds that a command may take.", minimum=0.01)


class CacheUnavailableError(Problem):
    """The cache did not answer in time. Whether the command had its effect is not known."""

    def __init__(self) -> None:
        super().__init__("cache-unavailable", headers={"Retry-After": "1"})


class Script:
    """A Lua script, known to the server by its SHA-1.

    Args:
        source: Lua; KEYS and ARGV as EVAL gives them. All keys of one call share a hash tag, as a cluster wants it.
    """

    __slots__ = ("sha", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


class _Connection(asyncio.Protocol):
    """One connection: replies come in the order of the commands, so a queue of futures matches them."""

    def __init__(self) -> None:
        self._parser = Parser()
        self._pending: deque[asyncio.Future[Reply]] = deque()
        self._transport: asyncio.Transport | None = None

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing() and len(self._pending) < _MAX_PENDING

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: uvloop's transports stream, but are no instances of asyncio's class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for reply in self._parser.feed(data):
                future = self._pending.popleft()
                if not future.done():  # the caller may have given up
                    future.set_result(reply)
        except (ProtocolError, IndexError):
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        while self._pending:
            future = self._pending.popleft()
            if not future.done():
                future.set_exception(CacheUnavailableError())

    def send(self, commands: Sequence[tuple[Argument, ...]]) -> list[asyncio.Future[Reply]]:
        """Write the commands at once; their replies come later."""
        if self._transport is None:
            raise CacheUnavailableError
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in commands]
        self._pending.extend(futures)
        self._transport.write(b"".join(map(encode, commands)))
        return futures

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Cache:
    """The cache: one server; `Cache.at` gives a cluster too.

    Args:
        url: its address; see `CacheSettings`.
        seconds: that a command may take.

    Raises:
        ValueError: the address's scheme is not known.
    """

    def __init__(self, url: str, seconds: float = 2.0) -> None:
        self._url = urlsplit(url)
        if self._url.scheme not in _SCHEMES:
            raise ValueError(f"HAL9_CACHE_URL must begin with one of {', '.join(sorted(_SCHEMES))}, followed by ://")
        self._seconds = seconds
        self._connection: _Connection | None = None
        self._connecting: asyncio.Lock | None = None

    @staticmethod
    def open(settings: CacheSettings) -> Cache:
        """The cache of the settings; nothing is connected yet."""
        return Cache.at(settings.url, settings.seconds)

    @staticmethod
    def at(url: str, seconds: float = 2.0) -> Cache:
        """The cache of an address, a cluster's too; nothing is connected yet."""
        if parse_qs(urlsplit(url).query).get("cluster") == ["1"]:
            from shared.cache.cluster import ClusterCache

            return ClusterCache(url, seconds)
        return Cache(url, seconds)

    async def execute(self, *command: Argument) -> Reply:
        """Run one command.

        Args:
            command: its name and arguments, such as `"SET", "key", b"value", "EX", 60`.

        Returns:
            bytes for a bulk string, str for a simple one (`OK`), int, list, or None.

        Raises:
            CacheError: the server refused it.
            CacheUnavailableError: it did not answer in time.
        """
        (reply,) = await self.pipeline([command])
        if isinstance(reply, CacheError):
            raise reply
        return reply

    async def pipeline(self, commands: Sequence[tuple[Argument, ...]]) -> list[Reply]:
        """Run several commands in one round trip, not as a transaction; a refused one's reply is its `CacheError`.

        Raises:
            CacheUnavailableError: the server did not answer in time.
        """
        limit = deadlines.remaining(self._seconds)
        try:
            async with asyncio.timeout(limit):
                connection = await self._connected()
                futures = connection.send(commands)
                return [await future for future in futures]
        except TimeoutError as error:
            if limit is not None and limit >= self._seconds and self._connection is not None:
                # It was the server that was slow, not the caller that was in haste: begin anew.
                self._connection.abort()
            raise CacheUnavailableError from error

    async def run(self, script: Script, keys: Sequence[str | bytes], arguments: Sequence[Argument] = ()) -> Reply:
        """Run a Lua script, sending its text only when the server does not know it yet.

        Raises:
            CacheError: the script failed.
            CacheUnavailableError: the server did not answer in time.
        """
        rest = (len(keys), *keys, *arguments)
        try:
            return await self.execute("EVALSHA", script.sha, *rest)
        except CacheError as error:
            if error.code != "NOSCRIPT":
                raise
        return await self.execute("EVAL", script.source, *rest)

    async def ping(self) -> None:
        """Ask the server for an answer.

        Raises:
            CacheUnavailableError: there is none.
        """
        if await self.execute("PING") != "PONG":
            raise CacheUnavailableError

    async def stream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection of one's own, greeted: for a subscription, which takes a connection for itself.

        Raises:
            OSError: The server cannot be reached.
            CacheError: It refused the credentials.
        """
        url = self._url
        if url.scheme == "unix":
            reader, writer = await asyncio.open_unix_connection(unquote(url.path))
        else:
            reader, writer = await asyncio.open_connection(url.hostname or "localhost", url.port or 6379, ssl=_tls(url))
        for command in _greeting(url):
            writer.write(encode(command))
            if (line := await reader.readline()).startswith(b"-"):
                writer.close()
                raise CacheError(line[1:].decode("utf-8", "replace").strip())
        return reader, writer

    async def close(self) -> None:
        """Close the connection; a later command would connect anew."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    async def _connected(self) -> _Connection:
        if self._connection is not None and self._connection.usable:
            return self._connection
        self._connecting = self._connecting or asyncio.Lock()
        async with self._connecting:
            if self._connection is None or not self._connection.usable:
                try:
                    self._connection = await self._connect()
                except OSError as error:
                    raise CacheUnavailableError from error
            return self._connection

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        url = self._url
        if url.scheme == "unix":
            _, connection = await loop.create_unix_connection(_Connection, unquote(url.path))
        else:
            _, connection = await loop.create_connection(
                _Connection, url.hostname or "localhost", url.port or 6379, ssl=_tls(url)
            )
        if greeting := _greeting(url):
            for future in connection.send(greeting):
                if isinstance(reply := await future, CacheError):
                    connection.abort()
                    raise reply
        return connection


def _tls(url: SplitResult) -> bool | None:
    """True makes asyncio verify the certificate and the name against the system's authorities."""
    return True if url.scheme in _TLS else None


def _greeting(url: SplitResult) -> list[tuple[Argument, ...]]:
    """What is sent before the first command: credentials and the number of the database."""
    commands: list[tuple[Argument, ...]] = []
    if url.password is not None:
        user = (unquote(url.username),) if url.username else ()
        commands.append(("AUTH", *user, unquote(url.password)))
    number = parse_qs(url.query).get("db", [""])[0] if url.scheme == "unix" else url.path.strip("/")
    if number not in {"", "0"}:
        commands.append(("SELECT", number))
    return commands
