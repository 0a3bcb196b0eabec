"""The home's COMMIT is sent, and its answer never comes: the coordinator asks, and never guesses."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import pytest

from shared import chaos
from shared.database import CommitUnknownError, DatabaseSettings
from shared.identifiers import new_id
from shared.settings import load
from shared.shards import Shards
from shared.transactions import Transactions, points, recover
from tests.integration.transactions.ledger import audit, pay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from knative.platform.servers import Servers

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""PostgreSQL's protocol, 54.7: a simple query."""

Loss = Literal["the answer", "the answer, and the way", "the question"]


class Wire:
    """A wire to a server that is cut at the first COMMIT after it was told to.

    Args:
        server: The server's socket.
        loss: What gets lost: the answer; the answer and every connection after it; or COMMIT itself.
    """

    def __init__(self, server: Path, loss: Loss) -> None:
        self._server = server
        self._loss = loss
        self.armed = False
        self.cut = False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.cut and self._loss == "the answer, and the way":
            writer.close()
            return
        from_server, to_server = await asyncio.open_unix_connection(str(self._server))
        back = asyncio.create_task(self._pass_on(from_server, writer))
        try:
            while said := await reader.read(65536):
                if self.armed and not self.cut and COMMIT in said:
                    self.cut = True
                    if self._loss == "the question":
                        return
                    back.cancel()
                    to_server.write(said)
                    await from_server.read(65536)  # the server has committed
                    return
                to_server.write(said)
                await to_server.drain()
        finally:
            back.cancel()
            writer.close()
            to_server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(65536):
            writer.write(said)
            await writer.drain()
        writer.close()

    def at(self, point: str) -> None:
        """Be told at the point before the home commits."""
        if point == points.WRITTEN:
            self.armed = True


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@asynccontextmanager
async def over_wire(servers: Servers, folder: Path, loss: Loss) -> AsyncIterator[tuple[Wire, Shards]]:
    """The shards, the first one over such a wire."""
    home, *others = servers.postgres
    wire = Wire(home.run / f".s.PGSQL.{home.port}", loss)
    listening = await asyncio.start_unix_server(wire.carry, str(folder / ".s.PGSQL.5432"))
    dsns = [f"postgresql://hal9_app@/hal9?host={quote(str(folder), safe='/')}&port=5432"]
    dsns += [one.dsn("hal9_app") for one in others]
    shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": ",".join(dsns), "HAL9_POOL_STAGGER_SECONDS": "0"}))
    try:
        yield wire, shards
    finally:
        await shards.close()
        listening.close()


@pytest.mark.parametrize("loss", ["the answer", "the question"])
async def test_the_coordinator_learns_what_became_of_it(
    servers: Servers, short_folder: Path, accounts: list[UUID], loss: Loss
) -> None:
    transfer = new_id()
    async with over_wire(servers, made(short_folder / loss.replace(" ", "-")), loss) as (wire, shards):
        with chaos.observed(wire.at):
            await pay(Transactions(shards), accounts[0], accounts[1:], transfer)
        assert wire.cut
    books = await audit(servers, accounts)
    books.require_sound()
    assert books.transfers == {transfer: {accounts[0]: -2, accounts[1]: 1, accounts[2]: 1}}


async def test_a_coordinator_that_cannot_ask_leaves_everything_to_recovery(
    servers: Servers, shards: Shards, short_folder: Path, accounts: list[UUID]
) -> None:
    transfer = new_id()
    async with over_wire(servers, made(short_folder / "away"), "the answer, and the way") as (wire, cut_off):
        with chaos.observed(wire.at), pytest.raises(CommitUnknownError):
            await pay(Transactions(cut_off), accounts[0], accounts[1:], transfer)
    assert len((await audit(servers, accounts)).prepared) == 2
    assert (await recover(shards, older_than_seconds=0))["committed"] == 2
    books = await audit(servers, accounts)
    books.require_sound()
    assert list(books.transfers) == [transfer]


async def test_who_is_cancelled_while_it_commits_rolls_nothing_back(
    servers: Servers, shards: Shards, accounts: list[UUID]
) -> None:
    transfer = new_id()

    def cancelling(point: str) -> None:
        if point == points.WRITTEN:  # COMMIT is on its way when the cancellation arrives
            asyncio.get_running_loop().call_soon(task.cancel)

    with chaos.observed(cancelling):
        task = asyncio.create_task(pay(Transactions(shards), accounts[0], accounts[1:], transfer))
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(30):
        while (await audit(servers, accounts)).prepared:
            await recover(shards, older_than_seconds=0)
    (await audit(servers, accounts)).require_sound()
