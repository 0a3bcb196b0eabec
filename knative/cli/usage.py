"""`hal9 usage`: what the organisation uses, and what its tier allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from knative.cli import tables
from knative.cli.connection import connected

if TYPE_CHECKING:
    from shared.quotas.wire import MeterView, Usage

_COLOURS: Final = {"within": "green", "warned": "yellow", "reached": "red"}
_UNITS: Final = {"micro-dollar": (1_000_000, "USD"), "byte": (2**30, "GiB")}


@click.command("usage")
@click.option("--month", metavar="YYYY-MM", help="The month (UTC); the present one, when left out.")
@click.option(
    "--hours", type=click.IntRange(0, 168), default=0, help="Of so many last hours, show what was used in each."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(month: str | None, hours: int, *, as_json: bool) -> None:
    """Show what your organisation uses, and what its tier allows.

    From 80 % of a limit on there is a warning; what would be more than the limit is refused. Meters that nothing counts
    yet are marked with a *.
    """
    with connected(quiet=as_json) as client:
        found = client.usage.get(month=month, hours=hours)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _show(found)


def _show(found: Usage) -> None:
    from rich.table import Table

    click.echo(f"{found.month}, tier {found.tier}")
    table = Table("METER", "USED", "RESERVED", "WARNING AT", "LIMIT", "STATE", box=None, pad_edge=False)
    for one in found.meters:
        name = one.meter if one.metered else f"{one.meter} *"
        amounts = (_amount(one, amount) for amount in (one.used, one.reserved, one.soft, one.hard))
        table.add_row(name, *amounts, f"[{_COLOURS[one.state]}]{one.state}[/]")
    tables.console().print(table)
    if found.hours:
        hourly = Table("HOUR", "METER", "AMOUNT", box=None, pad_edge=False)
        for hour in found.hours:
            hourly.add_row(hour.hour.astimezone().strftime("%Y-%m-%d %H:%M"), hour.meter, f"{hour.amount:,}")
        tables.console().print()
        tables.console().print(hourly)


def _amount(one: MeterView, amount: int) -> str:
    """Give an amount as people read it: money in USD, bytes in GiB."""
    factor, unit = _UNITS.get(one.unit, (1, ""))
    return f"{amount:,}" if factor == 1 else f"{amount / factor:,.2f} {unit}"
