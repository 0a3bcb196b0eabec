"""The ledger's tables on the session's shards, and its organisations: one on each shard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from shared.transactions import Transactions
from tests.integration.transactions import ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.shards import Shards


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def books(servers: Servers) -> AsyncIterator[None]:
    """The tables."""
    await ledger.create_tables(servers)
    yield
    await ledger.drop_tables(servers)


@pytest_asyncio.fixture(loop_scope="session")
async def accounts(shards: Shards, books: None) -> list[UUID]:
    """Three organisations, on the shards 0, 1 and 2."""
    return [await ledger.account_on(shards, shard) for shard in range(3)]


@pytest.fixture
def transactions(shards: Shards) -> Transactions:
    """What runs them."""
    return Transactions(shards)
