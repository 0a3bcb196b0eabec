"""Transactions over several organisations: all or nothing, under everybody's own walls, fences and locks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from knative.platform.servers.postgres import SETTINGS
from shared import chaos
from shared.clock import ManualClock
from shared.database import DatabaseSettings
from shared.identifiers import new_id
from shared.problems import Problem
from shared.settings import load
from shared.shards import Shards
from shared.transactions import Gid, Transactions, points, prepared
from tests.integration.transactions.ledger import OPENING_BALANCE, account_on, as_owner, audit, pay, post

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.database import Transaction


async def test_all_of_it_is_done_on_every_shard(
    servers: Servers, transactions: Transactions, accounts: list[UUID]
) -> None:
    giver, *takers = accounts
    await pay(transactions, giver, takers, transfer := new_id())
    books = await audit(servers, accounts)
    books.require_sound()
    assert books.transfers == {transfer: {giver: -2, takers[0]: 1, takers[1]: 1}}


async def test_every_branch_waits_for_its_replica_and_for_no_lock_for_long(
    transactions: Transactions, accounts: list[UUID]
) -> None:
    """Whatever the server, or the tier, would have."""

    async def work(branches: Mapping[UUID, Transaction]) -> list[tuple[str, str]]:
        return [
            (await tx.fetchval("SHOW synchronous_commit"), await tx.fetchval("SHOW lock_timeout"))
            for tx in branches.values()
        ]

    assert await transactions.run(accounts[0], accounts[1:], work) == [("on", "2s")] * 3


async def test_organisations_on_one_shard_take_the_same_way(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    neighbour = await account_on(shards, 0)
    await pay(transactions, accounts[0], [neighbour], transfer := new_id())
    books = await audit(servers, [accounts[0], neighbour])
    books.require_sound()
    assert books.transfers[transfer] == {accounts[0]: -1, neighbour: 1}


async def test_what_work_gives_is_given_back(transactions: Transactions, accounts: list[UUID]) -> None:
    async def balances(branches: Mapping[UUID, Transaction]) -> list[int]:
        return [await tx.fetchval("SELECT balance FROM accounts") for tx in branches.values()]

    assert await transactions.run(accounts[0], accounts[1:], balances) == [OPENING_BALANCE] * 3


@pytest.mark.parametrize("guilty", [0, 1, 2])
async def test_nothing_is_done_when_one_of_them_fails(
    servers: Servers, transactions: Transactions, accounts: list[UUID], guilty: int
) -> None:
    async def work(branches: Mapping[UUID, Transaction]) -> None:
        for org_id in accounts:
            await post(branches[org_id], org_id, new_id(), 1)
        await branches[accounts[guilty]].execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await transactions.run(accounts[0], accounts[1:], work)
    books = await audit(servers, accounts)
    books.require_sound()
    assert books.transfers == {}


@pytest.mark.parametrize("guilty", [0, 1])
async def test_nothing_is_done_when_a_branch_swallowed_an_error(
    servers: Servers, transactions: Transactions, accounts: list[UUID], guilty: int
) -> None:
    async def work(branches: Mapping[UUID, Transaction]) -> None:
        for org_id in accounts:
            await post(branches[org_id], org_id, new_id(), 1)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await branches[accounts[guilty]].execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await transactions.run(accounts[0], accounts[1:], work)
    books = await audit(servers, accounts)
    books.require_sound()
    assert books.transfers == {}


async def test_a_branch_that_cannot_be_prepared_fails_all(
    servers: Servers, transactions: Transactions, accounts: list[UUID]
) -> None:
    async def work(branches: Mapping[UUID, Transaction]) -> None:
        await post(branches[accounts[0]], accounts[0], new_id(), -1)
        await post(branches[accounts[1]], accounts[1], new_id(), 1)
        await branches[accounts[2]].execute("NOTIFY nobody")

    with pytest.raises(asyncpg.FeatureNotSupportedError):
        await transactions.run(accounts[0], accounts[1:], work)
    books = await audit(servers, accounts)
    books.require_sound()
    assert books.transfers == {}


async def test_a_server_that_takes_no_more_of_them_is_named_as_the_reason(
    servers: Servers, transactions: Transactions, accounts: list[UUID]
) -> None:
    names = [f"full {number}" for number in range(int(SETTINGS["max_prepared_transactions"]))]
    connection = await asyncpg.connect(servers.shards_dsn.split(",")[1])
    try:
        for name in names:
            await connection.execute(f"BEGIN; SELECT 1; PREPARE TRANSACTION '{name}'")
        with pytest.raises(Problem) as caught:
            await pay(transactions, accounts[0], accounts[1:], new_id())
        assert (caught.value.slug, caught.value.status) == ("transactions-unavailable", 503)
        assert caught.value.headers["Retry-After"] == "1"
    finally:
        for name in names:
            await connection.execute(f"ROLLBACK PREPARED '{name}'")
        await connection.close()
    books = await audit(servers, accounts)
    books.require_sound()
    assert books.transfers == {}


async def test_each_branch_sees_its_own_organisation_only(transactions: Transactions, accounts: list[UUID]) -> None:
    async def seen(branches: Mapping[UUID, Transaction]) -> dict[UUID, list[UUID]]:
        query = "SELECT org_id FROM accounts"
        return {org_id: [row["org_id"] for row in await tx.fetch(query)] for org_id, tx in branches.items()}

    assert await transactions.run(accounts[0], accounts[1:], seen) == {org_id: [org_id] for org_id in accounts}

    async def foreign(branches: Mapping[UUID, Transaction]) -> None:
        await post(branches[accounts[1]], accounts[2], new_id(), 1)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await transactions.run(accounts[0], accounts[1:], foreign)


async def test_wrong_parties_are_refused(transactions: Transactions, accounts: list[UUID]) -> None:
    async def work(branches: Mapping[UUID, Transaction]) -> None:
        raise AssertionError("never")

    with pytest.raises(ValueError, match="two or more"):
        await transactions.run(accounts[0], [], work)
    with pytest.raises(ValueError, match="each once"):
        await transactions.run(accounts[0], [accounts[0]], work)
    with pytest.raises(Problem) as caught:
        await transactions.run(accounts[0], [new_id()], work)
    assert caught.value.slug == "organisation-unknown"


async def test_a_deadlock_over_two_servers_is_resolved(servers: Servers, shards: Shards, accounts: list[UUID]) -> None:
    one, other = accounts[:2]
    both_hold_one = asyncio.Barrier(2)
    tries = 0

    async def crosswise(home: UUID, participant: UUID) -> None:
        transfer = new_id()

        async def work(branches: Mapping[UUID, Transaction]) -> None:
            nonlocal tries
            tries += 1
            await post(branches[home], home, transfer, -1)
            if tries <= 2:
                await both_hold_one.wait()
            await post(branches[participant], participant, transfer, 1)

        await Transactions(shards).run(home, [participant], work)

    await asyncio.gather(crosswise(one, other), crosswise(other, one))
    assert tries > 2
    books = await audit(servers, accounts)
    books.require_sound()
    assert len(books.transfers) == 2


async def test_who_waits_for_others_in_vain_is_told_to_come_again(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    """Each try waits for two seconds; then it is no fault of the program's."""
    admin = await asyncpg.connect(servers.shards_admin_dsn.split(",")[1])
    try:
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM accounts WHERE org_id = $1 FOR UPDATE", accounts[1])
            with pytest.raises(Problem) as caught:
                await pay(transactions, accounts[0], [accounts[1]], new_id())
    finally:
        await admin.close()
    assert (caught.value.slug, caught.value.status, caught.value.headers["Retry-After"]) == (
        "transactions-contended", 503, "1",
    )  # fmt: skip
    assert await prepared(shards, 1) == []
    (await audit(servers, accounts)).require_sound()


async def test_who_moves_an_organisation_waits_for_its_branch(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    admin = await asyncpg.connect(servers.shards_admin_dsn.split(",")[1])

    async def work(branches: Mapping[UUID, Transaction]) -> None:
        await post(branches[accounts[0]], accounts[0], new_id(), 0)

    async def fence() -> None:
        await admin.execute("SELECT 1 FROM tenants WHERE org_id = $1 FOR UPDATE NOWAIT", accounts[1])

    try:
        with chaos.observed(_killing(points.PREPARED)), pytest.raises(chaos.Killed):
            await transactions.run(accounts[0], [accounts[1]], work)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await fence()
        [branch] = await prepared(shards, 1)
        await as_app(servers, 1, f"ROLLBACK PREPARED '{branch.gid}'")
        await fence()
    finally:
        await admin.close()


async def test_an_organisation_that_moves_is_waited_for_then_refused(
    servers: Servers, shards: Shards, accounts: list[UUID]
) -> None:
    async def work(branches: Mapping[UUID, Transaction]) -> None:
        raise AssertionError("never")

    clock = ManualClock()
    impatient = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn}), clock=clock)
    await as_owner(servers, f"UPDATE tenants SET state = 'draining' WHERE org_id = '{accounts[1]}'")
    running = asyncio.create_task(Transactions(impatient).run(accounts[0], [accounts[1]], work))
    try:
        async with asyncio.timeout(20):
            while not running.done():
                clock.advance(0.1)
                await asyncio.sleep(0)
        with pytest.raises(Problem) as caught:
            await running
        assert caught.value.slug == "organisation-moving"
    finally:
        await impatient.close()
        await as_owner(servers, f"UPDATE tenants SET state = 'active' WHERE org_id = '{accounts[1]}'")
    (await audit(servers, accounts)).require_sound()


async def test_a_pool_that_is_too_small_is_refused_at_once(servers: Servers, shards: Shards) -> None:
    one, other = await account_on(shards, 1), await account_on(shards, 1)
    settings = load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_SIZE": "1"})
    small = Shards.open(settings)
    try:
        with pytest.raises(Problem) as caught:
            await pay(Transactions(small), one, [other], new_id())
        assert (caught.value.slug, caught.value.status) == ("transactions-unavailable", 503)
        assert "HAL9_POOL_SIZE" in caught.value.detail
    finally:
        await small.close()


async def test_many_at_once_never_wait_for_one_another_s_connections(servers: Servers, shards: Shards) -> None:
    organisations = [await account_on(shards, 2) for _ in range(4)]
    settings = load(DatabaseSettings, {"HAL9_SHARDS": servers.shards_dsn, "HAL9_POOL_SIZE": "2"})
    small = Shards.open(settings)
    transactions = Transactions(small)
    try:
        async with asyncio.timeout(60):
            await asyncio.gather(
                *(pay(transactions, organisations[n % 4], [organisations[(n + 1) % 4]], new_id()) for n in range(20))
            )
    finally:
        await small.close()
    books = await audit(servers, organisations)
    books.require_sound()
    assert len(books.transfers) == 20


async def test_a_cancelled_one_leaves_nothing(
    servers: Servers, transactions: Transactions, accounts: list[UUID]
) -> None:
    at_work = asyncio.Event()

    async def work(branches: Mapping[UUID, Transaction]) -> None:
        for org_id in accounts:
            await post(branches[org_id], org_id, new_id(), 1)
        at_work.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(transactions.run(accounts[0], accounts[1:], work))
    await at_work.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    books = await audit(servers, accounts)
    books.require_sound()
    assert books.transfers == {}


def _killing(at: str) -> Callable[[str], None]:
    def observer(name: str) -> None:
        if name == at:
            raise chaos.Killed

    return observer


async def as_app(servers: Servers, shard: int, sql: str) -> None:
    connection = await asyncpg.connect(servers.shards_dsn.split(",")[shard])
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def test_a_branch_s_name_is_read_as_it_was_written() -> None:
    gid = Gid(new_id(), new_id(), new_id())
    assert Gid.read(str(gid)) == gid
    assert len(str(gid)) < 200
    for foreign in ("", "hal9:", str(gid)[:-1], str(gid) + "0", f"x{gid}", "hal9:" + "g" * 98):
        with pytest.raises(ValueError, match="no branch"):
            Gid.read(foreign)
