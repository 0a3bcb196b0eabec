"""What the tests of codegen's own code stand on: its resources, with no broker that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from functions.codegen.resources import Resources
from shared.keys import PrivateKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from knative.platform.servers import Servers


@pytest_asyncio.fixture
async def resources(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Resources]:
    """What codegen works with, on shards of tests' own."""
    identity = tmp_path / "key.json"
    PrivateKey.generate("function:codegen").write(identity)
    for name, value in {
        "HAL9_SHARDS": servers.shards_dsn,
        "HAL9_IDENTITY_KEY": str(identity),
        "HAL9_OBJECTS": f"file://{tmp_path}/objects",
        "HAL9_BROKER_URL": "http://127.0.0.1:1",
        "HAL9_VERIFICATION_SECONDS": "240",
    }.items():
        monkeypatch.setenv(name, value)
    made = Resources()
    await made.open()
    yield made
    await made.close()
