"""Every function answers the same under the stock `functions-framework` command as under our host."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = [*sorted(path.parent for path in ROOT.glob("functions/*/main.py")), ROOT / "tests" / "functions" / "echo"]
TRACE = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
JSON = {"content-type": "application/json"}
EVENT = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-type": "ai.hal9.test",
    "ce-source": "/tests",
    "content-type": "application/json",
}
IGNORED = {"date", "server", "connection", "x-trace-id", "transfer-encoding"}

ECHO_REQUESTS: list[tuple[str, str, bytes | None, dict[str, str]]] = [
    ("POST", "/v1/echo?tag=a&tag=b", b'{"text":"a","times":2}', JSON),
    ("POST", "/v1/echo", b'{"text":1,"more":["x"],"other":1}', JSON),
    ("POST", "/v1/echo", b'{"text":"a","text":"b"}', JSON),
    ("POST", "/v1/echo", b"{}", {"content-type": "text/plain"}),
    ("POST", "/v1/echo?limit=x", b'{"text":"a"}', JSON),
    ("POST", "/empty", b"", EVENT),
    ("POST", "/empty", b"abc", {}),
    ("POST", "/size", b"x" * 50_000, {}),
    ("GET", "/things/a%20b", None, {}),
    ("HEAD", "/things/a", None, {}),
    ("DELETE", "/things/a", None, {}),
    ("GET", "/parts", None, {}),
    ("POST", "/fail", b"", {}),
    ("POST", "/fail?problem", b"", {}),
    ("GET", "/guarded", None, {}),
]


def requests_for(folder: Path) -> list[tuple[str, str, bytes | None, dict[str, str]]]:
    """Give what to try: every route and the events' door without credentials, unknown paths, wrong methods."""
    if folder.name == "echo":
        return ECHO_REQUESTS
    description = tomllib.loads((folder / "function.toml").read_text())
    tried: list[tuple[str, str, bytes | None, dict[str, str]]] = [
        ("GET", "/nowhere", None, {}),
        ("DELETE", "/events", None, {}),
        ("POST", "/events", b"{}", EVENT),
        ("POST", "/events", b"{}", EVENT | {"authorization": "Bearer nonsense"}),
    ]
    for route in description.get("routes", []):
        path = route["path"].replace("{", "").replace("}", "")
        body = b"{}" if route["method"] == "POST" else None
        tried += [
            (route["method"], path, body, JSON),
            (route["method"], path, body, JSON | {"authorization": "Bearer nonsense"}),
            ("PATCH", path, b"{}", JSON),
        ]
    return tried


def ask(connection: http.client.HTTPConnection, tried: tuple[str, str, bytes | None, dict[str, str]]) -> Any:
    """Send one request; give what must be the same."""
    method, target, body, headers = tried
    connection.request(method, target, body, headers | TRACE)
    response = connection.getresponse()
    content: Any = response.read()
    kept = {name.lower(): value for name, value in response.getheaders() if name.lower() not in IGNORED}
    if "json" in kept.get("content-type", "") and content:
        content = json.loads(content)
    connection.close()  # functions-framework keeps a connection for 2 s only
    return tried[:2], response.status, kept, content


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda folder: str(folder.name))
def both(request: Any, function_environment: dict[str, str], short_folder: Path) -> Iterator[tuple[Path, int, int]]:
    """One function under our host and under functions-framework; gives the folder and both ports."""
    folder: Path = request.param
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HAL9_", "OTEL_"))}
    environment = plain | function_environment | _description_environment(folder)
    ours = _start([sys.executable, "-m", "knative.host", str(folder), "--port", "0"], environment, short_folder)
    port = _free_port()
    command = shutil.which("functions-framework", path=str(Path(sys.executable).parent))
    assert command is not None
    arguments = [command, "--target", "handle", "--source", str(folder / "main.py"), "--signature-type", "http"]
    theirs = _start([*arguments, "--asgi", "--host", "127.0.0.1", "--port", str(port)], environment, short_folder)
    try:
        line = _until(lambda: _line(ours, b'"listening"'))
        _until(lambda: _answers(port, theirs))
        yield folder, int(json.loads(line)["address"].rpartition(":")[2]), port
    finally:
        for process, _ in (ours, theirs):
            process.terminate()
        for process, _ in (ours, theirs):
            process.wait(30)


def test_answers_are_the_same(both: tuple[Path, int, int]) -> None:
    folder, ours, theirs = both
    for tried in requests_for(folder):
        answers = [ask(http.client.HTTPConnection("127.0.0.1", port, timeout=30), tried) for port in (ours, theirs)]
        assert answers[0] == answers[1]
        assert answers[0][1] != 500 or folder.name == "echo", answers[0]


def _description_environment(folder: Path) -> dict[str, str]:
    deployments = tomllib.loads((folder / "function.toml").read_text()).get("deployments", [{}])
    found: dict[str, str] = deployments[0].get("environment", {})
    return found


def _start(command: list[str], environment: dict[str, str], folder: Path) -> tuple[subprocess.Popen[bytes], Path]:
    log = folder / f"{os.urandom(4).hex()}.log"
    with log.open("wb") as stream:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=stream), log


def _line(started: tuple[subprocess.Popen[bytes], Path], wanted: bytes) -> bytes | None:
    process, log = started
    assert process.poll() is None, log.read_text()
    return next((line for line in log.read_bytes().splitlines() if wanted in line), None)


def _answers(port: int, started: tuple[subprocess.Popen[bytes], Path]) -> bool:
    process, log = started
    assert process.poll() is None, log.read_text()
    try:
        ask(http.client.HTTPConnection("127.0.0.1", port, timeout=30), ("GET", "/nowhere", None, {}))
    except ConnectionRefusedError:
        return False
    return True


def _free_port() -> int:
    """Ask the kernel for a free port: functions-framework cannot be told to take any."""

    async def bind() -> int:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return port

    return asyncio.run(bind())


def _until(condition: Any, seconds: float = 60.0) -> Any:
    waiting = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if found := condition():
            return found
        waiting.wait(0.02)
    raise AssertionError("the condition did not come true")
