"""An API server on this machine that answers as a test says, and the KUBECONFIG that names it."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

    Answers = Callable[[str, str, Any], tuple[int, Any]]

VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.4"}


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Serve with a handler, for as long as the context is open; gives the port."""
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def api_server(
    answers: Answers, folder: Path, monkeypatch: pytest.MonkeyPatch, *, queries: bool = False
) -> Iterator[str]:
    """Serve, with a KUBECONFIG that names it; gives the context's name, of its own, as the library keeps connections.

    Args:
        answers: Gives status and document, or a text, for a method, a path without its query, and what came.
        folder: For the KUBECONFIG.
        monkeypatch: Of the test.
        queries: Whether paths are given with their queries, unquoted.
    """

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            given = json.loads(self.rfile.read(length)) if length else None
            path = unquote_plus(self.path) if queries else self.path.partition("?")[0]
            status, document = (200, VERSION) if path == "/version/" else answers(self.command, path, given)
            body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "text/plain" if isinstance(document, str) else "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._answer()

        def do_PATCH(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with serving(Handler) as port:
        context = f"scripted-{port}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "one", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "somebody", "user": {"token": "told"}}],
            "contexts": [{"name": context, "context": {"cluster": "one", "user": "somebody"}}],
            "current-context": context,
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(folder / "kubeconfig"))
        yield context
