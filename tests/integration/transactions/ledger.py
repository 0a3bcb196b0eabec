"""Accounts of organisations on all shards, transfers between them, and an audit that sees through every wall.

Run as a program it transfers money until it is killed or has made `--count` transfers, and prints the id of each one
that was acknowledged; with `--recover` it does what upkeep's sweep does, once:

    python -m tests.integration.transactions.ledger --count 100 --seed 7 ORGANISATION ORGANISATION …
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from shared.database import DatabaseSettings
from shared.identifiers import new_id
from shared.problems import Problem
from shared.settings import load
from shared.shards import Shards
from shared.transactions import Transactions, recover

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knative.platform.servers import Servers
    from shared.database import Transaction

OPENING_BALANCE = 1000

TABLES = """
CREATE TABLE accounts (org_id uuid PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));
CREATE TABLE entries (org_id uuid, transfer uuid, amount bigint NOT NULL, PRIMARY KEY (org_id, transfer));
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
ALTER TABLE entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE entries FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON accounts TO hal9_app USING (org_id = current_setting('hal9.org_id', true)::uuid);
CREATE POLICY own ON entries TO hal9_app USING (org_id = current_setting('hal9.org_id', true)::uuid);
GRANT SELECT, INSERT, UPDATE ON accounts, entries TO hal9_app;
"""


async def create_tables(servers: Servers) -> None:
    await as_owner(servers, TABLES)


async def drop_tables(servers: Servers) -> None:
    await as_owner(servers, "SET lock_timeout = '5s'; DROP TABLE accounts, entries")


async def as_owner(servers: Servers, sql: str) -> None:
    for dsn in servers.shards_admin_dsn.split(","):
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


async def organisation_on(shards: Shards, shard: int) -> UUID:
    """A new organisation on that shard: of as many as it takes."""
    while (await shards.create_organisation(org_id := new_id(), "us-west")).shard != shard:
        pass
    return org_id


async def account_on(shards: Shards, shard: int) -> UUID:
    """A new organisation on that shard, with an account."""
    org_id = await organisation_on(shards, shard)
    async with shards.transaction(org_id) as tx:
        await tx.execute("INSERT INTO accounts VALUES ($1, $2)", org_id, OPENING_BALANCE)
    return org_id


async def post(tx: Transaction, org_id: UUID, transfer: UUID, amount: int) -> None:
    """Book an amount at one organisation, once."""
    status = await tx.execute(
        "INSERT INTO entries VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", org_id, transfer, amount
    )
    if status == "INSERT 0 1":
        await tx.execute("UPDATE accounts SET balance = balance + $2 WHERE org_id = $1", org_id, amount)


async def pay(transactions: Transactions, giver: UUID, takers: Sequence[UUID], transfer: UUID) -> None:
    """Give one to each taker, once."""

    async def work(branches: Mapping[UUID, Transaction]) -> None:
        await post(branches[giver], giver, transfer, -len(takers))
        for taker in takers:
            await post(branches[taker], taker, transfer, 1)

    await transactions.run(giver, takers, work)


async def enter(transactions: Transactions, giver: UUID, takers: Sequence[UUID], transfer: UUID) -> None:
    """The same in the books alone: nobody waits for anybody's account."""

    async def work(branches: Mapping[UUID, Transaction]) -> None:
        for org_id, tx in branches.items():
            amount = -len(takers) if org_id == giver else 1
            await tx.execute("INSERT INTO entries VALUES ($1, $2, $3)", org_id, transfer, amount)

    await transactions.run(giver, takers, work)


@dataclass
class Audit:
    """What the books say, over all shards.

    Attributes:
        accounts: organisation -> balance.
        transfers: transfer -> organisation -> amount.
        prepared: names of the branches that are prepared.
        decisions: how many there are.
    """

    accounts: dict[UUID, int] = field(default_factory=dict)
    transfers: dict[UUID, dict[UUID, int]] = field(default_factory=lambda: defaultdict(dict))
    prepared: list[str] = field(default_factory=list)
    decisions: int = 0

    def require_sound(self) -> None:
        """No money was made or lost, no transfer is half there, nothing is left prepared."""
        assert self.prepared == []
        assert sum(self.accounts.values()) == OPENING_BALANCE * len(self.accounts)
        assert {sum(amounts.values()) for amounts in self.transfers.values()} <= {0}
        for org_id, balance in self.accounts.items():
            booked = sum(amounts.get(org_id, 0) for amounts in self.transfers.values())
            assert balance == OPENING_BALANCE + booked


async def audit(servers: Servers, organisations: Sequence[UUID] = ()) -> Audit:
    """Read the books of these organisations, or of all."""
    found = Audit()
    for dsn in servers.shards_admin_dsn.split(","):
        connection = await asyncpg.connect(dsn)
        try:
            for row in await connection.fetch("SELECT * FROM accounts"):
                if not organisations or row["org_id"] in organisations:
                    found.accounts[row["org_id"]] = row["balance"]
            for row in await connection.fetch("SELECT * FROM entries"):
                if not organisations or row["org_id"] in organisations:
                    found.transfers[row["transfer"]][row["org_id"]] = row["amount"]
            prepared = await connection.fetch("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
            found.prepared += [row["gid"] for row in prepared]
            found.decisions += await connection.fetchval("SELECT count(*) FROM dtx")
        finally:
            await connection.close()
    return found


async def _transfer_on_and_on(organisations: Sequence[UUID], given: argparse.Namespace) -> None:
    chance = random.Random(given.seed)
    shards = Shards.open(load(DatabaseSettings), application_name="ledger")
    transactions = Transactions(shards)
    made = 0
    while made < given.count:
        giver, *takers = chance.sample(organisations, given.parties or chance.choice((2, 2, 3)))
        transfer = new_id()
        try:
            await pay(transactions, giver, takers, transfer)
        except (Problem, asyncpg.PostgresError) as error:
            # As whoever asks would: a moment later, something else.
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            await asyncio.sleep(0.02)
            continue
        made += 1
        sys.stdout.write(f"{transfer}\n")
        sys.stdout.flush()
    await shards.close()


async def _recover() -> None:
    shards = Shards.open(load(DatabaseSettings), application_name="ledger")
    await recover(shards, older_than_seconds=0)
    await shards.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--parties", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recover", action="store_true")
    parser.add_argument("organisations", nargs="*", type=UUID)
    given = parser.parse_args()
    asyncio.run(_recover() if given.recover else _transfer_on_and_on(given.organisations, given))


if __name__ == "__main__":
    main()
