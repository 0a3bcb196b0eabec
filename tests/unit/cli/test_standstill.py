"""A run in which nothing happens, and what the local platform says stands in its way."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import UnixStreamServer
from typing import TYPE_CHECKING, Any

import pytest

from knative.cli import standstill
from knative.platform.home import Home
from shared.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = "http://127.0.0.1:9000"


@pytest.fixture
def status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What a supervisor says of its platform; a test changes it."""
    said: dict[str, Any] = {
        "url": URL,
        "disk": {"free_bytes": 1, "fault": None},
        "cache": {"external": False, "fault": None},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - http.server's
            pass

    monkeypatch.setenv("HAL9_HOME", str(tmp_path / "home"))
    home = Home.at(tmp_path / "home")
    home.make()
    server = UnixStreamServer(str(home.control_socket), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield said
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_reason_is_said_once(status: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    with Client(URL, "hal9_x") as client:
        tell = standstill.told(client, quiet=False)
        tell()
        assert capsys.readouterr().err == ""
        for fault in ("The disk is full.", "The disk is full.", "The disk is fuller."):
            status["disk"]["fault"] = fault
            tell()
        assert capsys.readouterr().err.splitlines() == [
            f"Nothing happens at the moment: {fault} The run waits for that, and then goes on."
            for fault in ("The disk is full.", "The disk is fuller.")
        ]
        standstill.told(client, quiet=True)()
        assert capsys.readouterr().err == ""


def test_a_platform_elsewhere_is_not_spoken_for(status: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    status["disk"]["fault"] = "The disk is full."
    assert standstill.reason(URL) == "The disk is full."
    assert standstill.reason("https://api.example.com") is None
    monkeypatch.setenv("HAL9_HOME", "/nowhere/at/all")
    assert standstill.reason(URL) is None
