"""What the archiver says of itself over HTTP: `/metrics`, `/healthz/live`, `/healthz/ready`.

It is no function, so that no host answers for it. Promises: answers while a backup or a restore test goes on, by IPv4
and by IPv6. Does not: anything else; whoever may not read counts and moments is to be kept away by the network.
"""

from __future__ import annotations

import errno
import socket
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = 10


class _Both(ThreadingHTTPServer):
    """Listens to IPv6 and, by the same socket, to IPv4."""

    address_family = socket.AF_INET6
    daemon_threads = True

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class _Version4(ThreadingHTTPServer):
    """For a machine that has no IPv6."""

    daemon_threads = True


def _listening(port: int, answer: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        return _Both(("", port), answer)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise
    return _Version4(("", port), answer)


@contextmanager
def observed(port: int, metrics: Callable[[], bytes], ready: Callable[[], bool]) -> Iterator[int]:
    """Answer on a port of every address for as long as the context; give the port.

    Args:
        port: 0 for a free one.
        metrics: gives the text of the metrics; called by another thread.
        ready: whether it is ready; likewise.

    Raises:
        OSError: The port is taken.
    """

    class Answer(BaseHTTPRequestHandler):
        timeout = _SECONDS

        def do_GET(self) -> None:
            pages: dict[str, Callable[[], tuple[HTTPStatus, bytes]]] = {
                "/metrics": lambda: (HTTPStatus.OK, metrics()),
                "/healthz/live": lambda: (HTTPStatus.OK, b""),
                "/healthz/ready": lambda: (HTTPStatus.OK if ready() else HTTPStatus.SERVICE_UNAVAILABLE, b""),
            }
            status, body = pages.get(self.path, lambda: (HTTPStatus.NOT_FOUND, b""))()
            self.send_response(status)
            self.send_header("Content-Type", _MEDIA_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base's name
            """Say nothing: probes come every few seconds."""

    server = _listening(port, Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
