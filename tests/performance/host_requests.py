"""What an empty event costs through the host, against a bare uvicorn and functions-framework; printed as JSON.

CPU of the server's processes (user + system, the scheduler's account) for each request, over 35 connections, the best
of several rounds; the ratios come from this one run. Goals: at most 1.3 times the bare uvicorn, at most half of
functions-framework.

Run: python tests/performance/host_requests.py
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
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import uvloop

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
CONNECTIONS: Final = 35
REQUESTS: Final = 14_000
ROUNDS: Final = 3
WARM_UP: Final = 3_500
REQUEST: Final = (
    b"POST / HTTP/1.1\r\nhost: x\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-type: ai.hal9.test\r\nce-source: /test\r\n"
    b"content-type: application/json\r\ntraceparent: 00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01\r\n"
    b"content-length: 2\r\n\r\n{}"
)
BARE: Final = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
"""
HANDLE: Final = """
from starlette.responses import Response
async def handle(request):
    await request.body()
    return Response(status_code=204)
"""
FUNCTION: Final = """
from shared.function import Function, Operation
from starlette.responses import Response
async def empty(call):
    await call.request.body()
    return Response(status_code=204)
function = Function("function", [Operation("POST", "/", None, empty, "Nothing.", public=True, raw_body=True)])
handle = function.handle
"""


class _Client(asyncio.Protocol):
    """Sends a number of requests, each when the one before it is answered."""

    def __init__(self, requests: int, done: asyncio.Future[None]) -> None:
        self._left = requests
        self._done = done
        self._got = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if b"\r\n\r\n" not in self._got or self._transport is None:
            return
        assert b" 204 " in self._got, self._got
        self._got = b""
        self._left -= 1
        if self._left:
            self._transport.write(REQUEST)
        elif not self._done.done():
            self._transport.close()
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError())


async def _drive(port: int, requests: int) -> None:
    loop = asyncio.get_running_loop()
    waiting = [loop.create_future() for _ in range(CONNECTIONS)]
    for done in waiting:

        def client(done: asyncio.Future[None] = done) -> _Client:
            return _Client(requests // CONNECTIONS, done)

        await loop.create_connection(client, "127.0.0.1", port)
    await asyncio.gather(*waiting)


def _cpu_microseconds(pid: int) -> float:
    """Give the CPU time of a process and all below it."""
    total, todo = 0, [pid]
    while todo:
        for task in Path(f"/proc/{todo.pop()}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
            todo += [int(child) for child in (task / "children").read_text().split()]
    return total / 1000


async def _rounds(pid: int, port: int) -> float:
    """Warm a server up, then give its CPU for each request in microseconds, the least of all rounds."""
    for _ in range(600):
        with contextlib.suppress(OSError):
            await _drive(port, WARM_UP)
            break
        await asyncio.sleep(0.05)
    costs = []
    for _ in range(ROUNDS):
        before = _cpu_microseconds(pid)
        await _drive(port, REQUESTS)
        costs.append((_cpu_microseconds(pid) - before) / REQUESTS)
    return min(costs)


def _cost(command: Sequence[str], port: int) -> float:
    """Start a server and measure it."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return uvloop.run(_rounds(process.pid, port))
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def measure() -> dict[str, float]:
    """Give microseconds of CPU for each request and the ratios."""
    python, found = sys.executable, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bare.py").write_text(BARE)
        for kind, code in (("handle", HANDLE), ("function", FUNCTION)):
            (folder / kind).mkdir()
            (folder / kind / "main.py").write_text(code)
            (folder / kind / "function.toml").write_text(f'name = "{kind}"\ndescription = "x"\n')
        port = str(_free_port())
        commands = {
            "uvicorn": [python, "-m", "uvicorn", "bare:app", "--app-dir", name, "--port", port, "--no-access-log"],
            "host_handle": [python, "-m", "knative.host", str(folder / "handle"), "--port", port],
            "host_function": [python, "-m", "knative.host", str(folder / "function"), "--port", port],
            "functions_framework": [
                *(str(Path(python).with_name("functions-framework")), "--asgi", "--target", "handle"),
                *("--source", str(folder / "handle" / "main.py"), "--host", "127.0.0.1", "--port", port),
            ],
        }
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for kind, command in commands.items():
            found[f"{kind}_microseconds"] = round(_cost(command, int(port)), 1)
    host = found["host_function_microseconds"]
    found["against_uvicorn"] = round(host / found["uvicorn_microseconds"], 2)
    found["against_functions_framework"] = round(host / found["functions_framework_microseconds"], 2)
    return found


if __name__ == "__main__":
    json.dump(measure(), sys.stdout)
    sys.stdout.write("\n")
