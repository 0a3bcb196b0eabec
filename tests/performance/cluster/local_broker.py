"""The local platform's broker in front of the same `lean` function, on this machine, in processes of their own."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shared.keys import PrivateKey, write_trust
from tests.performance.cluster.kube import until
from tests.performance.peers import ROOT, environment, own_python

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEAN: Final = Path(__file__).with_name("lean")


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("lean", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def events_per_second(rounds: int, events: int) -> float:
    """Publish rounds of events and give the best rate, from the first publication to the last delivery."""
    with tempfile.TemporaryDirectory(prefix="hal9-") as name, ExitStack() as stack:
        home = Path(name)
        broker, lean = PrivateKey.generate("broker"), PrivateKey.generate("function:lean")
        for key, file in ((broker, "broker.json"), (lean, "lean.json")):
            key.write(home / file)
        write_trust(home / "trust.json", [broker, lean])
        (home / "broker").mkdir()
        (home / "configuration.json").write_text(json.dumps(_configuration(home)))
        variables = {"HAL9_BROKER_URL": f"unix:{home}/broker.sock", "HAL9_IDENTITY_KEY": str(home / "lean.json")}
        commands = (["knative.platform.broker", str(home / "configuration.json")],
                    ["knative.host", str(LEAN), "--deployment", "lean", "--uds", str(home / "lean.sock")])  # fmt: skip
        for command in commands:
            stack.callback(_end, _started([own_python(), "-m", *command], variables))
        until("the broker and the function", lambda: _there(home), 60, 0.05)
        _round(home, 10)
        return max(_round(home, events) for _ in range(rounds))


def _started(command: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=ROOT, env={**environment(), **variables}, stdout=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(30)


def _there(home: Path) -> bool:
    try:
        return (home / "broker.sock").exists() and bool(_asked(home, "/count"))
    except OSError:
        return False


def _configuration(home: Path) -> dict[str, Any]:
    return {
        "socket": str(home / "broker.sock"),
        "folder": str(home / "broker"),
        "sockets": f"{home}/{{deployment}}.sock",
        "key": str(home / "broker.json"),
        "trust": str(home / "trust.json"),
        "hostile": "",
        "triggers": [
            {
                "key": "lean/bench",
                "deployment": "lean",
                "audience": "lean",
                "path": "/events",
                "filters": [],
                "policy": {"retry": 3, "backoff": "exponential", "delay_seconds": 0.2, "timeout_seconds": 60.0},
                "parallel": 64,
            }
        ],
        "sink": None,
    }


def _asked(home: Path, path: str) -> dict[str, Any]:
    connection = _Unix(home / "lean.sock")
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} is answered with {answer.status}: {text[:300]!r}")
        document: dict[str, Any] = json.loads(text)
        return document
    finally:
        connection.close()


def _round(home: Path, events: int) -> float:
    before = _asked(home, "/count")["events"]
    began = _asked(home, f"/publish?events={events}")["began"]
    limit = time.monotonic() + 120
    while (counted := _asked(home, "/count"))["events"] < before + events:
        if time.monotonic() > limit:
            raise TimeoutError(f"{counted['events'] - before} of {events} events arrived")
        time.sleep(0.01)
    rate: float = events / (counted["last"] - began)
    return rate
