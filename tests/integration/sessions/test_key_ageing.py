"""Data keys age by the clock: a new one seals, the old one opens for as long as it must, no session is lost."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from functions.upkeep import ageing, cleaning
from functions.upkeep.resources import UpkeepSettings
from shared.sessions.settings import UNREAD
from tests.sessions_fixture import WEST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.shards import Shards
    from tests.sessions_fixture import Regions

    Someone = Callable[[], Awaitable[tuple[UUID, UUID]]]


def upkeep(shards: Shards, days: float = 90) -> Any:
    return SimpleNamespace(shards=shards, settings=UpkeepSettings(data_key_days=days))


async def aged(servers: Servers, org_id: UUID, column: str, days: float) -> None:
    """Let time pass for an organisation's keys."""
    connection = await asyncpg.connect(servers.shards_admin_dsn.split(",")[0])
    await connection.execute(
        f"UPDATE directory.data_keys SET {column} = now() - $2::interval WHERE org_id = $1 AND {column} IS NOT NULL",
        org_id, timedelta(days=days),
    )  # fmt: skip
    await connection.close()


async def test_a_key_that_has_aged_is_replaced_and_no_session_is_lost(
    servers: Servers, regions: Regions, someone: Someone
) -> None:
    who = await someone()
    keys = regions.keys()
    old = await keys.current(who[0], WEST)
    before = await regions.process(keys=keys).create(*who, {"owner"})
    await aged(servers, who[0], "created_at", 89)
    await cleaning.clean(upkeep(regions.shards))
    assert (await regions.keys().current(who[0], WEST)).key_id == old.key_id
    await aged(servers, who[0], "created_at", 91)
    await cleaning.clean(upkeep(regions.shards))
    # A process that has the old key seals with it for some minutes; others, which seal with the new one, read that.
    late = await regions.process(keys=keys).create(*who, ())
    fresh = regions.process()
    after = await fresh.create(*who, ())
    new = await regions.keys().current(who[0], WEST)
    assert new.key_id != old.key_id
    for made in (before, late, after):
        assert await fresh.read(made.cookie) == made.session
    await cleaning.clean(upkeep(regions.shards))
    assert (await regions.keys().current(who[0], WEST)).key_id == new.key_id


async def test_a_key_is_deleted_when_nothing_that_it_sealed_can_be_left(
    servers: Servers, regions: Regions, someone: Someone
) -> None:
    who = await someone()
    old = await regions.keys().current(who[0], WEST)
    await aged(servers, who[0], "created_at", 91)
    await cleaning.clean(upkeep(regions.shards))
    new = await regions.keys().current(who[0], WEST)
    assert ageing.KEPT >= UNREAD
    for days, found in ((31, True), (33, False)):  # the longest session, and more
        await aged(servers, who[0], "superseded_at", days)
        await cleaning.clean(upkeep(regions.shards))
        assert (await regions.keys().find(who[0], WEST, old.key_id) is not None) is found
        assert (await regions.keys().current(who[0], WEST)).key_id == new.key_id


async def test_keys_age_not_where_nobody_wants_it(servers: Servers, regions: Regions, someone: Someone) -> None:
    who = await someone()
    old = await regions.keys().current(who[0], WEST)
    await aged(servers, who[0], "created_at", 1000)
    await cleaning.clean(upkeep(regions.shards, days=0))
    assert (await regions.keys().current(who[0], WEST)).key_id == old.key_id


async def test_nobody_can_hurry_it(servers: Servers, regions: Regions, someone: Someone) -> None:
    who = await someone()
    directory = regions.shards.directory
    old = await regions.keys().current(who[0], WEST)
    await ageing.retire(directory, timedelta(0))
    assert (await regions.keys().current(who[0], WEST)).key_id == old.key_id
    new = await regions.keys().rotate(who[0], WEST)
    await aged(servers, who[0], "superseded_at", 30)
    await ageing.forget(directory, timedelta(0))
    assert await regions.keys().find(who[0], WEST, old.key_id) is not None
    assert (await regions.keys().current(who[0], WEST)).key_id == new.key_id
    async with directory.connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("TRUNCATE directory.data_keys")
