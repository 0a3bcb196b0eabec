"""Recovery: what it finishes, what it leaves alone, what it forgets; and the operator's commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import asyncpg
import pytest

from shared import chaos
from shared.identifiers import new_id
from shared.telemetry import exposition
from shared.transactions import Gid, Transactions, points, prepared, recover
from tests.integration.data.test_shard_commands import hal9
from tests.integration.transactions.ledger import account_on, audit, pay
from tests.integration.transactions.stepping import Stepper
from tests.setback import clock_was_set_back

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.shards import Shards


def killed_at(point: str) -> Callable[[str], None]:
    def observer(name: str) -> None:
        if name == point:
            raise chaos.Killed

    return observer


async def left_at(point: str, transactions: Transactions, accounts: list[UUID]) -> UUID:
    """Pay, with the coordinator killed at a point; give the transfer's id."""
    transfer = new_id()
    with chaos.observed(killed_at(point)), pytest.raises(chaos.Killed):
        await pay(transactions, accounts[0], accounts[1:], transfer)
    return transfer


async def test_what_was_not_decided_is_rolled_back(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    await left_at(points.PREPARED, transactions, accounts)
    assert len((await audit(servers, accounts)).prepared) == 2
    done = await recover(shards, older_than_seconds=0)
    assert (done["committed"], done["rolled-back"]) == (0, 2)
    books = await audit(servers, accounts)
    books.require_sound()
    assert books.transfers == {}


async def test_what_was_decided_is_committed(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    transfer = await left_at(points.DECIDED, transactions, accounts)
    done = await recover(shards, older_than_seconds=0)
    assert (done["committed"], done["rolled-back"]) == (2, 0)
    books = await audit(servers, accounts)
    books.require_sound()
    assert list(books.transfers) == [transfer]


async def test_what_is_young_is_left_to_its_coordinator(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    await left_at(points.DECIDED, transactions, accounts)
    done = await recover(shards, older_than_seconds=3600)
    assert (done["committed"], done["rolled-back"]) == (0, 0)
    assert (await recover(shards, older_than_seconds=0))["committed"] == 2


async def test_a_decision_of_before_the_clock_was_set_back_is_settled(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    await pay(transactions, accounts[0], accounts[1:], new_id())

    async def unsettled() -> int:
        async with shards.transaction(accounts[0]) as tx:
            count: int = await tx.fetchval(
                "SELECT count(*) FROM dtx WHERE org_id = $1 AND settled_at IS NULL", accounts[0]
            )
        return count

    await recover(shards, older_than_seconds=1800)
    assert await unsettled() == 1
    await clock_was_set_back(servers, 0, accounts[0])
    await recover(shards, older_than_seconds=1800)
    assert await unsettled() == 0


@pytest.mark.parametrize("point", [points.PREPARED_ONE, points.PREPARED, points.WRITTEN])
async def test_a_coordinator_at_work_is_left_alone(
    servers: Servers, shards: Shards, accounts: list[UUID], point: str
) -> None:
    transfer = new_id()
    coordinator = Stepper(servers.shards_dsn, lambda own: pay(Transactions(own), accounts[0], accounts[1:], transfer))
    coordinator.to(point)
    done = await recover(shards, older_than_seconds=0)
    assert done["undecided"] >= 1
    assert (done["committed"], done["rolled-back"]) == (0, 0)
    coordinator.finish()
    assert coordinator.failed is None
    books = await audit(servers, accounts)
    books.require_sound()
    assert list(books.transfers) == [transfer]


@pytest.mark.parametrize("point", [points.DECIDED, points.COMMITTED_ONE])
async def test_a_coordinator_whose_branches_recovery_has_finished_is_content(
    servers: Servers, shards: Shards, accounts: list[UUID], point: str
) -> None:
    transfer = new_id()
    coordinator = Stepper(servers.shards_dsn, lambda own: pay(Transactions(own), accounts[0], accounts[1:], transfer))
    coordinator.to(point)
    assert (await recover(shards, older_than_seconds=0))["rolled-back"] == 0
    coordinator.finish()
    assert coordinator.failed is None
    books = await audit(servers, accounts)
    books.require_sound()
    assert list(books.transfers) == [transfer]


async def test_a_decision_moves_with_its_organisation(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    """The home goes from shard 0 to shard 2 by hand, its decisions with it, while a branch on shard 1 is in doubt."""
    home = accounts[0]
    transfer = await left_at(points.DECIDED, transactions, accounts[:2])
    dsns = servers.shards_admin_dsn.split(",")
    old, new = await asyncpg.connect(dsns[0]), await asyncpg.connect(dsns[2])
    try:
        for table in ("dtx", "accounts", "entries"):
            for row in await old.fetch(f"SELECT * FROM {table} WHERE org_id = $1", home):
                places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
                await new.execute(f"INSERT INTO {table} VALUES ({places})", *row.values())
        await new.execute("INSERT INTO tenants (org_id, epoch) VALUES ($1, 2)", home)
        await old.execute("UPDATE tenants SET state = 'moved' WHERE org_id = $1", home)
        for table in ("dtx", "accounts", "entries"):
            await old.execute(f"DELETE FROM {table} WHERE org_id = $1", home)
        await old.execute("UPDATE directory.organisations SET shard = 2, epoch = 2 WHERE org_id = $1", home)
    finally:
        await old.close()
        await new.close()
    done = await recover(shards, older_than_seconds=0)
    assert (done["committed"], done["rolled-back"]) == (1, 0)
    books = await audit(servers, accounts[:2])
    books.require_sound()
    assert list(books.transfers) == [transfer]


async def test_decisions_are_settled_and_forgotten_when_they_are_old(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    await left_at(points.DECIDED, transactions, accounts)
    admin = await asyncpg.connect(servers.shards_admin_dsn.split(",")[0])
    of_home = "SELECT settled_at IS NOT NULL FROM dtx WHERE org_id = $1"
    try:
        await recover(shards, older_than_seconds=0)
        assert await admin.fetchval(of_home, accounts[0]) is False, "it was needed when that pass began"
        assert (await recover(shards, older_than_seconds=0))["settled"] >= 1
        assert await admin.fetchval(of_home, accounts[0]) is True, "a shard that comes back as it was must find it"
        await admin.execute("UPDATE dtx SET settled_at = now() - interval '25 hours' WHERE org_id = $1", accounts[0])
        await pay(transactions, accounts[0], accounts[1:], new_id())
        assert (await recover(shards, older_than_seconds=0))["forgotten"] >= 1
        assert await admin.fetchval("SELECT count(*) FROM dtx WHERE org_id = $1", accounts[0]) == 1
    finally:
        await admin.close()


async def test_a_mistaken_caller_cannot_forget_what_is_needed(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    transfer = await left_at(points.DECIDED, transactions, accounts)
    for number in range(len(shards)):
        async with shards.database(number).connection() as connection:
            await connection.fetchval("SELECT dtx_forget('-1 day', 1000)")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("DELETE FROM dtx")
    await recover(shards, older_than_seconds=0)
    assert list((await audit(servers, accounts)).transfers) == [transfer]


async def test_what_is_prepared_is_measured(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    await left_at(points.DECIDED, transactions, accounts[:2])
    await recover(shards, older_than_seconds=3600)
    [branch] = await prepared(shards, 1)
    figures = dict(line.rsplit(" ", 1) for line in exposition().splitlines() if line.startswith("hal9_transactions_"))
    assert figures['hal9_transactions_prepared{shard="1"}'] == "1"
    assert 0 < float(figures['hal9_transactions_prepared_oldest_seconds{shard="1"}']) <= branch.age_seconds
    await recover(shards, older_than_seconds=0)
    text = exposition()
    assert 'hal9_transactions_prepared_oldest_seconds{shard="1"} 0' in text.splitlines()


async def test_what_others_prepared_is_left_alone(servers: Servers, shards: Shards, accounts: list[UUID]) -> None:
    gid = Gid(accounts[0], new_id(), accounts[1])
    await as_owner_on(servers, 1, f"BEGIN; SELECT 1; PREPARE TRANSACTION '{gid}'")
    await as_owner_on(servers, 1, "BEGIN; SELECT 1; PREPARE TRANSACTION 'of somebody else'")
    try:
        assert [(one.gid, one.ours) for one in await prepared(shards, 1)] == [(gid, False)]
        done = await recover(shards, older_than_seconds=0)
        assert (done["rolled-back"], done["foreign"]) == (0, 1)
        assert len((await audit(servers)).prepared) == 2
        environment = {"HAL9_SHARDS": servers.shards_dsn}
        shown = await hal9("transactions", "in-doubt", **environment)
        assert "another role prepared it" in shown.stdout
        asked = await hal9("transactions", "resolve", **environment)
        assert (asked.returncode, "1 left, as another role prepared them" in asked.stdout) == (1, True)
        told = await hal9("transactions", "resolve", str(gid), "--roll-back", "--yes", **environment)
        assert (told.returncode, "Another role prepared it" in told.stderr) == (1, True)
    finally:
        await as_owner_on(servers, 1, f"ROLLBACK PREPARED '{gid}'")
        await as_owner_on(servers, 1, "ROLLBACK PREPARED 'of somebody else'")


async def as_owner_on(servers: Servers, shard: int, sql: str) -> None:
    connection = await asyncpg.connect(servers.shards_admin_dsn.split(",")[shard])
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def test_the_operator_sees_what_is_in_doubt_and_resolves_it(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    environment = {"HAL9_SHARDS": servers.shards_dsn, "HAL9_SHARDS_ADMIN": servers.shards_admin_dsn}
    transfer = await left_at(points.DECIDED, transactions, accounts)
    shown = await hal9("transactions", "in-doubt", "--json", **environment)
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)["prepared"]
    assert {(one["home"], one["organisation"], one["verdict"]) for one in found} == {
        (str(accounts[0]), str(taker), "commit") for taker in accounts[1:]
    }
    table = await hal9("transactions", "in-doubt", **environment)
    assert str(accounts[1]) in table.stdout
    late = await hal9("transactions", "in-doubt", "--older-than", "0", "--json", **environment)
    assert late.returncode == 1
    done = await hal9("transactions", "resolve", "--json", **environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["committed"] == 2
    assert list((await audit(servers, accounts)).transfers) == [transfer]
    assert json.loads((await hal9("transactions", "in-doubt", "--json", **environment)).stdout)["prepared"] == []


async def test_the_operator_decides_only_what_nobody_else_can(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    environment = {"HAL9_SHARDS": servers.shards_dsn, "HAL9_SHARDS_ADMIN": servers.shards_admin_dsn}
    await left_at(points.DECIDED, transactions, accounts[:2])
    [branch] = await prepared(shards, 1)
    contrary = await hal9("transactions", "resolve", str(branch.gid), "--roll-back", "--yes", **environment)
    assert contrary.returncode == 1
    assert "commit" in contrary.stderr
    # An organisation that the directory does not know: nobody can say any more what it decided.
    lost = Gid(new_id(), new_id(), accounts[1])
    async with shards.transaction(accounts[1], two_phase=True) as tx:
        await tx.execute(f"PREPARE TRANSACTION '{lost}'")
    asked = await hal9("transactions", "resolve", "--json", **environment)
    assert (asked.returncode, json.loads(asked.stdout)["home-unknown"]) == (1, 1)
    unsure = await hal9("transactions", "resolve", str(lost), "--roll-back", **environment)
    assert unsure.returncode == 2
    done = await hal9("transactions", "resolve", str(lost), "--roll-back", "--yes", "--json", **environment)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"rolled-back": 1})
    assert (await audit(servers)).prepared == []
    again = await hal9("transactions", "resolve", str(lost), "--roll-back", "--yes", **environment)
    assert again.returncode == 1
    assert "not prepared" in again.stderr


async def test_a_shard_that_does_not_answer_hides_nothing_of_the_others(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    """Shard 1 is away: of what it decided nobody knows, of what others decided everything is shown and finished."""
    await left_at(points.DECIDED, transactions, [accounts[1], accounts[2]])
    other, its_taker = await account_on(shards, 0), await account_on(shards, 2)
    await left_at(points.DECIDED, transactions, [other, its_taker])
    addresses = servers.shards_dsn.split(",")
    addresses[1] = addresses[1].replace("port=", "port=1")
    environment = {"HAL9_SHARDS": ",".join(addresses)}
    shown = await hal9("transactions", "in-doubt", "--json", **environment)
    told = json.loads(shown.stdout)
    assert (shown.returncode, told["silent_shards"]) == (1, [1])
    assert {(one["home"], one["verdict"]) for one in told["prepared"]} == {
        (str(accounts[1]), "home-away"), (str(other), "commit"),
    }  # fmt: skip
    assert "Shard 1 does not answer" in (await hal9("transactions", "in-doubt", **environment)).stdout
    done = await hal9("transactions", "resolve", "--json", **environment)
    assert (done.returncode, json.loads(done.stdout)) == (1, {"committed": 1, "home-away": 1, "silent_shards": [1]})
    again = await hal9("transactions", "resolve", **environment)
    assert again.stdout.splitlines() == [
        "1 left, as their homes' shards do not answer", "Shard 1 does not answer: what is prepared there is not known.",
    ]  # fmt: skip
    assert (await recover(shards, older_than_seconds=0))["committed"] == 1
    (await audit(servers, [*accounts, other, its_taker])).require_sound()


async def test_a_branch_that_cannot_be_finished_keeps_no_other_from_it(
    servers: Servers, shards: Shards, transactions: Transactions, accounts: list[UUID]
) -> None:
    """The decisions of one home cannot be read; another's, on the same shards, are carried out."""
    await left_at(points.DECIDED, transactions, accounts)
    other, its_taker = await account_on(shards, 2), await account_on(shards, 1)
    await as_owner_on(servers, 0, "REVOKE SELECT ON dtx FROM hal9_app")
    try:
        await left_at(points.DECIDED, transactions, [other, its_taker])
        done = await recover(shards, older_than_seconds=0)
        assert (done["failed"], done["committed"]) == (2, 1)
    finally:
        await as_owner_on(servers, 0, "GRANT SELECT ON dtx TO hal9_app")
    assert (await recover(shards, older_than_seconds=0))["committed"] == 2
    (await audit(servers, [*accounts, other, its_taker])).require_sound()
