"""A cluster that does not answer for a moment: what may be asked again is, and it is told apart from a refusal."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from knative.deploy.cluster import ClusterError, connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WEBHOOK = 'Internal error occurred: failed calling webhook "webhook.serving.knative.dev": connection refused'
MANIFEST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "hal9"}}


class ScriptedServer(HTTPServer):
    """An API server that answers PATCH with what its script says, then with what it was given.

    Attributes:
        script: Statuses and messages that come first.
        asked: How often it was.
        context: The kubeconfig's name of it; of its own, as the library keeps connections by that name.
    """

    def __init__(self) -> None:
        self.script: list[tuple[int, str]] = []
        self.asked = 0
        super().__init__(("127.0.0.1", 0), _Handler)
        self.context = f"scripted-{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedServer

    def do_GET(self) -> None:
        self._answer(200, {"major": "1", "minor": "34", "gitVersion": "v1.34.4"})

    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked += 1
        if self.server.script:
            status, message = self.server.script.pop(0)
            self._answer(status, {"kind": "Status", "message": message, "reason": "Told"})
        else:
            self._answer(200, json.loads(body))

    def _answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """One that listens, and a KUBECONFIG that names it."""
    with ScriptedServer() as found:
        address = f"http://127.0.0.1:{found.server_port}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "scripted", "cluster": {"server": address}}],
            "users": [{"name": "somebody", "user": {"token": "told"}}],
            "contexts": [{"name": found.context, "context": {"cluster": "scripted", "user": "somebody"}}],
            "current-context": found.context,
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.mark.parametrize("first", [(500, WEBHOOK), (503, "busy"), (429, "busy"), (504, "busy")])
async def test_what_was_not_heard_is_asked_again(server: ScriptedServer, first: tuple[int, str]) -> None:
    server.script = [first]
    async with connect(server.context, "hal9") as cluster:
        applied = await cluster.apply(MANIFEST)
    assert (applied.object, server.asked) == (MANIFEST, 2)


@pytest.mark.parametrize("refusal", [(500, "etcd is full"), (422, "no such field"), (403, "you may not")])
async def test_what_was_refused_is_not(server: ScriptedServer, refusal: tuple[int, str]) -> None:
    server.script = [refusal]
    async with connect(server.context, "hal9") as cluster:
        with pytest.raises(ClusterError, match=refusal[1]) as caught:
            await cluster.apply(MANIFEST)
    assert (server.asked, caught.value.status, caught.value.passing) == (1, refusal[0], False)


@pytest.mark.parametrize("status", [0, 429, 503, 504])
def test_no_answer_is_told_apart_from_a_refusal(status: int) -> None:
    assert ClusterError("what the server said", status).passing


def test_so_is_a_webhook_that_could_not_be_asked() -> None:
    assert ClusterError(WEBHOOK, 500, "InternalError").passing
