"""A proxy in front of the real API server that hides or changes what a test names: an older or a smaller cluster."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from knative.deploy.cluster import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@asynccontextmanager
async def hiding(folder: Path, change: Callable[[str, int, Any], tuple[int, Any]]) -> AsyncIterator[str]:
    """Serve the API server's answers, each as `change(path, status, document)` gives it.

    Args:
        folder: gets the kubeconfig.
        change: gets a path, a status and a document; gives a status and a document.

    Yields:
        the path of a kubeconfig that leads through the proxy.
    """
    writes: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await answer(reader, writer)
        writer.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        method, target, _ = lines[0].split(" ")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if method in {"POST", "PATCH", "PUT", "DELETE"} and "dryRun" not in target and "accessreviews" not in target:
            writes.append(f"{method} {target}")
        sent = {"content": body, "headers": {"content-type": headers.get("content-type", "application/json")}}
        given = await real._sent(method, target, sent, renew=False)
        status, found = change(target.partition("?")[0], given.status_code, given.json())
        content = json.dumps(found).encode()
        writer.write(
            b"HTTP/1.1 %d .\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(content))
        )
        writer.write(content)
        await writer.drain()

    async with connect(None, "default") as real:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        path = folder / "hiding.kubeconfig"
        path.write_text(json.dumps(kubeconfig(server.sockets[0].getsockname()[1])))
        async with server:
            yield str(path)
    assert writes == [], "nothing may be written before the checks have passed"


def kubeconfig(port: int) -> dict[str, Any]:
    """Give a kubeconfig for a server on this machine that asks for no credentials."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "hiding", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "hiding", "context": {"cluster": "hiding", "user": "nobody"}}],
        "current-context": "hiding",
    }
