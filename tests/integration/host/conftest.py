"""The host as a process of its own, and raw sockets to try it with."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[3]
ECHO = ROOT / "tests" / "functions" / "echo"


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Poll a condition until it holds; gives what it gave."""
    limit = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < limit, "the condition did not come true"
        time.sleep(0.005)


@dataclass
class Answer:
    """An answer that was read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document; fails when it is none."""
        assert self.headers["content-type"] == "application/problem+json", self
        document: dict[str, Any] = json.loads(self.body)
        assert document["status"] == self.status
        return document

    @property
    def slug(self) -> str:
        """The last part of the problem's type."""
        return str(self.problem["type"]).removeprefix("urn:hal9:problem:")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("function", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass
class Host:
    """A running host."""

    process: subprocess.Popen[bytes]
    path: Path
    log: Path
    folder: Path
    open: list[socket.socket] = field(default_factory=list)

    def connect(self, timeout: float = 20.0) -> socket.socket:
        """Open a raw connection."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        connection.connect(str(self.path))
        self.open.append(connection)
        return connection

    def request(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None, **more: Any
    ) -> Answer:
        """Send a request on a connection of its own."""
        with contextlib.closing(_UnixConnection(self.path, 20.0)) as connection:
            connection.request(method, target, body, dict(headers or {}), **more)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def json(self, method: str, target: str, body: Any, **headers: str) -> Answer:
        """Send a JSON body (or bytes as they are)."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request(method, target, raw, {"content-type": "application/json", **headers})

    def raw(self, data: bytes) -> Answer:
        """Send bytes and read one answer until the host closes or the answer is whole."""
        connection = self.connect()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        return read_answer(connection)

    def lines(self) -> list[dict[str, Any]]:
        """Give the log's lines."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def vm_hwm_bytes(self) -> int:
        """Give the greatest resident size so far."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")

    def stop(self) -> int:
        """Ask it to end, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def read_answer(connection: socket.socket) -> Answer:
    """Read one answer from a raw connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())


class _Hosts:
    def __init__(self) -> None:
        self._started: list[Host] = []
        self._folder = Path(tempfile.mkdtemp(prefix="hal9-host-"))  # short: a socket's path has 107 bytes

    def __call__(self, folder: Path = ECHO, *arguments: str, wait: bool = True, **environment: str) -> Host:
        path = self._folder / f"{len(self._started)}.sock"
        return self._start(folder, ["--uds", str(path), *arguments], path, wait=wait, **environment)

    def tcp(self) -> Host:
        return self._start(ECHO, ["--port", "0"], self._folder / "none", wait=True)

    def _start(self, folder: Path, arguments: list[str], path: Path, *, wait: bool, **environment: str) -> Host:
        log = self._folder / f"{len(self._started)}.log"
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("HAL9_", "OTEL_"))}
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "knative.host", str(folder), *arguments],
                cwd=ROOT,
                env=variables | environment,
                stderr=stream,
            )
        host = Host(process, path, log, self._folder)
        self._started.append(host)
        if wait:
            until(lambda: process.poll() is not None or b'"listening"' in log.read_bytes(), 60)
            assert process.poll() is None, log.read_text()
        return host

    def close(self) -> None:
        for host in self._started:
            for connection in host.open:
                connection.close()
            host.process.kill()
            host.process.wait()
        shutil.rmtree(self._folder)


@pytest.fixture
def hosts() -> Iterator[_Hosts]:
    """Start hosts; they end with the test."""
    started = _Hosts()
    yield started
    started.close()


@pytest.fixture(scope="module")
def echo() -> Iterator[Host]:
    """One host of the example function for all tests of a file: they must leave it as they found it."""
    started = _Hosts()
    yield started(HAL9_HOST_HEADER_SECONDS="0.5", HAL9_HOST_BODY_SECONDS="0.7", HAL9_LOG_LEVEL="debug")
    started.close()


@pytest.fixture(scope="session")
def function_environment(servers: Any, short_folder: Path) -> dict[str, str]:
    """What functions need to be started: servers, keys, addresses of what is not there."""
    from shared.keys import PrivateKey, write_trust

    folder = short_folder / "functions-identity"
    folder.mkdir()
    keys = {name: PrivateKey.generate(name) for name in ("gateway", "broker", "platform")}
    write_trust(folder / "trust.json", keys.values())
    for name, key in keys.items():
        key.write(folder / f"{name}.json")
    return {
        "HAL9_SHARDS": servers.shards_dsn,
        "HAL9_CACHE_URL": servers.cache_url,
        "HAL9_TRUST": str(folder / "trust.json"),
        "HAL9_IDENTITY_KEY": str(folder / "gateway.json"),
        "HAL9_HOME": str(folder),
        "HAL9_OBJECTS": (folder / "objects").as_uri(),
        "HAL9_FUNCTION_URL": f"unix:{folder}/none-{{deployment}}.sock",
        "HAL9_BROKER_URL": f"unix:{folder}/none.sock",
        "PYTHONPATH": str(ROOT),
    }
