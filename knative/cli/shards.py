"""`hal9 shards`: sizes, tenants, slots, what waits in the outbox, replication lag, and who holds connections."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from typing import TYPE_CHECKING

import click

from knative.cli.servers import admin_addresses
from shared.pools import HEADROOM
from shared.shards.survey import ShardReport, survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> None:
    """Show the shards: sizes, tenants, slots, outbox lag, replication lag, connections by deployment.

    Reads HAL9_SHARDS_ADMIN, else the local platform that runs. Exit code 1 when a shard does not answer.
    """
    reports = asyncio.run(survey(admin_addresses()))
    if as_json:
        click.echo(json.dumps([_document(report) for report in reports], indent=2))
    else:
        _print(reports)
    sys.exit(1 if any(report.error for report in reports) else 0)


def _document(report: ShardReport) -> dict[str, object]:
    return {**dataclasses.asdict(report), "connections_used": report.connections_used}


def _print(reports: Sequence[ShardReport]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=box.SIMPLE_HEAD, title="Shards", title_justify="left", padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("shard", "size", "tenants", "slots", "outbox", "conns", "oldest tx", "prepared"):
        table.add_column(heading, justify="right", overflow="fold")  # a wide figure goes on below: none is cut
    for report in reports:
        table.add_row(*_row(report))
    console.print(table)
    pools = Table(box=box.SIMPLE_HEAD, title="Connections by deployment", title_justify="left")
    for heading, side in (
        ("shard", "right"),
        ("deployment", "left"),
        ("held", "right"),
        ("active", "right"),
        ("in transaction", "right"),
    ):
        pools.add_column(heading, justify="right" if side == "right" else "left")
    for report in reports:
        for one in report.connections:
            pools.add_row(
                str(report.shard),
                one.application or "(unnamed)",
                str(one.connections),
                str(one.active),
                str(one.in_transaction),
            )
    if pools.row_count:
        console.print(pools)
    for report in reports:
        _remark(console, report)


def _remark(console: Console, report: ShardReport) -> None:
    """What does not fit into a cell."""
    if report.error:
        console.print(f"shard {report.shard} does not answer: {report.error}", style="red", markup=False)
    elif report.connections_used > HEADROOM * report.connection_limit:
        advice = "`hal9 pools plan` says what to set"
        console.print(f"shard {report.shard} is short of connections: {advice}", style="yellow", markup=False)
    for replica in report.replication:
        seconds = "" if replica.lag_seconds is None else f", {replica.lag_seconds:.1f} s"
        lag = f"{_bytes(replica.lag_bytes)}{seconds} behind"
        console.print(f"shard {report.shard} -> {replica.name} ({replica.state}): {lag}", markup=False)


def _row(report: ShardReport) -> list[str]:
    """One shard's cells; behind a count, the age of the oldest."""
    slots = "?" if report.slots is None else str(report.slots)
    if report.error:
        return [str(report.shard), "-", "-", slots, "-", "-", "-", "-"]
    moving = "".join(f" +{count} {state}" for state, count in sorted(report.tenants.items()) if state != "active")
    return [
        str(report.shard),
        _bytes(report.size_bytes),
        f"{report.tenants.get('active', 0)}{moving}",
        slots,
        _aged(report.outbox_pending, report.outbox_oldest_seconds),
        f"{report.connections_used}/{report.connection_limit}",
        _seconds(report.oldest_transaction_seconds),
        _aged(report.prepared, report.oldest_prepared_seconds),
    ]


def _aged(count: int, seconds: float) -> str:
    return f"{count}, {_seconds(seconds)}" if count else "0"


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
