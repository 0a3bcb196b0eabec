"""Listen, keep the connections, and drain."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from knative.framing import HeaderLimits
from knative.host.connection import Connection
from shared.telemetry import logger

if TYPE_CHECKING:
    from knative.host.application import Application
    from knative.host.limits import BodyBudget, BodyLimits
    from knative.host.settings import HostSettings
    from shared.problems import Problem

_log = logger(__name__)
_BACKLOG: Final = 2048
_TICK_SECONDS: Final = 1.0
_CLOSE_SECONDS: Final = 2.0


class Server:
    """The listening side of one function's process.

    Args:
        application: answers the requests.
        settings: limits.
        limits: the longest body of each path.
        budget: what bodies may hold together.
        grace_seconds: time to drain.
    """

    def __init__(
        self,
        application: Application,
        settings: HostSettings,
        limits: BodyLimits,
        budget: BodyBudget,
        grace_seconds: float,
    ) -> None:
        self.application = application
        self.settings = settings
        self.header_limits = HeaderLimits(settings.header_bytes, settings.header_count)
        self.limits = limits
        self.budget = budget
        self.loop = asyncio.get_running_loop()
        self._grace = grace_seconds
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._stop = asyncio.Event()
        self._empty = asyncio.Event()
        self._ticking: asyncio.TimerHandle | None = None
        self._date = b""
        self._date_second = 0.0

    # What connections ask for.

    @property
    def draining(self) -> bool:
        """Whether this process goes away."""
        return self.application.draining

    def refused(self, problem: Problem) -> None:
        """Count a request that never became one."""
        self.application.refused(problem)

    def joined(self, connection: Connection) -> bool:
        """Note a new connection; say whether there is room for it."""
        self._connections.add(connection)
        if self._ticking is None:
            self._ticking = self.loop.call_later(_TICK_SECONDS, self._tick)
        return len(self._connections) <= self.settings.connections

    def left(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def date_header(self) -> bytes:
        """Give the Date header field (RFC 9110 section 6.6.1), made once a second."""
        now = self.loop.time()
        if now - self._date_second >= 1.0 or not self._date:
            self._date = b"date: " + formatdate(usegmt=True).encode("ascii") + b"\r\n"
            self._date_second = now
        return self._date

    def _tick(self) -> None:
        """Look for slow clients; stop when nobody is connected, so that an idle process sleeps."""
        self._ticking = None
        now = self.loop.time()
        for connection in list(self._connections):
            connection.tick(now)
        if self._connections:
            self._ticking = self.loop.call_later(_TICK_SECONDS, self._tick)

    # The life of the process.

    async def serve(self, listening: socket.socket) -> None:
        """Serve until SIGTERM or SIGINT, then drain.

        Args:
            listening: a bound socket; closed at the end.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self._stop.set)
        if listening.family == socket.AF_UNIX:
            self._listener = await self.loop.create_unix_server(self._connect, sock=listening, backlog=_BACKLOG)
        else:
            self._listener = await self.loop.create_server(self._connect, sock=listening, backlog=_BACKLOG)
        _log.info("listening", address=_shown(listening))
        await self._stop.wait()
        await self.drain()

    def _connect(self) -> Connection:
        return Connection(self)

    async def drain(self) -> None:
        """Finish what runs, refuse what is new, within the grace time; then cut off what is left."""
        began = self.loop.time()
        _log.info("draining", under_way=len(self.application.under_way))
        self.application.drain()
        try:
            async with asyncio.timeout(max(self._grace - _CLOSE_SECONDS, self._grace / 2)):
                await self.application.idle.wait()
        except TimeoutError:
            _log.warning("grace time is over", under_way=len(self.application.under_way))
            await self._cut_off()
        if self._listener is not None:
            self._listener.close()
        for connection in list(self._connections):
            connection.close_if_idle()
        if self._connections:  # answers are on their way to clients
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(1.0, self._grace / 4)):
                    await self._empty.wait()
        for connection in list(self._connections):
            connection.abort()
        if self._ticking is not None:
            self._ticking.cancel()
        _log.info("drained", seconds=round(self.loop.time() - began, 3))

    async def _cut_off(self) -> None:
        """Cancel what still runs, and give it a moment to end."""
        tasks = [exchange.task for exchange in self.application.under_way if exchange.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=min(1.0, self._grace / 4))


def listen_tcp(address: str, port: int) -> socket.socket:
    """Bind a TCP port; 0 takes a free one.

    Raises:
        OSError: it is taken, or not ours.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6 and hasattr(socket, "IPV6_V6ONLY"):
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        listening.bind((address, port))
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def listen_unix(path: Path) -> socket.socket:
    """Bind a Unix socket that only this user may connect to; replaces a socket that is there.

    Raises:
        OSError: the path is too long, or its folder is not ours.
    """
    with contextlib.suppress(FileNotFoundError):
        if path.is_socket():
            path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    listening.setblocking(False)
    return listening


def _shown(listening: socket.socket) -> str:
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"http://{host}:{name[1]}"
