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

from knative.platform import keeper
from knative.platform.keeper import Keeper, PromotionRefusedError
from knative.platform.processes import started
from knative.platform.servers import Replicated, ServerError, Servers
from knative.platform.servers.children import orphans
from knative.platform.servers.replicated import Promotion
from knative.platform.starvation import Processors
from shared import deadlines
from shared.clock import ManualClock
from shared.database import CommitUnknownError, DatabaseSettings, ShardUnavailableError, hosts
from shared.identifiers import new_id
from shared.problems import Problem
from shared.replicas import lease
from shared.replicas.lsn import Lsn, parse, spell
from shared.settings import load
from shared.shards import Shards
from shared.transactions import Transactions, prepared, recover
from tests.replicas_fixture import Pair, Writer, pair, signal_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from knative.platform.servers import Postgres
    from shared.database import Transaction


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


async def test_a_promotion_that_was_cut_off_is_finished_by_the_next_start_and_says_what_is_lost() -> None:
    async with pair(kept=False) as one:
        org_id = await one.organisation("free")
        new = one.shard.replica
        seen, received = await _unsent(one)
        one.shard.primary.folder.rename(one.shard.primary.folder.with_name("lost"))
        await one.shard.primary.kill()
        decided = Promotion(asked=False, heard=0.0, seen=spell(seen))
        # And then the keeper was killed.
        one.shard.remember(primary=new.name, generation=2, alone=True, apart=True, promotion=decided)
        await one.servers.stop()
        await one.servers.start()
        await one.keeper.start()
        assert one.shard.primary is new
        again = Replicated(one.servers.folder, new.run, 0)  # as the platform after the next one reads it
        (failover,) = again.record.failovers
        assert (failover.generation, failover.primary) == (2, new.name)
        assert failover.behind_bytes == seen - received
        writer = Writer(one.shards, org_id)
        writing = asyncio.create_task(writer.write())
        await writer.more(5)
        writer.over = True
        await writing
        assert set(writer.acknowledged) == await one.written(org_id)
        async with one.shard.superuser(one.shard.replica) as connection:
            assert await connection.fetchval("SELECT pg_is_in_recovery()")


async def _unsent(one: Pair) -> tuple[Lsn, Lsn]:
    """Let the primary write what its replica does not get; up to where each of them has the log."""
    async with one.shard.superuser(one.shard.replica) as connection, one.shard.superuser(one.shard.primary) as primary:
        for pid in senders(one.shard.primary):
            os.kill(pid, signal.SIGSTOP)
        await primary.execute("SELECT pg_logical_emit_message(false, 'x', 'one')")
        await primary.execute("SELECT pg_logical_emit_message(true, 'x', 'another')")
        seen = (await lease.standing(primary, one.shard.replica.name)).position
        received = await connection.fetchval("SELECT pg_last_wal_receive_lsn()::text")
        async with asyncio.timeout(60):
            while await connection.fetchval("SELECT pg_last_wal_replay_lsn()::text") != received:  # noqa: ASYNC110 - its state
                await asyncio.sleep(0.02)
        return seen, parse(received)


async def test_what_a_failover_lost_is_reported_to_the_byte_though_the_new_primary_has_written_since() -> None:
    async with pair(kept=False) as one:
        await _followed(one)
        _, received = await _unsent(one)
        assert await one.keeper._hear(0)
        seen = one.keeper._watches[0].seen
        assert seen is not None
        one.shard.remember(alone=False)
        one.shard.primary.folder.rename(one.shard.primary.folder.with_name("lost"))
        await one.keeper._replace(0)
        (failover,) = one.keeper.failovers
        assert failover.behind_bytes == seen - received > 0
        assert Replicated(one.servers.folder, one.shard.primary.run, 0).record.failovers == (failover,)


async def _followed(one: Pair) -> None:
    """Wait until the replica has what the primary has."""
    async with one.shard.superuser(one.shard.primary) as connection, asyncio.timeout(60):
        while True:
            standing = await lease.standing(connection, one.shard.replica.name)
            if standing.confirmed == standing.position:
                return
            await asyncio.sleep(0.02)


async def test_a_primary_whose_folder_was_renamed_is_ended_nevertheless() -> None:
    """It is stopped, and nobody finds it by its folder: it must not come back beside the new one."""
    async with pair() as one:
        await one.synchronous()
        old = one.shard.primary
        stopped = signal_all(old, signal.SIGSTOP)
        old.folder.rename(old.folder.with_name("elsewhere"))
        await one.until(lambda: one.keeper.failovers)
        assert not old.alive
        assert not [pid for pid in stopped if started(pid)]


async def test_nobody_promotes_while_the_primary_comes_back() -> None:
    """Else both would be primaries, and the old one's lease still runs."""
    async with pair(kept=False) as one:
        one.shard.remember(alone=False)
        await _followed(one)
        signal_all(one.shard.primary, signal.SIGKILL)
        await one.until(lambda: not one.shard.primary.alive)
        restarting = asyncio.create_task(one.keeper._tend_primary(0))
        await asyncio.sleep(0)
        with pytest.raises(PromotionRefusedError, match="being changed already"):
            await one.keeper.promote(0)
        await restarting
        assert one.keeper.restarts == 1
        assert one.shard.primary.alive


async def test_a_primary_that_nothing_can_replace_has_all_the_time_to_recover(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pair(kept=False) as one:
        one.shard.remember(alone=False)
        monkeypatch.setattr(keeper, "RESTART_SECONDS", 0.0)
        await one.shard.replica.kill()
        signal_all(one.shard.primary, signal.SIGKILL)
        await one.until(lambda: not one.shard.primary.alive)
        await one.keeper._replace(0)
        assert one.keeper.failovers == []
        assert one.shard.primary.alive


async def test_a_promotion_does_not_wait_for_readers_of_the_replica() -> None:
    async with pair() as one:
        await one.synchronous()
        async with one.shard.superuser(one.shard.replica) as reader, one.shard.superuser(one.shard.primary) as owner:
            transaction = reader.transaction()
            await transaction.start()
            # PostgreSQL's own 30 s are as long as the keeper's patience with a promotion.
            assert await reader.fetchval("SHOW max_standby_streaming_delay") == "1s"
            await reader.fetch("SELECT FROM ledger")
            # What it locks its replica has to lock as well, before it goes on.
            await owner.execute("ALTER TABLE ledger ADD COLUMN more int")
            done = await one.keeper.promote(0)
            assert done.primary == one.shard.primary.name
            assert reader.is_closed()


async def test_a_commit_waits_for_a_replica_no_longer_than_its_deadline() -> None:
    async with pair(kept=False) as one:
        org_id = await one.organisation("enterprise")
        await one.shards.run(org_id, lambda tx: tx.execute("INSERT INTO ledger VALUES ($1, $2)", org_id, new_id()))
        await _waited_for(one)
        hanging = signal_all(one.shard.replica, signal.SIGSTOP)
        try:
            with deadlines.deadline(5.0), pytest.raises(CommitUnknownError):
                async with asyncio.timeout(60):
                    await one.shards.run(
                        org_id, lambda tx: tx.execute("INSERT INTO ledger VALUES ($1, $2)", org_id, new_id())
                    )
        finally:
            for pid in hanging:
                os.kill(pid, signal.SIGCONT)


async def _waited_for(one: Pair) -> None:
    """Return when commits wait for the replica."""
    async with one.shard.superuser(one.shard.primary) as connection, asyncio.timeout(60):
        await lease.wait_for(connection, [one.shard.replica.name])
        while not (await lease.standing(connection, one.shard.replica.name)).synchronous:  # noqa: ASYNC110 - its state
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("has_deadline", [True, False])
async def test_what_is_prepared_waits_for_a_replica_no_longer_than_its_deadline_and_is_rolled_back(
    monkeypatch: pytest.MonkeyPatch, *, has_deadline: bool
) -> None:
    monkeypatch.setattr("shared.transactions.branch._PREPARE_SECONDS", 5.0)
    async with pair(kept=False) as one:
        home, other = await one.organisation("enterprise"), await one.organisation("enterprise")

        async def work(branches: Mapping[UUID, Transaction]) -> None:
            for org_id, tx in branches.items():
                await tx.execute("INSERT INTO ledger VALUES ($1, $2)", org_id, new_id())

        transactions = Transactions(one.shards)
        await transactions.run(home, [other], work)
        await _waited_for(one)
        hanging = signal_all(one.shard.replica, signal.SIGSTOP)
        try:
            async with asyncio.timeout(60):
                with contextlib.ExitStack() as stack:
                    if has_deadline:
                        stack.enter_context(deadlines.deadline(5.0))
                    refused = stack.enter_context(pytest.raises(Problem))
                    await transactions.run(home, [other], work)
            slug = "deadline-exceeded" if has_deadline else "transactions-unavailable"
            assert refused.value.slug == slug
        finally:
            for pid in hanging:
                os.kill(pid, signal.SIGCONT)
        async with asyncio.timeout(60):
            while await prepared(one.shards, 0):
                await recover(one.shards, older_than_seconds=0)
        assert [len(await one.written(org_id)) for org_id in (home, other)] == [1, 1]
        await transactions.run(home, [other], work)


async def test_a_keeper_that_had_no_time_itself_blames_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pair(kept=False) as one:
        one.shard.remember(alone=False)
        monkeypatch.setattr(keeper, "ANSWER_SECONDS", -1.0)  # as if its question had been answered while it stood still
        one.keeper._watches[0].heard -= 100.0
        await one.keeper._tend_primary(0)
        assert one.keeper.failovers == []
        assert one.shard.primary.alive


async def test_a_primary_that_lacks_only_a_processor_is_waited_for_and_one_that_hangs_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(keeper, "ANSWER_SECONDS", 1.0)
    async with pair(kept=False) as one:
        clock = ManualClock()
        watcher, first, pid = _watched(one, tmp_path, clock)
        _says_of_waits(tmp_path, pid, seconds=0.0)
        async with asyncio.timeout(60):
            while not await watcher._hear(0):
                pass
        await _followed(one)
        one.shard.remember(alone=False)
        signal_all(first, signal.SIGSTOP)
        for silent in (5.0, 10.0):
            clock.advance(5.0)
            _says_of_waits(tmp_path, pid, seconds=silent / 2)
            await watcher._tend_primary(0)
            assert first.alive
        (said,) = watcher.status()
        assert (said["primary"], said["silent_seconds"], said["starved"], said["starvations"]) == (
            first.name, 10.0, True, 1,
        )  # fmt: skip
        clock.advance(0.1)  # it got a processor, and does not answer all the same
        await watcher._tend_primary(0)
        assert [failover.generation for failover in watcher.failovers] == [2]
        assert not first.alive
        assert not watcher.status()[0]["starved"]


def _watched(one: Pair, proc: Path, clock: ManualClock) -> tuple[Keeper, Postgres, int]:
    """Give a keeper that is told by a folder who has no processor, the primary, and its process."""
    primary = one.shard.primary
    assert primary.process is not None
    return Keeper(one.servers.replicated, Processors(proc), clock), primary, primary.process.pid


def _says_of_waits(proc: Path, pid: int, *, seconds: float) -> None:
    """Let a folder say, as /proc does, for how long a process has waited for a processor."""
    folder = proc / str(pid)
    folder.mkdir(exist_ok=True)
    (folder / "schedstat").write_text(f"1 {int(seconds * 1e9)} 1\n")


async def test_nobody_is_waited_for_without_an_end(tmp_path: Path) -> None:
    async with pair(kept=False) as one:
        clock = ManualClock()
        watcher, _, pid = _watched(one, tmp_path, clock)
        _says_of_waits(tmp_path, pid, seconds=1e6)
        clock.advance(keeper.STARVED_SECONDS - 1)
        assert watcher._is_starved(0)
        clock.advance(1)
        assert not watcher._is_starved(0)


async def test_a_rewind_that_was_cut_off_is_not_built_upon() -> None:
    async with pair(kept=False) as one:
        folder = one.shard.replica.folder
        (folder.parent / f"{folder.name}.rewinding").touch()
        before = folder.stat().st_ino
        one.shard.remember(apart=True)
        await one.shard.start_replica()
        assert folder.stat().st_ino != before  # copied anew
        assert not (folder.parent / f"{folder.name}.rewinding").exists()


async def test_a_lost_record_is_not_guessed_and_its_generation_is_taken_from_the_data() -> None:
    async with pair(kept=False) as one:
        async with one.shard.superuser(one.shard.primary) as connection:
            await lease.renew(connection, 7)
        (one.servers.folder / "shard-0.json").unlink()
        await one.servers.stop()
        with pytest.raises(ServerError, match=r"shard-0\.json is gone"):
            Replicated(one.servers.folder, one.shard.primary.run, 0)
        one.shard.replica.folder.rename(one.servers.folder / "away")
        again = Servers(one.servers.folder, one.shard.primary.run, shards=1, replicas=1)
        await again.start()
        try:
            await Keeper(again.replicated).start()
            assert again.replicated[0].record.generation == 7
        finally:
            await again.stop()


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
            await connection.execute(
                "INSERT INTO directory.data_keys (org_id, region, key_id, wrapped)"
                f" VALUES ('{writer.org_id}', 'us-west', gen_random_uuid(), '')"
            )
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
        stranger = new_id()
        for org_id, write in (
            (
                stranger,
                f"INSERT INTO directory.organisations (org_id, shard, region) VALUES ('{stranger}', 0, 'us-west')",
            ),
            (stranger, f"INSERT INTO tenants (org_id, epoch) VALUES ('{stranger}', 1)"),
            (writer.org_id, "DELETE FROM directory.data_keys"),
            (
                writer.org_id,
                "INSERT INTO directory.ended_sessions (org_id, kind, subject, kept_until)"
                f" VALUES ('{writer.org_id}', 'void', 'all', now())",
            ),
        ):
            with pytest.raises(ShardUnavailableError) as caught:
                async with alone.directory.transaction(f"SET LOCAL hal9.org_id='{org_id}'") as tx:
                    await tx.execute(write)
            assert "the lease of this primary is over" in str(caught.value.__cause__)
        await alone.close()
        connection = await hosts.connect(old.dsn("hal9_owner"))
        assert await connection.fetchval("SELECT count(*) FROM ledger") == 0
        await connection.close()
        writing = asyncio.create_task(writer.write())
        await writer.more(
            5
        )  # who knew the old one goes on to the new one, though the old one still says that it is one
        writer.over = True
        await writing
        await old.kill()
