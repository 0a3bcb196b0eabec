"""`hal9 shards`: what is on each shard, and who holds connections; shards are added, emptied and removed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from knative.cli import moving, promotion
from knative.cli.servers import admin_addresses, administered
from shared.placement import RefusedError, fleet, moves, rebalancing
from shared.pools import HEADROOM
from shared.shards import Shard, topology
from shared.shards.organisations import SLUG
from shared.shards.survey import ShardReport, survey

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from rich.console import Console

    from shared.placement.moves import Move
    from shared.placement.rebalancing import Plan

T = TypeVar("T")


def region_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Refuse what is no region's name."""
    del context, parameter
    if not SLUG.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no region's name: give one such as `eu-central`.")
    return value


_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_NUMBER = click.argument("number", type=click.IntRange(0, 255))


@click.group("shards", invoke_without_command=True)
@_JSON
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """Show the shards; add one, empty one, spread organisations over them.

    Reads HAL9_SHARDS_ADMIN, else the local platform that runs. Without a command it is `list`.

    \b
    A fourth shard:
      1. append its address to HAL9_SHARDS and HAL9_SHARDS_ADMIN everywhere (locally: HAL9_SHARD_COUNT=4 hal9 up)
      2. hal9 migrate
      3. hal9 shards add --region eu-central
      4. hal9 shards rebalance --plan, then --apply
    """
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@command.command("list")
@_JSON
def list_shards(*, as_json: bool) -> None:
    """Show the shards: sizes, tenants, slots, outbox lag, replication lag, connections by deployment.

    Exit code 1 when a shard does not answer.
    """
    _list(as_json=as_json)


def _list(*, as_json: bool) -> None:
    reports = asyncio.run(survey(admin_addresses()))
    if as_json:
        click.echo(json.dumps([_document(report) for report in reports], indent=2))
    else:
        _print(reports)
    sys.exit(1 if any(report.error for report in reports) else 0)


@command.command("add")
@click.argument("number", type=click.IntRange(0, 255), required=False)
@click.option("--region", required=True, callback=region_name, help="Where it stands.")
@_JSON
def add(number: int | None, region: str, *, as_json: bool) -> None:
    """Let shard NUMBER (the next one, when left out) take new organisations. Nobody is moved: `rebalance` does that.

    Its address must be in HAL9_SHARDS_ADMIN, and in HAL9_SHARDS of every process: a process that was started before
    cannot reach what is placed there.
    """

    async def work() -> Shard:
        async with administered() as directory:
            addresses = admin_addresses()
            wanted = len((await topology.read(directory)).shards) if number is None else number
            if wanted < len(addresses):
                async with administered(wanted) as shard:
                    await shard.fetchval("SELECT count(*) FROM tenants")  # it was migrated
            return await fleet.add(directory, wanted, region, addresses=len(addresses))

    _told(_run(work()), "takes organisations; `hal9 shards rebalance --plan` says who would move", as_json=as_json)


@command.command("drain")
@_NUMBER
@click.option("--cancel", is_flag=True, help="Take it back into use.")
@_JSON
def drain(number: int, *, cancel: bool, as_json: bool) -> None:
    """Let shard NUMBER take no more organisations. Those on it stay until `hal9 shards rebalance` moves them."""

    async def work() -> Shard:
        async with administered() as directory:
            return await (fleet.take_back if cancel else fleet.drain)(directory, number)

    said = (
        "takes organisations again" if cancel else "takes nobody any more; `hal9 shards rebalance` moves who is there"
    )
    _told(_run(work()), said, as_json=as_json)


@command.command("remove")
@_NUMBER
@_JSON
def remove(number: int, *, as_json: bool) -> None:
    """Note that shard NUMBER, which was drained, is empty for good.

    Refused while anything is left on it. Its number stays taken: when it was the last one, take its address out of
    HAL9_SHARDS; else give its place the address of any migrated, empty database.
    """

    async def work() -> Shard:
        async with administered() as directory, administered(number) as shard:
            await fleet.remove(directory, shard, number)
            found = (await topology.read(directory)).shard(number)
        return found or Shard(number, None, "removed")

    _told(_run(work()), "is removed", as_json=as_json)


@command.command("region")
@_NUMBER
@click.argument("region", callback=region_name)
@_JSON
def region_of(number: int, region: str, *, as_json: bool) -> None:
    """Say that shard NUMBER stands in REGION: organisations that are pinned to it may be placed there."""

    async def work() -> Shard:
        async with administered() as directory:
            await fleet.stands_in(directory, region, [number])
            found = (await topology.read(directory)).shard(number)
        if found is None:
            raise click.ClickException(f"There is no shard {number}.")
        return found

    _told(_run(work()), f"stands in {region}", as_json=as_json)


@command.command("rebalance")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would move, how much, how long; the default.")
@click.option("--apply", "apply_it", is_flag=True, help="Move, one after the other; goes on with what was cut off.")
@click.option("--cancel", is_flag=True, help="Plan no more moves, and take back the one that is under way.")
@click.option("--per-minute", type=click.FloatRange(0.1, 60), help="Moves a minute at most.")
@click.option("--at-most", type=click.IntRange(1), help="Moves altogether.")
@click.option(
    "--retain", "retain_seconds", type=click.IntRange(0), default=moving.RETAIN_SECONDS, show_default=True,
    help="Seconds for which old copies are kept, read-only.",
)  # fmt: skip
@_JSON
def rebalance(
    *,
    only_plan: bool,
    apply_it: bool,
    cancel: bool,
    per_minute: float | None,
    at_most: int | None,
    retain_seconds: int,
    as_json: bool,
) -> None:
    """Spread organisations over the shards that take them: after one was added, or to empty one that is drained.

    Interrupted or killed, the same command goes on. Exit code 1 when some did not move: `hal9 tenants moves` says why.
    """
    if only_plan + apply_it + cancel > 1:
        raise click.UsageError("Give one of --plan, --apply and --cancel.")
    if at_most is not None and not apply_it:
        raise click.UsageError("--at-most goes with --apply.")
    if cancel:
        count = len(moving.run(_cancel()))
        click.echo(json.dumps({"cancelled": count}) if as_json else f"{count} moves are cancelled.")
    elif apply_it:
        moving.run(_apply(per_minute, at_most, retain_seconds, as_json=as_json))
    else:
        _show_plan(moving.run(_planned()), per_minute, as_json=as_json)


async def _planned() -> Plan:
    async with administered() as directory:
        return await rebalancing.plan(directory, admin_addresses())


async def _cancel() -> list[Move]:
    async with administered() as directory, moving.mover(quiet=True) as mover:
        return await rebalancing.cancel(directory, mover)


async def _apply(per_minute: float | None, at_most: int | None, retain_seconds: int, *, as_json: bool) -> None:
    async with administered() as directory:
        rest = len((await moves.planned(directory))[:at_most])
        if not rest:
            wanted = (await rebalancing.plan(directory, admin_addresses())).wanted[:at_most]
            rest = len(wanted)
            await rebalancing.begin(directory, wanted, retain_seconds=retain_seconds)
    moved = 0
    async with moving.mover(quiet=True) as mover:
        async for move in rebalancing.apply(admin_addresses(), mover, per_minute=per_minute, at_most=at_most):
            moved += move.step == "finished"
            if as_json:
                click.echo(json.dumps(moving.document(move)))
            else:
                click.echo(f"{moved} of {rest}: {move.org_id} {move.source} -> {move.target} {move.step} {move.reason}")
    if not as_json:
        click.echo(f"{moved} of {rest} organisations were moved.")
    sys.exit(0 if moved == rest else 1)


def _show_plan(plan: Plan, per_minute: float | None, *, as_json: bool) -> None:
    share = len(plan.wanted) / plan.organisations if plan.organisations else 0.0
    seconds = plan.seconds(per_minute)
    if as_json:
        about = {"organisations": plan.organisations, "share": share, "rows": plan.rows, "bytes": plan.bytes}
        moves_of = [{**dataclasses.asdict(one), "org_id": str(one.org_id)} for one in plan.wanted]
        told = {
            "moves": moves_of,
            "stuck": [str(one) for one in plan.stuck],
            "before": plan.before,
            "after": plan.after,
        }
        click.echo(json.dumps({**about, "seconds": seconds, **told}, indent=2))
        return
    for source, target in sorted({(one.source, one.target) for one in plan.wanted}):
        chosen = [one for one in plan.wanted if (one.source, one.target) == (source, target)]
        click.echo(
            f"shard {source} -> {target}: {len(chosen)} organisations, {_bytes(sum(one.bytes for one in chosen))}"
        )
    for shard in sorted({*plan.before, *plan.after}):
        click.echo(f"shard {shard}: {plan.before.get(shard, 0)} organisations, then {plan.after.get(shard, 0)}")
    for org_id in plan.stuck:
        click.echo(f"{org_id} stays: it is pinned to a region in which no shard takes organisations")
    click.echo(
        f"{len(plan.wanted)} of {plan.organisations} organisations would move ({share:.1%}): {plan.rows} rows, "
        f"{_bytes(plan.bytes)}, about {_seconds(seconds)}."
    )


command.add_command(promotion.command)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except RefusedError as error:
        raise click.ClickException(f"{error}.") from None


def _told(shard: Shard, said: str, *, as_json: bool) -> None:
    click.echo(json.dumps(dataclasses.asdict(shard)) if as_json else f"Shard {shard.number} {said}.")


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
    if report.placement in {"draining", "removed"} or report.region is not None:
        where = f" stands in {report.region}" if report.region else ""
        state = "" if report.placement == "active" else f" is {report.placement}"
        console.print(f"shard {report.shard}{' and'.join(filter(None, (where, state)))}", markup=False)
    if report.error:
        console.print(f"shard {report.shard} does not answer: {report.error}", style="red", markup=False)
    elif report.connections_used > HEADROOM * report.connection_limit:
        advice = "`hal9 pools plan` says what to set"
        console.print(f"shard {report.shard} is short of connections: {advice}", style="yellow", markup=False)
    for replica in report.replication:
        seconds = "" if replica.lag_seconds is None else f", {replica.lag_seconds:.1f} s"
        waits = ", commits wait for it" if replica.synchronous else ""
        lag = f"{_bytes(replica.lag_bytes)}{seconds} behind"
        console.print(f"shard {report.shard} -> {replica.name} ({replica.state}{waits}): {lag}", markup=False)


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
