"""`hal9 status`: what runs on this machine's platform."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from knative.cli import running

if TYPE_CHECKING:
    from knative.platform.home import Home

MEBIBYTE = 1024 * 1024


@click.command()
@click.option("--context", help="Show what runs on the cluster of that context of KUBECONFIG, instead of here.")
@click.option("--namespace", default="hal9", show_default=True, help="Namespace of the deployment on that cluster.")
@click.option(
    "--probe", is_flag=True, help="Send an event through that cluster's Broker, and say whether it was delivered."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the ids of every process.")
def command(*, context: str | None, namespace: str, probe: bool, as_json: bool) -> None:
    """Show what runs: functions, instances, servers, broker; on a cluster revisions, triggers and dead letters too.

    Everything on a cluster may be ready, and no event be delivered: --probe runs a Job that sends one, waits for the
    reply, says which part of Eventing to restart when none comes, and what waits in outboxes.

    \b
    Exit codes:
      0  the platform runs; on a cluster: all of it is ready, and the probe was delivered
      1  it does not
    """
    if probe and context is None:
        raise click.UsageError("--probe is for a cluster: name its --context")
    if context is not None:
        from knative.cli import clusterstatus

        raise SystemExit(clusterstatus.show(context, namespace, probe=probe, as_json=as_json))
    home, _ = running.chosen()
    found = running.status(home)
    if found is None:
        if as_json:
            told = {"running": True, "answers": False} if home.locked else {"running": False}
            click.echo(json.dumps({**told, "home": str(home.path)}))
            raise SystemExit(1)
        raise click.ClickException(_absent(home))
    if as_json:
        click.echo(json.dumps({"running": True, **found}))
    else:
        _show(found)


def _absent(home: Home) -> str:
    """Say why nothing can be shown; a supervisor holds its folder's lock, whether it comes to answer or not."""
    if home.locked:
        return (
            f"The platform in {home.path} does not answer: it starts, stops, or this machine is very busy. Try again "
            "in a moment; `hal9 logs supervisor` says more."
        )
    return f"No platform runs in {home.path}: start it with `hal9 up`."


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{found['url']}[/]  {escape(found['home'])}  {_mebibytes(found['memory_bytes'])} altogether")
    functions = Table("function", "instances", "serving", "held", "requests", "crashes", "memory", box=None)
    for name, about in found["functions"].items():
        instances = about["instances"]
        scale = about["scale"]
        functions.add_row(
            name,
            f"{about['ready']} of {scale['min']}..{scale['max']}" + (" starting" if about["starting"] else ""),
            str(sum(one["serving"] + one["streams"] for one in instances)),
            str(about["held"]),
            str(about["requests"]),
            str(about["crashes"]),
            _mebibytes(sum(one["memory_bytes"] for one in instances)),
        )
    console.print(functions)
    servers = Table("server", "process", "memory", box=None)
    for name, about in [*found["servers"].items(), ("broker", found["broker"])]:
        servers.add_row(name, str(about["pid"] or "down"), _mebibytes(about["memory_bytes"]))
    console.print(servers)
    for shard in found["replicas"]:
        console.print(_replicated(shard), markup=False)
    for failover in found["failovers"]:
        if failover["behind_bytes"]:
            console.print(f"[red]{escape(_lost(failover))}[/]")
    for fault in (found["cache"]["fault"], found["disk"]["fault"]):
        if fault is not None:
            console.print(f"[red]{escape(fault)}[/]")
    broker = found["broker"]
    console.print(
        f"broker: {broker.get('queued', '?')} deliveries queued, {broker.get('dead_letters', '?')} dead letters "
        f"since its start ({broker.get('dead_letters_not_taken', '?')} not kept yet)"
    )


def _replicated(shard: dict[str, Any]) -> str:
    behind = "does not follow" if shard["lag_bytes"] is None else f"is {shard['lag_bytes']} B behind"
    waits = "commits wait for it" if shard["synchronous"] else "commits do not wait for it, and it cannot take over"
    return (
        f"shard {shard['shard']}: {shard['primary']} is the primary, generation {shard['generation']}; "
        f"{shard['replica']} {behind}, {waits}{_starved(shard)}"
    )


def _starved(shard: dict[str, Any]) -> str:
    """Whether its primary has no processor now, or had none since the platform's start; nothing where it never had."""
    if shard["starved"]:
        return f"; silent for {shard['silent_seconds']} s for want of a processor, and not replaced"
    times = shard["starvations"]
    return f"; {times} time{'s' if times > 1 else ''} silent for want of a processor since the start" if times else ""


def _lost(failover: dict[str, Any]) -> str:
    return (
        f"shard {failover['shard']}: the failover of {failover['at']} to {failover['primary']} lost at least "
        f"{failover['behind_bytes']} B of the log, writes of tiers that wait for no replica"
    )


def _mebibytes(size: int) -> str:
    return f"{size / MEBIBYTE:.0f} MB"
