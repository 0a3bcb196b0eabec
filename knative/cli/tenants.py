"""`hal9 tenants`: for the platform's operator, move organisations between shards, and pin them to a region."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from knative.cli import moving, tables
from knative.cli.organisationnames import organisation
from knative.cli.servers import admin_addresses, administered
from knative.cli.shards import region_name
from shared.placement import copies, moves, residency

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from shared.placement.moves import Move

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


_ORGANISATION = click.argument("org_id", metavar="ORGANISATION", callback=organisation)


@click.group("tenants")
def command() -> None:
    """Move organisations between shards while they work, and pin them to a region.

    Reads HAL9_SHARDS_ADMIN (and HAL9_SHARDS_LINKS, HAL9_CACHE_URL), else the local platform that runs. ORGANISATION is
    a slug or an id.

    \b
    The servers need wal_level = logical, and the role hal9_owner REPLICATION and pg_create_subscription, as
    shared/database/bootstrap.sql has it; its addresses need their passwords. HAL9's own servers have all that.
    """


@command.command("move")
@_ORGANISATION
@click.option("--to", "target", type=click.IntRange(0, 255), help="The shard.")
@click.option("--cancel", is_flag=True, help="Take back a move that has not been cut over.")
@click.option(
    "--retain", "retain_seconds", type=click.IntRange(0), default=moving.RETAIN_SECONDS, show_default=True,
    help="Seconds for which the old copy is kept, read-only.",
)  # fmt: skip
@click.option(
    "--patience", type=click.FloatRange(1), default=moving.PATIENCE_SECONDS, show_default=True,
    help="Seconds that a server may be away before the command ends.",
)  # fmt: skip
@_JSON
def move(
    org_id: UUID, *, target: int | None, cancel: bool, retain_seconds: int, patience: float, as_json: bool
) -> None:
    """Move ORGANISATION to another shard while it works; or go on with a move that was cut off.

    Rows are copied and followed, every one is compared, then writers wait for some tens of milliseconds. What is in the
    object store stays where it is.

    \b
    Exit codes:
      0    it is there; with --cancel: it stays where it was
      1    it is where it was, or the move stands: the text says which, and what to do; with --cancel: it is there, as
           it had been cut over
      130  interrupted: the same command goes on with it
    """
    if cancel is (target is not None):
        raise click.UsageError("Give --to SHARD, or --cancel.")

    async def work() -> Move:
        async with moving.mover(quiet=as_json, patience=patience) as mover:
            if target is None:
                return await mover.cancel(org_id)
            return await mover.move(org_id, target, retain_seconds=retain_seconds)

    done = moving.run(work())
    if cancel and done.step == "cancelled":
        click.echo(json.dumps(moving.document(done)) if as_json else f"{org_id} stays on shard {done.source}.")
        return
    moving.ended(done, as_json=as_json)
    if cancel:
        click.echo("It had been cut over, and could not be taken back: move it again, to where it was.", err=True)
        sys.exit(1)


@command.command("moves")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
@_JSON
def list_moves(*, limit: int, as_json: bool) -> None:
    """List moves: those that are not over, then the last ones that are."""

    async def work() -> list[Move]:
        async with administered() as directory:
            return await moves.listed(directory, limit)

    found = moving.run(work())
    if as_json:
        click.echo(json.dumps([moving.document(one) for one in found], indent=2))
    else:
        _table(found)


@command.command("clean")
@click.option("--all", "every", is_flag=True, help="Also copies that are to be kept for longer.")
@_JSON
def clean(*, every: bool, as_json: bool) -> None:
    """Drop the copies that moves left behind and that were kept for long enough, as upkeep does by the clock."""

    async def work() -> list[Move]:
        return await copies.drop(admin_addresses(), due=not every)

    dropped = moving.run(work())
    if as_json:
        click.echo(json.dumps([moving.document(one) for one in dropped], indent=2))
    else:
        click.echo(f"{len(dropped)} old copies are dropped.")


@command.command("pin")
@_ORGANISATION
@click.option("--region", callback=lambda c, p, v: v if v is None else region_name(c, p, v), help="Instead of its own.")
@_JSON
def pin(org_id: UUID, *, region: str | None, as_json: bool) -> None:
    """Pin ORGANISATION to its region: it is never placed or moved outside it. Refused when it is elsewhere now."""

    async def work() -> str:
        async with administered() as directory:
            return await residency.pin(directory, org_id, region)

    pinned = moving.run(work())
    told = {"organisation": str(org_id), "region": pinned, "pinned": True}
    click.echo(json.dumps(told) if as_json else f"{org_id} is pinned to {pinned}.")


@command.command("unpin")
@_ORGANISATION
@_JSON
def unpin(org_id: UUID, *, as_json: bool) -> None:
    """Let ORGANISATION leave its region."""

    async def work() -> None:
        async with administered() as directory:
            await residency.unpin(directory, org_id)

    moving.run(work())
    told = {"organisation": str(org_id), "pinned": False}
    click.echo(json.dumps(told) if as_json else f"{org_id} may leave its region.")


def _table(found: Sequence[Move]) -> None:
    from rich.table import Table

    table = Table("ORGANISATION", "FROM", "TO", "STEP", "ROWS", "PAUSE", "CHANGED", "REASON", box=None, pad_edge=False)
    for one in found:
        table.add_row(
            str(one.org_id),
            str(one.source),
            str(one.target),
            one.step if one.dropped_at is None else "finished, dropped",
            "-" if one.rows is None else str(one.rows),
            "-" if one.pause_ms is None else f"{one.pause_ms:.0f} ms",
            one.changed_at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            tables.stranger(one.reason or "-"),  # with what servers say, brackets and all
        )
    tables.console().print(table)
