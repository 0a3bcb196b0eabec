"""What a removal reads: nothing of what is to stay."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from knative.deploy.cluster import ClusterError, connect
from knative.deploy.removal import removable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _WithoutRights(BaseHTTPRequestHandler):
    """An API server that gives its version, says that there is no object of a name, and lists nothing."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status = 200 if path.startswith("/version") else 404 if path.endswith("/configmaps/hal9") else 403
        body = (
            b'{"major": "1", "minor": "34", "gitVersion": "v1.34.4", "message": "you may not", "reason": "Forbidden"}'
        )
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One that listens, and a KUBECONFIG that names it."""
    with HTTPServer(("127.0.0.1", 0), _WithoutRights) as server:
        name = f"without-rights-{server.server_port}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "one", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "somebody", "user": {"token": "told"}}],
            "contexts": [{"name": name, "context": {"cluster": "one", "user": "somebody"}}],
            "current-context": name,
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield name
        server.shutdown()
        thread.join()


async def test_what_is_to_stay_is_not_read(context: str) -> None:
    async with connect(context, "hal9") as cluster:
        assert await removable(cluster, with_data=False) == []


async def test_what_is_to_go_is(context: str) -> None:
    async with connect(context, "hal9") as cluster:
        with pytest.raises(ClusterError, match="you may not"):
            await removable(cluster, with_data=True)
