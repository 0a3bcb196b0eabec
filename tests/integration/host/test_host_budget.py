"""What a function's process may import and hold, in modules and bytes: they decide cold start and density.

Seconds depend on the machine, these do not. Measured cold starts are in docs/decisions/0002-host.md.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
MEBIBYTE = 1 << 20
FORBIDDEN = {
    "flask",
    "boto3",
    "botocore",
    "playwright",
    "authlib",
    "rich",
    "click",
    "yaml",
    "uvicorn",
    "httpx",
    "requests",
    "opentelemetry",
    "prometheus_client",
    "functions_framework",
    "cloudevents",
    "pytest",
}
LEAN_MODULES = 290
LEAN_BYTES = 36 * MEBIBYTE
LEAN_LIMIT_BYTES = 56 * MEBIBYTE
SERVED_MODULES = 520
SERVED_BYTES = 64 * MEBIBYTE
ENGINES = ("functions.neuron.reading", "functions.neuron.synthesis")  # one layer's each: at its first step
FUNCTIONS = sorted(path.parent for path in ROOT.glob("functions/*/main.py"))


class Started:
    """A host that notes each import; served its readiness and a request."""

    def __init__(self, folder: Path, home: Path, environment: dict[str, str]) -> None:
        path = home / f"{os.urandom(4).hex()}.sock"
        self._log = path.with_suffix(".log")
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("HAL9_", "OTEL_", "PYTHON"))}
        with self._log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "importtime", "-m", "knative.host", str(folder), "--uds", str(path)],
                cwd=ROOT,
                env=variables | environment,
                stderr=stream,
            )
        self._path = path
        waiting = threading.Event()
        for _ in range(3000):
            if self._ready():
                return
            waiting.wait(0.02)
        raise AssertionError("not ready")

    def _ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()[-3000:]
        try:
            return self.ask("/healthz/ready") == 200
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def ask(self, target: str) -> int:
        """Send a GET, give the status."""
        with contextlib.closing(http.client.HTTPConnection("function", timeout=30)) as connection:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(self._path))
            connection.request("GET", target)
            return connection.getresponse().status

    def modules(self) -> set[str]:
        """Give what was imported so far."""
        lines = self._log.read_text(errors="replace").splitlines()
        return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")} - {
            "imported package"
        }

    def peak_bytes(self) -> int:
        """Give the greatest resident size so far."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

    def threads(self) -> int:
        """Give the number of threads."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))


def forbidden(modules: set[str]) -> set[str]:
    """Give what must not be there."""
    return {name.partition(".")[0] for name in modules} & FORBIDDEN


@pytest.fixture
def start(short_folder: Path) -> Iterator[Any]:
    """Start hosts; they end with the test."""
    started: list[Started] = []

    def one(folder: Path, **environment: str) -> Started:
        started.append(Started(folder, short_folder, environment))
        return started[-1]

    yield one
    for host in started:
        host.process.terminate()
    for host in started:
        assert host.process.wait(60) == 0


def test_a_lean_function_imports_and_holds_little(start: Any, tmp_path: Path) -> None:
    folder = tmp_path / "lean"
    folder.mkdir()
    (folder / "function.toml").write_text('name = "lean"\ndescription = "x"\n')
    (folder / "main.py").write_text(
        "from starlette.responses import Response\nasync def handle(request): return Response(status_code=204)\n"
    )
    host = start(folder)
    assert host.ask("/anything") == 204
    modules = host.modules()
    assert forbidden(modules) == set()
    assert not {"pydantic", "asyncpg", "redis", "cryptography", "jwt", "argparse"} & modules
    assert len(modules) <= LEAN_MODULES
    assert host.peak_bytes() <= LEAN_BYTES
    assert host.threads() == 1


def test_the_example_function_stays_lean(start: Any) -> None:
    host = start(ROOT / "tests" / "functions" / "echo")
    assert host.ask("/things/1") == 200
    assert host.ask("/metrics") == 200
    assert forbidden(host.modules()) == set()
    assert host.peak_bytes() <= LEAN_LIMIT_BYTES


@pytest.mark.parametrize("folder", FUNCTIONS, ids=lambda folder: str(folder.name))
def test_each_function_with_its_servers_stays_within_64_megabytes(
    start: Any, folder: Path, function_environment: dict[str, str]
) -> None:
    host = start(folder, **function_environment)
    host.ask("/v1/runs")
    modules = host.modules()
    found = {
        "forbidden": sorted(forbidden(modules)),
        "modules": len(modules),
        "peak": host.peak_bytes() // MEBIBYTE,
    }
    print(json.dumps(found))  # noqa: T201 - shown when it fails
    assert forbidden(modules) == set(), found
    assert [name for name in modules if name.startswith(ENGINES)] == []
    assert len(modules) <= SERVED_MODULES, found
    assert host.peak_bytes() <= SERVED_BYTES, found
