"""What a function's process costs until it is ready, and how much it holds; printed as JSON.

CPU (user + system, the scheduler's account) from the process's first instruction to its first ready answer, best of
several starts with compiled bytecode. Goals: 150 ms for a lean function, 250 ms with PostgreSQL and Redis connected.

Run: python tests/performance/cold_start.py
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from knative.platform.servers import Servers
from shared.database.migrations import migrate
from shared.keys import PrivateKey, write_trust

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
STARTS: Final = 7
FUNCTIONS: Final = ("gateway", "neuron", "codegen", "upkeep")
PROBE: Final = b"GET /healthz/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def _ready(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(PROBE)
        return connection.recv(100).startswith(b"HTTP/1.1 200")
    return False


def start_once(folder: Path, path: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    """Start one process; give its CPU in milliseconds and its peak memory in megabytes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "knative.host", str(folder), "--uds", str(path)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _ready(path):
            if process.poll() is not None:
                raise RuntimeError(f"{folder} does not start")
            time.sleep(0.005)
        cpu = sum(
            int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{process.pid}/task").iterdir()
        )
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
        return cpu / 1e6, peak / 1024
    finally:
        process.terminate()
        process.wait(30)


def start(folder: Path, path: Path, environment: Mapping[str, str]) -> dict[str, float]:
    """Start a function several times; give the least CPU and the peak memory."""
    found = [start_once(folder, path, environment) for _ in range(STARTS)]
    return {"cpu_milliseconds": round(min(cpu for cpu, _ in found), 1), "peak_megabytes": round(found[-1][1], 1)}


async def measure() -> dict[str, dict[str, float]]:
    """Give CPU and memory of a lean function and of each of ours with its servers."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="hal9-") as name:
        home = Path(name)
        lean = home / "lean"
        lean.mkdir()
        (lean / "function.toml").write_text('name = "lean"\ndescription = "x"\n')
        (lean / "main.py").write_text(
            "from starlette.responses import Response\nasync def handle(request): return Response(status_code=204)\n"
        )
        found = {"lean": start(lean, home / "lean.sock", {})}
        servers = Servers(home / "servers", home / "run", durable=False)
        await servers.start()
        try:
            await migrate(servers.shards_admin_dsn.split(","))
            environment = _environment(home, servers)
            for function in FUNCTIONS:
                folder = ROOT / "functions" / function
                found[function] = await asyncio.to_thread(start, folder, home / "function.sock", environment)
        finally:
            await servers.stop()
    return found


def _environment(home: Path, servers: Servers) -> dict[str, str]:
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


if __name__ == "__main__":
    json.dump(asyncio.run(measure()), sys.stdout)
    sys.stdout.write("\n")
