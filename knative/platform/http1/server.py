"""The server: its listeners, and all its peers' connections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from knative.platform.http1.connection import ServerConnection
from knative.platform.http1.limits import Limits

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from knative.platform.http1.messages import Request, Response


class Server:
    """Serves a handler on a socket.

    Args:
        handler: Answers one request; a `Problem` that it raises becomes the answer.
        limits: What one peer may take.
    """

    def __init__(self, handler: Callable[[Request, Response], Awaitable[None]], limits: Limits | None = None) -> None:
        self.handler = handler
        self.limits = limits or Limits()
        self._connections: set[ServerConnection] = set()
        self._listeners: list[asyncio.Server] = []
        self._watch: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """How many peers are connected."""
        return len(self._connections)

    async def listen_on(self, bound: socket.socket) -> None:
        """Listen on a socket that is bound already."""
        self._add(
            await asyncio.get_running_loop().create_server(lambda: ServerConnection(self), sock=bound, backlog=512)
        )

    async def listen_unix(self, path: Path) -> None:
        """Listen on a Unix socket, replacing one that was left."""
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - before anything is served
        self._add(
            await asyncio.get_running_loop().create_unix_server(lambda: ServerConnection(self), str(path), backlog=512)
        )
        path.chmod(0o600)  # noqa: ASYNC240

    def _add(self, listener: asyncio.Server) -> None:
        self._listeners.append(listener)
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1.0)
            now = loop.time()
            for connection in list(self._connections):
                connection.look(now)

    def welcome(self, connection: ServerConnection) -> bool:
        """Count a peer in; False when there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= self.limits.connections

    def forget(self, connection: ServerConnection) -> None:
        """Count a peer out."""
        self._connections.discard(connection)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Take no new peer, let what runs be answered for so long, then cut it off."""
        for listener in self._listeners:
            listener.close()
        for connection in list(self._connections):
            connection.retire()
        deadline = asyncio.get_running_loop().time() + grace_seconds
        while self._connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - polled while ending
            await asyncio.sleep(0.02)
        for connection in list(self._connections):
            connection.abort()
        if self._watch is not None:
            self._watch.cancel()
