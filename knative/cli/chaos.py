"""`hal9 chaos`: the named points at which a test can kill a process."""

from __future__ import annotations

import importlib
import json
import pkgutil

import click

from shared import chaos


@click.group()
def command() -> None:
    """List the named points at which a process can be killed."""


@command.command("points")
@click.option("--json", "as_json", is_flag=True, help='Print {"points": [{"name": ..., "doc": ...}]}.')
def points(*, as_json: bool) -> None:
    """List every point, with what must hold after a kill there.

    Start any process with HAL9_CHAOS_KILL=NAME (or NAME:3 for the third pass) and it ends with SIGKILL at that point,
    once for each HAL9_HOME.
    """
    known = all_points()
    if as_json:
        click.echo(json.dumps({"points": [{"name": name, "doc": doc} for name, doc in known.items()]}, indent=1))
        return
    width = max(map(len, known))
    for name, doc in known.items():
        click.echo(f"{name:<{width}}  {doc}")


def all_points() -> dict[str, str]:
    """Give every point of events, of all functions, of moves and of reorganisations: imports them."""
    import events
    import functions

    for package in pkgutil.iter_modules(functions.__path__, "functions."):
        if package.ispkg:
            importlib.import_module(f"{package.name}.main")
    for concept in ("placement", "reorganisation"):  # who moves, splits or merges is no function
        importlib.import_module(f"shared.{concept}.points")
    for module in pkgutil.iter_modules(events.__path__, "events."):
        importlib.import_module(module.name)
    return chaos.points()
