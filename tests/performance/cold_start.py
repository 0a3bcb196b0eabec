"""What a function's process costs until it is ready, against the same function under functions-framework and uvicorn.

CPU (user + system, the scheduler's account) from the process's first instruction to its first ready answer, best of
several starts with compiled bytecode; memory at its peak until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from knative.platform.servers import Servers
from shared.database.migrations import migrate
from shared.keys import PrivateKey, write_trust
from tests.performance.benchmark import Benchmark
from tests.performance.host_requests import BARE, HANDLE
from tests.performance.peers import ROOT, environment, own_python
from tests.performance.processor import of_tree
from tests.performance.results import AtMost, Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.performance.benchmark import Conditions

FUNCTIONS: Final = ("gateway", "neuron", "codegen", "upkeep")
_START_SECONDS: Final = 60.0
_PROBE: Final = b"GET /healthz/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class _Start:
    """One way to start a server.

    Attributes:
        command: What starts it.
        address: Where it listens: a socket's path, or a port.
        variables: Its environment, beside what it needs anyway.
    """

    command: Sequence[str]
    address: Path | int
    variables: Mapping[str, str]

    def once(self) -> tuple[float, float]:
        """Start it, wait until it is ready, end it; give its CPU in milliseconds and its peak memory in megabytes."""
        process = subprocess.Popen(
            self.command, cwd=ROOT, env={**environment(), **self.variables},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        limit = time.monotonic() + _START_SECONDS
        try:
            while not self._ready():
                if process.poll() is not None or time.monotonic() > limit:
                    raise RuntimeError(f"{self.command[-3:]} does not start")
                time.sleep(0.005)
            return of_tree(process.pid) * 1000, _peak_megabytes(process.pid)
        finally:
            process.terminate()
            process.wait(30)

    def _ready(self) -> bool:
        tcp = isinstance(self.address, int)
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET if tcp else socket.AF_UNIX) as connection:
            connection.connect(("127.0.0.1", self.address) if tcp else str(self.address))
            connection.sendall(_PROBE)
            return connection.recv(100).startswith(b"HTTP/1.1 20")
        return False


def _peak_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def measure(conditions: Conditions) -> list[Figure]:
    """CPU and memory of a lean function, of the peers with the same, and of each of ours with its servers."""
    return asyncio.run(_measured(conditions))


async def _measured(conditions: Conditions) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="hal9-") as name:
        home = Path(name)
        servers = Servers(home / "servers", home / "run", durable=False)
        await servers.start()
        try:
            await migrate(servers.shards_admin_dsn.split(","))
            ways = _ways(home, conditions.peers.python, _variables(home, servers))
            found = await asyncio.to_thread(_take_turns, ways, conditions)
        finally:
            await servers.stop()
    figures = []
    for kind, (cpu, peak) in found.items():
        goal = {"lean": AtMost(150), **dict.fromkeys(FUNCTIONS, AtMost(250))}.get(kind)
        memory = {"lean": AtMost(64), **dict.fromkeys(FUNCTIONS, AtMost(90))}.get(kind)
        figures += [Figure(kind, cpu, "ms", goal), Figure(f"{kind}, peak memory", peak, "MB", memory)]
    lean = found["lean"][0]
    return [
        *figures,
        Figure("lean against functions-framework", lean / found["functions-framework"][0], "x"),
        Figure("lean against a bare uvicorn", lean / found["uvicorn"][0], "x"),
    ]


def _take_turns(ways: Mapping[str, _Start], conditions: Conditions) -> dict[str, tuple[float, float]]:
    """Start each in turns; give the least CPU and the last peak."""
    found: dict[str, tuple[float, float]] = {}
    for _ in range(conditions.rounds(9, 2)):
        for kind, way in ways.items():
            cpu, peak = way.once()
            found[kind] = (min(cpu, found.get(kind, (cpu, 0.0))[0]), peak)
    return found


def _ways(home: Path, peer: Path, variables: Mapping[str, str]) -> dict[str, _Start]:
    lean = home / "lean"
    lean.mkdir()
    (lean / "function.toml").write_text('name = "lean"\ndescription = "x"\n')
    (lean / "main.py").write_text(HANDLE)
    (home / "bare.py").write_text(BARE)
    host = [own_python(), "-m", "knative.host"]
    framework, bare = _free_port(), _free_port()
    return {
        "lean": _Start([*host, str(lean), "--uds", str(home / "f.sock")], home / "f.sock", {}),
        "functions-framework": _Start(
            [
                *(str(peer.with_name("functions-framework")), "--asgi", "--target", "handle", "--host", "127.0.0.1"),
                *("--source", str(lean / "main.py"), "--port", str(framework)),
            ],
            framework,
            {},
        ),
        "uvicorn": _Start(
            [str(peer), "-m", "uvicorn", "bare:app", "--app-dir", str(home), "--port", str(bare)], bare, {}
        ),
        **{
            name: _Start(
                [*host, str(ROOT / "functions" / name), "--uds", str(home / "f.sock")], home / "f.sock", variables
            )
            for name in FUNCTIONS
        },
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _variables(home: Path, servers: Servers) -> dict[str, str]:
    key = PrivateKey.generate("gateway")
    key.write(home / "key.json")
    write_trust(home / "trust.json", [key])
    return {
        "HAL9_HOME": str(home),
        "HAL9_SHARDS": servers.shards_dsn,
        "HAL9_CACHE_URL": servers.cache_url,
        "HAL9_TRUST": str(home / "trust.json"),
        "HAL9_IDENTITY_KEY": str(home / "key.json"),
        "HAL9_OBJECTS": (home / "objects").as_uri(),
        "HAL9_FUNCTION_URL": f"unix:{home}/{{deployment}}.sock",
        "HAL9_BROKER_URL": f"unix:{home}/broker.sock",
    }


BENCHMARK = Benchmark("cold-start", "CPU until a function's process is ready, and its memory", measure)
