"""What an empty event costs through the host, against a bare uvicorn and functions-framework.

CPU of the server's processes (user + system, the scheduler's account) for each request over 35 connections. All servers
run at once and take their rounds in turns, so that a busy machine is busy for each of them; the best round counts.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvloop

from tests.performance.benchmark import Benchmark
from tests.performance.load import send
from tests.performance.peers import ROOT, environment, own_python
from tests.performance.processor import of_tree
from tests.performance.results import AtMost, Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.performance.benchmark import Conditions

REQUESTS: Final = 14_000
WARM_UP: Final = 3_500
_START_SECONDS: Final = 60.0
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
EVENT: Final = """
from events import codec
from shared.function import Function, Operation
from starlette.responses import Response
async def take(call):
    codec.decode(call.request.headers.raw, await call.request.body())
    return Response(status_code=202)
function = Function("event", [Operation("POST", "/", None, take, "An event.", public=True, raw_body=True)])
handle = function.handle
"""
CLOUD_EVENT: Final = """
import functions_framework.aio
@functions_framework.aio.cloud_event
async def handle(event):
    pass
"""


class _Server:
    """A server process under measurement."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self._port = port
        self.least = float("inf")

    async def ready(self) -> None:
        """Wait until it answers, then warm it up."""
        limit = asyncio.get_running_loop().time() + _START_SECONDS
        while True:
            try:
                return await send(self._port, REQUEST, WARM_UP)
            except ConnectionError:
                if self._process.poll() is not None or asyncio.get_running_loop().time() > limit:
                    raise
            await asyncio.sleep(0.05)

    async def round(self, requests: int) -> None:
        """Take one round."""
        before = of_tree(self._process.pid)
        await send(self._port, REQUEST, requests)
        self.least = min(self.least, (of_tree(self._process.pid) - before) / requests * 1e6)


@contextmanager
def _serving(command: Sequence[str], port: int) -> Iterator[_Server]:
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield _Server(process, port)
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _commands(folder: Path, peer: Path) -> dict[str, list[str]]:
    """Write the functions; give what starts each server, but for its port."""
    (folder / "bare.py").write_text(BARE)
    for name, code in (("handle", HANDLE), ("function", FUNCTION), ("event", EVENT), ("cloud_event", CLOUD_EVENT)):
        (folder / name).mkdir()
        (folder / name / "main.py").write_text(code)
        (folder / name / "function.toml").write_text(f'name = "{name}"\ndescription = "x"\n')
    host = [own_python(), "-m", "knative.host"]
    framework = [str(peer.with_name("functions-framework")), "--asgi", "--target", "handle", "--host", "127.0.0.1"]
    return {
        "uvicorn": [str(peer), "-m", "uvicorn", "bare:app", "--app-dir", str(folder), "--no-access-log"],
        "host, bare handle": [*host, str(folder / "handle")],
        "host": [*host, str(folder / "function")],
        "functions-framework": [*framework, "--source", str(folder / "handle" / "main.py")],
        "host, event decoded": [*host, str(folder / "event")],
        "functions-framework, cloud_event": [
            *(*framework, "--signature-type", "cloudevent"),
            *("--source", str(folder / "cloud_event" / "main.py")),
        ],
    }


def measure(conditions: Conditions) -> list[Figure]:
    """Microseconds of CPU for each request, and the ratios."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        servers = {}
        for kind, command in _commands(Path(name), conditions.peers.python).items():
            port = _free_port()
            servers[kind] = stack.enter_context(_serving([*command, "--port", str(port)], port))
        uvloop.run(_take_turns(list(servers.values()), conditions))
        cost = {kind: server.least for kind, server in servers.items()}
    return [
        *(Figure(kind, value, "us") for kind, value in cost.items()),
        Figure("host against functions-framework", cost["host"] / cost["functions-framework"], "x", AtMost(0.5)),
        Figure("host against a bare uvicorn", cost["host"] / cost["uvicorn"], "x", AtMost(1.3)),
        Figure(
            "event decoded, against functions-framework's",
            cost["host, event decoded"] / cost["functions-framework, cloud_event"],
            "x",
            AtMost(0.5),
        ),
    ]


async def _take_turns(servers: Sequence[_Server], conditions: Conditions) -> None:
    for server in servers:
        await server.ready()
    for _ in range(conditions.rounds(5)):
        for server in servers:
            await server.round(conditions.rounds(REQUESTS, WARM_UP))


BENCHMARK = Benchmark("host", "CPU of an empty event (POST, 8 fields, 204) through the host", measure)
