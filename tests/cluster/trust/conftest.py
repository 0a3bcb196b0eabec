"""One stage for all tests of trust: it takes a minute to set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.cluster.trust.probing import Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    """HAL9's manifests, the broker proven by the cluster's tokens."""
    async with staged(oidc=True) as stage:
        yield stage
