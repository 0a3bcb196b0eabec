"""Servers of a module's own, for one that breaks them, or that needs another number of them."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from knative.platform.servers import Servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def own_servers(shards: int, *, durable: bool) -> AsyncIterator[Servers]:
    """Start them, empty, and stop them."""
    with tempfile.TemporaryDirectory(prefix="hal9-") as folder:
        made = Servers(Path(folder) / "servers", Path(folder) / "run", shards=shards, durable=durable)
        await made.start()
        try:
            yield made
        finally:
            await made.stop()
