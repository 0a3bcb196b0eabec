"""`hal9 status --context`: what runs on a cluster."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

import click

from knative.cli import tables
from knative.cli.progress import Silent, delivered, listed

if TYPE_CHECKING:
    from knative.deploy.probe import Probed
    from knative.deploy.status import Part, Status

_COLOURS: Final = {"ready": "green", "waiting": "yellow", "failed": "red"}


def show(context: str, namespace: str, *, probe: bool, as_json: bool) -> int:
    """Show it; give the exit code: 0 when something was deployed, all of it is ready, and a probe was delivered."""
    found, probed = asyncio.run(_status(context, namespace, probe=probe))
    letters = _dead_letters()
    if as_json:
        about = {"ready": found.ready, "dead_letters": letters}
        sent = {"probe": dataclasses.asdict(probed)} if probed is not None else {}
        click.echo(json.dumps({**dataclasses.asdict(found), **about, **sent}, indent=2))
    elif not found.release:
        click.echo(f"Nothing of HAL9 was deployed to {namespace}: `hal9 deploy` does.", err=True)
    else:
        _print(found, namespace, letters)
        _print_probe(probed)
    return 0 if found.ready and (probed is None or not probed.faults) else 1


async def _status(context: str, namespace: str, *, probe: bool) -> tuple[Status, Probed | None]:
    from knative.deploy.cluster import ClusterError, connect
    from knative.deploy.probe import probe as send
    from knative.deploy.status import status

    try:
        async with connect(context, namespace) as cluster:
            found = await status(cluster)
            return found, await send(cluster, progress=Silent()) if probe and found.release else None
    except ClusterError as error:
        raise click.ClickException(str(error)) from error


def _dead_letters() -> int | None:
    """Count the dead letters of the organisation whose credentials are set; None when none are, or it cannot be asked.

    They belong to organisations, each behind its own key: the cluster's API knows nothing of them.
    """
    from shared.client import Client, ClientError

    try:
        with Client.from_environment() as client:
            return sum(1 for _ in client.dead_letters.list())
    except ClientError:
        return None


def _print(found: Status, namespace: str, letters: int | None) -> None:
    from rich.table import Table

    console = tables.console()
    release = found.release
    console.print(f"[bold]{found.gateway or 'no public address yet'}[/]  {namespace}  {_release(release)}")
    services = Table("SERVICE", "STATE", "REVISION", "TRAFFIC", "INSTANCES", "RESTARTS", box=None, pad_edge=False)
    for part in found.parts:
        if part.kind == "Service":
            _service(services, part)
    console.print(services)
    others = Table("KIND", "NAME", "STATE", "REASON", box=None, pad_edge=False)
    for part in found.parts:
        if part.kind != "Service":
            others.add_row(part.kind, part.name, _state(part), part.reason)
    console.print(others)
    console.print(
        "dead letters: not known (they are an organisation's: set its HAL9_URL and HAL9_API_KEY, or HAL9_CREDENTIALS)"
        if letters is None
        else f"dead letters of this organisation: {letters}"
    )


def _print_probe(probed: Probed | None) -> None:
    if probed is None:
        click.echo("events: not tried (--probe sends one through the Broker)")
    elif probed.faults:
        click.echo("Events are not delivered:", err=True)
        listed(probed.faults)
    else:
        click.echo(delivered(probed.report))


def _release(release: Any) -> str:
    return f"{release.get('region', '')}, {release.get('environment', '')}, version {release.get('version', '')}"


def _service(table: Any, part: Part) -> None:
    first = True
    for one in part.revisions or (None,):
        head = (part.name, _state(part)) if first else ("", "")
        first = False
        if one is None:
            table.add_row(*head, part.reason, "", "0", "0")
            continue
        instances = f"{one.ready} of {one.instances}" if one.instances else "0"
        table.add_row(*head, one.name, f"{one.percent}%", instances, str(one.restarts))
    if part.tried is not None:
        tried = f"{part.tried.candidate} is tried since {part.tried.since} instead of {part.tried.stable}"
        table.add_row("", "", f"[yellow]{tried}[/]", "", "", "")
    if part.state != "ready" and part.revisions:
        table.add_row("", "", f"[red]{part.reason}[/]", "", "", "")


def _state(part: Part) -> str:
    return f"[{_COLOURS[part.state]}]{part.state}[/]"
