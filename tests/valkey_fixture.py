"""A Valkey of a test's own, to do harm to."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from knative.platform.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def own_valkey() -> AsyncIterator[Valkey]:
    """Give a server that runs, in a folder whose path is short enough for a socket; both go afterwards."""
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        server = Valkey(Path(folder) / "valkey", Path(folder) / "run", Path(folder) / "log")
        await server.start()
        try:
            yield server
        finally:
            await server.stop()
