"""A primary is killed, stopped, or gone: its replica takes over; no acknowledged write of a paying tier is lost."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from knative.platform.keeper import PromotionRefusedError
from knative.platform.servers.children import orphans
from shared.database import DatabaseSettings, ShardUnavailableError, hosts
from shared.identifiers import new_id
from shared.replicas import lease
from shared.settings import load
from shared.shards import Shards
from tests.replicas_fixture import Pair, Writer, pair, signal_all

if TYPE_CHECKING:
    from knative.platform.servers import Postgres


async def test_no_acknowledged_write_is_lost_whatever_befalls_the_primary() -> None:
    async with pair() as one:
        await one.synchronous()
        paying, free = (
            Writer(one.shards, await one.organisation("enterprise")),
            Writer(one.shards, await one.organisation("free")),
        )
        writing = [asyncio.create_task(writer.write()) for writer in (paying, free)]
        await paying.more(20)
        await _left_alone(one, paying)
        await _killed(one, paying)
        await _stopped(one, paying, free)
        await _gone(one, paying)
        paying.over = free.over = True
        await asyncio.gather(*writing)
        assert set(paying.acknowledged) <= await one.written(paying.org_id)
        assert [failover.generation for failover in one.keeper.failovers] == [2, 3]


def senders(server: Postgres) -> list[int]:
    """The processes that send its log."""
    return [pid for pid in orphans(server.folder) if b"walsender" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def _left_alone(one: Pair, paying: Writer) -> None:
    """Its replica hangs: commits wait no more, nothing may be promoted; until it has caught up."""
    hanging = signal_all(one.shard.replica, signal.SIGSTOP)
    await one.until(lambda: one.shard.record.alone)
    await paying.more(20)
    with pytest.raises(PromotionRefusedError, match="may lack writes"):
        await one.keeper.promote(0)
    for pid in hanging:
        os.kill(pid, signal.SIGCONT)
    await one.synchronous()


async def _killed(one: Pair, paying: Writer) -> None:
    """kill -9: it is started again in place, which loses nothing of anybody."""
    assert one.shard.primary.process is not None
    one.shard.primary.process.kill()
    await one.until(lambda: one.keeper.restarts)
    await paying.more(20)
    assert one.shard.record.generation == 1
    await one.synchronous()


async def _stopped(one: Pair, paying: Writer, free: Writer) -> None:
    """SIGSTOP, then SIGCONT when another one is the primary; what it had not sent is on its disk."""
    old = one.shard.primary
    for pid in senders(old):
        os.kill(pid, signal.SIGSTOP)
    await free.more(20)
    stopped = signal_all(old, signal.SIGSTOP)
    await one.until(lambda: one.keeper.failovers)
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    await paying.more(20)
    await free.more(20)
    assert one.shard.primary is not old
    assert set(free.acknowledged) <= await one.written(free.org_id)  # its disk is there: of nobody anything is lost
    await one.synchronous()  # the old one has come back, as the replica
    async with one.shard.superuser(old) as connection:
        assert await connection.fetchval("SELECT count(*) FROM pg_replication_slots") == 0


async def _gone(one: Pair, paying: Writer) -> None:
    """kill -9, and its disk is lost: a new copy becomes the replica."""
    old = one.shard.primary
    shutil.rmtree(old.folder)
    signal_all(old, signal.SIGKILL)
    assert old.process is not None
    old.process.kill()
    await one.until(lambda: len(one.keeper.failovers) == 2)
    await paying.more(20)
    await one.synchronous()


def _went_on(one: Pair, restarts: int) -> bool:
    return one.keeper.restarts > restarts or bool(one.keeper.failovers)


async def test_a_primary_that_ends_again_and_again_is_replaced() -> None:
    async with pair() as one:
        first = one.shard.primary
        while not one.keeper.failovers and one.keeper.restarts <= 3:
            await one.synchronous()  # nothing is promoted that may lack what was acknowledged
            restarts = one.keeper.restarts
            assert first.process is not None
            first.process.kill()
            await one.until(functools.partial(_went_on, one, restarts))
        assert [failover.generation for failover in one.keeper.failovers] == [2]
        assert one.shard.primary is not first


async def test_a_promotion_that_was_cut_off_is_finished_by_the_next_start() -> None:
    async with pair(kept=False) as one:
        org_id = await one.organisation("free")
        new = one.shard.replica
        await one.shard.primary.kill()
        one.shard.remember(primary=new.name, generation=2, alone=True, apart=True)  # and then the keeper was killed
        await one.servers.stop()
        await one.servers.start()
        await one.keeper.start()
        assert one.shard.primary is new
        writer = Writer(one.shards, org_id)
        writing = asyncio.create_task(writer.write())
        await writer.more(5)
        writer.over = True
        await writing
        assert set(writer.acknowledged) == await one.written(org_id)
        async with one.shard.superuser(one.shard.replica) as connection:
            assert await connection.fetchval("SELECT pg_is_in_recovery()")


async def test_a_platform_whose_replica_cannot_be_started_goes_on_without() -> None:
    async with pair(kept=False) as one:
        await one.shard.replica.stop()
        (one.shard.replica.folder / "PG_VERSION").write_text("1\n")
        await one.keeper.start()
        assert not one.shard.replica.alive
        assert one.shard.record.alone
        writer = Writer(one.shards, await one.organisation("enterprise"))
        writing = asyncio.create_task(writer.write())
        await writer.more(5)
        writer.over = True
        await writing


async def test_a_primary_that_was_paused_accepts_no_write_after_another_was_promoted() -> None:
    """Nobody can end the old one here: its lease alone must do."""
    async with pair(kept=False) as one:
        old, new = one.shard.primary, one.shard.replica
        writer = Writer(one.shards, await one.organisation("free"))
        alone = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": old.dsn("hal9_app")}))
        async with one.shard.superuser(old) as connection:
            await lease.renew(connection, 1, seconds=0.0)  # its watcher was heard for the last time long ago
        signal_all(old, signal.SIGSTOP)
        async with one.shard.superuser(new) as connection:
            await lease.promote(connection)
            await lease.renew(connection, 2)
        signal_all(old, signal.SIGCONT)
        with pytest.raises(ShardUnavailableError):
            await alone.run(
                writer.org_id, lambda tx: tx.execute("INSERT INTO ledger VALUES ($1, $2)", writer.org_id, new_id())
            )
        with pytest.raises(Exception, match="the lease of this primary is over"):
            async with alone.directory.transaction(f"SET LOCAL hal9.org_id='{writer.org_id}'") as tx:
                await tx.execute(
                    "UPDATE directory.api_keys SET name = 'x'; "
                    "INSERT INTO directory.organisations (org_id, shard, region)"
                    f" VALUES ('{writer.org_id}', 0, 'us-west')"
                )
        await alone.close()
        connection = await hosts.connect(old.dsn("hal9_owner"))
        assert await connection.fetchval("SELECT count(*) FROM ledger") == 0
        await connection.close()
        await old.kill()
        writing = asyncio.create_task(writer.write())
        await writer.more(5)  # the same pool goes on to the new primary
        writer.over = True
        await writing
