"""A small HTTP/1.1 server on asyncio and httptools, made for passing on: bodies stream, nothing is kept whole.

Why not uvicorn: the activator must hold a request *before* its body is read, stream in both directions with
back-pressure, and stand in the open against hostile peers. An ASGI server puts two queues and a task switch between
the bytes and us; here one task serves one request, and the parser is the same llhttp.

Promises: memory for a connection is bounded (`Limits`): header fields are counted and measured, bodies stop being
read when nobody takes them, a peer that is slow to send or to read is cut off; one message means one thing, by the
rules of `knative.framing`; trailers are dropped, and measured like header fields, as is what frames chunks beyond a due
to each byte of content; a refusal reaches the peer even while it is still sending. Does not: TLS, HTTP/2, WebSocket,
files.
"""

from knative.platform.http1.connection import ServerConnection
from knative.platform.http1.limits import CHUNK_HIGH, WRITE_HIGH, Limits
from knative.platform.http1.messages import Disconnected, Headers, Request, Response
from knative.platform.http1.server import Server

__all__ = [
    "CHUNK_HIGH",
    "WRITE_HIGH",
    "Disconnected",
    "Headers",
    "Limits",
    "Request",
    "Response",
    "Server",
    "ServerConnection",
]
