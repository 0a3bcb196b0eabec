"""`hal9 pools`: how many connections all instances may open, against what the servers allow."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from knative.cli.servers import admin_addresses
from knative.description import DescriptionError, FunctionDescription, load_all
from knative.render import connections
from shared.pools import HEADROOM, Plan, Server
from shared.pools.limits import LimitsUnreadableError, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shared.pools import Advice, Holder

_FUNCTIONS: Final = Path(__file__).resolve().parents[2] / "functions"
_RESERVED: Final = 3
_SHARDS: Final = 3


@click.group("pools")
def command() -> None:
    """Plan the connections between instances and databases."""


@command.command("plan")
@click.option("--environment", default="production", show_default=True, help="`production`, `trial`, or `single-node`.")
@click.option(
    "--max-connections",
    "given",
    multiple=True,
    type=click.IntRange(1),
    help="A server's max_connections, instead of asking it; repeat it for each server, in shard order.",
)
@click.option("--reserved", type=click.IntRange(0), help="With --max-connections: for superusers; 3 when left out.")
@click.option("--shards", "count", type=click.IntRange(1), help="With --max-connections: shards; 3 when left out.")
@click.option("--pool-size", type=click.IntRange(1, 100), help="Try this pool in every deployment.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    environment: str,
    given: tuple[int, ...],
    reserved: int | None,
    count: int | None,
    pool_size: int | None,
    as_json: bool,
) -> None:
    """Show the arithmetic of connections, and refuse what could exhaust a server.

    Every deployment counts with its greatest scale times its pool (`connections` in function.toml), twice for the time
    of a roll-out, when two revisions run side by side. The servers are those of HAL9_SHARDS_ADMIN, else of the local
    platform that runs. Exit code 1 when a server could be exhausted, with what to set instead.

    \b
    Example:
      hal9 pools plan --environment production --max-connections 1200
    """
    if not given and (reserved is not None or count is not None):
        raise click.UsageError("--reserved and --shards go with --max-connections: without it the servers are asked.")
    holders = _holders(environment, pool_size)
    servers = _assumed(given, _RESERVED if reserved is None else reserved, count or _SHARDS) if given else _asked()
    made = Plan(servers, holders)
    if as_json:
        click.echo(json.dumps(_document(made, environment), indent=2))
    else:
        _print(made, environment)
    sys.exit(1 if made.faults else 0)


def _holders(environment: str, pool_size: int | None) -> list[Holder]:
    try:
        functions = load_all(_FUNCTIONS)
    except DescriptionError as error:
        raise click.ClickException(str(error)) from None
    known = {name for function in functions for name in function.overrides}
    if environment not in known:
        raise click.UsageError(f"no function.toml knows {environment!r}; there are: {', '.join(sorted(known))}")
    return holders_of(functions, environment, pool_size)


def holders_of(
    functions: Iterable[FunctionDescription], environment: str | None, pool_size: int | None = None
) -> list[Holder]:
    """Give every deployment that has pools.

    Args:
        functions: all of them.
        environment: whose overrides count.
        pool_size: instead of what function.toml says.
    """
    return connections.holders(
        (deployment for function in functions for deployment in function.deployments(environment)), pool_size or 0
    )


def _assumed(given: Sequence[int], reserved: int, count: int) -> list[Server]:
    """A server for each shard."""
    if len(given) not in {1, count}:
        raise click.UsageError(f"{len(given)} times --max-connections for {count} shards: give it once, or for each")
    if min(given) <= reserved:
        raise click.UsageError(f"--max-connections {min(given)} with --reserved {reserved} leaves no connection")
    each = list(given) * (count // len(given))
    return [
        Server(f"server of shard {number}", (number,), most, superuser_reserved=reserved)
        for number, most in enumerate(each)
    ]


def _asked() -> list[Server]:
    try:
        return asyncio.run(read(admin_addresses()))
    except LimitsUnreadableError as error:
        raise click.ClickException(f"{error}. Check the addresses, or say --max-connections.") from error


def _document(made: Plan, environment: str) -> dict[str, object]:
    return {
        "environment": environment,
        "headroom": HEADROOM,
        "holders": [
            {**dataclasses.asdict(one), "steady": one.steady, "surge": one.surge}
            for one in (*made.holders, *made.standing)
        ],
        "servers": [
            {
                **dataclasses.asdict(use.server),
                "limit": use.server.limit,
                "steady": use.steady,
                "most_steady": use.most_steady,
                "surge": use.surge,
                "most_surge": use.most_surge,
            }
            for use in made.uses
        ],
        "faults": list(made.faults),
        "advice": dataclasses.asdict(made.advice()),
    }


def _print(made: Plan, environment: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    holders = Table(box=box.SIMPLE_HEAD, title=f"Connections to each shard, {environment}", title_justify="left")
    for heading in ("held by", "instances", "pool", "at most", "in a roll-out"):
        holders.add_column(heading, justify="left" if heading == "held by" else "right")
    for one in (*made.holders, *made.standing):
        holders.add_row(one.name, str(one.instances), str(one.connections), str(one.steady), str(one.surge))
    holders.add_section()
    holders.add_row("together", "", "", str(made.steady), str(made.surge))
    console.print(holders)
    for use in made.uses:
        console.print(_arithmetic(use.server), markup=False)
        for what, wanted, most in (
            (f"at most {HEADROOM:g} x {use.server.limit}", use.steady, use.most_steady),
            ("in a roll-out", use.surge, use.most_surge),
        ):
            sign, style = ("<=", "") if wanted <= most else (">", "red")
            console.print(f"  {what}: {wanted} {sign} {most}", style=style, markup=False)
    if made.faults:
        console.print("\nThis could exhaust a server. Any one of these is enough:", style="red")
        for line in _choices(made.advice()):
            click.echo(f"  - {line}")


def _arithmetic(server: Server) -> str:
    parts = [f"max_connections {server.max_connections}"]
    parts += [f"{count} {name}" for count, name in _taken(server) if count]
    return f"{server.name}: {' - '.join(parts)} = {server.limit}"


def _taken(server: Server) -> tuple[tuple[int, str], ...]:
    return (
        (server.superuser_reserved, "for superusers"),
        (server.reserved, "reserved"),
        (server.others, "held by others"),
    )


def _choices(advice: Advice) -> list[str]:
    lines = []
    if advice.connections:
        lines.append(
            f"a pool of {advice.connections}: `connections = {advice.connections}` under [resources] in function.toml, "
            f"or `hal9 render --pool-size {advice.connections}`"
        )
    lines.append(f"max_connections of at least {_each(advice.max_connections)}")
    if all(advice.pooler_pool.values()):
        lines.append(
            "PgBouncer >= 1.21 in transaction mode with max_prepared_statements: for each shard "
            f"max_db_connections {_each(advice.pooler_pool)} and max_client_conn {advice.pooler_clients}"
        )
    lines.append("a smaller `max` under [scale]")
    return lines


def _each(counts: Mapping[str, int]) -> str:
    """One number when it is the same for every server."""
    if len(set(counts.values())) == 1:
        return str(next(iter(counts.values())))
    return ", ".join(f"{count} ({name})" for name, count in counts.items())
